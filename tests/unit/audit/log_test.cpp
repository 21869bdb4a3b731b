#include "audit/log.hpp"

#include <atomic>
#include <set>
#include <thread>

#include "audit/verify.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

namespace {

std::unique_ptr<Log> open_log(const std::filesystem::path& directory, Log::Options options = {}) {
    auto log = Log::open(make_posix_storage(directory), std::move(options));
    REQUIRE(log.has_value());
    return std::move(*log);
}

std::vector<std::string> ids_of(const VerifiedLog& log) {
    std::vector<std::string> ids;
    for (const RecordLine& line : log.lines) ids.push_back(line.id);
    return ids;
}

// A log that holds these records, closed again; the path of its file.
std::filesystem::path log_of(const Folder& folder, const std::vector<std::string>& ids) {
    const auto log = open_log(folder.path());
    for (const std::string& id : ids) REQUIRE(append_and_wait(*log, record_of(id)).has_value());
    return folder / "records-00000000000000000001.jsonl";
}

}  // namespace

TEST_CASE("an appended record is durable when its sequence is told") {
    Disk disk;
    auto log = Log::open(disk.open(), {}).value();
    for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
        CHECK(log->next_sequence() == sequence);
        CHECK(append_and_wait(*log, record_of("r" + std::to_string(sequence))) == sequence);
        disk.lose_power();
        CHECK(disk.text().find("\"r" + std::to_string(sequence) + "\"") != std::string::npos);
    }
    CHECK_FALSE(log->broken());
}

TEST_CASE("a log opened again goes on behind its last record, in a file of its own") {
    Folder folder;
    log_of(folder, {"a", "b"});
    {
        const auto log = open_log(folder.path());
        CHECK(log->next_sequence() == 3);
        CHECK(append_and_wait(*log, record_of("c")) == 3u);
    }
    const auto verified = verify_log(folder.path());
    REQUIRE(verified.has_value());
    CHECK(ids_of(*verified) == std::vector<std::string>{"a", "b", "c"});
    CHECK(std::filesystem::exists(folder / "records-00000000000000000003.jsonl"));
}

TEST_CASE("opening again and again without writing keeps the sequence") {
    Folder folder;
    log_of(folder, {"a"});
    for (int i = 0; i < 12; ++i) open_log(folder.path());
    const auto log = open_log(folder.path());
    CHECK(append_and_wait(*log, record_of("b")) == 2u);
    CHECK(verify_log(folder.path())->records == 2);
}

TEST_CASE("wherever the last record is torn, the prefix stays and the log goes on") {
    Folder whole;
    const std::string text = read_text(log_of(whole, {"a", "b", "c"}));
    const std::size_t last = text.rfind('\n', text.size() - 2) + 1;
    for (std::size_t length = last; length <= text.size(); ++length) {
        INFO("the file is cut to " << length << " of " << text.size() << " bytes");
        Folder folder;
        write_text(folder / "records-00000000000000000001.jsonl", text.substr(0, length));
        const bool kept = length == text.size();
        {
            const auto log = open_log(folder.path());
            CHECK(append_and_wait(*log, record_of("d")) == (kept ? 4u : 3u));
        }
        const auto verified = verify_log(folder.path());
        REQUIRE(verified.has_value());
        CHECK(ids_of(*verified) == (kept ? std::vector<std::string>{"a", "b", "c", "d"} : std::vector<std::string>{"a", "b", "d"}));
        CHECK(verified->torn_tails.size() == (kept || length == last ? 0 : 1));
    }
}

TEST_CASE("a file whose only record is torn is left alone, as often as that happens") {
    Folder folder;
    const std::string text = read_text(log_of(folder, {"a"}));
    const std::string torn = text.substr(0, text.size() / 2);
    write_text(folder / "records-00000000000000000001.jsonl", torn);
    for (int i = 1; i <= 11; ++i) {
        open_log(folder.path());
        write_text(folder / ("records-00000000000000000001-" + std::to_string(i) + ".jsonl"), torn);
    }
    {
        const auto log = open_log(folder.path());
        CHECK(append_and_wait(*log, record_of("b")) == 1u);
    }
    {
        const auto log = open_log(folder.path());
        CHECK(append_and_wait(*log, record_of("c")) == 2u);
    }
    const auto verified = verify_log(folder.path());
    REQUIRE(verified.has_value());
    CHECK(ids_of(*verified) == std::vector<std::string>{"b", "c"});
    CHECK(verified->torn_tails.size() == 12);
}

