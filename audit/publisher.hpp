#pragma once

// Runs an Integrator beside a Log: whatever the write-ahead log made durable goes into the provable log, a checkpoint at most every
// interval, or, after a backlog, one for each bounded batch. On its own thread; opening the integrator (which recomputes the root) happens
// there too, so that serving need not wait. A failure never touches the write-ahead log: records go on being taken, unsigned, and the owner
// says so.
//
// Where to go on is in the last entry itself (`data.sequence`), so the two logs cannot disagree about it. If the write-ahead log does not
// hold the record that comes next, records were lost: nothing is published over a hole; the operator ends the epoch.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "audit/checkpoint.hpp"
#include "audit/disk.hpp"
#include "audit/integrator.hpp"
#include "audit/log.hpp"
#include "audit/signing_key.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// A resource. Must end before the Log and the Disk. Callbacks come on its thread and must not end it.
class Publisher {
public:
    struct Options {
        std::chrono::milliseconds interval{1'000};
        // Each that is published, and first the one that was there.
        std::function<void(const Checkpoint&)> on_checkpoint = [](const Checkpoint&) {};
        std::function<void(const Error&)> on_broken = [](const Error&) {};  // once; nothing is published any more
        // The key was changed: append an event `signing-key-changed` whose facts hold `to` (the new verifier key) and `note` (the statement).
        // Nothing is published until it is in the log, and then by the new key. Not called if the event is there already.
        std::function<void(const KeyRotation&)> on_rotation = [](const KeyRotation&) {};
    };
    Publisher(Disk& disk, Log& log, SigningKey key, Options options);
    // Publishes what is durable by then, and ends.
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

private:
    struct Batch {
        std::vector<std::string> texts{};
        bool has_statement = false;
    };

    void run();
    bool wait();
    Result<void> open();
    Result<void> look_for_statement();
    Result<void> publish_what_is_durable();
    Result<Batch> read_batch(std::uint64_t end);
    Result<void> each_durable(std::uint64_t end, const std::function<bool(std::uint64_t sequence, std::string_view text)>& use);
    bool is_statement(std::string_view text) const;

    Disk& disk_;
    Log& log_;
    const Options options_;
    // Of the publisher's thread:
    SigningKey key_;
    std::unique_ptr<Integrator> integrator_;
    std::uint64_t next_sequence_ = 1;
    bool statement_is_due_ = false;  // the rotation is not in the log yet

    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace fluxgate::audit
