#include "audit/used_grants.hpp"

#include "audit/record.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using audit::testing::Folder;

namespace {

constexpr WallTime kNow{std::chrono::microseconds{1'796'436'600'000'000}};

Record use(std::vector<std::string> digests, std::string decision = "allowed", WallTime time = kNow) {
    Record record = audit::testing::record_of("b855796f");
    record.decision = std::move(decision);
    record.time = time;
    for (std::string& digest : digests) record.grants.push_back({"inc", std::move(digest), "T-1", "bob", "git"});
    return record;
}

void write(const Folder& folder, const std::string& name, const std::vector<Record>& records, std::string_view tail = "") {
    std::ofstream stream(folder / name, std::ios::binary);
    for (const Record& record : records) stream << to_json(record, 1) << "\n";
    stream << tail;
}

using Counts = std::map<std::string, std::uint64_t, std::less<>>;

}  // namespace

TEST_CASE("uses of grants are counted from the records of allowed writes") {
    Record quoted = use({});
    quoted.username = R"("grants":[{"digest":"sha256:c"}])";
    struct Row {
        std::string_view name;
        std::vector<Record> records;
        std::string tail;
        Counts counts;
    };
    const Row rows[] = {
        {"nothing yet", {}, "", {}},
        {"a write without a grant", {use({})}, "", {}},
        {"two uses of one", {use({"sha256:a"}), use({}), use({"sha256:a"})}, "", {{"sha256:a", 2}}},
        {"one use of two", {use({"sha256:a", "sha256:b"})}, "", {{"sha256:a", 1}, {"sha256:b", 1}}},
        {"a write that was denied", {use({"sha256:a"}, "denied")}, "", {}},
        {"a use long ago", {use({"sha256:a"}, "allowed", kNow - std::chrono::hours(49)), use({"sha256:b"})}, "", {{"sha256:b", 1}}},
        {"a name that looks like a use", {quoted}, "", {}},
        {"a torn last line", {use({"sha256:a"})}, to_json(use({"sha256:a"}), 2).substr(0, 300), {{"sha256:a", 1}}},
        {"a whole last line without its end", {use({"sha256:a"})}, to_json(use({"sha256:a"}), 2), {{"sha256:a", 1}}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Folder folder;
        write(folder, "records-00000000000000000001.jsonl", row.records, row.tail);
        const auto counts = count_used_grants(folder.path(), kNow - std::chrono::hours(48));
        REQUIRE(counts);
        CHECK(*counts == row.counts);
    }
}

TEST_CASE("files are read back to the first that is too old") {
    const Folder folder;
    write(folder, "records-00000000000000000001.jsonl", {use({"sha256:a"})}, "no record\n");  // must not be read
    write(folder, "records-00000000000000000002.jsonl", {use({"sha256:a"}, "allowed", kNow - std::chrono::hours(50))});
    write(folder, "records-00000000000000000003.jsonl", {});
    write(folder, "records-00000000000000000004.jsonl", {use({"sha256:a"})});
    write(folder, "records-00000000000000000005.jsonl", {use({"sha256:a"})});
    CHECK(count_used_grants(folder.path(), kNow - std::chrono::hours(48)) == Counts{{"sha256:a", 2}});
}

TEST_CASE("what cannot be counted is an error that names its place") {
    struct Row {
        std::string_view name;
        std::string line;
        Errc code;
    };
    const Row rows[] = {
        {"no record", "no record\n", Errc::invalid_json},
        {"no time", "{\"grants\":[]}\n", Errc::missing_field},
        {"a grant without a digest",
         R"({"time":"2026-12-05T02:10:00Z","decision":"allowed","grants":[{}]})"
         "\n",
         Errc::missing_field},
        {"grants that are no list",
         R"({"time":"2026-12-05T02:10:00Z","decision":"allowed","grants":7})"
         "\n",
         Errc::missing_field},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Folder folder;
        write(folder, "records-00000000000000000001.jsonl", {use({})}, row.line);
        const auto counts = count_used_grants(folder.path(), WallTime{});
        REQUIRE_FALSE(counts);
        CHECK(counts.error().code == row.code);
        CHECK(counts.error().where == "records-00000000000000000001.jsonl:2");
    }
    CHECK(count_used_grants("/nowhere/at/all", WallTime{}).error().code == Errc::io);
}
