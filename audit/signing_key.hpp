#pragma once

// The key that signs checkpoints, as a file: a signer key of a C2SP note, and, after a rotation, the statement by which the key before
// it named it, until that statement is in the log. docs/explanation/provable-log.md.
//
// The file has mode 0600. One that we own and others can read is refused; one of another owner, such as a mounted Secret, may be readable
// for a group, as nobody but root could read it otherwise. No message ever holds the key.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/signed_note.hpp"

namespace fluxgate::audit {

// "fluxgate key rotation\nORIGIN\nOLD VKEY\nNEW VKEY\n", signed by the old and the new key. A value.
struct KeyRotation {
    VerifierKey from{};
    VerifierKey to{};
    std::string note{};

    // Both signatures hold and both names are the origin. Errors: invalid_argument, contradictory.
    static Result<KeyRotation> parse(std::string_view note);

    friend bool operator==(const KeyRotation&, const KeyRotation&) = default;
};

struct SigningKey {
    SignerKey key{};
    std::optional<KeyRotation> rotation{};
    std::filesystem::path path{};

    // Reads the file; makes it (durably) with a new key named `origin` if it is not there. Errors: io; invalid_argument: what is in it is
    // no key, or others can read it. With the path.
    static Result<SigningKey> open_or_make(const std::filesystem::path& path, const std::string& origin);
    static Result<SigningKey> open(const std::filesystem::path& path);
    // Replaces the key in the file by a new one of the same name, with the old one's statement. Returns the new one. Error contradictory
    // besides: the statement of a rotation before is not in the log yet.
    static Result<SigningKey> rotate(const std::filesystem::path& path);

    // The statement is in the log, under a checkpoint by the new key: takes it out of the file.
    Result<void> statement_is_recorded();
};

// A key name from what a replica knows of itself: "fluxgate/CLUSTER/REPLICA/1", with what a key name cannot hold replaced. The last part
// counts epochs, see next_epoch in audit/integrator.hpp.
std::string origin_for(std::string_view cluster, std::string_view replica, std::uint64_t epoch = 1);

}  // namespace fluxgate::audit
