#include "cli/output/style.hpp"

#include <algorithm>
#include <cstdlib>

#include <unistd.h>

namespace fluxgate::cli {

namespace {

std::string_view code_of(Colour colour) {
    switch (colour) {
        case Colour::green: return "\x1b[32m";
        case Colour::red: return "\x1b[31m";
        case Colour::yellow: return "\x1b[33m";
        case Colour::grey: return "\x1b[90m";
        case Colour::bold: return "\x1b[1m";
        case Colour::none: return "";
    }
    return "";
}

}  // namespace

Style Style::of(std::FILE* stream) {
    const char* no_colour = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool dumb = term && std::string_view(term) == "dumb";
    return Style(::isatty(::fileno(stream)) == 1 && !(no_colour && *no_colour) && !dumb);
}

std::string Style::paint(Colour colour, std::string_view text) const {
    if (!colour_ || colour == Colour::none) return std::string(text);
    return std::string(code_of(colour)) + std::string(text) + "\x1b[0m";
}

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string render_table(const std::vector<std::string>& header, const std::vector<std::vector<Cell>>& rows, Style style) {
    std::vector<std::size_t> widths;
    for (const std::string& title : header) widths.push_back(display_width(title));
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
    }
    std::string out;
    const auto put = [&](std::size_t column, std::string_view text, Colour colour) {
        out += style.paint(colour, text);
        if (column + 1 < widths.size()) out.append(widths[column] - display_width(text) + 2, ' ');
    };
    for (std::size_t i = 0; i < header.size(); ++i) put(i, header[i], Colour::bold);
    out += '\n';
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) put(i, row[i].text, row[i].colour);
        out += '\n';
    }
    return out;
}

}  // namespace fluxgate::cli
