#pragma once

// Rule `podSecurity`: the Pod Security Standards, check by check and version by version, with Kubernetes' own verdicts
// (https://kubernetes.io/docs/concepts/security/pod-security-standards/; tests/podsecurity compares with the module
// k8s.io/pod-security-admission). For users: docs/reference/rules/pod-security.md.
//
// A boolean, number or text of a type that no API server stores is a violation of the check that meets it.

#include <string>
#include <string_view>
#include <vector>

#include "kube/pod_template.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"
#include "policy/rules/image_pattern.hpp"
#include "policy/rules/pod_security_levels.hpp"

namespace fluxgate::policy {

struct PodSecurityRule {
    // Lifts a check for the containers with these images. What the check says about the pod itself stays.
    struct Exclusion {
        PodSecurityCheck check;
        std::vector<ImagePattern> images;
    };

    PodSecurityChecks checks;
    int minor_version = kPodSecurityMinorLatest;  // of v1.N
    std::string level_and_version;                // "restricted v1.34", for messages
    std::vector<Exclusion> exclusions;

    static PodSecurityRule decode(Mapping& fields);
    // Every request that can bring containers into a pod.
    static bool concerns(const kube::Review& review) { return review.sub_resource.empty() || review.sub_resource == "ephemeralcontainers"; }
    void judge(const kube::PodTemplate& pod, Findings& findings) const;  // in pod_security_checks.cpp
    // Compares all that is in a pod but what no check reads in any version: images too, so that a new image under an old
    // violation is judged, as Kubernetes does.
    bool same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const;
};

// The annotations that checks read.
inline constexpr std::string_view kAppArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";
inline constexpr std::string_view kSeccompPodKey = "seccomp.security.alpha.kubernetes.io/pod";
inline constexpr std::string_view kSeccompPrefix = "container.seccomp.security.alpha.kubernetes.io/";

}  // namespace fluxgate::policy
