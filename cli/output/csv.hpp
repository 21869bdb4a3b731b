#pragma once

// CSV as RFC 4180 has it, safe to open in a spreadsheet: names in it come from whoever talks to the cluster, and a cell that begins with
// =, +, -, @, a tab or a carriage return would be a formula (https://owasp.org/www-community/attacks/CSV_Injection).

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace fluxgate::cli {

// In quotes if it must be; what would be a formula has a ' in front.
std::string csv_cell(std::string_view text);
// The cells of a row, with CRLF behind.
void write_csv_row(std::ostream& out, const std::vector<std::string>& cells);

}  // namespace fluxgate::cli
