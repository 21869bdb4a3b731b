#pragma once

// Times as people give them, and the flags --from and --to of every command that looks at a part of the log.

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace CLI {
class App;
}

namespace fluxgate::cli {

// A moment: a day (2026-12-05, its first moment in UTC), RFC 3339, or how long before `now` (24h, 7d). Error invalid_argument.
Result<WallTime> moment_of(const std::string& text, WallTime now);

struct PeriodFlags {
    std::string from{};
    std::string to{};
};

// --from TIME, --to TIME.
void add_period(CLI::App& command, PeriodFlags& flags);

// From is in, to is not; nothing: no bound. Error invalid_argument, which names the flag: no time, or not one before the other.
struct Period {
    std::optional<WallTime> from{};
    std::optional<WallTime> to{};

    static Result<Period> parse(const PeriodFlags& flags, WallTime now);
};

}  // namespace fluxgate::cli
