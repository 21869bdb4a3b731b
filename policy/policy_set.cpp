#include "policy/policy_set.hpp"

#include <algorithm>
#include <numeric>

#include "policy/rules/rule.hpp"

namespace fluxgate::policy {

Actions Policy::actions_for(std::string_view namespace_name, WallTime now) const {
    const NamespaceActions* entry = actions_entry(namespace_name);
    const Actions chosen = entry ? entry->actions : actions;
    if (chosen.deny && enforce_from && now < *enforce_from) return {.deny = false, .warn = true, .audit = true, .deny_later = true};
    return chosen;
}

const NamespaceActions* Policy::actions_entry(std::string_view namespace_name) const {
    const auto found = std::find_if(namespace_actions.begin(), namespace_actions.end(),
                                    [&](const NamespaceActions& entry) { return any_matches(entry.namespaces, namespace_name); });
    return found == namespace_actions.end() ? nullptr : &*found;
}

bool Exception::active(const kube::Review& review, WallTime now) const {
    return now < expires_at && (namespaces.empty() || any_matches(namespaces, review.namespace_name)) &&
           (names.empty() || any_matches_name(names, review));
}

bool Exception::excuses(const Violation& violation) const {
    return containers.empty() || (!violation.container.empty() && any_matches(containers, violation.container));
}

std::size_t PolicySet::rule_count() const {
    return std::accumulate(policies.begin(), policies.end(), std::size_t{0},
                           [](std::size_t sum, const Policy& policy) { return sum + policy.rules.size(); });
}

ExceptionCounts count_exceptions(const PolicySet& set, WallTime now, std::chrono::days ahead) {
    ExceptionCounts counts;
    for (const Exception& exception : set.exceptions) {
        ++(now < exception.expires_at ? counts.active : counts.expired);
        if (expires_soon(exception, now, ahead)) ++counts.expiring;
    }
    return counts;
}

bool expires_soon(const Exception& exception, WallTime now, std::chrono::days ahead) {
    return now < exception.expires_at && exception.expires_at <= now + ahead;
}

bool understands(const RuleBody& body, std::string_view group, std::string_view resource) {
    return std::visit(
        [&]<class Body>(const Body&) {
            if constexpr (WorkloadRule<Body> || std::is_same_v<Body, DefaultsRule>)
                return kube::holds_pods(group, resource);
            else if constexpr (ObjectRule<Body>)
                return Body::understands(group, resource);
            else
                return true;  // the lock
        },
        body);
}

bool looks_at(const RuleBody& body, const kube::Review& review) {
    if (!understands(body, review.resource.group, review.resource.resource)) return false;
    return std::visit(
        [&]<class Body>(const Body&) {
            if constexpr (WorkloadRule<Body> || ObjectRule<Body>)
                return asks_about<Body>(review);
            else
                return true;  // the lock; the defaults, which POST /mutate and templates ask for
        },
        body);
}

bool names_containers(const RuleBody& body) {
    return std::visit([]<class Body>(const Body&) { return WorkloadRule<Body>; }, body);
}

}  // namespace fluxgate::policy
