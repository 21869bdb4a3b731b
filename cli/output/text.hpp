#pragma once

// Text that came from manifests, on its way to a terminal, a log or a document. Manifests are written by whoever opened the pull
// request, so a value may hold escape sequences, commands for the pipeline that shows it, or bytes that are no text.

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace fluxgate::cli {

inline constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

struct Character {
    char32_t code = 0;       // U+FFFD for bytes that are no UTF-8
    std::string_view bytes;  // of the text; the one byte that does not fit
    bool valid = true;
};

// The first character of a text that is not empty. Strict: no overlong forms, no surrogates (RFC 3629).
Character first_character(std::string_view text);

// f(Character) for each character.
template <class F>
void each_character(std::string_view text, F&& f) {
    while (!text.empty()) {
        const Character character = first_character(text);
        f(character);
        text.remove_prefix(character.bytes.size());
    }
}

// C0, DEL and C1: what a terminal may act on.
bool is_control(char32_t code);
// Control characters, and what is not seen but changes what is: line separators, directions of writing, zero widths, tags.
bool is_hidden(char32_t code);

// One line for a terminal or a log: hidden characters as \n, \t, \x1b, \u202e, and what is longer than `characters_max` cut, with
// its size. Safe to show where Azure Pipelines or GitHub look for commands.
std::string visible(std::string_view text, std::size_t characters_max = std::numeric_limits<std::size_t>::max());

// A line that begins with text from a manifest: visible, and no `::command::` of GitHub, which counts at the beginning of a line only.
std::string log_line(std::string_view text);

// "flux-system:kustomize-controller" for a service account: all names of them begin alike, and are long. The name of another user that
// would look like one stands in quotes.
std::string short_username(std::string_view username);

// "1 file", "2 files".
std::string counted(std::size_t count, std::string_view noun);

// Splits at line feeds; a last empty line is left out.
template <class F>
void each_line(std::string_view text, F&& f) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        f(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

// Azure Pipelines acts on `##vso[` anywhere in a line of a log, and GitHub on `##[`. Writes the second '#' as `hash`, which the
// document's format reads back as '#'.
std::string without_log_commands(std::string text, std::string_view hash);

// With every character as a reference that begins something in Markdown, HTML, a table or a link.
std::string markdown_text(std::string_view text);

}  // namespace fluxgate::cli
