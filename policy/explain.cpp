#include "policy/explain.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "policy/evaluate.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

template <class List, class F>
std::string listed_as(const List& list, F&& text) {
    std::vector<std::string> names;
    for (const auto& item : list) names.push_back(text(item));
    return listed(names);
}

std::string names_of(const std::vector<Glob>& globs) {
    return listed_as(globs, [](const Glob& glob) { return glob.text(); });
}

std::string text_of(const Subject& subject) {
    switch (subject.kind) {
        case Subject::Kind::user: return "User " + subject.name.text();
        case Subject::Kind::group: return "Group " + subject.name.text();
        case Subject::Kind::service_account: return "ServiceAccount " + subject.namespace_name->text() + "/" + subject.name.text();
    }
    return "?";
}

std::string text_of(const kube::Requirement& requirement) {
    using Operator = kube::Requirement::Operator;
    switch (requirement.op) {
        case Operator::in:
            return requirement.values.size() == 1 ? requirement.key + "=" + requirement.values.front()
                                                  : fmt::format("{} In ({})", requirement.key, listed(requirement.values));
        case Operator::not_in: return fmt::format("{} NotIn ({})", requirement.key, listed(requirement.values));
        case Operator::exists: return requirement.key + " Exists";
        case Operator::does_not_exist: return requirement.key + " DoesNotExist";
    }
    return "?";
}

std::string text_of(const kube::LabelSelector& selector) {
    return listed_as(selector.requirements, [](const kube::Requirement& requirement) { return text_of(requirement); });
}

std::string text_of(const ResourceRule& rule) {
    constexpr std::array kOperations{kube::Operation::create, kube::Operation::update, kube::Operation::remove, kube::Operation::connect};
    std::vector<std::string> operations;
    for (const kube::Operation operation : kOperations) {
        if (rule.operations.has(operation)) operations.emplace_back(kube::to_string(operation));
    }
    if (operations.size() == kOperations.size()) operations = {"*"};
    const auto group = [](const std::string& name) { return name.empty() ? std::string("\"\"") : name; };
    const std::string versions = rule.api_versions.empty() ? "" : fmt::format(", apiVersions: [{}]", listed(rule.api_versions));
    return fmt::format("{{apiGroups: [{}]{}, resources: [{}], operations: [{}]}}", listed_as(rule.api_groups, group), versions,
                       listed(rule.resources), listed(operations));
}

std::string text_of(const std::vector<ResourceRule>& rules) {
    return listed_as(rules, [](const ResourceRule& rule) { return text_of(rule); });
}

// "UPDATE deployments.apps/scale"
std::string request_of(const kube::Review& review) {
    return fmt::format("{} {}", kube::to_string(review.operation), review.resource_name());
}

std::string request_with_version(const kube::Review& review) { return fmt::format("{} ({})", request_of(review), review.resource.version); }

std::string labels_in(kube::Json object) {
    std::vector<std::string> list;
    object["metadata"]["labels"].each_member(
        [&](std::string_view key, kube::Json value) { list.push_back(fmt::format("{}={}", key, value.text())); });
    return list.empty() ? "no labels" : listed(list);
}

std::string labels_of(const kube::Review& review) {
    if (!review.object.is_object() || !review.old_object.is_object()) return labels_in(review.newest());
    return fmt::format("{} (before: {})", labels_in(review.object), labels_in(review.old_object));
}

std::string labels_of(const kube::Labels* labels) {
    if (!labels || labels->empty()) return "no labels";
    return listed_as(*labels, [](const auto& label) { return label.first + "=" + label.second; });
}

std::string user_of(const kube::Review& review) {
    std::vector<std::string> groups;
    review.user.groups.each_item([&](kube::Json group) { groups.emplace_back(group.text()); });
    const std::string in = groups.empty() ? "in no group" : "in groups " + listed(groups);
    return fmt::format("user {} ({})", kube::quoted(review.user.username), in);
}

std::string namespace_of(const kube::Review& review) {
    return review.namespace_name.empty() ? "a cluster-scoped object" : "namespace " + kube::quoted(review.namespace_name);
}

// The first of the list that `hits`, for a message that names it.
template <class List, class F>
auto first_of(const List& list, F&& hits) {
    return *std::find_if(list.begin(), list.end(), std::forward<F>(hits));
}

