#pragma once

// Rule `serviceAccount`: pods run as an account of their own, and hold its token only if they say so.
//
// Semantics (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/):
//   - No serviceAccountName is the account "default"; admission fills that in on pods, but not in templates. `serviceAccount`,
//     its deprecated other name, counts where serviceAccountName is absent (pkg/apis/core/v1/conversion.go).
//   - automountServiceAccountToken that is set neither at the pod nor at its account is true. The account is another object, which
//     no review shows, so an absent value at the pod is a violation unless `unset: allow` trusts the accounts.

#include "kube/pod_template.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

struct ServiceAccountRule {
    bool deny_default = false;
    bool deny_automount = false;
    bool allow_unset = false;  // of automountServiceAccountToken

    static ServiceAccountRule decode(Mapping& fields);
    static bool concerns(const kube::Review& review) { return review.sub_resource.empty(); }
    void judge(const kube::PodTemplate& pod, Findings& findings) const;
    bool same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const;
};

}  // namespace fluxgate::policy
