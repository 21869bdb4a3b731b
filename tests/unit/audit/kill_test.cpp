// The process is killed at every step of a real disk: a child runs a log and an integrator, tells through a pipe what was acknowledged,
// and kills itself before, half-way through, or after its nth step. Then a second one recovers and is killed on its way too. What was
// acknowledged must be there, whole and in order. FLUXGATE_KILLS kills (or more, to the end of a round), FLUXGATE_SEED for another run.
//
// Syncs are steps, but they are not carried out: a kill leaves the cache, so waiting for the disk would prove nothing and take minutes. What
// a loss of power leaves is shown by the simulated disk. For the same reason nobody takes the folder, which would sync the one above, and the
// folder is in memory where the machine has a file system for that; FLUXGATE_KILL_DIRECTORY names another.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iostream>

#include "audit/blobs.hpp"
#include "audit/integrator.hpp"
#include "audit/log.hpp"
#include "audit/tiles.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;
using fluxgate::testing::number_from_environment;
using fluxgate::testing::Random;

namespace {

constexpr std::uint64_t kKills = 2'000;

// Counts steps; at the one that was chosen the process ends, without a word.
struct Fate {
    std::uint64_t step = 0;
    Failing when = Failing::before;
    std::atomic<std::uint64_t> taken{0};

    [[noreturn]] static void die() {
        ::kill(::getpid(), SIGKILL);
        ::pause();
        ::abort();
    }
    // `half` does half of the step, `whole` all of it.
    template <class Half, class Whole>
    auto meet(Half half, Whole whole) {
        if (++taken != step) return whole();
        if (when == Failing::halfway) half();
        if (when == Failing::after) whole();
        die();
    }
    template <class Whole>
    auto meet(Whole whole) {
        return meet([] {}, std::move(whole));
    }
};

class FatedFile final : public File {
public:
    FatedFile(std::unique_ptr<File> file, Fate& fate) : file_(std::move(file)), fate_(fate) {}
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
        return fate_.meet([&] { static_cast<void>(file_->write_at(offset, bytes.substr(0, bytes.size() / 2))); },
                          [&] { return file_->write_at(offset, bytes); });
    }
    Result<void> sync() override {
        return fate_.meet([] { return Result<void>(); });
    }
    Result<void> allocate(std::uint64_t bytes) override {
        return fate_.meet([&] { static_cast<void>(file_->allocate(bytes / 2)); }, [&] { return file_->allocate(bytes); });
    }
    Result<void> truncate(std::uint64_t bytes) override {
        return fate_.meet([&] { return file_->truncate(bytes); });
    }
    Result<std::uint64_t> size() override { return file_->size(); }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override { return file_->read_at(offset, into); }

private:
    std::unique_ptr<File> file_;
    Fate& fate_;
};

class FatedDisk final : public Disk {
public:
    FatedDisk(std::unique_ptr<Disk> disk, Fate& fate) : disk_(std::move(disk)), fate_(fate) {}
    Result<void> take() override { return disk_->take(); }
    Result<std::vector<DirectoryEntry>> list(const std::string& path) override { return disk_->list(path); }
    Result<bool> exists(const std::string& path) override { return disk_->exists(path); }
    Result<void> make_directory(const std::string& path) override {
        return fate_.meet([&] { return disk_->make_directory(path); });
    }
    Result<std::unique_ptr<File>> create(const std::string& path) override {
        return fated(fate_.meet([&] { return disk_->create(path); }));
    }
    Result<std::unique_ptr<File>> open(const std::string& path, Access access) override { return fated(disk_->open(path, access)); }
    Result<void> rename(const std::string& from, const std::string& to) override {
        return fate_.meet([&] { return disk_->rename(from, to); });
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        return fate_.meet([&] { return disk_->link(from, to); });
    }
    Result<void> remove(const std::string& path) override {
        return fate_.meet([&] { return disk_->remove(path); });
    }
    Result<void> sync_directory(const std::string&) override {
        return fate_.meet([] { return Result<void>(); });
    }

private:
    Result<std::unique_ptr<File>> fated(Result<std::unique_ptr<File>> file) const {
        if (!file) return file;
        return std::make_unique<FatedFile>(std::move(*file), fate_);
    }
    std::unique_ptr<Disk> disk_;
    Fate& fate_;
};

std::filesystem::path where_to_die() {
    if (const char* named = std::getenv("FLUXGATE_KILL_DIRECTORY")) return named;
    const std::filesystem::path memory = "/dev/shm";
    return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
}

struct Acknowledged {
    std::uint64_t sequence = 0;
    std::uint64_t number = 0;  // see record_number
};

EncodedRecord record_number(std::uint64_t number) {
    EncodedRecord record{
        .before = "{\"number\":" + std::to_string(number) + ",\"padding\":\"" + std::string(number % 3 * 60, 'x') + "\",\"sequence\":",
        .after = "}",
        .blob = {}};
    if (number % 7 == 3) record.blob = "the whole of " + std::to_string(number);
    return record;
}

const SigningKey& key() {
    static const SigningKey key{.key = *SignerKey::generate("fluxgate/prod/fluxgate-0/1")};
    return key;
}

constexpr int kWrong = 3;  // exit codes of a child
constexpr int kDone = 0;

void integrate(Disk& disk, Integrator& integrator, Log& log) {
    std::vector<std::string> texts;
    const auto read = read_wal(disk, integrator.size() + 1, [&](std::uint64_t, std::string_view text) -> Result<void> {
        texts.emplace_back(text);
        return {};
    });
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    if (!read || !integrator.append(views)) ::_exit(kWrong);
    log.set_covered(integrator.size());
}

