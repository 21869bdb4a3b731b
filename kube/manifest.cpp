#include "kube/manifest.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <istream>
#include <map>
#include <new>
#include <optional>
#include <streambuf>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "base/utf8.hpp"

namespace fluxgate::kube {

namespace {

// --- problems ---------------------------------------------------------------------------------------------------------

class Problems {
public:
    explicit Problems(const Limits& limits) : max_(std::max<std::size_t>(limits.policy_errors_max, 1)) {}

    void add(Errc code, Position position, std::string message) {
        if (list_.size() < max_) {
            list_.push_back({code, position, std::move(message)});
        } else {
            more_ = true;
        }
    }

    std::vector<ReadProblem> take() && {
        std::stable_sort(list_.begin(), list_.end(), [](const auto& a, const auto& b) { return a.position < b.position; });
        if (more_) list_.back().message += "; the file has more problems, which are not listed";
        return std::move(list_);
    }

private:
    std::size_t max_;
    bool more_ = false;
    std::vector<ReadProblem> list_;
};

std::string quoted(std::string_view text) {
    constexpr std::size_t kShown = 60;
    std::string shown(text.substr(0, kShown));
    while (text.size() > kShown && !shown.empty() && (static_cast<unsigned char>(shown.back()) & 0xc0) == 0x80) shown.pop_back();
    return text.size() > kShown ? "\"" + shown + "…\"" : "\"" + shown + "\"";
}

// --- places -----------------------------------------------------------------------------------------------------------

// Byte offset → line and column. Asked mostly in ascending order, it counts from the last answer, so that a file of one
// long line stays linear.
class Places {
public:
    explicit Places(std::string_view text) : text_(text) {
        for (std::size_t at = 0; at < text.size(); ++at) {
            if (text[at] == '\n') starts_.push_back(at + 1);
        }
    }

    Position at(std::size_t offset) const {
        offset = std::min(offset, text_.size());
        const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
        const auto line = static_cast<std::size_t>(after - starts_.begin()) - 1;
        if (line != line_) {
            line_ = line;
            offset_ = starts_[line];
            column_ = 1;
        }
        for (; offset_ < offset; ++offset_) column_ += starts_character(offset_) ? 1 : 0;
        for (; offset_ > offset; --offset_) column_ -= starts_character(offset_ - 1) ? 1 : 0;
        return {static_cast<int>(line) + 1, column_};
    }

private:
    bool starts_character(std::size_t at) const { return (static_cast<unsigned char>(text_[at]) & 0xc0) != 0x80; }

    std::string_view text_;
    std::vector<std::size_t> starts_{0};
    mutable std::size_t line_ = 0;
    mutable std::size_t offset_ = 0;
    mutable int column_ = 1;
};

// --- characters -------------------------------------------------------------------------------------------------------

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

// A copy in which every character that YAML does not allow is an underscore for each of its bytes, so that reading can go
// on. At most one problem of a kind a line: a binary file should not fill the list.
std::string replace_bad_characters(std::string_view text, const Places& places, Problems& problems) {
    std::string clean(text);
    constexpr std::size_t kNever = std::string_view::npos;
    std::array<std::size_t, 4> reported_from{kNever, kNever, kNever, kNever};
    std::size_t line_start = 0;
    const auto replace = [&](std::size_t kind, Errc code, std::size_t at, std::size_t length, std::string message) {
        if (std::exchange(reported_from[kind], line_start) != line_start) problems.add(code, places.at(at), std::move(message));
        clean.replace(at, length, length, '_');
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const std::size_t length = utf8_length(text.substr(at));
        if (length == 0) {
            replace(0, Errc::invalid_utf8, at, 1, fmt::format("byte 0x{:02x} is not UTF-8; save the file as UTF-8", byte));
        } else if (byte == '\r' && (at + 1 == text.size() || text[at + 1] != '\n')) {
            replace(1, Errc::invalid_yaml, at, 1, "a carriage return without a line feed; use line feeds");
        } else if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) {
            replace(2, Errc::invalid_yaml, at, 1, fmt::format("control character U+{:04X}; write it as an escape in double quotes", byte));
        } else if (byte == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0 && text[at + 1] != '\x85') {
            replace(2, Errc::invalid_yaml, at, 2,
                    fmt::format("control character U+{:04X}; write it as an escape in double quotes",
                                static_cast<unsigned char>(text[at + 1])));
        } else if (text.substr(at, 3) == "\xef\xbb\xbf") {
            replace(3, Errc::invalid_yaml, at, 3, "a byte order mark inside the file; remove it");
        }
        if (byte == '\n') line_start = at + 1;
        at += std::max<std::size_t>(length, 1);
    }
    return clean;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool ends_word(char c) { return is_blank(c) || c == '\n' || c == '\r' || c == '\0'; }

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// --- the layout of one document ---------------------------------------------------------------------------------------

// What has to be known before yaml-cpp sees the text, because yaml-cpp reads a whole flow collection into tokens before
// it gives the first event, accepts what a strict reader must refuse, or cannot read: flow depth and size, tabs,
// directives, and surrogate pairs in JSON strings. It follows quotes, comments, block scalars and indentation, but
// builds nothing. Where a document is not well formed it may misjudge; yaml-cpp then refuses the document anyway.
class Layout {
public:
    struct Edit {  // replace `length` bytes at `offset`
        std::size_t offset;
        std::size_t length;
        std::string text;
    };

    // `text` is the whole file, without bad characters; only [begin, end) is looked at, and what is a problem may be
    // changed in place, so that yaml-cpp can read on.
    Layout(std::string& text, std::size_t begin, std::size_t end, const Limits& limits, const Places& places, Problems& problems)
        : text_(text), end_(end), at_(begin), limits_(limits), places_(places), problems_(problems) {}

