#include "policy/lint.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/duration.hpp"
#include "policy/coverage.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

using nlohmann::json;

static_assert([] {
    for (std::size_t i = 0; i < kLintKinds.size(); ++i) {
        if (static_cast<std::size_t>(kLintKinds[i].id) != i) return false;
    }
    return true;
}());

std::string names_of(const std::vector<Glob>& globs) {
    std::vector<std::string> names;
    for (const Glob& glob : globs) names.push_back(glob.text());
    return listed(names);
}

std::string date_of(WallTime time) { return format_rfc3339(time).substr(0, 10); }

bool ever_denies(const Policy& policy) {
    return policy.actions.deny || std::any_of(policy.namespace_actions.begin(), policy.namespace_actions.end(),
                                              [](const NamespaceActions& entry) { return entry.actions.deny; });
}

template <class Body>
bool has_body(const Policy& policy) {
    return std::any_of(policy.rules.begin(), policy.rules.end(), [](const Rule& rule) { return std::holds_alternative<Body>(rule.body); });
}

bool fills_only(const Policy& policy) {
    return std::all_of(policy.rules.begin(), policy.rules.end(),
                       [](const Rule& rule) { return std::holds_alternative<DefaultsRule>(rule.body); });
}

// What a policy, a rule or an exception says, as a value that can be compared: lists as they are, keys in any order.
json value_of(const kube::Node* node) { return node ? json::parse(kube::to_json(*node)) : json(); }

bool holds(const std::vector<std::string>& list, std::string_view word) { return std::find(list.begin(), list.end(), word) != list.end(); }

// May it apply whatever Git says?
bool applies_anything(const WriterProfile& profile) {
    return std::any_of(profile.identities.begin(), profile.identities.end(), [](const WriterIdentity& identity) {
        return std::any_of(identity.may.begin(), identity.may.end(), [](const Permission& permission) {
            const ResourceRule& rule = permission.rule;
            return holds(rule.api_groups, "*") && (holds(rule.resources, "*") || holds(rule.resources, "*/*")) && !permission.owned &&
                   rule.operations.has(kube::Operation::create) && rule.operations.has(kube::Operation::update) &&
                   rule.operations.has(kube::Operation::remove);
        });
    });
}

// May the controller behind Deployments create Pods? Then the profile is that of Kubernetes, under whatever name.
bool creates_pods_of_workloads(const WriterProfile& profile) {
    constexpr std::string_view kController = "system:serviceaccount:kube-system:replicaset-controller";
    return std::any_of(profile.identities.begin(), profile.identities.end(), [&](const WriterIdentity& identity) {
        return username_of(identity) == kController &&
               std::any_of(identity.may.begin(), identity.may.end(), [](const Permission& permission) {
                   const ResourceRule& rule = permission.rule;
                   return (holds(rule.api_groups, "") || holds(rule.api_groups, "*")) &&
                          (holds(rule.resources, "pods") || holds(rule.resources, "*") || holds(rule.resources, "*/*")) &&
                          rule.operations.has(kube::Operation::create);
               });
    });
}

struct RuleAt {
    std::size_t policy;
    std::size_t rule;

    friend auto operator<=>(const RuleAt&, const RuleAt&) = default;
};

class Linter {
public:
    Linter(const PolicySet& set, const PolicyDocuments& documents, WallTime now, const ManifestNames* names)
        : set_(set), documents_(documents), now_(now), names_(names) {}

    std::vector<Lint> run() {
        lint_shadows();
        for (std::size_t i = 0; i < set_.policies.size(); ++i) lint_policy(i);
        for (std::size_t i = 0; i < set_.exceptions.size(); ++i) lint_exception(i);
        for (std::size_t i = 0; i < set_.writers.size(); ++i) lint_writers(i);
        for (std::size_t i = 0; i < set_.grants.size(); ++i) lint_grant(i);
        lint_set();
        std::stable_sort(list_.begin(), list_.end(), [](const Lint& left, const Lint& right) {
            return std::tie(left.file, left.position) < std::tie(right.file, right.position);
        });
        return std::move(list_);
    }

private:
    using Path = std::initializer_list<DocumentStep>;

