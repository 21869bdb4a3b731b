#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/duration.hpp"
#include "cli/commands.hpp"
#include "cli/grant/grant_files.hpp"
#include "cli/messages.hpp"
#include "policy/decode_grant.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "grant new";

using nlohmann::ordered_json;

struct Flags {
    std::string name;
    std::vector<std::string> users;
    std::vector<std::string> groups;
    std::vector<std::string> service_accounts;
    std::vector<std::string> namespaces;
    std::vector<std::string> names;
    std::vector<std::string> resources;
    std::vector<std::string> operations;
    std::string ticket;
    std::string reason;
    std::string requested_by;
    std::string approved_by;
    std::string cluster;
    std::string duration = "1h";
    std::string from;
    std::uint64_t max_uses = 0;
    std::string out;
};

// Texts are quoted as in JSON, which YAML reads the same way.
std::string quoted(const std::string& text) { return ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

std::string list_of(const std::vector<std::string>& texts) {
    std::vector<std::string> parts;
    for (const std::string& text : texts) parts.push_back(quoted(text));
    return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::string subjects_of(const Flags& flags) {
    std::string text;
    for (const std::string& name : flags.users) text += fmt::format("  - {{kind: User, name: {}}}\n", quoted(name));
    for (const std::string& name : flags.groups) text += fmt::format("  - {{kind: Group, name: {}}}\n", quoted(name));
    for (const std::string& name : flags.service_accounts) {
        const std::size_t slash = std::min(name.find('/'), name.size());
        text += fmt::format("  - {{kind: ServiceAccount, namespace: {}, name: {}}}\n", quoted(name.substr(0, slash)),
                            quoted(name.substr(std::min(slash + 1, name.size()))));
    }
    return text.empty() ? "  subjects: []\n" : "  subjects:\n" + text;
}

// How a subresource is asked for: with any other operation a grant of it could never match.
std::vector<std::string> usual_operations(std::string_view sub_resource) {
    for (const std::string_view connection : {"exec", "attach", "portforward", "proxy"}) {
        if (sub_resource == connection) return {"CONNECT"};
    }
    for (const std::string_view action : {"eviction", "binding", "token"}) {
        if (sub_resource == action) return {"CREATE"};
    }
    return {"UPDATE"};
}

// "deployments.apps/scale" as denials name it: plural, group, subresource.
std::string rule_of(const std::string& resource, const std::vector<std::string>& operations) {
    const std::size_t slash = std::min(resource.find('/'), resource.size());
    const std::string whole = resource.substr(0, slash);
    const std::size_t dot = std::min(whole.find('.'), whole.size());
    const std::string group = whole.substr(std::min(dot + 1, whole.size()));
    const std::string sub_resource = resource.substr(std::min(slash + 1, resource.size()));
    return fmt::format("    - {{apiGroups: [{}], apiVersions: [\"*\"], resources: [{}], operations: {}}}\n", quoted(group),
                       quoted(whole.substr(0, dot) + resource.substr(slash)),
                       list_of(operations.empty() ? usual_operations(sub_resource) : operations));
}

std::string document_of(const Flags& flags, WallTime from, std::chrono::seconds duration) {
    std::string text =
        fmt::format("apiVersion: {}\nkind: BreakGlass\nmetadata:\n  name: {}\nspec:\n", policy::kApiVersion, quoted(flags.name));
    text += subjects_of(flags);
    text += "  match:\n    namespaces: " + list_of(flags.namespaces) + "\n";
    if (!flags.names.empty()) text += "    names: " + list_of(flags.names) + "\n";
    text += "    resourceRules:\n";
    for (const std::string& resource : flags.resources) text += rule_of(resource, flags.operations);
    const auto line = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) text += fmt::format("  {}: {}\n", key, quoted(value));
    };
    line("ticket", flags.ticket);
    line("reason", flags.reason);
    line("requestedBy", flags.requested_by);
    line("approvedBy", flags.approved_by);
    line("cluster", flags.cluster);
    text += fmt::format("  notBefore: {}\n  expiresAt: {}\n", policy::format_moment(from), policy::format_moment(from + duration));
    if (flags.max_uses > 0) text += fmt::format("  maxUses: {}\n", flags.max_uses);
    return text;
}

