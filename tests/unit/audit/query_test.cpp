#include "audit/query.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/unit/audit/log_maker.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using audit::testing::event;
using audit::testing::kBegin;
using audit::testing::LogMaker;
using audit::testing::MemoryDisk;
using audit::testing::review;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

TextPattern exactly(const std::string& text) {
    return {.matches = [text](std::string_view found) { return found == text; }, .literal = text, .exact = true};
}
TextPattern beginning(const std::string& text) {
    return {.matches = [text](std::string_view found) { return found.starts_with(text); }, .literal = text, .beginning = text};
}
TextPattern within(const std::string& first, const std::string& last) {
    return {.matches = [=](std::string_view found) { return found.starts_with(first) && found.ends_with(last); },
            .literal = last,
            .beginning = first};
}

// Indexes of what matches.
std::string found(Disk& disk, const Query& query) {
    std::string text;
    const auto matched = run_query(disk, query, [&](const StoredRecord& stored, const Record& record) -> Result<bool> {
        CHECK(matches(query, record));
        text += (text.empty() ? "" : " ") + (stored.index ? std::to_string(*stored.index) : "#" + std::to_string(stored.sequence));
        return true;
    });
    return matched ? text : std::string(to_string(matched.error().code));
}

}  // namespace

TEST_CASE("records are found by what they say") {
    MemoryDisk disk;
    LogMaker log(disk);
    Record bob = review(seconds(1), "allowed");
    bob.username = "bob \"the\" builder";
    bob.drift_case = "case-1";
    Record node = review(seconds(2));
    node.namespace_name = "";
    node.group = "";
    node.resource = "nodes";
    node.name = "web-7";
    node.compliance = {"PCI-DSS 4.0 6.5.1"};
    log.append({event("started"), bob, node});
    log.publish();
    log.append(review(seconds(3)));
    struct Row {
        const char* name;
        Query query;
        std::string found;
    };
    const Row rows[] = {
        {"everything", {}, "0 1 2 #4"},
        {"newest first", {.newest_first = true}, "#4 2 1 0"},
        {"what is published", {.published_only = true}, "0 1 2"},
        {"the first two", {.limit = 2}, "0 1"},
        {"denied", {.verdict = Query::Verdict::denied}, "2 #4"},
        {"allowed", {.verdict = Query::Verdict::allowed}, "1"},
        {"events", {.verdict = Query::Verdict::event}, "0"},
        {"one kind of event", {.event = exactly("started")}, "0"},
        {"a kind of event that is not there", {.event = exactly("stopped")}, ""},
        {"a user", {.user = exactly("alice@example.com")}, "2 #4"},
        {"a user by a pattern", {.user = beginning("alice@")}, "2 #4"},
        {"a user with characters that JSON escapes", {.user = exactly("bob \"the\" builder")}, "1"},
        {"a user by the part before such a character", {.user = beginning("bob ")}, "1"},
        {"a user by a part with such a character", {.user = beginning("bob \"the")}, "1"},
        {"a user by both ends", {.user = within("alice", ".com")}, "2 #4"},
        {"a user by both ends, one with such a character", {.user = within("bob \"the", "builder")}, "1"},
        {"a user by an end that only others have", {.user = within("bob", ".com")}, ""},
        {"a user by what stands in another field", {.user = beginning("production")}, ""},
        {"a namespace", {.namespace_name = exactly("production")}, "1 #4"},
        {"no namespace", {.namespace_name = TextPattern{.matches = [](std::string_view text) { return text.empty(); }}}, "2"},
        {"a resource without its group", {.resource = exactly("deployments")}, "1 #4"},
        {"a resource with its group", {.resource = exactly("deployments.apps")}, "1 #4"},
        {"a name by a pattern", {.name = beginning("web")}, "1 2 #4"},
        {"a rule", {.rule = exactly("only-git")}, "2 #4"},
        {"a rule of a policy", {.rule = exactly("production/only-git")}, "2 #4"},
        {"a rule of another policy", {.rule = exactly("staging/only-git")}, ""},
        {"a compliance tag", {.compliance = beginning("PCI-DSS")}, "2"},
        {"a drift case", {.drift_case = "case-1"}, "1"},
        {"from a time on", {.from = kBegin + seconds(2)}, "2 #4"},
        {"before a time", {.to = kBegin + seconds(2)}, "0 1"},
        {"between two times", {.from = kBegin + seconds(1), .to = kBegin + seconds(2)}, "1"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(disk, row.query) == row.found);
    }
}

TEST_CASE("an interval of a long log is found without reading all of it, also where clocks disagree") {
    MemoryDisk disk;
    LogMaker log(disk);
    std::vector<Record> records;
    for (int i = 0; i < 3'000; ++i) records.push_back(review(std::chrono::minutes(i)));
    std::swap(records[1'500], records[1'540]);  // 40 minutes out of order
    log.append(records);
    log.publish();
    CHECK(first_index_for(disk, kBegin + std::chrono::minutes(2'000)) == 1'792);
    CHECK(first_index_for(disk, kBegin - hours(1)) == 0);
    for (const bool newest_first : {false, true}) {
        INFO(newest_first);
        // Bundles outside of the interval are not even read.
        MemoryDisk damaged(disk);
        *damaged.files[newest_first ? "tile/entries/000" : "tile/entries/010"] = "no bundle";
        const Query query{
            .from = kBegin + std::chrono::minutes(1'500), .to = kBegin + std::chrono::minutes(1'502), .newest_first = newest_first};
        CHECK(found(damaged, query) == (newest_first ? "1540 1501" : "1501 1540"));
    }
}

TEST_CASE("an entry that is no record is an error with its place") {
    MemoryDisk disk;
    LogMaker log(disk);
    log.append(review());
    log.publish();
    std::string bundle;
    add_to_bundle(bundle, "{}");
    disk.files["tile/entries/000.p/1"] = bundle;
    CHECK(found(disk, {.published_only = true}) == to_string(Errc::missing_field));
}
