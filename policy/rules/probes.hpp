#pragma once

// Rule `probes`: containers that run for the pod's life must say how Kubernetes can tell that they are well.
//
// Judged: ordinary containers and sidecars (init containers with restartPolicy Always, which may have probes and run as
// long as the pod). Plain init containers and ephemeral containers cannot have probes, so nothing is asked of them.
// A probe counts when it has a handler (httpGet, tcpSocket, exec, grpc); {} and null are absent.
// Jobs and CronJobs, and pods that a Job controls, are exempt unless `kinds` names them: they are over when they are done.

#include <cstdint>
#include <string>
#include <vector>

#include "kube/pod_template.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

struct ProbesRule {
    std::vector<std::string> all;    // each of these is required
    std::vector<std::string> any;    // at least one of these is required
    std::vector<std::string> kinds;  // empty: every kind with pods but Job and CronJob

    static ProbesRule decode(Mapping& fields);
    static bool concerns(const kube::Review& review) { return review.sub_resource.empty(); }
    void judge(const kube::PodTemplate& pod, Findings& findings) const;
    bool same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const;
};

}  // namespace fluxgate::policy
