#include "kube/manifest_object.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <yaml.h>

#include "kube/path.hpp"

namespace fluxgate::kube {

namespace {

// --- plain scalars ----------------------------------------------------------------------------------------------------

// What go-yaml makes of a scalar without quotes and tag.
struct Resolved {
    enum class Kind : std::uint8_t { string, null, boolean, integer, real } kind = Kind::string;
    std::string text{};     // of a boolean or finite number, as JSON writes it
    double value = 0;       // of a real number; may be infinite or none
    bool only_old = false;  // a boolean in YAML 1.1, so to kubectl; text in YAML 1.2, so to kustomize and Flux
};

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

// [-+]? ( .digits | digits [. digits*] ) ( [eE] [-+]? digits )?
bool looks_like_float(std::string_view text) {
    const auto digits = [&] {
        std::size_t count = 0;
        for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) ++count;
        return count;
    };
    const auto skip_sign = [&] {
        if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
    };
    skip_sign();
    const std::size_t whole = digits();
    if (!text.empty() && text.front() == '.') {
        text.remove_prefix(1);
        if (digits() == 0 && whole == 0) return false;
    } else if (whole == 0) {
        return false;
    }
    if (text.empty()) return true;
    if (text.front() != 'e' && text.front() != 'E') return false;
    text.remove_prefix(1);
    skip_sign();
    return digits() > 0 && text.empty();
}

// As Go's strconv with base 0: 0x10, 0o17, 017, 0b11, 12. And 0b-11, by an oversight of go-yaml.
std::optional<std::string> whole_number(std::string_view text) {
    bool negative = !text.empty() && text.front() == '-';
    const bool with_plus = text.starts_with('+');
    const bool with_sign = negative || with_plus;
    if (with_sign) text.remove_prefix(1);
    int base = 10;
    if (!with_sign && (text.starts_with("0b-") || text.starts_with("0b+"))) {
        negative = text[2] == '-';
        base = 2;
        text.remove_prefix(3);
    }
    if (base == 10 && text.size() > 1 && text.front() == '0') {
        const char mark = static_cast<char>(text[1] | 0x20);
        base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
        text.remove_prefix(base == 8 && mark != 'o' ? 1 : 2);
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (negative && value > std::uint64_t{1} << 63) return std::nullopt;
    if (with_plus && value >= std::uint64_t{1} << 63) return std::nullopt;
    return negative && value > 0 ? "-" + std::to_string(value) : std::to_string(value);
}

Resolved resolve_float(const std::string& text) {
    if (!looks_like_float(text)) return {};
    double value = 0;
    const char* const first = text.data() + (text.front() == '+' ? 1 : 0);
    const auto [end, error] = std::from_chars(first, text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) value = std::strtod(first, nullptr);  // which tells the tiny from the huge
    if (!std::isfinite(value)) return {};
    return {Resolved::Kind::real, fmt::format("{}", value), value};
}

Resolved resolve_number(std::string_view written) {
    std::string plain(written);
    plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
    if (auto whole = whole_number(plain)) return {Resolved::Kind::integer, std::move(*whole)};
    return resolve_float(plain);
}

// What go-yaml asks of underscores behind a point only: a digit on both sides.
bool underscores_separate_digits(std::string_view text) {
    const auto is_digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    for (std::size_t at = text.find('_'); at != std::string_view::npos; at = text.find('_', at + 1)) {
        if (at == 0 || !is_digit(at - 1) || !is_digit(at + 1)) return false;
    }
    return true;
}

// As Go's strconv writes a float32 ('g'): sigs.k8s.io/yaml makes text of keys with that.
std::string text_of_float_key(double value) {
    if (std::isnan(value)) return ".nan";
    const auto narrow = static_cast<float>(value);
    if (std::isinf(narrow)) return value < 0 ? "-.inf" : ".inf";
    std::array<char, 64> digits{};
    const auto write = [&](std::chars_format format) {
        return std::string(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), narrow, format).ptr);
    };
    const std::string scientific = write(std::chars_format::scientific);
    int exponent = 0;
    const char* mark = scientific.data() + scientific.find('e') + 1;
    if (*mark == '+') ++mark;
    std::from_chars(mark, scientific.data() + scientific.size(), exponent);
    constexpr int kExponentsMin = -4;
    constexpr int kExponentsMax = 5;
    return exponent < kExponentsMin || exponent > kExponentsMax ? scientific : write(std::chars_format::fixed);
}

