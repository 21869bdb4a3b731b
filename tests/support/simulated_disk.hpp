#pragma once

// A disk in memory that behaves as badly as a real one may, the same for the same seed. It outlives the processes that use it.
//
// What a process sees is the page cache. What a loss of power leaves is something else:
// - of a file, what was written when `sync` last succeeded. Of later writes any subset, each 512-byte sector on its own, in any order,
//   and a sector now and then torn; of later changes of the size the first few (they are journalled in order).
// - of names (create, rename, link, remove, make_directory), those whose directory was synced since. Of later ones either the first few,
//   in the order they were made, as a journal keeps them, or any subset. One rename is one change: never half of it. What a name leads
//   to is as durable as its own bytes are.
// - After a failed `sync` the written pages are not kept for another try: the next `sync` succeeds without writing them. The cache goes
//   on showing them, or what is on the disk; both kinds of file system exist (https://wiki.postgresql.org/wiki/Fsync_Errors).
// Any step can be made to fail, before it took effect, with half of it, or after it; and the process can be made to die there: from then on
// none of its calls does anything, each fails.
//
//   SimulatedDisk disk(seed);
//   auto first = disk.start_process();               // an audit::Disk
//   disk.at_step(17, {Failing::halfway, Then::process_dies});
//   …                                                // until disk.process_is_dead()
//   disk.lose_power();                               // or not: a kill leaves the cache
//   auto second = disk.start_process();              // whatever was opened before is dead now
//
// Any thread may use it.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/disk.hpp"
#include "base/error.hpp"
#include "tests/support/random.hpp"

namespace fluxgate::audit::testing {

enum class Step {
    take,
    list,
    exists,
    make_directory,
    create,
    open,
    rename,
    link,
    remove,
    sync_directory,
    write,
    sync,
    allocate,
    truncate,
    size,
    read
};
enum class Failing { before, halfway, after };  // halfway: some of the bytes or names; what has no half fails before
enum class Then { goes_on, process_dies };      // dies: a kill. Call `lose_power` besides for a power cut

class SimulatedDisk {
public:
    struct Fault {
        Failing failing = Failing::before;
        Then then = Then::goes_on;
        std::string reason = "Input/output error";
    };

    explicit SimulatedDisk(std::uint64_t seed = 1) : random_(seed), root_(std::make_shared<Node>()) { root_->is_directory = true; }
    SimulatedDisk(const SimulatedDisk&) = delete;
    SimulatedDisk& operator=(const SimulatedDisk&) = delete;

    // The disk as a new process sees it; earlier ones are dead. Faults that were not met are forgotten.
    std::unique_ptr<Disk> start_process();
    // What a process sees, for a test that looks on: takes no steps, meets no faults, never dies.
    std::unique_ptr<Disk> observe();

    // The nth step from now on, 1 is the next; or the nth of a kind.
    void at_step(std::uint64_t nth, Fault fault) { set_fault(nth, std::nullopt, std::move(fault)); }
    void at_step(Step kind, std::uint64_t nth, Fault fault) { set_fault(nth, kind, std::move(fault)); }
    bool fault_was_met() const {
        const std::lock_guard lock(mutex_);
        return met_;
    }
    bool process_is_dead() const {
        const std::lock_guard lock(mutex_);
        return dead_;
    }
    // Kills the process and takes away what was not durable.
    void lose_power();

    std::uint64_t steps() const {
        const std::lock_guard lock(mutex_);
        return steps_;
    }
    std::uint64_t steps(Step kind) const {
        const std::lock_guard lock(mutex_);
        return steps_of_[static_cast<std::size_t>(kind)];
    }
    // A file was synced again by the process whose sync of it had failed.
    bool synced_again_after_a_failure() const {
        const std::lock_guard lock(mutex_);
        return synced_again_;
    }
    // Called before each step, outside of all locks: to hold a thread up.
    void before_each_step(std::function<void(Step, const std::string& path)> call) {
        const std::lock_guard lock(mutex_);
        before_each_step_ = std::move(call);
    }

    // For tests of what is there: the files, by path, as a process sees them; and a change of their bytes behind everybody's back,
    // durable at once.
    std::map<std::string, std::string> files() const;
    void overwrite(const std::string& path, std::string bytes);

private:
    class Process;
    class OpenFile;

