#pragma once

// JSON as the request path reads it: simdjson's DOM behind a small handle, so that only this folder knows the library.
//
// A `Json` is two words that point into a document owned by a `JsonReader`; it is valid until that reader reads again or
// ends. Strings are views into the reader, never copies. Looking something up in an absent value gives an absent value,
// so a path of lookups needs one check at its end.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "base/error.hpp"
#include "base/limits.hpp"

namespace fluxgate::kube {

class Json {
public:
    Json() = default;
    explicit Json(simdjson::dom::element element) : element_(element), present_(true) {}

    bool present() const { return present_; }
    // "Unset, null and {} behave the same": Kubernetes treats an explicit null like an absent field.
    bool absent_or_null() const { return !present_ || element_.is_null(); }
    bool is_null() const { return present_ && element_.is_null(); }
    bool is_object() const { return present_ && element_.is_object(); }
    bool is_array() const { return present_ && element_.is_array(); }
    bool is_string() const { return present_ && element_.is_string(); }

    // The member of that name; absent if there is none or this is no object.
    Json operator[](std::string_view key) const {
        simdjson::dom::object object;
        if (!present_ || element_.get(object) != simdjson::SUCCESS) return {};
        simdjson::dom::element member;
        if (object.at_key(key).get(member) != simdjson::SUCCESS) return {};
        return Json(member);
    }

    std::optional<std::string_view> string() const {
        std::string_view text;
        if (!present_ || element_.get(text) != simdjson::SUCCESS) return std::nullopt;
        return text;
    }
    // The text, or "" when absent or of another type.
    std::string_view text() const { return string().value_or(std::string_view{}); }
    std::optional<bool> boolean() const {
        bool value = false;
        if (!present_ || element_.get(value) != simdjson::SUCCESS) return std::nullopt;
        return value;
    }
    bool is_true() const { return boolean().value_or(false); }
    std::optional<std::int64_t> integer() const {
        std::int64_t value = 0;
        if (!present_ || element_.get(value) != simdjson::SUCCESS) return std::nullopt;
        return value;
    }

    // f(Json item) for each item of an array, in order; nothing if this is no array.
    template <class F>
    void each_item(F&& f) const {
        simdjson::dom::array array;
        if (!present_ || element_.get(array) != simdjson::SUCCESS) return;
        for (const simdjson::dom::element item : array) f(Json(item));
    }
    // f(std::string_view key, Json value) for each member of an object, in order; nothing if this is no object.
    template <class F>
    void each_member(F&& f) const {
        simdjson::dom::object object;
        if (!present_ || element_.get(object) != simdjson::SUCCESS) return;
        for (const auto field : object) f(field.key, Json(field.value));
    }
    // Items of an array or members of an object; 0 for anything else.
    std::size_t size() const;

    // "object", "array", "string", "number", "boolean", "null", "nothing"; for messages.
    std::string_view type_name() const;

    // Compact JSON text. For messages and tests, not for the request path.
    std::string dump() const;

private:
    friend bool equal(Json left, Json right);
    friend bool equal_but_for(Json left, Json right, std::span<const std::string_view> names);
    template <class F>
    friend bool each_pair(Json left, Json right, F&& f);
    simdjson::dom::element element_;
    bool present_ = false;
};

// The same JSON value: members in any order, strings by content, numbers by type and value. Absent equals only absent.
bool equal(Json left, Json right);

// The same members but for those named, as `equal` compares them; what is absent or null has none. False for anything but objects.
bool equal_but_for(Json left, Json right, std::span<const std::string_view> names);

// Walks two arrays together while `f(Json left, Json right)` holds; true if it held for all and both have as many items.
// What is no array has no items.
template <class F>
bool each_pair(Json left, Json right, F&& f);

// Parses strictly. Beyond what simdjson refuses (syntax, UTF-8): more than `json_depth_max` levels, more than
// `json_nodes_max` values, a key twice in one object (after unescaping), anything behind the value.
//
// A resource: not copyable, one thread at a time, reused from review to review; each `read` ends the life of all `Json`
// made before. Memory of a large document is given back when the next one is read.
class JsonReader {
public:
    explicit JsonReader(const Limits& limits);

    // `text` must be followed by at least `kJsonSlack` readable bytes.
    // Errors: invalid_json, invalid_utf8, trailing_data, too_deep, too_many_nodes, too_large, duplicate_key (`where` is the
    // JSON pointer of the second one).
    Result<Json> read(std::string_view text);

    // What parsed, even if `read` refused it for duplicate keys or too many nodes: only to find whom to answer.
    Json refused_document() const { return refused_; }

private:
    Limits limits_;
    simdjson::dom::parser parser_;
    Json refused_;
};

template <class F>
bool each_pair(Json left, Json right, F&& f) {
    simdjson::dom::array ours;
    simdjson::dom::array others;
    const bool is_array = left.present_ && left.element_.get(ours) == simdjson::SUCCESS;
    const bool other_is_array = right.present_ && right.element_.get(others) == simdjson::SUCCESS;
    if (!is_array || !other_is_array) return (!is_array || ours.size() == 0) && (!other_is_array || others.size() == 0);
    auto other = others.begin();
    for (const simdjson::dom::element item : ours) {
        if (!(other != others.end()) || !f(Json(item), Json(*other))) return false;
        ++other;
    }
    return !(other != others.end());
}

inline constexpr std::size_t kJsonSlack = 64;

// A copy of `text` that a JsonReader may read: for texts that do not come out of an HTTP buffer.
std::string with_slack(std::string_view text);

}  // namespace fluxgate::kube