Resolved resolve(std::string_view text) {
    using enum Resolved::Kind;
    if (text.empty()) return {null};
    switch (text.front()) {
        case '~':
        case 'n':
        case 'N':
            if (one_of(text, {"~", "null", "Null", "NULL"})) return {null};
            if (one_of(text, {"n", "N", "no", "No", "NO"})) return {boolean, "false", 0, true};
            return {};
        case 't':
        case 'T':
            if (one_of(text, {"true", "True", "TRUE"})) return {boolean, "true"};
            return {};
        case 'f':
        case 'F':
            if (one_of(text, {"false", "False", "FALSE"})) return {boolean, "false"};
            return {};
        case 'y':
        case 'Y':
            if (one_of(text, {"y", "Y", "yes", "Yes", "YES"})) return {boolean, "true", 0, true};
            return {};
        case 'o':
        case 'O':
            if (one_of(text, {"on", "On", "ON"})) return {boolean, "true", 0, true};
            if (one_of(text, {"off", "Off", "OFF"})) return {boolean, "false", 0, true};
            return {};
        case '.':
        case '+':
        case '-':
            if (one_of(text, {".nan", ".NaN", ".NAN"})) return {real, {}, std::numeric_limits<double>::quiet_NaN()};
            if (one_of(text.substr(text.front() == '.' ? 0 : 1), {".inf", ".Inf", ".INF"}))
                return {real, {}, (text.front() == '-' ? -1 : 1) * std::numeric_limits<double>::infinity()};
            if (text.front() == '.' && !underscores_separate_digits(text)) return {};
            return resolve_number(text);
        default:
            if (text.front() >= '0' && text.front() <= '9') return resolve_number(text);
            return {};
    }
}

// --- JSON ---------------------------------------------------------------------------------------------------------------

void append_utf8(std::string& out, unsigned code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
        return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;  // bytes
    const unsigned first = more == 1 ? 0xc0u : more == 2 ? 0xe0u : 0xf0u;
    out += static_cast<char>(first | (code >> (6 * more)));
    for (int left = more - 1; left >= 0; --left) out += static_cast<char>(0x80u | ((code >> (6 * left)) & 0x3fu));
}

// The four digits of a \u escape at the front of `text`.
std::optional<unsigned> utf16_unit(std::string_view text) {
    unsigned unit = 0;
    if (text.size() < 4) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + 4, unit, 16);
    if (error != std::errc() || end != text.data() + 4) return std::nullopt;
    return unit;
}

bool is_json_number(std::string_view text) {
    const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.starts_with('+') || digits.empty() || !is_digit(digits.front())) return false;
    if (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1])) return false;
    const std::size_t point = digits.find('.');
    return looks_like_float(text) && (point == std::string_view::npos || (point + 1 < digits.size() && is_digit(digits[point + 1])));
}

// Walks over JSON token by token and knows where it is.
class JsonCursor {
public:
    JsonCursor(std::string_view text, int line) : text_(text), position_{line, 1} {}

    // The first character of the next token, or NUL at the end.
    char peek() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool ended() {
        peek();
        return at_ == text_.size();
    }
    bool take(char wanted) {
        if (peek() != wanted || at_ == text_.size()) return false;
        ++at_;
        return true;
    }
    Position position() {
        peek();
        for (; counted_ < at_; ++counted_) {
            if (text_[counted_] == '\n')
                position_ = {position_.line + 1, 1};
            else if ((static_cast<unsigned char>(text_[counted_]) & 0xc0u) != 0x80u)
                ++position_.column;
        }
        return position_;
    }

    // A number, true, false, null; empty if here is none.
    std::string_view take_word() {
        peek();
        const std::size_t end = std::min(text_.find_first_of(" \t\n\r,:]}", at_), text_.size());
        const std::string_view word = text_.substr(at_, end - at_);
        if (!one_of(word, {"true", "false", "null"}) && !is_json_number(word)) return {};
        at_ = end;
        return word;
    }

    // Appends a string; false if here is none. A lone half of a surrogate pair becomes U+FFFD, as in Go.
    bool take_string(std::string& out) {
        if (!take('"')) return false;
        while (at_ < text_.size()) {
            const std::size_t begin = at_;
            while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' && static_cast<unsigned char>(text_[at_]) >= 0x20) ++at_;
            out.append(text_.substr(begin, at_ - begin));
            if (at_ == text_.size()) return false;
            const char c = text_[at_++];
            if (c == '"') return true;
            if (c != '\\' || !take_escape(out)) return false;
        }
        return false;
    }

private:
    bool take_escape(std::string& out) {
        constexpr std::string_view kLetters = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        if (at_ == text_.size()) return false;
        const char letter = text_[at_++];
        if (letter == 'u') return take_unicode(out);
        const std::size_t which = kLetters.find(letter);
        if (which == std::string_view::npos) return false;
        out += kMeanings[which];
        return true;
    }

