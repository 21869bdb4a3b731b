#pragma once

// Runs an Integrator beside a Log: whatever the write-ahead log made durable goes into the provable log, a checkpoint at most every
// interval. On its own thread; opening the integrator (which recomputes the root) happens there too, so that serving need not wait.
// A failure never touches the write-ahead log: records go on being taken, unsigned, and the owner says so.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "audit/checkpoint.hpp"
#include "audit/disk.hpp"
#include "audit/log.hpp"
#include "audit/signing_key.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// A resource. Must end before the Log and the Disk. Callbacks come on its thread.
class Publisher {
public:
    struct Options {
        std::chrono::milliseconds interval{1'000};
        std::function<void(const Checkpoint&)> on_checkpoint = [](const Checkpoint&) {};
        std::function<void(const Error&)> on_broken = [](const Error&) {};  // once; nothing is published any more
        // Records to write before anything else is published: a new epoch, a rotated key. Given the entries' own words.
        std::function<void(const KeyRotation&)> on_rotation = [](const KeyRotation&) {};
    };
    Publisher(Disk& disk, Log& log, SigningKey key, Options options);
    // Publishes what is durable by then, and ends.
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;
};

}  // namespace fluxgate::audit
