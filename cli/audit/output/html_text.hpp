#pragma once

#include <string>
#include <string_view>

namespace fluxgate::cli {

// Text for HTML and SVG, inside elements and inside quoted attributes: nothing in it is markup, hidden characters and changes of the
// direction of writing are shown, and what is very long is cut.
std::string html_text(std::string_view text);

}  // namespace fluxgate::cli