    bool take_unicode(std::string& out) {
        constexpr unsigned kReplacement = 0xfffd;
        const auto unit = utf16_unit(text_.substr(at_));
        if (!unit) return false;
        at_ += 4;
        if (*unit < 0xd800 || *unit > 0xdfff) {
            append_utf8(out, *unit);
            return true;
        }
        const auto low = *unit < 0xdc00 && text_.substr(at_).starts_with("\\u") ? utf16_unit(text_.substr(at_ + 2)) : std::nullopt;
        if (low && *low >= 0xdc00 && *low <= 0xdfff) {
            append_utf8(out, 0x10000 + ((*unit - 0xd800) << 10) + (*low - 0xdc00));
            at_ += 6;
        } else {
            append_utf8(out, kReplacement);
        }
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t counted_ = 0;  // into position_
    Position position_;
};

bool begins_like_json(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && text[first] == '{';
}

// --- paths --------------------------------------------------------------------------------------------------------------

// One step of a path at the front of `path`: true if `step` is it, and not the beginning of a longer one.
bool begins_with_step(std::string_view path, std::string_view step) {
    return path.starts_with(step) && (path.size() == step.size() || path[step.size()] == '.' || path[step.size()] == '[');
}

}  // namespace

// A document as libyaml gives it, event after event, in memory that is used again for the next. Aliases are references to
// earlier events; they are expanded when JSON is written.
class ManifestReader::Tape {
public:
    explicit Tape(const Limits& limits) : limits_(limits) {}

    std::optional<ReadProblem> read(std::string_view text, int line, const std::function<void(ManifestObject&&)>& f) {
        if (text.size() > limits_.manifest_bytes_max) {
            return ReadProblem{
                Errc::too_large,
                {line, 1},
                fmt::format("a document of {} bytes; at most {} are read: split it with ---", text.size(), limits_.manifest_bytes_max)};
        }
        line_ = line;
        written_nodes_ = written_bytes_ = merged_members_ = 0;
        try {
            if (begins_like_json(text) && read_json(text)) {
                write_objects(f);
                return std::nullopt;
            }
            Parser parser(text);
            for (;;) {
                clear();
                if (!next(parser)) return std::nullopt;
                write_objects(f);
            }
        } catch (const Failure& failure) {
            return failure.problem;
        }
    }

private:
    struct Failure {
        ReadProblem problem;
    };

    class Parser {
    public:
        explicit Parser(std::string_view text) {
            if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
            yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
        }
        ~Parser() { yaml_parser_delete(&parser_); }
        Parser(const Parser&) = delete;
        yaml_parser_t* get() { return &parser_; }

    private:
        yaml_parser_t parser_{};
    };

    class YamlEvent {
    public:
        ~YamlEvent() { yaml_event_delete(&event_); }
        YamlEvent() = default;
        YamlEvent(const YamlEvent&) = delete;
        yaml_event_t* operator->() { return &event_; }
        yaml_event_t* get() { return &event_; }

    private:
        yaml_event_t event_{};
    };

    enum class Type : std::uint8_t { scalar, sequence, mapping, alias };
    // What a scalar is: text, what its text says (plain), or what its tag says.
    enum class Form : std::uint8_t { text, plain, null, boolean, integer, real, merge };
    struct Event {
        Type type = Type::scalar;
        Form form = Form::text;
        Position position{};
        std::uint32_t end = 0;    // the event behind this value and all below it; of an alias: the event it stands for
        std::uint32_t begin = 0;  // of a scalar's text in text_
        std::uint32_t size = 0;
    };

    [[noreturn]] static void refuse(Errc code, Position position, std::string message) {
        throw Failure{{code, position, std::move(message)}};
    }

    Position at(const yaml_mark_t& mark) const { return {line_ + static_cast<int>(mark.line), static_cast<int>(mark.column) + 1}; }

    void clear() {
        events_.clear();
        text_.clear();
        open_.clear();
        anchors_.clear();
    }

