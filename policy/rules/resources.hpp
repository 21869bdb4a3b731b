#pragma once

// Rule `resources`: containers must say what they need (requests) and what they may take at most (limits).
//
// Judged: ordinary containers, init containers and sidecars, as `containerTypes` says; ephemeral containers cannot have
// resources. Semantics (policy-files.md and https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/):
//   - A request that is absent while the limit is set counts as equal to the limit: the API server fills it in on pods, but
//     not in templates, and both must get one verdict.
//   - spec.resources of the pod (KEP-2837) stands in for what a container does not say.
//   - Zero and less promise nothing: they count as absent, and nothing stands in for them. A quantity that does not parse is
//     a violation, never skipped.
//   - `min` asks for a request of at least that much, `max` for a limit of at most that much (a request above it too),
//     `maxLimitRequestRatio` for both and limit <= ratio x request.

#include <string>
#include <utility>
#include <vector>

#include "kube/pod_template.hpp"
#include "kube/quantity.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

struct ResourcesRule {
    struct Bound {
        std::string resource;  // "cpu", "memory", "ephemeral-storage", …
        std::string text;      // as written in the policy
        kube::Quantity quantity;
    };
    std::vector<std::string> requests;
    std::vector<std::string> limits;
    std::vector<Bound> min;
    std::vector<Bound> max;
    std::vector<Bound> ratio;
    bool containers = true;
    bool init_containers = true;
    bool sidecars = true;

    static ResourcesRule decode(Mapping& fields);
    // CREATE and UPDATE of pods and templates, and pods/resize.
    static bool concerns(const kube::Review& review) { return review.sub_resource.empty() || review.sub_resource == "resize"; }
    void judge(const kube::PodTemplate& pod, Findings& findings) const;
    bool same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const;
};

}  // namespace fluxgate::policy
