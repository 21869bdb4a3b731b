#include "kube/json.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "kube/path.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
//
// Two steps. The first only suspects: it looks for the objects in four words at a time, and at a few bytes of each key. What
// it clears is distinct. A suspected object is looked at exactly, and only a document with a twin is walked in order to say
// which key comes first.
class TapeCheck {
public:
    explicit TapeCheck(const simdjson::dom::document& document)
        : tape_(document.tape.get()), strings_(document.string_buf.get()), end_(payload(tape_[0]) - 1) {}

    // What is wrong, if anything.
    std::optional<Errc> run(std::size_t nodes_max) {
        // No value takes less than a word: only a large tape needs to be counted.
        if (end_ > nodes_max && count_values() > nodes_max) return Errc::too_many_nodes;
        if (!keys_are_distinct() && find_twin()) return Errc::duplicate_key;
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
                append_pointer_step(pointer, is_object ? string_at(key) : std::string_view(std::to_string(index)));
                if (key == twin_) return pointer;
                break;
            }
            container = child;
        }
        return pointer;
    }

private:
    static constexpr std::uint64_t kRoot = 1;  // word 0 says where the tape ends
    // Pairwise up to here; a larger object is sorted, so that hostile keys cost n log n.
    static constexpr std::uint64_t kPairwiseMax = 64;
    static constexpr std::uint64_t kBlock = 4;

    static std::uint64_t payload(std::uint64_t word) { return word & 0x00ff'ffff'ffff'ffffull; }
    static char kind_of(std::uint64_t word) { return static_cast<char>(word >> 56); }
    // Where a string lies, or where a bracket closes. Texts are far smaller than 4 GiB.
    static std::uint32_t offset_of(std::uint64_t word) { return static_cast<std::uint32_t>(word); }
    // Of an object or array; saturates at 2^24 - 1, more than 16 MiB of JSON can hold.
    static std::uint64_t size_of(std::uint64_t word) { return (word >> 32) & 0x00ff'ffffull; }
    static bool is_bracket(char kind) { return (kind | 0x20) == '{'; }
    // Numbers take two words; everything else, opening brackets too, one.
    static std::uint64_t words_of(char kind) { return kind == 'l' || kind == 'u' || kind == 'd' ? 2 : 1; }

    // Behind the whole value: an opening bracket says where it closes.
    std::uint64_t behind(std::uint64_t at) const {
        const char kind = kind_of(tape_[at]);
        if (kind == '"') return at + 1;  // most are
        return is_bracket(kind) ? offset_of(tape_[at]) : at + words_of(kind);
    }

    std::size_t count_values() const {
        std::size_t entries = 0;
        std::size_t keys = 0;
        for (std::uint64_t at = kRoot; at < end_; at += words_of(kind_of(tape_[at]))) {
            const char kind = kind_of(tape_[at]);
            if (kind == '}' || kind == ']') continue;
            ++entries;
            if (kind == '{') keys += size_of(tape_[at]);
        }
        return entries - keys;
    }

    // False if there may be a twin.
    bool keys_are_distinct() const {
        std::uint64_t block = kRoot;
        for (; block + kBlock <= end_; block += kBlock) {
            for (unsigned found = objects_among(tape_ + block); found != 0; found &= found - 1) {
                if (!is_cleared(block + static_cast<std::uint64_t>(std::countr_zero(found)))) return false;
            }
        }
        for (; block < end_; ++block) {
            if (is_object_of_many(tape_[block]) && !is_cleared(block)) return false;
        }
        return true;
    }

    static bool is_object_of_many(std::uint64_t word) { return kind_of(word) == '{' && size_of(word) > 1; }

    // Which of the four words look like an object of two members or more, a bit each.
    static unsigned objects_among(const std::uint64_t* words) {
#ifdef __SSE2__
        const auto lower = _mm_loadu_ps(reinterpret_cast<const float*>(words));
        const auto upper = _mm_loadu_ps(reinterpret_cast<const float*>(words + 2));
        const auto heads = _mm_castps_si128(_mm_shuffle_ps(lower, upper, _MM_SHUFFLE(3, 1, 3, 1)));  // kind and size
        const auto more_than_one = _mm_cmpgt_epi32(heads, _mm_set1_epi32(('{' << 24) + 1));
        const auto object = _mm_cmplt_epi32(heads, _mm_set1_epi32(('{' + 1) << 24));
        return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(_mm_and_si128(more_than_one, object))));
#else
        unsigned found = 0;
        for (unsigned i = 0; i < kBlock; ++i) found |= static_cast<unsigned>(is_object_of_many(words[i])) << i;
        return found;
#endif
    }

    // Equal keys have equal samples: the size and some bytes. They stay within the string and its size in front, however
    // short it is.
    struct Sample {
        std::uint64_t size_and_end;
        std::uint64_t middle;

        std::uint64_t hash() const { return (size_and_end ^ (middle << 13)) * 0x9e37'79b9'7f4a'7c15ull; }
    };

    static std::uint64_t four_bytes(const std::uint8_t* at) {
        std::uint32_t bytes = 0;
        std::memcpy(&bytes, at, sizeof bytes);
        return bytes;
    }

    Sample sample_at(std::uint64_t key) const {
        const std::uint8_t* const text = strings_ + offset_of(tape_[key]);
        const std::uint64_t size = four_bytes(text);
        return {four_bytes(text + size) << 32 | size, four_bytes(text + size / 2)};
    }

    // No two keys of that object are equal. Also false if the word may be the second one of a number: then only walking
    // along the tape can tell.
    bool is_cleared(std::uint64_t object) const {
        if (words_of(kind_of(tape_[object - 1])) == 2) return false;
        const std::uint64_t members = size_of(tape_[object]);
        const bool suspected = members <= 3 ? is_suspect_of_few(object, members) : is_suspect(object, members);
        return !suspected || twin_in(object, members) == 0;
    }

    // Of two or three members.
    bool is_suspect_of_few(std::uint64_t object, std::uint64_t members) const {
        std::uint64_t at = object + 1;
        const std::uint64_t first = sample_at(at).size_and_end;
        at = behind(at + 1);
        const std::uint64_t second = sample_at(at).size_and_end;
        if (first == second) return true;
        if (members == 2) return false;
        const std::uint64_t third = sample_at(behind(at + 1)).size_and_end;
        return first == third || second == third;
    }

    // 1024 bits make a suspicion rare for the dozen keys that an object of Kubernetes has.
    bool is_suspect(std::uint64_t object, std::uint64_t members) const {
        std::array<std::uint64_t, 16> seen{};
        std::uint64_t at = object + 1;
        for (std::uint64_t member = 0; member < members; ++member, at = behind(at + 1)) {
            const std::uint64_t hash = sample_at(at).hash();
            std::uint64_t& word = seen[hash >> 60];
            const std::uint64_t bit = 1ull << ((hash >> 54) & 63);
            if ((word & bit) != 0) return true;
            word |= bit;
        }
        return false;
    }

    // Remembers the first twin of the document; false if there is none.
    bool find_twin() {
        for (std::uint64_t at = kRoot; at < end_; at += words_of(kind_of(tape_[at]))) {
            if (!is_object_of_many(tape_[at])) continue;
            twin_ = twin_in(at, size_of(tape_[at]));
            if (twin_ != 0) return true;
        }
        return false;
    }

    std::string_view string_at(std::uint64_t at) const {
        const std::uint8_t* const text = strings_ + payload(tape_[at]);
        return {reinterpret_cast<const char*>(text) + sizeof(std::uint32_t), four_bytes(text)};
    }

    // The second of two equal keys of that object, 0 if all are distinct.
    std::uint64_t twin_in(std::uint64_t object, std::uint64_t members) const {
        if (members > kPairwiseMax) return twin_in_sorted(object, members);
        std::array<std::uint64_t, kPairwiseMax> keys;
        std::uint64_t at = object + 1;
        for (std::uint64_t member = 0; member < members; ++member, at = behind(at + 1)) {
            const std::string_view key = string_at(at);
            for (std::uint64_t before = 0; before < member; ++before) {
                if (string_at(keys[before]) == key) return at;
            }
            keys[member] = at;
        }
        return 0;
    }

    std::uint64_t twin_in_sorted(std::uint64_t object, std::uint64_t members) const {
        std::vector<std::pair<std::string_view, std::uint64_t>> keys;
        keys.reserve(members);
        for (std::uint64_t at = object + 1; kind_of(tape_[at]) != '}'; at = behind(at + 1)) keys.emplace_back(string_at(at), at);
        std::sort(keys.begin(), keys.end());
        const auto first =
            std::adjacent_find(keys.begin(), keys.end(), [](const auto& left, const auto& right) { return left.first == right.first; });
        return first == keys.end() ? 0 : std::next(first)->second;
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

namespace {

// Walks both in the order they have, as the API server writes them; no answer where the order differs.
std::optional<bool> equal_in_order_but_for(simdjson::dom::object left, simdjson::dom::object right,
                                           std::span<const std::string_view> names) {
    const auto excepted = [&](std::string_view key) { return std::find(names.begin(), names.end(), key) != names.end(); };
    auto twin = right.begin();
    const auto pass_over_excepted = [&] {
        while (twin != right.end() && excepted(twin.key())) ++twin;
    };
    for (const auto field : left) {
        if (excepted(field.key)) continue;
        pass_over_excepted();
        if (!(twin != right.end()) || twin.key() != field.key) return std::nullopt;
        if (!equal_elements(field.value, twin.value())) return false;
        ++twin;
    }
    pass_over_excepted();
    return !(twin != right.end());
}

}  // namespace

bool equal_but_for(Json left, Json right, std::span<const std::string_view> names) {
    simdjson::dom::object left_object;
    simdjson::dom::object right_object;
    if (left.is_object() && right.is_object() && left.element_.get(left_object) == simdjson::SUCCESS &&
        right.element_.get(right_object) == simdjson::SUCCESS) {
        if (const auto equal = equal_in_order_but_for(left_object, right_object, names)) return *equal;
    }
    using Members = std::vector<std::pair<std::string_view, element>>;
    const auto by_key = [](const auto& one, const auto& other) { return one.first < other.first; };
    const auto members = [&](Json json) {
        Members list;
        simdjson::dom::object object;
        if (json.absent_or_null() || json.element_.get(object) != simdjson::SUCCESS) return list;
        for (const auto field : object) {
            if (std::find(names.begin(), names.end(), field.key) == names.end()) list.emplace_back(field.key, field.value);
        }
        if (!std::is_sorted(list.begin(), list.end(), by_key)) std::sort(list.begin(), list.end(), by_key);
        return list;
    };
    const auto has_members = [](Json json) { return json.absent_or_null() || json.is_object(); };
    if (!has_members(left) || !has_members(right)) return false;
    const Members ours = members(left);
    const Members others = members(right);
    return std::equal(ours.begin(), ours.end(), others.begin(), others.end(), [](const auto& one, const auto& other) {
        return one.first == other.first && equal_elements(one.second, other.second);
    });
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
