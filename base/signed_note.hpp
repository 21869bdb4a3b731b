#pragma once

// C2SP signed notes with Ed25519 keys (https://c2sp.org/signed-note): texts that stock tools verify. Checkpoints of the audit log
// and break-glass grants are such notes. Values; pure but for `SignerKey::generate`, which asks the system for randomness.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate {

// "alice@example.com+1d2c3b4a+AYdgX…": name, key id, type and public key in base64.
struct VerifierKey {
    std::string name{};
    std::uint32_t id = 0;
    std::array<std::uint8_t, 32> public_key{};

    // Error invalid_argument: no verifier key, an id that does not fit, another algorithm than Ed25519.
    static Result<VerifierKey> parse(std::string_view text);
    std::string text() const;

    friend bool operator==(const VerifierKey&, const VerifierKey&) = default;
};

}  // namespace fluxgate
