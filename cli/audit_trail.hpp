#pragma once

// The audit log of a serving process, wired: the folder, taken; the write-ahead log; and what signs checkpoints over it. Until a companion
// does that for a whole cluster, each process publishes its own.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "audit/checkpoint.hpp"
#include "audit/disk.hpp"
#include "audit/integrator.hpp"
#include "audit/log.hpp"
#include "audit/publisher.hpp"
#include "audit/record.hpp"
#include "base/error.hpp"

namespace fluxgate::cli {

// A resource. Callbacks come on threads of the log and of the publisher, and only while this lives.
class AuditTrail {
public:
    struct Options {
        std::filesystem::path directory{};
        std::filesystem::path key_file{};  // empty: in the directory
        std::string cluster{};
        std::string replica{};
        std::size_t queue_max = Limits{}.record_queue_max;
        std::uint64_t disk_bytes_max = 0;  // of the folder; 0: no bound
        std::function<void(const Error&)> on_broken = [](const Error&) {};
        // There is no room for records, or there is again.
        std::function<void(bool room, const std::string& why)> on_room = [](bool, const std::string&) {};
        std::function<void(const audit::Checkpoint&)> on_checkpoint = [](const audit::Checkpoint&) {};
        // No checkpoint is published any more; records go on being taken.
        std::function<void(const Error&)> on_unpublished = [](const Error&) {};
        // The key was rotated: have the statement recorded. Publishing waits for that.
        std::function<void(const audit::KeyRotation&)> on_rotation = [](const audit::KeyRotation&) {};
    };

    // Takes the folder and recovers the write-ahead log. Errors: contradictory: another process has the folder; io; audit_unavailable: what
    // audit::Log says of a log that cannot go on.
    static Result<std::unique_ptr<AuditTrail>> open(Options options);
    // Makes durable what waits, publishes it, and ends.
    ~AuditTrail();
    AuditTrail(const AuditTrail&) = delete;
    AuditTrail& operator=(const AuditTrail&) = delete;

    audit::Log& log() { return *log_; }
    audit::Disk& disk() { return *disk_; }

    // In a log that holds nothing yet, after one that could not go on: that one.
    const std::optional<audit::EndedEpoch>& ended_epoch() const { return ended_epoch_; }

    // Begins to publish; once, after the records that open this run were appended.
    void publish();

private:
    explicit AuditTrail(Options options) : options_(std::move(options)) {}
    Result<void> open_log();
    Result<audit::SigningKey> find_key();

    Options options_;
    std::unique_ptr<audit::Disk> disk_;
    std::uint64_t epoch_ = 1;
    std::optional<audit::EndedEpoch> ended_epoch_;
    std::unique_ptr<audit::Log> log_;
    std::unique_ptr<audit::Publisher> publisher_;
};

}  // namespace fluxgate::cli
