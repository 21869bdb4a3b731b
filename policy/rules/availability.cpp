#include "policy/rules/availability.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "kube/pod_template.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

enum class Judged : std::uint8_t { nothing, replicas, replicas_and_spread, autoscaler, budget };

Judged judged(std::string_view group, std::string_view resource) {
    if (group == "apps" && (resource == "deployments" || resource == "statefulsets")) return Judged::replicas_and_spread;
    if ((group == "apps" && resource == "replicasets") || (group.empty() && resource == "replicationcontrollers")) return Judged::replicas;
    if (group == "autoscaling" && resource == "horizontalpodautoscalers") return Judged::autoscaler;
    if (group == "policy" && resource == "poddisruptionbudgets") return Judged::budget;
    return Judged::nothing;
}

// Absent is 1; nullopt if it is no number of replicas.
std::optional<std::int64_t> replicas(kube::Json value) {
    if (value.absent_or_null()) return 1;
    const auto count = value.integer();
    return count && *count >= 0 ? count : std::nullopt;
}

std::string shown_replicas(kube::Json value) { return value.absent_or_null() ? "(absent), which is 1" : shown(value); }

// Digits and '%', as the API server takes it, up to 100.
std::optional<std::int64_t> share_of_pods(kube::Json value) {
    std::string_view text = value.text();
    if (text.size() < 2 || text.back() != '%') return std::nullopt;
    text.remove_suffix(1);
    std::int64_t number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + (c - '0');
        if (number > 100) return std::nullopt;
    }
    return number;
}

void judge_replicas(std::int64_t min, kube::Json value, bool may_be_zero, std::string_view path, Findings& findings) {
    const auto count = replicas(value);
    if (count && (*count >= min || (*count == 0 && may_be_zero))) return;
    findings.add(std::string(path), shown_replicas(value), fmt::format("at least {}", min));
}

bool spreads(kube::Json pod_spec) {
    const auto has_items = [](kube::Json list) { return list.is_array() && list.size() > 0; };
    const kube::Json anti_affinity = pod_spec["affinity"]["podAntiAffinity"];
    return has_items(pod_spec["topologySpreadConstraints"]) || has_items(anti_affinity["requiredDuringSchedulingIgnoredDuringExecution"]) ||
           has_items(anti_affinity["preferredDuringSchedulingIgnoredDuringExecution"]);
}

// A ReplicaSet of a Deployment, or of a Rollout of Argo, has the replicas that its owner wants of it.
bool follows_a_workload(kube::Json metadata) {
    return kube::has_controller_owner(metadata, "apps", "Deployment") || kube::has_controller_owner(metadata, "argoproj.io", "Rollout");
}

// One of the two is set; with neither, minAvailable is 1.
void judge_budget(kube::Json spec, Findings& findings) {
    const kube::Json max_unavailable = spec["maxUnavailable"];
    if (!max_unavailable.absent_or_null()) {
        const auto value = max_unavailable.integer() ? max_unavailable.integer() : share_of_pods(max_unavailable);
        if (!value || *value <= 0)
            findings.add(".spec.maxUnavailable", shown(max_unavailable), "a number or percentage above 0, so that a node can be drained");
    }
    const kube::Json min_available = spec["minAvailable"];
    if (!min_available.absent_or_null()) {
        // A number leaves room or not by how many replicas the workload has, which a budget does not say.
        const auto count = min_available.integer();
        const bool leaves_room = count ? *count >= 0 : share_of_pods(min_available).value_or(100) < 100;
        if (!leaves_room)
            findings.add(".spec.minAvailable", shown(min_available), "a number, or a percentage below 100%, so that a node can be drained");
    }
}

}  // namespace

