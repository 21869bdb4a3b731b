#include "policy/policy_set.hpp"

#include <algorithm>
#include <numeric>

namespace fluxgate::policy {

bool Match::matches(const kube::Review& review) const {
    if (!namespaces.empty() && !any_matches(namespaces, review.namespace_name)) return false;
    if (any_matches(exclude_namespaces, review.namespace_name)) return false;
    const auto covers = [&](const ResourceRule& rule) { return rule.matches(review); };
    if (!resource_rules.empty() && std::none_of(resource_rules.begin(), resource_rules.end(), covers)) return false;
    if (std::any_of(exclude_resource_rules.begin(), exclude_resource_rules.end(), covers)) return false;
    return names.empty() || any_matches(names, review.object_name());
}

std::size_t PolicySet::rule_count() const {
    return std::accumulate(policies.begin(), policies.end(), std::size_t{0},
                           [](std::size_t sum, const Policy& policy) { return sum + policy.rules.size(); });
}

}  // namespace fluxgate::policy
