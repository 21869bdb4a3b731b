#include "policy/mutate.hpp"

namespace fluxgate::policy {

namespace {

template <class Matches>
Patch fill(const kube::Review& review, const kube::PodTemplate& pod, const PolicySet& set, const Context& context, Matches&& matches) {
    Patch patch;
    if (pod.spec.absent_or_null() || !pod.check_shape()) return patch;  // for validation to refuse
    // Nobody means a pod like this; to fill it would take a hundred times its size.
    constexpr std::size_t kItemsMax = 1'000;
    for (const std::string_view list : {"containers", "initContainers", "volumes"}) {
        if (pod.spec[list].size() > kItemsMax) return patch;
    }
    set.index.each_candidate(review, [&](std::size_t i) {
        const Policy& policy = set.policies[i];
        if (!matches(policy.match) || !policy.actions_for(review.namespace_name, context.now).deny) return;
        for (const Rule& rule : policy.rules) {
            if (const auto* defaults = std::get_if<DefaultsRule>(&rule.body)) defaults->fill(pod, patch);
        }
    });
    return patch;
}

}  // namespace

Patch mutate(const kube::Review& review, const PolicySet& set, const Context& context) {
    if (review.operation != kube::Operation::create || !review.sub_resource.empty() || review.resource.resource != "pods") return {};
    const auto pod = kube::find_pod_template(review.resource, review.object);
    if (!pod) return {};
    return fill(review, *pod, set, context, [&](const Match& match) { return match.matches(review, context); });
}

Patch mutate_template(const kube::Review& review, const kube::PodTemplate& pod, const PolicySet& set, const Context& context) {
    kube::Review of_pod = review;
    of_pod.kind = {"", "v1", "Pod"};
    of_pod.resource = {"", "v1", "pods"};
    of_pod.sub_resource = {};
    of_pod.operation = kube::Operation::create;
    of_pod.name = {};
    of_pod.object = pod.pod;
    of_pod.old_object = {};
    return fill(of_pod, pod, set, context, [&](const Match& match) {
        const bool known = match.names.empty() && match.subjects.empty() && match.exclude_subjects.empty();
        return known && match.matches(of_pod, context);
    });
}

}  // namespace fluxgate::policy
