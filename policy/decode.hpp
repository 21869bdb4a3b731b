#pragma once

// From the strict manifest reader's nodes to the values of a policy, with every problem noted instead of the first.
// A decoder asks a Mapping for the fields it knows and calls `finish`, which reports the others with the nearest known
// name. Lives while one file is compiled.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "kube/manifest.hpp"

namespace fluxgate::policy {

// Of all kinds of policy files.
inline constexpr std::string_view kApiVersion = "fluxgate.dev/v1alpha1";

// One thing that is wrong with a policy file.
struct Problem {
    Errc code = Errc::invalid_policy;
    std::string file;
    kube::Position position;  // 0:0 when the file as a whole is meant
    std::string message;      // what is wrong, what was expected, the nearest known name

    friend bool operator==(const Problem&, const Problem&) = default;
};
std::string to_string(const Problem& problem);  // file:line:column: message

class Problems {
public:
    explicit Problems(std::size_t problems_max) : problems_max_(problems_max) {}
    void in_file(std::string file) { file_ = std::move(file); }
    const std::string& file() const { return file_; }
    void add(Errc code, kube::Position position, std::string message);
    bool empty() const { return list_.empty() && omitted_ == 0; }
    bool full() const { return list_.size() >= problems_max_; }
    // One more pattern of a set; false when that is too many: each takes memory of its own.
    bool may_compile_pattern() { return ++patterns_ <= kPatternsMax; }
    static constexpr std::size_t kPatternsMax = 1'000;
    const std::vector<Problem>& list() const { return list_; }
    std::size_t omitted() const { return omitted_; }
    std::size_t count() const { return list_.size() + omitted_; }

private:
    std::size_t problems_max_;
    std::string file_;
    std::vector<Problem> list_;
    std::size_t omitted_ = 0;
    std::size_t patterns_ = 0;
};

class Mapping {
public:
    // `what` names the mapping in messages: "spec.match". A node of another kind is a problem; then every field is absent.
    Mapping(const kube::Node& node, std::string what, Problems& problems);

    // nullptr if absent or null. The field counts as known.
    const kube::Node* field(std::string_view key);
    const kube::Node* required(std::string_view key, std::string_view expected);

    std::string string(std::string_view key);           // "" if absent
    std::string required_string(std::string_view key);  // not empty
    std::vector<std::string> strings(std::string_view key);

    // f(const Node& item, std::string what) for each item of a list.
    template <class F>
    void each(std::string_view key, F&& f) {
        if (const kube::Node* list = sequence(key)) {
            std::size_t index = 0;
            for (const kube::Node& item : list->items()) f(item, name_of(key) + "[" + std::to_string(index++) + "]");
        }
    }

    // The schema has this field and this version cannot honour it: refused, because ignoring it would be false assurance.
    void not_implemented(std::string_view key);

    // Reports every field that was not asked for.
    void finish();

    std::string name_of(std::string_view key) const { return what_ + "." + std::string(key); }
    kube::Position position() const { return node_.position(); }
    kube::Position position_of(std::string_view key) const;
    Problems& problems() { return problems_; }
    void problem(std::string_view key, std::string message) {
        problems_.add(Errc::invalid_policy, position_of(key), name_of(key) + ": " + std::move(message));
    }

private:
    const kube::Node* sequence(std::string_view key);
    const kube::Node* find(std::string_view key);

    const kube::Node& node_;
    std::string what_;
    Problems& problems_;
    std::vector<std::string> known_;
};

// One of `names`, else a problem that lists them. Returns its index.
std::optional<std::size_t> one_of(const kube::Node& node, std::string_view what, const std::vector<std::string_view>& names,
                                  Problems& problems);

// " (did you mean \"requests\"?)", or "" when nothing is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

}  // namespace fluxgate::policy
