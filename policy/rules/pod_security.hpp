#pragma once

// Rule `podSecurity`: the Pod Security Standards, check by check, with Kubernetes' own verdicts
// (https://kubernetes.io/docs/concepts/security/pod-security-standards/; ids and version gates as in
// k8s.io/pod-security-admission). This version implements two checks of the level `restricted`:
//   runAsNonRoot  true at the pod or at every container, and false nowhere
//   runAsUser     not 0 at the pod or any container; from policy version 1.23
// From policy version 1.35 both always pass for a pod with `hostUsers: false`. Everything else the schema has for this rule
// is refused when the policy loads, so that nobody believes to be protected by it.

#include <string>

#include "kube/pod_template.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

struct PodSecurityRule {
    int minor_version = 0;  // of v1.N
    bool run_as_non_root = false;
    bool run_as_user = false;

    static PodSecurityRule decode(Mapping& fields);
    // Every request that can bring containers into a pod.
    static bool concerns(const kube::Review& review) { return review.sub_resource.empty() || review.sub_resource == "ephemeralcontainers"; }
    void judge(const kube::PodTemplate& pod, Findings& findings) const;
    bool same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const;
};

// `latest`, and what newer versions are judged as.
inline constexpr int kPodSecurityMinorLatest = 37;

}  // namespace fluxgate::policy
