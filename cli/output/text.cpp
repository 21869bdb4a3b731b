#include "cli/output/text.hpp"

#include <array>

#include <fmt/format.h>

namespace fluxgate::cli {

namespace {

// Bytes of the character that begins with `first`; 0 if none does.
std::size_t length_after(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return 2;
    if (first >= 0xe0 && first <= 0xef) return 3;
    if (first >= 0xf0 && first <= 0xf4) return 4;
    return 0;
}

bool is_between(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

std::string escape(char32_t code) {
    if (code == '\n') return "\\n";
    if (code == '\r') return "\\r";
    if (code == '\t') return "\\t";
    if (code < 0x100) return fmt::format("\\x{:02x}", static_cast<unsigned>(code));
    if (code < 0x10000) return fmt::format("\\u{:04x}", static_cast<unsigned>(code));
    return fmt::format("\\U{:08x}", static_cast<unsigned>(code));
}

}  // namespace

Character first_character(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = length_after(first);
    if (length == 1) return {.code = first, .bytes = text.substr(0, 1)};
    const Character broken{.code = 0xfffd, .bytes = text.substr(0, 1), .valid = false};
    if (length == 0 || text.size() < length) return broken;
    char32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xc0) != 0x80) return broken;
        code = (code << 6) | (next & 0x3fU);
    }
    constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10ffff || is_between(code, 0xd800, 0xdfff)) return broken;
    return {.code = code, .bytes = text.substr(0, length)};
}

bool is_control(char32_t code) { return code < 0x20 || is_between(code, 0x7f, 0x9f); }

bool is_hidden(char32_t code) {
    return is_control(code) || code == 0xad || code == 0x61c || is_between(code, 0x200b, 0x200f) || is_between(code, 0x2028, 0x202e) ||
           is_between(code, 0x2060, 0x206f) || code == 0xfeff || is_between(code, 0xfff0, 0xfffb) || is_between(code, 0xe0000, 0xe007f);
}

std::string visible(std::string_view text, std::size_t characters_max) {
    std::string out;
    std::size_t count = 0;
    for (std::string_view rest = text; !rest.empty();) {
        if (count++ == characters_max) return without_log_commands(out + fmt::format("… ({} bytes)", text.size()), "\\#");
        const Character character = first_character(rest);
        if (!character.valid) {
            out += kReplacement;
        } else if (is_hidden(character.code)) {
            out += escape(character.code);
        } else {
            out += character.bytes;
        }
        rest.remove_prefix(character.bytes.size());
    }
    return without_log_commands(std::move(out), "\\#");
}

std::string log_line(std::string_view text) {
    std::string line = visible(text);
    const std::size_t first = line.find_first_not_of(' ');
    if (first != std::string::npos && std::string_view(line).substr(first).starts_with("::")) line.insert(first, "\\");
    return line;
}

std::string counted(std::size_t count, std::string_view noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

std::string without_log_commands(std::string text, std::string_view hash) {
    for (std::size_t at = text.find("##"); at != std::string::npos; at = text.find("##", at + 1)) {
        const std::string_view after = std::string_view(text).substr(at + 2);
        if (after.starts_with("[") || after.starts_with("vso[")) text.replace(at + 1, 1, hash);
    }
    return text;
}

std::string markdown_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::string_view("\\`*_[]<>#|~&@$:").find(c) != std::string_view::npos) {
            out += fmt::format("&#{};", static_cast<int>(c));
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace fluxgate::cli