// What a child does. Any error is wrong: its disk has no faults.
void live(const std::filesystem::path& directory, Fate& fate, std::uint64_t first_number, std::uint64_t seed, int pipe) {
    FatedDisk disk(make_posix_disk(directory), fate);
    auto integrator = Integrator::open(disk, key());
    if (!integrator) ::_exit(kWrong);
    auto log = Log::open(disk, {.segment_bytes = 700, .covered = (*integrator)->size()}, {});
    if (!log) ::_exit(kWrong);
    Random random(seed);
    std::uint64_t number = first_number;
    for (int round = 0; round < 5; ++round) {
        std::promise<void> all_told;
        std::atomic<std::uint64_t> waiting{random.between(1, 4)};
        for (std::uint64_t i = waiting; i > 0; --i, ++number) {
            (*log)->append(record_number(number), [&, number](const Result<std::uint64_t>& sequence) {
                if (!sequence) ::_exit(kWrong);
                const Acknowledged acknowledged{*sequence, number};
                if (::write(pipe, &acknowledged, sizeof acknowledged) != sizeof acknowledged) ::_exit(kWrong);
                if (--waiting == 0) all_told.set_value();
            });
        }
        all_told.get_future().wait();
        if (round % 2 == 1) integrate(disk, **integrator, **log);
    }
    log->reset();
    ::_exit(kDone);
}

struct Death {
    bool killed = false;
    bool wrong = false;
    std::vector<Acknowledged> acknowledged{};
};

Death run_child(const std::filesystem::path& directory, std::uint64_t step, Failing when, std::uint64_t first_number, std::uint64_t seed) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("no child");
    if (child == 0) {
        ::close(ends[0]);
        Fate fate;
        fate.step = step;
        fate.when = when;
        live(directory, fate, first_number, seed, ends[1]);
    }
    ::close(ends[1]);
    Death death;
    Acknowledged acknowledged;
    while (::read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged) death.acknowledged.push_back(acknowledged);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    death.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    death.wrong = !death.killed && !(WIFEXITED(status) && WEXITSTATUS(status) == kDone);
    return death;
}

std::vector<std::string> integrated_entries(Disk& disk, std::uint64_t size) {
    auto file = disk.open(bundle_path(0, size), Disk::Access::read).value();
    std::string bytes(file->size().value(), '\0');
    REQUIRE(file->read_at(0, bytes) == bytes.size());
    const auto entries = entries_of(bytes, size).value();
    return {entries.begin(), entries.end()};
}

// After the deaths: a start that nothing disturbs.
void check_what_is_left(const std::filesystem::path& directory, const std::vector<Acknowledged>& acknowledged) {
    Fate none;
    FatedDisk disk(make_posix_disk(directory), none);
    const auto integrator = Integrator::open(disk, key());
    REQUIRE(integrator.has_value());
    const auto wal = Wal::open(disk, {.segment_bytes = 700, .covered = (*integrator)->size()});
    REQUIRE(wal.has_value());
    const auto records = records_in(disk);
    REQUIRE((*wal)->next_sequence() == records.size() + 1);
    REQUIRE((*integrator)->size() <= records.size());
    for (const Acknowledged& one : acknowledged) {
        const auto found = records.find(one.sequence);
        REQUIRE(found != records.end());
        const EncodedRecord wanted = record_number(one.number);
        REQUIRE(found->second == wanted.text(one.sequence));
        if (!wanted.blob.empty()) {
            // Its name is the digest of its bytes, which read_blob checks.
            REQUIRE(store_blob(disk, wanted.blob));
        }
    }
    if ((*integrator)->size() == 0) return;
    const auto entries = integrated_entries(disk, (*integrator)->size());
    for (std::size_t i = 0; i < entries.size(); ++i) REQUIRE(entries[i] == records.at(i + 1));
}

}  // namespace

TEST_CASE("a kill at any step of the real disk loses nothing that was acknowledged") {
    const std::uint64_t seed = number_from_environment("FLUXGATE_SEED", 1);
    const std::uint64_t kills_wanted = number_from_environment("FLUXGATE_KILLS", kKills);
    static_cast<void>(key());
    Random random(seed);
    std::uint64_t kills = 0;
    std::uint64_t acknowledged_in_all = 0;
    for (std::uint64_t round = 0; kills < kills_wanted; ++round) {
        bool past_the_end = false;
        for (std::uint64_t step = 1; !past_the_end; ++step) {
            for (const Failing when : {Failing::before, Failing::halfway, Failing::after}) {
                const std::uint64_t second_step = random.between(1, 60);
                INFO("FLUXGATE_SEED=" << seed << ", round " << round << ": killed at step " << step << ", " << static_cast<int>(when)
                                      << ", then at step " << second_step);
                Folder folder(where_to_die());
                const auto& directory = folder.path();
                Death first = run_child(directory, step, when, 1, seed + round);
                REQUIRE_FALSE(first.wrong);
                past_the_end = !first.killed;
                const Death second = run_child(directory, second_step, static_cast<Failing>(random.below(3)), 1'000, random.next());
                REQUIRE_FALSE(second.wrong);
                kills += (first.killed ? 1 : 0) + (second.killed ? 1 : 0);
                acknowledged_in_all += first.acknowledged.size() + second.acknowledged.size();
                first.acknowledged.insert(first.acknowledged.end(), second.acknowledged.begin(), second.acknowledged.end());
                check_what_is_left(directory, first.acknowledged);
            }
        }
    }
    CHECK(acknowledged_in_all > 0);
    std::cout << kills << " kills from seed " << seed << ": none of " << acknowledged_in_all << " acknowledged records lost\n";
}