std::string text_of(const Actions& actions) {
    std::vector<std::string_view> names;
    if (actions.deny) names.push_back("Deny");
    if (actions.warn) names.push_back("Warn");
    if (actions.audit) names.push_back("Audit");
    return fmt::format("{}", fmt::join(names, ", "));
}

std::string source_of_actions(const Policy& policy, const kube::Review& review, const Actions& actions) {
    const NamespaceActions* entry = policy.actions_entry(review.namespace_name);
    std::string source = "validationActions";
    if (entry) source = fmt::format("namespaceActions[{}] ({})", entry - policy.namespace_actions.data(), names_of(entry->namespaces));
    if (actions.deny_later) source += fmt::format("; Deny from {} (enforceFrom)", format_rfc3339(*policy.enforce_from));
    return source;
}

std::string plural(std::size_t count, std::string_view word) { return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s"); }

std::string why(const RuleTrace& trace, const kube::Review& review, const Verdict& verdict) {
    switch (trace.look) {
        case Look::other_resource: return "has no word about " + review.resource_name();
        case Look::other_request: return "does not look at " + request_of(review);
        case Look::no_pods: return "the object has no pod template";
        case Look::fills: return "fills in what pods leave open, and finds nothing";
        case Look::writer: return fmt::format("written by a writer: {} (proof {})", trace.writer, to_string(verdict.assurance));
        case Look::ends_delete: return "deletes what is being deleted already";
        case Look::undeclared: return "changes nothing that Git declares, and only what additions.allow names";
        case Look::dry_run: return "a dry run, which changes nothing: the real thing would be refused";
        case Look::allowance: return fmt::format("day-2 work that the lock allows the caller: {}", verdict.allowance);
        case Look::grant: return "opened by a break-glass grant";
        case Look::by_signature: return "a signed grant is offered: its signature decides, whoever writes it";
        case Look::learning: return "the lock still learns who writes, and this is no person";
        case Look::judged: break;
    }
    const std::size_t count = trace.violations.size() + trace.omitted;
    if (count > 0) return plural(count, "violation");
    return trace.taken_back.empty() ? "nothing found" : "nothing left";
}

std::string why(const TakenBack& taken, const kube::Review& review, const PolicySet& set) {
    switch (taken.reason) {
        case TakenBack::Reason::defaults: return "will be filled in by a defaults rule";
        case TakenBack::Reason::old:
            return review.resource.resource == "pods" || review.kind.kind == "Pod" ? "was so before this UPDATE"
                                                                                   : "was so before this UPDATE, which does not change it";
        case TakenBack::Reason::exception: break;
    }
    const Exception& exception = set.exceptions[taken.exception];
    return fmt::format("excused by GuardException {} ({}) until {}", exception.name, exception.ticket,
                       format_rfc3339(exception.expires_at));
}

RuleExplanation explain_rule(const Rule& rule, const RuleTrace& trace, const kube::Review& review, const PolicySet& set,
                             const Context& context, const Verdict& verdict) {
    RuleExplanation told{.rule = rule.name,
                         .type = std::string(type_of(rule.body)),
                         .looked = trace.look == Look::judged || trace.look == Look::writer || trace.look == Look::ends_delete ||
                                   trace.look == Look::undeclared || trace.look == Look::dry_run || trace.look == Look::allowance ||
                                   trace.look == Look::grant || trace.look == Look::by_signature || trace.look == Look::learning,
                         .why = why(trace, review, verdict),
                         .violations = trace.violations,
                         .omitted = trace.omitted};
    for (const TakenBack& taken : trace.taken_back) told.taken_back.push_back({why(taken, review, set), taken.violations, taken.omitted});
    if (trace.violations.empty()) return told;
    for (const std::size_t i : rule.exceptions) {
        const Exception& exception = set.exceptions[i];
        if (context.now < exception.expires_at || !exception.active(review, exception.expires_at - std::chrono::microseconds(1))) continue;
        told.notes.push_back(
            fmt::format("GuardException {} ({}) ended on {}", exception.name, exception.ticket, format_rfc3339(exception.expires_at)));
    }
    return told;
}

// A policy that the evaluator did not look at: it does not match, or the index knows that none of its rules has a word about the
// resource.
PolicyExplanation explain_unseen(const Policy& policy, const kube::Review& review, const Context& context) {
    PolicyExplanation told{.policy = policy.name};
    if (const auto condition = policy.match.mismatch(review, context)) {
        told.condition = to_string(*condition);
        told.why_not = explain_mismatch(policy.match, *condition, review, context);
        return told;
    }
    told.condition = "rules";
    told.why_not = "none of its rules has a word about " + review.resource_name();
    return told;
}

}  // namespace

