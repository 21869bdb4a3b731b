#pragma once

// Time comes in through a constructor, so that tests own it. Deciding code takes a time point as a value instead.

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace fluxgate {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

// Any number of threads may ask.
class Clock {
public:
    virtual ~Clock() = default;
    virtual WallTime now() const = 0;                                  // wall time, UTC; may jump
    virtual std::chrono::steady_clock::time_point steady() const = 0;  // never jumps; for deadlines
};

class SystemClock final : public Clock {
public:
    WallTime now() const override;
    std::chrono::steady_clock::time_point steady() const override;
};

// RFC 3339 in UTC with microseconds, as Kubernetes writes MicroTime: 2026-12-05T02:10:00.123456Z.
std::string format_rfc3339(WallTime time);

// RFC 3339 with seconds and any offset: 2026-12-05T02:10:00Z, 2026-12-05T03:10:00.5+01:00. Error invalid_argument.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace fluxgate