    struct Node;
    using NodePtr = std::shared_ptr<Node>;
    // Of a file, since it was last synced: bytes written, or another size.
    struct Change {
        bool is_write = false;
        std::uint64_t offset = 0;  // or the new size
        std::string bytes{};
    };
    struct Name {
        NodePtr node;
        std::uint64_t change = 0;  // that made it so
    };
    using Names = std::map<std::string, Name>;
    struct Node {
        bool is_directory = false;
        std::string cached{};
        std::string durable{};
        std::vector<Change> changes{};
        Names cached_names{};
        Names durable_names{};
        std::map<std::string, std::uint64_t> durable_removals{};  // by which change
        std::uint64_t failed_sync_of_process = 0;
    };
    // A change of names that no sync has made durable yet: each becomes the node, or goes.
    struct NameChange {
        struct Entry {
            NodePtr directory;
            std::string name;
            NodePtr node;
        };
        std::uint64_t number = 0;
        Node* synced_with = nullptr;  // the directory that must be synced
        std::vector<Entry> entries{};
    };
    struct Place {
        NodePtr directory;
        std::string name;
        NodePtr node;  // null: not there
    };

    static constexpr std::size_t kSector = 512;
    static constexpr std::uint64_t kObserver = 0;

    void set_fault(std::uint64_t nth, std::optional<Step> kind, Fault fault) {
        const std::lock_guard lock(mutex_);
        fault_ = std::move(fault);
        fault_after_ = nth;
        fault_kind_ = kind;
        met_ = false;
    }

    // Takes a step: `effect(halfway)` does it, or half of it where that is possible, and says whether it could be done at all.
    template <class Effect>
    Result<void> take_step(std::uint64_t process, Step step, const std::string& path, Effect effect) {
        if (process == kObserver) {
            const std::lock_guard lock(mutex_);
            return effect(false);
        }
        hold_up(step, path);
        const std::lock_guard lock(mutex_);
        if (process != process_ || dead_) return fail(Errc::io, "the process is dead", path);
        ++steps_;
        ++steps_of_[static_cast<std::size_t>(step)];
        const bool hit = fault_ && (!fault_kind_ || *fault_kind_ == step) && --fault_after_ == 0;
        if (!hit) return effect(false);
        const Fault fault = *std::exchange(fault_, std::nullopt);
        met_ = true;
        dead_ = fault.then == Then::process_dies;
        const bool has_half = step == Step::write || step == Step::sync || step == Step::allocate || step == Step::sync_directory;
        if (fault.failing == Failing::after || (fault.failing == Failing::halfway && has_half)) {
            if (auto done = effect(fault.failing == Failing::halfway); !done) return done;
        }
        if (step == Step::sync && !dead_) last_sync_failed_ = true;
        return fail(Errc::io, fault.reason, path);
    }
    void hold_up(Step step, const std::string& path) {
        std::function<void(Step, const std::string&)> call;
        {
            const std::lock_guard lock(mutex_);
            if (!before_each_step_) return;
            call = before_each_step_;
        }
        call(step, path);
    }

    Place find(const std::string& path) const {
        Place place{.directory = root_, .name = {}, .node = root_};
        for (std::size_t begin = 0; begin < path.size();) {
            const std::size_t end = std::min(path.find('/', begin), path.size());
            if (!place.node || !place.node->is_directory) return {.directory = nullptr, .name = {}, .node = nullptr};
            place.directory = place.node;
            place.name = path.substr(begin, end - begin);
            const auto found = place.directory->cached_names.find(place.name);
            place.node = found == place.directory->cached_names.end() ? nullptr : found->second.node;
            begin = end + 1;
        }
        return place;
    }
    static Result<void> absent(const std::string& path) { return fail(Errc::io, "No such file or directory", path); }

    // Of one directory, or of two by a rename: then it is durable with the second.
    void change_names(const NodePtr& synced_with, std::vector<NameChange::Entry> entries) {
        const std::uint64_t number = ++name_changes_;
        for (const auto& entry : entries) set_name(entry.directory->cached_names, entry, number);
        pending_names_.push_back({number, synced_with.get(), std::move(entries)});
    }
    static void set_name(Names& names, const NameChange::Entry& entry, std::uint64_t number) {
        if (entry.node)
            names[entry.name] = {entry.node, number};
        else
            names.erase(entry.name);
    }
    // A later change of the same name may be durable already.
    static void make_durable(const NameChange& change) {
        for (const auto& entry : change.entries) {
            Node& directory = *entry.directory;
            std::uint64_t latest = directory.durable_removals[entry.name];
            if (const auto there = directory.durable_names.find(entry.name); there != directory.durable_names.end())
                latest = std::max(latest, there->second.change);
            if (latest > change.number) continue;
            set_name(directory.durable_names, entry, change.number);
            if (!entry.node) directory.durable_removals[entry.name] = change.number;
        }
    }

