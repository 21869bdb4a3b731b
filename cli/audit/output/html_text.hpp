#pragma once

#include <string>
#include <string_view>

namespace fluxgate::cli {

// Text for HTML and SVG, inside elements and inside quoted attributes: nothing in it is markup, hidden characters and changes of the
// direction of writing are shown, and what is very long is cut.
std::string html_text(std::string_view text);

// The same inside an element, with <wbr> where a long name may be broken: behind what separates its parts, or else every 24 characters.
std::string html_breakable(std::string_view text);

}  // namespace fluxgate::cli
