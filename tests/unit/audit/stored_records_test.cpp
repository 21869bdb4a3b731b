#include "audit/stored_records.hpp"

#include <vector>

#include "audit/published_log.hpp"
#include "audit/record_text.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/unit/audit/log_maker.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using audit::testing::event;
using audit::testing::LogMaker;
using audit::testing::MemoryDisk;
using audit::testing::review;

namespace {

// "0 1 2 #4": indexes, and sequences of what is not published yet.
std::string told(Disk& disk, const RecordRange& range, std::size_t at_most = 10'000) {
    std::string text;
    std::size_t count = 0;
    const auto read = each_record(disk, range, [&](const StoredRecord& stored) -> Result<bool> {
        REQUIRE(sequence_of(stored.text).has_value());
        if (!stored.index) CHECK(*sequence_of(stored.text) == stored.sequence);
        text += (text.empty() ? "" : " ") + (stored.index ? std::to_string(*stored.index) : "#" + std::to_string(stored.sequence));
        return ++count < at_most;
    });
    return read ? text : text + " " + std::string(to_string(read.error().code));
}

std::vector<Record> reviews(std::size_t count) { return std::vector<Record>(count, review()); }

}  // namespace

TEST_CASE("records are told in order: those under the checkpoint, then those of the write-ahead log") {
    struct Row {
        const char* name;
        std::size_t published;
        std::size_t waiting;
        RecordRange range;
        std::size_t at_most;
        std::string told;
    };
    const Row rows[] = {
        {"an empty log", 0, 0, {}, 100, ""},
        {"nothing published yet", 0, 3, {}, 100, "#1 #2 #3"},
        {"all published", 3, 0, {}, 100, "0 1 2"},
        {"some of each", 2, 2, {}, 100, "0 1 #3 #4"},
        {"only what is published", 2, 2, {.published_only = true}, 100, "0 1"},
        {"from an index on", 3, 1, {.first_index = 2}, 100, "2 #4"},
        {"from beyond the published ones", 3, 1, {.first_index = 7}, 100, "#4"},
        {"newest first", 2, 2, {.newest_first = true}, 100, "#4 #3 1 0"},
        {"newest first, published only", 2, 2, {.newest_first = true, .published_only = true}, 100, "1 0"},
        {"newest first, down to an index", 3, 1, {.first_index = 1, .newest_first = true}, 100, "#4 2 1"},
        {"enough in the middle", 3, 2, {}, 2, "0 1"},
        {"enough in the write-ahead log", 2, 3, {}, 3, "0 1 #3"},
        {"enough at the newest", 2, 3, {.newest_first = true}, 1, "#5"},
        {"across bundles", 258, 1, {.first_index = 254}, 100, "254 255 256 257 #259"},
        {"backwards across bundles", 258, 0, {.first_index = 254, .newest_first = true}, 100, "257 256 255 254"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        MemoryDisk disk;
        LogMaker log(disk);
        if (row.published > 0) {
            log.append(reviews(row.published));
            log.publish();
        }
        for (std::size_t i = 0; i < row.waiting; ++i) log.append(review());
        CHECK(told(disk, row.range, row.at_most) == row.told);
    }
}

TEST_CASE("many waiting records are told backwards, each once") {
    MemoryDisk disk;
    LogMaker log(disk);
    log.append(reviews(1'300));
    std::uint64_t expected = 1'300;
    const auto read = each_record(disk, {.newest_first = true}, [&](const StoredRecord& stored) -> Result<bool> {
        CHECK(stored.sequence == expected);
        --expected;
        return true;
    });
    CHECK(read.has_value());
    CHECK(expected == 0);
}

TEST_CASE("pruned records are not told, and a bundle that became full since is found") {
    MemoryDisk disk;
    LogMaker log(disk);
    log.append(reviews(300));
    log.publish();
    log.put("minimum-index", "256\n");
    disk.files.erase("tile/entries/000");
    CHECK(told(disk, {}, 2) == "256 257");
    CHECK(told(disk, {.newest_first = true}).ends_with(" 257 256"));

    const std::string old_checkpoint = log.checkpoint();
    log.append(reviews(300));
    log.publish();
    disk.files.erase("tile/entries/001.p/44");
    disk.files["checkpoint"] = old_checkpoint;
    CHECK(told(disk, {.first_index = 298, .published_only = true}) == "298 299");
}

TEST_CASE("what is published while it is read is told once") {
    for (const bool newest_first : {false, true}) {
        INFO(newest_first);
        MemoryDisk disk;
        LogMaker log(disk);
        log.append(reviews(2));
        log.publish();
        // Segments of 64 KiB: these fill some.
        log.append(reviews(600));
        std::vector<std::uint64_t> sequences;
        const auto read = each_record(disk, {.newest_first = newest_first}, [&](const StoredRecord& stored) -> Result<bool> {
            sequences.push_back(*sequence_of(stored.text));
            if (sequences.size() == 40) {
                log.publish();
                while (disk.files.lower_bound("wal/")->first < std::prev(disk.files.upper_bound("wal/~"))->first)
                    disk.files.erase(disk.files.lower_bound("wal/"));
            }
            return true;
        });
        REQUIRE((read ? "" : to_string(read.error())) == "");
        REQUIRE(sequences.size() == 602);
        for (std::size_t i = 0; i < sequences.size(); ++i) CHECK(sequences[i] == (newest_first ? 602 - i : i + 1));
    }
}

TEST_CASE("what cannot be read is an error with its place") {
    struct Row {
        const char* name;
        std::function<void(MemoryDisk&, LogMaker&)> damage;
        std::string told;
    };
    const Row rows[] = {
        {"no checkpoint where one should be", [](auto& disk, auto&) { disk.files["checkpoint"] = "nonsense"; }, " invalid_argument"},
        {"no bundle", [](auto& disk, auto&) { disk.files["tile/entries/000.p/3"] = "x"; }, " invalid_argument"},
        {"a bundle that is missing", [](auto& disk, auto&) { disk.files.erase("tile/entries/000.p/3"); }, " io"},
        {"a minimum index that is none", [](auto& disk, auto&) { disk.files["minimum-index"] = "07\n"; }, " invalid_argument"},
        {"a record that is neither published nor in the write-ahead log",
         [](auto& disk, auto&) {
             MemoryDisk other;
             LogMaker later(other, 9);
             later.append(review());
             disk.files.erase(disk.files.lower_bound("wal/"));
             disk.files["wal/00000000000000000009.wal"] = *other.files["wal/00000000000000000009.wal"];
         },
         "0 1 2 contradictory"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        MemoryDisk disk;
        LogMaker log(disk);
        log.append(reviews(3));
        log.publish();
        log.append(review());
        row.damage(disk, log);
        CHECK(told(disk, {}) == row.told);
    }
    CHECK(each_record("/nowhere/at/all", {}, [](const StoredRecord&) { return true; }).error().code == Errc::io);
    CHECK(published_size("/nowhere/at/all").error().code == Errc::io);
}

TEST_CASE("an error of the reader is handed on") {
    MemoryDisk disk;
    LogMaker log(disk);
    log.append(reviews(2));
    const auto read = each_record(disk, {}, [](const StoredRecord&) -> Result<bool> { return fail(Errc::overloaded, "no more"); });
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == Errc::overloaded);
}

TEST_CASE("sequence and time are found in the text of a record, whatever strangers write into it") {
    Record record = review(std::chrono::seconds(5));
    const std::string forged = R"(","schema":"fluxgate.dev/record/v2","sequence":9,"time":"2001-01-01T00:00:00.000000Z")";
    record.username = forged;
    record.extra = {{"time", "x"}, {"sequence", "7"}};
    record.violations.front().have = forged;
    const std::string text = encode(record, Limits{}.record_bytes_max).text(4711);
    CHECK(sequence_of(text) == 4711);
    CHECK(time_of(text) == record.time);
    CHECK(time_text_of(text) == format_rfc3339(record.time));
    for (const std::string_view no_record : {"", "{}", "no record", R"({"data":{"schema":"other","sequence":1},"time":7})"}) {
        INFO(no_record);
        CHECK_FALSE(sequence_of(no_record).has_value());
        CHECK_FALSE(time_of(no_record).has_value());
    }
}