    // False if yaml-cpp must not see the document.
    bool scan() {
        if (text_.compare(at_, 3, "---") == 0) {
            at_ += 3;
            line_start_ = at_ - 3;
            rest_of_line();
        }
        while (at_ < end_ && readable_) line();
        if (readable_ && in_flow() && !open_quote_) {
            readable_ = false;
            problems_.add(Errc::invalid_yaml, places_.at(open_flows_.back()), "this bracket is never closed; this document was not read");
        }
        return readable_;
    }

    const std::vector<Edit>& edits() const { return edits_; }
    std::optional<std::size_t> open_quote() const { return open_quote_; }

private:
    char peek(std::size_t ahead = 0) const { return at_ + ahead < end_ ? text_[at_ + ahead] : '\0'; }
    int column() const { return static_cast<int>(at_ - line_start_); }
    bool in_flow() const { return !open_flows_.empty(); }

    void line() {
        line_start_ = at_;
        node_column_ = -1;
        while (peek() == ' ') ++at_;
        const std::size_t indent_end = at_;
        while (is_blank(peek())) ++at_;
        const char first = peek();
        if (first == '#') plain_open_ = false;
        if (!in_flow() && at_ != indent_end) {
            tab(indent_end);
            std::replace(text_.begin() + static_cast<std::ptrdiff_t>(indent_end), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\t',
                         ' ');
        }
        if (first != '\n' && first != '\r' && first != '#' && at_ < end_) {
            const bool continues = plain_open_ && (in_flow() ? !is_flow_indicator(first) && !(first == ':' && ends_word(peek(1)))
                                                             : static_cast<int>(indent_end - line_start_) > parent_column_);
            if (continues) {
                plain();
            } else if (first == '%' && at_ == line_start_) {
                problems_.add(Errc::invalid_yaml, places_.at(at_), "directives (%YAML, %TAG) are not accepted; remove the line");
                text_[at_] = '#';
            }
        }
        rest_of_line();
    }

    void rest_of_line() {
        while (at_ < end_ && readable_ && text_[at_] != '\n') token();
        if (at_ < end_) ++at_;
    }

    void token() {
        const char c = peek();
        if (c == ' ' || c == '\r') {
            ++at_;
            return;
        }
        if (c == '\t') return separating_tab();
        if (c == '#') {
            plain_open_ = false;
            return skip_line();
        }
        plain_open_ = false;
        if (c == '-' && !in_flow() && ends_word(peek(1))) return structure(column());
        if (c == '?' && !in_flow() && ends_word(peek(1))) return structure(column());
        if (c == ':' && (in_flow() || ends_word(peek(1)))) {
            const bool after_json = at_ > 0 && std::string_view("\"'}]").find(text_[at_ - 1]) != std::string_view::npos;
            if (!ends_word(peek(1)) && !after_json) {
                problems_.add(Errc::invalid_yaml, places_.at(at_),
                              "readers of YAML disagree about this colon; write a blank after it, or quote the text");
            }
            return structure(node_column_ < 0 ? column() : node_column_);
        }
        if (!in_flow() && (c == '|' || c == '>')) return block_scalar();
        if (!in_flow() && node_column_ < 0) node_column_ = column();
        switch (c) {
            case '"': return double_quoted();
            case '\'': return single_quoted();
            case '[':
            case '{': return open_flow();
            case ']':
            case '}':
                if (in_flow()) open_flows_.pop_back();
                break;
            case ',':
                if (in_flow()) count_flow_item();
                break;
            case '&':
            case '*':
            case '!': return property();
            default: return plain();
        }
        ++at_;
    }

    // An indicator that nests what follows below `column`.
    void structure(int column) {
        if (!in_flow()) {
            parent_column_ = column;
            node_column_ = -1;
        }
        ++at_;
    }

    void skip_line() {
        while (at_ < end_ && text_[at_] != '\n') ++at_;
    }

    void tab(std::size_t at) {
        problems_.add(Errc::invalid_yaml, places_.at(at), "a tab; indent and separate with spaces, or write \"\\t\" in double quotes");
    }

    void separating_tab() {
        const std::size_t first = at_;
        while (is_blank(peek())) ++at_;
        const char next = peek();
        if (!in_flow() && next != '\n' && next != '\r' && next != '#' && at_ < end_) tab(first);
    }

    void open_flow() {
        count_flow_item();
        open_flows_.push_back(at_);
        if (open_flows_.size() > limits_.yaml_depth_max && readable_) {
            readable_ = false;
            problems_.add(Errc::too_deep, places_.at(at_),
                          fmt::format("more than {} levels of nesting; the rest of this document was not read", limits_.yaml_depth_max));
        }
        ++at_;
    }

    void count_flow_item() {
        if (++flow_items_ <= limits_.yaml_nodes_max || !readable_) return;
        readable_ = false;
        problems_.add(Errc::too_many_nodes, places_.at(at_),
                      fmt::format("more than {} values in one file; the rest of this document was not read", limits_.yaml_nodes_max));
    }

    void property() {
        while (at_ < end_ && !ends_word(text_[at_]) && !(in_flow() && is_flow_indicator(text_[at_]))) ++at_;
    }

    static bool is_flow_indicator(char c) { return c == ',' || c == '[' || c == ']' || c == '{' || c == '}'; }

    void plain() {
        std::optional<std::size_t> first_tab;
        const std::size_t begin = at_;
        std::size_t last = at_;
        for (; at_ < end_ && text_[at_] != '\n'; ++at_) {
            const char c = text_[at_];
            if (c == ':' && (ends_word(peek(1)) || (in_flow() && is_flow_indicator(peek(1)))) && at_ != begin) break;
            if (in_flow() && is_flow_indicator(c)) break;
            if (c == '#' && at_ > 0 && is_blank(text_[at_ - 1])) break;
            if (c == '\t' && !first_tab) first_tab = at_;
            if (!is_blank(c) && c != '\r') last = at_ + 1;
        }
        if (first_tab && *first_tab < last && !in_flow()) tab(*first_tab);
        plain_open_ = peek() == '\n';
        if (peek() == '#') skip_line();
    }

