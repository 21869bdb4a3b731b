// What the audit log costs on the disk it is on: `make bench` runs it.
//
//   bench_audit DIRECTORY    a table for people, then one line of JSON for each figure; works in a new folder in DIRECTORY
//
// Everything is measured against the same disk in the same run, in turns, because disks are noisy and ratios are what holds elsewhere. A
// writer here is a request that waits for its record: 64 of them are 64 records in flight, made by one thread as an event loop makes them.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <stdlib.h>

#include "audit/disk.hpp"
#include "audit/log.hpp"
#include "audit/publisher.hpp"
#include "audit/record.hpp"
#include "audit/signing_key.hpp"

namespace {

using namespace fluxgate;
using namespace fluxgate::audit;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRecordBytes = 1'500;
constexpr int kRounds = 8;
constexpr std::chrono::milliseconds kTurn{500};
constexpr std::ptrdiff_t kWriters = 64;
// A segment of the write-ahead log is full about then, so that all fillings of one are in the mean.
constexpr int kPublishedPerSecond = 1'000;
constexpr std::chrono::seconds kPublishing{12};

[[noreturn]] void give_up(const Error& error) {
    std::fprintf(stderr, "bench_audit: %s\n", to_string(error).c_str());
    std::exit(1);
}

template <class T>
T must(Result<T> result) {
    if (!result) give_up(result.error());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// The latencies of one way to write, over all its turns.
struct Series {
    std::vector<double> us{};
    double seconds = 0;

    double per_second() const { return static_cast<double>(us.size()) / seconds; }
    double percentile(double share) {
        std::sort(us.begin(), us.end());
        return us[std::min(us.size() - 1, static_cast<std::size_t>(share * static_cast<double>(us.size())))];
    }
};

double us_since(Clock::time_point start) { return std::chrono::duration<double, std::micro>(Clock::now() - start).count(); }

// What the log does with the disk for one record, and nothing else.
void raw_turn(Disk& disk, int round, Series& series) {
    const std::string path = "raw-" + std::to_string(round);
    const auto file = must(disk.create(path));
    must(file->allocate(16u << 20));
    must(file->sync());
    const std::string bytes(kRecordBytes, 'x');
    const auto start = Clock::now();
    for (std::uint64_t offset = 0; Clock::now() - start < kTurn; offset += bytes.size()) {
        const auto one = Clock::now();
        must(file->write_at(offset, bytes));
        must(file->sync());
        series.us.push_back(us_since(one));
    }
    series.seconds += us_since(start) / 1e6;
    must(disk.remove(path));
}

using AppendOne = std::function<void(Log::Done)>;

void log_turn(std::ptrdiff_t writers, const AppendOne& append, Series& series) {
    std::counting_semaphore<kWriters> free(writers);
    const auto start = Clock::now();
    while (Clock::now() - start < kTurn) {
        free.acquire();
        append([&, one = Clock::now()](const Result<std::uint64_t>& written) {  // always on the log's thread
            if (!written) give_up(written.error());
            series.us.push_back(us_since(one));
            free.release();
        });
    }
    for (std::ptrdiff_t i = 0; i < writers; ++i) free.acquire();
    series.seconds += us_since(start) / 1e6;
}

// A denial as a server records it.
Record denial() {
    Record record;
    record.id = "0b6f3c0e-6a3e-4c5e-9d0c-7c1f1c8a5b11";
    record.time = WallTime{std::chrono::microseconds{1'796'436'600'123'456}};
    record.decision = "denied";
    record.write_class = "exceptional";
    record.operation = "UPDATE";
    record.group = "apps";
    record.version = "v1";
    record.resource = "deployments";
    record.kind = "Deployment";
    record.namespace_name = "production";
    record.name = "web";
    record.username = "alice@example.com";
    record.groups = {"system:authenticated", "developers"};
    record.assurance = "certificate";
    record.owner = "Kustomization flux-system/apps";
    record.policy_set = "sha256:" + std::string(64, 'a');
    record.cluster = "prod-we-1";
    record.replica = "fluxgate-0";
    for (int i = 0; i < 3; ++i)
        record.violations.push_back(
            {"production", "only-git", ".spec.template.spec.containers[0].resources.limits.memory", "9Gi", "4Gi", "Deny"});
    return record;
}

// How busy a core is with signed checkpoints, one a second, while so many records arrive: the processor time of the publisher's thread.
double publisher_share_of_a_core(const std::string& folder) {
    const auto thread_seconds = [] {
        std::timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    };
    const auto disk = make_posix_disk(folder + "/published");
    must(disk->take());
    double begun = 0;
    double busy = 0;
    std::uint64_t published = 0;
    constexpr auto kRecords = static_cast<std::uint64_t>(kPublishedPerSecond * kPublishing.count());
    {
        const auto log = must(Log::open(*disk, {}, {}));
        Publisher::Options options;
        options.on_checkpoint = [&](const Checkpoint& checkpoint) {  // always on the publisher's thread
            if (checkpoint.size == 0) begun = thread_seconds();
            busy = thread_seconds() - begun;
            published = checkpoint.size;
        };
        options.on_broken = [](const Error& error) { give_up(error); };
        const Publisher publisher(*disk, *log, must(SigningKey::open_or_make(folder + "/published.key", "bench/audit/1")), options);
        const Record record = denial();
        std::latch written(kRecords);
        const auto start = Clock::now();
        for (std::uint64_t i = 0; i < kRecords; ++i) {
            std::this_thread::sleep_until(start + std::chrono::microseconds(1'000'000 * i / kPublishedPerSecond));
            log->append(record, [&](const Result<std::uint64_t>& one) {
                if (!one) give_up(one.error());
                written.count_down();
            });
        }
        written.wait();
    }
    if (published != kRecords) give_up({Errc::internal, "the publisher left records out", folder});
    return busy / std::chrono::duration<double>(kPublishing).count();
}

void print_row(const char* what, Series& series, const char* goal) {
    std::printf("%-44s%12.0f/s%10.0f us%10.0f us   %s\n", what, series.per_second(), series.percentile(0.5), series.percentile(0.99), goal);
}

void print_figure(const char* name, double value, const char* unit, const char* goal = nullptr) {
    std::printf(R"({"bench":"audit/%s","value":%.2f,"unit":"%s")", name, value, unit);
    if (goal) std::printf(R"(,"goal":"%s")", goal);
    std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: bench_audit DIRECTORY\n");
        return 2;
    }
    std::string folder = std::string(argv[1]) + "/fluxgate-bench-XXXXXX";
    if (!::mkdtemp(folder.data())) {
        std::fprintf(stderr, "bench_audit: cannot make a folder in %s\n", argv[1]);
        return 2;
    }
    const auto disk = make_posix_disk(folder);
    must(disk->take());
    Series raw;
    Series single;
    Series together;
    Series encoded;
    {
        // As a server under a budget: old segments go, so that a long run does not fill the disk.
        const auto log = must(Log::open(*disk, {.disk_bytes_max = 512u << 20}, {}));
        const EncodedRecord text{.before = std::string(kRecordBytes - 20, 'x'), .after = std::string(10, 'x'), .blob = {}};
        const Record record = denial();
        const AppendOne append_text = [&](Log::Done done) { log->append(text, std::move(done)); };
        const AppendOne append_record = [&](Log::Done done) { log->append(record, std::move(done)); };
        for (int round = 0; round < kRounds; ++round) {
            raw_turn(*disk, round, raw);
            log_turn(1, append_text, single);
            log_turn(kWriters, append_text, together);
            log_turn(kWriters, append_record, encoded);
            log->set_covered(log->next_sequence() - 1);
        }
    }
    const double publishing = publisher_share_of_a_core(folder);
    std::filesystem::remove_all(folder);

    const double ratio = together.per_second() / single.per_second();
    const double tail = single.percentile(0.99) / raw.percentile(0.99);
    std::printf("%zu bytes a record, %d turns of %lld ms each, in %s\n\n", kRecordBytes, kRounds, static_cast<long long>(kTurn.count()),
                argv[1]);
    std::printf("%-44s%14s%13s%13s   %s\n", "WHAT", "RECORDS", "P50", "P99", "GOAL");
    print_row("raw: write, fdatasync", raw, "");
    print_row("log: one writer, one record a sync", single, "p99 <= 1.5 times raw");
    print_row("log: 64 writers, group commit", together, ">= 20 times one writer");
    print_row("log: 64 writers, a real record made to text", encoded, "");
    std::printf("\ngroup commit: %.1f times the records of one by one; p99 of an append %.2f times that of a raw sync\n", ratio, tail);
    std::printf("publishing %d records/s, a checkpoint each second: %.1f %% of a core (goal <= 5)\n\n", kPublishedPerSecond,
                100 * publishing);
    print_figure("raw_sync_p50", raw.percentile(0.5), "us");
    print_figure("raw_sync_p99", raw.percentile(0.99), "us");
    print_figure("append_p50", single.percentile(0.5), "us");
    print_figure("append_p99", single.percentile(0.99), "us");
    print_figure("append_p99_ratio_to_raw_sync", tail, "ratio", "<=1.5");
    print_figure("one_by_one", single.per_second(), "1/s");
    print_figure("group_commit_64", together.per_second(), "1/s");
    print_figure("group_commit_64_encoded", encoded.per_second(), "1/s");
    print_figure("group_commit_64_p99", together.percentile(0.99), "us");
    print_figure("group_commit_ratio", ratio, "ratio", ">=20");
    print_figure("publisher_share_of_a_core", 100 * publishing, "%", "<=5");
    return 0;
}
