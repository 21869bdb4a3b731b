#pragma once

// What policy says about one review. Values: copyable, comparable, printable.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::policy {

// What a policy does with a violation (`validationActions`, the words of ValidatingAdmissionPolicy).
enum class Action : std::uint8_t {
    deny,   // refuse the write
    warn,   // let it through with a warning to the client, and record it
    audit,  // let it through and record it
};
std::string_view to_string(Action action);

struct Violation {
    std::string policy;
    std::string rule;
    std::string path;  // .spec.template.spec.containers[name="web"].image; "." is the whole object
    std::string have;
    std::string want;
    Action action = Action::deny;
    std::string container{};  // the one it is about; empty when it is about the object or the pod

    friend bool operator==(const Violation&, const Violation&) = default;
};

// "production/probes .spec…containers[name="web"].readinessProbe: have (absent), want a probe"
std::string to_string(const Violation& violation);

// How strongly the request proves who is asking. For a service account pod_bound > token > impersonated, for a user
// certificate > impersonated; none proves nothing.
enum class Assurance : std::uint8_t { none, impersonated, token, pod_bound, certificate };
std::string_view to_string(Assurance assurance);

// Which promise the audit log makes for this write.
enum class WriteClass : std::uint8_t {
    unguarded,    // no lock matched: who writes is nobody's business, and it may be Flux, so it is never held up for the log's sake
    routine,      // by a writer of every lock that matched: never held up for the log's sake either
    exceptional,  // where a lock matched, by somebody who is no writer or may only look like one: durable before it is allowed
};
std::string_view to_string(WriteClass write_class);

// A break-glass grant without which a write would have been refused.
struct UsedGrant {
    std::string name;
    std::string digest;  // "sha256:…" of its text
    std::string ticket;
    std::string approved_by;
    std::string vouched_by;  // "git", or the name of the key that signed it
    WallTime expires_at{};
    std::optional<std::uint64_t> max_uses{};

    friend bool operator==(const UsedGrant&, const UsedGrant&) = default;
};

struct Verdict {
    bool allowed = true;
    WriteClass write_class = WriteClass::unguarded;
    // False for a dry run of something that a dry run does not do: judged, answered, not recorded.
    bool effective = true;
    std::string_view writer;  // the profile that let it pass; alive as long as the policy set
    Assurance assurance = Assurance::none;
    // In the order of policies, rules and fields; at most kViolationsMax, `omitted` counts the rest.
    std::vector<Violation> violations;
    std::size_t violations_omitted = 0;
    std::vector<std::string> warnings;    // not yet cut to length
    std::string owner;                    // "Kustomization flux-system/apps", or why it is not known; set when a rule was violated
    std::string guidance;                 // of the first policy that denies, with {owner} filled in
    std::vector<std::string> compliance;  // of the policies violated
    std::vector<std::string> exceptions;  // the GuardExceptions without which there would be more violations
    // Of a write by somebody who is no writer, let through in spite of a lock; empty when it is denied.
    std::vector<UsedGrant> grants{};  // by break-glass
    std::string_view allowance{};     // as day-2 work: "restart"
    bool learned = false;             // because a lock still learns who writes
    std::string owner_source{};       // "https://git.example.com/shop, ./apps at main@sha1:4f0c"; empty if that is not known
    std::optional<Error> error;       // set when no verdict could be reached

    friend bool operator==(const Verdict&, const Verdict&) = default;

    // The only way from an error to a verdict: a denial that says why.
    static Verdict undecided(Error error);
};

// A pod has at most some hundred containers and a rule a handful of demands; an object made to overflow the log stops here.
inline constexpr std::size_t kViolationsMax = 10'000;

}  // namespace fluxgate::policy
