#pragma once

// What the `fluxgate audit` commands share: the flag --audit, verifier keys and times as people give them.

#include <memory>
#include <string>

#include "audit/disk.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/signed_note.hpp"

namespace CLI {
class App;
}

namespace fluxgate::cli {

// --audit DIR, required.
void add_audit_folder(CLI::App& command, std::string& folder);

// A verifier key ("NAME+ID+BASE64") or a file that holds one. Errors: io, invalid_argument.
Result<VerifierKey> verifier_key_of(const std::string& key_or_file);

// A moment: RFC 3339, or a duration before `now`: "24h", "7d". Error invalid_argument.
Result<WallTime> moment_of(const std::string& text, WallTime now);

// What an operator gives as --reason, for a record. Errors invalid_argument: empty, too long.
Result<void> check_reason(const std::string& reason);

// "1 entry", "12,345 entries".
std::string grouped(std::uint64_t count);

// Takes the folder for this process, so that nobody else writes there. Errors: io; contradictory, with what to do: a server has it.
Result<std::unique_ptr<audit::Disk>> take_audit_folder(const std::string& folder);

}  // namespace fluxgate::cli
