#include "base/grouped.hpp"

#include <cstdint>

#include "tests/support/catch.hpp"

using namespace fluxgate;

TEST_CASE("a number is read in groups of three") {
    struct Row {
        std::uint64_t number;
        const char* text;
        const char* with_noun;
    };
    for (const Row& row : {Row{0, "0", "0 writes"}, Row{1, "1", "1 write"}, Row{2, "2", "2 writes"}, Row{999, "999", "999 writes"},
                           Row{1'000, "1,000", "1,000 writes"}, Row{123'456, "123,456", "123,456 writes"},
                           Row{UINT64_MAX, "18,446,744,073,709,551,615", "18,446,744,073,709,551,615 writes"}}) {
        CHECK(grouped(row.number) == row.text);
        CHECK(grouped(row.number, "write") == row.with_noun);
    }
}
