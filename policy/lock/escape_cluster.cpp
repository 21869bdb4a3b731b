// Namespaces, RBAC, certificate signing requests, APIServices and CustomResourceDefinitions: what opens a way to everything else.

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "kube/path.hpp"
#include "policy/lock/escape_request.hpp"

namespace fluxgate::policy {

namespace {

using kube::Json;

constexpr std::size_t kChangesMax = 200;

template <class List>
bool contains(const List& list, std::string_view text) {
    return std::find(std::begin(list), std::end(list), text) != std::end(list);
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
    constexpr std::array<std::string_view, 8> kRoles{
        "cluster-admin",           "admin", "edit", "flux-edit", "system:node", "system:kube-controller-manager", "system:masters",
        "system:kubelet-api-admin"};
    return contains(kRoles, name) || name.starts_with("system:controller:") || name.starts_with("system:aggregate-to-");
}

// What the rule opens; empty if nothing.
std::string_view opens(const RoleRule& rule, bool in_cluster, const GuardedAccounts& accounts) {
    const auto guarded = [&](std::string_view name) { return accounts.has_named(name); };
    if (rule.grants("", "serviceaccounts/token", "create") && !rule.is_limited_to_others(guarded)) return "tokens of service accounts";
    const bool accounts_only = rule.only_about("serviceaccounts") && rule.is_limited_to_others(guarded);
    const bool impersonates = rule.has_verb_like("impersonate") || rule.grants("", "serviceaccounts", "impersonate") ||
                              (in_cluster && (rule.grants("", "users", "impersonate") || rule.grants("", "groups", "impersonate") ||
                                              rule.grants("authentication.k8s.io", "uids", "impersonate")));
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

// Real roles have tens of rules. Beyond this a list that changes is new as a whole: comparing each with each would cost too much.
constexpr std::size_t kRulesComparedMax = 200;

// A rule of a role, and what it opens.
struct Opening {
    std::size_t index = 0;
    std::string_view what;
};

// Those that the old role does not have.
std::vector<Opening> find_new_openings(Json before, Json after, bool in_cluster, const GuardedAccounts& accounts) {
    std::vector<Json> known;
    if (before.size() <= kRulesComparedMax && after.size() <= kRulesComparedMax)
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
bool names(std::string_view der, std::string_view name) {
    for (const std::size_t zeros : {0, 1, 3}) {
        std::string wanted;
        for (const char c : name) wanted.append(zeros, '\0').push_back(c);
        if (der.find(wanted) != std::string_view::npos) return true;
    }
    return false;
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

// Groups of what locks guard. Metrics are served by add-ons, under groups of their own, and nothing is written there.
bool is_guarded_api_group(std::string_view group) {
    constexpr std::array<std::string_view, 6> kGroups{"", "apps", "batch", "autoscaling", "policy", "extensions"};
    if (group == "metrics.k8s.io" || group.ends_with(".metrics.k8s.io")) return false;
    return contains(kGroups, group) || group.ends_with(".k8s.io") || is_flux_group(group);
}

void judge_api_service(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (!review.sub_resource.empty() || finishes_a_delete(review)) return;
    const auto redirects = [](Json object) {
        return !object["spec"]["service"].absent_or_null() && is_guarded_api_group(object["spec"]["group"].text());
    };
    // Without a service, the API server itself serves the group; it makes and removes such objects on its own.
    const bool removed = review.operation == kube::Operation::remove && is_guarded_api_group(review.old_object["spec"]["group"].text()) &&
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

void judge_definition(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (!review.sub_resource.empty() || finishes_a_delete(review)) return;
    const auto of_flux = [](Json object) { return is_flux_group(object["spec"]["group"].text()); };
    if (of_flux(review.object) || of_flux(review.old_object)) {
        request.refuse(findings, "a change in Git: it says what Flux's objects are");
    } else if (request.is_update() && !same_conversion(review.old_object["spec"]["conversion"], review.object["spec"]["conversion"])) {
        request.refuse(findings, "a change in Git: whoever converts objects changes them");
        add_changes(findings, kube::find_changes_below(".spec.conversion", false, review.old_object["spec"]["conversion"],
                                                       review.object["spec"]["conversion"], review.kind.kind, kChangesMax));
    }
}

}  // namespace

void judge_namespaces(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (finishes_a_delete(review) || review.operation == kube::Operation::create || !request.in_locked_namespace()) return;
    if (review.operation == kube::Operation::remove || review.sub_resource == "finalize")
        return request.refuse(findings, "a change in Git: everything in it would go");
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
    if (is_bootstrap(review)) return;
    const bool in_cluster = review.resource.resource.starts_with("cluster");
    if (!in_cluster && !request.in_guarded_namespace()) return;
    if (review.resource.resource.ends_with("bindings")) return judge_binding(request, findings);
    judge_role(request, in_cluster, findings);
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
    const auto refuse = [&](std::string_view name) {
        request.refuse(findings, "a certificate that makes nobody a writer");
        findings.add(std::string(kPath), fmt::format("the name {}", kube::quoted(name)), "a name of one's own");
    };
    constexpr std::array<std::string_view, 4> kNames{"system:serviceaccount", "system:masters", "system:node", "system:apiserver"};
    for (const std::string_view name : kNames) {
        if (names(*der, name)) return refuse(name);
    }
    for (const std::string& name : request.guard().users) {
        if (names(*der, name)) return refuse(name);
    }
}

void judge_api_extensions(const EscapeRequest& request, Findings& findings) {
    const std::string_view resource = request.review.resource.resource;
    if (resource == "apiservices") return judge_api_service(request, findings);
    if (resource == "customresourcedefinitions") judge_definition(request, findings);
}

}  // namespace fluxgate::policy
