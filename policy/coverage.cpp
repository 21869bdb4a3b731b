#include "policy/coverage.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace fluxgate::policy {

namespace {

constexpr std::array kOperations{kube::Operation::create, kube::Operation::update, kube::Operation::remove, kube::Operation::connect};

template <class List, class F>
bool all(const List& list, F&& holds) {
    return std::all_of(list.begin(), list.end(), std::forward<F>(holds));
}
template <class List, class F>
bool any(const List& list, F&& holds) {
    return std::any_of(list.begin(), list.end(), std::forward<F>(holds));
}

bool covers_words(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
    return all(narrow,
               [&](const std::string& word) { return any(wide, [&](const std::string& item) { return item == "*" || item == word; }); });
}

// "pods/*" covers "pods/exec", "*" covers "pods" and no subresource, "*/*" covers all.
bool covers_resource(const std::string& wide, const std::string& narrow) {
    if (wide == narrow || wide == "*/*") return true;
    const std::size_t slash = narrow.find('/');
    const std::string resource = narrow.substr(0, slash);
    const std::string sub_resource = slash == std::string::npos ? "" : narrow.substr(slash + 1);
    if (resource == "*" || sub_resource == "*") {
        return slash != std::string::npos && sub_resource != "*" && wide == "*/" + sub_resource;
    }
    return resource_matches(wide, resource, sub_resource);
}

bool covers_rule(const ResourceRule& wide, const ResourceRule& narrow) {
    const bool versions =
        wide.api_versions.empty() || (!narrow.api_versions.empty() && covers_words(wide.api_versions, narrow.api_versions));
    return versions && covers_words(wide.api_groups, narrow.api_groups) &&
           all(kOperations,
               [&](kube::Operation operation) { return !narrow.operations.has(operation) || wide.operations.has(operation); }) &&
           all(narrow.resources, [&](const std::string& pattern) {
               return any(wide.resources, [&](const std::string& item) { return covers_resource(item, pattern); });
           });
}

bool covers_rules(const std::vector<ResourceRule>& wide, const std::vector<ResourceRule>& narrow) {
    return all(narrow,
               [&](const ResourceRule& rule) { return any(wide, [&](const ResourceRule& item) { return covers_rule(item, rule); }); });
}

bool same(const kube::LabelSelector& left, const kube::LabelSelector& right) {
    const auto equal = [](const kube::Requirement& one, const kube::Requirement& other) {
        return one.key == other.key && one.op == other.op && one.values == other.values;
    };
    return std::equal(left.requirements.begin(), left.requirements.end(), right.requirements.begin(), right.requirements.end(), equal);
}

bool covers_selector(const std::optional<kube::LabelSelector>& wide, const std::optional<kube::LabelSelector>& narrow) {
    return !wide || (narrow && same(*wide, *narrow));
}

bool is_in(const std::vector<Subject>& list, const Subject& subject) {
    return any(list, [&](const Subject& item) {
        if (item.kind != subject.kind || !covers(item.name, subject.name)) return false;
        return !item.namespace_name || (subject.namespace_name && covers(*item.namespace_name, *subject.namespace_name));
    });
}

bool covers_subjects(const std::vector<Subject>& wide, const std::vector<Subject>& narrow) {
    return all(narrow, [&](const Subject& subject) { return is_in(wide, subject); });
}

// A condition that is not given is none: only another that is not given is as wide.
template <class List, class F>
bool covers_condition(const List& wide, const List& narrow, F&& covers_list) {
    return wide.empty() || (!narrow.empty() && covers_list(wide, narrow));
}

// Requests that stand for all that the resource rules of a match can tell apart: every resource that is named somewhere and one that
// is named nowhere, with every subresource that somebody asks about.
template <class F>
bool any_request(const Match& match, F&& holds) {
    constexpr std::string_view kOther = "?";
    std::vector<std::pair<std::string_view, std::string_view>> resources(kKnownResources.begin(), kKnownResources.end());
    std::vector<std::string_view> sub_resources{"", "status", "scale", "ephemeralcontainers", "resize", "exec", "eviction", kOther};
    std::vector<std::string_view> versions{"v1"};
    resources.emplace_back(kOther, kOther);
    for (const ResourceRule& rule : match.resource_rules) {
        for (const std::string& pattern : rule.resources) {
            const std::size_t slash = pattern.find('/');
            const std::string_view resource = std::string_view(pattern).substr(0, slash);
            if (slash != std::string::npos && pattern.substr(slash + 1) != "*")
                sub_resources.push_back(std::string_view(pattern).substr(slash + 1));
            for (const std::string& group : rule.api_groups)
                resources.emplace_back(group == "*" ? kOther : group, resource == "*" ? kOther : resource);
            // A group with a star, or a resource: what is known of the other half.
            for (const auto& [group, known] : kKnownResources) resources.emplace_back(group, resource == "*" ? known : resource);
        }
        for (const std::string& version : rule.api_versions) {
            if (version != "*") versions.push_back(version);
        }
    }
    kube::Review review;
    for (const auto& [group, resource] : resources) {
        for (const std::string_view version : versions) {
            review.resource = {group, version, resource};
            for (const std::string_view sub_resource : sub_resources) {
                review.sub_resource = sub_resource;
                for (const kube::Operation operation : kOperations) {
                    review.operation = operation;
                    if (holds(std::as_const(review))) return true;
                }
            }
        }
    }
    return false;
}

bool lets_through(const Match& match, const kube::Review& review) {
    const auto matches = [&](const ResourceRule& rule) { return rule.matches(review); };
    return (match.resource_rules.empty() || any(match.resource_rules, matches)) && !any(match.exclude_resource_rules, matches);
}

}  // namespace

