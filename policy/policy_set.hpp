#pragma once

// The compiled policies: what `evaluate` reads. Immutable once built, so any number of threads may share one; built by
// policy/loader.hpp from files, as a whole or not at all.

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "policy/index.hpp"
#include "policy/lock/escape.hpp"
#include "policy/lock/lock.hpp"
#include "policy/match.hpp"
#include "policy/rules/availability.hpp"
#include "policy/rules/defaults.hpp"
#include "policy/rules/images.hpp"
#include "policy/rules/ingress.hpp"
#include "policy/rules/pod_security.hpp"
#include "policy/rules/probes.hpp"
#include "policy/rules/required_metadata.hpp"
#include "policy/rules/resources.hpp"
#include "policy/rules/service_account.hpp"
#include "policy/rules/services.hpp"

namespace fluxgate::policy {

struct Actions {
    bool deny = true;
    bool warn = false;
    bool audit = false;
    bool deny_later = false;  // a date turns these into Deny

    friend bool operator==(const Actions&, const Actions&) = default;
};

// What a rule demands. All but the lock, and the defaults, which fill and do not judge, have one of the two shapes of
// policy/rules/rule.hpp.
using RuleBody = std::variant<LockRule, ResourcesRule, ProbesRule, PodSecurityRule, ImagesRule, RequiredMetadataRule, AvailabilityRule,
                              ServiceAccountRule, ServicesRule, IngressRule, DefaultsRule>;

// The field of a rule that holds its body, in the order of RuleBody.
inline constexpr std::array<std::string_view, std::variant_size_v<RuleBody>> kRuleTypes{
    "lock",         "resources",      "probes",   "podSecurity", "images",  "requiredMetadata",
    "availability", "serviceAccount", "services", "ingress",     "defaults"};
inline std::string_view type_of(const RuleBody& body) { return kRuleTypes[body.index()]; }

// Can the rule have anything to say about objects of that resource?
bool understands(const RuleBody& body, std::string_view group, std::string_view resource);

// Will the rule look at such a request, as far as resource, subresource and operation decide? If not, it finds nothing in it.
bool looks_at(const RuleBody& body, const kube::Review& review);

// Can its violations be about one container?
bool names_containers(const RuleBody& body);

// The resources that some rule understands and others do not, as group and plural: what the index must tell apart.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kKnownResources{{
    {"", "pods"},
    {"", "podtemplates"},
    {"", "replicationcontrollers"},
    {"apps", "deployments"},
    {"apps", "replicasets"},
    {"apps", "statefulsets"},
    {"apps", "daemonsets"},
    {"batch", "jobs"},
    {"batch", "cronjobs"},
    {"autoscaling", "horizontalpodautoscalers"},
    {"policy", "poddisruptionbudgets"},
    {"", "services"},
    {"networking.k8s.io", "ingresses"},
    {"extensions", "ingresses"},
}};

struct Rule {
    std::string name;
    RuleBody body;
    std::vector<std::size_t> exceptions;  // of the set, that name this rule
};

// Actions for some namespaces.
struct NamespaceActions {
    std::vector<Glob> namespaces;
    Actions actions;
};

struct Policy {
    std::string name;
    std::string description;
    std::string guidance;  // {owner} stands for the Kustomization or HelmRelease
    std::vector<std::string> compliance;
    Actions actions;
    std::vector<NamespaceActions> namespace_actions;  // the first that names the namespace counts
    std::optional<WallTime> enforce_from;             // until then Deny acts as Warn and Audit
    Match match;
    std::vector<Rule> rules;

    Actions actions_for(std::string_view namespace_name, WallTime now) const;
    // The entry that stands in for `actions` in that namespace, nullptr if none.
    const NamespaceActions* actions_entry(std::string_view namespace_name) const;
};

// A dated exemption from workload rules. It lets nothing through on its own: it takes back what a rule found.
struct Exception {
    std::string name;
    std::string reason;
    std::string ticket;
    WallTime expires_at;  // without effect from this moment on
    std::vector<Glob> namespaces;
    std::vector<Glob> names;
    std::vector<Glob> containers;  // empty: the whole object

    bool active(const kube::Review& review, WallTime now) const;
    bool excuses(const Violation& violation) const;
};

// What a set is compiled with besides its files. A set remembers it, because the next set is judged by the same.
struct CompileOptions {
    Limits limits{};
    bool namespace_labels = false;             // will the labels of namespaces be known? If not, namespaceSelector is refused
    std::chrono::days exception_horizon{180};  // GuardExceptions end at most this far ahead of `now`
    WallTime now{};
    std::string own_namespace = "fluxgate-system";  // where ConfigMaps of policies are
};

struct PolicySet {
    std::vector<Policy> policies;  // in the order of file names and documents
    std::vector<Exception> exceptions;
    std::vector<Grant> grants;                                  // of files: vouched for by the Git commit
    std::vector<std::shared_ptr<const WriterProfile>> writers;  // of files, in their order; shared with the locks that name them
    std::string digest;                                         // "sha256:…" over names and texts of the files: which set judged
    CompileOptions options;
    Index index;
    EscapeGuard escape;
    bool has_defaults = false;  // any rule of that kind

    std::size_t rule_count() const;
};

// For metrics and lints: how many exceptions have effect, how many of these end within `ahead`, and how many have ended.
struct ExceptionCounts {
    std::size_t active = 0;
    std::size_t expiring = 0;
    std::size_t expired = 0;

    friend bool operator==(const ExceptionCounts&, const ExceptionCounts&) = default;
};
ExceptionCounts count_exceptions(const PolicySet& set, WallTime now, std::chrono::days ahead);

// How long before its end an exception is announced.
inline constexpr std::chrono::days kExpiryNotice{14};

// Ends within `ahead` of `now`, and has not ended yet.
bool expires_soon(const Exception& exception, WallTime now, std::chrono::days ahead);

}  // namespace fluxgate::policy
