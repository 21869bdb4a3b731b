#include "base/duration.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate;

TEST_CASE("durations are read as people write them") {
    const std::pair<std::string_view, int> rows[] = {{"4h", 14'400},    {"90m", 5'400},          {"1h30m", 5'400}, {"45s", 45},
                                                     {"1h0m1s", 3'601}, {"8784h", 366 * 86'400}, {"24h", 86'400}};
    for (const auto& [text, seconds] : rows) {
        INFO(text);
        CHECK(parse_duration(text) == std::chrono::seconds(seconds));
    }
    for (const std::string_view text : {"", "4", "h", "4 h", "4h ", "-4h", "+4h", "30m1h", "1h1h", "1.5h", "4d", "4H", "0h", "8785h",
                                        "99999999999999999999h", "2562047788015216h"}) {
        INFO(text);
        CHECK_FALSE(parse_duration(text));
    }
}

TEST_CASE("durations are written in the units they fill") {
    const std::pair<int, std::string_view> rows[] = {{0, "0s"},      {45, "45s"},     {5'400, "1h30m"},
                                                     {14'400, "4h"}, {3'601, "1h1s"}, {86'400, "24h"}};
    for (const auto& [seconds, text] : rows) CHECK(format_duration(std::chrono::seconds(seconds)) == text);
}
