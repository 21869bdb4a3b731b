#pragma once

#include "audit/report.hpp"

namespace fluxgate::cli {

// The numbers behind a chart, for who does not see it and for formats without pictures. Rows without anything are left out.
audit::Table chart_table(const audit::Chart& chart);

}  // namespace fluxgate::cli
