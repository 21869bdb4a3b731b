#include "base/utf8.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace fluxgate;

TEST_CASE("a character of UTF-8 has one to four bytes, and what RFC 3629 forbids has none") {
    struct Row {
        const char* name;
        std::string text;
        std::size_t length;
    };
    const std::vector<Row> rows{
        {"nothing", "", 0},
        {"a zero byte", std::string(1, '\0'), 1},
        {"a letter before others", "abc", 1},
        {"the first of two bytes", "\xc2\x80", 2},
        {"the last of two bytes", "\xdf\xbf!", 2},
        {"the first of three bytes", "\xe0\xa0\x80", 3},
        {"the last before the surrogates", "\xed\x9f\xbf", 3},
        {"the last of three bytes", "\xef\xbf\xbf", 3},
        {"the first of four bytes", "\xf0\x90\x80\x80", 4},
        {"the last of all", "\xf4\x8f\xbf\xbf", 4},
        {"a byte that only continues", "\x80", 0},
        {"two bytes for what one holds", "\xc1\xbf", 0},
        {"three bytes for what two hold", "\xe0\x9f\xbf", 0},
        {"four bytes for what three hold", "\xf0\x8f\xbf\xbf", 0},
        {"a surrogate", "\xed\xa0\x80", 0},
        {"beyond U+10FFFF", "\xf4\x90\x80\x80", 0},
        {"a byte that never occurs", "\xff", 0},
        {"two bytes cut", "\xc2", 0},
        {"three bytes cut", "\xe2\x82", 0},
        {"four bytes cut", "\xf0\x9f\x90", 0},
        {"three bytes broken off by a letter",
         "\xe2\x82"
         "a",
         0},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(utf8_length(row.text) == row.length);
    }
}
