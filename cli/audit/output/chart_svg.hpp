#pragma once

// The charts of an evidence report as SVG. Positions along the time or the amount are percentages and letters keep their size, so that
// one picture fits a telephone, a screen and a sheet of paper. Colours come from the style sheet of the page.

#include <string>

#include "audit/report.hpp"
#include "base/clock.hpp"

namespace fluxgate::cli {

// `within` is the time that the whole width stands for, in charts over time.
std::string chart_svg(const audit::Chart& chart, WallTime from, WallTime to);

// What stands in a style sheet for a tone: "fill-good".
std::string_view fill_class(audit::Tone tone);

}  // namespace fluxgate::cli
