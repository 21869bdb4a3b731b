#include "cli/output/text.hpp"

#include <fmt/format.h>

#include "base/utf8.hpp"

namespace fluxgate::cli {

namespace {

bool is_between(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

std::string escape(char32_t code) {
    if (code == '\n') return "\\n";
    if (code == '\r') return "\\r";
    if (code == '\t') return "\\t";
    if (code < 0x100) return fmt::format("\\x{:02x}", static_cast<unsigned>(code));
    if (code < 0x10000) return fmt::format("\\u{:04x}", static_cast<unsigned>(code));
    return fmt::format("\\U{:08x}", static_cast<unsigned>(code));
}

constexpr std::string_view kSystem = "system:";

// NAMESPACE:NAME
bool looks_like_account(std::string_view name) {
    constexpr std::string_view kOfNames = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    const std::size_t colon = name.find_first_not_of(kOfNames);
    if (colon == std::string_view::npos || name[colon] != ':' || colon == 0 || colon + 1 == name.size()) return false;
    return name.find_first_not_of(kOfNames, colon + 1) == std::string_view::npos;
}

}  // namespace

Character first_character(std::string_view text) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return {.code = 0xfffd, .bytes = text.substr(0, 1), .valid = false};
    const auto first = static_cast<unsigned char>(text.front());
    char32_t code = length == 1 ? first : first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
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

std::string short_username(std::string_view username) {
    constexpr std::string_view kServiceAccount = "system:serviceaccount:";
    if (!username.starts_with(kServiceAccount)) {
        // Kubernetes' own, such as system:kube-scheduler: no account is shown in that namespace's name.
        const bool is_system = username.starts_with(kSystem);
        return !is_system && looks_like_account(username) ? fmt::format("\"{}\"", username) : std::string(username);
    }
    const std::string_view account = username.substr(kServiceAccount.size());
    return std::string(looks_like_account(account) && !account.starts_with(kSystem) ? account : username);
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
