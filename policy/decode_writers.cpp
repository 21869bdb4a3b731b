#include "policy/decode_writers.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "policy/decode_match.hpp"
#include "policy/decode_policy.hpp"
#include "policy/lock/built_in_writers.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kOfAllAccounts = "system:serviceaccounts";
constexpr std::string_view kOfNamespace = "system:serviceaccounts:";

bool has_star(std::string_view text) { return text.find('*') != std::string_view::npos; }
bool only_stars(std::string_view text) { return !text.empty() && text.find_first_not_of('*') == std::string_view::npos; }

std::optional<Glob> decode_name(Mapping& fields, std::string_view key, Glob::Alphabet alphabet) {
    const std::string text = fields.required_string(key);
    if (text.empty()) return std::nullopt;
    auto glob = Glob::compile(text, alphabet);
    if (glob) return std::move(*glob);
    fields.problem(key, glob.error().message);
    return std::nullopt;
}

// Letters, digits, '-', stars and, in names, dots: what the name of an account or a namespace can be made of.
bool can_be_of_an_account(std::string_view text, bool dots) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '*' || (dots && c == '.');
    });
}

std::optional<Subject> decode_account(const kube::Node& node, const std::string& what, Problems& problems) {
    Mapping fields(node, what, problems);
    const std::size_t before = problems.count();
    auto namespace_name = decode_name(fields, "namespace", Glob::Alphabet::names);
    auto name = decode_name(fields, "name", Glob::Alphabet::names);
    fields.finish();
    if (namespace_name && only_stars(namespace_name->text()))
        fields.problem("namespace",
                       "means any namespace, and anybody who may create a service account somewhere is it; name the namespace");
    else if (namespace_name && !can_be_of_an_account(namespace_name->text(), false))
        fields.problem("namespace", "no namespace has such a name");
    if (name && !can_be_of_an_account(name->text(), true)) fields.problem("name", "no service account has such a name");
    if (problems.count() > before || !name || !namespace_name) return std::nullopt;
    return Subject{Subject::Kind::service_account, std::move(*name), std::move(namespace_name)};
}

std::optional<Subject> decode_user(Mapping& fields) {
    auto name = decode_name(fields, "user", Glob::Alphabet::identities);
    if (!name) return std::nullopt;
    const std::string_view text = name->text();
    if (text.starts_with("system:serviceaccount:"))
        fields.problem(
            "user",
            "is a service account; write serviceAccount: {namespace: NAMESPACE, name: NAME}, whose proof is judged as that of accounts");
    else if (only_stars(text) || text == "system:anonymous")
        fields.problem("user", "means everybody");
    else
        return Subject{Subject::Kind::user, std::move(*name), std::nullopt};
    return std::nullopt;
}

bool is_of_accounts(std::string_view group) { return group == kOfAllAccounts || group.starts_with(kOfNamespace); }

std::vector<std::string> decode_groups(Mapping& fields, bool with_a_user) {
    constexpr std::array<std::string_view, 3> kEverybody{"system:authenticated", "system:unauthenticated", kOfAllAccounts};
    refuse_empty_list(fields, "groups", "would be everybody");
    std::vector<std::string> groups = decode_texts(fields, "groups");
    const auto means_everybody = [&](const std::string& group) {
        return std::find(kEverybody.begin(), kEverybody.end(), group) != kEverybody.end();
    };
    if (std::any_of(groups.begin(), groups.end(), has_star)) fields.problem("groups", "a group is named whole, without a pattern");
    if (!with_a_user && !groups.empty() && std::all_of(groups.begin(), groups.end(), means_everybody))
        fields.problem("groups", "means everybody; name a group of some");
    const auto of_others = [](const std::string& group) { return !is_of_accounts(group) && group != "system:authenticated"; };
    if (std::any_of(groups.begin(), groups.end(), is_of_accounts) && std::any_of(groups.begin(), groups.end(), of_others))
        fields.problem("groups", "names groups of service accounts and of others, and nobody is in both");
    return groups;
}

// Which proofs such an identity can have, the strongest first.
std::vector<std::string_view> proofs_of(const WriterIdentity& identity) {
    if (identity.who && identity.who->kind == Subject::Kind::service_account) return {"pod-bound", "token", "impersonated"};
    if (identity.who) return {"certificate", "impersonated"};
    const bool of_accounts = std::any_of(identity.groups.begin(), identity.groups.end(), is_of_accounts);
    if (of_accounts) return {"pod-bound", "token"};
    return {"certificate"};
}

