#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/messages.hpp"
#include "cli/output/text.hpp"
#include "cli/policies.hpp"
#include "kube/manifest.hpp"
#include "policy/lock/signed_grants.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "grant status";

using nlohmann::ordered_json;

struct Flags {
    std::string policies;
    std::vector<std::string> config_maps;
    std::string format = "table";
    std::string time;
    std::string cluster;
};

constexpr std::string_view kOpensNoLock = "opens no lock";
constexpr std::string_view kOtherCluster = "for another cluster";

struct Row {
    std::string name;
    std::string state;  // "active", "begins …", "ended", "ended before its time", "opens no lock", "for another cluster"
    std::vector<std::string> who;
    std::vector<std::string> namespaces;
    std::vector<std::string> names;  // empty: any
    std::vector<std::string> what;   // "UPDATE deployments.apps, deployments.apps/scale"
    std::string cluster;             // empty: any
    std::string from;
    std::string until;
    std::optional<std::uint64_t> max_uses;
    std::string approved_by;
    std::string vouched_by;
    std::string ticket;
    bool useless;  // nobody can use it, now or later, though somebody offers it
};

std::string text_of(const policy::Subject& subject) {
    return subject.namespace_name ? subject.namespace_name->text() + "/" + subject.name.text() : subject.name.text();
}

template <class List, class F>
std::vector<std::string> texts(const List& list, F&& text) {
    std::vector<std::string> parts;
    for (const auto& item : list) parts.push_back(text(item));
    return parts;
}

std::string joined(const std::vector<std::string>& parts, std::string_view between = ", ") {
    return fmt::format("{}", fmt::join(parts, between));
}

// As denials and `grant new --resource` name it: "deployments.apps/scale".
std::string resource_name(const std::string& group, const std::string& resource) {
    const std::size_t slash = std::min(resource.find('/'), resource.size());
    return group.empty() ? resource : resource.substr(0, slash) + "." + group + resource.substr(slash);
}

std::string text_of(const policy::ResourceRule& rule) {
    std::vector<std::string> operations;
    for (const auto operation : {kube::Operation::create, kube::Operation::update, kube::Operation::remove, kube::Operation::connect}) {
        if (rule.operations.has(operation)) operations.emplace_back(kube::to_string(operation));
    }
    std::vector<std::string> resources;
    for (const std::string& group : rule.api_groups) {
        for (const std::string& resource : rule.resources) resources.push_back(resource_name(group, resource));
    }
    return joined(operations, "/") + " " + joined(resources);
}

bool opens_any_lock(const policy::Grant& grant, const policy::PolicySet& set) {
    return std::any_of(set.policies.begin(), set.policies.end(), [&](const policy::Policy& policy) {
        return std::any_of(policy.rules.begin(), policy.rules.end(), [&](const policy::Rule& rule) {
            const auto* lock = std::get_if<policy::LockRule>(&rule.body);
            return lock && lock->break_glass && accepts(*lock->break_glass, grant);
        });
    });
}

// What grants are judged by.
struct Question {
    const policy::PolicySet& set;
    const policy::SignedGrants& offered;
    WallTime now;
    std::string_view cluster;  // empty: whichever
};

std::string state_of(const policy::Grant& grant, const Question& question) {
    if (question.now >= grant.expires_at) return "ended";
    if (question.offered.is_revoked(grant)) return "ended before its time";
    if (!question.cluster.empty() && !is_for_this_cluster(grant, {.cluster_name = question.cluster})) return std::string(kOtherCluster);
    if (!opens_any_lock(grant, question.set)) return std::string(kOpensNoLock);
    return question.now < grant.not_before ? "begins " + policy::format_moment(grant.not_before) : "active";
}

Row row_of(const policy::Grant& grant, const Question& question) {
    const auto glob = [](const policy::Glob& pattern) { return pattern.text(); };
    const std::string state = state_of(grant, question);
    const bool from_git = grant.signed_by.empty();
    return {.name = grant.name,
            .state = state,
            .who = texts(grant.subjects, [](const policy::Subject& subject) { return text_of(subject); }),
            .namespaces = texts(grant.match.namespaces, glob),
            .names = texts(grant.match.names, glob),
            .what = texts(grant.match.resource_rules, [](const policy::ResourceRule& rule) { return text_of(rule); }),
            .cluster = grant.cluster,
            .from = policy::format_moment(grant.not_before),
            .until = policy::format_moment(grant.expires_at),
            .max_uses = grant.max_uses,
            .approved_by = grant.approved_by,
            .vouched_by = from_git ? "git" : grant.approved_by,
            .ticket = grant.ticket,
            // Clusters may share a folder in Git.
            .useless = state == kOpensNoLock || (state == kOtherCluster && !from_git)};
}

