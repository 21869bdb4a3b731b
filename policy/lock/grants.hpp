#pragma once

// Break-glass: a BreakGlass document opens lock rules for some people, for some objects, for a while, with a ticket. It comes with
// the policy files (vouched for by the Git commit), or, when Git itself is down, as a signed note in a ConfigMap
// (policy/lock/signed_grants.hpp). A grant never opens the rule `escape`. Values; immutable once made.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/signed_note.hpp"
#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/decode.hpp"
#include "policy/match.hpp"

namespace fluxgate::policy {

// No lock accepts a grant that is longer: what takes more than a day is a change for Git.
inline constexpr std::chrono::hours kGrantDurationMax{24};

// `breakGlass` of a lock: which grants it accepts.
struct BreakGlassTerms {
    std::chrono::seconds max_duration{};
    std::vector<VerifierKey> approver_keys{};  // empty: grants from Git only

    static BreakGlassTerms decode(Mapping& fields);
};

struct Grant {
    std::string name{};
    std::string digest{};             // "sha256:…" of the signed text; from Git the same as `meaning`. What counts are about
    std::string meaning{};            // "sha256:…" of what it says, whatever its comments: the same in Git and signed
    std::vector<Subject> subjects{};  // whole names, no patterns
    Match match{};                    // namespaces, names and resourceRules
    std::string ticket{};
    std::string reason{};
    std::string requested_by{};
    std::string approved_by{};
    std::string cluster{};  // empty: any; required if signed
    WallTime not_before{};
    WallTime expires_at{};
    std::optional<std::uint64_t> max_uses{};
    std::vector<VerifierKey> signed_by{};  // whose signatures hold; empty: from Git
};

// The first grant that lets this request pass a lock with these terms; else nullptr, and `why_not` says of the grant that comes
// nearest why it does not ("Break-glass inc-4711 ended at …."); empty if none is about this caller.
//
// It holds from `notBefore` up to, and not at, `expiresAt`, unless a revocation ends it, in Git or signed; and never for the person who
// approved it, who may be in a group that it names. Asked only of what would be refused; allocates only for `why_not`.
const Grant* find_grant(const kube::Review& review, const BreakGlassTerms& terms, const std::vector<Grant>& from_git,
                        const Context& context, std::string& why_not);

// Could a lock with these terms ever accept the grant, as far as its approver and its length decide?
bool accepts(const BreakGlassTerms& terms, const Grant& grant);

// Is the grant for the cluster that the context is about? True if it names none and came from Git.
bool is_for_this_cluster(const Grant& grant, const Context& context);

// Do both names mean one person? Capitals, spaces around, and what an identity provider puts in front ("oidc:") make no difference.
bool same_person(std::string_view left, std::string_view right);

// As people read and write times of grants: 2026-12-05T04:10:00Z.
std::string format_moment(WallTime time);

// What the user is told who uses it, within `characters_max`.
std::string describe_use(const Grant& grant, std::size_t characters_max);

}  // namespace fluxgate::policy