    void add(LintId id, const PolicyDocument& document, Path path, std::string subject, std::string message, std::string fix) {
        list_.push_back({id, document.file, position_of(document.root, path), std::move(subject), std::move(message), std::move(fix)});
    }
    void of_policy(LintId id, std::size_t policy, Path path, std::string message, std::string fix) {
        add(id, documents_.policies[policy], path, set_.policies[policy].name, std::move(message), std::move(fix));
    }
    void of_rule(LintId id, RuleAt at, Path path, std::string message, std::string fix) {
        add(id, documents_.policies[at.policy], path, name_of(at), std::move(message), std::move(fix));
    }
    void of_exception(LintId id, std::size_t exception, Path path, std::string message, std::string fix) {
        add(id, documents_.exceptions[exception], path, set_.exceptions[exception].name, std::move(message), std::move(fix));
    }

    std::string name_of(RuleAt at) const { return set_.policies[at.policy].name + "/" + rule_at(at).name; }
    const Rule& rule_at(RuleAt at) const { return set_.policies[at.policy].rules[at.rule]; }

    void lint_set() {
        const bool locked = std::any_of(set_.policies.begin(), set_.policies.end(), has_body<LockRule>);
        if (locked || set_.policies.empty()) return;
        Lint lint{LintId::no_lock, documents_.policies[0].file, {}, {}, {}, {}};
        lint.position = documents_.policies[0].root.position();
        lint.message = "no policy of this set has a lock rule: everybody whom RBAC lets write may write past Git";
        lint.fix = "add a policy with a lock rule for the namespaces that only Git may change";
        list_.push_back(std::move(lint));
    }

    void lint_writers(std::size_t i) {
        const auto& profile = set_.writers[i];
        const bool used = std::any_of(set_.policies.begin(), set_.policies.end(), [&](const Policy& policy) {
            return std::any_of(policy.rules.begin(), policy.rules.end(), [&](const Rule& rule) {
                const auto* lock = std::get_if<LockRule>(&rule.body);
                return lock && std::find(lock->writers.begin(), lock->writers.end(), profile) != lock->writers.end();
            });
        });
        if (used) return;
        add(LintId::writer_without_lock, documents_.writers[i], {"metadata", "name"}, profile->name,
            "no lock of this set names these writers, so they may write nothing by it", "name it in the writers of a lock, or remove it");
    }

    void lint_policy(std::size_t i) {
        const Policy& policy = set_.policies[i];
        const bool denies = ever_denies(policy);
        if (policy.enforce_from && !denies) {
            of_policy(LintId::enforce_from_without_deny, i, {"spec", "enforceFrom"},
                      "enforceFrom is when Deny begins, and this policy never denies",
                      "add Deny to validationActions, or remove enforceFrom");
        } else if (policy.enforce_from && *policy.enforce_from <= now_) {
            of_policy(LintId::enforce_from_past, i, {"spec", "enforceFrom"},
                      fmt::format("has been in force since {} and changes nothing any more", date_of(*policy.enforce_from)), "remove it");
        }
        if (denies && policy.guidance.empty() && !fills_only(policy)) {
            of_policy(LintId::deny_without_guidance, i, {"metadata", "name"},
                      "refuses writes and does not say where to change it or whom to ask", "add spec.guidance; it ends every denial");
        }
        lint_namespaces(i);
        for (std::size_t j = 0; j < policy.rules.size(); ++j) lint_rule({i, j}, denies);
        if (names_) lint_patterns(i);
    }