AvailabilityRule AvailabilityRule::decode(Mapping& fields) {
    AvailabilityRule rule;
    const DemandCheck demands(fields);
    if (const kube::Node* min = fields.field("minReplicas")) {
        if (min->kind() != kube::Node::Kind::integer) {
            fields.problems().add(
                Errc::wrong_type, min->position(),
                fmt::format("{}: expected an integer, have {}", fields.name_of("minReplicas"), kube::describe(min->kind())));
        } else if (min->as_integer() < 2 || min->as_integer() > std::numeric_limits<std::int32_t>::max()) {
            fields.problem("minReplicas", "expected 2 to 2147483647; every workload that runs has one");
        } else {
            rule.min_replicas = min->as_integer();
        }
    }
    const auto required = [&](std::string_view key) {
        const kube::Node* node = fields.field(key);
        return node && one_of(*node, fields.name_of(key), {"required"}, fields.problems()).has_value();
    };
    rule.disruption_budget = required("disruptionBudget");
    rule.spread = required("spread");
    fields.finish();
    demands.require(rule.min_replicas > 0 || rule.disruption_budget || rule.spread,
                    "availability: demands nothing; give minReplicas, disruptionBudget: required or spread: required");
    return rule;
}

bool AvailabilityRule::understands(std::string_view group, std::string_view resource) { return judged(group, resource) != Judged::nothing; }

void AvailabilityRule::judge(const kube::Review& review, kube::Json object, Findings& findings) const {
    const kube::Json spec = object["spec"];
    const Judged what = judged(review.resource.group, review.resource.resource);
    switch (what) {
        case Judged::nothing: return;
        case Judged::replicas:
        case Judged::replicas_and_spread: {
            // A ReplicaSet of a Deployment follows it: its replicas are the middle of a rollout.
            if (review.resource.resource == "replicasets" && follows_a_workload(object["metadata"])) return;
            if (min_replicas > 0) judge_replicas(min_replicas, spec["replicas"], true, ".spec.replicas", findings);
            if (!spread || what != Judged::replicas_and_spread || replicas(spec["replicas"]).value_or(0) < 2) return;
            const auto pod = kube::find_pod_template(review.resource, object);
            if (pod && !spreads(pod->spec))
                findings.add(std::string(pod->spec_path) + ".topologySpreadConstraints", "(absent)",
                             "topologySpreadConstraints or a podAntiAffinity");
            return;
        }
        case Judged::autoscaler:
            if (min_replicas > 0) judge_replicas(min_replicas, spec["minReplicas"], false, ".spec.minReplicas", findings);
            return;
        case Judged::budget:
            if (disruption_budget) judge_budget(spec, findings);
            return;
    }
}

void AvailabilityRule::judge_presence(const kube::Review& review, kube::Json object, const DisruptionBudgets& budgets,
                                      Findings& findings) const {
    if (!disruption_budget || judged(review.resource.group, review.resource.resource) != Judged::replicas_and_spread) return;
    const kube::Json spec = object["spec"];
    if (replicas(spec["replicas"]).value_or(0) < 2) return;
    const auto here = budgets.find(review.namespace_name);
    const kube::Json labels = spec["template"]["metadata"]["labels"];
    const auto selects = [&](const kube::LabelSelector& selector) { return selector.matches(labels); };
    if (here != budgets.end() && std::any_of(here->second.begin(), here->second.end(), selects)) return;
    findings.add(".", "no PodDisruptionBudget that selects its pods",
                 fmt::format("one in {}, so that nodes can be drained", review.namespace_name));
}

bool AvailabilityRule::same_inputs(const kube::Review& review, kube::Json before, kube::Json after) const {
    const kube::Json was = before["spec"];
    const kube::Json is = after["spec"];
    const auto same = [](kube::Json left, kube::Json right, std::string_view field) { return kube::equal(left[field], right[field]); };
    switch (judged(review.resource.group, review.resource.resource)) {
        case Judged::nothing: return true;
        case Judged::replicas:
        case Judged::replicas_and_spread: {
            if (!same(was, is, "replicas")) return false;
            if (follows_a_workload(before["metadata"]) != follows_a_workload(after["metadata"])) return false;
            const kube::Json pod_was = was["template"]["spec"];
            const kube::Json pod_is = is["template"]["spec"];
            return same(pod_was, pod_is, "topologySpreadConstraints") && same(pod_was["affinity"], pod_is["affinity"], "podAntiAffinity");
        }
        case Judged::autoscaler: return same(was, is, "minReplicas");
        case Judged::budget: return same(was, is, "maxUnavailable") && same(was, is, "minAvailable");
    }
    return false;
}

}  // namespace fluxgate::policy
