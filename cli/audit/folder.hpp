#pragma once

// What the `fluxgate audit` commands share: the flag --audit, verifier keys as people give them, a folder to change.

#include <memory>
#include <string>

#include "audit/disk.hpp"
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

// The folder to read in; a server may be writing there. Error io: it is not there, or holds no audit log, which must not look like one
// without records.
Result<std::unique_ptr<audit::Disk>> open_audit_folder(const std::string& folder);

// What an operator gives as --reason, for a record. Errors invalid_argument: empty, too long.
Result<void> check_reason(const std::string& reason);

// Takes the folder for this process, so that nobody else writes there. Errors: io; contradictory, with what to do: a server has it.
Result<std::unique_ptr<audit::Disk>> take_audit_folder(const std::string& folder);

}  // namespace fluxgate::cli
