#pragma once

// Rule `lock`: only writers may write. Scope `object`: any CREATE, UPDATE, DELETE or CONNECT by another, on any object and
// any subresource of a matching namespace, is refused. Scope `fields` relaxes one case, see field_lock.hpp: an UPDATE that
// touches neither what Git declares nor anything outside the allowed additions.
//
// What is accepted although a look-alike could not be told from it (proof `impersonated`) passes, and is no routine write: it is
// recorded before it is allowed, for whoever verifies it against Git afterwards.
//
// Besides, a lock can allow people day-2 work (allowances.hpp), accept break-glass grants (grants.hpp) and learn for a while who
// writes. Two more things pass that are no write by a writer: deleting an object that is being deleted already (finalisation would
// stick otherwise), and a dry run of something that a dry run does not do (so that `kubectl diff` works), with a warning.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "kube/admission_review.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"
#include "policy/lock/additions.hpp"
#include "policy/lock/allowances.hpp"
#include "policy/lock/built_in_writers.hpp"
#include "policy/lock/grants.hpp"

namespace fluxgate::policy {

// A profile as `writers` names it. Files may come in any order, so names are looked up when all are read.
struct WriterReference {
    std::string name{};
    std::vector<WriterAccount> accounts{};
    std::string file{};
    kube::Position position{};
    std::string what{};  // "spec.rules[0].lock.writers[1]"
};

// Why a request passes; all or nothing is set.
struct WriterMatch {
    const WriterProfile* profile = nullptr;
    const WriterIdentity* identity = nullptr;

    explicit operator bool() const { return profile != nullptr; }
};

using WriterProfiles = std::vector<std::shared_ptr<const WriterProfile>>;

// Who of these profiles lets this request pass; `also` may ask more of the permission that covers it. Allocates nothing.
WriterMatch find_writer(const WriterProfiles& writers, const kube::Review& review, Assurance assurance,
                        bool (*also)(const Permission&, const kube::Review&) = nullptr);

// Of a caller who is none: "no writer", "proof \"token\", flux needs \"pod-bound\"", "kubernetes may not CREATE secrets".
std::string why_no_writer(const WriterProfiles& writers, const kube::Review& review, Assurance assurance);

struct LockRule {
    // Each alive as long as a rule that names it; built-in ones for the whole program.
    std::vector<std::shared_ptr<const WriterProfile>> writers{};
    std::vector<WriterReference> references{};  // until the loader has made `writers` of them
    std::optional<Additions> fields{};          // scope `fields`; without it, scope `object`
    std::optional<WallTime> learn_until{};      // until then unknown service accounts and `system:` users pass, people do not
    std::vector<Allowance> allowances{};
    std::optional<BreakGlassTerms> break_glass{};  // without them no grant opens this lock

    static LockRule decode(Mapping& fields);

    // Who lets this request pass. Allocates nothing.
    WriterMatch find_writer(const kube::Review& review, Assurance assurance) const;

    // Of a request that is no writer's: says who is refused and why, and what the request would change. Finds nothing if scope
    // `fields` lets it pass.
    void refuse(const kube::Review& review, Assurance assurance, const Limits& limits, Findings& findings) const;
};

// Is a write with this proof accepted only because its profile accepts what a look-alike has as well?
bool could_be_a_look_alike(const WriterMatch& match, Assurance assurance);

// Service accounts and `system:` users: who a learning lock lets pass. People are never learned.
bool is_no_person(const kube::UserInfo& user);

// DELETE of an object that carries a deletionTimestamp.
bool finishes_a_delete(const kube::Review& review);

// True for CREATE, UPDATE and DELETE of stored objects. Not for CONNECT, tokens (a dry run of serviceaccounts/token returns
// a token that works), eviction, binding and subresources this version does not know: those are judged as real.
bool dry_run_stores_nothing(const kube::Review& review);

}  // namespace fluxgate::policy