    void single_quoted() {
        const std::size_t open = at_++;
        for (; at_ < end_; ++at_) {
            newline();
            if (text_[at_] != '\'') continue;
            if (peek(1) != '\'') return close_quote(open);
            ++at_;
        }
        open_quote_ = open;
    }

    void double_quoted() {
        const std::size_t open = at_++;
        for (; at_ < end_; ++at_) {
            newline();
            if (text_[at_] == '"') return close_quote(open);
            if (text_[at_] != '\\') continue;
            if (const auto unit = utf16_escape(at_); unit >= 0xd800 && unit < 0xe000) {
                surrogate(unit);
            } else if (peek(1) != '\n') {
                ++at_;
            }
        }
        open_quote_ = open;
    }

    // yaml-cpp drops empty lines before the closing quote.
    void close_quote(std::size_t open) {
        std::size_t feeds = 0;
        std::size_t before = at_;
        while (before > open + 1 && (is_blank(text_[before - 1]) || text_[before - 1] == '\r' || text_[before - 1] == '\n')) {
            feeds += text_[--before] == '\n' ? 1 : 0;
        }
        if (feeds > 1)
            problems_.add(Errc::invalid_yaml, places_.at(at_), "an empty line before the closing quote; write \\n in double quotes");
        ++at_;
    }

    void newline() {
        if (text_[at_] == '\n') line_start_ = at_ + 1;
    }

    // The code unit of `\uXXXX`, 0 if there is none.
    unsigned utf16_escape(std::size_t at) const {
        if (at + 6 > end_ || text_[at] != '\\' || text_[at + 1] != 'u') return 0;
        unsigned unit = 0;
        const char* const first = text_.data() + at + 2;
        const auto [last, error] = std::from_chars(first, first + 4, unit, 16);
        return error == std::errc() && last == first + 4 ? unit : 0;
    }

    // JSON writes U+1F600 as \ud83d\ude00, which yaml-cpp refuses.
    void surrogate(unsigned high) {
        const unsigned low = utf16_escape(at_ + 6);
        if (high < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            edits_.push_back({at_, 12, fmt::format("\\U{:08X}", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))});
            at_ += 11;
        } else {
            problems_.add(Errc::invalid_utf8, places_.at(at_), fmt::format("\\u{:04x} is half of a surrogate pair", high));
            edits_.push_back({at_, 6, "\\uFFFD"});
            at_ += 5;
        }
    }

    void block_scalar() {
        if (peek() == '>' && text_.substr(at_ + 1, 2).find('+') != std::string::npos) {
            problems_.add(Errc::invalid_yaml, places_.at(at_),
                          "readers of YAML disagree about the line feeds at the end of \">+\"; use \"|+\" or \">\"");
        }
        const int parent = parent_column_ < column() ? parent_column_ : -1;
        int needed = -1;  // columns of indentation; -1: the first line that is not empty decides
        for (++at_; at_ < end_ && (is_digit(text_[at_]) || text_[at_] == '+' || text_[at_] == '-'); ++at_) {
            if (is_digit(text_[at_])) needed = std::max(parent, 0) + (text_[at_] - '0');
        }
        skip_line();
        while (at_ < end_) {
            const std::size_t start = at_ + 1;  // at_ is at the line feed
            std::size_t first = start;
            while (first < end_ && text_[first] == ' ') ++first;
            const int indent = static_cast<int>(first - start);
            const bool empty = first >= end_ || text_[first] == '\n' || text_[first] == '\r';
            if (!empty) {
                if (needed < 0 && indent > std::max(parent, 0)) needed = indent;
                if (needed < 0 || indent < needed) return;
            }
            at_ = first;
            while (at_ < end_ && text_[at_] != '\n') ++at_;
        }
    }

    std::string& text_;
    std::size_t end_;
    std::size_t at_;
    const Limits& limits_;
    const Places& places_;
    Problems& problems_;

