#include "policy/lock/assurance.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";
constexpr std::string_view kCredentialId = "authentication.kubernetes.io/credential-id";
constexpr std::string_view kPodName = "authentication.kubernetes.io/pod-name";
constexpr std::string_view kPodUid = "authentication.kubernetes.io/pod-uid";

bool in_service_account_groups(const kube::UserInfo& user, std::string_view namespace_name) {
    constexpr std::string_view kOfNamespace = "system:serviceaccounts:";
    bool of_all = false;
    bool of_namespace = false;
    user.groups.each_item([&](kube::Json item) {
        const std::string_view group = item.text();
        of_all = of_all || group == "system:serviceaccounts";
        of_namespace = of_namespace || (group.starts_with(kOfNamespace) && group.substr(kOfNamespace.size()) == namespace_name);
    });
    return of_all && of_namespace;
}

}  // namespace

Assurance read_assurance(const kube::UserInfo& user) {
    const std::string_view credential = user.extra_value(kCredentialId);
    if (!user.username.starts_with(kServiceAccountPrefix)) {
        return credential.starts_with("X509SHA256=") ? Assurance::certificate : Assurance::impersonated;
    }
    const std::string_view account = user.username.substr(kServiceAccountPrefix.size());
    if (!in_service_account_groups(user, account.substr(0, account.find(':')))) return Assurance::none;
    if (credential.starts_with("X509SHA256=")) return Assurance::none;
    if (user.uid.empty()) return Assurance::impersonated;
    const bool bound = credential.starts_with("JTI=") && !user.extra_value(kPodName).empty() && !user.extra_value(kPodUid).empty();
    return bound ? Assurance::pod_bound : Assurance::token;
}

bool proves_account(const kube::UserInfo& user) {
    return !user.username.starts_with(kServiceAccountPrefix) || satisfies(read_assurance(user), Assurance::token);
}

bool satisfies(Assurance proven, Assurance demanded) {
    switch (demanded) {
        case Assurance::none: return false;  // demanding nothing is a mistake, not a free pass
        case Assurance::certificate: return proven == Assurance::certificate;
        case Assurance::pod_bound: return proven == Assurance::pod_bound;
        case Assurance::token: return proven == Assurance::token || proven == Assurance::pod_bound;
        case Assurance::impersonated: return proven != Assurance::none;
    }
    return false;
}

}  // namespace fluxgate::policy
