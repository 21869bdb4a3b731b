#include "cli/audit/output/html_text.hpp"

#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::size_t kCharactersMax = 600;

void append(std::string& out, char c) {
    switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        case '`': out += "&#96;"; break;
        default: out += c;
    }
}

}  // namespace

std::string html_text(std::string_view text) {
    std::string out;
    for (const char c : visible(text, kCharactersMax)) append(out, c);
    return out;
}

std::string html_breakable(std::string_view text) {
    constexpr std::string_view kSeparators = ":/@._=+,";
    constexpr std::size_t kWholeMax = 24;
    const std::string shown = visible(text, kCharactersMax);
    std::string out;
    std::size_t whole = 0;
    each_character(shown, [&](const Character& character) {
        for (const char c : character.bytes) append(out, c);
        whole = character.bytes == " " ? 0 : whole + 1;
        const bool separates = character.bytes.size() == 1 && kSeparators.find(character.bytes.front()) != std::string_view::npos;
        // A separator that stands alone in front of a part would be torn off it.
        if ((separates && whole > 3) || whole == kWholeMax) {
            out += "<wbr>";
            whole = 0;
        }
    });
    return out;
}

}  // namespace fluxgate::cli