    void lint_namespaces(std::size_t i) {
        const Policy& policy = set_.policies[i];
        const Match& match = policy.match;
        if (!match.namespaces.empty() && covers(match.exclude_namespaces, match.namespaces)) {
            of_policy(LintId::namespaces_all_excluded, i, {"spec", "match", "excludeNamespaces"},
                      fmt::format("excludes {}, which is all that namespaces names: the policy never matches", names_of(match.namespaces)),
                      "remove the policy, or exclude less");
            return;
        }
        std::vector<Glob> earlier;
        for (std::size_t k = 0; k < policy.namespace_actions.size(); ++k) {
            const std::vector<Glob>& namespaces = policy.namespace_actions[k].namespaces;
            const auto unreachable = [&](std::string_view why) {
                of_policy(LintId::unreachable_namespace_actions, i, {"spec", "namespaceActions", k},
                          fmt::format("namespaceActions[{}] ({}) is never reached: {}", k, names_of(namespaces), why),
                          "remove it, or put it before the one that is wider");
            };
            if (covers(earlier, namespaces))
                unreachable("an earlier entry covers it, and the first that names the namespace counts");
            else if (!can_meet(match.namespaces, namespaces))
                unreachable("the policy matches none of these namespaces");
            else if (covers(match.exclude_namespaces, namespaces))
                unreachable("excludeNamespaces takes these namespaces out of the policy");
            earlier.insert(earlier.end(), namespaces.begin(), namespaces.end());
        }
    }

    void lint_rule(RuleAt at, bool denies) {
        const Policy& policy = set_.policies[at.policy];
        const Rule& rule = rule_at(at);
        const std::size_t j = at.rule;
        if (!can_be_asked(rule.body, policy.match)) {
            of_rule(LintId::rule_without_objects, at, {"spec", "rules", j},
                    fmt::format("{} looks at nothing that the resource rules of the policy let through: it never finds anything",
                                type_of(rule.body)),
                    "move it to a policy with other resourceRules, or widen them");
        }
        if (const auto* lock = std::get_if<LockRule>(&rule.body)) lint_lock(at, *lock, denies);
        if (const auto* resources = std::get_if<ResourcesRule>(&rule.body)) lint_bounds(at, *resources);
        if (const auto* images = std::get_if<ImagesRule>(&rule.body)) lint_images(at, *images);
        if (std::holds_alternative<DefaultsRule>(rule.body) && !denies) {
            of_rule(LintId::defaults_without_deny, at, {"spec", "rules", j, "defaults"},
                    "defaults are filled in while the actions of the policy are Deny; they never are, so nothing is filled in",
                    "put it into a policy of its own with validationActions: [Deny]");
        }
    }

    void lint_lock(RuleAt at, const LockRule& lock, bool denies) {
        const Policy& policy = set_.policies[at.policy];
        const std::size_t j = at.rule;
        const auto any_writer = [&](bool (*does)(const WriterProfile&)) {
            return std::any_of(lock.writers.begin(), lock.writers.end(), [&](const auto& profile) { return does(*profile); });
        };
        const bool for_git = any_writer(applies_anything);
        const bool for_controllers = any_writer(creates_pods_of_workloads);
        if (!for_git) {
            of_rule(LintId::lock_without_flux, at, {"spec", "rules", j, "lock", "writers"},
                    "no writer of this lock may apply what Git says: Flux itself would be refused", "add flux to writers");
        }
        if (!for_controllers && can_mean(policy.match, "pods", kube::Operation::create)) {
            of_rule(LintId::lock_without_kubernetes, at, {"spec", "rules", j, "lock", "writers"},
                    "the writer kubernetes is missing: no controller could create a Pod here, and no kubelet report its status",
                    "add kubernetes to writers");
        }
        if (!denies) {
            of_rule(LintId::lock_refuses_nothing, at, {"spec", "rules", j, "lock"}, "this lock only warns or audits: writes past Git pass",
                    "add Deny to validationActions when the records are clean");
        }
        const Match& match = policy.match;
        const bool whole_namespaces = match.names.empty() && match.resource_rules.empty() && !match.namespace_selector;
        const NamespaceActions* entry = policy.actions_entry("kube-system");
        if (whole_namespaces && means_namespace(match, "kube-system") && (entry ? entry->actions : policy.actions).deny) {
            of_rule(LintId::lock_on_kube_system, at, {"spec", "match", "namespaces"},
                    "locks kube-system too, where the platform writes under names that no writer profile has",
                    "name the namespaces that Git owns, or add kube-system to excludeNamespaces");
        }
    }

