#include "policy/identities.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "policy/decode.hpp"
#include "policy/lock/built_in_writers.hpp"

namespace fluxgate::policy {

namespace {

using nlohmann::ordered_json;

constexpr std::string_view kServiceAccount = "system:serviceaccount:";
constexpr std::string_view kNode = "system:node:";
constexpr std::string_view kCredentialId = "authentication.kubernetes.io/credential-id";

// Stands for the uids and fingerprints that only a cluster knows.
constexpr std::string_view kUuid = "00000000-0000-4000-8000-000000000000";
constexpr std::string_view kFingerprint = "0000000000000000000000000000000000000000000000000000000000000000";

ordered_json certificate() { return {{kCredentialId, {fmt::format("X509SHA256={}", kFingerprint)}}}; }

ordered_json service_account(std::string_view user) {
    const std::string_view account = user.substr(kServiceAccount.size());
    const std::string_view namespace_name = account.substr(0, account.find(':'));
    const std::string_view name = account.substr(account.find(':') + 1);
    return {{"username", user},
            {"uid", kUuid},
            {"groups", {"system:serviceaccounts", fmt::format("system:serviceaccounts:{}", namespace_name), "system:authenticated"}},
            {"extra",
             {{kCredentialId, {fmt::format("JTI={}", kUuid)}},
              {"authentication.kubernetes.io/node-name", {"node"}},
              {"authentication.kubernetes.io/pod-name", {fmt::format("{}-pod", name)}},
              {"authentication.kubernetes.io/pod-uid", {kUuid}}}}};
}

ordered_json user_of(std::string_view user, std::vector<std::string> groups) {
    groups.push_back("system:authenticated");
    return {{"username", user}, {"groups", groups}, {"extra", certificate()}};
}

// "kustomize-controller" of a service account, the whole name of a user; "" of whoever has no name of its own, like kubelets.
std::string short_name(const WriterIdentity& identity) {
    const std::string name = identity.who ? identity.who->name.text() : std::string();
    return name.find('*') == std::string::npos ? name : std::string();
}

bool is_service_account(std::string_view user) {
    if (!user.starts_with(kServiceAccount)) return false;
    const std::string_view account = user.substr(kServiceAccount.size());
    const std::size_t colon = account.find(':');
    return colon != std::string_view::npos && colon > 0 && colon + 1 < account.size();
}

Result<ordered_json> writer(const WriterProfile& profile, std::string_view name) {
    const auto& list = profile.identities;
    const auto found =
        name.empty() ? list.begin()
                     : std::find_if(list.begin(), list.end(), [&](const WriterIdentity& identity) { return short_name(identity) == name; });
    if (found == list.end()) {
        std::vector<std::string> names;
        for (const WriterIdentity& identity : list) names.push_back(short_name(identity));
        return fail(Errc::invalid_argument,
                    fmt::format("the writers {} have no account \"{}\"{}", profile.name, name, did_you_mean(name, names)));
    }
    const std::string username = username_of(*found);
    if (is_service_account(username)) return service_account(username);
    return user_of(username, found->groups);
}

}  // namespace

Result<std::string> user_info(std::string_view as, const std::vector<std::string>& groups) {
    const std::size_t slash = as.find('/');
    const WriterProfile* profile = find_built_in_writers(as.substr(0, slash));
    const bool fixed = profile || as.starts_with(kServiceAccount) || as.starts_with(kNode);
    if (fixed && !groups.empty())
        return fail(Errc::invalid_argument,
                    fmt::format("\"{}\" has the groups Kubernetes gives it; leave groups out, or name a person", as));
    if (as.empty()) return fail(Errc::invalid_argument, "names nobody; give flux, a user or system:serviceaccount:NAMESPACE:NAME");
    if (profile) {
        const auto user = writer(*profile, slash == std::string_view::npos ? std::string_view{} : as.substr(slash + 1));
        if (!user) return tl::unexpected(user.error());
        return user->dump();
    }
    if (as.starts_with(kServiceAccount)) {
        if (!is_service_account(as))
            return fail(Errc::invalid_argument, fmt::format("\"{}\": expected system:serviceaccount:NAMESPACE:NAME", as));
        return service_account(as).dump();
    }
    if (as.starts_with(kNode)) return user_of(as, {"system:nodes"}).dump();
    return user_of(as, groups).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::vector<std::string> identity_names() {
    std::vector<std::string> names;
    for (const WriterProfile& profile : built_in_writers()) {
        names.push_back(profile.name);
        for (const WriterIdentity& identity : profile.identities) {
            std::string name = fmt::format("{}/{}", profile.name, short_name(identity));
            // KEDA has the same account in two namespaces; the first is meant.
            if (!name.ends_with('/') && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
        }
    }
    return names;
}

}  // namespace fluxgate::policy