    static void apply(std::string& bytes, const Change& change) {
        if (!change.is_write) return bytes.resize(change.offset);
        if (bytes.size() < change.offset + change.bytes.size()) bytes.resize(change.offset + change.bytes.size());
        bytes.replace(change.offset, change.bytes.size(), change.bytes);
    }
    static void change_file(Node& node, Change change) {
        apply(node.cached, change);
        node.changes.push_back(std::move(change));
    }

    // --- what a loss of power leaves of a file -------------------------------------------------------------------------
    std::string surviving(const Node& node) {
        if (node.changes.empty() || random_.one_in(4)) return node.durable;
        const std::size_t kept_sizes = random_.below(node.changes.size() + 1);
        std::size_t size = node.durable.size();
        std::size_t most = size;
        for (std::size_t i = 0; i < node.changes.size(); ++i) {
            const Change& change = node.changes[i];
            const std::size_t end = change.offset + change.bytes.size();
            most = std::max(most, end);
            if (i < kept_sizes) size = change.is_write ? std::max(size, end) : end;
        }
        std::string left = node.durable;
        left.resize(most);
        for (std::size_t begin = 0; begin < size; begin += kSector) {
            if (!touched(node, begin)) continue;
            const std::string sector = surviving_sector(node, begin, kept_sizes);
            left.replace(begin, std::min(sector.size(), left.size() - begin), sector, 0, left.size() - begin);
        }
        left.resize(size);
        return left;
    }
    static bool touches(const Change& change, std::size_t begin) {
        return change.is_write ? change.offset < begin + kSector && begin < change.offset + change.bytes.size()
                               : change.offset < begin + kSector;
    }
    static bool touched(const Node& node, std::size_t begin) {
        return std::any_of(node.changes.begin(), node.changes.end(), [&](const Change& change) { return touches(change, begin); });
    }
    // Any version the sector ever had; but a cut that is kept took away what was there before it, and one that is not kept did not happen.
    std::string surviving_sector(const Node& node, std::size_t begin, std::size_t kept_sizes) {
        std::size_t least = 0;
        std::size_t most = node.changes.size();
        for (std::size_t i = 0; i < node.changes.size(); ++i) {
            if (node.changes[i].is_write || !touches(node.changes[i], begin)) continue;
            if (i < kept_sizes)
                least = i + 1;
            else
                most = std::min(most, i);
        }
        const std::size_t version = random_.between(least, most);
        std::string sector = version_of_sector(node, begin, version);
        if (version < most && random_.one_in(8)) {
            const std::size_t torn_at = random_.below(kSector);
            sector.replace(0, torn_at, version_of_sector(node, begin, version + 1), 0, torn_at);
        }
        return sector;
    }
    static std::string version_of_sector(const Node& node, std::size_t begin, std::size_t version) {
        std::string sector = begin < node.durable.size() ? node.durable.substr(begin, kSector) : std::string();
        sector.resize(kSector);
        for (std::size_t i = 0; i < version; ++i) {
            const Change& change = node.changes[i];
            if (!touches(change, begin)) continue;
            const std::size_t from = std::max<std::size_t>(change.offset, begin);
            if (change.is_write) {
                const std::size_t end = std::min(change.offset + change.bytes.size(), begin + kSector);
                sector.replace(from - begin, end - from, change.bytes, from - change.offset, end - from);
            } else {
                std::fill(sector.begin() + static_cast<std::ptrdiff_t>(from - begin), sector.end(), '\0');
            }
        }
        return sector;
    }

    void sync_file(Node& node, bool halfway) {
        if (node.failed_sync_of_process == process_) synced_again_ = true;
        if (halfway) {
            node.durable = surviving(node);
        } else {
            for (const Change& change : node.changes) apply(node.durable, change);
        }
        node.changes.clear();
    }
    // The pages that could not be written count as clean from now on. Sizes are in the journal, which keeps them.
    void drop_pages(Node& node) {
        node.failed_sync_of_process = process_;
        std::erase_if(node.changes, [](const Change& change) { return change.is_write; });
        if (random_.one_in(2)) return;
        node.cached = node.durable;
        for (const Change& change : node.changes) apply(node.cached, change);
    }

    void sync_names(const Node& directory, bool halfway) {
        std::vector<NameChange> still_pending;
        for (NameChange& change : pending_names_) {
            const bool synced = change.synced_with == &directory && !(halfway && random_.one_in(2));
            if (synced)
                make_durable(change);
            else
                still_pending.push_back(std::move(change));
        }
        pending_names_ = std::move(still_pending);
    }