    void lint_bounds(RuleAt at, const ResourcesRule& rule) {
        for (const ResourcesRule::Bound& min : rule.min) {
            for (const ResourcesRule::Bound& max : rule.max) {
                if (min.resource != max.resource || min.quantity <= max.quantity) continue;
                of_rule(LintId::min_above_max, at, {"spec", "rules", at.rule, "resources", "min", min.resource.c_str()},
                        fmt::format("{}: min {} is above max {}, which no container can satisfy", min.resource, min.text, max.text),
                        "lower min or raise max");
            }
        }
    }

    void lint_images(RuleAt at, const ImagesRule& rule) {
        if (rule.require_digest || (!rule.require_tag && rule.deny_tags.empty())) return;
        for (const Policy& policy : set_.policies) {
            for (const Rule& other : policy.rules) {
                const auto* images = std::get_if<ImagesRule>(&other.body);
                if (images && images->require_digest) return;
            }
        }
        of_rule(LintId::images_by_tag, at, {"spec", "rules", at.rule, "images"},
                "judges images by their tags, which can be moved to another image after the merge",
                "add requireDigest: true when images are pinned");
    }

    // --- one rule behind another ---

    // Whatever p does about a violation, q does at least that.
    bool acts_as_firmly(std::size_t q, std::size_t p) const {
        const Policy& firm = set_.policies[q];
        if (firm.actions.deny && firm.namespace_actions.empty() && (!firm.enforce_from || *firm.enforce_from <= now_)) return true;
        const auto same = [&](const char* field) {
            return value_of(find_in(documents_.policies[q].root, {"spec", field})) ==
                   value_of(find_in(documents_.policies[p].root, {"spec", field}));
        };
        return same("validationActions") && same("namespaceActions") && same("enforceFrom");
    }

    // Of rules with the same body: `other` finds all that `rule` finds.
    bool is_behind(RuleAt rule, RuleAt other) const {
        if (rule == other) return false;
        if (rule.policy != other.policy) {
            if (!covers(set_.policies[other.policy].match, set_.policies[rule.policy].match)) return false;
            if (!acts_as_firmly(other.policy, rule.policy)) return false;
            // Compliance stands in the records of violations.
            const auto& recorded = set_.policies[other.policy].compliance;
            for (const std::string& criterion : set_.policies[rule.policy].compliance) {
                if (std::find(recorded.begin(), recorded.end(), criterion) == recorded.end()) return false;
            }
        }
        const auto& excused = rule_at(rule).exceptions;
        return std::all_of(rule_at(other).exceptions.begin(), rule_at(other).exceptions.end(),
                           [&](std::size_t exception) { return std::find(excused.begin(), excused.end(), exception) != excused.end(); });
    }

    void lint_shadows() {
        std::map<std::string, std::vector<RuleAt>> by_body;
        for (std::size_t i = 0; i < set_.policies.size(); ++i) {
            for (std::size_t j = 0; j < set_.policies[i].rules.size(); ++j) {
                const std::string type(type_of(rule_at({i, j}).body));
                const kube::Node* body = find_in(documents_.policies[i].root, {"spec", "rules", j, type.c_str()});
                by_body[type + value_of(body).dump()].push_back({i, j});
            }
        }
        std::map<RuleAt, RuleAt> behind;
        for (const auto& [body, rules] : by_body) {
            for (const RuleAt rule : rules) {
                const auto front = std::find_if(rules.begin(), rules.end(), [&](const RuleAt other) {
                    // Of two that say the same everywhere, the later one is too much.
                    return is_behind(rule, other) && (other < rule || !is_behind(other, rule));
                });
                if (front != rules.end()) behind.emplace(rule, *front);
            }
        }
        for (std::size_t i = 0; i < set_.policies.size(); ++i) report_shadows(i, behind);
    }

