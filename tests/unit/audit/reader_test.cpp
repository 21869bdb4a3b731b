#include "audit/reader.hpp"

#include <functional>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/memory_disk.hpp"
#include "tests/unit/audit/log_maker.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using audit::testing::LogMaker;
using audit::testing::MemoryDisk;
using audit::testing::review;

TEST_CASE("a reader gets every entry in order, again from a kept cursor, and what is published later") {
    MemoryDisk disk;
    LogMaker log(disk);
    const VerifierKey key = log.key().verifier();
    CHECK(read_on(disk, key, {}, 10)->entries.empty());
    log.append(std::vector<Record>(300, review()));
    log.publish();
    Cursor cursor;
    for (std::uint64_t next = 0; next < 300;) {
        const auto read = read_on(disk, key, cursor, 100);
        REQUIRE((read ? "" : to_string(read.error())) == "");
        REQUIRE(read->entries.size() == 100);
        CHECK(read_on(disk, key, cursor, 100)->cursor == read->cursor);
        for (const ReadEntry& entry : read->entries) {
            CHECK(entry.index == next);
            CHECK(entry.text == log.text(next++));
        }
        cursor = read->cursor;
    }
    CHECK(read_on(disk, key, cursor, 100)->entries.empty());
    log.append(review());
    CHECK(read_on(disk, key, cursor, 100)->entries.empty());
    log.publish();
    CHECK(read_on(disk, key, cursor, 100)->entries.size() == 1);
}

TEST_CASE("a reader takes nothing that no checkpoint vouches for, and no other history") {
    struct Row {
        const char* name;
        std::function<void(MemoryDisk&, Cursor&, VerifierKey&)> change;
        Errc code;
    };
    const Row rows[] = {
        {"another key", [](auto&, auto&, auto& key) { key = SignerKey::generate(std::string(testing::kOrigin))->verifier(); },
         Errc::contradictory},
        {"another log", [](auto&, auto& cursor, auto&) { cursor.origin = "elsewhere"; }, Errc::contradictory},
        {"a checkpoint older than the one seen", [](auto&, auto& cursor, auto&) { cursor.size = 400; }, Errc::contradictory},
        {"a history that is not the one seen", [](auto&, auto& cursor, auto&) { cursor.root[0] ^= 1; }, Errc::contradictory},
        {"no checkpoint any more", [](auto& disk, auto&, auto&) { disk.files.erase("checkpoint"); }, Errc::contradictory},
        {"an entry that was changed", [](auto& disk, auto&, auto&) { (*disk.files["tile/entries/000"])[20] ^= 1; }, Errc::contradictory},
        {"entries that were pruned", [](auto& disk, auto&, auto&) { disk.files["minimum-index"] = "256\n"; }, Errc::invalid_argument},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        MemoryDisk disk;
        LogMaker log(disk);
        VerifierKey key = log.key().verifier();
        log.append(std::vector<Record>(200, review()));
        log.publish();
        Cursor cursor = read_on(disk, key, {}, 0)->cursor;
        log.append(std::vector<Record>(100, review()));
        log.publish();
        REQUIRE(read_on(disk, key, cursor, 10).has_value());
        row.change(disk, cursor, key);
        const auto read = read_on(disk, key, cursor, 10);
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code == row.code);
    }
}
