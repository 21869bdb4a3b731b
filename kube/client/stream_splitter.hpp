#pragma once

// Takes the two long answers of the Kubernetes API apart while they arrive, so that one object is in memory and not a cluster: the
// items of a list, and the lines of a watch. They look for the borders only; each piece is parsed strictly by whoever takes it.
//
// Values for one answer. An object above the bound is never held: `too_large` gets the part that fits, to say its name.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace fluxgate::kube::client {

struct PieceHandlers {
    std::function<void(std::string_view piece)> piece = {};
    std::function<void(std::string_view beginning)> too_large = {};
};

class ListSplitter {
public:
    ListSplitter(std::size_t object_bytes_max, PieceHandlers handlers) : bytes_max_(object_bytes_max), handlers_(std::move(handlers)) {}

    // False: not a list, or one without an end; what follows is not worth reading.
    bool feed(std::string_view bytes);

    // The list without its items, `{"kind":…,"metadata":{…},"items":[]}`: JSON when the whole of it arrived.
    const std::string& envelope() const { return envelope_; }

private:
    void take(char letter);
    void take_within_item(char letter);
    void follow_string(char letter);

    std::size_t bytes_max_;
    PieceHandlers handlers_;
    std::string envelope_;
    std::string item_;
    std::string last_string_;  // of the envelope, its beginning: what stands before a '[' is its key
    std::size_t depth_ = 0;
    bool in_string_ = false;
    bool escaped_ = false;
    bool in_items_ = false;  // between the brackets of `items`
    bool oversize_ = false;
    bool stray_ = false;  // something in `items` that is no object
};

class LineSplitter {
public:
    LineSplitter(std::size_t line_bytes_max, PieceHandlers handlers) : bytes_max_(line_bytes_max), handlers_(std::move(handlers)) {}

    void feed(std::string_view bytes);
    // True when the last line was not ended.
    bool holds_bytes() const { return !line_.empty() || oversize_; }

private:
    std::size_t bytes_max_;
    PieceHandlers handlers_;
    std::string line_;
    bool oversize_ = false;
};

// "NAMESPACE/NAME", "NAME" or "an object" of the JSON text whose beginning is given, which need not parse. `depth` is that of the object's
// own members: 1, or 2 in a watch event.
std::string name_in_beginning(std::string_view text, std::size_t depth);

}  // namespace fluxgate::kube::client
