#include "policy/lock/escape.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "policy/lock/assurance.hpp"
#include "policy/lock/escape_request.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

namespace {

bool can_deny(const Policy& policy) {
    return policy.actions.deny || std::any_of(policy.namespace_actions.begin(), policy.namespace_actions.end(),
                                              [](const NamespaceActions& entry) { return entry.actions.deny; });
}

bool denies_by(const Policy& policy, WallTime now) { return !policy.enforce_from || now >= *policy.enforce_from; }

bool is_exact(const Glob& glob) { return glob.text().find('*') == std::string::npos; }

bool is_profile_of_flux(std::string_view name) {
    constexpr std::array<std::string_view, 4> kProfiles{"flux", "flux-multitenant", "aks-flux", "flux-operator"};
    return std::find(kProfiles.begin(), kProfiles.end(), name) != kProfiles.end();
}

// Who may get a certificate in the name of a user that a pattern of stars alone means, needs the groups.
void add_users(EscapeGuard& guard, const WriterIdentity& identity) {
    const bool is_anybody = !identity.who || identity.who->name.text().find_first_not_of('*') == std::string::npos;
    if (!is_anybody) return guard.users.push_back(identity.who->name.text());
    guard.users.insert(guard.users.end(), identity.groups.begin(), identity.groups.end());
}

// Every service account is in the group of its namespace, and in no other of these.
std::optional<Subject> accounts_of_group(std::string_view group) {
    constexpr std::string_view kPrefix = "system:serviceaccounts:";
    if (!group.starts_with(kPrefix)) return std::nullopt;
    auto any = Glob::compile("*", Glob::Alphabet::identities);
    auto in = Glob::compile(group.substr(kPrefix.size()), Glob::Alphabet::identities);
    if (!any || !in) return std::nullopt;
    return Subject{Subject::Kind::service_account, *std::move(any), *std::move(in)};
}

// f(const Subject&) for each service account that the identity is, by name or by pattern.
template <class F>
void each_account(const WriterIdentity& identity, F&& f) {
    if (identity.who && identity.who->namespace_name) return f(*identity.who);
    for (const std::string& group : identity.groups) {
        if (const auto accounts = accounts_of_group(group)) f(*accounts);
    }
}

void add_identities(EscapeGuard& guard, const WriterProfile& profile) {
    for (const WriterIdentity& identity : profile.identities) {
        each_account(identity, [&](const Subject& account) {
            guard.accounts.add(account);
            if (identity.assurance != Assurance::pod_bound) return;
            guard.accounts_in_pods.add(account);
            if (is_profile_of_flux(profile.name) || account.name.text() == "kustomize-controller")
                guard.flux_namespaces.push_back(*account.namespace_name);
        });
        if (!identity.who || !identity.who->namespace_name) add_users(guard, identity);
    }
}

void add_writers(EscapeGuard& guard, const LockRule& lock) {
    for (const auto& profile : lock.writers) {
        const auto same = [&](const auto& known) { return known.get() == profile.get(); };
        if (std::any_of(guard.writers.begin(), guard.writers.end(), same)) continue;
        guard.writers.push_back(profile);
        add_identities(guard, *profile);
    }
    // A service account's names need not be listed: those are refused whosoever they are.
    for (const Allowance& allowance : lock.allowances) {
        for (const Subject& subject : allowance.subjects) {
            if (!subject.namespace_name) guard.users.push_back(subject.name.text());
        }
    }
}

Match about_namespaces(const Match& match) {
    Match copy;
    copy.namespaces = match.namespaces;
    copy.exclude_namespaces = match.exclude_namespaces;
    copy.namespace_selector = match.namespace_selector;
    return copy;
}

// Whoever patches the status of a source makes Flux apply another one, so that the right to write everything is not the right to
// write this: a permission must name the group.
bool names_group(const Permission& permission, const kube::Review& review) {
    const auto& groups = permission.rule.api_groups;
    return std::find(groups.begin(), groups.end(), review.resource.group) != groups.end();
}

WriterMatch find_writer_of(const EscapeRequest& request) {
    const kube::Review& review = request.review;
    const bool steers_what_flux_applies = is_flux_group(review.resource.group) && !review.sub_resource.empty();
    return find_writer(request.guard().writers, review, request.assurance, steers_what_flux_applies ? names_group : nullptr);
}

using Family = void (*)(const EscapeRequest&, Findings&);

// Which family has something to say about this resource, besides connections and switches.
Family family_of(const kube::GroupVersionResource& resource) {
    const std::string_view group = resource.group;
    if (group.empty()) {
        if (resource.resource == "configmaps") return judge_substitutes;
        if (resource.resource == "namespaces") return judge_namespaces;
        if (resource.resource == "secrets" || resource.resource == "serviceaccounts") return judge_accounts;
    }
    const bool is_revision = group == "apps" && resource.resource == "controllerrevisions";
    if (is_revision || kube::holds_pods(group, resource.resource)) return judge_accounts;
    if (group == "rbac.authorization.k8s.io") return judge_roles;
    if (group == "certificates.k8s.io") return judge_signing_requests;
    if (group == "apiregistration.k8s.io" || group == "apiextensions.k8s.io") return judge_api_extensions;
    return is_flux_group(group) ? judge_flux_objects : nullptr;
}

}  // namespace

void GuardedAccounts::add(const Subject& account) {
    if (is_exact(account.name) && is_exact(*account.namespace_name))
        exact_.push_back({account.namespace_name->text(), account.name.text()});
    else
        patterns_.push_back(account);
}

