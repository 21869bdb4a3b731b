#pragma once

// The files that `fluxgate grant` reads and writes: a BreakGlass document, a signed note over one, the ConfigMap that holds notes.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/signed_note.hpp"
#include "policy/lock/grants.hpp"

namespace fluxgate::cli {

// A grant, however it was written down.
struct GrantFile {
    policy::Grant grant{};
    std::string text{};  // the BreakGlass document; ends with a line feed
    std::string note{};  // empty if it is not signed
};

// A BreakGlass document, a signed note over one, or a ConfigMap with data.grant. Nothing is believed of signatures. Errors: io,
// too_large, invalid_policy, with the file and the line.
Result<GrantFile> read_grant_file(const std::string& path);

// A private key as `keygen` writes it. The message never holds the key.
Result<SignerKey> read_signer_key(const std::string& path);

// A ConfigMap for `kubectl apply -f -`; an empty note is left out. Error invalid_argument: a text that no YAML reader would give back as
// it is.
Result<std::string> config_map(std::string_view name, std::string_view namespace_name, std::string_view note, std::string_view revocation);

// The name of the ConfigMap of a grant.
std::string config_map_name(std::string_view grant);

// To the file, or to standard output if it is empty. Returns an exit code.
int write_out(std::string_view command, const std::string& path, std::string_view text);

}  // namespace fluxgate::cli
