#include "audit/log.hpp"

#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "audit/blobs.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

namespace {

EncodedRecord text_of(const std::string& text) { return {.before = "{\"text\":\"" + text + "\",\"sequence\":", .after = "}", .blob = {}}; }

std::string written(const std::string& text, std::uint64_t sequence) { return text_of(text).text(sequence); }

Result<std::uint64_t> append_text(Log& log, EncodedRecord record) {
    std::promise<Result<std::uint64_t>> promise;
    auto future = promise.get_future();
    log.append(std::move(record), [&promise](Result<std::uint64_t> result) { promise.set_value(std::move(result)); });
    return future.get();
}
Result<std::uint64_t> append_text(Log& log, const std::string& text) { return append_text(log, text_of(text)); }

}  // namespace

TEST_CASE("an appended record is durable when its sequence is told") {
    for (std::uint64_t count = 1; count <= 3; ++count) {
        SimulatedDisk disk(count);
        const auto process = disk.start_process();
        const auto log = Log::open(*process, {}, {}).value();
        std::map<std::uint64_t, std::string> wanted;
        for (std::uint64_t sequence = 1; sequence <= count; ++sequence) {
            CHECK(log->next_sequence() == sequence);
            CHECK(append_text(*log, "r") == sequence);
            wanted.emplace(sequence, written("r", sequence));
        }
        CHECK_FALSE(log->broken());
        disk.lose_power();
        CHECK(records_in(disk) == wanted);
    }
}

TEST_CASE("a log opened again goes on behind its last record") {
    SimulatedDisk disk;
    for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) {
        const auto process = disk.start_process();
        const auto log = Log::open(*process, {}, {}).value();
        CHECK(log->recovered().next_sequence == sequence);
        CHECK(append_text(*log, "r") == sequence);
    }
    CHECK(records_in(disk).size() == 5);
}

TEST_CASE("a record becomes its text under the sequence it gets") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    const auto log = Log::open(*process, {}, {}).value();
    Record record = record_of("first");
    CHECK(append_and_wait(*log, record) == 1u);
    CHECK(append_and_wait(*log, record) == 2u);
    const auto records = records_in(disk);
    CHECK(records.at(1) == encode(record, Limits{}.record_bytes_max).text(1));
    CHECK(records.at(2) == encode(record, Limits{}.record_bytes_max).text(2));
}

TEST_CASE("records that wait share one sync, and a full queue refuses at once") {
    SimulatedDisk disk;
    Gate gate;
    std::atomic<int> acknowledged{0};
    std::atomic<int> refused_at_once{0};
    const auto process = disk.start_process();
    std::uint64_t syncs_before = 0;
    {
        const auto log = Log::open(*process, {}, {.queue_max = 8}).value();
        syncs_before = disk.steps(Step::sync);
        hold_syncs_at(disk, gate);
        const auto count = [&](const Result<std::uint64_t>& result) { acknowledged += result.has_value() ? 1 : 0; };
        log->append(text_of("first"), count);
        gate.wait_for_someone();  // the first one is on its way to the disk, alone
        for (int i = 0; i < 8; ++i) log->append(text_of("waits"), count);
        const auto here = std::this_thread::get_id();
        for (int i = 0; i < 3; ++i) {
            log->append(text_of("too-many"), [&](const Result<std::uint64_t>& result) {
                if (!result && result.error().code == Errc::audit_unavailable && std::this_thread::get_id() == here) ++refused_at_once;
            });
        }
        CHECK(refused_at_once == 3);
        CHECK(acknowledged == 0);
        gate.open();
    }
    CHECK(acknowledged == 9);
    CHECK(disk.steps(Step::sync) - syncs_before == 2);
    CHECK(records_in(disk).size() == 9);
}

TEST_CASE("the end of a log makes durable what waits") {
    SimulatedDisk disk;
    Gate gate;
    std::atomic<int> acknowledged{0};
    std::thread opener;
    const auto process = disk.start_process();
    {
        const auto log = Log::open(*process, {}, {}).value();
        hold_syncs_at(disk, gate);
        for (int i = 0; i < 100; ++i)
            log->append(text_of("r"), [&](const Result<std::uint64_t>& result) { acknowledged += result.has_value() ? 1 : 0; });
        opener = std::thread([&] {
            gate.wait_for_someone();
            gate.open();
        });
    }
    CHECK(acknowledged == 100);
    opener.join();
}