    void forget_what_is_not_durable(Node& node) {
        if (!node.is_directory) {
            node.durable = surviving(node);
            node.changes.clear();
            node.cached = node.durable;
            return;
        }
        node.cached_names = node.durable_names;
        for (auto& [name, entry] : node.durable_names) forget_what_is_not_durable(*entry.node);
    }

    static void collect(const Node& node, const std::string& path, std::map<std::string, std::string>& into) {
        for (const auto& [name, entry] : node.cached_names) {
            const std::string below = path.empty() ? name : path + "/" + name;
            if (entry.node->is_directory)
                collect(*entry.node, below, into);
            else
                into.emplace(below, entry.node->cached);
        }
    }

    mutable std::mutex mutex_;
    fluxgate::testing::Random random_;
    NodePtr root_;
    std::vector<NameChange> pending_names_{};
    std::uint64_t name_changes_ = 0;
    std::uint64_t process_ = 0;
    bool dead_ = false;
    std::uint64_t steps_ = 0;
    std::uint64_t steps_of_[static_cast<std::size_t>(Step::read) + 1]{};
    std::optional<Fault> fault_{};
    std::uint64_t fault_after_ = 0;
    std::optional<Step> fault_kind_{};
    bool met_ = false;
    bool last_sync_failed_ = false;
    bool synced_again_ = false;
    std::function<void(Step, const std::string&)> before_each_step_{};
};

class SimulatedDisk::OpenFile final : public File {
public:
    OpenFile(SimulatedDisk& disk, std::uint64_t process, NodePtr node, std::string path)
        : disk_(disk), process_(process), node_(std::move(node)), path_(std::move(path)) {}

    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
        return disk_.take_step(process_, Step::write, path_, [&](bool halfway) -> Result<void> {
            const auto written = halfway ? bytes.substr(0, disk_.random_.below(bytes.size() + 1)) : bytes;
            change_file(*node_, {.is_write = true, .offset = offset, .bytes = std::string(written)});
            return {};
        });
    }
    Result<void> sync() override {
        auto synced = disk_.take_step(process_, Step::sync, path_, [&](bool halfway) -> Result<void> {
            disk_.sync_file(*node_, halfway);
            return {};
        });
        const std::lock_guard lock(disk_.mutex_);
        if (std::exchange(disk_.last_sync_failed_, false)) disk_.drop_pages(*node_);
        return synced;
    }
    Result<void> allocate(std::uint64_t bytes) override {
        return disk_.take_step(process_, Step::allocate, path_, [&](bool halfway) -> Result<void> {
            const std::uint64_t there = node_->cached.size();
            if (bytes <= there) return {};
            change_file(*node_, {.is_write = false, .offset = halfway ? disk_.random_.between(there, bytes) : bytes});
            return {};
        });
    }
    Result<void> truncate(std::uint64_t bytes) override {
        return disk_.take_step(process_, Step::truncate, path_, [&](bool) -> Result<void> {
            change_file(*node_, {.is_write = false, .offset = bytes});
            return {};
        });
    }
    Result<std::uint64_t> size() override {
        std::uint64_t bytes = 0;
        auto done = disk_.take_step(process_, Step::size, path_, [&](bool) -> Result<void> {
            bytes = node_->cached.size();
            return {};
        });
        if (!done) return tl::unexpected(done.error());
        return bytes;
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        std::size_t got = 0;
        auto done = disk_.take_step(process_, Step::read, path_, [&](bool) -> Result<void> {
            if (offset < node_->cached.size()) got = node_->cached.copy(into.data(), into.size(), offset);
            return {};
        });
        if (!done) return tl::unexpected(done.error());
        return got;
    }

private:
    SimulatedDisk& disk_;
    std::uint64_t process_;
    NodePtr node_;
    std::string path_;
};

class SimulatedDisk::Process final : public Disk {
public:
    Process(SimulatedDisk& disk, std::uint64_t process) : disk_(disk), process_(process) {}