    std::size_t line_start_ = 0;
    std::vector<std::size_t> open_flows_;  // offsets of the brackets
    std::size_t flow_items_ = 0;
    int parent_column_ = -1;   // of the innermost `-`, `?` or key: its content stands further right
    int node_column_ = -1;     // where the node at hand started, in case it turns out to be a key
    bool plain_open_ = false;  // a plain scalar may go on in the next line
    bool readable_ = true;
    std::optional<std::size_t> open_quote_;
    std::vector<Edit> edits_;
};

// --- plain scalars ----------------------------------------------------------------------------------------------------

bool equals_any(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

std::string lower(std::string_view text) {
    std::string low(text);
    for (char& c : low) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return low;
}

std::string_view without_sign(std::string_view text) {
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
    return text;
}

bool is_null_word(std::string_view text) { return equals_any(text, {"", "~", "null", "Null", "NULL"}); }

struct Digits {
    std::size_t whole = 0;
    std::size_t fraction = 0;
    bool point = false;
    bool exponent = false;
};

// digits[.digits][e[sign]digits], the shape of the core schema's decimal numbers.
std::optional<Digits> decimal_shape(std::string_view text) {
    Digits shape;
    std::size_t at = 0;
    const auto run = [&] {
        const std::size_t first = at;
        while (at < text.size() && is_digit(text[at])) ++at;
        return at - first;
    };
    shape.whole = run();
    if (at < text.size() && text[at] == '.') {
        shape.point = true;
        ++at;
        shape.fraction = run();
    }
    if (shape.whole + shape.fraction == 0) return std::nullopt;
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        shape.exponent = true;
        ++at;
        if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
        if (run() == 0) return std::nullopt;
    }
    if (at != text.size()) return std::nullopt;
    return shape;
}

// YAML 1.1's base 60: 1:30, -12:00:00, 01:30.5 (but 01:30 is a string there too).
bool is_sexagesimal(std::string_view text) {
    text = without_sign(text);
    const bool leading_zero = !text.empty() && text[0] == '0';
    std::size_t groups = 0;
    for (;;) {
        std::size_t length = 0;
        while (length < text.size() && is_digit(text[length])) ++length;
        if (length == 0 || (groups > 0 && (length > 2 || (length == 2 && text[0] > '5')))) return false;
        ++groups;
        text.remove_prefix(length);
        if (text.empty() || text[0] != ':') break;
        text.remove_prefix(1);
    }
    if (groups < 2 || (leading_zero && text.empty())) return false;
    if (!text.empty() && text[0] == '.') text.remove_prefix(1);
    return std::all_of(text.begin(), text.end(), is_digit);
}

struct Scalar {
    Node::Kind kind = Node::Kind::string;
    std::int64_t integer = 0;
    std::string_view problem;  // what is wrong with it, empty if all readers agree
    std::string_view instead;  // what to do about it
};

// Base 8, 10 or 16 with a sign; false if it does not fit.
bool read_integer(std::string_view text, int base, std::int64_t& value) {
    const bool negative = !text.empty() && text[0] == '-';
    std::string digits = negative ? "-" : "";
    digits += without_sign(text).substr(base == 10 ? 0 : 2);
    const auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    return error == std::errc() && last == digits.data() + digits.size();
}

// By the core schema of YAML 1.2, with a problem where YAML 1.1 or Kubernetes' reader would see something else.
Scalar classify(std::string_view text) {
    const auto ambiguous = [](Node::Kind kind, std::int64_t integer, std::string_view instead) {
        return Scalar{kind, integer, "means different things to different YAML readers", instead};
    };
    const auto plain = [](Node::Kind kind, std::int64_t integer = 0) { return Scalar{kind, integer, {}, {}}; };
    if (is_null_word(text)) return plain(Node::Kind::null);
    if (text.size() > 400) return {};  // no number is that long, and Kubernetes would refuse it
    if (equals_any(text, {"true", "True", "TRUE"})) return plain(Node::Kind::boolean, 1);
    if (equals_any(text, {"false", "False", "FALSE"})) return plain(Node::Kind::boolean, 0);
    if (text.size() <= 3) {
        const std::string low = lower(text);
        if (equals_any(low, {"y", "yes", "on"})) return ambiguous(Node::Kind::boolean, 1, "quote it, or write true");
        if (equals_any(low, {"n", "no", "off"})) return ambiguous(Node::Kind::boolean, 0, "quote it, or write false");
    }
    const std::string_view bare = without_sign(text);
    if (bare.empty() || !(is_digit(bare[0]) || bare[0] == '.')) return {};
    if (equals_any(bare, {".inf", ".Inf", ".INF"}) || equals_any(text, {".nan", ".NaN", ".NAN"})) {
        return {Node::Kind::string, 0, "is a number that JSON, and so Kubernetes, cannot hold", "quote it if it is text"};
    }
    constexpr std::string_view kQuote = "quote it if it is text, or write a decimal number";
    if (bare.size() > 2 && bare[0] == '0' &&
        (bare[1] == 'x' || bare[1] == 'o' || bare[1] == 'X' || bare[1] == 'O' || bare[1] == 'b' || bare[1] == 'B')) {
        const bool hex = bare[1] == 'x';
        const bool octal = bare[1] == 'o';
        const std::string_view digits = bare.substr(2);
        const bool good = hex ? std::all_of(digits.begin(), digits.end(), is_hex)
                              : std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '7'; });
        if ((hex || octal) && good) {
            Scalar scalar = plain(Node::Kind::integer);
            if (bare.size() != text.size() || !read_integer(text, hex ? 16 : 8, scalar.integer))
                return ambiguous(Node::Kind::string, 0, kQuote);
            return scalar;
        }
        const char base = lower(bare.substr(1, 1))[0];
        const bool number_to_others = std::all_of(digits.begin(), digits.end(), [base](char c) {
            return c == '_' || (base == 'x' ? is_hex(c) : c >= '0' && c <= (base == 'b' ? '1' : '7'));
        });
        return number_to_others ? ambiguous(Node::Kind::string, 0, kQuote) : Scalar{};
    }
    if (text.find('_') != std::string_view::npos) {
        std::string dense(bare);
        std::erase(dense, '_');
        return decimal_shape(dense) ? ambiguous(Node::Kind::string, 0, kQuote) : Scalar{};
    }
    if (is_sexagesimal(text)) return ambiguous(Node::Kind::string, 0, "quote it");
    const std::optional<Digits> shape = decimal_shape(bare);
    if (!shape) return {};
    if (shape->whole > 1 && bare[0] == '0') {
        return ambiguous(shape->point || shape->exponent ? Node::Kind::number : Node::Kind::integer, 0,
                         "quote it if it is text, write 0o for octal, or leave out the leading zero");
    }
    Scalar scalar = plain(shape->point || shape->exponent ? Node::Kind::number : Node::Kind::integer);
    double rounded = 0;
    const bool fits = scalar.kind == Node::Kind::integer
                          ? read_integer(text, 10, scalar.integer)
                          : std::from_chars(bare.data(), bare.data() + bare.size(), rounded).ec == std::errc();
    if (!fits) return {Node::Kind::number, 0, "is a number that does not fit into 64 bits", "quote it if it is text"};
    return scalar;
}

// --- what yaml-cpp is given -------------------------------------------------------------------------------------------

// Applies the edits to [begin, end) of the file, and turns a position in the result into an offset in the file.
class Offsets {
public:
    Offsets(std::string_view text, std::size_t begin, std::size_t end, const std::vector<Layout::Edit>& edits) : begin_(begin) {
        if (edits.empty()) {
            given_ = text.substr(begin, end - begin);
            return;
        }
        std::size_t from = begin;
        for (const Layout::Edit& edit : edits) {
            edited_.append(text, from, edit.offset - from);
            edited_ += edit.text;
            from = edit.offset + edit.length;
            shifts_.emplace_back(edited_.size(), from - begin - edited_.size());
        }
        edited_.append(text, from, end - from);
        given_ = edited_;
    }
    Offsets(const Offsets&) = delete;
    Offsets& operator=(const Offsets&) = delete;

