#include "kube/path.hpp"

#include <algorithm>

namespace fluxgate::kube {

namespace {

bool is_plain(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

}  // namespace

void append_field(std::string& path, std::string_view name) {
    if (is_plain(name)) {
        path += '.';
        path += name;
        return;
    }
    path += '[';
    append_quoted(path, name);
    path += ']';
}

void append_index(std::string& path, std::size_t index) {
    path += '[';
    path += std::to_string(index);
    path += ']';
}

void append_key(std::string& path, std::string_view key, std::string_view value) {
    path += '[';
    path += key;
    path += '=';
    append_quoted(path, value);
    path += ']';
}

void append_pointer_step(std::string& pointer, std::string_view step) {
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

void append_quoted(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto harmless = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && c != 0x7f; };
    out += '"';
    for (auto c = text.begin(); c != text.end(); ++c) {
        const auto end = std::find_if_not(c, text.end(), harmless);
        out.append(c, end);
        c = end;
        if (c == text.end()) break;
        const auto byte = static_cast<unsigned char>(*c);
        if (*c == '"' || *c == '\\') {
            out += '\\';
            out += *c;
        } else {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 0x0f];
        }
    }
    out += '"';
}

std::string quoted(std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
}

}  // namespace fluxgate::kube
