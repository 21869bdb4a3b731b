// The promise of the write-ahead log under a disk that does whatever a disk may do: what was acknowledged is there, whole and in order,
// after any loss of power, kill or failed step, also while it recovers. FLUXGATE_SEEDS runs of it, from FLUXGATE_SEED on.

#include <iostream>

#include <fmt/format.h>

#include "audit/wal.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/lying_disk.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;
using fluxgate::testing::number_from_environment;
using fluxgate::testing::Random;

namespace {

constexpr std::uint64_t kSeeds = 10'000;
constexpr std::uint64_t kSeedsToCatchALie = 10'000;

// One life of a log: a few processes one after the other, each ended by a fault, a kill, a loss of power, or in peace.
class Life {
public:
    Life(std::uint64_t seed, Lie lie) : random_(seed), disk_(seed * 2 + 1), lie_(lie) {
        options_.segment_bytes = random_.between(400, 2'000);
        if (random_.one_in(3)) options_.disk_bytes_max = options_.segment_bytes * random_.between(2, 5);
    }

    // What went wrong; nothing if the promise was kept.
    std::optional<std::string> run() {
        const std::uint64_t processes = random_.between(2, 5);
        for (std::uint64_t i = 0; i < processes && !violation_; ++i) {
            run_process(true);
            if (random_.one_in(2)) disk_.lose_power();
        }
        if (!violation_) run_process(false);
        return violation_;
    }

private:
    void run_process(bool with_fault) {
        auto process = lying_disk(disk_.start_process(), lie_);
        if (with_fault && !random_.one_in(5)) {
            disk_.at_step(random_.between(1, 70),
                          {static_cast<Failing>(random_.below(3)), random_.one_in(2) ? Then::goes_on : Then::process_dies,
                           random_.one_in(2) ? "Input/output error" : "No space left on device"});
        }
        options_.covered = covered_;
        auto opened = Wal::open(*process, options_);
        if (!opened) {
            if (!disk_.fault_was_met() && !disk_.process_is_dead()) violated("the log cannot be opened: " + to_string(opened.error()));
            return;
        }
        Wal& wal = **opened;
        compare_with_what_was_promised(wal);
        const std::uint64_t batches = random_.one_in(3) ? 1 : random_.below(9);
        for (std::uint64_t i = 0; i < batches && !violation_; ++i) {
            if (!append_a_batch(wal)) return check_that_nothing_follows(wal);
            if (random_.one_in(3)) {
                covered_ = random_.between(covered_, records_.size());
                wal.set_covered(covered_);
            }
        }
    }

    // Everything recovered counts as promised from then on, because the log goes on behind it.
    void compare_with_what_was_promised(const Wal& wal) {
        const auto disk = disk_.observe();
        std::vector<std::string> found(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(covered_));
        const auto read = read_wal(*disk, covered_ + 1, [&](std::uint64_t sequence, std::string_view payload) -> Result<void> {
            if (sequence != found.size() + 1) violated(fmt::format("record {} follows record {}", sequence, found.size()));
            found.emplace_back(payload);
            return {};
        });
        if (!read) violated("the log cannot be read: " + to_string(read.error()));
        if (wal.next_sequence() != found.size() + 1)
            violated(fmt::format("{} is next after {} records", wal.next_sequence(), found.size()));
        if (found.size() < records_.size())
            violated(fmt::format("{} records were acknowledged, {} are there", records_.size(), found.size()));
        for (std::size_t i = 0; i < found.size() && !violation_; ++i) {
            const bool promised = i < records_.size();
            const bool appended = promised || i - records_.size() < unacknowledged_.size();
            if (!appended || found[i] != (promised ? records_[i] : unacknowledged_[i - records_.size()]))
                violated(fmt::format("record {} is another than the one that was appended", i + 1));
        }
        records_ = std::move(found);
        unacknowledged_.clear();
        if (wal.recovered().cut) cuts_.emplace(*wal.recovered().cut, wal.recovered().cut_bytes);
        const auto files = disk_.files();
        for (const auto& [path, bytes] : cuts_) {
            const auto kept = files.find(path);
            if (kept == files.end() || kept->second.size() != bytes) violated("what was cut off is not kept: " + path);
        }
    }

    bool append_a_batch(Wal& wal) {
        std::vector<std::string> batch(random_.one_in(3) ? random_.between(6, 14) : random_.between(1, 3));
        // Few lengths: then what a crash left can lie exactly where the next frame ends.
        for (std::string& payload : batch) payload = fmt::format("{:0{}}", ++payloads_made_, 10 + 90 * random_.below(2));
        const std::vector<std::string_view> views(batch.begin(), batch.end());
        const auto appended = wal.append(views);
        if (appended) {
            records_.insert(records_.end(), batch.begin(), batch.end());
        } else if (appended.error().code == Errc::too_large) {
            if (options_.disk_bytes_max == 0) violated("there is no room in a folder without a bound");
            if (wal.next_sequence() != records_.size() + 1) violated("a batch without room left something behind");
        } else {
            if (!disk_.fault_was_met()) violated("an append failed: " + to_string(appended.error()));
            unacknowledged_ = batch;
            return false;
        }
        if (wal.next_sequence() != records_.size() + 1) violated("the sequence is wrong after an append");
        return true;
    }

    void check_that_nothing_follows(Wal& wal) {
        const std::uint64_t steps = disk_.steps();
        const std::vector<std::string_view> more{"more"};
        if (wal.append(more)) violated("a log acknowledged after a failure");
        if (disk_.steps() != steps) violated("a log touched the disk after a failure");
    }

    void violated(std::string what) {
        if (!violation_) violation_ = std::move(what);
    }

    Random random_;
    SimulatedDisk disk_;
    Lie lie_;
    Wal::Options options_;
    std::vector<std::string> records_{};         // acknowledged, or recovered
    std::vector<std::string> unacknowledged_{};  // the last batch of a process that failed
    std::map<std::string, std::uint64_t> cuts_{};
    std::uint64_t covered_ = 0;
    std::uint64_t payloads_made_ = 0;
    std::optional<std::string> violation_{};
};

}  // namespace

TEST_CASE("no disk makes the write-ahead log lose, change or invent a record") {
    const std::uint64_t first = number_from_environment("FLUXGATE_SEED", 1);
    const std::uint64_t seeds = number_from_environment("FLUXGATE_SEEDS", kSeeds);
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        if (const auto violation = Life(seed, Lie::none).run()) {
            FAIL("FLUXGATE_SEED=" << seed << " FLUXGATE_SEEDS=1: " << *violation);
        }
    }
    std::cout << seeds << " simulated disks from seed " << first << ": nothing lost\n";
}

// If this fails, the test above proves nothing.
TEST_CASE("a log that leaves out a step of its durability is caught") {
    for (const LieRow& row : kLies) {
        INFO(row.name);
        std::uint64_t seed = 1;
        std::optional<std::string> violation;
        for (; seed <= kSeedsToCatchALie && !violation; ++seed) violation = Life(seed, row.lie).run();
        CHECK(violation.has_value());
        if (violation) std::cout << "caught at seed " << seed - 1 << ", " << row.name << ": " << *violation << '\n';
    }
}