    [[noreturn]] void refuse_syntax(const yaml_parser_t& parser) const {
        const std::string problem = parser.problem ? parser.problem : "cannot be read";
        if (parser.error == YAML_READER_ERROR) {
            // libyaml reads ahead: it knows the byte, and the line only if that is the first of its buffer.
            const bool control = problem.find("control") != std::string::npos;
            refuse(control ? Errc::invalid_yaml : Errc::invalid_utf8, at(parser.mark),
                   fmt::format("{} (byte 0x{:02x} at offset {} of the document); save it as UTF-8 text", problem,
                               static_cast<unsigned>(parser.problem_value) & 0xffu, parser.problem_offset));
        }
        std::string context;
        if (parser.context) context = fmt::format("{} that starts in line {}: ", parser.context, at(parser.context_mark).line);
        refuse(Errc::invalid_yaml, at(parser.problem_mark), context + problem);
    }

    // One document onto the tape; false at the end of the text.
    bool next(Parser& parser) {
        for (;;) {
            YamlEvent event;
            if (yaml_parser_parse(parser.get(), event.get()) == 0) refuse_syntax(*parser.get());
            switch (event->type) {
                case YAML_STREAM_END_EVENT: return false;
                case YAML_DOCUMENT_END_EVENT: return true;
                case YAML_SCALAR_EVENT: add_scalar(*event.get()); break;
                case YAML_ALIAS_EVENT: add_alias(*event.get()); break;
                case YAML_SEQUENCE_START_EVENT: open(Type::sequence, event->data.sequence_start.anchor, at(event->start_mark)); break;
                case YAML_MAPPING_START_EVENT: open(Type::mapping, event->data.mapping_start.anchor, at(event->start_mark)); break;
                case YAML_SEQUENCE_END_EVENT:
                case YAML_MAPPING_END_EVENT: close(); break;
                default: break;
            }
        }
    }

    // JSON is read as JSON first, as kubectl does. For YAML a pair of escapes is no character, a key no longer than 1,024 bytes and
    // followed by its colon in the same line, and more characters are control characters. False: this is no JSON.
    bool read_json(std::string_view text) {
        clear();
        if (!simdjson::validate_utf8(text.data(), text.size())) return false;
        JsonCursor cursor(text, line_);
        return add_json(cursor) && cursor.ended();
    }

    bool add_json(JsonCursor& cursor) {
        const char first = cursor.peek();
        if (first == '{' || first == '[') return add_json_collection(cursor, first == '{');
        Event& added = add(Type::scalar, nullptr, cursor.position());
        added.begin = static_cast<std::uint32_t>(text_.size());
        added.form = first == '"' ? Form::text : Form::plain;
        if (first == '"') {
            if (!cursor.take_string(text_)) return false;
        } else {
            const std::string_view word = cursor.take_word();
            if (word.empty()) return false;
            text_.append(word);
        }
        added.size = static_cast<std::uint32_t>(text_.size()) - added.begin;
        return true;
    }

    bool add_json_collection(JsonCursor& cursor, bool is_mapping) {
        open(is_mapping ? Type::mapping : Type::sequence, nullptr, cursor.position());
        cursor.take(is_mapping ? '{' : '[');
        const char end = is_mapping ? '}' : ']';
        for (bool is_first = true; cursor.peek() != end; is_first = false) {
            if (!is_first && !cursor.take(',')) return false;
            if (is_mapping && (cursor.peek() != '"' || !add_json(cursor) || !cursor.take(':'))) return false;
            if (!add_json(cursor)) return false;
        }
        cursor.take(end);
        close();
        return true;
    }

    Event& add(Type type, const yaml_char_t* anchor, Position position) {
        if (events_.size() >= limits_.manifest_nodes_max)
            refuse(Errc::too_many_nodes, position,
                   fmt::format("more than {} values in one document: split it with ---", limits_.manifest_nodes_max));
        const auto index = static_cast<std::uint32_t>(events_.size());
        if (anchor) anchors_[reinterpret_cast<const char*>(anchor)] = index;
        events_.push_back({.type = type, .position = position, .end = index + 1});
        return events_.back();
    }

    void open(Type type, const yaml_char_t* anchor, Position position) {
        if (open_.size() >= limits_.json_depth_max)
            refuse(Errc::too_deep, position, fmt::format("more than {} levels of nesting", limits_.json_depth_max));
        add(type, anchor, position);
        open_.push_back(static_cast<std::uint32_t>(events_.size() - 1));
    }

    void close() {
        events_[open_.back()].end = static_cast<std::uint32_t>(events_.size());
        open_.pop_back();
    }

    static Form form_of(bool is_plain, std::string_view tag) {
        if (tag.empty()) return is_plain ? Form::plain : Form::text;
        constexpr std::string_view kYaml = "tag:yaml.org,2002:";
        if (!tag.starts_with(kYaml)) return Form::text;
        tag.remove_prefix(kYaml.size());
        if (tag == "null") return Form::null;
        if (tag == "bool") return Form::boolean;
        if (tag == "int") return Form::integer;
        if (tag == "float") return Form::real;
        return tag == "merge" ? Form::merge : Form::text;
    }