TEST_CASE("what a killed process left in the page cache is made durable before the log goes on behind it") {
    Disk disk;
    disk.fail_at({Step::sync, 1, Failing::before});
    {
        auto log = Log::open(disk.open(), {}).value();
        CHECK_FALSE(append_and_wait(*log, record_of("written-not-synced")).has_value());
    }
    {
        auto log = Log::open(disk.open(), {}).value();
        CHECK(append_and_wait(*log, record_of("next")) == 2u);
    }
    disk.lose_power();
    CHECK(disk.text().find("written-not-synced") != std::string::npos);
}

TEST_CASE("a folder where the sequence cannot go on is refused with the file") {
    struct Row {
        const char* name;
        std::string last_line;
        Errc code;
    };
    const std::vector<Row> rows{
        {"garbage", "garbage\n", Errc::invalid_json},
        {"zeros that end in a line feed", std::string(512, '\0') + "\n", Errc::invalid_json},
        {"an empty line", "\n", Errc::invalid_json},
        {"another version", "{\"schema\":\"fluxgate.dev/record/v9\"}\n", Errc::unsupported_version},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Folder folder;
        const auto path = log_of(folder, {"a"});
        write_text(path, read_text(path) + row.last_line);
        const auto log = Log::open(make_posix_storage(folder.path()), {});
        REQUIRE_FALSE(log.has_value());
        CHECK(log.error().code == row.code);
        CHECK(log.error().where == path.filename());
    }
}

TEST_CASE("a directory that cannot be used is refused with the reason") {
    Folder folder;
    write_text(folder / "file", "");
    struct Row {
        const char* name;
        std::filesystem::path path;
        Errc code;
    };
    const std::vector<Row> rows{
        {"a file in its place", folder / "file", Errc::io},
        {"no parent", folder / "no/such/parent", Errc::io},
        {"a place nobody can write", "/proc/fluxgate", Errc::io},
        {"an empty path", "", Errc::io},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto log = Log::open(make_posix_storage(row.path), {});
        REQUIRE_FALSE(log.has_value());
        CHECK(log.error().code == row.code);
        CHECK_FALSE(log.error().message.empty());
    }
}

TEST_CASE("a directory belongs to one log at a time") {
    Folder folder;
    {
        const auto log = open_log(folder.path());
        const auto second = Log::open(make_posix_storage(folder.path()), {});
        REQUIRE_FALSE(second.has_value());
        CHECK(second.error().code == Errc::contradictory);
        CHECK(append_and_wait(*log, record_of("a")) == 1u);
    }
    open_log(folder.path());
}

TEST_CASE("files of others in the directory are left alone") {
    Folder folder;
    write_text(folder / "notes.txt", "mine");
    write_text(folder / "records-x.json", "mine");
    std::filesystem::create_directory(folder / "records-99999999999999999999.jsonl.d");
    log_of(folder, {"a"});
    CHECK(verify_log(folder.path())->records == 1);
    CHECK(read_text(folder / "notes.txt") == "mine");
}

