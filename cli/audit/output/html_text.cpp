#include "cli/audit/output/html_text.hpp"

#include "cli/output/text.hpp"

namespace fluxgate::cli {

std::string html_text(std::string_view text) {
    constexpr std::size_t kCharactersMax = 600;
    std::string out;
    for (const char c : visible(text, kCharactersMax)) {
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
    return out;
}

}  // namespace fluxgate::cli
