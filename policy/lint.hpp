#pragma once

// What is odd about a set that compiles: lines that have no effect, lines that refuse what nobody means to refuse, dates that come
// near. Only what is certain is said: a lint that may be wrong teaches people to read past all of them. Pure.
// For users: docs/reference/policy-commands.md, whose table has every id.

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/clock.hpp"
#include "kube/manifest.hpp"
#include "policy/policy_documents.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

enum class Severity : std::uint8_t {
    note,     // good to know
    warning,  // a line without effect, or a date
    error,    // the set refuses what nobody can mean to refuse
};
std::string_view to_string(Severity severity);

// Stable: ids appear in reports and in people's pipelines.
enum class LintId : std::uint8_t {
    lock_without_flux,
    min_above_max,
    lock_without_kubernetes,
    lock_on_kube_system,
    shadowed_policy,
    shadowed_rule,
    unreachable_namespace_actions,
    namespaces_all_excluded,
    rule_without_objects,
    enforce_from_without_deny,
    defaults_without_deny,
    exception_expired,
    exception_expires_soon,
    exception_never_applies,
    name_matches_nothing,
    pattern_matches_nothing,
    enforce_from_past,
    lock_refuses_nothing,
    no_lock,
    deny_without_guidance,
    images_by_tag,
    writer_without_lock,
    grant_expired,
    grant_opens_nothing,
};

struct LintKind {
    LintId id;
    std::string_view name;  // "shadowed-rule"
    Severity severity;
    std::string_view meaning;
};

// In the order of LintId.
inline constexpr std::array<LintKind, 24> kLintKinds{{
    {LintId::lock_without_flux, "lock-without-flux", Severity::error, "a lock has no writer that may apply what Git says"},
    {LintId::min_above_max, "min-above-max", Severity::error, "a resources rule that no container can satisfy"},
    {LintId::lock_without_kubernetes, "lock-without-kubernetes", Severity::warning,
     "a lock over Pods has no writer `kubernetes`, so no controller can create them"},
    {LintId::lock_on_kube_system, "lock-on-kube-system", Severity::warning, "a lock refuses writes in kube-system"},
    {LintId::shadowed_policy, "shadowed-policy", Severity::warning, "another policy demands all of it, wherever it matches"},
    {LintId::shadowed_rule, "shadowed-rule", Severity::warning, "another rule demands the same, wherever it matches"},
    {LintId::unreachable_namespace_actions, "unreachable-namespace-actions", Severity::warning,
     "an entry of namespaceActions that no namespace reaches"},
    {LintId::namespaces_all_excluded, "namespaces-all-excluded", Severity::warning, "excludeNamespaces takes away all of namespaces"},
    {LintId::rule_without_objects, "rule-without-objects", Severity::warning,
     "the resource rules of the policy let nothing through that the rule looks at"},
    {LintId::enforce_from_without_deny, "enforce-from-without-deny", Severity::warning, "a date for a Deny that the policy does not have"},
    {LintId::defaults_without_deny, "defaults-without-deny", Severity::warning, "a defaults rule in a policy without Deny fills nothing"},
    {LintId::exception_expired, "exception-expired", Severity::warning, "an exception without effect, because it has ended"},
    {LintId::exception_expires_soon, "exception-expires-soon", Severity::warning, "an exception that ends within 14 days"},
    {LintId::exception_never_applies, "exception-never-applies", Severity::warning,
     "an exception and the policy that it names have no object in common"},
    {LintId::name_matches_nothing, "name-matches-nothing", Severity::warning,
     "a name in an exception that is not in the manifests that were given"},
    {LintId::pattern_matches_nothing, "pattern-matches-nothing", Severity::note,
     "a pattern of a policy, or one with a star, that matches nothing in the manifests that were given"},
    {LintId::enforce_from_past, "enforce-from-past", Severity::note, "an enforceFrom that has passed and changes nothing any more"},
    {LintId::lock_refuses_nothing, "lock-refuses-nothing", Severity::note, "a lock in a policy that only warns or audits"},
    {LintId::no_lock, "no-lock", Severity::note, "a set without a lock: everybody may write past Git"},
    {LintId::deny_without_guidance, "deny-without-guidance", Severity::note, "a policy that refuses and does not say whom to ask"},
    {LintId::images_by_tag, "images-by-tag", Severity::note, "images are judged by their tags, which can be moved"},
    {LintId::writer_without_lock, "writer-without-lock", Severity::note, "a writer profile that no lock names"},
    {LintId::grant_expired, "grant-expired", Severity::note, "a break-glass grant that has ended and opens nothing any more"},
    {LintId::grant_opens_nothing, "grant-opens-nothing", Severity::warning, "a break-glass grant that no lock of the set accepts"},
}};
constexpr const LintKind& kind_of(LintId id) { return kLintKinds[static_cast<std::size_t>(id)]; }

struct Lint {
    LintId id = LintId::no_lock;
    std::string file;
    kube::Position position;
    std::string subject;  // "production/limits", "production", the name of an exception; empty for the set
    std::string message;
    std::string fix;

    const LintKind& kind() const { return kind_of(id); }
};

// Names that patterns are tried on: what a tree of manifests holds.
struct ManifestNames {
    std::set<std::string, std::less<>> namespaces{};
    std::set<std::string, std::less<>> objects{};
    std::set<std::string, std::less<>> containers{};
};

// In the order of files and lines. `documents` are those the set was compiled from; `names` may be null: then patterns are not tried.
std::vector<Lint> lint(const PolicySet& set, const PolicyDocuments& documents, WallTime now, const ManifestNames* names);

}  // namespace fluxgate::policy
