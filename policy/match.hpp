#pragma once

// Which requests a policy is about. All given conditions must hold; what is empty or absent is no condition.
// Immutable; any number of threads may share it.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"
#include "kube/selector.hpp"
#include "policy/context.hpp"
#include "policy/glob.hpp"
#include "policy/resource_rule.hpp"

namespace fluxgate::policy {

// Who asks, as RBAC names them.
struct Subject {
    enum class Kind : std::uint8_t { user, group, service_account };
    Kind kind = Kind::user;
    Glob name;
    std::optional<Glob> namespace_name;  // of a service account

    bool is(const kube::UserInfo& user) const;
};

// The conditions of a match, by the names of their fields.
enum class Condition : std::uint8_t {
    namespaces,
    exclude_namespaces,
    namespace_selector,
    object_selector,
    names,
    resource_rules,
    exclude_resource_rules,
    subjects,
    exclude_subjects,
};
std::string_view to_string(Condition condition);  // "namespaces", "excludeNamespaces", …

struct Match {
    std::vector<Glob> namespaces;  // on the name, so that relabelling is no escape
    std::vector<Glob> exclude_namespaces;
    // Labels that nobody knows count as matching: a policy must not end where knowledge does.
    std::optional<kube::LabelSelector> namespace_selector;
    // Matches if the old or the new object does (as in ValidatingAdmissionPolicy); what carries no labels (scale, eviction,
    // connections) counts as matching.
    std::optional<kube::LabelSelector> object_selector;
    std::vector<Glob> names;
    std::vector<ResourceRule> resource_rules;
    std::vector<ResourceRule> exclude_resource_rules;
    std::vector<Subject> subjects;
    std::vector<Subject> exclude_subjects;

    bool matches(const kube::Review& review, const Context& context) const { return !mismatch(review, context); }
    // The first condition that says no, nullopt if the request is meant. Allocates nothing.
    std::optional<Condition> mismatch(const kube::Review& review, const Context& context) const;
    // Was the object as it is stored already meant, as far as its labels decide? If not, an update brings it in like a new one.
    bool selected_before(const kube::Review& review) const;
};

// True if any pattern matches the name of the review's object; one with generateName is named "prefix*".
bool any_matches_name(const std::vector<Glob>& patterns, const kube::Review& review);

}  // namespace fluxgate::policy