    std::string_view given() const { return given_; }

    std::size_t original(int position) const {
        const auto at = static_cast<std::size_t>(std::max(position, 0));
        const auto after =
            std::upper_bound(shifts_.begin(), shifts_.end(), at, [](std::size_t value, const auto& shift) { return value < shift.first; });
        return begin_ + at + (after == shifts_.begin() ? 0 : std::prev(after)->second);
    }

private:
    std::size_t begin_;
    std::string edited_;
    std::string_view given_;
    std::vector<std::pair<std::size_t, std::size_t>> shifts_;  // from this position on: that many bytes further in the file
};

// An input stream over text that somebody else holds.
class ViewBuffer final : public std::streambuf {
public:
    explicit ViewBuffer(std::string_view text) {
        char* const first = const_cast<char*>(text.data());  // only read
        setg(first, first, first + text.size());
    }
};

}  // namespace

// --- from events to nodes ---------------------------------------------------------------------------------------------

// Builds the tree of one document from yaml-cpp's events. After a problem it goes on with what is left.
class NodeBuilder final : public YAML::EventHandler {
public:
    // `text` is the whole file; `nodes` counts over all its documents.
    NodeBuilder(std::string_view text, const Offsets& offsets, const Limits& limits, const Places& places, Problems& problems,
                std::size_t& nodes)
        : text_(text), offsets_(offsets), limits_(limits), places_(places), problems_(problems), nodes_(nodes) {}

    // Thrown through yaml-cpp to stop it; caught in this file.
    struct Stop {};

    Node take_root() && { return std::move(root_); }