    void add_scalar(const yaml_event_t& event) {
        const auto& scalar = event.data.scalar;
        const std::string_view tag = scalar.tag ? reinterpret_cast<const char*>(scalar.tag) : "";
        if (tag == "tag:yaml.org,2002:binary")
            refuse(Errc::invalid_yaml, at(event.start_mark), "the tag !!binary has no counterpart in JSON; write a string");
        Event& added = add(Type::scalar, scalar.anchor, at(event.start_mark));
        const bool is_plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
        added.form = form_of(is_plain, tag);
        // With this tag alone a plain scalar is text, except for the merge key.
        if (is_plain && tag == "!" && std::string_view(reinterpret_cast<const char*>(scalar.value), scalar.length) == "<<")
            added.form = Form::merge;
        added.begin = static_cast<std::uint32_t>(text_.size());
        added.size = static_cast<std::uint32_t>(scalar.length);
        text_.append(reinterpret_cast<const char*>(scalar.value), scalar.length);
    }

    void add_alias(const yaml_event_t& event) {
        const char* const name = reinterpret_cast<const char*>(event.data.alias.anchor);
        const auto anchor = anchors_.find(name);
        if (anchor == anchors_.end())
            refuse(Errc::invalid_yaml, at(event.start_mark), fmt::format("the alias *{} has no anchor before it", name));
        const std::uint32_t target = anchor->second;
        if (std::find(open_.begin(), open_.end(), target) != open_.end())
            refuse(Errc::invalid_yaml, at(event.start_mark), fmt::format("the alias *{} stands inside of what it repeats", name));
        add(Type::alias, nullptr, at(event.start_mark)).end = target;
    }

    // --- from the tape to JSON ------------------------------------------------------------------------------------------

    std::string_view text_of(const Event& event) const { return std::string_view(text_).substr(event.begin, event.size); }
    std::uint32_t behind(std::uint32_t index) const { return events_[index].type == Type::alias ? index + 1 : events_[index].end; }
    std::uint32_t target(std::uint32_t index) const { return events_[index].type == Type::alias ? events_[index].end : index; }

    // What the items of a typed list are, where they do not say it themselves (k8s.io/apimachinery unstructured decodeToList).
    struct ItemType {
        std::string api_version;
        std::string kind;
    };
    struct List {
        std::uint32_t items = 0;  // the sequence
        ItemType type;
    };

    // An object with items is a list to kubectl, kustomize and Flux (unstructured IsList), whatever its kind is called.
    std::optional<List> list_at(std::uint32_t index) {
        if (events_[index].type != Type::mapping) return std::nullopt;
        std::optional<std::uint32_t> items;
        ItemType type;
        const auto text_at = [&](std::uint32_t value) {
            const Event& event = events_[target(value)];
            const bool is_text = event.type == Type::scalar && resolved(event).kind == Resolved::Kind::string;
            return is_text ? std::string(text_of(event)) : std::string();
        };
        for (const Member& member : members_of(index, 0)) {
            if (member.key == "apiVersion") type.api_version = text_at(member.value);
            if (member.key == "kind") type.kind = text_at(member.value);
            if (member.key == "items") items = target(member.value);
        }
        if (!items || events_[*items].type != Type::sequence || type.api_version.empty() || type.kind.empty()) return std::nullopt;
        constexpr std::string_view kList = "List";
        const bool typed = type.kind.size() > kList.size() && type.kind.ends_with(kList);
        type.kind.resize(typed ? type.kind.size() - kList.size() : 0);
        return List{*items, std::move(type)};
    }

    void write_objects(const std::function<void(ManifestObject&&)>& f) {
        if (events_.empty()) return;
        const Event& root = events_.front();
        if (root.type == Type::scalar && resolved(root).kind == Resolved::Kind::null) return;
        write_value(0, {}, 0, f);
    }

    // An object, or the items of a list, which may be lists.
    void write_value(std::uint32_t index, const ItemType& type, std::size_t depth, const std::function<void(ManifestObject&&)>& f) {
        const auto list = list_at(target(index));
        if (!list) return f(write_object(index, type));
        if (depth >= kListsMax)
            refuse(Errc::too_deep, events_[index].position, fmt::format("more than {} lists inside of each other", kListsMax));
        for (std::uint32_t i = list->items + 1; i < events_[list->items].end; i = behind(i)) {
            if (++written_nodes_ >= limits_.manifest_nodes_max)
                refuse(Errc::too_many_nodes, events_[i].position, "too many items in one document, aliases expanded");
            write_value(i, list->type, depth + 1, f);
        }
    }