    void report_shadows(std::size_t i, const std::map<RuleAt, RuleAt>& behind) {
        const std::size_t count = set_.policies[i].rules.size();
        std::optional<std::size_t> all_in;  // the one policy that has them all
        std::size_t shadowed = 0;
        bool one_policy = true;
        for (std::size_t j = 0; j < count; ++j) {
            const auto found = behind.find({i, j});
            if (found == behind.end()) continue;
            ++shadowed;
            one_policy = one_policy && (!all_in || *all_in == found->second.policy) && found->second.policy != i;
            all_in = found->second.policy;
        }
        if (shadowed == 0) return;
        if (shadowed == count && one_policy) {
            of_policy(LintId::shadowed_policy, i, {"metadata", "name"},
                      fmt::format("adds nothing: policy \"{}\" demands all of it wherever this one matches", set_.policies[*all_in].name),
                      "remove it, or narrow the match of the other");
            return;
        }
        for (std::size_t j = 0; j < count; ++j) {
            const auto found = behind.find({i, j});
            if (found == behind.end()) continue;
            of_rule(LintId::shadowed_rule, {i, j}, {"spec", "rules", j, "name"},
                    fmt::format("adds nothing: \"{}\" demands the same wherever this one is asked", name_of(found->second)),
                    "remove one of the two");
        }
    }

    // --- grants ---

    // Locks refuse in their own namespaces only, and accept by their own terms.
    bool opens_a_lock(const Grant& grant) const {
        return std::any_of(set_.policies.begin(), set_.policies.end(), [&](const Policy& policy) {
            if (!can_meet(policy.match.namespaces, grant.match.namespaces)) return false;
            return std::any_of(policy.rules.begin(), policy.rules.end(), [&](const Rule& rule) {
                const auto* lock = std::get_if<LockRule>(&rule.body);
                return lock && lock->break_glass && accepts(*lock->break_glass, grant);
            });
        });
    }

    void lint_grant(std::size_t i) {
        const Grant& grant = set_.grants[i];
        const auto of_grant = [&](LintId id, Path path, std::string message, std::string fix) {
            add(id, documents_.grants[i], path, grant.name, std::move(message), std::move(fix));
        };
        if (grant.expires_at <= now_)
            return of_grant(LintId::grant_expired, {"spec", "expiresAt"},
                            fmt::format("ended at {} ({})", format_moment(grant.expires_at), grant.ticket), "remove the file");
        if (opens_a_lock(grant)) return;
        of_grant(LintId::grant_opens_nothing, {"metadata", "name"},
                 fmt::format("opens nothing: no lock over {} has a breakGlass.maxDuration of {} or more", names_of(grant.match.namespaces),
                             format_duration(std::chrono::ceil<std::chrono::seconds>(grant.expires_at - grant.not_before))),
                 "shorten it, or give the lock a breakGlass");
    }

    // --- exceptions ---

    void lint_exception(std::size_t i) {
        const Exception& exception = set_.exceptions[i];
        if (exception.expires_at <= now_) {
            of_exception(LintId::exception_expired, i, {"spec", "expiresAt"},
                         fmt::format("ended on {} ({}) and excuses nothing any more", date_of(exception.expires_at), exception.ticket),
                         "remove the file");
        } else if (expires_soon(exception, now_, kExpiryNotice)) {
            const auto days = std::chrono::floor<std::chrono::days>(exception.expires_at - now_).count();
            of_exception(LintId::exception_expires_soon, i, {"spec", "expiresAt"},
                         fmt::format("ends on {}, {} ({}): what it excuses is then refused", date_of(exception.expires_at),
                                     days == 0   ? std::string("within a day")
                                     : days == 1 ? std::string("in 1 day")
                                                 : fmt::format("in {} days", days),
                                     exception.ticket),
                         "correct what it excuses, or renew it in Git");
        }
        lint_meeting(i);
        if (names_) lint_patterns_of_exception(i);
    }

    void lint_meeting(std::size_t i) {
        const Exception& exception = set_.exceptions[i];
        const kube::Node* references = find_in(documents_.exceptions[i].root, {"spec", "policies"});
        for (std::size_t k = 0; references && k < references->items().size(); ++k) {
            const kube::Node* name = find_in(references->items()[k], {"name"});
            const auto policy = std::find_if(set_.policies.begin(), set_.policies.end(),
                                             [&](const Policy& candidate) { return name && candidate.name == name->text(); });
            if (policy == set_.policies.end()) continue;
            const Match& match = policy->match;
            const auto never = [&](const std::string& why) {
                of_exception(LintId::exception_never_applies, i, {"spec", "policies", k}, fmt::format("never applies: {}", why),
                             "correct the match of the exception, or remove it");
            };
            if (!can_meet(match.namespaces, exception.namespaces))
                never(fmt::format("policy \"{}\" matches {}, and the exception {}", policy->name, names_of(match.namespaces),
                                  names_of(exception.namespaces)));
            else if (covers(match.exclude_namespaces, exception.namespaces))
                never(fmt::format("policy \"{}\" excludes {}", policy->name, names_of(exception.namespaces)));
            else if (!can_meet(match.names, exception.names))
                never(fmt::format("policy \"{}\" matches the names {}, and the exception {}", policy->name, names_of(match.names),
                                  names_of(exception.names)));
        }
    }

