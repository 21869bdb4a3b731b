// The promise of the provable log under a disk that does whatever a disk may do: after any loss of power, kill or failed step the log is
// the first n of what was appended, n is at least the size of every checkpoint that was returned, every checkpoint that can be read
// verifies, and all that were ever signed continue one another. FLUXGATE_SEEDS runs of it, from FLUXGATE_SEED on.

#include <functional>
#include <iostream>
#include <map>
#include <set>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/integrator.hpp"
#include "audit/tile_reader.hpp"
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
constexpr std::uint64_t kEntriesMax = 2'000;

// The write-ahead log of these tests: record i always has the same text, and outlives everything.
std::string entry(std::uint64_t index) { return fmt::format("{{\"record\":{}}}", index); }

Hash root_of(std::uint64_t size) {
    static const std::vector<Hash> roots = [] {
        std::vector<Hash> made = {empty_root()};
        TreeEdge edge;
        const auto ignore = [](unsigned, std::uint64_t, const std::vector<Hash>&) -> Result<void> { return {}; };
        while (made.size() <= kEntriesMax) {
            static_cast<void>(edge.add(leaf_hash(entry(edge.size())), ignore));
            made.push_back(edge.root());
        }
        return made;
    }();
    return roots.at(size);
}

const SigningKey& key() {
    static const SigningKey key{.key = *SignerKey::generate("fluxgate/prod/fluxgate-0/1")};
    return key;
}

// Remembers what it has verified: the key is one, so there are not many notes, and checking a signature costs more than the rest of a life.
Result<Checkpoint> verify(const std::string& note) {
    static std::map<std::string, Checkpoint> verified;
    const auto known = verified.find(note);
    if (known != verified.end()) return known->second;
    auto checkpoint = open_checkpoint(note, key().key.verifier());
    if (checkpoint) verified.emplace(note, *checkpoint);
    return checkpoint;
}

// What a careless integrator would do.
enum class Carelessness {
    none,
    tiles_after_the_checkpoint,
    partial_tiles_removed_at_once,
    checkpoint_written_in_place,
    pruned_before_it_says_so
};

class CarelessDisk final : public Disk {
public:
    CarelessDisk(std::unique_ptr<Disk> disk, Carelessness carelessness) : disk_(std::move(disk)), carelessness_(carelessness) {}

    Result<void> take() override { return disk_->take(); }
    Result<std::vector<DirectoryEntry>> list(const std::string& path) override { return disk_->list(path); }
    Result<bool> exists(const std::string& path) override { return disk_->exists(path); }
    Result<void> make_directory(const std::string& path) override { return disk_->make_directory(path); }
    Result<std::unique_ptr<File>> create(const std::string& path) override { return disk_->create(path); }
    Result<std::unique_ptr<File>> open(const std::string& path, Access access) override { return disk_->open(path, access); }
    Result<void> rename(const std::string& from, const std::string& to) override {
        if (to == "checkpoint" && carelessness_ == Carelessness::checkpoint_written_in_place) return write_in_place(from, to);
        if (to == "minimum-index" && carelessness_ == Carelessness::pruned_before_it_says_so) {
            if (auto removed = remove_all_in("tile/entries"); !removed) return removed;
        }
        if (is_late(to)) return later([=, this] { return disk_->rename(from, to); });
        auto renamed = disk_->rename(from, to);
        return renamed && to == "checkpoint" ? do_what_is_late() : renamed;
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        if (is_late(to)) return later([=, this] { return disk_->link(from, to); });
        auto linked = disk_->link(from, to);
        return linked && carelessness_ == Carelessness::partial_tiles_removed_at_once ? remove_all_in(to + ".p") : linked;
    }
    Result<void> remove(const std::string& path) override {
        if (is_late(path)) return later([=, this] { return disk_->remove(path); });
        return disk_->remove(path);
    }
    Result<void> sync_directory(const std::string& path) override {
        if (is_late(path)) return later([=, this] { return disk_->sync_directory(path); });
        return disk_->sync_directory(path);
    }

private:
    bool is_late(const std::string& path) const {
        return carelessness_ == Carelessness::tiles_after_the_checkpoint && path.starts_with("tile/");
    }
    Result<void> later(std::function<Result<void>()> work) {
        late_.push_back(std::move(work));
        return {};
    }
    Result<void> do_what_is_late() {
        for (const auto& work : std::exchange(late_, {})) {
            if (auto done = work(); !done) return done;
        }
        return {};
    }
    Result<void> write_in_place(const std::string& from, const std::string& to) {
        const auto bytes = read_whole(*disk_, from, 1u << 16);
        const auto there = disk_->exists(to);
        if (!bytes || !there) return tl::unexpected(bytes ? there.error() : bytes.error());
        auto file = *there ? disk_->open(to, Access::write) : disk_->create(to);
        if (!file) return tl::unexpected(file.error());
        if (auto cut = (*file)->truncate(0); !cut) return cut;
        if (auto written = (*file)->write_at(0, *bytes); !written) return written;
        if (auto synced = (*file)->sync(); !synced) return synced;
        return disk_->remove(from);
    }
    // Of the first bundles at most, so that what is to be kept stays.
    Result<void> remove_all_in(const std::string& directory) {
        const auto there = disk_->exists(directory);
        if (!there || !*there) return {};
        const auto entries = disk_->list(directory);
        if (!entries) return tl::unexpected(entries.error());
        for (const DirectoryEntry& found : *entries) {
            if (found.is_directory || (directory == "tile/entries" && found.name != "000")) continue;
            if (auto removed = disk_->remove(directory + "/" + found.name); !removed) return removed;
        }
        return disk_->sync_directory(directory);
    }

