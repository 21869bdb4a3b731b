// Namespaces, RBAC, certificate signing requests, APIServices and CustomResourceDefinitions: what opens a way to everything else.

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "kube/path.hpp"
#include "policy/lock/escape_request.hpp"
#include "policy/lock/signed_grants.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

namespace {

using kube::Json;

template <class List>
bool contains(const List& list, std::string_view text) {
    return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

template <class List>
bool has_prefix(const List& list, std::string_view text) {
    return std::any_of(std::begin(list), std::end(list), [&](std::string_view prefix) { return text.starts_with(prefix); });
}

template <class F>
bool any_item(Json list, F&& is) {
    bool found = false;
    list.each_item([&](Json item) { found = found || is(item.text()); });
    return found;
}

bool is_api_server(const kube::UserInfo& user) { return user.username == "system:apiserver" && user.in_group("system:masters"); }

// --- RBAC -------------------------------------------------------------------------------------------------------------
// https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks

// The roles that the API server makes at its start, and their bindings. A cluster-admin can impersonate it, so the object must
// be one of those, too. https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation
bool is_bootstrap(const kube::Review& review) {
    constexpr std::array<std::string_view, 4> kRoles{"cluster-admin", "admin", "edit", "view"};
    const std::string_view name = review.object["metadata"]["name"].text();
    return is_api_server(review.user) && review.object["metadata"]["labels"]["kubernetes.io/bootstrapping"].is_string() &&
           (name.starts_with("system:") || contains(kRoles, name));
}

// One rule of a role, and what it lets do.
class RoleRule {
public:
    explicit RoleRule(Json rule) : rule_(rule) {}

    bool grants(std::string_view group, std::string_view resource, std::span<const std::string_view> verbs) const {
        return covers("apiGroups", group) && covers_resource(resource) &&
               std::any_of(verbs.begin(), verbs.end(), [&](std::string_view verb) { return covers("verbs", verb); });
    }
    bool grants(std::string_view group, std::string_view resource, std::string_view verb) const {
        return grants(group, resource, std::span(&verb, 1));
    }
    bool has_verb_like(std::string_view prefix) const {
        return any_item(rule_["verbs"], [&](std::string_view verb) { return verb.starts_with(prefix); });
    }
    // Does it name objects, and `is` holds for none of them?
    template <class F>
    bool is_limited_to_others(F&& is) const {
        const Json names = rule_["resourceNames"];
        return names.size() > 0 && !any_item(names, is);
    }
    // With every verb on them these are impersonated: the group has nothing else but reviews, which are questions.
    // https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
    bool impersonates_with_every_verb(bool in_cluster) const {
        if (!any_item(rule_["verbs"], [](std::string_view verb) { return verb == "*"; })) return false;
        const auto in_every_group = [&](std::string_view item) {
            constexpr std::array<std::string_view, 4> kIdentities{"users", "groups", "uids", "nodes"};
            return item == "serviceaccounts" || item == "*" ||
                   (in_cluster && (contains(kIdentities, item) || item.starts_with("userextras") || item.starts_with("*/authentication")));
        };
        const auto in_their_group = [&](std::string_view item) {
            return in_every_group(item) || (in_cluster && item != "tokenreviews" && item != "selfsubjectreviews");
        };
        return any_item(rule_["apiGroups"], [&](std::string_view group) {
            if (group == "*") return any_item(rule_["resources"], in_every_group);
            return group == "authentication.k8s.io" && any_item(rule_["resources"], in_their_group);
        });
    }
    bool only_about(std::string_view resource) const {
        return !any_item(rule_["resources"], [&](std::string_view item) { return item != resource; });
    }

private:
    bool covers(std::string_view field, std::string_view wanted) const {
        return any_item(rule_[field], [&](std::string_view item) { return item == "*" || item == wanted; });
    }
    // "*" is every resource and every subresource, "*/token" that subresource of everything.
    bool covers_resource(std::string_view wanted) const {
        const std::size_t slash = std::min(wanted.find('/'), wanted.size());
        return any_item(rule_["resources"], [&](std::string_view item) {
            return item == "*" || item == wanted || (item.starts_with("*/") && item.substr(1) == wanted.substr(slash));
        });
    }

    Json rule_;
};

constexpr std::string_view kRbac = "rbac.authorization.k8s.io";

// Roles that let do all that RoleRule is asked about. `edit` lets impersonate and mint tokens of every account of a namespace.
bool is_powerful_role(std::string_view name) {
    constexpr std::array<std::string_view, 7> kRoles{
        "cluster-admin", "admin", "edit", "system:node", "system:kube-controller-manager", "system:masters", "system:kubelet-api-admin"};
    // Flux's own end with the namespace it is installed in: flux-edit-flux-system.
    constexpr std::array<std::string_view, 5> kPrefixes{"flux-edit", "crd-controller", "cluster-reconciler",
                                                        "system:controller:", "system:aggregate-to-"};
    return contains(kRoles, name) || has_prefix(kPrefixes, name);
}

// What the rule opens; empty if nothing.
std::string_view opens(const RoleRule& rule, bool in_cluster, const GuardedAccounts& accounts) {
    const auto guarded = [&](std::string_view name) { return accounts.has_named(name); };
    if (rule.grants("", "serviceaccounts/token", "create") && !rule.is_limited_to_others(guarded)) return "tokens of service accounts";
    const bool accounts_only = rule.only_about("serviceaccounts") && rule.is_limited_to_others(guarded);
    const bool impersonates = rule.has_verb_like("impersonate") || rule.grants("", "serviceaccounts", "impersonate") ||
                              rule.impersonates_with_every_verb(in_cluster) ||
                              (in_cluster && (rule.grants("", "users", "impersonate") || rule.grants("", "groups", "impersonate")));
    if (impersonates && !accounts_only) return "impersonation";
    for (const std::string_view resource : {"roles", "clusterroles"}) {
        if (rule.grants(kRbac, resource, "escalate")) return "roles with more rights than one has";
        if (rule.grants(kRbac, resource, "bind") && !rule.is_limited_to_others(is_powerful_role)) return "bindings to every role";
    }
    if (!in_cluster) return {};
    constexpr std::array<std::string_view, 5> kAnyVerb{"get", "create", "update", "patch", "delete"};
    if (rule.grants("", "nodes/proxy", kAnyVerb)) return "kubelets, and every Pod with them";
    constexpr std::array<std::string_view, 5> kWrites{"create", "update", "patch", "delete", "deletecollection"};
    for (const std::string_view resource :
         {"validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies",
          "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"}) {
        if (rule.grants("admissionregistration.k8s.io", resource, kWrites)) return "admission webhooks and policies";
    }
    return {};
}

// Real roles have tens of rules of some hundred bytes. Beyond this a list that changes is new as a whole: comparing each with each
// would cost too much.
constexpr std::size_t kRulesComparedMax = 50;
constexpr std::size_t kRuleBytesComparedMax = 65'536;

std::size_t bytes_of(Json rules) {
    constexpr std::size_t kOfItem = 16;
    std::size_t bytes = 0;
    rules.each_item([&](Json rule) {
        rule.each_member([&](std::string_view key, Json list) {
            bytes += kOfItem + key.size();
            list.each_item([&](Json item) { bytes += kOfItem + item.text().size(); });
        });
    });
    return bytes;
}

bool can_be_compared(Json rules) { return rules.size() <= kRulesComparedMax && bytes_of(rules) <= kRuleBytesComparedMax; }

// A rule of a role, and what it opens.
struct Opening {
    std::size_t index = 0;
    std::string_view what;
};

// Those that the old role does not have.
std::vector<Opening> find_new_openings(Json before, Json after, bool in_cluster, const GuardedAccounts& accounts) {
    std::vector<Json> known;
    if (can_be_compared(before) && can_be_compared(after))
        before.each_item([&](Json rule) { known.push_back(rule); });
    else if (equal(before, after))
        return {};
    std::vector<Opening> found;
    std::size_t index = 0;
    after.each_item([&](Json rule) {
        const std::string_view what = opens(RoleRule(rule), in_cluster, accounts);
        const bool is_new = !what.empty() && std::none_of(known.begin(), known.end(), [&](Json old) { return equal(old, rule); });
        if (is_new) found.push_back({index, what});
        ++index;
    });
    return found;
}

void judge_role(const EscapeRequest& request, bool in_cluster, Findings& findings) {
    const kube::Review& review = request.review;
    const Json before = review.old_object;
    // With another label the rules may be added to another role, as they are.
    const bool joins_others =
        in_cluster && request.is_update() && !equal(before["metadata"]["labels"], review.object["metadata"]["labels"]);
    const std::vector<Opening> found =
        find_new_openings(joins_others ? Json() : before["rules"], review.object["rules"], in_cluster, request.guard().accounts);
    const Json aggregation = review.object["aggregationRule"];
    const bool aggregates = !aggregation.absent_or_null() && !equal(before["aggregationRule"], aggregation);
    if (found.empty() && !aggregates) return;
    request.refuse(findings, "a change in Git: what it lets do opens the locks");
    for (const auto& [index, what] : found) {
        std::string path = ".rules";
        kube::append_index(path, index);
        findings.add(path, fmt::format("a rule that opens {}", what), "none in a role that is not from Git");
    }
    if (aggregates) findings.add(".aggregationRule", "takes over rules of other roles", "none in a role that is not from Git");
}

void judge_binding(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    const Json role = review.object["roleRef"];
    if (role["kind"].text() != "ClusterRole" || !is_powerful_role(role["name"].text())) return;
    const Json subjects = review.object["subjects"];
    if (subjects.size() == 0 || equal(review.old_object["subjects"], subjects)) return;
    request.refuse(findings, "a change in Git: what it lets do opens the locks");
    findings.add(".roleRef.name", kube::quoted(role["name"].text()), "a role that lets do less");
}

// Is it the name of a guarded account, or of the group of a namespace that has one? Only of profiles that a lock names.
bool is_guarded_subject(const EscapeRequest& request, const GuardedAccounts& accounts, Json subject) {
    constexpr std::string_view kAccount = "system:serviceaccount:";
    constexpr std::string_view kAccounts = "system:serviceaccounts:";
    const std::string_view kind = subject["kind"].text();
    std::string_view name = subject["name"].text();
    if (kind == "ServiceAccount") {
        const std::string_view in = subject["namespace"].text();
        return accounts.has(in.empty() ? request.review.namespace_name : in, name);
    }
    if (kind == "Group") return name.starts_with(kAccounts) && accounts.has_in(name.substr(kAccounts.size()));
    if (kind != "User" || !name.starts_with(kAccount)) return false;
    name.remove_prefix(kAccount.size());
    const std::size_t colon = std::min(name.find(':'), name.size());
    return colon < name.size() && accounts.has(name.substr(0, colon), name.substr(colon + 1));
}

// Real bindings have a few subjects. Of longer lists that change, each guarded one counts as removed.
constexpr std::size_t kSubjectsComparedMax = 100;

// A writer without its rights writes nothing: what Git declares is then nobody's.
void judge_unbinding(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    const Json before = review.old_object["subjects"];
    const Json after = review.object["subjects"];
    if (request.is_update() && equal(before, after)) return;
    const bool compared = before.size() <= kSubjectsComparedMax && after.size() <= kSubjectsComparedMax;
    const GuardedAccounts accounts = find_named_accounts(request);
    std::size_t index = 0;
    std::vector<std::pair<std::size_t, Json>> removed;
    before.each_item([&](Json subject) {
        const std::size_t place = index++;
        if (removed.size() == kChangesMax || !is_guarded_subject(request, accounts, subject)) return;
        bool stays = false;
        if (compared) after.each_item([&](Json other) { stays = stays || equal(subject, other); });
        if (!stays) removed.emplace_back(place, subject);
    });
    if (removed.empty()) return;
    request.refuse(findings, "a change in Git: a writer would lose its rights");
    for (const auto& [place, subject] : removed) {
        std::string path = ".subjects";
        kube::append_index(path, place);
        findings.add(path, "(absent)", kube::quoted(subject["name"].text()));
    }
}

// Roles that Flux and Kubernetes' controllers are bound to, by the names of a stock install. Add-ons have roles with `system:` names,
// too, which the platform changes: only those that the API server made count.
bool is_role_of_writers(Json role) {
    constexpr std::array<std::string_view, 3> kPrefixes{"crd-controller", "cluster-reconciler", "flux"};
    const std::string_view name = role["metadata"]["name"].text();
    const bool of_api_server = role["metadata"]["labels"]["kubernetes.io/bootstrapping"].is_string();
    return has_prefix(kPrefixes, name) || name == "cluster-admin" || (of_api_server && name.starts_with("system:"));
}

void judge_role_less(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (!is_role_of_writers(review.old_object)) return;
    if (review.operation == kube::Operation::remove)
        return request.refuse(findings, "a change in Git: the writers that are bound to it would lose their rights");
    const Json before = review.old_object["rules"];
    const Json after = review.object["rules"];
    if (equal(before, after)) return;
    const bool compared = can_be_compared(before) && can_be_compared(after);
    std::size_t index = 0;
    std::vector<std::size_t> missing;
    before.each_item([&](Json rule) {
        bool stays = false;
        if (compared) after.each_item([&](Json other) { stays = stays || equal(rule, other); });
        if (!stays && missing.size() < kChangesMax) missing.push_back(index);
        ++index;
    });
    if (missing.empty()) return;
    request.refuse(findings, "a change in Git: the writers that are bound to it would lose their rights");
    for (const std::size_t place : missing) {
        std::string path = ".rules";
        kube::append_index(path, place);
        findings.add(path, "changed or removed", "the rule as it is");
    }
}

// --- certificate signing requests --------------------------------------------------------------------------------------

// Real ones have a few hundred bytes, with many names a few thousand. Each name is looked for in all of it.
constexpr std::size_t kRequestBytesMax = 100'000;

// Blocks of PEM as Go reads one: https://pkg.go.dev/encoding/pem. What is written in another way is not guessed at.
std::optional<std::string> read_pem(std::string_view text) {
    constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE REQUEST-----";
    constexpr std::string_view kEnd = "-----END CERTIFICATE REQUEST-----";
    const std::size_t begin = text.find(kBegin);
    const std::size_t end = text.find(kEnd);
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin + kBegin.size()) return std::nullopt;
    if (text.find("-----BEGIN") != begin || text.find("-----BEGIN", begin + 1) != std::string_view::npos) return std::nullopt;
    std::string body(text.substr(begin + kBegin.size(), end - begin - kBegin.size()));
    std::erase_if(body, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
    return from_base64(body);
}

// Is the name somewhere in the request? Strings of DER are literal; BMPString and UniversalString put zeros before each character.
// What stands before a string is its length, the last byte of it where it is a long one: that tells a whole name from a part of one.
bool names(std::string_view der, std::string_view name, bool whole) {
    if (name.empty()) return false;
    for (const std::size_t zeros : {0, 1, 3}) {
        std::string wanted;
        if (whole) wanted.push_back(static_cast<char>(name.size() * (zeros + 1) & 0xff));
        for (const char c : name) wanted.append(zeros, '\0').push_back(c);
        if (der.find(wanted) != std::string_view::npos) return true;
    }
    return false;
}

// The longest part without a star: whoever matches the pattern has this in his name.
std::string_view longest_part(std::string_view pattern) {
    std::string_view longest;
    while (true) {
        const std::size_t star = std::min(pattern.find('*'), pattern.size());
        if (star > longest.size()) longest = pattern.substr(0, star);
        if (star == pattern.size()) return longest;
        pattern.remove_prefix(star + 1);
    }
}

std::string_view find_name_of_grants(const std::vector<Grant>& grants, std::string_view der) {
    for (const Grant& grant : grants) {
        for (const Subject& subject : grant.subjects) {
            if (!subject.namespace_name && names(der, subject.name.text(), true)) return subject.name.text();
        }
    }
    return {};
}

// The first name in the request that makes somebody more than he is; empty if there is none.
std::string_view find_guarded_name(const EscapeRequest& request, std::string_view der) {
    constexpr std::array<std::string_view, 4> kNames{"system:serviceaccount", "system:masters", "system:node", "system:apiserver"};
    for (const std::string_view name : kNames) {
        if (names(der, name, false)) return name;
    }
    for (const std::string& name : request.guard().users) {
        const std::string_view part = longest_part(name);
        if (names(der, part, part.size() == name.size())) return part;
    }
    if (const std::string_view name = find_name_of_grants(request.set.grants, der); !name.empty()) return name;
    const SignedGrants* const grants = request.context.signed_grants;
    return grants ? find_name_of_grants(grants->grants, der) : std::string_view{};
}

// Kubelets ask for certificates of their own when they join and before the old ones end; the signers accept nothing else from them.
// https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
bool is_of_a_kubelet(const kube::Review& review) {
    const std::string_view signer = review.object["spec"]["signerName"].text();
    if (signer != "kubernetes.io/kube-apiserver-client-kubelet" && signer != "kubernetes.io/kubelet-serving") return false;
    // The API server writes who asks into the object; while it is created, who asks is the caller.
    const bool created = review.operation == kube::Operation::create;
    const Json spec = review.old_object["spec"];
    const std::string_view username = created ? review.user.username : spec["username"].text();
    const Json groups = created ? review.user.groups : spec["groups"];
    const auto in = [&](std::string_view group) { return any_item(groups, [&](std::string_view item) { return item == group; }); };
    return (username.starts_with("system:node:") && in("system:nodes")) || in("system:bootstrappers");
}

// --- APIServices and CustomResourceDefinitions --------------------------------------------------------------------------

// Groups that the API server itself serves, or Flux's.
bool is_guarded_api_group(std::string_view group) {
    constexpr std::array<std::string_view, 6> kGroups{"", "apps", "batch", "autoscaling", "policy", "extensions"};
    return contains(kGroups, group) || group.ends_with(".k8s.io") || is_flux_group(group);
}

// Metrics are served by add-ons, and nothing is written there.
bool is_of_metrics(std::string_view group) { return group == "metrics.k8s.io" || group.ends_with(".metrics.k8s.io"); }

void judge_api_service(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (!review.sub_resource.empty() || finishes_a_delete(review)) return;
    const auto redirects = [](Json object) {
        return !object["spec"]["service"].absent_or_null() && !is_of_metrics(object["spec"]["group"].text());
    };
    // Without a service, the API server itself serves the group; it makes and removes such objects on its own.
    const std::string_view group = review.old_object["spec"]["group"].text();
    const bool removed = review.operation == kube::Operation::remove && is_guarded_api_group(group) && !is_of_metrics(group) &&
                         (!is_api_server(review.user) || redirects(review.old_object));
    if (!removed && !redirects(review.object) && !redirects(review.old_object)) return;
    request.refuse(findings, "a change in Git: whoever serves a group reads and answers what is written to it");
    if (request.is_update()) add_changes(findings, kube::find_changes(review.old_object, review.object, review.kind.kind, kChangesMax));
}

// Where versions are converted, but for the certificate, which operators renew themselves.
bool same_conversion(Json before, Json after) {
    const auto client = [](Json conversion) { return conversion["webhook"]["clientConfig"]; };
    return equal(before["strategy"], after["strategy"]) && equal(client(before)["url"], client(after)["url"]) &&
           equal(client(before)["service"], client(after)["service"]);
}

// What an UPDATE changes of how the objects are named, stored, filled in, checked and converted.
void judge_meaning(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    const Json before = review.old_object["spec"];
    const Json after = review.object["spec"];
    kube::Changes changes;
    for (const std::string_view field : {"group", "names", "scope", "versions", "preserveUnknownFields", "conversion"}) {
        if (field == "conversion" ? same_conversion(before[field], after[field]) : equal(before[field], after[field])) continue;
        kube::Changes more =
            kube::find_changes_below(fmt::format(".spec.{}", field), false, before[field], after[field], review.kind.kind, kChangesMax);
        changes.omitted += more.omitted;
        std::move(more.list.begin(), more.list.end(), std::back_inserter(changes.list));
    }
    if (changes.empty()) return;
    request.refuse(findings, "a change in Git: it says what objects are, and whoever converts or fills them in changes them");
    add_changes(findings, std::move(changes));
}

void judge_definition(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (finishes_a_delete(review)) return;
    const auto of_flux = [](Json object) { return is_flux_group(object["spec"]["group"].text()); };
    const bool flux = of_flux(review.object) || of_flux(review.old_object);
    // The API server itself writes the status, over loopback (as system:apiserver in system:masters), and for others nothing
    // guarded hangs on it.
    if (!review.sub_resource.empty() && (!flux || is_api_server(review.user))) return;
    if (flux) return request.refuse(findings, "a change in Git: it says what Flux's objects are");
    if (review.operation == kube::Operation::remove) return request.refuse(findings, "a change in Git: every object of the kind would go");
    if (request.is_update()) judge_meaning(request, findings);
}

// --- Namespaces -----------------------------------------------------------------------------------------------------------

// When its Namespace ends, a Kustomization is deleted by a controller that is a writer, and Flux removes what it had applied.
bool holds_objects_of_flux(const EscapeRequest& request) {
    const std::string_view namespace_name = request.review.namespace_name;
    if (any_matches(request.guard().flux_namespaces, namespace_name)) return true;
    const ClusterView* const cluster = request.context.cluster;
    if (!cluster || !cluster->owners) return false;
    const auto has = [&](std::string_view kind) {
        const std::string prefix = fmt::format("{} {}/", kind, namespace_name);
        const auto found = cluster->owners->lower_bound(prefix);
        return found != cluster->owners->end() && found->first.starts_with(prefix);
    };
    return has("Kustomization") || has("HelmRelease");
}

}  // namespace

void judge_namespaces(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (finishes_a_delete(review) || review.operation == kube::Operation::create) return;
    if (review.operation == kube::Operation::remove || review.sub_resource == "finalize") {
        if (request.in_guarded_namespace() || holds_objects_of_flux(request))
            request.refuse(findings, "a change in Git: everything in it would go, and what Flux's objects in it apply");
        return;
    }
    if (!request.in_locked_namespace()) return;
    const Json before = review.old_object["metadata"];
    const Json after = review.object["metadata"];
    kube::Changes changes;
    for (const std::string_view field : {"labels", "ownerReferences", "finalizers"}) {
        kube::Changes more =
            kube::find_changes_below(fmt::format(".metadata.{}", field), false, before[field], after[field], review.kind.kind, kChangesMax);
        changes.omitted += more.omitted;
        std::move(more.list.begin(), more.list.end(), std::back_inserter(changes.list));
    }
    if (changes.empty()) return;
    request.refuse(findings, "a change in Git: labels decide who guards a Namespace");
    add_changes(findings, std::move(changes));
}

void judge_roles(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (!review.sub_resource.empty() || finishes_a_delete(review) || is_bootstrap(review)) return;
    const bool in_cluster = review.resource.resource.starts_with("cluster");
    const bool of_binding = review.resource.resource.ends_with("bindings");
    const bool opens_here = request.is_write() && (in_cluster || request.in_guarded_namespace());
    if (of_binding && opens_here) judge_binding(request, findings);
    if (!of_binding && opens_here) judge_role(request, in_cluster, findings);
    if (findings.count() > 0 || review.operation == kube::Operation::create) return;
    if (of_binding) return judge_unbinding(request, findings);
    if (in_cluster) judge_role_less(request, findings);
}

void judge_signing_requests(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (review.resource.resource != "certificatesigningrequests") return;
    const bool issues = review.operation == kube::Operation::create || review.sub_resource == "approval" || review.sub_resource == "status";
    if (!issues || is_of_a_kubelet(review)) return;
    constexpr std::string_view kPath = ".spec.request";
    const std::string_view text = review.object["spec"]["request"].text();
    const auto pem = text.size() <= kRequestBytesMax ? from_base64(text) : std::nullopt;
    const auto der = pem ? read_pem(*pem) : std::nullopt;
    if (!der) {
        request.refuse(findings, "one that can be read");
        return findings.add(std::string(kPath), "no PKCS#10 request in PEM", "one block CERTIFICATE REQUEST");
    }
    const std::string_view name = find_guarded_name(request, *der);
    if (name.empty()) return;
    request.refuse(findings, "a certificate that makes nobody a writer");
    findings.add(std::string(kPath), fmt::format("the name {}", kube::quoted(name)), "a name of one's own");
}

void judge_api_extensions(const EscapeRequest& request, Findings& findings) {
    const std::string_view resource = request.review.resource.resource;
    if (resource == "apiservices") return judge_api_service(request, findings);
    if (resource == "customresourcedefinitions") judge_definition(request, findings);
}

}  // namespace fluxgate::policy
