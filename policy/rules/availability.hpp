#pragma once

// Rule `availability`: a workload has replicas that do not fail together, and lets nodes be drained.
//
// Judged are declarations, object by object; other objects are not looked at, because an apply brings them in any order:
//   minReplicas       spec.replicas of Deployments, StatefulSets, ReplicationControllers and ReplicaSets that no Deployment controls (absent
//                     is 1; 0 is a workload that is switched off, and passes), and spec.minReplicas of HorizontalPodAutoscalers (absent is 1)
//   spread            Deployments and StatefulSets of two replicas or more have topologySpreadConstraints or a podAntiAffinity
//   disruptionBudget  the arithmetic of a PodDisruptionBudget leaves room for an eviction
// Scaling through the subresource `scale` is not judged. Sources:
//   https://kubernetes.io/docs/concepts/workloads/pods/disruptions/, https://kubernetes.io/docs/tasks/run-application/configure-pdb/
//   IntOrString: k8s.io/apimachinery pkg/util/intstr; percentages: pkg/apis/core/validation IsValidPercent

#include <cstdint>
#include <string_view>

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

struct AvailabilityRule {
    std::int64_t min_replicas = 0;  // 0: not asked for
    bool disruption_budget = false;
    bool spread = false;

    static AvailabilityRule decode(Mapping& fields);
    static bool understands(std::string_view group, std::string_view resource);
    void judge(const kube::Review& review, kube::Json object, Findings& findings) const;
    bool same_inputs(const kube::Review& review, kube::Json before, kube::Json after) const;
    // With disruptionBudget: a Deployment or StatefulSet of two replicas or more has a PodDisruptionBudget among `budgets`, which are
    // all there are.
    void judge_presence(const kube::Review& review, kube::Json object, const DisruptionBudgets& budgets, Findings& findings) const;
};

}  // namespace fluxgate::policy
