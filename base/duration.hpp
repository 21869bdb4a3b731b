#pragma once

// Durations as people write them in policy files and on command lines, in Go's notation cut down to what both need: 4h, 90m, 1h30m, 45s.

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace fluxgate {

// Whole numbers with h, m and s, each at most once and in this order; more than zero and at most a year. Error invalid_argument.
Result<std::chrono::seconds> parse_duration(std::string_view text);

// "4h", "1h30m", "45s"; "0s".
std::string format_duration(std::chrono::seconds duration);

}  // namespace fluxgate