    // --- patterns against a tree of manifests ---

    using Names = std::set<std::string, std::less<>>;

    template <class Report>
    static void try_patterns(const std::vector<Glob>& globs, const Names& names, std::string_view what, Report&& report) {
        for (std::size_t k = 0; k < globs.size(); ++k) {
            if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return globs[k].matches(name); })) continue;
            report(globs[k], k, fmt::format("\"{}\" matches no {} in the manifests that were given", globs[k].text(), what));
        }
    }

    void lint_patterns(std::size_t i) {
        // A lock of a namespace that other manifests fill is right as it is.
        static constexpr std::string_view kFix = "if it is right, nothing is to do: what it is for may stand in other manifests";
        static constexpr LintId kId = LintId::pattern_matches_nothing;
        const Match& match = set_.policies[i].match;
        const auto of_match = [&](const char* field) {
            return [this, i, field](const Glob&, std::size_t k, std::string message) {
                of_policy(kId, i, {"spec", "match", field, k}, std::move(message), std::string(kFix));
            };
        };
        try_patterns(match.namespaces, names_->namespaces, "namespace", of_match("namespaces"));
        try_patterns(match.exclude_namespaces, names_->namespaces, "namespace", of_match("excludeNamespaces"));
        try_patterns(match.names, names_->objects, "object", of_match("names"));
        const auto& entries = set_.policies[i].namespace_actions;
        for (std::size_t entry = 0; entry < entries.size(); ++entry) {
            try_patterns(entries[entry].namespaces, names_->namespaces, "namespace", [&](const Glob&, std::size_t k, std::string message) {
                of_policy(kId, i, {"spec", "namespaceActions", entry, "namespaces", k}, std::move(message), std::string(kFix));
            });
        }
    }

    void lint_patterns_of_exception(std::size_t i) {
        const Exception& exception = set_.exceptions[i];
        const auto report = [&](const Glob& glob, Path path, std::string message) {
            // A star is often meant for what is yet to come; a whole name that is nowhere is mostly a slip.
            const bool has_star = glob.text().find('*') != std::string::npos;
            const LintId id = has_star ? LintId::pattern_matches_nothing : LintId::name_matches_nothing;
            of_exception(id, i, path, std::move(message), "correct the pattern, or remove the exception");
        };
        try_patterns(exception.namespaces, names_->namespaces, "namespace", [&](const Glob& glob, std::size_t k, std::string message) {
            report(glob, {"spec", "match", "namespaces", k}, std::move(message));
        });
        try_patterns(exception.names, names_->objects, "object", [&](const Glob& glob, std::size_t k, std::string message) {
            report(glob, {"spec", "match", "names", k}, std::move(message));
        });
        try_patterns(exception.containers, names_->containers, "container", [&](const Glob& glob, std::size_t k, std::string message) {
            report(glob, {"spec", "containers", k}, std::move(message));
        });
    }

    const PolicySet& set_;
    const PolicyDocuments& documents_;
    const WallTime now_;
    const ManifestNames* const names_;
    std::vector<Lint> list_;
};

}  // namespace

std::string_view to_string(Severity severity) {
    switch (severity) {
        case Severity::note: return "note";
        case Severity::warning: return "warning";
        case Severity::error: return "error";
    }
    return "?";
}

std::vector<Lint> lint(const PolicySet& set, const PolicyDocuments& documents, WallTime now, const ManifestNames* names) {
    return Linter(set, documents, now, names).run();
}

}  // namespace fluxgate::policy