    ManifestObject write_object(std::uint32_t index, const ItemType& type) {
        ManifestObject object;
        object.position = events_[target(index)].position;
        constexpr std::size_t kUsualBytes = 24;  // of a value with its key
        object.json.reserve((events_[target(index)].end - target(index)) * kUsualBytes + kJsonSlack);
        write(index, object, 0);
        if (!type.kind.empty()) say_type(index, type, object);
        object.json.reserve(object.json.size() + kJsonSlack);
        written_nodes_ += object.places.size();
        written_bytes_ += object.json.size();
        return object;
    }

    // Puts apiVersion and kind before the fields of an item that has neither.
    void say_type(std::uint32_t index, const ItemType& type, ManifestObject& object) {
        if (events_[target(index)].type != Type::mapping) return;
        const std::vector<Member> members = members_of(target(index), 0);
        const auto says = [](const Member& member) { return member.key == "kind" || member.key == "apiVersion"; };
        if (std::any_of(members.begin(), members.end(), says)) return;
        std::string fields = "\"apiVersion\":";
        append_quoted(fields, type.api_version);
        fields += ",\"kind\":";
        append_quoted(fields, type.kind);
        if (!members.empty()) fields += ',';
        object.json.insert(1, fields);
        object.places.insert(object.places.begin() + 1, 2, {object.position, 1});
        object.places.front().subtree += 2;
    }

    // Aliases inside of what an alias repeats can multiply and nest without end: bounds on what is written, for an object and for all
    // of a List. As JSON a byte takes six at most.
    void expect_room(const ManifestObject& object, Position position, std::size_t depth) const {
        constexpr std::size_t kEscapedBytes = 6;
        if (written_nodes_ + object.places.size() >= limits_.manifest_nodes_max)
            refuse(Errc::too_many_nodes, position,
                   fmt::format("more than {} values in one document, aliases expanded", limits_.manifest_nodes_max));
        if (written_bytes_ + object.json.size() > kEscapedBytes * limits_.manifest_bytes_max + limits_.body_bytes_max)
            refuse(Errc::too_large, position, "too many bytes in one document, aliases expanded");
        if (object.places.size() >= limits_.json_nodes_max)
            refuse(Errc::too_many_nodes, position,
                   fmt::format("more than {} values in one object, aliases expanded", limits_.json_nodes_max));
        if (object.json.size() > limits_.body_bytes_max)
            refuse(Errc::too_large, position, fmt::format("more than {} bytes in one object, aliases expanded", limits_.body_bytes_max));
        if (depth > limits_.json_depth_max)
            refuse(Errc::too_deep, position, fmt::format("more than {} levels of nesting, aliases expanded", limits_.json_depth_max));
    }

    void write(std::uint32_t index, ManifestObject& object, std::size_t depth, std::optional<Position> key = std::nullopt) {
        index = target(index);
        const Event& event = events_[index];
        expect_room(object, event.position, depth);
        const std::size_t place = object.places.size();
        object.places.push_back({key.value_or(event.position), 1});
        switch (event.type) {
            case Type::scalar: write_scalar(event, object.json); break;
            case Type::sequence: {
                object.json += '[';
                for (std::uint32_t i = index + 1; i < event.end; i = behind(i)) {
                    if (i != index + 1) object.json += ',';
                    write(i, object, depth + 1);
                }
                object.json += ']';
                break;
            }
            case Type::mapping: write_mapping(index, object, depth); break;
            case Type::alias: break;  // target() has seen to that
        }
        object.places[place].subtree = static_cast<std::uint32_t>(object.places.size() - place);
    }

    // What a scalar is; the tag and the text must agree.
    Resolved resolved(const Event& event) const {
        using enum Resolved::Kind;
        if (event.form == Form::text || event.form == Form::merge) return {};
        Resolved value = resolve(text_of(event));
        if (value.only_old && event.form == Form::plain) {
            refuse(Errc::invalid_yaml, event.position,
                   fmt::format("{} is {} to kubectl and text to Flux: write {}, or quote it if it is text", text_of(event), value.text,
                               value.text));
        }
        const auto expect = [&](bool agrees, std::string_view what) {
            if (!agrees) refuse(Errc::invalid_yaml, event.position, fmt::format("{} is no {}, as the tag says", quoted(head(event)), what));
        };
        switch (event.form) {
            case Form::null: expect(value.kind == null, "null"); break;
            case Form::boolean: expect(value.kind == boolean, "boolean"); break;
            case Form::integer: expect(value.kind == integer, "integer"); break;
            case Form::real:
                expect(value.kind == real || (value.kind == integer && fits_int64(value.text)), "floating-point number");
                if (value.kind == integer) value = {real, value.text, std::strtod(value.text.c_str(), nullptr)};
                break;
            default: break;
        }
        return value;
    }

