#pragma once

// Who may write into a locked namespace, and what: writer profiles as data. This version has the built-in profiles `flux`
// and `kubernetes`; their shape is that of the WriterProfile files to come.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/resource_rule.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// What an identity may write.
struct Permission {
    ResourceRule rule;
    bool owned = false;         // a controller ownerReference on the object is required, as it is or as it was
    bool bound_to_pod = false;  // of a TokenRequest: the token must end with a Pod

    bool covers(const kube::Review& review) const;
};

struct WriterIdentity {
    std::string user;                            // "system:serviceaccount:flux-system:kustomize-controller"; empty: any, see below
    std::string user_prefix;                     // "system:node:" and something behind it; empty: any
    std::vector<std::string> groups;             // all of them required
    Assurance assurance = Assurance::pod_bound;  // least proof accepted
    std::vector<Permission> may;

    bool is(const kube::UserInfo& who) const;
};

struct WriterProfile {
    std::string name;
    std::vector<WriterIdentity> identities;
};

// Alive for the whole program, the same for all threads.
//   flux        kustomize-controller and helm-controller of flux-system, pod-bound, anything; the other Flux controllers
//               what they write on Flux's own objects
//   kubernetes  the controllers of kube-controller-manager (run with --use-service-account-credentials), the scheduler and
//               the kubelets, each with what it writes
std::span<const WriterProfile> built_in_writers();
// nullptr for another name.
const WriterProfile* find_built_in_writers(std::string_view name);

// The built-in names of the schema that this version does not have yet; naming one is a load error of its own.
bool is_planned_writer(std::string_view name);

}  // namespace fluxgate::policy
