#include "policy/lock/lock.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kube/object_changes.hpp"
#include "kube/path.hpp"
#include "policy/decode_policy.hpp"
#include "policy/lock/assurance.hpp"
#include "policy/lock/denials.hpp"
#include "policy/lock/field_lock.hpp"
#include "policy/lock/subresources.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

std::string names_of(const WriterProfiles& writers) {
    std::vector<std::string_view> names;
    for (const auto& profile : writers) names.push_back(profile->name);
    return fmt::format("{}", fmt::join(names, " or "));
}

// Would it be covered in another namespace?
bool covered_elsewhere(const WriterIdentity& identity, const kube::Review& review) {
    return std::any_of(identity.may.begin(), identity.may.end(), [&](Permission permission) {
        permission.namespaces.clear();
        return permission.covers(review);
    });
}

bool is_account_name(std::string_view text, std::size_t bytes_max, bool dots) {
    return !text.empty() && text.size() <= bytes_max && text.front() != '-' && text.back() != '-' &&
           std::all_of(text.begin(), text.end(),
                       [&](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (dots && c == '.'); });
}

// A lock is asked on every request, writer by writer.
constexpr std::size_t kWritersMax = 100;
constexpr std::size_t kAccountsMax = 1'000;

std::vector<WriterAccount> decode_accounts(Mapping& fields) {
    std::vector<WriterAccount> accounts;
    fields.required("serviceAccounts", "a list such as [cluster-config/flux-applier]");
    if (refuse_longer_list(fields, "serviceAccounts", kAccountsMax)) return accounts;
    fields.each("serviceAccounts", [&](const kube::Node& item, const std::string& what) {
        const std::string_view text = item.text();
        const std::size_t slash = std::min(text.find('/'), text.size());
        const std::string_view name = text.substr(std::min(slash + 1, text.size()));
        WriterAccount account{std::string(text.substr(0, slash)), std::string(name)};
        if (item.kind() != kube::Node::Kind::string)
            fields.problems().add(Errc::wrong_type, item.position(),
                                  fmt::format("{}: expected a string, have {}", what, kube::describe(item.kind())));
        else if (!is_account_name(account.namespace_name, 63, false) || !is_account_name(name, 253, true))
            fields.problems().add(Errc::invalid_policy, item.position(),
                                  fmt::format("{}: \"{}\" is no NAMESPACE/NAME of a service account; patterns are not accepted here, "
                                              "because whoever may impersonate is taken for the account",
                                              what, text));
        else if (std::find(accounts.begin(), accounts.end(), account) != accounts.end())
            fields.problems().add(Errc::invalid_policy, item.position(), fmt::format("{}: names {} again", what, text));
        else
            accounts.push_back(std::move(account));
    });
    const kube::Node* list = fields.field("serviceAccounts");
    if (list && list->kind() == kube::Node::Kind::sequence && list->items().empty()) fields.problem("serviceAccounts", "names nobody");
    return accounts;
}

// "flux", or {name: aks-flux, serviceAccounts: [cluster-config/flux-applier]}.
void decode_writer(const kube::Node& item, const std::string& what, Problems& problems, std::vector<WriterReference>& references) {
    WriterReference reference{.file = problems.file(), .position = item.position(), .what = what};
    const bool with_accounts = item.kind() == kube::Node::Kind::mapping;
    if (with_accounts) {
        Mapping fields(item, what, problems);
        const std::size_t before = problems.count();
        reference.name = fields.required_string("name");
        reference.accounts = decode_accounts(fields);
        fields.finish();
        if (problems.count() > before) return;
    } else if (item.kind() == kube::Node::Kind::string) {
        reference.name = item.text();
    } else {
        problems.add(Errc::wrong_type, item.position(),
                     fmt::format("{}: expected the name of a writer profile, have {}", what, kube::describe(item.kind())));
        return;
    }
    const auto refuse = [&](Errc code, std::string_view message) {
        problems.add(code, item.position(), fmt::format("{}: {}", what, message));
    };
    const std::string& name = reference.name;
    const WriterProfile* built_in = find_built_in_writers(name);
    const bool takes_accounts = built_in && built_in->accounts != WriterProfile::Accounts::none;
    if (is_planned_writer(name))
        refuse(Errc::not_implemented, fmt::format("the writer profile {} is not implemented in this version of Fluxgate", name));
    else if (takes_accounts && !with_accounts)
        refuse(Errc::invalid_policy,
               fmt::format("{} needs the accounts that Flux impersonates: {{name: {}, serviceAccounts: [cluster-config/flux-applier]}}",
                           name, name));
    else if (with_accounts && !takes_accounts)
        refuse(Errc::invalid_policy, fmt::format("{} takes no accounts; aks-flux and flux-multitenant do", kube::quoted(name)));
    else
        references.push_back(std::move(reference));
}

}  // namespace

