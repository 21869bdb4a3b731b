#pragma once

// What a verdict depends on besides the review and the policy set: values, prepared before the request, so that the same
// question always has the same answer.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "kube/selector.hpp"

namespace fluxgate::policy {

// The selectors of all PodDisruptionBudgets there are, by namespace.
using DisruptionBudgets = std::map<std::string, std::vector<kube::LabelSelector>, std::less<>>;

struct Context {
    WallTime now{};                                  // decides about expiry and enforceFrom
    std::optional<kube::Labels> namespace_labels{};  // of the review's namespace; absent when nobody knows them
    // Known when a whole tree of manifests or a whole cluster is looked at, never at admission, where an apply brings objects in any
    // order: then `disruptionBudget: required` also asks whether there is one. Must outlive the evaluation.
    const DisruptionBudgets* budgets = nullptr;
};

}  // namespace fluxgate::policy