    bool too_deep() const { return too_deep_; }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++starts_ < 2) return;
        problem(Errc::invalid_yaml, mark, "a second value in the same document; check the indentation, or separate documents with ---");
        throw Stop{};
    }
    void OnDocumentEnd() override {}

    void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
        problem(Errc::invalid_yaml, mark,
                fmt::format("anchors are not accepted; write the value out where it is used (&{})", name.substr(0, 60)));
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        problem(Errc::invalid_yaml, mark, "aliases are not accepted; write the value out");
        count(mark);
        if (skipped_ > 0) return;
        if (in_key()) return drop_key(mark);
        Node node;
        node.position_ = places_.at(offset_of(mark));
        add(std::move(node));
    }

    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
        const std::size_t offset = offset_of(mark);
        const bool written = null_is_written(offset);
        if (!frames_.empty() && skipped_ == 0) {
            const Frame& frame = frames_.back();
            if (!written && frame.flow && frame.node.kind_ == Node::Kind::sequence) {
                problem(Errc::invalid_yaml, mark, "an empty item; remove the comma, or write null");
            }
            // yaml-cpp lets a word without a colon pass at the end of a document, with the mark of its key.
            if (!frame.flow && frame.node.kind_ == Node::Kind::mapping && !frame.key_next && frame.key_offset == offset) {
                problem(Errc::invalid_yaml, mark, "a colon is missing after the key");
            }
        }
        if (written) check_indentation(mark);
        if (offset < text_.size() && text_[offset] == '!') check_tag(mark, "!", true);  // yaml-cpp forgets a tag at the very end
        add_scalar(mark, {}, {Node::Kind::null, 0, {}, {}}, written);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
        const bool tagged = check_tag(mark, tag, true);
        check_indentation(mark);
        if (tagged || tag == "!") {
            add_scalar(mark, value, {});
        } else {
            add_scalar(mark, value, classify(value));
        }
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value style) override {
        start(mark, tag, Node::Kind::sequence, style);
    }
    void OnSequenceEnd() override { end(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value style) override {
        start(mark, tag, Node::Kind::mapping, style);
    }
    void OnMapEnd() override { end(); }

private:
    struct Frame {
        Node node;
        bool flow = false;
        int line = 0;  // where it started, in yaml-cpp's count
        int column = 0;
        bool key_next = false;    // of a mapping: the next node is a key
        bool drop_value = false;  // the key was not usable
        std::string key;
        Position key_position;
        std::size_t key_offset = std::string_view::npos;
        std::map<std::string, int> lines;  // of the keys, once there are many
    };

    std::size_t offset_of(const YAML::Mark& mark) const { return offsets_.original(mark.pos); }

    void problem(Errc code, const YAML::Mark& mark, std::string message) {
        problems_.add(code, places_.at(offset_of(mark)), std::move(message));
    }

    bool in_key() const { return !frames_.empty() && frames_.back().key_next; }

    // A node without text has the mark of whatever follows it.
    bool null_is_written(std::size_t offset) const {
        const std::string_view rest = offset < text_.size() ? text_.substr(offset) : std::string_view{};
        if (rest.empty()) return false;
        if (rest[0] == '~') return true;
        if (!equals_any(rest.substr(0, 4), {"null", "Null", "NULL"})) return false;
        const std::size_t after = rest.find_first_not_of(" \t", 4);
        return after == std::string_view::npos || rest[after] != ':';
    }

    // yaml-cpp takes `key:` and `value` below it, at the same indentation.
    void check_indentation(const YAML::Mark& mark) {
        if (frames_.empty() || skipped_ > 0) return;
        const Frame& frame = frames_.back();
        if (frame.flow || frame.node.kind_ != Node::Kind::mapping || mark.line == frame.line) return;
        if (mark.column > frame.column || frame.key_next) return;
        problem(Errc::invalid_yaml, mark, "a value must be indented more than its key");
    }

    // True if the file gives a tag. Without one yaml-cpp says "?", and "!" for a quoted scalar, as for an explicit "!".
    bool check_tag(const YAML::Mark& mark, const std::string& tag, bool scalar) {
        const std::size_t offset = offset_of(mark);
        const bool silent = tag.empty() || tag == "?" || (tag == "!" && scalar && !(offset < text_.size() && text_[offset] == '!'));
        if (!silent) problem(Errc::invalid_yaml, mark, "tags are not accepted; remove the tag, and quote the value if it is text");
        return !silent;
    }

    void count(const YAML::Mark& mark) {
        if (++nodes_ <= limits_.yaml_nodes_max) return;
        problem(Errc::too_many_nodes, mark,
                fmt::format("more than {} values in one file; the rest of the file was not read", limits_.yaml_nodes_max));
        throw Stop{};
    }

    void add_scalar(const YAML::Mark& mark, std::string_view value, const Scalar& scalar, bool written = true) {
        count(mark);
        if (skipped_ > 0) return;
        const std::size_t offset = offset_of(mark);
        const Position position = places_.at(offset);
        check_text(position, value);
        if (in_key()) return add_key(offset, value, scalar);
        if (!scalar.problem.empty())
            problems_.add(Errc::invalid_yaml, position, fmt::format("{} {}; {}", quoted(value), scalar.problem, scalar.instead));
        Node node;
        node.kind_ = scalar.kind;
        node.integer_ = scalar.integer;
        if (scalar.kind != Node::Kind::null) node.text_ = value;
        node.position_ =
            written || frames_.empty() || frames_.back().node.kind_ != Node::Kind::mapping ? position : frames_.back().key_position;
        add(std::move(node));
    }

    // What escapes in double quotes can still bring in.
    void check_text(Position position, std::string_view value) {
        if (value.find('\0') != std::string_view::npos) {
            problems_.add(Errc::invalid_yaml, position, "the value contains a NUL character; remove it");
        } else if (!is_utf8(value)) {
            problems_.add(Errc::invalid_utf8, position, "\\N and \\_ are not accepted; write \\u0085 and \\u00a0");
        }
    }

    void drop_key(const YAML::Mark& mark) {
        frames_.back().key_position = places_.at(offset_of(mark));
        frames_.back().key_next = false;
        frames_.back().drop_value = true;
    }

    void add_key(std::size_t offset, std::string_view value, const Scalar& scalar) {
        const Position position = places_.at(offset);
        Frame& frame = frames_.back();
        frame.key = value;
        frame.key_position = position;
        frame.key_offset = offset;
        frame.key_next = false;
        frame.drop_value = true;
        const bool plain_integer =
            scalar.kind == Node::Kind::integer && scalar.problem.empty() && fmt::format("{}", scalar.integer) == value;
        if (scalar.kind == Node::Kind::null) {
            problems_.add(Errc::invalid_yaml, position, "a key is missing, or is null; write it, in quotes if it is the word");
        } else if (!scalar.problem.empty()) {
            problems_.add(Errc::invalid_yaml, position, fmt::format("key {} {}; quote it", quoted(value), scalar.problem));
        } else if (scalar.kind != Node::Kind::string && !plain_integer) {
            problems_.add(Errc::invalid_yaml, position,
                          fmt::format("key {} is {}; keys are strings, so quote it", quoted(value), describe(scalar.kind)));
        } else if (value == "<<" && text_.substr(offset, 2) == "<<") {
            problems_.add(Errc::invalid_yaml, position, "merge keys are not accepted; write the fields out");
        } else if (const int first = earlier_line(frame, value); first > 0) {
            problems_.add(Errc::duplicate_key, position,
                          fmt::format("key {} stands twice in this mapping, first in line {}; remove one", quoted(value), first));
        } else {
            frame.drop_value = false;
        }
    }

    // The line in which the mapping has that key already; 0 if it has not.
    static int earlier_line(Frame& frame, std::string_view key) {
        constexpr std::size_t kFew = 16;
        const std::vector<Entry>& entries = frame.node.entries_;
        if (entries.size() < kFew) {
            const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
            return found == entries.end() ? 0 : found->key_position.line;
        }
        if (frame.lines.empty()) {
            for (const Entry& entry : entries) frame.lines.emplace(entry.key, entry.key_position.line);
        }
        const auto [known, inserted] = frame.lines.emplace(key, frame.key_position.line);
        return inserted ? 0 : known->second;
    }

    void start(const YAML::Mark& mark, const std::string& tag, Node::Kind kind, YAML::EmitterStyle::value style) {
        count(mark);
        if (skipped_ > 0) {
            ++skipped_;
            return;
        }
        check_tag(mark, tag, false);
        if (style == YAML::EmitterStyle::Flow) check_indentation(mark);
        if (in_key()) {
            problem(Errc::invalid_yaml, mark, fmt::format("a key is {}; keys are strings", describe(kind)));
            drop_key(mark);
            skipping_key_ = true;
            skipped_ = 1;
            return;
        }
        if (frames_.size() >= limits_.yaml_depth_max) {
            too_deep_ = true;
            problem(Errc::too_deep, mark,
                    fmt::format("more than {} levels of nesting; what is deeper was not read", limits_.yaml_depth_max));
            skipping_key_ = false;
            skipped_ = 1;
            return;
        }
        Frame frame;
        frame.node.kind_ = kind;
        frame.node.position_ = places_.at(offset_of(mark));
        frame.key_next = kind == Node::Kind::mapping;
        frame.flow = style == YAML::EmitterStyle::Flow;
        frame.line = mark.line;
        frame.column = mark.column;
        frames_.push_back(std::move(frame));
    }

    void end() {
        if (skipped_ > 0) {
            if (--skipped_ == 0 && !skipping_key_) add(Node{});
            return;
        }
        Node node = std::move(frames_.back().node);
        frames_.pop_back();
        add(std::move(node));
    }

    void add(Node node) {
        if (frames_.empty()) {
            root_ = std::move(node);
            return;
        }
        Frame& frame = frames_.back();
        if (frame.node.kind_ == Node::Kind::sequence) {
            frame.node.items_.push_back(std::move(node));
            return;
        }
        if (!frame.drop_value) frame.node.entries_.push_back({std::move(frame.key), frame.key_position, std::move(node)});
        frame.key_next = true;
    }

    std::string_view text_;
    const Offsets& offsets_;
    const Limits& limits_;
    const Places& places_;
    Problems& problems_;
    std::size_t& nodes_;  // of the file so far

    Node root_;
    std::vector<Frame> frames_;
    std::size_t skipped_ = 0;  // open collections below the one that is skipped, itself included
    bool skipping_key_ = false;
    int starts_ = 0;
    bool too_deep_ = false;
};

