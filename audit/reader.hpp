#pragma once

// Reads on in a published log for a program that acts on its records: each entry beyond a cursor that the caller keeps, at least once, in
// order, without a gap, and only what a checkpoint by a pinned key vouches for. The caller stores the cursor when it has acted on what it
// was given; what it does must be idempotent, because after a crash the same entries come again.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "audit/checkpoint.hpp"
#include "audit/disk.hpp"
#include "base/error.hpp"
#include "base/signed_note.hpp"

namespace fluxgate::audit {

// A value, for the caller to keep. The log must go on from the checkpoint in it.
struct Cursor {
    std::string origin{};     // empty: takes the log as it is found
    std::uint64_t index = 0;  // the next entry to give
    std::uint64_t size = 0;   // of the newest checkpoint that was seen, and its root
    Hash root{};

    friend bool operator==(const Cursor&, const Cursor&) = default;
};

struct ReadEntry {
    std::uint64_t index = 0;
    std::string text{};
};
struct ReadOn {
    std::vector<ReadEntry> entries{};
    Cursor cursor{};  // to keep when the entries were acted on
};

// At most `max` entries beyond the cursor; none: nothing new. Errors: io; invalid_argument: a file of the log is none, or the entry at the
// cursor was pruned; contradictory: another origin, a checkpoint that the key did not sign or that does not continue the one seen before, an
// entry that is not in its tree.
Result<ReadOn> read_on(Disk& disk, const VerifierKey& key, const Cursor& cursor, std::size_t max);

}  // namespace fluxgate::audit