    Result<void> take() override {
        return step(Step::take, "", [](bool) -> Result<void> { return {}; });
    }
    Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
        std::vector<DirectoryEntry> entries;
        auto done = step(Step::list, path, [&](bool) -> Result<void> {
            const Place place = disk_.find(path);
            if (!place.node || !place.node->is_directory) return absent(path);
            for (const auto& [name, entry] : place.node->cached_names)
                entries.push_back({name, entry.node->is_directory, entry.node->cached.size()});
            return {};
        });
        if (!done) return tl::unexpected(done.error());
        return entries;
    }
    Result<bool> exists(const std::string& path) override {
        bool there = false;
        auto done = step(Step::exists, path, [&](bool) -> Result<void> {
            there = disk_.find(path).node != nullptr;
            return {};
        });
        if (!done) return tl::unexpected(done.error());
        return there;
    }
    Result<void> make_directory(const std::string& path) override {
        return step(Step::make_directory, path, [&](bool) -> Result<void> {
            const Place place = disk_.find(path);
            if (!place.directory) return absent(path);
            if (place.node) return {};
            auto node = std::make_shared<Node>();
            node->is_directory = true;
            disk_.change_names(place.directory, {{place.directory, place.name, node}});
            return {};
        });
    }
    Result<std::unique_ptr<File>> create(const std::string& path) override {
        NodePtr made;
        auto done = step(Step::create, path, [&](bool) -> Result<void> {
            const Place place = disk_.find(path);
            if (!place.directory) return absent(path);
            if (place.node) return fail(Errc::io, "File exists", path);
            made = std::make_shared<Node>();
            disk_.change_names(place.directory, {{place.directory, place.name, made}});
            return {};
        });
        if (!done) return tl::unexpected(done.error());
        return std::make_unique<OpenFile>(disk_, process_, made, path);
    }
    Result<std::unique_ptr<File>> open(const std::string& path, Access) override {
        NodePtr found;
        auto done = step(Step::open, path, [&](bool) -> Result<void> {
            found = disk_.find(path).node;
            return found && !found->is_directory ? Result<void>() : absent(path);
        });
        if (!done) return tl::unexpected(done.error());
        return std::make_unique<OpenFile>(disk_, process_, found, path);
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
        return step(Step::rename, to, [&](bool) -> Result<void> {
            const Place source = disk_.find(from);
            const Place target = disk_.find(to);
            if (!source.node || !target.directory) return absent(from);
            if (target.node && target.node->is_directory) return fail(Errc::io, "Is a directory", to);
            disk_.change_names(target.directory, {{source.directory, source.name, nullptr}, {target.directory, target.name, source.node}});
            return {};
        });
    }
    Result<void> link(const std::string& from, const std::string& to) override {
        return step(Step::link, to, [&](bool) -> Result<void> {
            const Place source = disk_.find(from);
            const Place target = disk_.find(to);
            if (!source.node || !target.directory) return absent(from);
            if (target.node) return fail(Errc::contradictory, "a file that must be new is there already", to);
            disk_.change_names(target.directory, {{target.directory, target.name, source.node}});
            return {};
        });
    }
    Result<void> remove(const std::string& path) override {
        return step(Step::remove, path, [&](bool) -> Result<void> {
            const Place place = disk_.find(path);
            if (!place.node || place.node->is_directory) return absent(path);
            disk_.change_names(place.directory, {{place.directory, place.name, nullptr}});
            return {};
        });
    }
    Result<void> sync_directory(const std::string& path) override {
        return step(Step::sync_directory, path, [&](bool halfway) -> Result<void> {
            const Place place = disk_.find(path);
            if (!place.node || !place.node->is_directory) return absent(path);
            disk_.sync_names(*place.node, halfway);
            return {};
        });
    }

private:
    template <class Effect>
    Result<void> step(Step kind, const std::string& path, Effect effect) {
        return disk_.take_step(process_, kind, path, std::move(effect));
    }

    SimulatedDisk& disk_;
    std::uint64_t process_;
};

inline std::unique_ptr<Disk> SimulatedDisk::start_process() {
    const std::lock_guard lock(mutex_);
    fault_.reset();
    dead_ = false;
    return std::make_unique<Process>(*this, ++process_);
}

inline std::unique_ptr<Disk> SimulatedDisk::observe() { return std::make_unique<Process>(*this, kObserver); }

inline void SimulatedDisk::lose_power() {
    const std::lock_guard lock(mutex_);
    dead_ = true;
    const bool journal = random_.one_in(2);
    const std::size_t kept = random_.below(pending_names_.size() + 1);
    for (std::size_t i = 0; i < pending_names_.size(); ++i) {
        if (journal ? i < kept : random_.one_in(2)) make_durable(pending_names_[i]);
    }
    pending_names_.clear();
    forget_what_is_not_durable(*root_);
}

inline std::map<std::string, std::string> SimulatedDisk::files() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::string> found;
    collect(*root_, "", found);
    return found;
}

inline void SimulatedDisk::overwrite(const std::string& path, std::string bytes) {
    const std::lock_guard lock(mutex_);
    Node& node = *find(path).node;
    node.changes.clear();
    node.cached = bytes;
    node.durable = std::move(bytes);
}

}  // namespace fluxgate::audit::testing
