#pragma once

// The audit log of one replica: takes records, makes them durable in batches, and says when. The files are those of audit/wal.hpp;
// audit/publisher.hpp carries them on into the provable log.
//
// Durability: a record is acknowledged after fdatasync, together with all that waited at the time (group commit). After the first failed
// write or sync nothing is acknowledged any more: the log is broken until the process starts again, because a repeated fsync may claim
// success for lost pages. A folder that holds as much as it may is another matter: the log is full. It refuses records, and takes them
// again when `set_covered` or `add_other_bytes` made room.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "audit/disk.hpp"
#include "audit/record.hpp"
#include "audit/wal.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace fluxgate::audit {

// A resource: one owner. `append` may be called from any thread.
class Log {
public:
    struct Options {
        std::size_t queue_max = Limits{}.record_queue_max;
        std::size_t record_bytes_max = Limits{}.record_bytes_max;  // see `encode`
        // Called once, on the log's thread, when the log breaks: the owner drains and exits.
        std::function<void(const Error&)> on_broken = [](const Error&) {};
        // Called on the log's thread when the folder is full, with the reason, and when there is room again.
        std::function<void(bool there_is_room, const std::string& why)> on_room = [](bool, const std::string&) {};
    };

    // Recovers the write-ahead log. The disk must have been taken; it outlives this. Errors: those of Wal::open.
    static Result<std::unique_ptr<Log>> open(Disk& disk, Wal::Options wal, Options options);
    // As `close`.
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // Calls `done` exactly once, on the log's thread or, when the record cannot even wait (the queue or the folder is full, the log broke),
    // at once on this one. Result: the record's sequence. Error: audit_unavailable, with the reason. An exception of `done` is swallowed.
    // Turning the record into text happens here; its blob, if it has one, is durable before the record is.
    using Done = std::function<void(Result<std::uint64_t>)>;
    void append(EncodedRecord record, Done done);
    void append(Record record, Done done);

    // Records up to `sequence` are under a checkpoint on the disk; others wrote (or removed) so many bytes in the folder. Any thread.
    void set_covered(std::uint64_t sequence);
    void add_other_bytes(std::int64_t bytes);

    // Takes no records any more, and returns when all that waited are durable or refused. Once or more, from the owner's thread.
    void close();

    const Wal::Recovered& recovered() const { return recovered_; }
    bool broken() const;
    std::uint64_t next_sequence() const;  // of the next record to be made durable

    // For who carries durable records on (audit/publisher.hpp): waits until a record beyond `sequence` is durable. False: it is not, and
    // the time is over or the log broke or closes.
    bool wait_for_durable_beyond(std::uint64_t sequence, std::chrono::steady_clock::time_point until) const;

private:
    struct Waiting {
        EncodedRecord record;
        Done done;
    };
    using Batch = std::vector<Waiting>;

    Log(Disk& disk, std::unique_ptr<Wal> wal, Options options);
    std::string refusal_now() const;
    void run();
    // What the log's thread does without the lock.
    void take_in_what_others_said();
    void look_for_room();
    void write(Batch batch);
    Result<void> write_or_say_why(std::span<Waiting> records);
    Result<void> store_blobs(std::span<Waiting> records);
    void refuse(std::span<const Waiting> records, const Error& why);

    Disk& disk_;
    std::unique_ptr<Wal> wal_;  // of the log's thread
    const Options options_;
    const Wal::Recovered recovered_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    mutable std::condition_variable more_durable_;
    Batch waiting_;
    std::uint64_t next_sequence_;
    std::uint64_t covered_ = 0;
    std::int64_t other_bytes_ = 0;
    bool others_said_something_ = false;
    std::string full_{};  // why
    bool broken_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace fluxgate::audit
