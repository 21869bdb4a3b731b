#pragma once

// An audit log that no server writes at the moment, to be changed by a command: what it does is recorded in the log itself.

#include <filesystem>
#include <memory>
#include <string>

#include "audit/disk.hpp"
#include "audit/integrator.hpp"
#include "audit/record.hpp"
#include "audit/wal.hpp"
#include "base/error.hpp"

namespace fluxgate::cli {

// The key that signs: `given`, or the one in the folder.
std::filesystem::path signing_key_path(const std::string& folder, const std::string& given);

// A resource; one thread. Holds the folder for this process.
class OfflineLog {
public:
    // Takes the folder and opens both logs in it. Errors: those of take_audit_folder, SigningKey::open, Integrator::open and Wal::open;
    // contradictory: a changed key was not recorded yet, so a server has to run first.
    static Result<OfflineLog> open(const std::string& folder, const std::filesystem::path& key_path);

    audit::Integrator& integrator() { return *integrator_; }
    // Whose records these are: cluster and replica of the last one. Empty in an empty log.
    const audit::Record& last() const { return last_; }

    // Makes the event durable, then publishes it with all that was waiting. `event` needs its name and what it carries.
    Result<void> record(audit::Record event);

private:
    Result<void> make_durable(audit::Record event);
    Result<void> publish();

    std::unique_ptr<audit::Disk> disk_;
    std::unique_ptr<audit::Integrator> integrator_;
    std::unique_ptr<audit::Wal> wal_;
    audit::Record last_;
};

}  // namespace fluxgate::cli
