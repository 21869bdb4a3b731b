#include "policy/match.hpp"

#include <algorithm>

namespace fluxgate::policy {

namespace {

bool any_is(const std::vector<Subject>& subjects, const kube::UserInfo& user) {
    return std::any_of(subjects.begin(), subjects.end(), [&](const Subject& subject) { return subject.is(user); });
}

bool selects_object(const kube::LabelSelector& selector, const kube::Review& review) {
    if (!review.carries_labels()) return true;
    const auto selects = [&](kube::Json object) { return object.is_object() && selector.matches(object["metadata"]["labels"]); };
    return selects(review.object) || selects(review.old_object);
}

// A Namespace is selected by its own labels, old or new, so that a change of labels is judged by what it leaves and enters.
bool selects_namespace(const kube::LabelSelector& selector, const kube::Review& review, const Context& context) {
    if (review.resource.group.empty() && review.resource.resource == "namespaces") return selects_object(selector, review);
    const kube::Labels* const labels = context.labels_of(review.namespace_name);
    return !labels || selector.matches(*labels);
}

}  // namespace

bool Subject::is(const kube::UserInfo& user) const {
    switch (kind) {
        case Kind::user: return name.matches(user.username);
        case Kind::group: {
            bool found = false;
            user.groups.each_item([&](kube::Json group) { found = found || name.matches(group.text()); });
            return found;
        }
        case Kind::service_account: {
            constexpr std::string_view kPrefix = "system:serviceaccount:";
            if (!user.username.starts_with(kPrefix)) return false;
            const std::string_view account = user.username.substr(kPrefix.size());
            const std::size_t colon = account.find(':');
            if (colon == std::string_view::npos) return false;
            return namespace_name->matches(account.substr(0, colon)) && name.matches(account.substr(colon + 1));
        }
    }
    return false;
}

std::string_view to_string(Condition condition) {
    switch (condition) {
        case Condition::namespaces: return "namespaces";
        case Condition::exclude_namespaces: return "excludeNamespaces";
        case Condition::namespace_selector: return "namespaceSelector";
        case Condition::object_selector: return "objectSelector";
        case Condition::names: return "names";
        case Condition::resource_rules: return "resourceRules";
        case Condition::exclude_resource_rules: return "excludeResourceRules";
        case Condition::subjects: return "subjects";
        case Condition::exclude_subjects: return "excludeSubjects";
    }
    return "?";
}

// The cheap and telling conditions first.
std::optional<Condition> Match::mismatch(const kube::Review& review, const Context& context) const {
    if (!namespaces.empty() && !any_matches(namespaces, review.namespace_name)) return Condition::namespaces;
    if (any_matches(exclude_namespaces, review.namespace_name)) return Condition::exclude_namespaces;
    const auto covers = [&](const ResourceRule& rule) { return rule.matches(review); };
    if (!resource_rules.empty() && std::none_of(resource_rules.begin(), resource_rules.end(), covers)) return Condition::resource_rules;
    if (std::any_of(exclude_resource_rules.begin(), exclude_resource_rules.end(), covers)) return Condition::exclude_resource_rules;
    if (!names.empty() && !any_matches_name(names, review)) return Condition::names;
    if (!subjects.empty() && !any_is(subjects, review.user)) return Condition::subjects;
    if (any_is(exclude_subjects, review.user)) return Condition::exclude_subjects;
    if (object_selector && !selects_object(*object_selector, review)) return Condition::object_selector;
    if (namespace_selector && !selects_namespace(*namespace_selector, review, context)) return Condition::namespace_selector;
    return std::nullopt;
}

bool Match::selected_before(const kube::Review& review) const {
    return !object_selector || !review.carries_labels() || object_selector->matches(review.old_object["metadata"]["labels"]);
}

bool any_matches_name(const std::vector<Glob>& patterns, const kube::Review& review) {
    if (!review.name.empty()) return any_matches(patterns, review.name);
    return any_matches(patterns, review.object_name());
}

}  // namespace fluxgate::policy
