#pragma once

// The write-ahead log of one replica: numbered records in segments that were allocated beforehand. One thread; nothing here waits
// for others, so that a simulated disk can drive it step by step. audit/log.hpp puts the queue and the thread around it.
//
// A segment is `wal/<sequence of its first record, 20 digits>.wal`: a header, then frames, then zeros. A frame is magic, length, sequence
// of the record, sequence of the first record of the batch it was written with, CRC32C of all that and of the payload, and the payload.
// A batch is written at once and synced before the next begins; one that reaches beyond the end of a segment is cut in two there.
// A segment gets its name when its header is durable, and is written to when its name is.
//
// Recovery. Valid frames from the start of the last segment on are the log. What follows the last one is the tail that a crash left: it
// was never acknowledged. It is kept in `wal/cut/`, then cut off. But a valid frame of a *later batch* behind the damage proves that the
// damaged bytes had been synced and acknowledged: that is no tail, and opening is refused, as for any damage in an earlier segment and
// for any hole between segments. What the provable log covers is not needed here: it may be missing, and is not read. Nothing is ever
// repaired by guessing.
//
// The last batch is written once more before the log goes on: after a failed sync the cache may show bytes that are not on the disk, and
// that no later sync would write. Batches before it were synced by the process that wrote the next.

#include <algorithm>
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

inline constexpr std::size_t kWalPayloadBytesMax = 65'535;  // of an entry of the provable log

// A resource; one thread.
class Wal {
public:
    struct Options {
        std::uint64_t segment_bytes = 16u << 20;  // 64 KiB and more, so that every payload fits; less in tests
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

    // The disk must have been taken; it outlives this. There is room for a record when it returns, or disk_bytes_max is reached. Killed
    // at any point, it can be called again. Errors: io; contradictory: damage that is no torn tail, with file and offset, or a hole.
    static Result<std::unique_ptr<Wal>> open(Disk& disk, Options options);

    const Recovered& recovered() const { return recovered_; }
    std::uint64_t next_sequence() const { return next_sequence_; }

    // Writes the payloads as one batch, numbered from next_sequence(), and syncs. Errors: too_large: no room within disk_bytes_max;
    // invalid_argument: a payload of more than kWalPayloadBytesMax. Then nothing was written and the log is as it was. io: everything else;
    // from then on every call fails, until the process starts again.
    Result<void> append(std::span<const std::string_view> payloads);

    // Whether there is room for one more record of any size, and for so many bytes of others, within disk_bytes_max. Errors as `append`.
    Result<void> make_room_for(std::uint64_t other_bytes);

    // Records up to `sequence` are in the provable log, durably. Segments that hold nothing else are removed when room is needed, the
    // oldest first; nothing else is ever removed.
    void set_covered(std::uint64_t sequence) { covered_ = std::max(covered_, sequence); }
    // Bytes that others wrote to the folder (or removed from it) since.
    void add_other_bytes(std::int64_t bytes) { other_bytes_ += bytes; }

private:
    struct Segment {
        std::uint64_t first = 0;
        std::uint64_t bytes = 0;
    };

    Wal(Disk& disk, Options options) : disk_(disk), options_(options), covered_(options.covered) {}
    Result<void> recover();
    Result<void> find_segments();
    Result<void> recover_last_segment();
    Result<void> go_on_in(std::unique_ptr<File> file, std::uint64_t batch_begin);
    Result<void> cut_off(File& file, std::string_view tail);
    Result<void> start_segment();
    Result<void> make_room(std::uint64_t bytes);
    template <class Work>
    Result<void> unless_broken(Work work);
    std::uint64_t held_bytes() const;
    std::uint64_t segments_needed(std::span<const std::string_view> payloads) const;
    Result<void> write(std::span<const std::string_view> payloads);
    std::uint64_t payload_bytes_max() const;
    bool fits(std::size_t payload_bytes) const { return file_ && write_at_ + frame_bytes(payload_bytes) <= segments_.back().bytes; }
    static std::uint64_t frame_bytes(std::size_t payload_bytes);

    Disk& disk_;
    Options options_;
    Recovered recovered_;
    std::uint64_t covered_ = 0;
    std::int64_t other_bytes_ = 0;
    std::vector<Segment> segments_;  // the last one is written to, if there is a file
    std::unique_ptr<File> file_;
    std::uint64_t write_at_ = 0;
    std::uint64_t next_sequence_ = 1;
    std::string batch_;
    bool broken_ = false;
};

// Reads a write-ahead log that somebody else may be writing: each record from `sequence` on, in order, as far as whole frames go. The last
// may not be durable yet. What stands behind the last whole frame is not judged. Takes no lock and changes nothing. A segment that was removed meanwhile counts as
// absent. Errors: io; contradictory: `sequence` is not there any more though later ones are.
// f(sequence, payload); the view ends with the call.
using UseFrame = std::function<Result<void>(std::uint64_t sequence, std::string_view payload)>;
Result<void> read_wal(Disk& disk, std::uint64_t sequence, const UseFrame& use);

// The first sequence of each segment, in order. Error io: also, that there is no write-ahead log.
Result<std::vector<std::uint64_t>> list_segments(Disk& disk);

// What stands behind the last whole frame of a segment, for who verifies: zeros (`bytes` is 0), or what a crash left, or damage.
struct WalTail {
    std::string path{};
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;                     // up to the last that is not zero
    std::optional<std::uint64_t> later_batch{};  // a valid frame of a later batch is in it, so what is in front of it had been synced
};
// Of the segment that begins with record `first`. Takes no lock and changes nothing. Errors: io; contradictory: its header is damaged.
Result<WalTail> inspect_wal_tail(Disk& disk, std::uint64_t first);

}  // namespace fluxgate::audit
