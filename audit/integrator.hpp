#pragma once

// Makes a provable log of records: entry bundles, hash tiles, a signed checkpoint, in that order, each durable before the next
// (https://c2sp.org/tlog-tiles). The only writer of these files. One thread; nothing here waits, so that a simulated disk can drive it step
// by step. audit/publisher.hpp runs it.
//
// At the start it recomputes the root from the bundles (from the tiles, below the minimum index), compares every tile on the way, and
// refuses to go on if that is not the last checkpoint: a split view signed by ourselves is the one unforgivable fault. A log begins with a
// checkpoint over nothing, before its verifier key and its first tile, so that these without a checkpoint are always a checkpoint that was
// lost. It never begins under the name of a log that ended here: one name, one history.
// Entries on the disk beyond the checkpoint (a crash came between) are written again; full tiles and bundles must then be the same bytes.
// Full tiles and bundles never change. Partial ones are removed once the full one is under a checkpoint, never before.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audit/checkpoint.hpp"
#include "audit/disk.hpp"
#include "audit/signing_key.hpp"
#include "audit/tree_edge.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// A resource; one thread.
class Integrator {
public:
    // The disk must have been taken; it outlives this. Errors: io; contradictory: tiles and checkpoint disagree, the checkpoint is by a key
    // that is neither the one given nor the one its rotation names, or an immutable file was changed. Takes the time of reading the log.
    static Result<std::unique_ptr<Integrator>> open(Disk& disk, SigningKey key);
    Integrator(const Integrator&) = delete;
    Integrator& operator=(const Integrator&) = delete;

    std::uint64_t size() const { return published_.size; }  // of the last checkpoint
    const Checkpoint& checkpoint() const { return published_; }
    const std::string& origin() const { return published_.origin; }
    // The last checkpoint is by the key before the rotation. The next one will be by the new key: have its statement in the log by then.
    bool rotation_is_pending() const { return rotation_is_pending_; }
    std::uint64_t minimum_index() const { return minimum_index_; }
    // The last entry under the checkpoint; nothing in an empty log. Who integrates a write-ahead log reads in it where to go on.
    const std::optional<std::string>& last_entry() const { return last_entry_; }

    // Appends the entries and publishes a checkpoint over them: all of them, or, after an error, the checkpoint that was there. After an
    // error of any kind every later call fails, until the process starts again.
    Result<Checkpoint> append(std::span<const std::string_view> entries);
    // The same in two steps, for many entries under one checkpoint.
    Result<void> add(std::span<const std::string_view> entries);
    Result<Checkpoint> publish();
    // From now on bytes written, minus those removed, are told to `tell`.
    void on_bytes(std::function<void(std::int64_t)> tell) { tell_bytes_ = std::move(tell); }

    // From now on the entries below `index` need not be provable any more: bundles wholly below are removed, tiles stay, so that proofs
    // of later records and of old checkpoints hold. Rounded down to whole bundles; never falls, and never takes the last entry. Returns
    // the minimum index. Record it in the log first. Error invalid_argument: beyond the log.
    Result<std::uint64_t> prune_below(std::uint64_t index);

private:
    Integrator(Disk& disk, SigningKey key) : disk_(disk), key_(std::move(key)) {}

    Result<void> begin();
    Result<void> require_new_name();
    Result<void> read_checkpoint();
    Result<void> read_minimum_index();
    Result<void> keep(const std::string& path, std::string_view bytes);
    Result<void> recompute();
    Result<void> recompute_from_tile(std::uint64_t number);
    Result<void> recompute_from_bundle(std::uint64_t number);
    Result<void> compare_partial_tiles();
    Result<void> tidy(const std::string& directory);
    Result<void> add_entry(std::string_view entry);
    Result<void> write_partial_files();
    Result<void> write_checkpoint();
    Result<void> write_verifier_key();
    Result<void> remove_superseded(std::uint64_t published_before);
    Result<void> remove_files_in(const std::string& directory);
    template <class T, class Work>
    Result<T> once(Work work);

    Disk& disk_;
    SigningKey key_;
    std::function<void(std::int64_t)> tell_bytes_ = [](std::int64_t) {};
    bool broken_ = false;
    bool rotation_is_pending_ = false;
    bool verifier_key_is_durable_ = false;

    Checkpoint published_;
    std::uint64_t minimum_index_ = 0;
    std::optional<std::string> last_entry_;
    // Beyond the checkpoint, while entries are being added:
    TreeEdge edge_;
    std::string bundle_;  // the entries behind the last full bundle
    std::string newest_entry_;
};

// A log that ended. A value.
struct EndedEpoch {
    std::uint64_t number = 0;  // 0: none ended
    std::string checkpoint{};  // its last one, as it was; empty if it was lost
    std::string reason{};

    friend bool operator==(const EndedEpoch&, const EndedEpoch&) = default;
};

// Ends a log that can no longer be continued: writes the reason and moves all of the log (tiles, write-ahead log with what is under no
// checkpoint, blobs, keys in the folder and, last, the checkpoint) into epochs/<n>/, durably. It can be verified there by itself. Whoever
// serves next begins the new log with the event `epoch-begun`, which says what stands in the answer. `disk` must have been taken; start
// with another Disk afterwards. Interrupted, or called once more, it gives the same answer. Error io.
Result<EndedEpoch> end_epoch(Disk& disk, std::string_view reason);

// The log before the one in this folder, whose number is one more; for origin_for and `epoch-begun`. Error io.
Result<EndedEpoch> last_ended_epoch(Disk& disk);

}  // namespace fluxgate::audit
