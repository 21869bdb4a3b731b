#include "cli/input/document_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fluxgate::cli {

namespace {

constexpr std::string_view kSeparator = "---";

bool ends_marker(std::string_view text, std::size_t at) {
    return at >= text.size() || text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r';
}

// Where the JSON value at the front of a text ends; fed piece by piece. Stops where that can be no JSON, so that a value that is
// never closed is found out early and not at the end of the file.
class JsonEnd {
public:
    // The offset behind the value, or npos if `text` ends before it does, or if it is none.
    std::size_t find(std::string_view text) {
        for (; at_ < text.size() && !broken_; ++at_) {
            const char c = text[at_];
            if (in_string_) {
                step_in_string(c);
            } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
                step(c);
                before_ = c;
                if (open_.empty() && !broken_) return at_ + 1;
            }
        }
        return std::string_view::npos;
    }
    bool broken() const { return broken_; }

private:
    static constexpr std::size_t kDepthMax = 512;  // more than a reader takes

    void step_in_string(char c) {
        if (c == '\n') broken_ = true;
        if (!std::exchange(escaped_, !escaped_ && c == '\\') && c == '"') in_string_ = false;
    }

    void step(char c) {
        const bool begins = before_ == ':' || before_ == ',' || before_ == '[' || before_ == '{' || open_.empty();
        const bool wants_key = !open_.empty() && open_.back() == '{' && before_ != ':';
        switch (c) {
            case '"':
                broken_ = !begins;
                in_string_ = true;
                break;
            case '{':
            case '[':
                broken_ = !begins || wants_key || open_.size() == kDepthMax;
                open_ += c;
                break;
            case '}':
            case ']':
                broken_ = open_.back() != (c == '}' ? '{' : '[');
                open_.pop_back();
                break;
            default: break;
        }
    }

    std::size_t at_ = 0;
    std::string open_;
    char before_ = '\0';  // but for white space
    bool in_string_ = false;
    bool escaped_ = false;
    bool broken_ = false;
};

}  // namespace

bool DocumentStream::fill() {
    if (ended_) return false;
    if (begin_ > 0) {
        buffer_.erase(0, begin_);
        begin_ = 0;
    }
    const std::size_t before = buffer_.size();
    buffer_.resize(before + std::max(block_bytes_, before / 2));
    errno = 0;
    const std::size_t got = std::fread(buffer_.data() + before, 1, buffer_.size() - before, file_);
    buffer_.resize(before + got);
    bytes_read_ += got;
    if (got > 0) return true;
    ended_ = true;
    if (std::ferror(file_) != 0) error_ = errno == 0 ? EIO : errno;
    return false;
}

// Where the next document may start behind `from`, as an offset from begin_: a line with `---`, or, `json`, with an opening brace;
// npos if what was read holds none, then `from` is where to look further.
std::size_t DocumentStream::find_boundary(std::size_t& from, bool json) const {
    const std::string_view text = rest();
    for (std::size_t line = text.find('\n', from); line != std::string_view::npos; line = text.find('\n', line + 1)) {
        from = line;
        const std::string_view start = text.substr(line + 1, kSeparator.size() + 1);
        if (start.size() <= kSeparator.size() && !ended_) return std::string_view::npos;
        if (start.starts_with(kSeparator) && ends_marker(start, kSeparator.size())) return line + 1;
        if (json && start.starts_with('{')) return line + 1;
    }
    from = text.size();
    return std::string_view::npos;
}

// The end of the document at begin_: of the text if no other follows; npos if it is further than bytes_max_.
std::size_t DocumentStream::find_next(bool json) {
    for (std::size_t from = 0;;) {
        if (const std::size_t found = find_boundary(from, json); found != std::string_view::npos) return found;
        if (ended_) return rest().size();
        if (rest().size() > bytes_max_ + kSeparator.size()) return std::string_view::npos;
        fill();
    }
}

// The end of the JSON value at begin_; npos if this is no JSON that ends, and behind it, in its line, nothing.
std::size_t DocumentStream::find_end_of_json(std::size_t first) {
    JsonEnd json;
    std::size_t end = std::string_view::npos;
    while ((end = json.find(rest().substr(first))) == std::string_view::npos) {
        if (json.broken() || rest().size() > bytes_max_ || !fill()) return std::string_view::npos;
    }
    end += first;
    for (std::size_t after = end;; ++after) {
        if (after >= rest().size() && !fill()) return end;
        const char c = rest()[after];
        if (c == '\n') return after + 1;
        if (c == '{' || c == '[') return after;
        if (c != ' ' && c != '\t' && c != '\r') return std::string_view::npos;
    }
}

// The end of the document at begin_; npos if it is too large.
std::size_t DocumentStream::find_end() {
    std::size_t first = 0;
    while ((first = rest().find_first_not_of(" \t\r\n", first)) == std::string_view::npos) {
        first = rest().size();
        if (rest().size() > bytes_max_ || !fill()) return rest().size();
    }
    const char c = rest()[first];
    is_json_ = false;
    if (c != '{' && c != '[') return find_next(false);
    const std::size_t end = find_end_of_json(first);
    // Of JSON Lines with a broken or huge line, only that line is lost. Templates of Helm start with two braces.
    is_json_ = !rest().substr(first).starts_with("{{");
    return end == std::string_view::npos ? find_next(is_json_) : end;
}

void DocumentStream::advance(std::size_t bytes) {
    const std::string_view passed = rest().substr(0, bytes);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    begin_ += passed.size();
}

// What follows the part of a document that was given out, up to the next one.
void DocumentStream::pass_over_rest() {
    for (;;) {
        std::size_t from = 0;
        const std::size_t found = find_boundary(from, is_json_);
        advance(std::min(found, from));
        if (found != std::string_view::npos) return advance(found - std::min(found, from));
        if (ended_) return;
        fill();
    }
}

bool DocumentStream::next(DocumentText& document) {
    advance(std::exchange(given_, 0));
    if (std::exchange(cut_, false)) pass_over_rest();
    document = {};
    if (begin_ >= buffer_.size() && !fill()) return false;

    const std::size_t end = find_end();
    cut_ = end == std::string_view::npos;
    // The last byte of what was cut is looked at again: if it ends a line, the next document may follow.
    given_ = cut_ ? std::max<std::size_t>(bytes_max_, 1) - 1 : end;
    document = {rest().substr(0, std::min(end, bytes_max_)), line_, end > bytes_max_};
    return true;
}

}  // namespace fluxgate::cli
