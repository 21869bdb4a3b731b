#include "base/clock.hpp"

#include <fmt/chrono.h>

namespace fluxgate {

WallTime SystemClock::now() const { return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()); }

std::chrono::steady_clock::time_point SystemClock::steady() const { return std::chrono::steady_clock::now(); }

std::string format_rfc3339(WallTime time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto micros = (time - seconds).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), micros);
}

}  // namespace fluxgate