namespace {

// --- from a file to documents -----------------------------------------------------------------------------------------

// What to do about an error of yaml-cpp; its own words are about tokens.
std::string explain(const YAML::Exception& error) {
    namespace Msg = YAML::ErrorMsg;
    const std::string_view said = error.msg;
    if (said == Msg::MAP_VALUE || said == Msg::MAP_KEY)
        return "a key is not possible here; check the indentation, and quote text that contains \": \"";
    if (said == Msg::BLOCK_ENTRY) return "a list item is not possible here; check the indentation, and quote text that starts with \"- \"";
    if (said == Msg::END_OF_MAP) return "the mapping is broken off here; check the indentation and the quotes";
    if (said == Msg::END_OF_SEQ) return "the list is broken off here; check the indentation and the quotes";
    if (said == Msg::END_OF_MAP_FLOW) return "a comma or \"}\" is missing";
    if (said == Msg::END_OF_SEQ_FLOW) return "a comma or \"]\" is missing";
    if (said == Msg::FLOW_END) return "this bracket closes nothing that is open";
    if (said == Msg::EOF_IN_SCALAR) return "the quoted text has no end; add the closing quote";
    if (said == Msg::DOC_IN_SCALAR) return "the quoted text runs into the end of the document; add the closing quote";
    if (said == Msg::TAB_IN_INDENTATION) return "a tab in the indentation; use spaces";
    if (said == Msg::UNKNOWN_TOKEN) return "this character cannot start a value; quote the text";
    if (said == Msg::UNKNOWN_ANCHOR) return "aliases are not accepted; write the value out, or quote text that starts with \"*\"";
    if (said == Msg::ALIAS_NOT_FOUND) return "quote text that starts with \"*\"";
    if (said == Msg::ANCHOR_NOT_FOUND) return "quote text that starts with \"&\"";
    if (said == Msg::CHAR_IN_BLOCK) return "nothing but a comment may follow the \"|\" or \">\" of a block of text";
    if (said.starts_with(Msg::INVALID_ESCAPE))
        return "an escape that YAML does not know; write \"\\\\\" for a backslash, or use single quotes";
    return fmt::format("not YAML ({})", said);
}

class FileReader {
public:
    FileReader(std::string_view text, const Limits& limits) : limits_(limits), places_(text), problems_(limits) {
        text_ = replace_bad_characters(text, places_, problems_);
        // Kubernetes reads a last line without a line feed as if it had one; in a block of text that shows.
        if (!text_.empty() && text_.back() != '\n') text_ += '\n';
    }

    ReadResult read() && {
        std::size_t begin = 0;
        bool ended = false;  // by `...`
        while (begin < text_.size() && !stopped_) {
            const Cut cut = next_cut(begin);
            if (!is_empty(begin, cut.end)) {
                if (ended && !is_marker(begin, "---")) {
                    problems_.add(Errc::invalid_yaml, places_.at(begin),
                                  "Kubernetes does not read what follows \"...\"; start the next document with ---");
                }
                document(begin, cut.end);
            }
            ended = cut.next != cut.end;
            begin = cut.next;
        }
        result_.problems = std::move(problems_).take();
        return std::move(result_);
    }

private:
    struct Cut {
        std::size_t end;
        std::size_t next;
    };

    bool is_marker(std::size_t at, std::string_view marker) const {
        return text_.compare(at, 3, marker) == 0 && (at + 3 == text_.size() || ends_word(text_[at + 3]));
    }

    std::size_t next_line(std::size_t at) const {
        const std::size_t feed = text_.find('\n', at);
        return feed == std::string::npos ? text_.size() : feed + 1;
    }

    // Where the document that starts at `begin` ends: at the next line of `---` or after one of `...`.
    Cut next_cut(std::size_t begin) {
        for (std::size_t at = begin; at < text_.size(); at = next_line(at)) {
            if (at > begin && is_marker(at, "---")) return {at, at};
            if (!is_marker(at, "...")) continue;
            const std::size_t rest = text_.find_first_not_of(" \t", at + 3);
            if (text_[rest] != '\n' && text_[rest] != '\r' && text_[rest] != '#') {
                problems_.add(Errc::invalid_yaml, places_.at(rest), "text after the end of a document; start the next one with ---");
            }
            return {at, next_line(at)};
        }
        return {text_.size(), text_.size()};
    }

    // Nothing but blanks and comments, apart from the `---`.
    bool is_empty(std::size_t begin, std::size_t end) const {
        std::size_t at = begin + (is_marker(begin, "---") ? 3 : 0);
        while (at < end) {
            at = std::min(text_.find_first_not_of(" \t\r\n", at), end);
            if (at < end && text_[at] != '#') return false;
            if (at < end) at = next_line(at);
        }
        return true;
    }

    void document(std::size_t begin, std::size_t end) {
        if (seen_++ >= limits_.policy_documents_max) {
            problems_.add(
                Errc::too_large, places_.at(begin),
                fmt::format("more than {} documents in one file; the rest of the file was not read", limits_.policy_documents_max));
            stopped_ = true;
            return;
        }
        Layout layout(text_, begin, end, limits_, places_, problems_);
        if (!layout.scan()) {
            ++index_;
            return;
        }
        const Offsets offsets(text_, begin, end, layout.edits());
        NodeBuilder builder(text_, offsets, limits_, places_, problems_, nodes_);
        if (!parse(offsets, layout, builder)) {
            ++index_;
            return;
        }
        Node root = std::move(builder).take_root();
        if (root.kind() != Node::Kind::null) result_.documents.push_back({std::move(root), index_++});
    }

