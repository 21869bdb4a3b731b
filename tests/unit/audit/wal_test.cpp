#include "audit/wal.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

namespace {

constexpr std::size_t kHeader = 32;       // of a segment
constexpr std::size_t kFrameHeader = 28;  // of a frame
const std::string kFirst = "wal/00000000000000000001.wal";

using Payloads = std::vector<std::string>;
using Records = std::map<std::uint64_t, std::string>;

std::unique_ptr<Wal> open_wal(Disk& disk, Wal::Options options = {.segment_bytes = 4'096}) {
    auto wal = Wal::open(disk, options);
    if (!wal) throw std::runtime_error(to_string(wal.error()));
    return std::move(*wal);
}

Result<void> append(Wal& wal, const Payloads& payloads) {
    const std::vector<std::string_view> views(payloads.begin(), payloads.end());
    return wal.append(views);
}

// A log of these batches, its process gone.
void write_log(SimulatedDisk& disk, const std::vector<Payloads>& batches, Wal::Options options = {.segment_bytes = 4'096}) {
    const auto process = disk.start_process();
    const auto wal = open_wal(*process, options);
    for (const Payloads& batch : batches) REQUIRE(append(*wal, batch));
}

void damage(SimulatedDisk& disk, const std::string& path, std::size_t offset, std::size_t bytes = 1) {
    std::string changed = disk.files().at(path);
    for (std::size_t i = 0; i < bytes; ++i) changed[offset + i] = static_cast<char>(changed[offset + i] ^ 0x20);
    disk.overwrite(path, changed);
}

void remove_file(SimulatedDisk& disk, const std::string& path) { REQUIRE(disk.observe()->remove(path)); }

// Segments of two records each: "aa", "bb", …
constexpr Wal::Options kTwoEach{.segment_bytes = kHeader + 2 * (kFrameHeader + 2)};

std::vector<std::string> segments(const SimulatedDisk& disk) {
    std::vector<std::string> names;
    for (const auto& [path, bytes] : disk.files()) {
        if (path.ends_with(".wal")) names.push_back(path.substr(4));
    }
    return names;
}

}  // namespace

TEST_CASE("the bytes of a segment are those of the documented format") {
    SimulatedDisk disk;
    write_log(disk, {{"first", "second"}}, {.segment_bytes = 256});
    const auto files = disk.files();
    REQUIRE(files.size() == 1);
    const std::string& bytes = files.at(kFirst);
    CHECK(bytes.size() == 256);
    CHECK(bytes.substr(0, 24) == std::string("fluxgate wal 1\n\0\x01\0\0\0\0\0\0\0", 24));
    CHECK(bytes.substr(kHeader, 24) == std::string("\xffWAL\x05\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0", 24));
    CHECK(bytes.substr(kHeader + kFrameHeader, 5) == "first");
    CHECK(bytes.substr(kHeader + kFrameHeader + 5, 24) == std::string("\xffWAL\x06\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0", 24));
    CHECK(bytes.substr(kHeader + 2 * kFrameHeader + 5, 6) == "second");
    CHECK(bytes.find_first_not_of('\0', kHeader + 2 * kFrameHeader + 11) == std::string::npos);
}

TEST_CASE("a log is read from any of its records on, over its segments") {
    SimulatedDisk disk;
    write_log(disk, {{"aa"}, {"bb", "cc"}, {"dd", "ee"}}, kTwoEach);
    CHECK(segments(disk).size() == 3);
    const std::vector<std::string> all{"aa", "bb", "cc", "dd", "ee"};
    for (std::uint64_t from = 0; from <= 7; ++from) {
        INFO("from " << from);
        Records wanted;
        for (std::uint64_t sequence = std::max<std::uint64_t>(from, 1); sequence <= 5; ++sequence) wanted[sequence] = all[sequence - 1];
        Records found;
        REQUIRE(read_wal(*disk.observe(), from, [&](std::uint64_t sequence, std::string_view payload) -> Result<void> {
            found.emplace(sequence, payload);
            return {};
        }));
        CHECK(found == wanted);
    }
}

TEST_CASE("who reads can stop, and is told what is missing") {
    SimulatedDisk disk;
    write_log(disk, {{"aa"}, {"bb"}, {"cc"}, {"dd"}}, kTwoEach);
    int read = 0;
    const auto stopped = read_wal(*disk.observe(), 1, [&](std::uint64_t, std::string_view) -> Result<void> {
        ++read;
        return fail(Errc::deadline_exceeded, "enough");
    });
    CHECK(stopped.error().code == Errc::deadline_exceeded);
    CHECK(read == 1);
    remove_file(disk, kFirst);
    const auto missing = read_wal(*disk.observe(), 2, [](std::uint64_t, std::string_view) -> Result<void> { return {}; });
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == Errc::contradictory);
    CHECK(missing.error().message.find("record 2") != std::string::npos);
    CHECK(read_wal(*disk.observe(), 3, [](std::uint64_t, std::string_view) -> Result<void> { return {}; }));
}

TEST_CASE("payloads of any bytes and lengths come back as they were") {
    SimulatedDisk disk;
    const Payloads payloads{"", std::string(1, '\0'), std::string("\xffWAL", 4), std::string(kWalPayloadBytesMax, 'x'), "\xff\xfe"};
    write_log(disk, {payloads}, {.segment_bytes = 100'000});
    Records wanted;
    for (std::size_t i = 0; i < payloads.size(); ++i) wanted[i + 1] = payloads[i];
    CHECK(records_in(disk) == wanted);
    const auto process = disk.start_process();
    const auto wal = open_wal(*process, {.segment_bytes = 100'000});
    const auto too_long = append(*wal, {"fits", std::string(kWalPayloadBytesMax + 1, 'x')});
    REQUIRE_FALSE(too_long.has_value());
    CHECK(too_long.error().code == Errc::invalid_argument);
    CHECK(wal->next_sequence() == 6);
    CHECK(append(*wal, {"next"}));
    CHECK(records_in(disk).at(6) == "next");
}

TEST_CASE("wherever the last record is torn, what was before it stays, what is cut is kept, and the log goes on") {
    const std::string last = "the last record";
    SimulatedDisk whole;
    write_log(whole, {{"first"}, {last}});
    const std::string bytes = whole.files().at(kFirst);
    const std::size_t begin = kHeader + kFrameHeader + 5;
    const std::size_t end = begin + kFrameHeader + last.size();
    for (std::size_t at = begin; at <= end; ++at) {
        INFO("all is zero from " << at << " on");
        SimulatedDisk disk;
        write_log(disk, {{"first"}, {last}});
        disk.overwrite(kFirst, bytes.substr(0, at) + std::string(bytes.size() - at, '\0'));
        const auto process = disk.start_process();
        const auto wal = open_wal(*process);
        const bool kept = at == end;
        CHECK(wal->next_sequence() == (kept ? 3 : 2));
        CHECK(wal->recovered().next_sequence == wal->next_sequence());
        std::string torn = bytes.substr(begin, at - begin);
        torn.resize(torn.find_last_not_of('\0') + 1);
        const std::string cut_file = "wal/cut/00000000000000000001-" + std::to_string(begin) + ".bytes";
        CHECK(wal->recovered().cut == (kept || torn.empty() ? std::nullopt : std::optional(cut_file)));
        CHECK(wal->recovered().cut_bytes == (kept ? 0 : torn.size()));
        if (wal->recovered().cut) CHECK(disk.files().at(cut_file) == torn);
        REQUIRE(append(*wal, {"next"}));
        CHECK(records_in(disk) == (kept ? Records{{1, "first"}, {2, last}, {3, "next"}} : Records{{1, "first"}, {2, "next"}}));
    }
}

TEST_CASE("two tails cut at the same place are both kept") {
    SimulatedDisk disk;
    for (const std::string tail : {"one tail", "another tail"}) {
        write_log(disk, {});
        std::string bytes = disk.files().at(kFirst);
        bytes.replace(kHeader, tail.size(), tail);
        disk.overwrite(kFirst, bytes);
    }
    write_log(disk, {{"first"}});
    const auto files = disk.files();
    CHECK(files.at("wal/cut/00000000000000000001-32.bytes") == "one tail");
    CHECK(files.at("wal/cut/00000000000000000001-32-2.bytes") == "another tail");
    CHECK(records_in(disk) == Records{{1, "first"}});
}

TEST_CASE("a batch that lost some of its records is cut where the first is missing, for none was acknowledged") {
    SimulatedDisk disk;
    write_log(disk, {{"aa"}, {"bb", "cc", "dd"}});
    damage(disk, kFirst, kHeader + 2 * (kFrameHeader + 2) + kFrameHeader);  // in "cc"; "dd" is whole
    const auto process = disk.start_process();
    const auto wal = open_wal(*process);
    CHECK(wal->next_sequence() == 3);
    CHECK(wal->recovered().cut_bytes == 2 * (kFrameHeader + 2));
    REQUIRE(append(*wal, {"ee"}));
    CHECK(records_in(disk) == Records{{1, "aa"}, {2, "bb"}, {3, "ee"}});
}

TEST_CASE("damage that a torn tail cannot be is refused with the place, unless the provable log covers it") {
    struct Row {
        const char* name;
        std::function<void(SimulatedDisk&)> harm;
        std::string where;
        std::uint64_t covered_enough;  // from there on opening is right
        std::uint64_t next_sequence;   // then
    };
    const std::string second = "wal/00000000000000000003.wal";
    const std::string third = "wal/00000000000000000005.wal";
    const std::vector<Row> rows{
        {"a record of the last segment with a later batch behind it",
         [&](SimulatedDisk& disk) { damage(disk, third, kHeader + kFrameHeader); }, third + ", offset 32", 6, 7},
        {"the length of a record with a later batch behind it", [&](SimulatedDisk& disk) { damage(disk, third, kHeader + 4); },
         third + ", offset 32", 6, 7},
        {"the header of the last segment", [&](SimulatedDisk& disk) { damage(disk, third, 17); }, third, 0, 0},
        {"a record of an earlier segment", [&](SimulatedDisk& disk) { damage(disk, second, kHeader + kFrameHeader); },
         second + ", offset 32", 4, 7},
        {"the last record of an earlier segment", [&](SimulatedDisk& disk) { damage(disk, second, kTwoEach.segment_bytes - 1); },
         second + ", offset 62", 4, 7},
        {"the header of an earlier segment", [&](SimulatedDisk& disk) { damage(disk, second, 0); }, second, 4, 7},
        {"an earlier segment cut short",
         [&](SimulatedDisk& disk) { disk.overwrite(second, disk.files().at(second).substr(0, kHeader + 5)); }, second + ", offset 32", 4,
         7},
        {"an earlier segment is gone", [&](SimulatedDisk& disk) { remove_file(disk, second); }, kFirst + ", offset 92", 4, 7},
        {"the first segment is gone", [&](SimulatedDisk& disk) { remove_file(disk, kFirst); }, "wal", 2, 7},
        {"the first two are gone",
         [&](SimulatedDisk& disk) {
             remove_file(disk, kFirst);
             remove_file(disk, second);
         },
         "wal", 4, 7},
    };
    for (const Row& row : rows) {
        for (std::uint64_t covered = 0; covered <= 6; ++covered) {
            INFO(row.name << ", covered up to " << covered);
            SimulatedDisk disk;
            write_log(disk, {{"aa"}, {"bb"}, {"cc"}, {"dd"}, {"ee"}, {"ff"}}, kTwoEach);
            row.harm(disk);
            const auto before = disk.files();
            const auto process = disk.start_process();
            auto options = kTwoEach;
            options.covered = covered;
            const auto wal = Wal::open(*process, options);
            const bool fine = row.covered_enough > 0 && covered >= row.covered_enough;
            REQUIRE(wal.has_value() == fine);
            if (fine) {
                CHECK((*wal)->next_sequence() == row.next_sequence);
                CHECK(append(**wal, {"gg"}));
            } else {
                CHECK(wal.error().code == Errc::contradictory);
                CHECK(wal.error().where == row.where);
                CHECK(wal.error().message.find("from a backup") != std::string::npos);
                CHECK(disk.files() == before);
            }
        }
    }
}

TEST_CASE("a log that lost what the provable log covers goes on behind it") {
    struct Row {
        const char* name;
        std::vector<Payloads> batches;
        std::uint64_t covered;
        std::uint64_t next;
    };
    const std::vector<Row> rows{
        {"nothing is there, nothing is covered", {}, 0, 1},
        {"everything is lost", {}, 41, 42},
        {"the end is lost", {{"aa"}, {"bb"}, {"cc"}}, 7, 8},
        {"exactly what is there is covered", {{"aa"}, {"bb"}, {"cc"}}, 3, 4},
        {"more is there than is covered", {{"aa"}, {"bb"}, {"cc"}}, 2, 4},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        SimulatedDisk disk;
        if (!row.batches.empty()) write_log(disk, row.batches, kTwoEach);
        auto options = kTwoEach;
        options.covered = row.covered;
        for (int start = 0; start < 2; ++start) {
            const auto process = disk.start_process();
            const auto wal = open_wal(*process, options);
            CHECK(wal->next_sequence() == row.next + static_cast<std::uint64_t>(start));
            REQUIRE(append(*wal, {"zz"}));
        }
        std::uint64_t read = 0;
        REQUIRE(read_wal(*disk.observe(), row.next, [&](std::uint64_t, std::string_view) -> Result<void> {
            ++read;
            return {};
        }));
        CHECK(read == 2);
    }
}

TEST_CASE("files of others in the folder are left alone, an unfinished segment is not") {
    SimulatedDisk disk;
    {
        const auto process = disk.start_process();
        REQUIRE(process->make_directory("wal"));
        for (const char* name : {"wal/notes.txt", "wal/1.wal", "wal/0000000000000000000x.wal", "wal/00000000000000000001.wal.new"}) {
            REQUIRE(process->create(name).value()->write_at(0, "mine"));
        }
        REQUIRE(process->make_directory("wal/00000000000000000002.wal"));
    }
    write_log(disk, {{"aa"}});
    write_log(disk, {{"bb"}});
    const auto files = disk.files();
    CHECK(records_in(disk) == Records{{1, "aa"}, {2, "bb"}});
    for (const char* name : {"wal/notes.txt", "wal/1.wal", "wal/0000000000000000000x.wal"}) CHECK(files.at(name) == "mine");
    CHECK_FALSE(files.contains("wal/00000000000000000001.wal.new"));
}

TEST_CASE("only covered segments make room, the oldest first, and no more than needed") {
    struct Row {
        const char* name;
        std::uint64_t covered;
        std::vector<std::string> left;  // after one more batch; empty: refused
    };
    const std::string a = "00000000000000000001.wal";
    const std::string b = "00000000000000000003.wal";
    const std::string c = "00000000000000000005.wal";
    const std::string d = "00000000000000000007.wal";
    const std::vector<Row> rows{
        {"nothing is covered", 0, {}},      {"half of the oldest", 1, {}},
        {"the oldest", 2, {b, c, d}},       {"the oldest and half of the next", 3, {b, c, d}},
        {"more than needed", 4, {b, c, d}}, {"all of it", 6, {b, c, d}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        SimulatedDisk disk;
        auto options = kTwoEach;
        options.disk_bytes_max = 3 * kTwoEach.segment_bytes;
        const auto process = disk.start_process();
        const auto wal = open_wal(*process, options);
        for (const char* payload : {"aa", "bb", "cc", "dd", "ee", "ff"}) REQUIRE(append(*wal, {payload}));
        wal->set_covered(row.covered);
        const auto before = disk.files();
        const auto appended = append(*wal, {"gg"});
        CHECK(appended.has_value() == !row.left.empty());
        if (appended) {
            CHECK(segments(disk) == row.left);
        } else {
            CHECK(appended.error().code == Errc::too_large);
            CHECK(disk.files() == before);
            CHECK(wal->next_sequence() == 7);
            wal->add_other_bytes(-static_cast<std::int64_t>(kTwoEach.segment_bytes));
            CHECK(append(*wal, {"gg"}));
        }
    }
}

TEST_CASE("a log whose folder is full opens, and says so with the first record that needs room") {
    SimulatedDisk disk;
    write_log(disk, {{"aa"}, {"bb"}}, kTwoEach);
    auto options = kTwoEach;
    options.disk_bytes_max = kTwoEach.segment_bytes;
    const auto process = disk.start_process();
    const auto wal = open_wal(*process, options);
    CHECK(wal->make_room_for(0).error().code == Errc::too_large);
    CHECK(append(*wal, {"cc"}).error().code == Errc::too_large);
    wal->set_covered(2);
    // The only segment is the one that says where the sequence stands.
    CHECK(append(*wal, {"cc"}).error().code == Errc::too_large);
    CHECK(records_in(disk).size() == 2);
}

TEST_CASE("room is taken when the log opens: a disk without any is met there") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    disk.at_step(Step::allocate, 1, {.reason = "No space left on device"});
    const auto wal = Wal::open(*process, {});
    REQUIRE_FALSE(wal.has_value());
    CHECK(wal.error().code == Errc::io);
    CHECK(wal.error().message == "No space left on device");
}
