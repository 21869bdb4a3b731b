#pragma once

// Verifies a whole audit folder offline, from the outside: signature, tree, every entry, the story the records tell, blobs, epochs, the
// write-ahead log. Needs the folder and, to be worth something, the log's verifier key from elsewhere. Reads only, takes no lock, and works
// while a server writes; streams, with memory for one entry bundle (16 MiB at most) and what findings and replicas need.
//
// What it proves: the signer of the key committed to exactly these records in this order. What it cannot: that whoever holds the signing
// key did not write the whole log anew (keep old checkpoints elsewhere and give them to `checkpoints`), nor that everything was recorded
// (heartbeats and their counters speak for it; `fluxgate audit reconcile` compares with the API server's own log).
// Not looked at: the signing key, what a recovery cut off (wal/cut), the insides of ended epochs (each is a folder to verify by itself).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/checkpoint.hpp"
#include "audit/disk.hpp"
#include "audit/finding.hpp"
#include "audit/verify_records.hpp"
#include "base/error.hpp"
#include "base/signed_note.hpp"

namespace fluxgate::audit {

struct VerifyOptions {
    std::optional<VerifierKey> key{};                                // pinned; nothing: the folder's own
    std::vector<std::pair<std::string, std::string>> checkpoints{};  // older ones: name and signed note
    std::size_t findings_max = 1'000;                                // kept of each level; all are counted
    std::function<void(std::uint64_t done, std::uint64_t total)> progress = [](std::uint64_t, std::uint64_t) {};
};

struct Verification {
    Findings findings{1'000};
    std::optional<Checkpoint> checkpoint{};  // nothing: none was published yet, or it is no checkpoint
    std::string key{};                       // that signed it; empty: none that is known
    bool pinned = false;                     // a key from outside the folder stands behind it
    std::uint64_t minimum_index = 0;
    std::uint64_t entries = 0;      // that were checked
    std::uint64_t unpublished = 0;  // records of the write-ahead log that no checkpoint covers yet
    std::uint64_t blobs = 0;
    std::uint64_t older_checkpoints = 0;  // that are prefixes of this log
    RecordTotals totals{};

    bool good() const { return findings.errors() == 0; }
    // A key signed exactly these entries, and whatever is wrong is what they tell: a silence, missing records. So nothing speaks of a change.
    bool as_signed() const;
    // Sentences: what a good result proves, and what it does not.
    std::vector<std::string> proves() const;
    std::vector<std::string> leaves_open() const;
};

// Errors: io, when the folder cannot be read at all. Whatever is wrong in it is a finding.
Result<Verification> verify_log(Disk& disk, const VerifyOptions& options);

}  // namespace fluxgate::audit