// A revocation may outlive the file of its grant. One that misses a grant of its name was made of another text.
enum class Effect : std::uint8_t { ends_it, no_such_grant, misses_it };

Effect effect_of(const policy::Revocation& revocation, const Question& question) {
    Effect effect = Effect::no_such_grant;
    for (const auto* list : {&question.set.grants, &question.offered.grants}) {
        for (const policy::Grant& grant : *list) {
            if (ends(revocation, grant)) return Effect::ends_it;
            const bool open = question.now < grant.expires_at && !question.offered.is_revoked(grant);
            if (open && grant.name == revocation.name) effect = Effect::misses_it;
        }
    }
    return effect;
}

std::string_view to_string(Effect effect) {
    switch (effect) {
        case Effect::ends_it: return "ended before its time";
        case Effect::no_such_grant: return "ended before its time; the grant is not here";
        case Effect::misses_it: return "a revocation that ends nothing: the grant of that name says something else";
    }
    return {};
}

std::string text_at(const kube::Node& object, std::string_view key) {
    const kube::Node* value = object.find(key);
    return value ? value->text() : std::string();
}

// A ConfigMap, or the List of them that kubectl prints.
Result<void> read_offers(const std::string& path, std::vector<policy::OfferedGrant>& offers) {
    const auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    const kube::ReadResult read = kube::read_manifests(*text, Limits{});
    if (!read.problems.empty()) {
        const kube::ReadProblem& problem = read.problems.front();
        return fail(problem.code, problem.message, fmt::format("{}:{}:{}", path, problem.position.line, problem.position.column));
    }
    const auto no_config_map = [&](const kube::Node& node) {
        const kube::Position at = node.position();
        return fail(Errc::invalid_argument, "expected a ConfigMap, or kubectl's list of them",
                    fmt::format("{}:{}:{}", path, at.line, at.column));
    };
    if (read.documents.empty())
        return fail(Errc::invalid_argument, "expected a ConfigMap, or kubectl's list of them; the file is empty", path);
    const auto take = [&](const kube::Node& object) {
        const auto text_in = [&](std::string_view parent, std::string_view key) {
            const kube::Node* node = object.find(parent);
            return node ? text_at(*node, key) : std::string();
        };
        offers.push_back({text_in("metadata", "name"), text_in("data", "grant"), text_in("data", "revocation")});
    };
    for (const kube::Document& document : read.documents) {
        const kube::Node& root = document.root;
        const std::string kind = text_at(root, "kind");
        const kube::Node* items = root.find("items");
        if (kind == "ConfigMap") {
            take(root);
            continue;
        }
        if ((kind != "List" && kind != "ConfigMapList") || !items || items->kind() != kube::Node::Kind::sequence)
            return no_config_map(root);
        for (const kube::Node& item : items->items()) {
            const bool unnamed = kind == "ConfigMapList" && !item.find("kind");  // as the API server lists them
            if (!unnamed && text_at(item, "kind") != "ConfigMap") return no_config_map(item);
            take(item);
        }
    }
    return {};
}

void print_table(const std::vector<Row>& rows, const Question& question) {
    if (rows.empty()) fmt::print("No grants.\n");
    for (const Row& row : rows) {
        fmt::print("{}  {}\n    {} may {}{} in {}{}\n    from {} until {}{}\n    ticket {}, approved by {}, vouched for by {}\n",
                   visible(row.name), row.state, visible(joined(row.who)), visible(joined(row.what, "; ")),
                   row.names.empty() ? "" : " named " + visible(joined(row.names)), visible(joined(row.namespaces)),
                   row.cluster.empty() ? "" : " of cluster " + visible(row.cluster), row.from, row.until,
                   row.max_uses ? fmt::format(", at most {} times with each replica", *row.max_uses) : "", visible(row.ticket),
                   visible(row.approved_by), visible(row.vouched_by));
    }
    for (const policy::Revocation& revocation : question.offered.revocations)
        fmt::print("{}  {} ({})\n", visible(revocation.name), to_string(effect_of(revocation, question)), revocation.digest);
    for (const std::string& problem : question.offered.problems) fmt::print("not valid: {}\n", visible(problem));
}