TEST_CASE("a full file is followed by the next, without a hole") {
    Folder folder;
    {
        const auto log = open_log(folder.path(), {.file_bytes_max = 1'000});
        for (int i = 1; i <= 20; ++i) REQUIRE(append_and_wait(*log, record_of("r" + std::to_string(i))) == static_cast<std::uint64_t>(i));
    }
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        ++files;
        CHECK(entry.file_size() <= 1'000);
    }
    CHECK(files > 3);
    const auto verified = verify_log(folder.path());
    REQUIRE(verified.has_value());
    CHECK(verified->records == 20);
    CHECK(verified->first_sequence == 1);
    CHECK(verified->last_sequence == 20);
}

TEST_CASE("records that wait share one sync, and a full queue refuses at once") {
    Disk disk;
    Gate gate;
    disk.hold_syncs_at(&gate);
    std::atomic<int> acknowledged{0};
    std::atomic<int> refused_at_once{0};
    {
        auto log = Log::open(disk.open(), {.queue_max = 8}).value();
        const auto count = [&](const Result<std::uint64_t>& written) { acknowledged += written.has_value() ? 1 : 0; };
        log->append(record_of("first"), count);
        gate.wait_for_someone();  // the first one is on its way to the disk, alone
        for (int i = 0; i < 8; ++i) log->append(record_of("waits"), count);
        const auto here = std::this_thread::get_id();
        for (int i = 0; i < 3; ++i) {
            log->append(record_of("too-many"), [&](const Result<std::uint64_t>& written) {
                if (!written && written.error().code == Errc::audit_unavailable && std::this_thread::get_id() == here) ++refused_at_once;
            });
        }
        CHECK(refused_at_once == 3);
        CHECK(acknowledged == 0);
        gate.open();
    }
    CHECK(acknowledged == 9);
    CHECK(disk.syncs() == 2);
    CHECK(disk.text().find("too-many") == std::string::npos);
}

TEST_CASE("the end of a log makes durable what waits") {
    Disk disk;
    Gate gate;
    disk.hold_syncs_at(&gate);
    std::atomic<int> acknowledged{0};
    std::thread opener;
    {
        auto log = Log::open(disk.open(), {}).value();
        for (int i = 0; i < 100; ++i)
            log->append(record_of("r"), [&](const Result<std::uint64_t>& written) { acknowledged += written.has_value() ? 1 : 0; });
        opener = std::thread([&] {
            gate.wait_for_someone();
            gate.open();
        });
    }
    CHECK(acknowledged == 100);
    opener.join();
}

TEST_CASE("no step of opening can fail unseen") {
    for (const Step step : {Step::open_directory, Step::list, Step::last_line, Step::create}) {
        for (const Failing failing : {Failing::before, Failing::after}) {
            INFO("step " << static_cast<int>(step) << ", failing " << static_cast<int>(failing));
            Disk disk;
            {
                auto log = Log::open(disk.open(), {}).value();
                REQUIRE(append_and_wait(*log, record_of("a")) == 1u);
            }
            disk.fail_at({step, 1, failing});
            const auto log = Log::open(disk.open(), {});
            REQUIRE_FALSE(log.has_value());
            CHECK(log.error().code == Errc::io);
            // The next start is not stopped by what this one left behind.
            auto next = Log::open(disk.open(), {});
            REQUIRE(next.has_value());
            CHECK(append_and_wait(**next, record_of("b")) == 2u);
        }
    }
}

TEST_CASE("after the first failed step nothing is acknowledged, everyone is told once, and what was acknowledged is there") {
    struct Row {
        const char* name;
        Disk::Fault fault;
    };
    const std::vector<Row> rows{
        {"the write fails", {Step::append, 5, Failing::before}},
        {"the write fails with half of the bytes written", {Step::append, 5, Failing::halfway}},
        {"the write fails after all bytes were written", {Step::append, 5, Failing::after}},
        {"the sync fails", {Step::sync, 5, Failing::before}},
        {"the sync fails after it took effect", {Step::sync, 5, Failing::after}},
        {"the next file cannot be made", {Step::create, 3, Failing::before}},
        {"the next file cannot be made durable", {Step::create, 3, Failing::after}},
        {"the folder cannot be listed for the next file", {Step::list, 3, Failing::before}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Disk disk;
        std::atomic<int> broke{0};
        std::vector<std::string> acknowledged;
        int refused = 0;
        {
            Log::Options options;
            options.file_bytes_max = 500;
            options.on_broken = [&](const Error& error) { broke += error.code == Errc::io ? 1 : 100; };
            auto log = Log::open(disk.open(), std::move(options)).value();
            disk.fail_at(row.fault);
            for (int i = 0; i < 30; ++i) {
                const std::string id = "r" + std::to_string(i);
                const auto written = append_and_wait(*log, record_of(id));
                if (written) {
                    CHECK(refused == 0);
                    CHECK(*written == acknowledged.size() + 1);
                    acknowledged.push_back(id);
                } else {
                    ++refused;
                    CHECK(written.error().code == Errc::audit_unavailable);
                }
            }
            CHECK(log->broken());
        }
        CHECK(broke == 1);
        CHECK(refused > 0);
        CHECK_FALSE(acknowledged.empty());
        CHECK_FALSE(disk.synced_again_after_a_failure());
        // A start after a loss of power goes on behind what is there.
        disk.lose_power();
        const std::string text = disk.text();
        for (const std::string& id : acknowledged) CHECK(text.find("\"" + id + "\"") != std::string::npos);
        auto next = Log::open(disk.open(), {});
        REQUIRE(next.has_value());
        CHECK((*next)->next_sequence() >= acknowledged.size() + 1);
        CHECK(append_and_wait(**next, record_of("after")).has_value());
    }
}

TEST_CASE("who waits behind a failed write is refused too, each once") {
    Disk disk;
    Gate gate;
    disk.hold_syncs_at(&gate);
    disk.fail_at({Step::sync, 1, Failing::before});
    std::atomic<int> broke{0};
    std::atomic<int> told{0};
    std::atomic<int> acknowledged{0};
    {
        Log::Options options;
        options.on_broken = [&](const Error&) { ++broke; };
        auto log = Log::open(disk.open(), std::move(options)).value();
        const auto count = [&](const Result<std::uint64_t>& written) {
            ++told;
            acknowledged += written.has_value() ? 1 : 0;
        };
        log->append(record_of("first"), count);
        gate.wait_for_someone();
        for (int i = 0; i < 10; ++i) log->append(record_of("behind"), count);
        gate.open();
    }
    CHECK(broke == 1);
    CHECK(told == 11);
    CHECK(acknowledged == 0);
    CHECK(disk.text().find("behind") == std::string::npos);
}

TEST_CASE("a log that breaks while it ends still tells everyone") {
    Disk disk;
    disk.fail_at({Step::append, 1, Failing::before});
    std::atomic<int> broke{0};
    std::atomic<int> told{0};
    {
        Log::Options options;
        options.on_broken = [&](const Error&) { ++broke; };
        auto log = Log::open(disk.open(), std::move(options)).value();
        for (int i = 0; i < 5; ++i) log->append(record_of("r"), [&](const Result<std::uint64_t>&) { ++told; });
    }
    CHECK(broke == 1);
    CHECK(told == 5);
}

TEST_CASE("an exception of one caller does not keep the others waiting") {
    Disk disk;
    Gate gate;
    disk.hold_syncs_at(&gate);
    auto log = Log::open(disk.open(), {}).value();
    log->append(record_of("first"), [](const Result<std::uint64_t>&) { throw std::runtime_error("a mistake"); });
    gate.wait_for_someone();
    log->append(record_of("second"), [](const Result<std::uint64_t>&) { throw 1; });
    gate.open();
    CHECK(append_and_wait(*log, record_of("third")) == 3u);
    CHECK_FALSE(log->broken());
}

TEST_CASE("many threads append at once, and every acknowledged record is there once, under its own sequence") {
    constexpr int kThreads = 8;
    constexpr int kEach = 300;
    Folder folder;
    std::mutex mutex;
    std::map<std::uint64_t, std::string> acknowledged;
    {
        const auto log = open_log(folder.path(), {.queue_max = 64, .file_bytes_max = 20'000});
        std::vector<std::thread> threads;
        for (int thread = 0; thread < kThreads; ++thread) {
            threads.emplace_back([&, thread] {
                for (int i = 0; i < kEach; ++i) {
                    const std::string id = std::to_string(thread) + "-" + std::to_string(i);
                    log->append(record_of(id), [&, id](const Result<std::uint64_t>& written) {
                        if (!written) return;
                        std::lock_guard lock(mutex);
                        acknowledged.emplace(*written, id);
                    });
                    if (i % 50 == 0) static_cast<void>(log->next_sequence());
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
    }
    const auto verified = verify_log(folder.path());
    REQUIRE(verified.has_value());
    CHECK(verified->records == acknowledged.size());
    for (const RecordLine& line : verified->lines) CHECK(acknowledged[line.sequence] == line.id);
    CHECK(verified->records >= 64);
}

TEST_CASE("a record that is too large is made to fit, so that its line stays below the limit") {
    Folder folder;
    {
        const auto log = open_log(folder.path());
        Record record = record_of("large");
        for (int i = 0; i < 10'000; ++i) record.violations.push_back({"production", "limits", ".spec", "(absent)", "a limit", "Deny"});
        REQUIRE(append_and_wait(*log, std::move(record)) == 1u);
    }
    CHECK(std::filesystem::file_size(folder / "records-00000000000000000001.jsonl") <= Limits{}.record_bytes_max + 1);
    CHECK(verify_log(folder.path())->records == 1);
}
