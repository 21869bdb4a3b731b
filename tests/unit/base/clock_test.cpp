#include "base/clock.hpp"

#include <optional>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace std::chrono_literals;

TEST_CASE("times are written as Kubernetes writes MicroTime") {
    struct Row {
        std::string_view name;
        WallTime time;
        std::string_view text;
    };
    const WallTime day = std::chrono::sys_days{std::chrono::year{2026} / 12 / 5};
    const WallTime leap = std::chrono::sys_days{std::chrono::year{2028} / 2 / 29};
    const Row rows[] = {
        {"the epoch", WallTime{}, "1970-01-01T00:00:00.000000Z"},
        {"microseconds", day + 2h + 10min + 123456us, "2026-12-05T02:10:00.123456Z"},
        {"leading zeros of microseconds", day + 7us, "2026-12-05T00:00:00.000007Z"},
        {"a leap day", leap + 23h + 59min + 59s + 999999us, "2028-02-29T23:59:59.999999Z"},
        {"before the epoch", WallTime{} - 1us, "1969-12-31T23:59:59.999999Z"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(format_rfc3339(row.time) == row.text);
    }
}

TEST_CASE("times are read as RFC 3339 writes them, in any zone") {
    const WallTime day = std::chrono::sys_days{std::chrono::year{2026} / 12 / 5};
    struct Row {
        std::string_view text;
        std::optional<WallTime> time;
    };
    const Row rows[] = {
        {"2026-12-05T02:10:00Z", day + 2h + 10min},
        {"2026-12-05t02:10:00z", day + 2h + 10min},
        {"2026-12-05T02:10:00.5Z", day + 2h + 10min + 500ms},
        {"2026-12-05T02:10:00.123456789Z", day + 2h + 10min + 123456us},
        {"2026-12-05T02:10:00+01:30", day + 40min},
        {"2026-12-04T23:10:00-03:00", day + 2h + 10min},
        {"2028-02-29T00:00:00Z", WallTime(std::chrono::sys_days{std::chrono::year{2028} / 2 / 29})},
        {"2026-02-29T00:00:00Z", {}},  // no leap year
        {"2026-13-01T00:00:00Z", {}},
        {"2026-12-32T00:00:00Z", {}},
        {"2026-12-05T24:00:00Z", {}},
        {"2026-12-05T00:60:00Z", {}},
        {"2026-12-05T00:00:60Z", {}},
        {"2026-12-05T00:00:00", {}},  // no zone
        {"2026-12-05T00:00:00.Z", {}},
        {"2026-12-05 00:00:00Z", {}},
        {"2026-12-05", {}},
        {"2026-12-05T00:00:00Z ", {}},
        {"2026-12-05T00:00:00+1:00", {}},
        {"+026-12-05T00:00:00Z", {}},
        {"tomorrow", {}},
        {"", {}},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const auto time = parse_rfc3339(row.text);
        CHECK(time.has_value() == row.time.has_value());
        if (time && row.time) CHECK(*time == *row.time);
    }
}

TEST_CASE("the system clock gives wall time and a steady time that does not go back") {
    const SystemClock clock;
    CHECK(clock.now() > WallTime{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}});
    const auto first = clock.steady();
    CHECK(clock.steady() >= first);
}
