#include "kube/json.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace fluxgate::kube {

namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

static_assert(kJsonSlack >= simdjson::SIMDJSON_PADDING);

// Above this a parser's buffers (about fourteen times the text) are not kept for the next review.
constexpr std::size_t kKeepBytesMax = 1u << 20;

// Finds in a parsed document what simdjson lets pass: too many values, and a key twice in one object. Every review pays
// for this, so it reads simdjson's tape as it lies in memory instead of going through iterators, which took as long as the
// parsing itself. The tape: https://github.com/simdjson/simdjson/blob/master/doc/tape.md
class TapeCheck {
public:
    explicit TapeCheck(const simdjson::dom::document& document)
        : tape_(document.tape.get()), strings_(document.string_buf.get()), end_(payload(tape_[0]) - 1) {}

    // What is wrong, if anything.
    std::optional<Errc> run(std::size_t nodes_max) {
        // No value takes less than a word: only a large tape needs to be counted.
        if (end_ > nodes_max && count_values() > nodes_max) return Errc::too_many_nodes;
        for (std::uint64_t at = kRoot; at < end_;) {
            const std::uint64_t word = tape_[at];
            if (kind_of(word) == '{' && size_of(word) > 1 && !keys_are_distinct(at, size_of(word))) return Errc::duplicate_key;
            at += kWords[word >> 56];
        }
        return std::nullopt;
    }

    // JSON pointer (RFC 6901) of the second of two equal keys.
    std::string where() const {
        std::string pointer;
        for (std::uint64_t container = kRoot; container < twin_;) {
            const bool is_object = kind_of(tape_[container]) == '{';
            std::uint64_t child = container + 1;
            for (std::size_t index = 0;; ++index) {
                const std::uint64_t key = child;
                if (is_object) ++child;
                if (twin_ >= behind(child)) {
                    child = behind(child);
                    continue;
                }
                append_step(pointer, is_object ? string_at(key) : std::string_view(std::to_string(index)));
                if (key == twin_) return pointer;
                break;
            }
            container = child;
        }
        return pointer;
    }

private:
    static constexpr std::uint64_t kRoot = 1;  // word 0 says where the tape ends
    // Pairwise up to here; a larger object with a suspicion is sorted, so that hostile keys cost n log n.
    static constexpr std::uint64_t kPairwiseMax = 64;

    // How many words an entry takes, by kind: numbers two; everything else, opening brackets too, one.
    static constexpr std::array<std::uint8_t, 256> kWords = [] {
        std::array<std::uint8_t, 256> words{};
        words.fill(1);
        for (const unsigned char kind : {'l', 'u', 'd'}) words[kind] = 2;
        return words;
    }();

    static std::uint64_t payload(std::uint64_t word) { return word & 0x00ff'ffff'ffff'ffffull; }
    static char kind_of(std::uint64_t word) { return static_cast<char>(word >> 56); }
    // Of an object or array; saturates at 2^24 - 1, more than 16 MiB of JSON can hold.
    static std::uint64_t size_of(std::uint64_t word) { return (word >> 32) & 0x00ff'ffffull; }

    // Behind the whole value: an opening bracket says in its lower 32 bits where it closes.
    std::uint64_t behind(std::uint64_t at) const {
        const std::uint64_t word = tape_[at];
        return kind_of(word) == '{' || kind_of(word) == '[' ? word & 0xffff'ffffull : at + kWords[word >> 56];
    }

    std::size_t count_values() const {
        std::size_t entries = 0;
        std::size_t keys = 0;
        for (std::uint64_t at = kRoot; at < end_; at += kWords[tape_[at] >> 56]) {
            const char kind = kind_of(tape_[at]);
            if (kind == '}' || kind == ']') continue;
            ++entries;
            if (kind == '{') keys += size_of(tape_[at]);
        }
        return entries - keys;
    }

    std::string_view string_at(std::uint64_t at) const {
        const std::uint8_t* const text = strings_ + payload(tape_[at]);
        std::uint32_t size = 0;
        std::memcpy(&size, text, sizeof size);
        return {reinterpret_cast<const char*>(text) + sizeof size, size};
    }

    // A key whose hash was seen before is compared with the keys before it; 256 bits make that rare for the dozen keys
    // that an object of Kubernetes has.
    bool keys_are_distinct(std::uint64_t object, std::uint64_t members) {
        std::array<std::uint64_t, 4> seen{};
        std::uint64_t at = object + 1;
        for (std::uint64_t member = 0; member < members; ++member, at = behind(at + 1)) {
            const std::string_view key = string_at(at);
            const std::size_t hash = hash_of(key);
            std::uint64_t& word = seen[(hash >> 6) & 3];
            const std::uint64_t bit = 1ull << (hash & 63);
            if ((word & bit) != 0) {
                if (members > kPairwiseMax) return sorted_keys_are_distinct(object, members);
                if (stands_before(object, at, key)) {
                    twin_ = at;
                    return false;
                }
            }
            word |= bit;
        }
        return true;
    }

    static std::size_t hash_of(std::string_view key) {
        if (key.empty()) return 0;
        const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(key[i])); };
        return key.size() * 37 + byte(0) * 5 + byte(key.size() / 2) * 17 + byte(key.size() - 1) * 101;
    }

