#pragma once

// The audit log of one replica: takes records, makes them durable in batches, and says when.
//
// The format is JSON Lines in numbered files; the provable log (C2SP tlog-tiles) takes its place behind this header.
// Files are `records-<sequence of the first record, 20 digits>.jsonl`. A start opens a new file and continues the sequence
// behind the last whole line, so a tail torn by a crash is never written over.
//
// Durability: a record is acknowledged after fdatasync, together with all that waited at the time (group commit). After the
// first failed write or sync nothing is acknowledged any more: the log is broken until the process starts again, because a
// repeated fsync may claim success for lost pages.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "audit/record.hpp"
#include "audit/storage.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace fluxgate::audit {

// A resource: one owner. `append` may be called from any thread.
class Log {
public:
    struct Options {
        std::size_t queue_max = Limits{}.record_queue_max;
        std::size_t file_bytes_max = 64u << 20;
        std::size_t record_bytes_max = Limits{}.record_bytes_max;  // see `fit`
        // Called once, on the log's thread, when the log breaks: the owner drains and exits.
        std::function<void(const Error&)> on_broken = [](const Error&) {};
    };

    // Reads where the sequence stands and opens the next file. Errors: io, contradictory (the directory is taken), invalid_json
    // (the last whole line is no record: something else wrote here).
    static Result<std::unique_ptr<Log>> open(std::unique_ptr<Storage> storage, Options options);
    // Makes durable what waits, then ends.
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // Calls `done` exactly once, on the log's thread or, when the queue is full or the log broken, at once on this one.
    // Result: the record's sequence. Error: audit_unavailable, with the reason. An exception of `done` is swallowed.
    using Done = std::function<void(Result<std::uint64_t>)>;
    void append(Record record, Done done);

    bool broken() const;
    std::uint64_t next_sequence() const;  // of the next record to be made durable

    // For who carries durable records on (audit/publisher.hpp): waits until a record beyond `sequence` is durable. False: it is not, and
    // the time is over or the log broke or closes.
    bool wait_for_durable_beyond(std::uint64_t sequence, std::chrono::steady_clock::time_point until) const;

private:
    Log(std::unique_ptr<Storage> storage, Options options, std::uint64_t next_sequence);
    Result<void> open_next_file();
    void run();
    Result<void> write_or_say_why(const std::vector<Record>& records);
    Result<void> write(const std::vector<Record>& records);

    struct Waiting {
        Record record;
        Done done;
    };

    std::unique_ptr<Storage> storage_;
    Options options_;
    std::unique_ptr<AppendFile> file_;
    std::size_t file_bytes_ = 0;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    mutable std::condition_variable more_durable_;
    std::vector<Waiting> waiting_;
    std::uint64_t next_sequence_;
    bool broken_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace fluxgate::audit