LockRule LockRule::decode(Mapping& fields) {
    LockRule rule;
    fields.required("writers", "a list of writer profiles such as [flux, kubernetes]");
    if (!refuse_longer_list(fields, "writers", kWritersMax)) {
        fields.each("writers", [&](const kube::Node& item, const std::string& what) {
            decode_writer(item, what, fields.problems(), rule.references);
        });
    }
    const kube::Node* writers = fields.field("writers");
    if (writers && writers->kind() == kube::Node::Kind::sequence && writers->items().empty()) {
        fields.problem("writers", "must name at least one profile: a lock without writers stops every change");
    }
    const kube::Node* scope = fields.field("scope");
    const bool by_fields = scope && one_of(*scope, fields.name_of("scope"), {"object", "fields"}, fields.problems()) == 1;
    if (by_fields) rule.fields.emplace();
    if (const kube::Node* additions = fields.field("additions")) {
        Mapping mapping(*additions, fields.name_of("additions"), fields.problems());
        Additions decoded = Additions::decode(mapping);
        if (!by_fields) fields.problem("additions", "additions need scope: fields; with scope: object every change is refused");
        rule.fields = std::move(decoded);
    }
    rule.learn_until = decode_time(fields, "learnUntil");
    rule.allowances = decode_allowances(fields);
    if (const kube::Node* break_glass = fields.field("breakGlass")) {
        Mapping mapping(*break_glass, fields.name_of("breakGlass"), fields.problems());
        rule.break_glass = BreakGlassTerms::decode(mapping);
    }
    fields.finish();
    return rule;
}

WriterMatch find_writer(const WriterProfiles& writers, const kube::Review& review, Assurance assurance,
                        bool (*also)(const Permission&, const kube::Review&)) {
    for (const auto& profile : writers) {
        for (const WriterIdentity& identity : profile->identities) {
            if (!identity.is(review.user) || !satisfies(assurance, identity.assurance)) continue;
            const bool covered = std::any_of(identity.may.begin(), identity.may.end(), [&](const Permission& permission) {
                return permission.covers(review) && (!also || also(permission, review));
            });
            if (covered) return {profile.get(), &identity};
        }
    }
    return {};
}

std::string why_no_writer(const WriterProfiles& writers, const kube::Review& review, Assurance assurance) {
    for (const auto& profile : writers) {
        for (const WriterIdentity& identity : profile->identities) {
            if (!identity.is(review.user)) continue;
            if (!satisfies(assurance, identity.assurance)) {
                return fmt::format("proof \"{}\", {} needs \"{}\"", to_string(assurance), profile->name, to_string(identity.assurance));
            }
            const std::string where = !covered_elsewhere(identity, review) ? std::string()
                                      : review.namespace_name.empty()      ? std::string(" outside of namespaces")
                                                                           : fmt::format(" in {}", review.namespace_name);
            return fmt::format("{} may not {} {}{}", profile->name, kube::to_string(review.operation), review.resource_name(), where);
        }
    }
    return "no writer";
}

WriterMatch LockRule::find_writer(const kube::Review& review, Assurance assurance) const {
    return policy::find_writer(writers, review, assurance);
}

void LockRule::refuse(const kube::Review& review, Assurance assurance, const Limits& limits, Findings& findings) const {
    FieldFindings found;
    std::string_view why_whole;
    if (fields) {
        found = judge_fields(review, *fields, limits, kChangesMax);
        why_whole = found.locked_whole;
        const bool additions_pass = fields->warn || found.additions.empty();
        if (why_whole.empty() && found.refused.empty() && additions_pass) {
            if (!found.additions.empty()) findings.only_warn();
            return add_changes(findings, std::move(found.additions));
        }
    }
    const std::string locked = why_whole.empty() ? "" : fmt::format("; locked as a whole: {}", why_whole);
    findings.add(".",
                 fmt::format("{} by {} ({}{})", kube::to_string(review.operation), name_of_caller(review.user),
                             why_no_writer(writers, review, assurance), locked),
                 "a writer: " + names_of(writers));
    if (review.operation != kube::Operation::update) return;
    if (!fields || !why_whole.empty())
        return add_changes(findings, kube::find_changes(review.old_object, review.object, review.kind.kind, kChangesMax));
    add_changes(findings, std::move(found.refused));
    if (!fields->warn) add_changes(findings, std::move(found.additions));
}

bool could_be_a_look_alike(const WriterMatch& match, Assurance assurance) {
    return match && assurance == Assurance::impersonated && !match.identity->set_right_again;
}

bool is_no_person(const kube::UserInfo& user, Assurance assurance) {
    if (user.in_group("system:masters") || user.username == "system:admin") return false;
    if (user.username.starts_with("system:serviceaccount:")) return satisfies(assurance, Assurance::token);
    return user.username.starts_with("system:") && assurance == Assurance::certificate;
}

bool finishes_a_delete(const kube::Review& review) {
    return review.operation == kube::Operation::remove && review.sub_resource.empty() &&
           review.old_object["metadata"]["deletionTimestamp"].is_string();
}

bool dry_run_stores_nothing(const kube::Review& review) {
    if (review.operation == kube::Operation::connect) return false;
    const SubResource* const known = find_sub_resource(review.sub_resource);
    return review.sub_resource.empty() || (known && known->dry_run_stores_nothing);
}

}  // namespace fluxgate::policy
