#include "policy/rules/probes.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "policy/rules/fields.hpp"
#include "policy/rules/rule.hpp"

namespace fluxgate::policy {

namespace {

const std::vector<std::string_view> kProbes{"livenessProbe", "readinessProbe", "startupProbe"};
const std::vector<std::string_view> kKinds{
    "Pod", "PodTemplate", "ReplicationController", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"};

bool has_handler(kube::Json probe) {
    for (const std::string_view handler : {"httpGet", "tcpSocket", "exec", "grpc"}) {
        if (!probe[handler].absent_or_null()) return true;
    }
    return false;
}

}  // namespace

ProbesRule ProbesRule::decode(Mapping& fields) {
    ProbesRule rule;
    const DemandCheck demands(fields);
    rule.all = decode_names(fields, "all", kProbes);
    rule.any = decode_names(fields, "any", kProbes);
    rule.kinds = decode_names(fields, "kinds", kKinds);
    fields.finish();
    demands.require(!rule.all.empty() || !rule.any.empty(), "probes: demands nothing; list probes under all or any");
    return rule;
}

void ProbesRule::judge(const kube::PodTemplate& pod, Findings& findings) const {
    if (kinds.empty()) {
        if (pod.kind == "Job" || pod.kind == "CronJob") return;
    } else if (std::find(kinds.begin(), kinds.end(), pod.kind) == kinds.end()) {
        return;
    }
    if (pod.kind == "Pod" && std::find(kinds.begin(), kinds.end(), "Job") == kinds.end() &&
        kube::has_controller_owner(pod.metadata, "batch", "Job"))
        return;

    pod.each_container([&](const kube::Container& container) {
        if (container.type != kube::ContainerType::container && container.type != kube::ContainerType::sidecar) return;
        for (const std::string& probe : all) {
            if (has_handler(container.json[probe])) continue;
            findings.add(pod, container, probe, "(absent)", "a probe with httpGet, tcpSocket, exec or grpc");
        }
        if (any.empty()) return;
        const bool found =
            std::any_of(any.begin(), any.end(), [&](const std::string& probe) { return has_handler(container.json[probe]); });
        if (!found)
            findings.add(pod, container, "", "(no " + fmt::format("{}", fmt::join(any, ", no ")) + ")",
                         fmt::format("at least one of {}", fmt::join(any, ", ")));
    });
}

// A pod that its Job disowns is judged anew.
bool ProbesRule::same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const {
    return kube::has_controller_owner(before.metadata, "batch", "Job") == kube::has_controller_owner(after.metadata, "batch", "Job") &&
           same_containers(before, after, [](kube::Json was, kube::Json is) {
               return std::all_of(kProbes.begin(), kProbes.end(),
                                  [&](std::string_view probe) { return kube::equal(was[probe], is[probe]); });
           });
}

}  // namespace fluxgate::policy