int run_new(const Flags& flags) {
    const WallTime now = SystemClock().now();
    WallTime from = now;
    if (!flags.from.empty()) {
        const auto time = parse_rfc3339(flags.from);
        if (!time) return refuse(kCommand, "--from: " + time.error().message);
        from = *time;
    }
    const auto duration = parse_duration(flags.duration);
    if (!duration) return refuse(kCommand, "--for: " + duration.error().message);
    if (*duration > policy::kGrantDurationMax) return refuse(kCommand, "--for: no lock accepts a grant of more than 24h");
    if (from + *duration <= now)
        return refuse(kCommand, "--from: the grant would have ended at " + policy::format_moment(from + *duration));
    const std::string text = document_of(flags, from, *duration);
    const Limits limits;
    policy::Problems problems(limits.policy_errors_max);
    problems.in_file(flags.name);
    if (!policy::read_grant(text, limits, problems)) {
        for (const policy::Problem& problem : problems.list()) print_problem(problem.message);
        return refuse(kCommand, "this would be no grant");
    }
    return write_out(kCommand, flags.out, text);
}

}  // namespace

void add_grant_new(CLI::App& grant, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = grant.add_subcommand("new", "write a grant");
    const auto each = [](CLI::Option* option) { option->allow_extra_args(false)->take_all(); };
    command->add_option("GRANT", flags->name, "its name, such as inc-4711")->required();
    each(command->add_option("--user", flags->users, "who may write; again for more")->type_name("NAME"));
    each(command->add_option("--group", flags->groups, "a group that may write; again for more")->type_name("NAME"));
    each(command->add_option("--service-account", flags->service_accounts, "an account that may write; again for more")
             ->type_name("NAMESPACE/NAME"));
    each(command->add_option("--namespace", flags->namespaces, "where; again for more")->required()->type_name("NAME"));
    each(command->add_option("--name", flags->names, "only objects of that name, * is any run of characters; again for more")
             ->type_name("PATTERN"));
    each(command->add_option("--resource", flags->resources, "what, as denials name it: pods, deployments.apps, deployments.apps/scale")
             ->required()
             ->type_name("RESOURCE"));
    each(command
             ->add_option(
                 "--operation", flags->operations,
                 "CREATE, UPDATE, DELETE, CONNECT or *; again for more. When left out UPDATE; CONNECT for exec, attach, portforward "
                 "and proxy; CREATE for eviction, binding and token")
             ->check(CLI::IsMember({"CREATE", "UPDATE", "DELETE", "CONNECT", "*"})));
    command->add_option("--ticket", flags->ticket, "of the incident")->required()->type_name("TICKET");
    command->add_option("--reason", flags->reason, "one line for whoever reads the records")->required()->type_name("TEXT");
    command->add_option("--requested-by", flags->requested_by, "who asks")->required()->type_name("NAME");
    command->add_option("--approved-by", flags->approved_by, "somebody else; to be signed, the name of their key")
        ->required()
        ->type_name("NAME");
    command
        ->add_option("--cluster", flags->cluster,
                     "the one cluster it is for (--cluster-name, or the UID of kube-system); needed to be signed")
        ->type_name("NAME");
    command->add_option("--for", flags->duration, "how long, such as 90m")->capture_default_str()->type_name("DURATION");
    command->add_option("--from", flags->from, "from when on; now when left out")->type_name("TIME");
    command->add_option("--max-uses", flags->max_uses, "how often each replica lets it be used; any number when left out")
        ->check(CLI::PositiveNumber);
    command->add_option("--out", flags->out, "file for it; standard output when left out")->type_name("FILE");
    command->footer(
        "What it writes belongs into the policy folder in Git, or to `fluxgate grant sign` when Git is down. It is checked as loading "
        "does.\n\n"
        "  fluxgate grant new inc-4711 --user alice@example.com --namespace production --name 'web*' \\\n"
        "    --resource deployments.apps --resource deployments.apps/scale --ticket INC-4711 --reason 'Payment time-outs' \\\n"
        "    --requested-by alice@example.com --approved-by bob@example.com --cluster prod-1 --for 2h --out inc-4711.yaml");
    command->callback([flags, &run] { run = [flags] { return run_new(*flags); }; });
}

}  // namespace fluxgate::cli