    bool stands_before(std::uint64_t object, std::uint64_t end, std::string_view key) const {
        for (std::uint64_t at = object + 1; at < end; at = behind(at + 1)) {
            if (string_at(at) == key) return true;
        }
        return false;
    }

    bool sorted_keys_are_distinct(std::uint64_t object, std::uint64_t members) {
        std::vector<std::pair<std::string_view, std::uint64_t>> keys;
        keys.reserve(members);
        for (std::uint64_t at = object + 1; kind_of(tape_[at]) != '}'; at = behind(at + 1)) keys.emplace_back(string_at(at), at);
        std::sort(keys.begin(), keys.end());
        const auto first =
            std::adjacent_find(keys.begin(), keys.end(), [](const auto& left, const auto& right) { return left.first == right.first; });
        if (first == keys.end()) return true;
        twin_ = std::next(first)->second;
        return false;
    }

    static void append_step(std::string& pointer, std::string_view step) {
        pointer += '/';
        for (const char c : step) {
            if (c == '~')
                pointer += "~0";
            else if (c == '/')
                pointer += "~1";
            else
                pointer += c;
        }
    }

    const std::uint64_t* tape_;
    const std::uint8_t* strings_;
    std::uint64_t end_;
    std::uint64_t twin_ = 0;
};

// Off the good path: simdjson says TAPE_ERROR for any broken structure. Does a complete value stand before something else?
bool has_trailing_data(std::string_view text) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[')
            ++depth;
        else if (c == '}' || c == ']') {
            if (depth == 0) return false;
            if (--depth == 0) return text.find_first_not_of(" \t\r\n", i + 1) != std::string_view::npos;
        }
    }
    return false;
}

tl::unexpected<Error> refuse(simdjson::error_code code, std::string_view text, const Limits& limits) {
    switch (code) {
        case simdjson::UTF8_ERROR: return fail(Errc::invalid_utf8, "the text is not UTF-8");
        case simdjson::DEPTH_ERROR:
            return fail(Errc::too_deep, "more than " + std::to_string(limits.json_depth_max) + " levels of nesting");
        case simdjson::CAPACITY: return fail(Errc::too_large, "more than " + std::to_string(limits.body_bytes_max) + " bytes");
        case simdjson::MEMALLOC: return fail(Errc::overloaded, "no memory for a text of " + std::to_string(text.size()) + " bytes");
        case simdjson::EMPTY: return fail(Errc::invalid_json, "the text is empty; expected a JSON value");
        default: break;
    }
    if (has_trailing_data(text)) return fail(Errc::trailing_data, "something follows the JSON value");
    return fail(Errc::invalid_json, std::string("not JSON: ") + simdjson::error_message(code));
}

simdjson::dom::parser fresh_parser(const Limits& limits) {
    simdjson::dom::parser parser(limits.body_bytes_max);
    // The depth given here stays when the parser grows; the capacity grows with the texts. Without memory the parser
    // says so again at the first text.
    if (parser.allocate(0, limits.json_depth_max) != simdjson::SUCCESS) return simdjson::dom::parser(limits.body_bytes_max);
    return parser;
}

}  // namespace

