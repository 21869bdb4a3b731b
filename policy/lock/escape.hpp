#pragma once

// The rule `escape` of the policy `fluxgate`: the ways around a lock. A set with an enforcing lock guards, whatever its `match`,
// against everybody who is no writer of any lock:
//   - Flux's own objects and what they substitute from, and the switches of Flux on any object a lock matches
//   - tokens, token Secrets and Pods of the accounts that writer profiles name
//   - the Namespaces a lock matches: their labels, their end
//   - RBAC, certificate signing requests, APIServices and CustomResourceDefinitions that open a way to all this
// No exception, grant, allowance or learning opens it. Catalogue: docs/reference/rules/escape.md.

#include <memory>
#include <string>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/findings.hpp"
#include "policy/glob.hpp"
#include "policy/lock/lock.hpp"

namespace fluxgate::policy {

// What of a set the rule needs. Compiled once with the set; immutable.
struct EscapeGuard {
    bool on = false;                                            // is there a lock whose policy can deny?
    std::vector<std::shared_ptr<const WriterProfile>> writers;  // of all locks, each once
    std::vector<WriterAccount> accounts;                        // that these name, sorted
    std::vector<std::string> account_namespaces;                // sorted
};

// What became of a request that the rule guards.
struct EscapeOutcome {
    bool guarded = false;  // the rule has a word about it
    WriterMatch writer{};  // who may do it all the same
};

// Adds a finding for each way around a lock that the request takes. `matched_by_lock`: a lock of the set matches the object.
EscapeOutcome judge_escape(const kube::Review& review, const EscapeGuard& guard, const Context& context, Assurance assurance,
                           bool matched_by_lock, Findings& findings);

}  // namespace fluxgate::policy
