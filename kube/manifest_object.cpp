#include "kube/manifest_object.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
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
    enum class Kind : std::uint8_t { string, null, boolean, number, impossible } kind = Kind::string;
    std::string text{};  // of a boolean or number, as JSON writes it
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

// As Go's strconv with base 0: 0x10, 0o17, 017, 0b11, 12.
std::optional<std::string> whole_number(std::string_view text) {
    const bool negative = !text.empty() && text.front() == '-';
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
    int base = 10;
    if (text.size() > 1 && text.front() == '0') {
        const char mark = static_cast<char>(text[1] | 0x20);
        base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
        text.remove_prefix(base == 8 && mark != 'o' ? 1 : 2);
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (negative && value > std::uint64_t{1} << 63) return std::nullopt;
    return negative && value > 0 ? "-" + std::to_string(value) : std::to_string(value);
}

Resolved resolve_number(std::string_view written) {
    std::string plain(written);
    plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
    if (auto whole = whole_number(plain)) return {Resolved::Kind::number, std::move(*whole)};
    if (!looks_like_float(plain)) return {};
    double value = 0;
    const std::string_view digits = std::string_view(plain).substr(plain.front() == '+' ? 1 : 0);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value)) return {};
    return {Resolved::Kind::number, fmt::format("{}", value)};
}

Resolved resolve(std::string_view text) {
    using enum Resolved::Kind;
    if (text.empty()) return {null};
    switch (text.front()) {
        case '~':
        case 'n':
        case 'N':
            if (one_of(text, {"~", "null", "Null", "NULL"})) return {null};
            if (one_of(text, {"n", "N", "no", "No", "NO"})) return {boolean, "false"};
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
            if (one_of(text, {"y", "Y", "yes", "Yes", "YES"})) return {boolean, "true"};
            return {};
        case 'o':
        case 'O':
            if (one_of(text, {"on", "On", "ON"})) return {boolean, "true"};
            if (one_of(text, {"off", "Off", "OFF"})) return {boolean, "false"};
            return {};
        case '.':
        case '+':
        case '-':
            if (one_of(text.substr(text.front() == '.' ? 0 : 1), {".inf", ".Inf", ".INF"}) || one_of(text, {".nan", ".NaN", ".NAN"}))
                return {impossible};
            return resolve_number(text);
        default:
            if (text.front() >= '0' && text.front() <= '9') return resolve_number(text);
            return {};
    }
}

// In YAML an escape is one character; JSON writes those beyond U+FFFF as two escapes. Such pairs become the character itself.
std::string join_surrogate_escapes(std::string_view text) {
    const auto unit_at = [&](std::size_t at) -> unsigned {
        unsigned unit = 0;
        if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
        const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, unit, 16);
        return error == std::errc() && end == text.data() + at + 6 ? unit : 0;
    };
    std::string joined;
    joined.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const unsigned high = unit_at(at);
        const unsigned low = high >= 0xd800 && high < 0xdc00 ? unit_at(at + 6) : 0;
        if (low >= 0xdc00 && low < 0xe000) {
            const unsigned code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            for (const int shift : {18, 12, 6, 0})
                joined += static_cast<char>((shift == 18 ? 0xf0u : 0x80u) | ((code >> shift) & (shift == 18 ? 0x07u : 0x3fu)));
            at += 12;
        } else {
            const std::size_t length = text[at] == '\\' && at + 1 < text.size() ? 2 : 1;  // an escaped backslash starts no escape
            joined.append(text.substr(at, length));
            at += length;
        }
    }
    return joined;
}

