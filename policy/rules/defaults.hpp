#pragma once

// Rule `defaults`: fills into new Pods what they leave open. It judges nothing: POST /mutate asks it, and templates of pods are
// judged as if it had filled their pods already.
//
// Never touches a field that is set, and never fills what the API server would then refuse:
//   podSecurity restricted   pod: runAsNonRoot true (unless user 0 is asked for), seccompProfile RuntimeDefault;
//                            containers: allowPrivilegeEscalation false (unless privileged or with CAP_SYS_ADMIN, which
//                            contradict it), capabilities drop ALL. On Windows runAsNonRoot only; the others do not exist there.
//   automountServiceAccountToken   and with false the token volume goes that the API server's own ServiceAccount plugin, which
//                            runs before webhooks, has mounted already: the field alone would change nothing
//   resources                of cpu, memory and ephemeral-storage; a request only where neither request nor limit is stated (a limit alone is the request), a limit
//                            only if it is not below the request; what spec.resources of the pod states is left to it
// A second pass finds nothing to fill.

#include <optional>
#include <string>
#include <vector>

#include "kube/pod_template.hpp"
#include "kube/quantity.hpp"
#include "policy/decode.hpp"
#include "policy/patch.hpp"

namespace fluxgate::policy {

struct DefaultsRule {
    struct Amount {
        std::string resource;
        std::string text;
        kube::Quantity quantity;
    };
    bool pod_security = false;
    std::optional<bool> automount_service_account_token;
    std::vector<Amount> requests;
    std::vector<Amount> limits;

    static DefaultsRule decode(Mapping& fields);
    // `pod` is of a Pod or a template; the patch is for an object with its `metadata` and `spec`.
    void fill(const kube::PodTemplate& pod, Patch& patch) const;
};

}  // namespace fluxgate::policy
