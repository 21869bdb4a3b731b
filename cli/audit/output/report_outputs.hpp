#pragma once

// An evidence report (audit/report.hpp) in the formats of `fluxgate audit report -o`. Texts of the report may come from attackers: each
// format escapes them, and shows what would not be seen.

#include <ostream>

#include "audit/report.hpp"

namespace fluxgate::cli {

// One page that needs nothing else: no network, no script, style and pictures inside.
void write_report_html(const audit::Report& report, std::ostream& out);
// The shape is a contract: docs/reference/audit-report.md.
void write_report_json(const audit::Report& report, std::ostream& out);
// A row a cell of every table, as "question,table,row,column,value"; figures are the table "figures".
void write_report_csv(const audit::Report& report, std::ostream& out);
void write_report_markdown(const audit::Report& report, std::ostream& out);

}  // namespace fluxgate::cli
