#include "kube/json.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fluxgate::kube {

namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

static_assert(kJsonSlack >= simdjson::SIMDJSON_PADDING);

// Above this a parser's buffers (about fourteen times the text) are not kept for the next review.
constexpr std::size_t kKeepBytesMax = 1u << 20;

// Walks a parsed document once and finds what simdjson lets pass. Recursion is bounded by the parser's own depth limit.
class StrictWalk {
public:
    explicit StrictWalk(std::size_t nodes_max) : nodes_left_(nodes_max) {}

    bool accept(element value) {
        if (nodes_left_ == 0) {
            problem_ = Errc::too_many_nodes;
            return false;
        }
        --nodes_left_;
        switch (value.type()) {
            case element_type::OBJECT: return accept_object(simdjson::dom::object(value));
            case element_type::ARRAY: return accept_array(simdjson::dom::array(value));
            default: return true;
        }
    }

    Errc problem() const { return problem_; }

    // JSON pointer (RFC 6901), built from the inside out.
    std::string where() const {
        std::string pointer;
        for (auto part = where_.rbegin(); part != where_.rend(); ++part) {
            pointer += '/';
            for (const char c : *part) {
                if (c == '~') pointer += "~0";
                else if (c == '/') pointer += "~1";
                else pointer += c;
            }
        }
        return pointer;
    }

private:
    // A key seen before sets a bit that was set: only then the keys are compared. 256 bits make that rare for the
    // dozen keys that an object of Kubernetes has.
    struct SeenKeys {
        std::array<std::uint64_t, 4> bits{};
        bool may_repeat(std::string_view key) {
            std::uint64_t hash = key.size() * 0x9e3779b97f4a7c15ull;
            if (!key.empty()) {
                hash ^= static_cast<std::uint64_t>(static_cast<unsigned char>(key.front())) * 0xff51afd7ed558ccdull;
                hash ^= static_cast<std::uint64_t>(static_cast<unsigned char>(key[key.size() / 2])) * 0xc4ceb9fe1a85ec53ull;
                hash ^= static_cast<std::uint64_t>(static_cast<unsigned char>(key.back())) * 0x2545f4914f6cdd1dull;
                hash ^= hash >> 29;
            }
            std::uint64_t& word = bits[(hash >> 6) & 3];
            const std::uint64_t bit = 1ull << (hash & 63);
            const bool seen = (word & bit) != 0;
            word |= bit;
            return seen;
        }
    };

    // Pairwise up to here; a larger object with a suspicion is sorted instead, so that hostile keys cost n log n.
    static constexpr std::size_t kPairwiseMax = 64;

    bool accept_object(simdjson::dom::object object) {
        SeenKeys seen;
        std::size_t index = 0;
        bool sort_keys = false;
        for (const auto field : object) {
            if (seen.may_repeat(field.key)) {
                if (index > kPairwiseMax) sort_keys = true;
                else if (appears_before(object, field.key, index)) return refuse_duplicate(field.key);
            }
            if (!accept(field.value)) {
                if (problem_ == Errc::duplicate_key) where_.emplace_back(field.key);
                return false;
            }
            ++index;
        }
        if (sort_keys) {
            std::vector<std::string_view> keys;
            keys.reserve(index);
            for (const auto field : object) keys.push_back(field.key);
            std::sort(keys.begin(), keys.end());
            const auto twin = std::adjacent_find(keys.begin(), keys.end());
            if (twin != keys.end()) return refuse_duplicate(*twin);
        }
        return true;
    }

    bool accept_array(simdjson::dom::array array) {
        std::size_t index = 0;
        for (const element item : array) {
            if (!accept(item)) {
                if (problem_ == Errc::duplicate_key) where_.push_back(std::to_string(index));
                return false;
            }
            ++index;
        }
        return true;
    }

    static bool appears_before(simdjson::dom::object object, std::string_view key, std::size_t index) {
        std::size_t position = 0;
        for (const auto field : object) {
            if (position++ == index) return false;
            if (field.key == key) return true;
        }
        return false;
    }

    bool refuse_duplicate(std::string_view key) {
        problem_ = Errc::duplicate_key;
        where_.emplace_back(key);
        return false;
    }

    std::size_t nodes_left_;
    Errc problem_ = Errc::internal;
    std::vector<std::string> where_;
};

// Off the good path: simdjson says TAPE_ERROR for any broken structure. Does a complete value stand before something else?
bool has_trailing_data(std::string_view text) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            else if (c == '"') in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        else if (c == '{' || c == '[') ++depth;
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

// The API server writes the members of both in one order, so walking them together finds almost all of them. An index is
// built for the rest: a lookup each would cost hostile objects n squared.
bool equal_objects(simdjson::dom::object left, simdjson::dom::object right) {
    std::unordered_map<std::string_view, element> index;
    auto twin = right.begin();
    for (const auto field : left) {
        if (!(twin != right.end())) return false;
        const std::string_view twin_key = twin.key();
        if (twin_key == field.key) {
            if (!equal_elements(field.value, twin.value())) return false;
        } else {
            if (index.empty()) {
                for (const auto other : right) index.emplace(other.key, other.value);
            }
            const auto found = index.find(field.key);
            if (found == index.end() || !equal_elements(field.value, found->second)) return false;
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

    StrictWalk walk(limits_.json_nodes_max);
    if (!walk.accept(root)) {
        refused_ = Json(root);
        if (walk.problem() == Errc::duplicate_key) return fail(Errc::duplicate_key, "a key appears twice in one object", walk.where());
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
