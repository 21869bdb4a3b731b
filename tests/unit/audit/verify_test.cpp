#include "audit/verify.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "audit/signing_key.hpp"
#include "base/digest.hpp"
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
using std::chrono::seconds;

namespace {

// "error name at where", one a line, in order.
std::string findings_of(const Verification& found) {
    std::string text;
    for (const Finding& finding : found.findings.kept()) {
        const bool is_error = finding.level == Finding::Level::error;
        text += fmt::format("{} {} at {}\n", is_error ? "error" : "note", finding.name, finding.where);
    }
    return text;
}

Verification verified(Disk& disk, VerifyOptions options = {}) {
    auto found = verify_log(disk, options);
    REQUIRE((found ? "" : to_string(found.error())) == "");
    return *std::move(found);
}

std::vector<Record> a_day() { return {event("started"), review(seconds(1)), review(seconds(2), "allowed"), event("stopped", seconds(3))}; }

Record with_sequence_gap(const std::string& from, const std::string& to, seconds after) {
    Record gap = event("gap", after);
    gap.facts = {{"from", from}, {"reason", "the disk was lost"}, {"to", to}};
    return gap;
}

Record heartbeat(seconds after, std::uint64_t denied = 0, std::uint64_t repeated = 0, std::uint64_t unrecorded = 0,
                 std::uint64_t without_record = 0) {
    Record record = event("heartbeat", after);
    record.counters = {
        {"exceptionalDenied", denied}, {"repeated", repeated}, {"unrecorded", unrecorded}, {"deniedWithoutRecord", without_record}};
    return record;
}

std::string time_at(seconds after) { return format_rfc3339(kBegin + after); }

SignerKey key_named(std::string_view name) { return *SignerKey::generate(std::string(name)); }

std::string rotation_note(const SignerKey& from, const SignerKey& to) {
    const std::string text =
        fmt::format("fluxgate key rotation\n{}\n{}\n{}\n", from.verifier().name, from.verifier().text(), to.verifier().text());
    return text + "\n" + *from.signature_line(text) + *to.signature_line(text);
}

Record rotation(const SignerKey& from, const SignerKey& to, const std::string& note) {
    Record record = event("signing-key-changed");
    record.facts = {{"from", from.verifier().text()}, {"note", note}, {"to", to.verifier().text()}};
    return record;
}

}  // namespace

TEST_CASE("a whole log is verified, and what it proves is said") {
    MemoryDisk disk;
    LogMaker log(disk);
    log.append(a_day());
    log.publish();
    const std::string older = log.checkpoint();
    log.append({event("started", seconds(4)), review(seconds(5))});
    log.publish();
    log.append(review(seconds(6)));

    const Verification found = verified(disk, {.key = log.key().verifier(), .checkpoints = {{"older", older}}});
    CHECK(findings_of(found) == "note still-running at entry 4\n");
    CHECK(found.good());
    CHECK(found.pinned);
    CHECK(found.key == log.key_text());
    CHECK(found.entries == 6);
    CHECK(found.unpublished == 1);
    CHECK(found.older_checkpoints == 1);
    CHECK(found.totals.denied == 3);
    CHECK(found.totals.allowed == 1);
    CHECK(found.totals.events == 3);
    CHECK(found.totals.replicas == 1);
    CHECK(found.totals.first == kBegin);
    CHECK(found.totals.last == kBegin + seconds(6));
    REQUIRE(found.proves().size() == 2);
    CHECK(found.proves()[0] == "The holder of the key " + log.key_text() + " signed exactly these 6 entries in this order.");
    CHECK(found.leaves_open().back() == "1 record of the write-ahead log is not under a checkpoint yet, so nobody has signed it.");

    const Verification unpinned = verified(disk);
    CHECK(unpinned.good());
    CHECK_FALSE(unpinned.pinned);
    CHECK(unpinned.leaves_open()[0].find("No key from outside") == 0);
}

TEST_CASE("a folder without records, and one where nothing was published yet, are whole") {
    MemoryDisk disk;
    CHECK(findings_of(verified(disk)).empty());
    LogMaker log(disk);
    log.append(a_day());
    const Verification found = verified(disk);
    CHECK(findings_of(found).empty());
    CHECK(found.unpublished == 4);
    CHECK(found.proves().empty());
}