void print_json(const std::vector<Row>& rows, const Question& question) {
    ordered_json grants = ordered_json::array();
    for (const Row& row : rows) {
        grants.push_back({{"name", row.name},
                          {"state", row.state},
                          {"who", row.who},
                          {"what", row.what},
                          {"namespaces", row.namespaces},
                          {"names", row.names},
                          {"cluster", row.cluster},
                          {"from", row.from},
                          {"until", row.until},
                          {"ticket", row.ticket},
                          {"approvedBy", row.approved_by},
                          {"vouchedBy", row.vouched_by}});
        if (row.max_uses) grants.back()["maxUses"] = *row.max_uses;
    }
    ordered_json ended = ordered_json::array();
    for (const policy::Revocation& revocation : question.offered.revocations) {
        ended.push_back({{"name", revocation.name},
                         {"digest", revocation.digest},
                         {"endsSomething", effect_of(revocation, question) == Effect::ends_it}});
    }
    const ordered_json out{{"grants", std::move(grants)}, {"revocations", std::move(ended)}, {"problems", question.offered.problems}};
    fmt::print("{}\n", out.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

int run_status(const Flags& flags) {
    WallTime now = SystemClock().now();
    if (!flags.time.empty()) {
        const auto time = parse_rfc3339(flags.time);
        if (!time) return refuse(kCommand, "--time: " + time.error().message);
        now = *time;
    }
    policy::PolicyFolder folder(flags.policies, {.namespace_labels = true});
    const auto set = load_policies(folder, kCommand);
    if (!set) return kCouldNotEvaluate;
    std::vector<policy::OfferedGrant> offers;
    for (const std::string& path : flags.config_maps) {
        if (auto read = read_offers(path, offers); !read) return refuse(kCommand, to_string(read.error()));
    }
    const policy::SignedGrants offered = policy::SignedGrants::read(offers, *set, Limits{});
    const Question question{*set, offered, now, flags.cluster};
    std::vector<Row> rows;
    for (const auto* list : {&set->grants, &offered.grants}) {
        for (const policy::Grant& grant : *list) rows.push_back(row_of(grant, question));
    }
    (flags.format == "json" ? print_json : print_table)(rows, question);
    const bool useless = std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.useless; });
    const bool missed = std::any_of(offered.revocations.begin(), offered.revocations.end(), [&](const policy::Revocation& revocation) {
        return effect_of(revocation, question) == Effect::misses_it;
    });
    return useless || missed || !offered.problems.empty() ? kFindings : kClean;
}

}  // namespace

void add_grant_status(CLI::App& grant, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = grant.add_subcommand("status", "list grants: who, what, where, until when, and why one is not valid");
    command->add_option("--policies", flags->policies, "the policy folder")->required()->type_name("DIR");
    command->add_option("--config-map", flags->config_maps, "a ConfigMap of a signed grant, or kubectl's list of them; again for more")
        ->allow_extra_args(false)
        ->take_all()
        ->type_name("FILE");
    command->add_option("-o,--output", flags->format, "how")->check(CLI::IsMember({"table", "json"}))->capture_default_str();
    command->add_option("--time", flags->time, "as if it were that time; now when left out")->type_name("TIME");
    command->add_option("--cluster", flags->cluster, "as that cluster judges it: what `serve --cluster-name` says")->type_name("NAME");
    command->footer(
        "Exits 0; 1 if a grant opens no lock, is signed for another cluster or is not valid, or a revocation misses the grant of its "
        "name;\n"
        "2 if the policies or a file cannot be read.\n\n"
        "  kubectl get configmaps -n fluxgate-system -l fluxgate.dev/grant=true -o yaml > grants.yaml\n"
        "  fluxgate grant status --policies policies --config-map grants.yaml");
    command->callback([flags, &run] { run = [flags] { return run_status(*flags); }; });
}

}  // namespace fluxgate::cli