void decode_assurance(Mapping& fields, WriterIdentity& identity, bool is_somebody) {
    const kube::Node* node =
        fields.required("assurance", "the least proof that is accepted: pod-bound, token, certificate or impersonated");
    if (!node) return;
    constexpr std::array kProofs{Assurance::pod_bound, Assurance::token, Assurance::certificate, Assurance::impersonated};
    const auto index = one_of(*node, fields.name_of("assurance"), {"pod-bound", "token", "certificate", "impersonated"}, fields.problems());
    if (!index) return;
    identity.assurance = kProofs[*index];
    if (!is_somebody) return;
    const auto proofs = proofs_of(identity);
    if (std::find(proofs.begin(), proofs.end(), node->text()) == proofs.end()) {
        const std::string_view why = identity.assurance == Assurance::impersonated
                                         ? "is accepted of one account or user by name, never of a group"
                                         : "is a proof that such an identity never has, so that nobody would pass";
        fields.problem("assurance", fmt::format("\"{}\" {}; expected one of: {}", node->text(), why, fmt::join(proofs, ", ")));
        return;
    }
    if (identity.assurance != Assurance::impersonated) return;
    const Subject& who = *identity.who;
    if (has_star(who.name.text()) || (who.namespace_name && has_star(who.namespace_name->text())))
        fields.problem("assurance",
                       fmt::format("\"impersonated\" is accepted of one name only, and \"{}\" is a pattern; whoever may impersonate "
                                   "could choose any name that it matches",
                                   username_of(identity)));
}

Permission decode_permission(const kube::Node& item, const std::string& what, bool impersonated, Problems& problems) {
    Mapping fields(item, what, problems);
    Permission permission;
    permission.rule = decode_resource_rule(fields);
    refuse_empty_list(fields, "apiVersions", "would be any version; leave it out to mean any");
    permission.namespaces = decode_globs(fields, "namespaces");
    refuse_empty_list(fields, "namespaces", "would be any namespace; leave it out to mean any");
    if (impersonated && item.kind() == kube::Node::Kind::mapping && !fields.field("namespaces")) {
        fields.problem("namespaces",
                       "is missing: what is impersonated cannot be told from a look-alike, so it must be said where it may "
                       "write ([\"*\"] is everywhere)");
    }
    permission.owned = decode_boolean(fields, "owned").value_or(false);
    permission.bound_to_pod = decode_boolean(fields, "boundToPod").value_or(false);
    const std::vector<std::string> tokens{"serviceaccounts/token"};
    if (permission.bound_to_pod && permission.rule.resources != tokens && !permission.rule.resources.empty())
        fields.problem("boundToPod", "is about serviceaccounts/token alone; give other resources an entry of their own");
    fields.finish();
    return permission;
}

WriterIdentity decode_identity(const kube::Node& item, const std::string& what, Problems& problems) {
    Mapping fields(item, what, problems);
    WriterIdentity identity;
    const std::size_t before = problems.count();
    const kube::Node* account = fields.field("serviceAccount");
    const kube::Node* user = fields.field("user");
    const kube::Node* groups = fields.field("groups");
    const bool one_way = account ? !user && !groups : user || groups;
    if (!one_way && item.kind() == kube::Node::Kind::mapping) {
        problems.add(Errc::invalid_policy, item.position(),
                     fmt::format("{}: expected exactly one of serviceAccount, user, groups; only a user may have groups beside it", what));
    }
    if (account) identity.who = decode_account(*account, fields.name_of("serviceAccount"), problems);
    if (user) identity.who = decode_user(fields);
    if (groups) identity.groups = decode_groups(fields, user != nullptr);
    decode_assurance(fields, identity, problems.count() == before);
    fields.required("may", "a list of what it may write");
    fields.each("may", [&](const kube::Node& permission, const std::string& which) {
        identity.may.push_back(decode_permission(permission, which, identity.assurance == Assurance::impersonated, problems));
    });
    refuse_empty_list(fields, "may", "would let it write nothing");
    fields.finish();
    return identity;
}

}  // namespace

WriterProfile decode_writer_profile(const kube::Node& root, Problems& problems) {
    WriterProfile profile;
    Mapping document(root, "WriterProfile", problems);
    profile.name = decode_head(document, problems);
    if (find_built_in_writers(profile.name) || is_planned_writer(profile.name)) {
        problems.add(Errc::invalid_policy, root.find("metadata")->find("name")->position(),
                     fmt::format("metadata.name: {} is a built-in profile; take another name, so that nobody mistakes one for the other",
                                 kube::quoted(profile.name)));
    }
    const kube::Node* spec = document.required("spec", "a mapping with identities");
    document.finish();
    if (!spec) return profile;
    Mapping fields(*spec, "spec", problems);
    fields.required("identities", "a list of who may write, and what");
    fields.each("identities", [&](const kube::Node& item, const std::string& what) {
        profile.identities.push_back(decode_identity(item, what, problems));
    });
    refuse_empty_list(fields, "identities", "would be nobody");
    fields.finish();
    return profile;
}

}  // namespace fluxgate::policy