void GuardedAccounts::finish() {
    std::sort(exact_.begin(), exact_.end(), [](const WriterAccount& left, const WriterAccount& right) {
        return std::tie(left.namespace_name, left.name) < std::tie(right.namespace_name, right.name);
    });
    exact_.erase(std::unique(exact_.begin(), exact_.end()), exact_.end());
}

bool GuardedAccounts::has(std::string_view namespace_name, std::string_view name) const {
    const auto wanted = std::pair(namespace_name, name);
    const auto found = std::lower_bound(exact_.begin(), exact_.end(), wanted, [](const WriterAccount& account, const auto& key) {
        return std::pair<std::string_view, std::string_view>(account.namespace_name, account.name) < key;
    });
    if (found != exact_.end() && found->namespace_name == namespace_name && found->name == name) return true;
    return std::any_of(patterns_.begin(), patterns_.end(), [&](const Subject& account) {
        return account.namespace_name->matches(namespace_name) && account.name.matches(name);
    });
}

bool GuardedAccounts::has_in(std::string_view namespace_name) const {
    const auto found = std::lower_bound(exact_.begin(), exact_.end(), namespace_name,
                                        [](const WriterAccount& account, std::string_view key) { return account.namespace_name < key; });
    if (found != exact_.end() && found->namespace_name == namespace_name) return true;
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const Subject& account) { return account.namespace_name->matches(namespace_name); });
}

bool GuardedAccounts::has_named(std::string_view name) const {
    return std::any_of(exact_.begin(), exact_.end(), [&](const WriterAccount& account) { return account.name == name; }) ||
           std::any_of(patterns_.begin(), patterns_.end(), [&](const Subject& account) { return account.name.matches(name); });
}

EscapeGuard EscapeGuard::compile(const std::vector<Policy>& policies) {
    EscapeGuard guard;
    for (std::size_t i = 0; i < policies.size(); ++i) {
        if (!can_deny(policies[i])) continue;
        bool locks = false;
        for (const Rule& rule : policies[i].rules) {
            const auto* lock = std::get_if<LockRule>(&rule.body);
            if (!lock) continue;
            locks = true;
            add_writers(guard, *lock);
        }
        if (!locks) continue;
        guard.policies.push_back(i);
        guard.namespaces.push_back(about_namespaces(policies[i].match));
    }
    guard.on = !guard.policies.empty();
    const WriterProfile* const kubernetes = find_built_in_writers("kubernetes");
    const auto is_named = [&](const auto& profile) { return profile.get() == kubernetes; };
    if (std::none_of(guard.writers.begin(), guard.writers.end(), is_named)) {
        guard.writers.push_back({std::shared_ptr<const WriterProfile>(), kubernetes});  // alive for the whole program
        add_identities(guard, *kubernetes);
    }
    guard.accounts.finish();
    guard.accounts_in_pods.finish();
    return guard;
}

const EscapeGuard& EscapeRequest::guard() const { return set.escape; }

bool EscapeRequest::in_locked_namespace() const {
    const EscapeGuard& guarded = guard();
    for (std::size_t i = 0; i < guarded.policies.size(); ++i) {
        const Policy& policy = set.policies[guarded.policies[i]];
        if (policy.actions_for(review.namespace_name, context.now).deny && guarded.namespaces[i].matches(review, context)) return true;
    }
    return false;
}

bool EscapeRequest::in_guarded_namespace() const { return guard().accounts.has_in(review.namespace_name) || in_locked_namespace(); }

void EscapeRequest::refuse(Findings& findings, std::string want) const {
    findings.add(".",
                 fmt::format("{} of {} by {} ({})", kube::to_string(review.operation), review.resource_name(), name_of_caller(review.user),
                             why_no_writer(guard().writers, review, assurance)),
                 std::move(want));
}

GuardedAccounts find_named_accounts(const EscapeRequest& request) {
    GuardedAccounts accounts;
    for (const std::size_t i : request.guard().policies) {
        for (const Rule& rule : request.set.policies[i].rules) {
            const auto* const lock = std::get_if<LockRule>(&rule.body);
            if (!lock) continue;
            for (const auto& profile : lock->writers) {
                for (const WriterIdentity& identity : profile->identities)
                    each_account(identity, [&](const Subject& account) { accounts.add(account); });
            }
        }
    }
    accounts.finish();
    return accounts;
}

EscapeOutcome judge_escape(const kube::Review& review, const PolicySet& set, const Context& context, Assurance assurance, LockSaid said,
                           Findings& findings) {
    const Family family = family_of(review.resource);
    const bool connects = review.operation == kube::Operation::connect;
    if (!family && !said.enforced && !connects) return {};
    const auto denies_now = [&](std::size_t i) { return denies_by(set.policies[i], context.now); };
    if (std::none_of(set.escape.policies.begin(), set.escape.policies.end(), denies_now)) return {};

    const EscapeRequest request{review, set, context, assurance, said};
    EscapeOutcome outcome{.guarded = family == judge_flux_objects, .writer = find_writer_of(request)};
    const bool look_alike = could_be_a_look_alike(outcome.writer, assurance);
    if (outcome.writer && !look_alike) return outcome;

    // What somebody does who may be a writer passes; whether the rule has a word about it decides how it is recorded.
    Verdict would_be;
    Findings aside = findings.into(would_be);
    Findings& found = look_alike ? aside : findings;
    if (connects) {
        judge_connections(request, found);
    } else {
        if (family) family(request, found);
        if (said.enforced) judge_switches(request, found);
    }
    outcome.guarded = outcome.guarded || found.count() > 0;
    return outcome;
}

}  // namespace fluxgate::policy
