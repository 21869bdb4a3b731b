#pragma once

// How text looks: colour only on a terminal and without NO_COLOR (https://no-color.org), and a plain table.

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace fluxgate::cli {

enum class Colour { none, green, red, yellow, grey, bold };

// A value; cheap to copy.
class Style {
public:
    // For that stream: colour if it is a terminal, NO_COLOR is unset and TERM is not "dumb".
    static Style of(std::FILE* stream);
    explicit Style(bool colour) : colour_(colour) {}

    std::string paint(Colour colour, std::string_view text) const;
    bool colour() const { return colour_; }

private:
    bool colour_;
};

struct Cell {
    std::string text;
    Colour colour = Colour::none;
};

// Columns as wide as their widest cell, two spaces apart, a header in capitals; no boxes. The last column is not padded.
std::string render_table(const std::vector<std::string>& header, const std::vector<std::vector<Cell>>& rows, Style style);

// Characters a terminal shows for UTF-8 text without wide characters.
std::size_t display_width(std::string_view text);

}  // namespace fluxgate::cli
