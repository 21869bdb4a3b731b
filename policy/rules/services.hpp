#pragma once

// Rule `services`: which Services may open a way into the cluster.
//
// Semantics (https://kubernetes.io/docs/concepts/services-networking/service/):
//   - An absent spec.type is ClusterIP. LoadBalancer opens node ports too (allocateLoadBalancerNodePorts); deny both if that matters.
//   - `externalIPs` is the list of addresses and ranges that a Service may claim, the empty list none: whoever may create Services
//     can otherwise draw the traffic of any address (CVE-2020-8554, https://github.com/kubernetes/kubernetes/issues/97076).
//     What is no address is in no range. Without the field, external addresses are not judged.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"
#include "kube/ip_range.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

struct ServicesRule {
    struct Range {
        std::string text;  // as written in the policy
        kube::IpRange range;
    };
    std::vector<std::string> deny_types;
    std::optional<std::vector<Range>> external_ips;  // nullopt: not judged

    static ServicesRule decode(Mapping& fields);
    static bool understands(std::string_view group, std::string_view resource) { return group.empty() && resource == "services"; }
    void judge(const kube::Review& review, kube::Json object, Findings& findings) const;
    bool same_inputs(const kube::Review& review, kube::Json before, kube::Json after) const;
};

}  // namespace fluxgate::policy
