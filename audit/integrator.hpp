#pragma once

// Makes a provable log of records: entry bundles, hash tiles, a signed checkpoint, in that order (https://c2sp.org/tlog-tiles). The only
// writer of these files. One thread; nothing here waits, so that a simulated disk can drive it step by step. audit/publisher.hpp runs it.
//
// At the start it recomputes the root from the bundles (from the tiles, below the minimum index) and refuses to go on if that is not
// consistent with the last checkpoint: a split view signed by ourselves is the one unforgivable fault. Entries that are on the disk beyond
// the checkpoint (a crash came between) are written again, and must then be the same bytes.
// Full tiles and bundles never change. Partial ones are removed once the full one exists; never one that the checkpoint on the disk needs.

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
#include "base/error.hpp"

namespace fluxgate::audit {

// A resource; one thread.
class Integrator {
public:
    // The disk must have been taken; it outlives this. Errors: io; contradictory: tiles and checkpoint disagree, the checkpoint is by a key
    // that is neither the one given nor the one its rotation names, or an immutable file was changed.
    static Result<std::unique_ptr<Integrator>> open(Disk& disk, SigningKey key);
    virtual ~Integrator() = default;

    virtual std::uint64_t size() const = 0;  // of the last checkpoint
    virtual const std::string& origin() const = 0;
    // The last entry under the checkpoint; nothing in an empty log. Who integrates a write-ahead log reads in it where to go on.
    virtual Result<std::optional<std::string>> last_entry() = 0;

    // Appends the entries and publishes a checkpoint over them: all of them, or, after an error, the checkpoint that was there. After an
    // error of any kind every later call fails, until the process starts again. Bytes written minus removed are told to `on_bytes`.
    virtual Result<Checkpoint> append(std::span<const std::string_view> entries) = 0;
    virtual void on_bytes(std::function<void(std::int64_t)> tell) = 0;

    // From now on the entries below `index` need not be provable any more: bundles wholly below are removed, tiles stay, so that proofs
    // of later records and of old checkpoints hold. Rounded down to whole bundles; never falls. Record it in the log first.
    virtual Result<std::uint64_t> prune_below(std::uint64_t index) = 0;
};

// Ends a log that can no longer be continued: moves checkpoint, tiles and key into epochs/<n>/, durably, and returns the last checkpoint,
// as it was, for record 0 of the next epoch. `disk` must have been taken. Interrupted, it can be called again.
Result<std::string> end_epoch(Disk& disk);

}  // namespace fluxgate::audit
