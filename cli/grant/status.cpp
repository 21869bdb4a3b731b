#include <algorithm>
#include <memory>
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

constexpr std::string_view kCommand = "fluxgate grant status";

using nlohmann::ordered_json;

struct Flags {
    std::string policies;
    std::vector<std::string> config_maps;
    std::string format = "table";
    std::string time;
};

struct Row {
    std::string name;
    std::string state;  // "active", "begins …", "ended …", "opens no lock"
    std::string who;
    std::string where;
    std::string what;
    std::string until;
    std::string approved_by;
    std::string vouched_by;
    std::string ticket;
};

std::string text_of(const policy::Subject& subject) {
    return subject.namespace_name ? subject.namespace_name->text() + "/" + subject.name.text() : subject.name.text();
}

template <class List, class F>
std::string joined(const List& list, F&& text) {
    std::vector<std::string> parts;
    for (const auto& item : list) parts.push_back(text(item));
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::string state_of(const policy::Grant& grant, const policy::PolicySet& set, WallTime now) {
    if (now >= grant.expires_at) return "ended";
    const bool opens = std::any_of(set.policies.begin(), set.policies.end(), [&](const policy::Policy& policy) {
        return std::any_of(policy.rules.begin(), policy.rules.end(), [&](const policy::Rule& rule) {
            const auto* lock = std::get_if<policy::LockRule>(&rule.body);
            return lock && lock->break_glass && accepts(*lock->break_glass, grant);
        });
    });
    if (!opens) return "opens no lock";
    return now < grant.not_before ? "begins " + policy::format_moment(grant.not_before) : "active";
}

Row row_of(const policy::Grant& grant, const policy::PolicySet& set, WallTime now) {
    const auto glob = [](const policy::Glob& pattern) { return pattern.text(); };
    const auto resources = [](const policy::ResourceRule& rule) { return fmt::format("{}", fmt::join(rule.resources, ", ")); };
    return {.name = grant.name,
            .state = state_of(grant, set, now),
            .who = joined(grant.subjects, text_of),
            .where = joined(grant.match.namespaces, glob),
            .what = joined(grant.match.resource_rules, resources),
            .until = policy::format_moment(grant.expires_at),
            .approved_by = grant.approved_by,
            .vouched_by = grant.signed_by.empty() ? "git" : grant.approved_by,
            .ticket = grant.ticket};
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
    const auto take = [&](const kube::Node& object) {
        const auto text_at = [&](std::string_view parent, std::string_view key) {
            const kube::Node* node = object.find(parent);
            const kube::Node* value = node ? node->find(key) : nullptr;
            return value ? value->text() : std::string();
        };
        offers.push_back({text_at("metadata", "name"), text_at("data", "grant"), text_at("data", "revocation")});
    };
    for (const kube::Document& document : read.documents) {
        const kube::Node* items = document.root.find("items");
        if (!items) take(document.root);
        for (std::size_t i = 0; items && i < items->items().size(); ++i) take(items->items()[i]);
    }
    return {};
}

void print_table(const std::vector<Row>& rows, const policy::SignedGrants& offered) {
    if (rows.empty()) fmt::print("No grants.\n");
    for (const Row& row : rows) {
        fmt::print("{}  {}\n    {} may write {} in {} until {}\n    ticket {}, approved by {}, vouched for by {}\n", visible(row.name),
                   row.state, visible(row.who), visible(row.what), visible(row.where), row.until, visible(row.ticket),
                   visible(row.approved_by), visible(row.vouched_by));
    }
    for (const policy::Revocation& revocation : offered.revocations)
        fmt::print("{}  ended before its time ({})\n", visible(revocation.name), revocation.digest);
    for (const std::string& problem : offered.problems) fmt::print("not valid: {}\n", visible(problem));
}

void print_json(const std::vector<Row>& rows, const policy::SignedGrants& offered) {
    ordered_json grants = ordered_json::array();
    for (const Row& row : rows) {
        grants.push_back({{"name", row.name},
                          {"state", row.state},
                          {"who", row.who},
                          {"namespaces", row.where},
                          {"resources", row.what},
                          {"until", row.until},
                          {"ticket", row.ticket},
                          {"approvedBy", row.approved_by},
                          {"vouchedBy", row.vouched_by}});
    }
    ordered_json ended = ordered_json::array();
    for (const policy::Revocation& revocation : offered.revocations)
        ended.push_back({{"name", revocation.name}, {"digest", revocation.digest}});
    const ordered_json out{{"grants", std::move(grants)}, {"revocations", std::move(ended)}, {"problems", offered.problems}};
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
    std::vector<Row> rows;
    for (const auto* list : {&set->grants, &offered.grants}) {
        for (const policy::Grant& grant : *list) rows.push_back(row_of(grant, *set, now));
    }
    (flags.format == "json" ? print_json : print_table)(rows, offered);
    const bool useless = std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.state == "opens no lock"; });
    return useless || !offered.problems.empty() ? kFindings : kClean;
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
    command->footer(
        "Exits 0, 1 if a grant opens no lock or is not valid, 2 if the policies or a file cannot be read.\n\n"
        "  kubectl get configmaps -n fluxgate-system -l fluxgate.dev/grant=true -o yaml > grants.yaml\n"
        "  fluxgate grant status --policies policies --config-map grants.yaml");
    command->callback([flags, &run] { run = [flags] { return run_status(*flags); }; });
}

}  // namespace fluxgate::cli