std::string explain_mismatch(const Match& match, Condition condition, const kube::Review& review, const Context& context) {
    const auto covers = [&](const ResourceRule& rule) { return rule.matches(review); };
    const auto matches_namespace = [&](const Glob& glob) { return glob.matches(review.namespace_name); };
    const auto is_user = [&](const Subject& subject) { return subject.is(review.user); };
    switch (condition) {
        case Condition::namespaces: return fmt::format("{} is none of {}", namespace_of(review), names_of(match.namespaces));
        case Condition::exclude_namespaces:
            return fmt::format("{} is excluded by {}", namespace_of(review), first_of(match.exclude_namespaces, matches_namespace).text());
        case Condition::resource_rules:
            return fmt::format("{} is in none of {}", request_with_version(review), text_of(match.resource_rules));
        case Condition::exclude_resource_rules:
            return fmt::format("{} is excluded by {}", request_with_version(review),
                               text_of(first_of(match.exclude_resource_rules, covers)));
        case Condition::names: return fmt::format("name {} is none of {}", kube::quoted(review.object_name()), names_of(match.names));
        case Condition::subjects:
            return fmt::format("{} is none of {}", user_of(review),
                               listed_as(match.subjects, [](const Subject& subject) { return text_of(subject); }));
        case Condition::exclude_subjects:
            return fmt::format("{} is excluded as {}", user_of(review), text_of(first_of(match.exclude_subjects, is_user)));
        case Condition::object_selector:
            return fmt::format("the object has {}; wanted: {}", labels_of(review), text_of(*match.object_selector));
        case Condition::namespace_selector: {
            const bool is_namespace = review.resource.group.empty() && review.resource.resource == "namespaces";
            return fmt::format("{} has {}; wanted: {}", namespace_of(review),
                               is_namespace ? labels_of(review) : labels_of(context.labels_of(review.namespace_name)),
                               text_of(*match.namespace_selector));
        }
    }
    return "?";
}

Explanation explain(const kube::Review& review, const PolicySet& set, const Context& context) {
    Trace trace;
    Explanation told{evaluate(review, set, context, trace), {}};
    std::size_t stands = 0;
    auto seen = trace.policies.begin();
    for (std::size_t i = 0; i < set.policies.size(); ++i) {
        const Policy& policy = set.policies[i];
        if (seen == trace.policies.end() || seen->policy != i) {
            told.policies.push_back(explain_unseen(policy, review, context));
            continue;
        }
        PolicyExplanation explained{.policy = policy.name,
                                    .matches = true,
                                    .actions = text_of(seen->actions),
                                    .actions_from = source_of_actions(policy, review, seen->actions)};
        for (std::size_t j = 0; j < policy.rules.size(); ++j) {
            explained.rules.push_back(explain_rule(policy.rules[j], seen->rules[j], review, set, context, told.verdict));
            stands += seen->rules[j].violations.size();
        }
        told.policies.push_back(std::move(explained));
        ++seen;
    }
    // What no policy of the set found, Fluxgate found by itself (escape.hpp, policy_config_map.hpp).
    const auto& all = told.verdict.violations;
    if (all.size() > stands) {
        PolicyExplanation own{.policy = all[stands].policy, .matches = true, .actions = "Deny", .actions_from = "always"};
        auto first = all.begin() + static_cast<std::ptrdiff_t>(stands);
        while (first != all.end()) {
            const auto last = std::find_if(first, all.end(), [&](const Violation& violation) { return violation.rule != first->rule; });
            const std::vector<Violation> found(first, last);
            own.rules.push_back(
                {.rule = first->rule, .type = first->rule, .looked = true, .why = plural(found.size(), "violation"), .violations = found});
            first = last;
        }
        told.policies.push_back(std::move(own));
    }
    return told;
}

}  // namespace fluxgate::policy