    // False if there is no tree.
    bool parse(const Offsets& offsets, const Layout& layout, NodeBuilder& builder) {
        try {
            ViewBuffer buffer(offsets.given());
            std::istream stream(&buffer);
            YAML::Parser parser(stream);
            while (parser.HandleNextDocument(builder)) {
            }
            if (!layout.open_quote()) return true;
            unclosed_quote(*layout.open_quote());  // yaml-cpp 0.7 lets it pass when the last line is complete
        } catch (const NodeBuilder::Stop&) {
            stopped_ = nodes_ > limits_.yaml_nodes_max;
            return !stopped_;
        } catch (const YAML::Exception& error) {
            const bool deep = std::string_view(error.msg) == YAML::ErrorMsg::BAD_FILE;  // yaml-cpp's own bound
            if (deep && builder.too_deep()) return false;
            if (layout.open_quote() && !deep) {
                unclosed_quote(*layout.open_quote());
                return false;
            }
            problems_.add(deep ? Errc::too_deep : Errc::invalid_yaml, places_.at(offsets.original(error.mark.pos)),
                          (deep ? std::string("the nesting is too deep") : explain(error)).append(kNotRead));
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception& error) {
            problems_.add(Errc::invalid_yaml, places_.at(offsets.original(0)),
                          fmt::format("yaml-cpp failed ({}); this document was not read", error.what()));
        }
        return false;
    }

    void unclosed_quote(std::size_t offset) {
        problems_.add(Errc::invalid_yaml, places_.at(offset), fmt::format("the quoted text has no end; add the closing quote{}", kNotRead));
    }

    static constexpr std::string_view kNotRead = "; the rest of this document was not read";

    const Limits& limits_;
    Places places_;
    Problems problems_;
    std::string text_;
    ReadResult result_;
    std::size_t nodes_ = 0;
    std::size_t seen_ = 0;
    int index_ = 0;
    bool stopped_ = false;
};

// --- JSON -------------------------------------------------------------------------------------------------------------

void append_escape(std::string& out, unsigned code) { fmt::format_to(std::back_inserter(out), "\\u{:04x}", code); }

// Escapes, beyond what JSON wants, what this reader refuses when it is written out: delete, C1 controls, byte order marks.
void append_string(std::string& out, std::string_view text) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
    out += '"';
    for (std::size_t at = 0; at < text.size(); ++at) {
        const unsigned code = byte(at);
        if (code == '"' || code == '\\') {
            out += '\\';
            out += text[at];
        } else if (code == '\n') {
            out += "\\n";
        } else if (code == '\t') {
            out += "\\t";
        } else if (code < 0x20 || code == 0x7f) {
            append_escape(out, code);
        } else if (code == 0xc2 && byte(at + 1) < 0xa0) {
            append_escape(out, byte(++at));
        } else if (text.substr(at, 3) == "\xef\xbb\xbf") {
            append_escape(out, 0xfeff);
            at += 2;
        } else {
            out += text[at];
        }
    }
    out += '"';
}

// JSON wants a digit on both sides of the point, no plus sign and no leading zeros.
void append_number(std::string& out, std::string_view text) {
    if (text[0] == '-') out += '-';
    text = without_sign(text);
    while (text.size() > 1 && text[0] == '0' && is_digit(text[1])) text.remove_prefix(1);
    if (text[0] == '.') out += '0';
    const std::size_t point = text.find('.');
    if (point == std::string_view::npos || (point + 1 < text.size() && is_digit(text[point + 1]))) {
        out += text;
    } else {
        out.append(text.substr(0, point + 1)).append("0").append(text.substr(point + 1));
    }
}

void append_json(std::string& out, const Node& node) {
    switch (node.kind()) {
        case Node::Kind::null: out += "null"; break;
        case Node::Kind::boolean: out += node.as_bool() ? "true" : "false"; break;
        case Node::Kind::integer: out += std::to_string(node.as_integer()); break;
        case Node::Kind::number: append_number(out, node.text()); break;
        case Node::Kind::string: append_string(out, node.text()); break;
        case Node::Kind::sequence: {
            out += '[';
            for (const Node& item : node.items()) {
                if (&item != &node.items().front()) out += ',';
                append_json(out, item);
            }
            out += ']';
            break;
        }
        case Node::Kind::mapping: {
            out += '{';
            for (const Entry& entry : node.entries()) {
                if (&entry != &node.entries().front()) out += ',';
                append_string(out, entry.key);
                out += ':';
                append_json(out, entry.value);
            }
            out += '}';
            break;
        }
    }
}

}  // namespace

double Node::as_number() const {
    if (kind_ == Kind::integer) return static_cast<double>(integer_);
    if (kind_ != Kind::number) return 0;
    const std::string_view digits = text_.starts_with('+') ? std::string_view(text_).substr(1) : std::string_view(text_);
    double value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

const Node* Node::find(std::string_view key) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
    return found == entries_.end() ? nullptr : &found->value;
}

std::string_view describe(Node::Kind kind) {
    switch (kind) {
        case Node::Kind::null: return "null";
        case Node::Kind::boolean: return "a boolean";
        case Node::Kind::integer: return "an integer";
        case Node::Kind::number: return "a number";
        case Node::Kind::string: return "a string";
        case Node::Kind::sequence: return "a list";
        case Node::Kind::mapping: return "a mapping";
    }
    return "nothing";
}

ReadResult read_manifests(std::string_view text, const Limits& limits) {
    if (text.size() > limits.policy_file_bytes_max) {
        ReadResult result;
        result.problems.push_back(
            {Errc::too_large,
             {1, 1},
             fmt::format("the file has {} bytes, at most {} are read; split it", text.size(), limits.policy_file_bytes_max)});
        return result;
    }
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    return FileReader(text, limits).read();
}

std::string to_json(const Node& node) {
    std::string out;
    append_json(out, node);
    return out;
}

}  // namespace fluxgate::kube
