#include "cli/audit/period.hpp"

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;

namespace {

WallTime time_of(const char* text) { return parse_rfc3339(text).value(); }

const WallTime kNow = time_of("2026-12-05T12:00:00Z");

}  // namespace

TEST_CASE("a moment is a day, a time, or how long ago") {
    struct Row {
        const char* text;
        const char* moment;
    };
    for (const Row& row : {Row{"2026-11-01", "2026-11-01T00:00:00Z"}, Row{"2024-02-29", "2024-02-29T00:00:00Z"},
                           Row{"2026-12-05T02:10:00Z", "2026-12-05T02:10:00Z"}, Row{"2026-12-05T02:10:00.5Z", "2026-12-05T02:10:00.5Z"},
                           Row{"2026-12-05T02:10:00+01:00", "2026-12-05T01:10:00Z"}, Row{"24h", "2026-12-04T12:00:00Z"},
                           Row{"90m", "2026-12-05T10:30:00Z"}, Row{"7d", "2026-11-28T12:00:00Z"}, Row{"400d", "2025-10-31T12:00:00Z"}}) {
        INFO(row.text);
        CHECK(moment_of(row.text, kNow) == time_of(row.moment));
    }
}

TEST_CASE("what is no moment is refused, with what to give") {
    for (const char* text : {"", "yesterday", "2026-11", "2026-13-01", "2026-11-31", "2026-11-01 00:00", "2026-11-01T00:00:00", "7", "0d",
                             "-7d", "7d ", "36501d", "0h"}) {
        INFO(text);
        const auto moment = moment_of(text, kNow);
        REQUIRE_FALSE(moment.has_value());
        CHECK(moment.error().code == Errc::invalid_argument);
        CHECK_THAT(moment.error().message, Catch::Contains("2026-12-05T02:10:00Z"));
    }
}

TEST_CASE("a period has an end behind its begin, and may be open") {
    const auto open = Period::parse({}, kNow);
    REQUIRE(open.has_value());
    CHECK_FALSE(open->from.has_value());
    CHECK_FALSE(open->to.has_value());
    const auto quarter = Period::parse({"2026-10-01", "2027-01-01"}, kNow);
    REQUIRE(quarter.has_value());
    CHECK(quarter->from == time_of("2026-10-01T00:00:00Z"));
    CHECK(quarter->to == time_of("2027-01-01T00:00:00Z"));

    struct Row {
        const char* from;
        const char* to;
        const char* says;
    };
    for (const Row& row : {Row{"tuesday", "", "--from: "}, Row{"", "tuesday", "--to: "}, Row{"2027-01-01", "2026-10-01", "must be before"},
                           Row{"24h", "1d", "must be before"}}) {
        INFO(row.from << " " << row.to);
        const auto period = Period::parse({row.from, row.to}, kNow);
        REQUIRE_FALSE(period.has_value());
        CHECK_THAT(period.error().message, Catch::Contains(row.says));
    }
}
