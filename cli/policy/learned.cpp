#include "cli/policy/learned.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "audit/record.hpp"
#include "audit/stored_records.hpp"
#include "cli/output/result_json.hpp"
#include "kube/path.hpp"
#include "policy/lock/writers_text.hpp"

namespace fluxgate::cli {

namespace {

using kube::Operation;
using nlohmann::ordered_json;
using policy::Assurance;
using policy::Operations;

constexpr std::string_view kAccount = "system:serviceaccount:";
constexpr std::array kOperations{Operation::create, Operation::update, Operation::remove, Operation::connect};

std::optional<Operation> operation_of(std::string_view text) {
    const auto* found = std::find_if(kOperations.begin(), kOperations.end(), [&](Operation one) { return kube::to_string(one) == text; });
    return found == kOperations.end() ? std::nullopt : std::optional(*found);
}

// Proofs that are learned: see is_no_person in policy/lock/lock.hpp.
std::optional<Assurance> proof_of(const std::string& username, std::string_view text) {
    const bool account = username.starts_with(kAccount);
    for (const Assurance proof : {Assurance::token, Assurance::pod_bound, Assurance::certificate}) {
        if (to_string(proof) == text && (proof == Assurance::certificate) != account) return proof;
    }
    return std::nullopt;
}

// What the names of API groups, resources and namespaces are made of; '*' would be a pattern.
bool is_plain_name(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

bool same(Operations left, Operations right) {
    return std::all_of(kOperations.begin(), kOperations.end(), [&](Operation one) { return left.has(one) == right.has(one); });
}

std::optional<policy::Subject> subject_of(const std::string& username) {
    using policy::Glob;
    if (username.find('*') != std::string::npos) return std::nullopt;
    if (!username.starts_with(kAccount)) {
        auto name = Glob::compile(username, Glob::Alphabet::identities);
        if (!name) return std::nullopt;
        return policy::Subject{policy::Subject::Kind::user, *std::move(name), std::nullopt};
    }
    const std::string account = username.substr(kAccount.size());
    const std::size_t colon = account.find(':');
    if (colon == std::string::npos) return std::nullopt;
    auto space = Glob::compile(account.substr(0, colon));
    auto name = Glob::compile(account.substr(colon + 1));
    if (!space || !name || !is_plain_name(space->text()) || !is_plain_name(name->text())) return std::nullopt;
    return policy::Subject{policy::Subject::Kind::service_account, *std::move(name), *std::move(space)};
}

// Resources with the same operations stand together, then namespaces with the same resources.
std::vector<policy::Permission> permissions_of(const LearnedIdentity& identity) {
    std::vector<policy::Permission> list;
    for (const auto& [place, resources] : identity.resources) {
        const auto& [group, space] = place;
        std::vector<policy::ResourceRule> rules;
        for (const auto& [resource, operations] : resources) {
            const auto with = std::find_if(rules.begin(), rules.end(), [&](const auto& rule) { return same(rule.operations, operations); });
            if (with != rules.end())
                with->resources.push_back(resource);
            else
                rules.push_back({{group}, {}, {resource}, operations});
        }
        for (policy::ResourceRule& rule : rules) {
            const auto twin = std::find_if(list.begin(), list.end(), [&](const policy::Permission& one) {
                return !space.empty() && !one.namespaces.empty() && one.rule.api_groups == rule.api_groups &&
                       one.rule.resources == rule.resources && same(one.rule.operations, rule.operations);
            });
            // Absent on what is in no namespace: such a resource never is in one.
            std::vector<policy::Glob> namespaces;
            if (!space.empty()) namespaces.push_back(*policy::Glob::compile(space));
            if (twin != list.end())
                twin->namespaces.push_back(namespaces.front());
            else
                list.push_back({.rule = std::move(rule), .namespaces = std::move(namespaces)});
        }
    }
    return list;
}

// "learned-ci", of at most the 63 characters that a name may have, and not one that is taken.
std::string new_name(std::string_view of, std::set<std::string>& taken) {
    constexpr std::size_t kNameBytesMax = 60;
    const std::string stem = fmt::format("learned-{}", of).substr(0, kNameBytesMax);
    std::string name = stem;
    while (name.ends_with('-') || name.ends_with('.')) name.pop_back();
    for (int number = 2; !taken.insert(name).second; ++number) name = fmt::format("{}-{}", stem, number);
    return name;
}

struct NamedLock {
    std::string name;  // "production/only-git"
    const policy::LockRule* lock;
};

std::vector<NamedLock> learning_locks(const policy::PolicySet* set) {
    std::vector<NamedLock> locks;
    if (!set) return locks;
    for (const policy::Policy& policy : set->policies) {
        for (const policy::Rule& rule : policy.rules) {
            const auto* lock = std::get_if<policy::LockRule>(&rule.body);
            if (lock && lock->learn_until) locks.push_back({policy.name + "/" + rule.name, lock});
        }
    }
    return locks;
}

std::vector<std::string> names_of(const std::vector<WriterProposal>& proposals) {
    std::vector<std::string> names;
    for (const WriterProposal& proposal : proposals) names.push_back(proposal.profile.name);
    return names;
}

// The line of a lock as it should be. Accounts of aks-flux and the like are known to the policy file alone.
std::string writers_line(const policy::LockRule& lock, const std::vector<std::string>& added) {
    std::vector<std::string> names;
    for (const auto& profile : lock.writers) {
        if (profile->accounts != policy::WriterProfile::Accounts::none) return fmt::format("add to writers: {}", fmt::join(added, ", "));
        names.push_back(profile->name);
    }
    names.insert(names.end(), added.begin(), added.end());
    return fmt::format("writers: [{}]", fmt::join(names, ", "));
}

}  // namespace

Result<LearnedWriters> LearnedWriters::read(const std::filesystem::path& directory) {
    LearnedWriters learned;
    const auto read = audit::each_record(directory, {}, [&](const audit::StoredRecord& stored) -> Result<bool> {
        auto added = learned.add(stored.text);
        if (!added) return fail(added.error().code, added.error().message, stored.where());
        return true;
    });
    if (!read) return tl::unexpected(read.error());
    return learned;
}

Result<void> LearnedWriters::add(std::string_view text) {
    // As `encode` writes it; most records of a log need not be parsed.
    if (text.find("\"learned\":true") == std::string_view::npos) return {};
    const auto parsed = audit::parse_record(text);
    if (!parsed) return tl::unexpected(parsed.error());
    const audit::Record& record = *parsed;
    if (!record.learned || record.decision != "allowed") return {};

    const auto proof = proof_of(record.username, record.assurance);
    const auto operation = operation_of(record.operation);
    const bool plain = is_plain_name(record.group) && is_plain_name(record.namespace_name) && is_plain_name(record.resource) &&
                       is_plain_name(record.sub_resource);
    if (record.truncated || !proof || !operation || !plain || record.resource.empty() || !subject_of(record.username)) {
        ++left_out_;
        return {};
    }
    const std::string time = format_rfc3339(record.time);
    LearnedIdentity& identity = identities_[record.username];
    identity.least = identity.writes == 0 ? *proof : std::min(identity.least, *proof);
    if (identity.writes == 0 || time < identity.first) identity.first = time;
    identity.last = std::max(identity.last, time);
    ++identity.writes;
    const std::string resource = record.sub_resource.empty() ? record.resource : record.resource + "/" + record.sub_resource;
    Operations& seen = identity.resources[{record.group, record.namespace_name}][resource];
    seen = seen.with(*operation);
    return {};
}

std::vector<WriterProposal> LearnedWriters::propose(const policy::PolicySet* set) const {
    std::set<std::string> taken;
    if (set) {
        for (const auto& profile : set->writers) taken.insert(profile->name);
    }
    std::map<std::string, WriterProposal> by_space;  // "" of users
    for (const auto& [username, identity] : identities_) {
        auto who = subject_of(username);
        WriterProposal& proposal = by_space[who->namespace_name ? who->namespace_name->text() : ""];
        proposal.comments.push_back(fmt::format("{}: {} write{}, {} to {}", kube::quoted(username), identity.writes,
                                                identity.writes == 1 ? "" : "s", identity.first, identity.last));
        proposal.profile.identities.push_back({.who = std::move(who), .assurance = identity.least, .may = permissions_of(identity)});
    }
    std::vector<WriterProposal> proposals;
    for (auto& [space, proposal] : by_space) {
        proposal.profile.name = new_name(space.empty() ? "users" : space, taken);
        proposals.push_back(std::move(proposal));
    }
    return proposals;
}

std::string to_text(const std::vector<WriterProposal>& proposals, const LearnedWriters& learned, const policy::PolicySet* set) {
    std::string text;
    std::string_view between;
    for (const WriterProposal& proposal : proposals) {
        text += between;
        for (const std::string& comment : proposal.comments) text += fmt::format("# {}\n", comment);
        text += policy::to_yaml(proposal.profile);
        between = "---\n";
    }
    if (proposals.empty()) text += "# Nothing was learned: no record says that a write passed only because a lock learns.\n";
    if (learned.left_out() > 0)
        text += fmt::format("# Left out: {} learned writes whose records are cut or name what no profile can.\n", learned.left_out());
    if (proposals.empty()) return text;
    const std::vector<std::string> names = names_of(proposals);
    const std::vector<NamedLock> locks = learning_locks(set);
    if (locks.empty()) text += fmt::format("# Then, in the lock that learned, add to writers: {}\n", fmt::join(names, ", "));
    for (const NamedLock& lock : locks) text += fmt::format("# Then, in {}: {}\n", lock.name, writers_line(*lock.lock, names));
    return text;
}

std::string to_json(const std::vector<WriterProposal>& proposals, const LearnedWriters& learned, const policy::PolicySet* set) {
    ordered_json answer{{"profiles", ordered_json::array()}, {"locks", ordered_json::array()}, {"leftOut", learned.left_out()}};
    for (const WriterProposal& proposal : proposals) {
        answer["profiles"].push_back(
            {{"name", proposal.profile.name}, {"seen", proposal.comments}, {"yaml", policy::to_yaml(proposal.profile)}});
    }
    for (const NamedLock& lock : learning_locks(set)) {
        answer["locks"].push_back({{"lock", lock.name}, {"change", writers_line(*lock.lock, names_of(proposals))}});
    }
    return dump(answer) + "\n";
}

}  // namespace fluxgate::cli
