#pragma once

// A sign of life in the audit log every minute, with what was answered since the one before: silence becomes evidence, and the sums
// can be compared with the API server's own log. Pure: time and totals come in. One thread.

#include <chrono>
#include <optional>

#include "base/clock.hpp"
#include "cli/events.hpp"
#include "webhook/metrics.hpp"

namespace fluxgate::cli {

class Heartbeat {
public:
    using Steady = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::seconds kInterval{60};

    Heartbeat(WallTime now, Steady steady) : started_(steady), since_(now), next_(steady + kInterval) {}

    // One if it is time for it, by the clock that never jumps.
    std::optional<Event> beat(WallTime now, Steady steady, const webhook::Totals& totals);
    // The last one, for the time that is no whole interval.
    Event last_beat(WallTime now, Steady steady, const webhook::Totals& totals);

private:
    const Steady started_;
    WallTime since_;
    Steady next_;
    webhook::Totals before_{};
};

}  // namespace fluxgate::cli
