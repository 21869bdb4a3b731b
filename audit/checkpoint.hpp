#pragma once

// The signed root over all records so far: https://c2sp.org/tlog-checkpoint in a signed note. A value.

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/merkle.hpp"
#include "base/error.hpp"
#include "base/signed_note.hpp"

namespace fluxgate::audit {

struct Checkpoint {
    std::string origin{};  // the name of the key that signs
    std::uint64_t size = 0;
    Hash root{};

    // "ORIGIN\nSIZE\nROOT\n": what is signed.
    std::string text() const;
    // Of a note whose signatures were checked. Errors: invalid_argument (form; extension lines are refused).
    static Result<Checkpoint> parse(std::string_view text);

    friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// Checks form, that a signature by `key` is there and holds, and that the origin is the key's name. Errors: invalid_argument, contradictory.
Result<Checkpoint> open_checkpoint(std::string_view note, const VerifierKey& key);

// The note with the signature of `key`, whose name becomes the origin. Error invalid_argument: no such note can be.
Result<std::string> sign_checkpoint(std::uint64_t size, const Hash& root, const SignerKey& key);

}  // namespace fluxgate::audit
