#include "snapshots/table.hpp"

#include <vector>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::snapshots;

namespace {

struct Text {
    std::string text;
    std::size_t bytes() const { return text.size(); }
    friend bool operator==(const Text&, const Text&) = default;
};

std::string content(const Table<Text>& table) {
    std::string all;
    table.each([&](const std::string& key, const Text& value) { all += key + "=" + value.text + " "; });
    return all;
}

}  // namespace

TEST_CASE("what a table holds after lists and changes") {
    struct Row {
        const char* name;
        std::vector<const char*> steps;  // "[" a list begins, "]" it ends, "+key=value", "-key"
        std::string content;
        bool complete;
    };
    const std::vector<Row> rows{
        {"nothing yet", {}, "", false},
        {"a list that has not ended", {"[", "+a=1"}, "a=1 ", false},
        {"an empty list", {"[", "]"}, "", true},
        {"a list", {"[", "+a=1", "+b=2", "]"}, "a=1 b=2 ", true},
        {"what comes, changes and goes after the list", {"[", "+a=1", "+b=2", "]", "+c=3", "+a=4", "-b"}, "a=4 c=3 ", true},
        {"what goes twice", {"[", "+a=1", "]", "-a", "-a"}, "", true},
        {"a list anew drops what it does not name", {"[", "+a=1", "+b=2", "]", "[", "+b=2", "]"}, "b=2 ", true},
        {"but only when it has ended", {"[", "+a=1", "+b=2", "]", "[", "+b=2"}, "a=1 b=2 ", true},
        {"a list that breaks off, and another", {"[", "+a=1", "[", "+b=2", "]"}, "b=2 ", true},
        {"what came by the watch is dropped as well", {"[", "]", "+a=1", "[", "]"}, "", true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Table<Text> table("things", Limits{});
        for (const std::string step : row.steps) {
            if (step == "[")
                table.begin_list();
            else if (step == "]")
                table.end_list();
            else if (step[0] == '-')
                table.remove(step.substr(1));
            else
                table.put(step.substr(1, step.find('=') - 1), {step.substr(step.find('=') + 1)});
        }
        CHECK(content(table) == row.content);
        CHECK(table.complete() == row.complete);
        CHECK_FALSE(table.problem());
    }
}

TEST_CASE("a table knows whether anything that it keeps has changed") {
    Table<Text> table("things", Limits{});
    CHECK(table.take_changed());  // the first view has every part
    CHECK_FALSE(table.take_changed());
    table.begin_list();
    table.put("a", {"1"});
    CHECK(table.take_changed());
    table.put("a", {"1"});
    table.end_list();
    CHECK_FALSE(table.take_changed());
    table.put("a", {"2"});
    CHECK(table.take_changed());
    table.remove("b");
    CHECK_FALSE(table.take_changed());
    table.begin_list();
    CHECK_FALSE(table.take_changed());
    table.end_list();
    CHECK(table.take_changed());
}

TEST_CASE("an object that cannot be read is a problem, until a list has ended without it") {
    Table<Text> table("things", Limits{});
    table.begin_list();
    table.pass_over("a is broken");
    table.end_list();
    CHECK(table.problem() == "a is broken");
    table.begin_list();
    table.end_list();
    CHECK_FALSE(table.problem());
}

TEST_CASE("what does not fit is a problem, until a list fits") {
    Limits limits;
    limits.snapshot_entries_max = 2;
    limits.snapshot_bytes_max = 1u << 20;
    const std::string huge(limits.snapshot_bytes_max, 'x');
    const std::string half(limits.snapshot_bytes_max / 2 + 1, 'x');
    const auto list = [](Table<Text>& table, const std::vector<std::pair<std::string, std::string>>& entries) {
        table.begin_list();
        for (const auto& [key, value] : entries) table.put(key, {value});
        table.end_list();
    };
    struct Row {
        const char* name;
        std::vector<std::pair<std::string, std::string>> entries;
        const char* left_out;
    };
    const std::vector<Row> rows{
        {"too many", {{"a", "1"}, {"b", "2"}, {"c", "3"}}, "c"},
        {"one too large", {{"a", huge}, {"b", "2"}}, "a"},
        {"too large together", {{"a", half}, {"b", half}}, "b"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Table<Text> table("things", limits);
        list(table, row.entries);
        REQUIRE(table.problem());
        CHECK(*table.problem() == std::string("things holds more than is kept (2 entries, 1 MiB): ") + row.left_out + " is left out");
        CHECK(table.find(row.left_out) == nullptr);
        list(table, {{"a", "1"}});
        CHECK_FALSE(table.problem());
        CHECK(table.size() == 1);
    }

    Table<Text> table("things", limits);
    list(table, {{"a", "1"}, {"b", "2"}});
    table.put("a", {huge});
    CHECK(table.find("a") == nullptr);  // what it was is no substitute
    CHECK(table.problem());
    table.begin_list();
    CHECK(table.problem());  // not before the list has ended
    table.end_list();
    CHECK_FALSE(table.problem());
    table.put("b", {half});  // the bytes of what has gone are free again
    CHECK(table.find("b") != nullptr);
}