    // The beginning of a scalar, for a message.
    std::string_view head(const Event& event) const { return text_of(event).substr(0, 80); }

    void write_scalar(const Event& event, std::string& json) const {
        const Resolved value = resolved(event);
        switch (value.kind) {
            case Resolved::Kind::null: json += "null"; return;
            case Resolved::Kind::boolean:
            case Resolved::Kind::integer: json += value.text; return;
            case Resolved::Kind::real:
                if (!std::isfinite(value.value))
                    refuse(Errc::invalid_yaml, event.position, fmt::format("{} is no number in JSON; quote it if it is text", head(event)));
                json += value.text;
                return;
            case Resolved::Kind::string: append_quoted(json, text_of(event));
        }
    }

    struct Member {
        std::string key;
        std::uint32_t key_event = 0;
        std::uint32_t value = 0;
    };

    bool is_merge_key(const Event& key) const {
        return key.type == Type::scalar && (key.form == Form::plain || key.form == Form::merge) && text_of(key) == "<<";
    }

    // A key as JSON has it: go-yaml makes text of numbers and booleans. Of the words that are booleans to kubectl only (`y`), Flux makes
    // the key that is written; nothing that is judged hangs on it.
    std::string key_of(std::uint32_t index) const {
        const Event& event = events_[target(index)];
        if (event.type != Type::scalar) refuse(Errc::invalid_yaml, events_[index].position, "a key must be a string");
        const std::string_view text = text_of(event);
        if (event.form == Form::plain && resolve(text).only_old) return std::string(text);
        Resolved value = resolved(event);
        const auto refuse_key = [&] {
            refuse(Errc::invalid_yaml, event.position, fmt::format("{} is no key; quote it", text.empty() ? "nothing" : head(event)));
        };
        switch (value.kind) {
            case Resolved::Kind::null: refuse_key(); break;
            case Resolved::Kind::integer:
                if (!fits_int64(value.text)) refuse_key();
                break;
            case Resolved::Kind::real: return text_of_float_key(value.value);
            case Resolved::Kind::boolean: break;
            case Resolved::Kind::string: return std::string(text);
        }
        return value.text;
    }

    static bool fits_int64(std::string_view digits) {
        std::int64_t value = 0;
        return std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc();
    }

    void write_mapping(std::uint32_t mapping, ManifestObject& object, std::size_t depth) {
        const std::vector<Member> members = members_of(mapping, 0);
        object.json += '{';
        for (const Member& member : members) {
            if (&member != &members.front()) object.json += ',';
            append_quoted(object.json, member.key);
            object.json += ':';
            write(member.value, object, depth + 1, events_[member.key_event].position);
        }
        object.json += '}';
    }

    // In order, merge keys resolved: what is written in the mapping itself wins over what is merged, and earlier over later.
    std::vector<Member> members_of(std::uint32_t mapping, std::size_t merges) {
        const Event& event = events_[mapping];
        if (merges > kMergesMax)
            refuse(Errc::too_deep, event.position, fmt::format("more than {} merge keys inside of each other", kMergesMax));
        std::vector<Member> members;
        std::optional<std::uint32_t> merged;
        for (std::uint32_t i = mapping + 1; i < event.end;) {
            const std::uint32_t value = behind(i);
            if (events_[i].type == Type::alias && is_merge_key(events_[target(i)]))
                refuse(Errc::invalid_yaml, events_[i].position, "an alias of << as a key; write << itself");
            if (is_merge_key(events_[i])) {
                if (merged)
                    refuse(Errc::duplicate_key, events_[i].position, "the key << stands twice; write one with a list: <<: [*a, *b]");
                merged = value;
            } else {
                members.push_back({key_of(i), i, value});
            }
            i = behind(value);
        }
        refuse_duplicates(members);
        if (merged) merge(*merged, members, merges);
        return members;
    }

