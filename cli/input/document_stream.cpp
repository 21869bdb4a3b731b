#include "cli/input/document_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fluxgate::cli {

namespace {

constexpr std::size_t kBlockBytes = 1u << 20;

bool ends_marker(std::string_view text, std::size_t at) {
    return at >= text.size() || text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r';
}

// Where the JSON value at the front of a text ends; fed piece by piece.
class JsonEnd {
public:
    // The offset behind the value, or npos if `text` ends before it does.
    std::size_t find(std::string_view text) {
        for (; at_ < text.size(); ++at_) {
            const char c = text[at_];
            if (in_string_) {
                if (c == '\\')
                    ++at_;
                else if (c == '"')
                    in_string_ = false;
            } else if (c == '"') {
                in_string_ = true;
            } else if (c == '{' || c == '[') {
                ++depth_;
            } else if ((c == '}' || c == ']') && --depth_ == 0) {
                return at_ + 1;
            }
        }
        return std::string_view::npos;
    }

private:
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    bool in_string_ = false;
};

}  // namespace

bool DocumentStream::fill() {
    if (ended_) return false;
    if (begin_ > 0) {
        buffer_.erase(0, begin_);
        begin_ = 0;
    }
    const std::size_t before = buffer_.size();
    buffer_.resize(before + std::max(kBlockBytes, before / 2));
    errno = 0;
    const std::size_t got = std::fread(buffer_.data() + before, 1, buffer_.size() - before, file_);
    buffer_.resize(before + got);
    bytes_read_ += got;
    if (got > 0) return true;
    ended_ = true;
    if (std::ferror(file_) != 0) error_ = errno == 0 ? EIO : errno;
    return false;
}

// Where the next line starts that begins with `start`, as an offset from begin_; the end if there is none; npos if that is further
// than bytes_max_. A whole word ends there.
std::size_t DocumentStream::find_line(std::string_view start, bool whole_word) {
    const std::string wanted = "\n" + std::string(start);
    for (std::size_t from = 0;;) {
        const std::size_t found = rest().find(wanted, from);
        if (found != std::string_view::npos && (!whole_word || found + wanted.size() < rest().size() || ended_)) {
            if (!whole_word || ends_marker(rest(), found + wanted.size())) return found + 1;
            from = found + 1;
            continue;
        }
        from = found != std::string_view::npos ? found : rest().size() - std::min(rest().size(), wanted.size());
        if (rest().size() > bytes_max_) return std::string_view::npos;
        if (!fill() && found == std::string_view::npos) return rest().size();
    }
}

// The end of the JSON value at begin_; npos if this is no JSON that ends, and behind it, in its line, nothing.
std::size_t DocumentStream::find_end_of_json(std::size_t first) {
    JsonEnd json;
    std::size_t end = std::string_view::npos;
    while ((end = json.find(rest().substr(first))) == std::string_view::npos) {
        if (rest().size() > bytes_max_ || !fill()) return std::string_view::npos;
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
    while ((first = rest().find_first_not_of(" \t\r\n")) == std::string_view::npos) {
        if (rest().size() > bytes_max_ || !fill()) return rest().size();
    }
    const char c = rest()[first];
    if (c != '{' && c != '[') return find_line("---", true);
    if (const std::size_t end = find_end_of_json(first); end != std::string_view::npos) return end;
    const std::size_t end = find_line("---", true);
    // Of JSON Lines with a broken line, only that line is lost. Templates of Helm start with two braces.
    if (rest().substr(first).starts_with("{{")) return end;
    return std::min(end, find_line("{", false));
}

// What follows the part of a document that was given out, up to the next one.
void DocumentStream::pass_over_rest() {
    constexpr std::string_view kSeparator = "\n---";
    std::size_t end = std::string_view::npos;
    while ((end = rest().find(kSeparator)) == std::string_view::npos) {
        const std::size_t passed = rest().size() - std::min(rest().size(), kSeparator.size());
        line_ += static_cast<int>(std::count(rest().begin(), rest().begin() + static_cast<std::ptrdiff_t>(passed), '\n'));
        begin_ += passed;
        if (!fill()) {
            begin_ = buffer_.size();
            return;
        }
    }
    line_ += static_cast<int>(std::count(rest().begin(), rest().begin() + static_cast<std::ptrdiff_t>(end + 1), '\n'));
    begin_ += end + 1;
}

bool DocumentStream::next(DocumentText& document) {
    const std::string_view last = rest().substr(0, given_);
    line_ += static_cast<int>(std::count(last.begin(), last.end(), '\n'));
    begin_ += std::exchange(given_, 0);
    if (std::exchange(cut_, false)) pass_over_rest();
    document = {};
    if (begin_ >= buffer_.size() && !fill()) return false;

    const std::size_t end = find_end();
    cut_ = end == std::string_view::npos;
    given_ = cut_ ? std::min(bytes_max_, rest().size()) : end;
    document = {rest().substr(0, given_), line_, cut_};
    return true;
}

}  // namespace fluxgate::cli