bool is_json_with_surrogates(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos || (text[first] != '{' && text[first] != '[')) return false;
    return text.find("\\ud") != std::string_view::npos || text.find("\\uD") != std::string_view::npos;
}

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
        std::string joined;
        if (is_json_with_surrogates(text)) text = joined = join_surrogate_escapes(text);
        Parser parser(text);
        try {
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
    struct Event {
        Type type = Type::scalar;
        bool plain = false;  // a scalar whose text decides what it is
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
                case YAML_SEQUENCE_START_EVENT: open(Type::sequence, event->data.sequence_start.anchor, event->start_mark); break;
                case YAML_MAPPING_START_EVENT: open(Type::mapping, event->data.mapping_start.anchor, event->start_mark); break;
                case YAML_SEQUENCE_END_EVENT:
                case YAML_MAPPING_END_EVENT:
                    events_[open_.back()].end = static_cast<std::uint32_t>(events_.size());
                    open_.pop_back();
                    break;
                default: break;
            }
        }
    }

    Event& add(Type type, const yaml_char_t* anchor, const yaml_mark_t& mark) {
        if (events_.size() >= limits_.manifest_nodes_max)
            refuse(Errc::too_many_nodes, at(mark),
                   fmt::format("more than {} values in one document: split it with ---", limits_.manifest_nodes_max));
        const auto index = static_cast<std::uint32_t>(events_.size());
        if (anchor) anchors_[reinterpret_cast<const char*>(anchor)] = index;
        events_.push_back({.type = type, .position = at(mark), .end = index + 1});
        return events_.back();
    }

    void open(Type type, const yaml_char_t* anchor, const yaml_mark_t& mark) {
        if (open_.size() >= limits_.json_depth_max)
            refuse(Errc::too_deep, at(mark), fmt::format("more than {} levels of nesting", limits_.json_depth_max));
        add(type, anchor, mark);
        open_.push_back(static_cast<std::uint32_t>(events_.size() - 1));
    }

    void add_scalar(const yaml_event_t& event) {
        const auto& scalar = event.data.scalar;
        const std::string_view tag = scalar.tag ? reinterpret_cast<const char*>(scalar.tag) : "";
        if (tag == "tag:yaml.org,2002:binary")
            refuse(Errc::invalid_yaml, at(event.start_mark), "the tag !!binary has no counterpart in JSON; write a string");
        Event& added = add(Type::scalar, scalar.anchor, event.start_mark);
        const bool tagged_plain =
            one_of(tag, {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"});
        added.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE ? tag.empty() || tagged_plain : tagged_plain;
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
        add(Type::alias, nullptr, event.start_mark).end = target;
    }

    // --- from the tape to JSON ------------------------------------------------------------------------------------------

    std::string_view text_of(const Event& event) const { return std::string_view(text_).substr(event.begin, event.size); }
    std::uint32_t behind(std::uint32_t index) const { return events_[index].type == Type::alias ? index + 1 : events_[index].end; }
    std::uint32_t target(std::uint32_t index) const { return events_[index].type == Type::alias ? events_[index].end : index; }

    // The value of a key in a mapping that was written without merge keys; for looking at a List.
    std::optional<std::uint32_t> find(std::uint32_t mapping, std::string_view key) const {
        for (std::uint32_t i = mapping + 1; i < events_[mapping].end;) {
            const std::uint32_t value = behind(i);
            if (events_[i].type == Type::scalar && text_of(events_[i]) == key) return target(value);
            i = behind(value);
        }
        return std::nullopt;
    }

    std::optional<std::uint32_t> items_of_list() const {
        if (events_.front().type != Type::mapping) return std::nullopt;
        const auto kind = find(0, "kind");
        const auto items = find(0, "items");
        if (!kind || !items || events_[*kind].type != Type::scalar || !text_of(events_[*kind]).ends_with("List")) return std::nullopt;
        return events_[*items].type == Type::sequence ? items : std::nullopt;
    }

    void write_objects(const std::function<void(ManifestObject&&)>& f) {
        if (events_.empty()) return;
        if (const auto items = items_of_list()) {
            for (std::uint32_t i = *items + 1; i < events_[*items].end; i = behind(i)) f(write_object(i));
            return;
        }
        const Event& root = events_.front();
        if (root.type == Type::scalar && root.plain && resolve(text_of(root)).kind == Resolved::Kind::null) return;
        f(write_object(0));
    }

    ManifestObject write_object(std::uint32_t index) {
        ManifestObject object;
        object.position = events_[target(index)].position;
        merged_members_ = 0;
        constexpr std::size_t kUsualBytes = 24;  // of a value with its key
        object.json.reserve((events_[target(index)].end - target(index)) * kUsualBytes + kJsonSlack);
        write(index, object, 0);
        object.json.reserve(object.json.size() + kJsonSlack);
        return object;
    }

    // Aliases inside of what an alias repeats can multiply and nest without end: bounds on what is written.
    void expect_room(const ManifestObject& object, Position position, std::size_t depth) const {
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

    void write_scalar(const Event& event, std::string& json) const {
        const std::string_view text = text_of(event);
        const Resolved resolved = event.plain ? resolve(text) : Resolved{};
        switch (resolved.kind) {
            case Resolved::Kind::null: json += "null"; return;
            case Resolved::Kind::boolean:
            case Resolved::Kind::number: json += resolved.text; return;
            case Resolved::Kind::impossible:
                refuse(Errc::invalid_yaml, event.position, fmt::format("{} is no number in JSON; quote it if it is text", text));
            case Resolved::Kind::string: append_quoted(json, text);
        }
    }

    struct Member {
        std::string key;
        std::uint32_t key_event = 0;
        std::uint32_t value = 0;
    };

    static bool is_merge_key(const Event& key, std::string_view text) { return key.plain && text == "<<"; }

    // A key as JSON has it: go-yaml makes text of numbers and booleans.
    std::string key_of(std::uint32_t index) const {
        const Event& event = events_[target(index)];
        if (event.type != Type::scalar) refuse(Errc::invalid_yaml, events_[index].position, "a key must be a string");
        const std::string_view text = text_of(event);
        if (!event.plain) return std::string(text);
        const Resolved resolved = resolve(text);
        if (resolved.kind == Resolved::Kind::null || resolved.kind == Resolved::Kind::impossible)
            refuse(Errc::invalid_yaml, event.position, fmt::format("{} is no key; quote it", text.empty() ? "nothing" : text));
        return resolved.kind == Resolved::Kind::string ? std::string(text) : resolved.text;
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
        std::vector<std::uint32_t> merged;
        for (std::uint32_t i = mapping + 1; i < event.end;) {
            const std::uint32_t value = behind(i);
            if (events_[i].type == Type::scalar && is_merge_key(events_[i], text_of(events_[i])))
                merged.push_back(value);
            else
                members.push_back({key_of(i), i, value});
            i = behind(value);
        }
        refuse_duplicates(members);
        for (const std::uint32_t value : merged) merge(value, members, merges);
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

    void merge(std::uint32_t value, std::vector<Member>& members, std::size_t merges) {
        const std::uint32_t from = target(value);
        const Event& event = events_[from];
        if (event.type == Type::sequence) {
            for (std::uint32_t i = from + 1; i < event.end; i = behind(i)) {
                if (events_[target(i)].type != Type::mapping) refuse(Errc::invalid_yaml, events_[i].position, "<< merges mappings only");
                merge(i, members, merges);
            }
            return;
        }
        if (event.type != Type::mapping) refuse(Errc::invalid_yaml, events_[value].position, "<< merges mappings only");
        if ((merged_members_ += event.end - from) > limits_.json_nodes_max)
            refuse(Errc::too_many_nodes, event.position, "too much is merged by <<");
        std::unordered_set<std::string> have;
        for (const Member& member : members) have.insert(member.key);
        for (Member& member : members_of(from, merges + 1)) {
            if (have.insert(member.key).second) members.push_back(std::move(member));
        }
    }

    static constexpr std::size_t kMergesMax = 32;

    Limits limits_;
    int line_ = 1;
    std::vector<Event> events_;
    std::string text_;  // of all scalars
    std::vector<std::uint32_t> open_;
    std::unordered_map<std::string, std::uint32_t> anchors_;
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
            if (found || !begins_with_step(path, step)) return;
            found = true;
            step_into(value, step, mine);
        };
        const Json parent = object;
        std::string step;
        parent.each_member([&](std::string_view key, Json value) {
            step.clear();
            append_field(step, key);
            consider(value, step);
        });
        const std::string_view key = path.starts_with('[') ? path.substr(1, std::min(path.find('='), path.size()) - 1) : std::string_view{};
        parent.each_item([&](Json value) {
            step.clear();
            const bool by_key = !key.empty() && value[key].is_string();
            if (by_key)
                append_key(step, key, value[key].text());
            else
                append_index(step, index);
            ++index;
            consider(value, step);
        });
    }
    return at < places.size() ? places[at].position : position;
}

}  // namespace fluxgate::kube
