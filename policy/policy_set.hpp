#pragma once

// The compiled policies: what `evaluate` reads. Immutable once built, so any number of threads may share one; built by
// policy/loader.hpp from files, as a whole or not at all.

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "policy/glob.hpp"
#include "policy/lock/lock.hpp"
#include "policy/resource_rule.hpp"
#include "policy/rules/pod_security.hpp"
#include "policy/rules/probes.hpp"
#include "policy/rules/resources.hpp"

namespace fluxgate::policy {

// All given conditions must hold; an empty list is no condition.
struct Match {
    std::vector<Glob> namespaces;  // on the name, so that relabelling is no escape
    std::vector<Glob> exclude_namespaces;
    std::vector<Glob> names;
    std::vector<ResourceRule> resource_rules;
    std::vector<ResourceRule> exclude_resource_rules;

    bool matches(const kube::Review& review) const;
};

struct Actions {
    bool deny = true;
    bool warn = false;
    bool audit = false;
};

struct Rule {
    std::string name;
    std::variant<LockRule, ResourcesRule, ProbesRule, PodSecurityRule> body;
};

struct Policy {
    std::string name;
    std::string description;
    std::string guidance;  // {owner} stands for the Kustomization or HelmRelease
    std::vector<std::string> compliance;
    Actions actions;
    Match match;
    std::vector<Rule> rules;
};

struct PolicySet {
    std::vector<Policy> policies;  // in the order of file names and documents
    std::string digest;            // "sha256:…" over names and texts of the files: which set judged
    std::size_t rule_count() const;
};

}  // namespace fluxgate::policy
