#pragma once

// What a verdict depends on besides the review and the policy set: values, prepared before the request, so that the same
// question always has the same answer.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "kube/selector.hpp"
#include "policy/cluster_view.hpp"

namespace fluxgate::policy {

// The selectors of all PodDisruptionBudgets there are, by namespace.
using DisruptionBudgets = std::map<std::string, std::vector<kube::LabelSelector>, std::less<>>;

// How often break-glass grants were used, by the digest of a grant.
using GrantCounts = std::map<std::string, std::uint64_t, std::less<>>;

struct SignedGrants;  // policy/lock/signed_grants.hpp

struct Context {
    WallTime now{};                                  // decides about expiry and enforceFrom
    std::optional<kube::Labels> namespace_labels{};  // of the review's namespace, where `cluster` does not know them
    // Known when a whole tree of manifests or a whole cluster is looked at, never at admission, where an apply brings objects in any
    // order: then `disruptionBudget: required` also asks whether there is one. Must outlive the evaluation.
    const DisruptionBudgets* budgets = nullptr;
    // All that follows may be null, and must outlive the evaluation.
    const ClusterView* cluster = nullptr;
    const SignedGrants* signed_grants = nullptr;
    const GrantCounts* grant_uses = nullptr;  // by this replica so far
    std::string_view cluster_name{};          // --cluster-name

    // Of that namespace; nullptr when nobody knows them.
    const kube::Labels* labels_of(std::string_view namespace_name) const;
};

}  // namespace fluxgate::policy