    std::unique_ptr<Disk> disk_;
    Carelessness carelessness_;
    std::vector<std::function<Result<void>()>> late_{};
};

struct Fault {
    const char* name;
    Lie lie = Lie::none;
    Carelessness carelessness = Carelessness::none;
};

std::unique_ptr<Disk> faulty(std::unique_ptr<Disk> disk, const Fault& fault) {
    disk = lying_disk(std::move(disk), fault.lie);
    if (fault.carelessness == Carelessness::none) return disk;
    return std::make_unique<CarelessDisk>(std::move(disk), fault.carelessness);
}

// One life of a log: a few processes one after the other, each ended by a fault, a kill, a loss of power, or in peace.
class Life {
public:
    Life(std::uint64_t seed, const Fault& fault) : random_(seed), disk_(seed * 2 + 1), fault_(fault) {}

    // What went wrong; nothing if the promise was kept.
    std::optional<std::string> run() {
        const std::uint64_t processes = random_.between(2, 5);
        for (std::uint64_t i = 0; i < processes && !violation_; ++i) {
            run_process(true);
            read_the_checkpoint();
            if (random_.one_in(2)) disk_.lose_power();
            read_the_checkpoint();
        }
        if (!violation_) run_process(false);
        if (!violation_) prove_what_was_returned();
        return violation_;
    }

private:
    void run_process(bool with_fault) {
        auto process = faulty(disk_.start_process(), fault_);
        if (with_fault && !random_.one_in(5)) {
            disk_.at_step(random_.between(1, random_.one_in(2) ? 40 : 160),
                          {static_cast<Failing>(random_.below(3)), random_.one_in(2) ? Then::goes_on : Then::process_dies,
                           random_.one_in(2) ? "Input/output error" : "No space left on device"});
        }
        auto opened = Integrator::open(*process, key());
        if (!opened) {
            if (!disk_.fault_was_met()) violated("the log cannot be opened: " + to_string(opened.error()));
            return;
        }
        Integrator& log = **opened;
        compare(log.checkpoint(), "opened");
        returned_.insert(log.size());  // by then it is durable: who reads it may forget the entries
        for (std::uint64_t i = random_.below(5); i > 0 && !violation_; --i) {
            if (!(random_.one_in(6) ? prune(log) : append_a_batch(log))) return check_that_nothing_follows(log);
        }
    }

    bool append_a_batch(Integrator& log) {
        // To full tiles and beyond, or a few.
        const std::uint64_t count = random_.one_in(3) ? random_.between(200, 300) : random_.between(1, 5);
        std::vector<std::string> batch;
        for (std::uint64_t i = log.size(); i < std::min(log.size() + count, kEntriesMax); ++i) batch.push_back(entry(i));
        const auto appended = log.append(std::vector<std::string_view>(batch.begin(), batch.end()));
        if (!appended) {
            if (!disk_.fault_was_met()) violated("an append failed: " + to_string(appended.error()));
            return false;
        }
        compare(*appended, "returned");
        returned_.insert(appended->size);
        return true;
    }

    bool prune(Integrator& log) {
        const auto pruned = log.prune_below(random_.below(log.size() + 1));
        if (!pruned && !disk_.fault_was_met()) violated("pruning failed: " + to_string(pruned.error()));
        return pruned.has_value();
    }