TEST_CASE("the size of a log makes no difference") {
    for (const std::size_t size : {1, 2, 255, 256, 257, 511, 512, 513, 1'000}) {
        INFO(size);
        MemoryDisk disk;
        LogMaker log(disk);
        std::vector<Record> records{event("started")};
        records.resize(size, review());
        log.append(std::move(records));
        log.publish();
        const Verification found = verified(disk);
        CHECK(findings_of(found) == "note still-running at entry 0\n");
        CHECK(found.entries == size);
    }
}

TEST_CASE("what the records do not tell in one story is found") {
    using Records = std::vector<Record>;
    struct Row {
        const char* name;
        Records records;
        std::string findings;
        std::uint64_t first_sequence = 1;
    };
    const auto of_replica = [](Record record, const char* replica) {
        record.replica = replica;
        return record;
    };
    const Row rows[] = {
        {"a start without a stop before it is a crash, which is a note",
         {event("started"), review(), event("started", seconds(9)), event("stopped", seconds(10))},
         "note ended-without-stop at entry 2\n"},
        {"a stop without a start", {event("stopped")}, "error stop-without-start at entry 0\n"},
        {"two stops", {event("started"), event("stopped"), event("stopped")}, "error stop-without-start at entry 2\n"},
        {"a heartbeat of a replica that stopped",
         {event("started"), event("stopped"), heartbeat(seconds(60)), event("stopped", seconds(61))},
         "error heartbeat-without-start at entry 2\n"},
        {"heartbeats in time",
         {event("started"), heartbeat(seconds(60)), heartbeat(seconds(120)), heartbeat(seconds(270)), event("stopped", seconds(300))},
         ""},
        {"silence between heartbeats",
         {event("started"), heartbeat(seconds(60)), heartbeat(seconds(211)), event("stopped", seconds(212))},
         "error silence at entry 2\n"},
        {"silence before the stop", {event("started"), event("stopped", seconds(151))}, "error silence at entry 1\n"},
        {"silence that a gap record owns up to",
         {event("started"), heartbeat(seconds(1'000)), with_sequence_gap(time_at(seconds(0)), time_at(seconds(1'000)), seconds(1'001)),
          event("stopped", seconds(1'002))},
         "note gap-recorded at entry 2\nnote silence at entry 1\n"},
        {"a gap record of another time explains nothing",
         {event("started"), heartbeat(seconds(1'000)), with_sequence_gap(time_at(seconds(500)), time_at(seconds(600)), seconds(1'001)),
          event("stopped", seconds(1'002))},
         "note gap-recorded at entry 2\nerror silence at entry 1\n"},
        {"time that passes between a crash and the next start is no silence",
         {event("started"), event("started", seconds(9'000)), event("stopped", seconds(9'001))},
         "note ended-without-stop at entry 1\n"},
        {"denials that heartbeats counted and that are there",
         {event("started"), review(), heartbeat(seconds(60), 1), heartbeat(seconds(120)), event("stopped", seconds(121))},
         ""},
        {"a denial that is there by the next heartbeat",
         {event("started"), heartbeat(seconds(60), 1), review(seconds(61)), heartbeat(seconds(120)), event("stopped", seconds(121))},
         ""},
        {"a denial that was counted and never recorded",
         {event("started"), heartbeat(seconds(60), 1), heartbeat(seconds(120)), event("stopped", seconds(121))},
         "error denials-missing at entry 2\n"},
        {"denials of dry runs, which leave no record",
         {event("started"), heartbeat(seconds(60), 3, 0, 0, 3), heartbeat(seconds(120)), event("stopped", seconds(121))},
         ""},
        {"denials that were counted as repeats, or as what could not be kept",
         {event("started"), heartbeat(seconds(60), 2, 1, 1), heartbeat(seconds(120)), event("stopped", seconds(121))},
         ""},
        {"an epoch that begins in the middle",
         {event("started"), event("epoch-begun"), event("stopped", seconds(1))},
         "error epoch-inside at entry 1\n"},
        {"records of several replicas, each with its own sequence",
         {of_replica(event("started"), "a"), of_replica(event("stopped"), "a")},
         ""},
        {"a log whose first records are gone", {event("started"), event("stopped")}, "error records-missing at entry 0\n", 3},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        MemoryDisk disk;
        LogMaker log(disk, row.first_sequence);
        log.append(row.records);
        log.publish();
        const Verification found = verified(disk);
        CHECK(findings_of(found) == row.findings);
        CHECK(found.as_signed() == (row.findings.find("error epoch-inside") == std::string::npos));
    }
}

TEST_CASE("what was pruned is not held against a later part of a log") {
    struct Row {
        const char* name;
        std::vector<Record> records;
        std::string findings;
    };
    const Row rows[] = {
        {"it begins with a request", {review(), heartbeat(seconds(60)), event("stopped", seconds(61))}, ""},
        {"it begins with a request before a stop", {review(), event("stopped", seconds(61))}, ""},
        {"it begins with a heartbeat", {heartbeat(seconds(60)), heartbeat(seconds(120)), event("stopped", seconds(121))}, ""},
        {"it begins behind denials that the first heartbeat counted",
         {review(), heartbeat(seconds(60), 7), heartbeat(seconds(120)), event("stopped", seconds(121))},
         ""},
        {"a denial that a later heartbeat counted was never recorded",
         {heartbeat(seconds(60), 7), heartbeat(seconds(120), 1), heartbeat(seconds(180)), event("stopped", seconds(181))},
         "error denials-missing at entry 20\n"},
        {"it begins with a request, and a stopped replica goes on",
         {review(), event("stopped", seconds(1)), heartbeat(seconds(60)), event("stopped", seconds(61))},
         "error heartbeat-without-start at entry 20\n"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Verification found;
        RecordStory story(
            false, [](std::string_view) -> Result<bool> { return true; }, found.findings);
        std::uint64_t index = 18;
        for (Record record : row.records) {
            record.sequence = index;
            story.add(record, index++);
        }
        story.finish();
        CHECK(findings_of(found) == row.findings);
    }
}

TEST_CASE("what was changed is not called incomplete") {
    Verification found;
    found.checkpoint = Checkpoint{};
    found.key = "log+key";
    CHECK(found.as_signed());
    found.findings.error("silence", "", "entry 1");
    found.findings.note("wal-tail", "", "wal");
    CHECK(found.as_signed());
    Verification changed = found;
    changed.findings.error("entry-not-in-tree", "", "entry 2");
    CHECK_FALSE(changed.as_signed());
    Verification unknown = found;
    unknown.key = "";
    CHECK_FALSE(unknown.as_signed());
    Verification unpublished = found;
    unpublished.checkpoint.reset();
    CHECK_FALSE(unpublished.as_signed());
    Verification more_than_is_kept = found;
    for (int i = 0; i < 1'000; ++i) more_than_is_kept.findings.error("silence", "", "entry 1");
    CHECK_FALSE(more_than_is_kept.as_signed());
}

TEST_CASE("a run whose beginning was pruned is taken as it is, and the next one is not") {
    Findings findings(10);
    RecordStory story(
        false, [](std::string_view) -> Result<bool> { return true; }, findings);
    std::uint64_t sequence = 300;
    for (Record record : {review(), heartbeat(seconds(60), 250), heartbeat(seconds(120)), event("stopped", seconds(121)),
                          event("started", seconds(130)), heartbeat(seconds(190), 1), heartbeat(seconds(250))}) {
        record.sequence = sequence;
        story.add(record, sequence++);
    }
    story.finish();
    REQUIRE(findings.kept().size() == 2);
    CHECK(findings.kept()[0].name == "denials-missing");
    CHECK(findings.kept()[0].where == "entry 306");
    CHECK(findings.kept()[1].name == "still-running");
}

TEST_CASE("sequences have no hole, for each replica") {
    struct Line {
        const char* replica;
        std::uint64_t sequence;
    };
    struct Row {
        const char* name;
        bool from_the_start;
        std::vector<Line> lines;
        std::string findings;
    };
    const Row rows[] = {
        {"one replica", true, {{"a", 1}, {"a", 2}, {"a", 3}}, ""},
        {"one write-ahead log that another replica takes over", true, {{"a", 1}, {"a", 2}, {"b", 3}, {"b", 4}}, ""},
        {"two write-ahead logs in one", true, {{"a", 1}, {"b", 1}, {"a", 2}, {"b", 2}, {"b", 3}, {"a", 3}}, ""},
        {"a later part of a log", false, {{"a", 18}, {"a", 19}}, ""},
        {"a later part of two write-ahead logs", false, {{"a", 900}, {"b", 500}, {"a", 901}, {"b", 501}}, ""},
        {"a later part of two, of which the second is ahead", false, {{"a", 500}, {"b", 900}, {"b", 901}, {"a", 501}}, ""},
        {"a later part of two, where one has a hole",
         false,
         {{"a", 900}, {"b", 500}, {"a", 901}, {"b", 502}},
         "error records-missing at entry 3\n"},
        {"a later part in which another replica takes over behind a hole",
         false,
         {{"a", 18}, {"b", 20}, {"b", 21}},
         "error records-missing at entry 1\n"},
        {"a later part in which another replica takes over and goes back",
         false,
         {{"a", 18}, {"b", 18}, {"b", 19}},
         "error sequence-repeated at entry 1\n"},
        {"a record is missing", true, {{"a", 1}, {"a", 3}}, "error records-missing at entry 1\n"},
        {"the first ones are missing", true, {{"a", 3}, {"a", 4}}, "error records-missing at entry 0\n"},
        {"a record of the other replica is missing", true, {{"a", 1}, {"b", 1}, {"a", 2}, {"b", 3}}, "error records-missing at entry 3\n"},
        {"a replica that begins late", true, {{"a", 1}, {"b", 7}}, "error records-missing at entry 1\n"},
        {"a record comes twice", true, {{"a", 1}, {"a", 2}, {"a", 2}}, "error sequence-repeated at entry 2\n"},
        {"two records are exchanged",
         true,
         {{"a", 1}, {"a", 3}, {"a", 2}, {"a", 4}},
         "error records-missing at entry 1\nerror sequence-repeated at entry 2\nerror records-missing at entry 3\n"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Verification found;
        RecordStory story(
            row.from_the_start, [](std::string_view) -> Result<bool> { return true; }, found.findings);
        for (std::size_t i = 0; i < row.lines.size(); ++i) {
            Record record = review(seconds(i));
            record.replica = row.lines[i].replica;
            record.sequence = row.lines[i].sequence;
            story.add(record, i);
        }
        story.finish();
        CHECK(findings_of(found) == row.findings);
    }
    // A hole that a gap record owns up to.
    Verification found;
    RecordStory story(
        true, [](std::string_view) -> Result<bool> { return true; }, found.findings);
    for (const std::uint64_t sequence : {1, 2, 9}) {
        Record record = sequence == 9 ? with_sequence_gap("3", "8", seconds(9)) : review();
        record.sequence = sequence;
        story.add(record, sequence);
    }
    story.finish();
    CHECK(findings_of(found) == "note gap-recorded at entry 9\nnote records-missing at entry 9\n");
    // No gap explains a record that comes twice.
    Verification repeated;
    RecordStory twice(
        true, [](std::string_view) { return true; }, repeated.findings);
    std::uint64_t index = 0;
    for (const std::uint64_t sequence : {1, 1, 2}) {
        Record record = index == 2 ? with_sequence_gap("1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z", seconds(9)) : review();
        record.sequence = sequence;
        twice.add(record, index++);
    }
    twice.finish();
    CHECK(findings_of(repeated) == "note gap-recorded at entry 2\nerror sequence-repeated at entry 1\n");
}

TEST_CASE("blobs that records name must be there, with the bytes of their digest") {
    MemoryDisk disk;
    LogMaker log(disk);
    const std::string set = *store_blob(disk, "the policy set");
    Record with_set = review();
    with_set.policy_set = set;
    Record large = review();
    large.user_uid = std::string(60'000, 'u');
    log.append({event("started"), with_set, large, with_set, event("stopped")});
    log.publish();
    CHECK(findings_of(verified(disk)).empty());
    CHECK(verified(disk).blobs == 2);

    MemoryDisk without(disk);
    std::string paths;
    for (auto file = without.files.begin(); file != without.files.end();) {
        const bool is_blob = file->first.starts_with("blobs/");
        file = is_blob ? without.files.erase(file) : std::next(file);
    }
    CHECK(findings_of(verified(without)) == "error blob-missing at entry 1\nerror blob-missing at entry 2\n");

    const std::string path = *blob_path(set);
    *disk.files[path] = "another policy set";
    disk.files["blobs/no-blob"] = "x";
    CHECK(findings_of(verified(disk)) == "error blob-differs at " + path + "\nerror unexpected-file at blobs/no-blob\n");
}

TEST_CASE("keys: pinned, changed in the log, or none of those") {
    const SignerKey first = key_named(testing::kOrigin);
    const SignerKey second = key_named(testing::kOrigin);
    const SignerKey third = key_named(testing::kOrigin);
    const SignerKey stranger = key_named("elsewhere");
    const std::string good_note = rotation_note(first, second);
    struct Row {
        const char* name;
        std::vector<Record> rotations;
        const SignerKey& signer;
        const SignerKey* pinned;
        std::string findings;
        bool is_pinned;
    };
    const Row rows[] = {
        {"nobody pins a key", {}, first, nullptr, "", false},
        {"the pinned key signs", {}, first, &first, "", true},
        {"the pinned key named the one that signs now", {rotation(first, second, good_note)}, second, &first, "", true},
        {"the key that signs now is pinned", {rotation(first, second, good_note)}, second, &second, "", true},
        {"the pinned key named one that named another",
         {rotation(first, second, good_note), rotation(second, third, rotation_note(second, third))},
         third,
         &first,
         "",
         true},
        {"another key signs than the pinned one", {}, second, &first, "error key-not-pinned at checkpoint\n", false},
        {"the pinned key is of another log", {}, first, &stranger, "error key-not-pinned at checkpoint\n", false},
        {"a key is named that does not sign then",
         {rotation(first, second, good_note)},
         first,
         nullptr,
         "error rotation-not-chained at checkpoint\n",
         false},
        {"a statement that is not signed",
         {rotation(first, second, "no note")},
         second,
         nullptr,
         "error rotation-invalid at entry 0\n",
         false},
        {"a statement about other keys",
         {rotation(first, third, good_note)},
         second,
         nullptr,
         "error rotation-invalid at entry 0\n",
         false},
        {"a rotation from a key that did not sign before",
         {rotation(first, second, good_note), rotation(first, third, rotation_note(first, third))},
         third,
         nullptr,
         "error rotation-not-chained at entry 1\n",
         false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        MemoryDisk disk;
        LogMaker log(disk);
        log.use_key(row.signer);
        std::vector<Record> records = row.rotations;
        records.push_back(event("retention-applied"));
        log.append(records);
        log.publish();
        VerifyOptions options;
        if (row.pinned) options.key = row.pinned->verifier();
        const Verification found = verified(disk, options);
        CHECK(findings_of(found) == row.findings);
        CHECK(found.pinned == row.is_pinned);
    }
}

TEST_CASE("an older checkpoint must be the beginning of the log") {
    MemoryDisk disk;
    LogMaker log(disk);
    log.append(a_day());
    log.publish();
    const std::string older = log.checkpoint();
    log.append(std::vector<Record>(300, review()));
    log.publish();
    const std::string newest = log.checkpoint();
    const Hash wrong{};
    struct Row {
        const char* name;
        std::string note;
        std::string findings;
    };
    const SignerKey stranger = key_named(testing::kOrigin);
    const Row rows[] = {
        {"one that was published", older, ""},
        {"the newest", newest, ""},
        {"one over nothing", *sign_checkpoint(0, empty_root(), log.key()), ""},
        {"another history", *sign_checkpoint(4, wrong, log.key()), "error older-checkpoint-inconsistent at older\n"},
        {"a longer history", *sign_checkpoint(400, wrong, log.key()), "error older-checkpoint-longer at older\n"},
        {"another log", *sign_checkpoint(4, wrong, key_named("elsewhere")), "error older-checkpoint-other-log at older\n"},
        {"another key", *sign_checkpoint(0, empty_root(), stranger), "error older-checkpoint-signature at older\n"},
        {"no checkpoint", "no checkpoint", "error older-checkpoint-invalid at older\n"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(findings_of(verified(disk, {.checkpoints = {{"older", row.note}}})) == row.findings);
    }
    MemoryDisk empty;
    CHECK(findings_of(verified(empty, {.checkpoints = {{"older", older}}})) == "error older-checkpoint-lost at older\n");
}
