#pragma once

// The write-ahead log of one replica: numbered records in segments that were allocated beforehand. One thread; nothing here waits
// for others, so that a simulated disk can drive it step by step. audit/log.hpp puts the queue and the thread around it.
//
// A segment is `wal/<sequence of its first record, 20 digits>.wal`: a header, then frames, then zeros. A frame is magic, length, sequence
// of the record, sequence of the first record of the batch it was written with, CRC32C of all that and of the payload, and the payload.
// A batch is written at once and synced before the next begins.
//
// Recovery. Valid frames from the start of the last segment on are the log. What follows the last one is the tail that a crash left: it
// was never acknowledged. It is kept in `wal/cut/`, then cut off. But a valid frame of a *later batch* behind the damage proves that the
// damaged bytes had been synced and acknowledged: that is no tail, and opening is refused, as for any damage in an earlier segment and
// for any hole between segments. Nothing is ever repaired by guessing.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/disk.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// A resource; one thread.
class Wal {
public:
    struct Options {
        std::uint64_t segment_bytes = 16u << 20;
        // What the folder may hold in all, tiles and blobs included; 0: no bound. See `append`.
        std::uint64_t disk_bytes_max = 0;
        // Records up to here are in the provable log, by a signed checkpoint on the disk; 0: none. A write-ahead log that lost what is
        // covered goes on behind it.
        std::uint64_t covered = 0;
    };
    // What recovery found and did; for the log and for a gap record.
    struct Recovered {
        std::uint64_t next_sequence = 1;
        std::optional<std::string> cut{};  // the file that keeps what was cut off
        std::uint64_t cut_bytes = 0;
    };

    // The disk must have been taken; it outlives this. Errors: io; contradictory: damage that is no torn tail, with file and offset.
    static Result<std::unique_ptr<Wal>> open(Disk& disk, Options options);
    virtual ~Wal() = default;

    virtual const Recovered& recovered() const = 0;
    virtual std::uint64_t next_sequence() const = 0;

    // Writes the payloads as one batch, numbered from next_sequence(), and syncs. Errors: too_large: no room within disk_bytes_max; nothing
    // was written and the log is as it was. io: everything else; from then on every call fails, until the process starts again.
    // A payload has at most 65,535 bytes.
    virtual Result<void> append(std::span<const std::string_view> payloads) = 0;

    // Records up to `sequence` are in the provable log, durably. Segments that hold nothing else are removed when room is needed, the
    // oldest first; nothing else is ever removed.
    virtual void set_covered(std::uint64_t sequence) = 0;
    // Bytes that others wrote to the folder (or removed from it) since.
    virtual void add_other_bytes(std::int64_t bytes) = 0;
};

// Reads a write-ahead log that somebody else may be writing: each record from `sequence` on, in order, as far as whole frames go. What
// stands behind the last whole frame is not judged. Takes no lock and changes nothing. A segment that was removed meanwhile counts as
// absent. Errors: io; contradictory: `sequence` is not there any more though later ones are.
// f(sequence, payload); the view ends with the call.
using UseFrame = std::function<Result<void>(std::uint64_t sequence, std::string_view payload)>;
Result<void> read_wal(Disk& disk, std::uint64_t sequence, const UseFrame& use);

}  // namespace fluxgate::audit