std::size_t Json::size() const {
    if (is_array()) return simdjson::dom::array(element_).size();
    if (is_object()) return simdjson::dom::object(element_).size();
    return 0;
}

std::string_view Json::type_name() const {
    if (!present_) return "nothing";
    switch (element_.type()) {
        case element_type::OBJECT: return "object";
        case element_type::ARRAY: return "array";
        case element_type::STRING: return "string";
        case element_type::BOOL: return "boolean";
        case element_type::NULL_VALUE: return "null";
        default: return "number";
    }
}

std::string Json::dump() const { return present_ ? simdjson::minify(element_) : std::string(); }

namespace {

bool equal_elements(element left, element right);

// The API server writes the members of both in one order, so walking them together finds almost all of them. The rest is
// looked up in a sorted index; hashed, it would cost n squared whoever chooses keys that fall into one bucket.
bool equal_objects(simdjson::dom::object left, simdjson::dom::object right) {
    std::vector<std::pair<std::string_view, element>> index;
    const auto by_key = [](const auto& one, const auto& other) { return one.first < other.first; };
    auto twin = right.begin();
    for (const auto field : left) {
        if (!(twin != right.end())) return false;
        const std::string_view twin_key = twin.key();
        if (twin_key == field.key) {
            if (!equal_elements(field.value, twin.value())) return false;
        } else {
            if (index.empty()) {
                for (const auto other : right) index.emplace_back(other.key, other.value);
                std::sort(index.begin(), index.end(), by_key);
            }
            const auto found = std::lower_bound(index.begin(), index.end(), std::pair(field.key, element()), by_key);
            if (found == index.end() || found->first != field.key || !equal_elements(field.value, found->second)) return false;
        }
        ++twin;
    }
    return !(twin != right.end());
}

bool equal_arrays(simdjson::dom::array left, simdjson::dom::array right) {
    auto twin = right.begin();
    for (const element item : left) {
        if (!(twin != right.end()) || !equal_elements(item, *twin)) return false;
        ++twin;
    }
    return !(twin != right.end());
}

bool equal_elements(element left, element right) {
    if (left.type() != right.type()) return false;
    switch (left.type()) {
        case element_type::OBJECT: return equal_objects(simdjson::dom::object(left), simdjson::dom::object(right));
        case element_type::ARRAY: return equal_arrays(simdjson::dom::array(left), simdjson::dom::array(right));
        case element_type::STRING: return std::string_view(left) == std::string_view(right);
        case element_type::BOOL: return bool(left) == bool(right);
        case element_type::INT64: return std::int64_t(left) == std::int64_t(right);
        case element_type::UINT64: return std::uint64_t(left) == std::uint64_t(right);
        case element_type::DOUBLE: return double(left) == double(right);
        case element_type::NULL_VALUE: return true;
    }
    return false;
}

}  // namespace

bool equal(Json left, Json right) {
    if (!left.present() || !right.present()) return left.present() == right.present();
    return equal_elements(left.element_, right.element_);
}

JsonReader::JsonReader(const Limits& limits) : limits_(limits), parser_(fresh_parser(limits)) {}

Result<Json> JsonReader::read(std::string_view text) {
    refused_ = Json();
    if (parser_.capacity() > kKeepBytesMax && text.size() <= kKeepBytesMax) {
        parser_ = fresh_parser(limits_);
    }
    element root;
    const auto code = parser_.parse(text.data(), text.size(), false).get(root);
    if (code != simdjson::SUCCESS) return refuse(code, text, limits_);

    TapeCheck check(parser_.doc);
    if (const auto problem = check.run(limits_.json_nodes_max)) {
        refused_ = Json(root);
        if (problem == Errc::duplicate_key) return fail(Errc::duplicate_key, "a key appears twice in one object", check.where());
        return fail(Errc::too_many_nodes, "more than " + std::to_string(limits_.json_nodes_max) + " JSON values");
    }
    return Json(root);
}

std::string with_slack(std::string_view text) {
    std::string copy;
    copy.reserve(text.size() + kJsonSlack);
    copy.assign(text);
    return copy;
}

}  // namespace fluxgate::kube
