#pragma once

// The key that signs checkpoints, as a file: a signer key of a C2SP note, and, after a rotation, the statement by which the key before
// it named it, until that statement is in the log. docs/reference/audit-commands.md.

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/signed_note.hpp"

namespace fluxgate::audit {

// "fluxgate key rotation\nORIGIN\nOLD VKEY\nNEW VKEY\n", signed by the old and the new key.
struct KeyRotation {
    VerifierKey from{};
    VerifierKey to{};
    std::string note{};

    // Both signatures hold and both names are the origin. Errors: invalid_argument, contradictory.
    static Result<KeyRotation> parse(std::string_view note);
};

struct SigningKey {
    SignerKey key;
    std::optional<KeyRotation> rotation{};

    // Reads the file; makes it (mode 0600, durably) with a new key named `origin` if it is not there. Refuses a file that others can
    // read. Errors: io, invalid_argument (what is in it is no key), with the path, never with the key.
    static Result<SigningKey> open_or_make(const std::filesystem::path& path, const std::string& origin);
    // Replaces the key in the file by a new one of the same name, with the old one's statement. Returns the new one.
    static Result<SigningKey> rotate(const std::filesystem::path& path);
};

// A key name from what a replica knows of itself: "fluxgate/CLUSTER/REPLICA/1", with what a key name cannot hold replaced. The last part
// counts epochs.
std::string origin_for(std::string_view cluster, std::string_view replica);

}  // namespace fluxgate::audit
