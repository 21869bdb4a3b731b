#pragma once

// One request as the families of the rule `escape` see it, and the families. Lives for one evaluation, on one thread; each family
// adds what it finds and does nothing else. They are asked only about callers who are no writers, or may only look like one.

#include <string>
#include <string_view>

#include "policy/lock/denials.hpp"
#include "policy/lock/escape.hpp"

namespace fluxgate::policy {

struct EscapeRequest {
    const kube::Review& review;
    const PolicySet& set;
    const Context& context;
    Assurance assurance;
    LockSaid said;

    const EscapeGuard& guard() const;
    bool is(std::string_view group, std::string_view resource) const {
        return review.resource.resource == resource && review.resource.group == group;
    }
    bool is_write() const { return review.operation == kube::Operation::create || review.operation == kube::Operation::update; }
    bool is_update() const { return review.operation == kube::Operation::update; }
    // Is the review's namespace, or the Namespace it is about, one that a lock matches which denies there now?
    bool in_locked_namespace() const;
    // … or one with an account that a writer profile names?
    bool in_guarded_namespace() const;

    // "UPDATE of kustomizations… by alice (no writer)", and what is wanted instead.
    void refuse(Findings& findings, std::string want) const;
};

// Of the profiles that a lock names, not of Kubernetes' own where none does. Made anew each time.
GuardedAccounts find_named_accounts(const EscapeRequest& request);

inline constexpr std::string_view kSystemNamespace = "kube-system";

void judge_flux_objects(const EscapeRequest& request, Findings& findings);
void judge_substitutes(const EscapeRequest& request, Findings& findings);
void judge_switches(const EscapeRequest& request, Findings& findings);
void judge_accounts(const EscapeRequest& request, Findings& findings);
void judge_connections(const EscapeRequest& request, Findings& findings);
void judge_namespaces(const EscapeRequest& request, Findings& findings);
void judge_roles(const EscapeRequest& request, Findings& findings);
void judge_signing_requests(const EscapeRequest& request, Findings& findings);
void judge_api_extensions(const EscapeRequest& request, Findings& findings);

}  // namespace fluxgate::policy
