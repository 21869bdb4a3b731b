#pragma once

// The proof that one record is in the log, as a file that anybody can check offline with the record's text and the log's verifier key:
// https://c2sp.org/tlog-proof (index, inclusion proof, signed checkpoint). It proves that the signer committed to exactly this text at
// exactly this index; not that other records are complete.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.hpp"
#include "audit/disk.hpp"
#include "audit/merkle.hpp"
#include "base/error.hpp"
#include "base/signed_note.hpp"

namespace fluxgate::audit {

// A value. `extra`, which is not authenticated, is read past and never written.
struct LogProof {
    std::uint64_t index = 0;
    std::vector<Hash> hashes{};
    std::string checkpoint{};  // the signed note, as it is

    std::string text() const;
    // Strict: what `text` writes, with or without a line "extra". Errors: invalid_argument, too_large.
    static Result<LogProof> parse(std::string_view text);
};

struct ProvenRecord {
    LogProof proof{};
    std::string record{};  // the entry, byte for byte
};
// Of a folder, for the entry `index`, by its checkpoint as it lies there. The proof is checked against the folder's own verifier key
// before it is given away. Errors: io; invalid_argument: no such entry yet, or pruned; contradictory: the folder does not hold together.
Result<ProvenRecord> prove_record(Disk& disk, std::uint64_t index);

// Does the proof hold for this text, by this key? The checkpoint it rests on. Errors: invalid_argument, contradictory.
Result<Checkpoint> check_proof(const LogProof& proof, std::string_view record, const VerifierKey& key);

}  // namespace fluxgate::audit
