#include "cli/findings.hpp"

#include <algorithm>

#include "policy/owner.hpp"
#include "webhook/answer.hpp"

namespace fluxgate::cli {

namespace {

Level level_of(policy::Action action) {
    switch (action) {
        case policy::Action::deny: return Level::deny;
        case policy::Action::warn: return Level::warn;
        case policy::Action::audit: return Level::audit;
    }
    return Level::deny;
}

ObjectName name_of(const kube::Review& review) {
    ObjectName name;
    name.api_version = std::string(review.kind.group) + (review.kind.group.empty() ? "" : "/") + std::string(review.kind.version);
    name.kind = review.kind.kind;
    const bool is_namespace = review.resource.group.empty() && review.resource.resource == "namespaces";
    if (!is_namespace) name.namespace_name = review.namespace_name;
    name.name = review.object_name();
    return name;
}

}  // namespace

Judged judged_from(const kube::Review& review, const policy::Verdict& verdict, const policy::PolicySet& set, Place place,
                   const Locate& locate) {
    Judged judged;
    judged.object = name_of(review);
    judged.allowed = verdict.allowed;
    judged.warnings = verdict.warnings;
    judged.exceptions = verdict.exceptions;
    judged.message = webhook::message_of_denial(review, verdict, set.options.limits);
    if (verdict.error) {
        Finding finding;
        finding.level = Level::error;
        finding.place = place;
        finding.message = to_string(*verdict.error);
        judged.findings.push_back(std::move(finding));
    }
    for (const policy::Violation& violation : verdict.violations) {
        Finding finding;
        finding.level = level_of(violation.action);
        finding.place = place;
        if (locate) finding.place.position = locate(violation.path);
        finding.policy = violation.policy;
        finding.rule = violation.rule;
        finding.path = violation.path;
        finding.have = violation.have;
        finding.want = violation.want;
        finding.message = "have " + violation.have + ", want " + violation.want;
        const auto policy =
            std::find_if(set.policies.begin(), set.policies.end(), [&](const auto& entry) { return entry.name == violation.policy; });
        if (policy != set.policies.end()) finding.guidance = policy::fill_in_owner(policy->guidance, verdict.owner);
        judged.findings.push_back(std::move(finding));
    }
    judged.place = std::move(place);
    return judged;
}

Judged problem_of_input(Level level, Place place, std::string message) {
    Judged judged;
    judged.place = place;
    judged.allowed = level != Level::error;
    Finding finding;
    finding.level = level;
    finding.place = std::move(place);
    finding.message = std::move(message);
    judged.findings.push_back(std::move(finding));
    return judged;
}

std::vector<RuleInfo> rules_of(const policy::PolicySet& set) {
    std::vector<RuleInfo> rules;
    for (const policy::Policy& policy : set.policies) {
        for (const policy::Rule& rule : policy.rules) {
            rules.push_back(
                {policy.name, rule.name, std::string(policy::type_of(rule.body)), policy.description, policy.guidance, policy.compliance});
        }
    }
    return rules;
}

}  // namespace fluxgate::cli