    void check_that_nothing_follows(Integrator& log) {
        const std::uint64_t steps = disk_.steps();
        const std::vector<std::string_view> more{"more"};
        if (log.append(more)) violated("a log went on after a failure");
        if (disk_.steps() != steps) violated("a log touched the disk after a failure");
    }

    // What anybody sees who looks at the folder now. All of these were signed.
    void read_the_checkpoint() {
        const auto disk = disk_.observe();
        if (!disk->exists("checkpoint").value()) {
            if (!returned_.empty()) violated("the checkpoint is gone");
            return;
        }
        const auto note = read_whole(*disk, "checkpoint", 1u << 16);
        const auto checkpoint = verify(note.value_or(""));
        if (!checkpoint) return violated("the checkpoint does not verify: " + to_string(checkpoint.error()));
        compare(*checkpoint, "read");
        // A log begins with its checkpoint, so that a key without one is always a checkpoint that was lost.
        if (checkpoint->size > 0 && read_whole(*disk, "log.vkey", 1u << 16) != key().key.verifier().text() + "\n")
            violated("the verifier key is not beside the checkpoint");
    }

    // Checkpoints whose roots are those of the same entries continue one another.
    void compare(const Checkpoint& checkpoint, std::string_view how) {
        if (checkpoint.size > kEntriesMax || checkpoint.root != root_of(checkpoint.size))
            return violated(fmt::format("the checkpoint {} over {} entries is not over those that were appended", how, checkpoint.size));
        if (!returned_.empty() && checkpoint.size < *returned_.rbegin())
            violated(fmt::format("the checkpoint {} is over {} entries; one over {} was returned before", how, checkpoint.size,
                                 *returned_.rbegin()));
    }

    // The tiles of every checkpoint that was returned are there, partial or full.
    void prove_what_was_returned() {
        const auto disk = disk_.observe();
        for (const std::uint64_t size : returned_) {
            TileReader tiles(*disk, size);
            if (tiles.root() != root_of(size)) violated(fmt::format("the tiles do not give the root of {} entries", size));
        }
    }

    void violated(std::string what) {
        if (!violation_) violation_ = std::move(what);
    }

    Random random_;
    SimulatedDisk disk_;
    const Fault& fault_;
    std::set<std::uint64_t> returned_{};
    std::optional<std::string> violation_{};
};

}  // namespace

TEST_CASE("no disk makes the provable log lose an entry, sign two histories or leave a checkpoint that does not verify") {
    const Fault none{"none"};
    const std::uint64_t first = number_from_environment("FLUXGATE_SEED", 1);
    const std::uint64_t seeds = number_from_environment("FLUXGATE_SEEDS", kSeeds);
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        if (const auto violation = Life(seed, none).run()) {
            FAIL("FLUXGATE_SEED=" << seed << " FLUXGATE_SEEDS=1: " << *violation);
        }
    }
    std::cout << seeds << " simulated disks under the provable log from seed " << first << ": one history each\n";
}

TEST_CASE("disks that once found a fault in the provable log find none") {
    const Fault none{"none"};
    // A verifier key that a killed process left in the cache was taken for durable.
    for (const std::uint64_t seed : {203'277u}) CHECK(Life(seed, none).run() == std::nullopt);
}

// If this fails, the test above proves nothing.
TEST_CASE("a provable log that leaves out a step of its durability is caught") {
    const Fault rows[] = {
        {"directories are not synced", Lie::no_directory_sync},
        {"the directory of the checkpoint is not synced", Lie::no_sync_of_the_top_directory},
        {"files are not synced", Lie::no_file_sync},
        {"a file gets its name before it is synced", Lie::no_sync_before_the_name},
        {"a failed sync is tried again", Lie::sync_again_after_an_error},
        {"the checkpoint is written before the tiles are durable", Lie::none, Carelessness::tiles_after_the_checkpoint},
        {"partial tiles go before the full one is under a checkpoint", Lie::none, Carelessness::partial_tiles_removed_at_once},
        {"the checkpoint is written in place", Lie::none, Carelessness::checkpoint_written_in_place},
        {"bundles are removed before the minimum index is durable", Lie::none, Carelessness::pruned_before_it_says_so},
    };
    for (const Fault& row : rows) {
        INFO(row.name);
        std::uint64_t seed = 1;
        std::optional<std::string> violation;
        for (; seed <= kSeeds && !violation; ++seed) violation = Life(seed, row).run();
        CHECK(violation.has_value());
        if (violation) std::cout << "caught at seed " << seed - 1 << ", " << row.name << ": " << *violation << '\n';
    }
}