// A life of a log under a fault at each of its steps in turn: small segments, so that it rolls, records with blobs, and batches.
TEST_CASE("whichever step fails, nothing is acknowledged afterwards, everyone is told once, and what was acknowledged is there") {
    const Wal::Options wal{.segment_bytes = 600};
    bool past_the_end = false;
    std::uint64_t points = 0;
    for (std::uint64_t step = 1; !past_the_end; ++step) {
        for (const Failing failing : {Failing::before, Failing::halfway, Failing::after}) {
            for (const char* reason : {"Input/output error", "No space left on device"}) {
                INFO("step " << step << " fails, " << static_cast<int>(failing) << ", " << reason);
                SimulatedDisk disk(step);
                std::atomic<int> broke{0};
                std::map<std::uint64_t, std::string> acknowledged;
                std::set<std::string> blobs;
                int refused = 0;
                const auto process = disk.start_process();
                disk.at_step(step, {.failing = failing, .reason = reason});
                Log::Options options;
                options.on_broken = [&](const Error& error) { broke += error.code == Errc::io ? 1 : 100; };
                if (auto opened = Log::open(*process, wal, std::move(options)); !opened) {
                    CHECK(opened.error().code == Errc::io);
                } else {
                    for (int i = 0; i < 14; ++i) {
                        const std::string text = "record " + std::to_string(i);
                        EncodedRecord record = text_of(text);
                        if (i % 5 == 1) record.blob = "the whole of " + text;
                        const std::string blob = record.blob;
                        const auto result = append_text(**opened, std::move(record));
                        if (!result) {
                            ++refused;
                            CHECK(result.error().code == Errc::audit_unavailable);
                            continue;
                        }
                        CHECK(refused == 0);
                        acknowledged.emplace(*result, written(text, *result));
                        if (!blob.empty()) blobs.insert(blob);
                    }
                    past_the_end = !disk.fault_was_met();
                    CHECK((*opened)->broken() == !past_the_end);
                    opened->reset();
                    CHECK(broke == (past_the_end ? 0 : 1));
                }
                ++points;
                CHECK_FALSE(disk.synced_again_after_a_failure());
                if (step % 2 == 0) disk.lose_power();
                // A start goes on behind what is there.
                const auto next_process = disk.start_process();
                const auto next = Log::open(*next_process, wal, {});
                REQUIRE(next.has_value());
                CHECK(append_text(**next, "after").has_value());
                const auto found = records_in(disk);
                for (const auto& [sequence, text] : acknowledged) CHECK(found.at(sequence) == text);
                std::set<std::string> kept;
                for (const auto& [path, bytes] : disk.files()) kept.insert(bytes);
                for (const std::string& blob : blobs) CHECK(kept.contains(blob));
            }
        }
    }
    CHECK(points > 300);
}

TEST_CASE("the blob of a record is durable before the record is") {
    const std::string blob(3'000, 'b');
    bool past_the_end = false;
    for (std::uint64_t step = 1; !past_the_end; ++step) {
        INFO("the power goes at step " << step);
        SimulatedDisk disk(step);
        const auto process = disk.start_process();
        disk.at_step(step, {.failing = Failing::after, .then = Then::process_dies});
        if (auto log = Log::open(*process, {}, {})) {
            EncodedRecord record = text_of("large");
            record.blob = blob;
            static_cast<void>(append_text(**log, std::move(record)));
        }
        past_the_end = !disk.fault_was_met();
        disk.lose_power();
        const auto observer = disk.observe();
        if (!observer->exists("wal").value() || records_in(*observer).empty()) continue;
        const auto files = disk.files();
        CHECK(std::any_of(files.begin(), files.end(), [&](const auto& file) {
            return file.first.starts_with("blobs/") && !file.first.ends_with(".new") && file.second == blob;
        }));
    }
}

TEST_CASE("who waits behind a failed write is refused too, each once") {
    SimulatedDisk disk;
    Gate gate;
    std::atomic<int> broke{0};
    std::atomic<int> told{0};
    std::atomic<int> acknowledged{0};
    const auto process = disk.start_process();
    {
        Log::Options options;
        options.on_broken = [&](const Error&) { ++broke; };
        const auto log = Log::open(*process, {}, std::move(options)).value();
        hold_syncs_at(disk, gate);
        disk.at_step(Step::sync, 1, {});
        const auto count = [&](const Result<std::uint64_t>& result) {
            ++told;
            acknowledged += result.has_value() ? 1 : 0;
        };
        log->append(text_of("first"), count);
        gate.wait_for_someone();
        for (int i = 0; i < 10; ++i) log->append(text_of("behind"), count);
        gate.open();
    }
    CHECK(broke == 1);
    CHECK(told == 11);
    CHECK(acknowledged == 0);
    CHECK(disk.steps(Step::write) == 2);  // the segment's header, and the first batch
}

TEST_CASE("a log that breaks while it ends still tells everyone") {
    SimulatedDisk disk;
    std::atomic<int> broke{0};
    std::atomic<int> told{0};
    const auto process = disk.start_process();
    {
        Log::Options options;
        options.on_broken = [&](const Error&) { ++broke; };
        const auto log = Log::open(*process, {}, std::move(options)).value();
        disk.at_step(Step::write, 1, {});
        for (int i = 0; i < 5; ++i) log->append(text_of("r"), [&](const Result<std::uint64_t>&) { ++told; });
    }
    CHECK(broke == 1);
    CHECK(told == 5);
}

TEST_CASE("an exception of one caller does not keep the others waiting") {
    SimulatedDisk disk;
    Gate gate;
    const auto process = disk.start_process();
    const auto log = Log::open(*process, {}, {}).value();
    hold_syncs_at(disk, gate);
    log->append(text_of("first"), [](const Result<std::uint64_t>&) { throw std::runtime_error("a mistake"); });
    gate.wait_for_someone();
    log->append(text_of("second"), [](const Result<std::uint64_t>&) { throw 1; });
    gate.open();
    CHECK(append_text(*log, "third") == 3u);
    CHECK_FALSE(log->broken());
}

TEST_CASE("a record that no entry could hold is refused, and the log goes on") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    const auto log = Log::open(*process, {}, {}).value();
    struct Row {
        const char* name;
        std::size_t bytes;
        bool taken;
    };
    for (const Row& row : {Row{"as long as it may be", kWalPayloadBytesMax - 60, true}, Row{"longer", kWalPayloadBytesMax, false}}) {
        INFO(row.name);
        const auto result = append_text(*log, std::string(row.bytes, 'x'));
        CHECK(result.has_value() == row.taken);
        if (!result) CHECK(result.error().code == Errc::audit_unavailable);
    }
    CHECK(append_text(*log, "next") == 2u);
}

