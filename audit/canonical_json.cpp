#include "audit/canonical_json.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace fluxgate::audit {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x80 && c != '"' && c != '\\'; }

void append_escaped(std::string& out, char c) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += '\\';
    switch (c) {
        case '"':
        case '\\': out += c; break;
        case '\b': out += 'b'; break;
        case '\f': out += 'f'; break;
        case '\n': out += 'n'; break;
        case '\r': out += 'r'; break;
        case '\t': out += 't'; break;
        default:
            out += "u00";
            out += kDigits[static_cast<unsigned char>(c) >> 4];
            out += kDigits[static_cast<unsigned char>(c) & 0xf];
    }
}

bool nests_deeper(std::string_view text, std::size_t depth_max) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else
                in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > depth_max) return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return false;
}

}  // namespace

// In UTF-8, characters from U+E000 to U+FFFF begin with 0xee or 0xef and those beyond with 0xf0 to 0xf4; in UTF-16 the latter begin with
// a surrogate, which is less. All other characters have the same order in both.
bool Utf16Less::operator()(std::string_view left, std::string_view right) const {
    const auto [ours, others] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
    if (ours == left.end() || others == right.end()) return ours == left.end() && others != right.end();
    const auto our_byte = static_cast<unsigned char>(*ours);
    const auto other_byte = static_cast<unsigned char>(*others);
    const bool ours_beyond = our_byte >= 0xf0;
    const bool others_beyond = other_byte >= 0xf0;
    if (ours_beyond != others_beyond && our_byte >= 0xee && other_byte >= 0xee) return ours_beyond;
    return our_byte < other_byte;
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i;
        while (end < text.size() && is_plain(text[end])) ++end;
        out.append(text, i, end - i);
        i = end;
        if (i == text.size()) break;
        const std::size_t length = utf8_length(text.substr(i));
        if (length > 1)
            out.append(text, i, length);
        else if (length == 1)
            append_escaped(out, text[i]);
        else
            out += kReplacement;
        i += std::max<std::size_t>(length, 1);
    }
    out += '"';
}

std::string to_utf8(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        clean.append(length > 0 ? text.substr(0, length) : kReplacement);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return clean;
}

Result<CanonicalJson> parse_canonical(std::string_view text, std::size_t depth_max) {
    if (nests_deeper(text, depth_max)) return fail(Errc::too_deep, "the JSON is nested deeper than it may be");
    auto json = CanonicalJson::parse(text, nullptr, false);
    if (json.is_discarded()) return fail(Errc::invalid_json, "this is no JSON");
    if (json.dump() != text) return fail(Errc::invalid_json, "this is JSON, but not in the canonical form of RFC 8785");
    return json;
}

}  // namespace fluxgate::audit
