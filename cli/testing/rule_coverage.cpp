#include "cli/testing/rule_coverage.hpp"

#include <algorithm>

#include "kube/pod_template.hpp"
#include "policy/evaluate.hpp"
#include "policy/mutate.hpp"

namespace fluxgate::cli {

namespace {

// A set of this rule alone, which fills at once.
policy::PolicySet only(const policy::PolicySet& set, const policy::Policy& policy, const policy::Rule& rule) {
    policy::PolicySet alone;
    policy::Policy copy = policy;
    copy.rules = {rule};
    copy.actions = {};
    copy.namespace_actions.clear();
    copy.enforce_from.reset();
    alone.policies.push_back(std::move(copy));
    alone.options = set.options;
    alone.index = policy::Index(alone.policies);
    alone.has_defaults = true;
    return alone;
}

bool fills(const policy::PolicySet& defaults, const kube::Review& review, const policy::Context& context) {
    if (!policy::mutate(review, defaults, context).empty()) return true;
    const auto pod = kube::find_pod_template(review.resource, review.object);
    return pod && pod->kind != "Pod" && !policy::mutate_template(review, *pod, defaults, context).empty();
}

}  // namespace

void RuleCoverage::add(const policy::PolicySet& set) {
    if (bare_.count(&set) > 0) return;
    Bare& bare = bare_[&set];
    bare.set = set;
    for (policy::Policy& policy : bare.set.policies) {
        for (policy::Rule& rule : policy.rules) {
            rule.exceptions.clear();
            if (places_.emplace(std::pair(policy.name, rule.name), rules_.size()).second) rules_.push_back({policy.name, rule.name});
            if (std::holds_alternative<policy::DefaultsRule>(rule.body)) bare.defaults.push_back(only(set, policy, rule));
        }
    }
}

void RuleCoverage::judged(const kube::Review& sent, const kube::Review& judged_review, const policy::PolicySet& set,
                          const policy::Context& context) {
    add(set);
    const Bare& bare = bare_.at(&set);
    kube::Review review = judged_review;
    review.dry_run = false;  // a lock only warns of a dry run
    for (const policy::Policy& policy : bare.set.policies) {
        if (!policy.match.matches(review, context)) continue;
        for (const policy::Rule& rule : policy.rules) {
            if (policy::understands(rule.body, review.resource.group, review.resource.resource))
                raise(policy.name, rule.name, Exercise::only_passing);
        }
    }
    for (const policy::Violation& violation : policy::evaluate(review, bare.set, context).violations)
        raise(violation.policy, violation.rule, Exercise::found);
    for (const policy::PolicySet& defaults : bare.defaults) {
        const policy::Policy& policy = defaults.policies.front();
        if (fills(defaults, sent, context)) raise(policy.name, policy.rules.front().name, Exercise::found);
    }
}

void RuleCoverage::raise(const std::string& policy, const std::string& rule, Exercise exercise) {
    const auto place = places_.find({policy, rule});
    if (place == places_.end()) return;  // of Fluxgate itself
    Exercise& known = rules_[place->second].exercise;
    known = std::max(known, exercise);
}

std::vector<RuleExercise> RuleCoverage::rules() const { return rules_; }

std::size_t RuleCoverage::exercised() const {
    return static_cast<std::size_t>(
        std::count_if(rules_.begin(), rules_.end(), [](const RuleExercise& rule) { return rule.exercise == Exercise::found; }));
}

unsigned RuleCoverage::percent() const { return rules_.empty() ? 100 : static_cast<unsigned>(exercised() * 100 / rules_.size()); }

}  // namespace fluxgate::cli
