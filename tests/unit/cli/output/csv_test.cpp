#include "cli/output/csv.hpp"

#include <sstream>

#include "tests/support/catch.hpp"

using namespace fluxgate::cli;

TEST_CASE("a cell says what it says and is no formula") {
    struct Row {
        const char* name;
        std::string text, cell;
    };
    const std::vector<Row> rows{
        {"plain", "alice@example.com", "alice@example.com"},
        {"nothing", "", ""},
        {"a comma", "a,b", "\"a,b\""},
        {"quotes", "say \"no\"", "\"say \"\"no\"\"\""},
        {"a line feed", "a\nb", "\"a\nb\""},
        {"a formula", "=1+1", "'=1+1"},
        {"a formula with a comma", "=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""},
        {"plus", "+1", "'+1"},
        {"minus", "-1", "'-1"},
        {"at", "@SUM(1)", "'@SUM(1)"},
        {"a tab", "\t=1", "'\t=1"},
        {"a carriage return", "\r=1", "\"'\r=1\""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(csv_cell(row.text) == row.cell);
    }
}

TEST_CASE("a row ends with CRLF") {
    std::ostringstream out;
    write_csv_row(out, {"a", "b,c", ""});
    CHECK(out.str() == "a,\"b,c\",\r\n");
}
