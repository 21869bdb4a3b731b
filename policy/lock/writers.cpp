#include "policy/lock/writers.hpp"

#include <algorithm>

#include "kube/pod_template.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";

// Of the shortest username that the patterns may mean.
std::size_t bytes_min(const Subject& who) {
    const std::size_t name = who.name.text().size();
    return who.namespace_name ? kServiceAccountPrefix.size() + who.namespace_name->text().size() + 1 + name : name;
}

}  // namespace

bool Permission::covers(const kube::Review& review) const {
    if (!rule.matches(review)) return false;
    if (!namespaces.empty() && !any_matches(namespaces, review.namespace_name)) return false;
    if (bound_to_pod && review.object["spec"]["boundObjectRef"]["kind"].text() != "Pod") return false;
    return !owned || kube::has_controller_owner(review.object["metadata"]) || kube::has_controller_owner(review.old_object["metadata"]);
}

bool WriterIdentity::is(const kube::UserInfo& user) const {
    if (!who && groups.empty()) return false;  // nobody, rather than everybody
    if (who && (user.username.size() < bytes_min(*who) || !who->is(user))) return false;
    return std::all_of(groups.begin(), groups.end(), [&](const std::string& group) { return user.in_group(group); });
}

std::string username_of(const WriterIdentity& identity) {
    if (!identity.who) return {};
    const Subject& who = *identity.who;
    return who.namespace_name ? std::string(kServiceAccountPrefix) + who.namespace_name->text() + ":" + who.name.text() : who.name.text();
}

}  // namespace fluxgate::policy