bool covers(const std::vector<Glob>& wide, const std::vector<Glob>& narrow) {
    return all(narrow, [&](const Glob& glob) { return any(wide, [&](const Glob& item) { return covers(item, glob); }); });
}

bool can_meet(const std::vector<Glob>& left, const std::vector<Glob>& right) {
    if (left.empty() || right.empty()) return true;
    return any(left, [&](const Glob& one) { return any(right, [&](const Glob& other) { return can_meet(one, other); }); });
}

bool covers(const Match& wide, const Match& narrow) {
    const auto globs = [](const std::vector<Glob>& w, const std::vector<Glob>& n) { return covers(w, n); };
    const bool excludes_no_more = all(wide.exclude_namespaces, [&](const Glob& excluded) {
        return covers(narrow.exclude_namespaces, {excluded}) || !can_meet(narrow.namespaces, {excluded});
    });
    return excludes_no_more && covers_condition(wide.namespaces, narrow.namespaces, globs) &&
           covers_condition(wide.names, narrow.names, globs) &&
           covers_condition(wide.resource_rules, narrow.resource_rules, covers_rules) &&
           covers_rules(narrow.exclude_resource_rules, wide.exclude_resource_rules) &&
           covers_condition(wide.subjects, narrow.subjects, covers_subjects) &&
           covers_subjects(narrow.exclude_subjects, wide.exclude_subjects) &&
           covers_selector(wide.namespace_selector, narrow.namespace_selector) &&
           covers_selector(wide.object_selector, narrow.object_selector);
}

bool can_be_asked(const RuleBody& body, const Match& match) {
    return any_request(match, [&](const kube::Review& review) { return lets_through(match, review) && looks_at(body, review); });
}

bool can_mean(const Match& match, std::string_view resource, kube::Operation operation) {
    return any_request(match, [&](const kube::Review& review) {
        return review.operation == operation && review.resource.group.empty() && review.resource.resource == resource &&
               review.sub_resource.empty() && lets_through(match, review);
    });
}

bool means_namespace(const Match& match, std::string_view namespace_name) {
    return (match.namespaces.empty() || any_matches(match.namespaces, namespace_name)) &&
           !any_matches(match.exclude_namespaces, namespace_name);
}

}  // namespace fluxgate::policy