    void refuse_duplicates(const std::vector<Member>& members) const {
        const auto refuse_second = [&](const Member& second, Position first) {
            refuse(Errc::duplicate_key, events_[second.key_event].position,
                   fmt::format("the key {} stands twice; the first is in line {}", kube::quoted(second.key.substr(0, 80)), first.line));
        };
        constexpr std::size_t kFew = 16;
        if (members.size() <= kFew) {
            for (auto second = members.begin(); second != members.end(); ++second) {
                const auto first = std::find_if(members.begin(), second, [&](const Member& member) { return member.key == second->key; });
                if (first != second) refuse_second(*second, events_[first->key_event].position);
            }
            return;
        }
        std::unordered_map<std::string_view, std::uint32_t> seen;
        for (const Member& member : members) {
            const auto [first, is_new] = seen.emplace(member.key, member.key_event);
            if (!is_new) refuse_second(member, events_[first->second].position);
        }
    }

    // What << stands for: a mapping, or a list written there and then of mappings.
    void merge(std::uint32_t value, std::vector<Member>& members, std::size_t merges) {
        std::unordered_set<std::string> have;
        for (const Member& member : members) have.insert(member.key);
        if (events_[value].type != Type::sequence) return merge_mapping(value, members, have, merges);
        for (std::uint32_t i = value + 1; i < events_[value].end; i = behind(i)) merge_mapping(i, members, have, merges);
    }

    void merge_mapping(std::uint32_t value, std::vector<Member>& members, std::unordered_set<std::string>& have, std::size_t merges) {
        const std::uint32_t from = target(value);
        const Event& event = events_[from];
        if (event.type != Type::mapping) refuse(Errc::invalid_yaml, events_[value].position, "<< merges mappings only");
        if ((merged_members_ += event.end - from) > limits_.json_nodes_max)
            refuse(Errc::too_many_nodes, events_[value].position, "too much is merged by <<");
        for (Member& member : members_of(from, merges + 1)) {
            if (have.insert(member.key).second) members.push_back(std::move(member));
        }
    }

    static constexpr std::size_t kMergesMax = 32;
    static constexpr std::size_t kListsMax = 32;

    Limits limits_;
    int line_ = 1;
    std::vector<Event> events_;
    std::string text_;  // of all scalars
    std::vector<std::uint32_t> open_;
    std::unordered_map<std::string, std::uint32_t> anchors_;
    // Of the document that is read.
    std::size_t written_nodes_ = 0;
    std::size_t written_bytes_ = 0;
    std::size_t merged_members_ = 0;
};

ManifestReader::ManifestReader(const Limits& limits) : tape_(std::make_unique<Tape>(limits)) {}
ManifestReader::~ManifestReader() = default;

std::optional<ReadProblem> ManifestReader::read(std::string_view text, int line, const std::function<void(ManifestObject&&)>& f) {
    return tape_->read(text, line, f);
}

Position ManifestObject::locate(Json object, std::string_view path) const {
    std::size_t at = 0;  // the place of `object`
    if (path == ".") path = {};
    const auto step_into = [&](Json value, std::string_view step, std::size_t child) {
        path.remove_prefix(step.size());
        object = value;
        at = child;
    };
    for (bool found = true; found && !path.empty();) {
        found = false;
        std::size_t child = at + 1;
        std::size_t index = 0;
        const auto consider = [&](Json value, const std::string& step) {
            if (child >= places.size()) return;
            const std::size_t mine = child;
            child += places[child].subtree;
            if (step.empty() || !begins_with_step(path, step)) return;
            found = true;
            step_into(value, step, mine);
        };
        const Json parent = object;
        std::string step;
        // Most members and items are told apart from the step without writing theirs: objects are large, and violations many.
        const bool is_escaped = path.find('\\') != std::string_view::npos;
        parent.each_member([&](std::string_view key, Json value) {
            if (found) return;
            step.clear();
            if (is_escaped || path.substr(path.starts_with('.') ? 1 : std::min<std::size_t>(path.size(), 2)).starts_with(key))
                append_field(step, key);
            consider(value, step);
        });
        const std::string_view key = path.starts_with('[') ? path.substr(1, std::min(path.find('='), path.size()) - 1) : std::string_view{};
        parent.each_item([&](Json value) {
            if (found) return;
            step.clear();
            const auto name = key.empty() ? std::nullopt : value[key].string();
            if (name && (is_escaped || path.substr(std::min(path.size(), key.size() + 3)).starts_with(*name)))
                append_key(step, key, *name);
            else if (!name)
                append_index(step, index);
            ++index;
            consider(value, step);
        });
    }
    return at < places.size() ? places[at].position : position;
}

}  // namespace fluxgate::kube
