#include "policy/audit_mode.hpp"

#include <fmt/format.h>

namespace fluxgate::policy {

namespace {

std::string names_of(const std::vector<Glob>& namespaces) {
    if (namespaces.empty()) return "*";
    std::string names;
    for (const Glob& name : namespaces) names += (names.empty() ? "" : ", ") + name.text();
    return names;
}

std::string describe(const Actions& actions) {
    if (actions.warn && actions.audit) return "Warn, Audit";
    return actions.warn ? "Warn" : "Audit";
}

}  // namespace

std::vector<std::string> audit_modes_at(const PolicySet& set, WallTime now) {
    std::vector<std::string> modes;
    for (const Policy& policy : set.policies) {
        const auto add = [&](const std::vector<Glob>& namespaces, const Actions& configured) {
            const bool waits = configured.deny && policy.enforce_from && now < *policy.enforce_from;
            if (configured.deny && !waits) return;
            const std::string actions = waits ? "Warn, Audit until " + format_rfc3339(*policy.enforce_from) : describe(configured);
            for (const Rule& rule : policy.rules)
                modes.push_back(fmt::format("{}: {}/{} {}", names_of(namespaces), policy.name, rule.name, actions));
        };
        add(policy.match.namespaces, policy.actions);
        for (const NamespaceActions& entry : policy.namespace_actions) add(entry.namespaces, entry.actions);
    }
    return modes;
}

}  // namespace fluxgate::policy
