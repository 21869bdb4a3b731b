#pragma once

// The rule `escape` of the policy `fluxgate`: the ways around a lock. A set with a lock that denies guards, whatever its `match`,
// against everybody who is no writer of any such lock:
//   - Flux's own objects and what they substitute from, and the switches of Flux on any object such a lock matches (escape_flux.cpp)
//   - tokens, token Secrets, Pods and connections of the accounts that writer profiles name (escape_accounts.cpp)
//   - the Namespaces such a lock matches, RBAC, certificate signing requests, APIServices and CustomResourceDefinitions that open a
//     way to all this (escape_cluster.cpp)
// No exception, grant, allowance or learning opens it, but for one switch within a grant. Kubernetes' own controllers (the built-in
// profile `kubernetes`) pass even if no lock names them: they act for objects that are guarded themselves, and a cluster without
// them stops. Catalogue, reasons and limits: docs/reference/rules/escape.md.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/findings.hpp"
#include "policy/glob.hpp"
#include "policy/lock/lock.hpp"

namespace fluxgate::policy {

struct Policy;
struct PolicySet;

// Service accounts by name and by pattern.
class GuardedAccounts {
public:
    void add(const Subject& account);
    void finish();  // after the last one, before anything is asked

    bool has(std::string_view namespace_name, std::string_view name) const;
    bool has_in(std::string_view namespace_name) const;
    bool has_named(std::string_view name) const;  // in whatever namespace

private:
    std::vector<WriterAccount> exact_;  // sorted
    std::vector<Subject> patterns_;
};

// What of a set the rule needs. Compiled once with the set; immutable.
struct EscapeGuard {
    bool on = false;                    // is there a lock whose policy can deny, today or later?
    std::vector<std::size_t> policies;  // these, by their place in the set
    std::vector<Match> namespaces;      // of each of them: the conditions of its match that are about namespaces
    WriterProfiles writers;             // of their locks, each once, and Kubernetes' own controllers
    GuardedAccounts accounts;           // of these writers
    GuardedAccounts accounts_in_pods;   // those of them that write as the Pods they run in
    std::vector<std::string> users;     // and groups that make somebody one of these, or the subject of an allowance; "system:node:*"
    std::vector<Glob> flux_namespaces;  // where Flux's controllers run

    static EscapeGuard compile(const std::vector<Policy>& policies);
};

// What the locks said of the request before.
struct LockSaid {
    bool enforced = false;  // one that denies matches the object, and none refused the request
    bool granted = false;   // a break-glass grant opened one
    // One of scope `fields` has seen that Flux's entries in managedFields, ownerReferences and finalizers stay as they are.
    bool fields_stay = false;
};

// What became of a request that the rule guards.
struct EscapeOutcome {
    bool guarded = false;  // the rule has a word about it
    WriterMatch writer{};  // who may do it all the same
};

// Adds a finding for each way around a lock that the request takes. Allocates nothing for a writer.
EscapeOutcome judge_escape(const kube::Review& review, const PolicySet& set, const Context& context, Assurance assurance, LockSaid said,
                           Findings& findings);

}  // namespace fluxgate::policy