TEST_CASE("a folder that is full refuses records, says why, and takes them again when there is room") {
    struct Row {
        const char* name;
        std::function<void(Log&)> make_room;
        bool room;
    };
    const std::vector<Row> rows{
        {"a checkpoint covers the oldest segments", [](Log& log) { log.set_covered(8); }, true},
        {"a checkpoint covers part of a segment only", [](Log& log) { log.set_covered(1); }, false},
        {"others removed something", [](Log& log) { log.add_other_bytes(-1'000); }, true},
        {"others wrote more", [](Log& log) { log.add_other_bytes(1'000); }, false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        SimulatedDisk disk;
        const auto process = disk.start_process();
        {
            auto others = process->create("others").value();
            REQUIRE(others->write_at(0, std::string(1'000, 'o')));
        }
        std::mutex mutex;
        std::vector<std::string> told;  // "" when there is room
        std::promise<void> room_again;
        Log::Options options;
        options.on_room = [&](bool room, const std::string& why) {
            const std::lock_guard lock(mutex);
            told.push_back(room ? std::string() : why);
            if (room) room_again.set_value();
        };
        const auto log = Log::open(*process, {.segment_bytes = 300, .disk_bytes_max = 2'000}, std::move(options)).value();
        Result<std::uint64_t> result = 0;
        std::uint64_t taken = 0;
        while ((result = append_text(*log, "some record of some length"))) taken = *result;
        CHECK(taken >= 6);
        CHECK(result.error().code == Errc::audit_unavailable);
        CHECK(result.error().message.find("2000 bytes") != std::string::npos);
        CHECK_FALSE(log->broken());
        // Refused at once from here on.
        const std::uint64_t steps = disk.steps();
        CHECK_FALSE(append_text(*log, "another"));
        CHECK(disk.steps() == steps);

        row.make_room(*log);
        if (row.room) {
            room_again.get_future().wait();
            CHECK(append_text(*log, "another") == taken + 1);
        }
        const std::lock_guard lock(mutex);
        CHECK(told.size() == (row.room ? 2 : 1));
        CHECK_FALSE(told.front().empty());
    }
}

TEST_CASE("waiting for durable records ends with them, with the time, or with the log") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    const auto log = Log::open(*process, {}, {}).value();
    const auto now = std::chrono::steady_clock::now();
    CHECK_FALSE(log->wait_for_durable_beyond(0, now));
    std::thread writer([&] { static_cast<void>(append_text(*log, "r")); });
    CHECK(log->wait_for_durable_beyond(0, now + std::chrono::seconds(20)));
    writer.join();
    disk.at_step(Step::sync, 1, {});
    CHECK_FALSE(append_text(*log, "r"));
    CHECK_FALSE(log->wait_for_durable_beyond(1, now + std::chrono::hours(1)));
}

TEST_CASE("many threads append at once, and every acknowledged record is there once, under its own sequence") {
    constexpr int kThreads = 8;
    constexpr int kEach = 300;
    Folder folder;
    const auto disk = make_posix_disk(folder.path());
    REQUIRE(disk->take());
    std::mutex mutex;
    std::map<std::uint64_t, std::string> acknowledged;
    {
        const auto log = Log::open(*disk, {.segment_bytes = 20'000}, {.queue_max = 64}).value();
        std::vector<std::thread> threads;
        for (int thread = 0; thread < kThreads; ++thread) {
            threads.emplace_back([&, thread] {
                for (int i = 0; i < kEach; ++i) {
                    const std::string id = std::to_string(thread) + "-" + std::to_string(i);
                    log->append(text_of(id), [&, id](const Result<std::uint64_t>& result) {
                        if (!result) return;
                        std::lock_guard lock(mutex);
                        acknowledged.emplace(*result, written(id, *result));
                    });
                    if (i % 50 == 0) log->set_covered(log->next_sequence() / 2);
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
    }
    CHECK(records_in(*disk) == acknowledged);
    CHECK(acknowledged.size() >= 64);
}
