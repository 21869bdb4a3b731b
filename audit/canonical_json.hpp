#pragma once

// JSON as RFC 8785 (JCS) writes it, so that one value has one text: no spaces, members sorted by the UTF-16 units of their names,
// short escapes. Of numbers only integers that a double holds exactly, of texts only UTF-8.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace fluxgate::audit {

// The order of members. It differs from that of the bytes where a character beyond U+FFFF meets one from U+E000 to U+FFFF.
struct Utf16Less {
    using is_transparent = void;
    bool operator()(std::string_view left, std::string_view right) const;
};

template <class Key, class Value, class, class Allocator>
using CanonicalMap = std::map<Key, Value, Utf16Less, Allocator>;
using CanonicalJson = nlohmann::basic_json<CanonicalMap>;

// Text in quotes; each byte that is no UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// The same bytes, each that is no UTF-8 replaced by U+FFFD.
std::string to_utf8(std::string_view text);

// Integers beyond 2^53 - 1 are no JSON for everybody (RFC 7493): written as that.
inline constexpr std::uint64_t kJsonIntegerMax = (std::uint64_t{1} << 53) - 1;

// `text`, if it is what RFC 8785 makes of its own value. Errors: invalid_json (also: not canonical, a number that is no integer),
// too_deep: nested deeper than `depth_max`, which bounds the recursion of whoever walks the value.
Result<CanonicalJson> parse_canonical(std::string_view text, std::size_t depth_max);

}  // namespace fluxgate::audit
