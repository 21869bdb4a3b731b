#pragma once

// What every rule of this folder offers, so that evaluate.cpp can treat them alike. A rule body is a value, made by
//   static R decode(Mapping& fields)     from its mapping in a policy file, noting every problem
// and then only read, by any number of threads. There are two shapes:
//
// WorkloadRule looks at pods and at templates of pods, wherever the built-in kinds keep them.
//   static bool concerns(review)         by subresource: which requests can change what the rule reads
//   judge(pod, findings)                 adds a finding for each thing that is wrong; allocates nothing if all is well
//   same_inputs(before, after)           of Pods: nothing that `judge` reads differs, so an update between the two is not blamed for
//                                        what was wrong before. When in doubt, false: then the rule judges. A template that changes
//                                        in anything is judged by every rule, because it makes new pods
// ObjectRule looks at objects as a whole.
//   static bool understands(group, resource)
//   judge(review, object, findings)      `object` is the requested state; create and update of the object itself only
//   same_inputs(review, before, after)

#include <concepts>
#include <string_view>

#include "kube/admission_review.hpp"
#include "kube/pod_template.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

template <class R>
concept WorkloadRule = requires(const R rule, const kube::Review& review, const kube::PodTemplate& pod, Findings& findings) {
    { R::concerns(review) } -> std::same_as<bool>;
    { rule.judge(pod, findings) } -> std::same_as<void>;
    { rule.same_inputs(pod, pod) } -> std::same_as<bool>;
};

template <class R>
concept ObjectRule = requires(const R rule, const kube::Review& review, kube::Json object, Findings& findings, std::string_view name) {
    { R::understands(name, name) } -> std::same_as<bool>;
    { rule.judge(review, object, findings) } -> std::same_as<void>;
    { rule.same_inputs(review, object, object) } -> std::same_as<bool>;
};

// Which requests a rule is asked about, by operation and subresource. Deletes and connections bring nothing to judge.
template <WorkloadRule R>
bool asks_about(const kube::Review& review) {
    return (review.operation == kube::Operation::create || review.operation == kube::Operation::update) && R::concerns(review);
}
template <ObjectRule R>
bool asks_about(const kube::Review& review) {
    const bool is_update = review.operation == kube::Operation::update;
    const bool of_object = review.sub_resource.empty() && (is_update || review.operation == kube::Operation::create);
    // A write of the status can change labels and annotations of many kinds.
    return of_object || (review.sub_resource == "status" && is_update);
}

// Both have the same containers by list and name, in the same order, and `same(Json before, Json after)` holds for each pair.
template <class F>
bool same_containers(const kube::PodTemplate& before, const kube::PodTemplate& after, F&& same) {
    for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
        const bool all_same = kube::each_pair(before.spec[list], after.spec[list], [&](kube::Json was, kube::Json is) {
            return kube::equal(was["name"], is["name"]) && kube::equal(was["restartPolicy"], is["restartPolicy"]) && same(was, is);
        });
        if (!all_same) return false;
    }
    return true;
}

}  // namespace fluxgate::policy
