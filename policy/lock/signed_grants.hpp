#pragma once

// Break-glass grants that came as signed notes in ConfigMaps, checked: what a replica believes of what it was offered. A value,
// made anew whenever the offers or the policy set change, off the request path.
//
// A note's text is one BreakGlass document as YAML; its signature by an approver (`breakGlass.approverKeys` of any lock of the set)
// is what it is believed for. A revocation is a note of its own over these lines, kept until the grant would have ended anyway. It ends
// grants from Git too, which have no signature, and holds while a lock has the key that signed it:
//
//   fluxgate.dev/revocation/v1
//   name: inc-4711
//   digest: sha256:…
//   expiresAt: 2026-12-05T04:10:00Z

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "policy/cluster_view.hpp"
#include "policy/lock/grants.hpp"

namespace fluxgate::policy {

struct PolicySet;

// The end of a grant before its time.
struct Revocation {
    std::string name{};
    std::string digest{};  // "sha256:…" of the text of the grant's note, or of its meaning (Grant::meaning)
    WallTime expires_at{};

    friend bool operator==(const Revocation&, const Revocation&) = default;
};

struct SignedGrants {
    // More than a bad night needs. Beyond it no signed grant is accepted, and that is said: which ones to leave out would be the choice
    // of whoever writes ConfigMaps. Copies of a note count once; revocations are read however many there are.
    static constexpr std::size_t kGrantsMax = 1'000;

    std::vector<Grant> grants{};  // each with at least one signature by an approver of the set; revoked ones too, see `is_revoked`
    std::vector<std::string> config_maps{};  // that offers it, the first by name, for each of `grants`
    std::vector<Revocation> revocations{};
    std::vector<std::string> problems{};  // "ConfigMap grant-inc-4711: …", for the log

    // Was the grant, from wherever, ended before its time?
    bool is_revoked(const Grant& grant) const;

    // `offered` against the approver keys of all locks of the set.
    static SignedGrants read(const std::vector<OfferedGrant>& offered, const PolicySet& set, const Limits& limits);
};

// Of all locks of the set, each once.
std::vector<VerifierKey> approver_keys_of(const PolicySet& set);

// A note over exactly one BreakGlass that names its cluster and is signed by the approver it names, who neither asked for it nor
// profits from it. Errors: those of SignedNote; invalid_argument (no approver's signature); invalid_policy, with the line.
Result<Grant> read_signed_grant(std::string_view note, const std::vector<VerifierKey>& approvers, const Limits& limits);

// Does it name the text of the grant, or what it means?
bool ends(const Revocation& revocation, const Grant& grant);

// A note by any approver: ending early harms nobody. Errors as above.
Result<Revocation> read_revocation(std::string_view note, const std::vector<VerifierKey>& approvers);
std::string revocation_text(const Revocation& revocation);

// "sha256:…" of the text of a note.
std::string digest_of_text(std::string_view text);

}  // namespace fluxgate::policy
