#include "audit/query.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/audit/folder.hpp"
#include "cli/audit/period.hpp"
#include "cli/audit/record_rows.hpp"
#include "cli/commands.hpp"
#include "cli/messages.hpp"
#include "policy/glob.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit query";

struct Flags {
    std::string folder;
    PeriodFlags period;
    std::string user;
    std::string object;
    std::string verdict;
    std::string drift_case;
    std::string compliance;
    std::string rule;
    std::string event;
    std::uint64_t limit = 0;
    bool newest_first = false;
    std::string format = "table";
};

// The longest run without a star.
std::string literal_of(std::string_view pattern) {
    std::string_view longest;
    while (!pattern.empty()) {
        const std::size_t end = std::min(pattern.find('*'), pattern.size());
        if (end > longest.size()) longest = pattern.substr(0, end);
        pattern.remove_prefix(std::min(end + 1, pattern.size()));
    }
    return std::string(longest);
}

// An empty part of --object is the namespace of what is in none.
Result<audit::TextPattern> pattern_of(const std::string& text) {
    if (text.empty()) return audit::TextPattern{.matches = [](std::string_view found) { return found.empty(); }};
    auto glob = policy::Glob::compile(text, policy::Glob::Alphabet::identities);
    if (!glob) return tl::unexpected(glob.error());
    return audit::TextPattern{.matches = [glob = *glob](std::string_view found) { return glob.matches(found); },
                              .literal = literal_of(text),
                              .beginning = text.substr(0, text.find('*')),
                              .exact = text.find('*') == std::string::npos};
}

Result<void> set_pattern(std::optional<audit::TextPattern>& pattern, const std::string& text, std::string_view flag) {
    auto made = pattern_of(text);
    if (!made) return fail(made.error().code, fmt::format("{}: {}", flag, made.error().message));
    pattern = *std::move(made);
    return {};
}

// NAMESPACE/RESOURCE/NAME
Result<void> set_object(audit::Query& query, const std::string& text) {
    const std::size_t first = text.find('/');
    const std::size_t last = text.rfind('/');
    if (first == std::string::npos || first == last || text.find('/', first + 1) != last)
        return fail(Errc::invalid_argument, "--object: give NAMESPACE/RESOURCE/NAME, with * for any: \"production/deployments.apps/web*\"");
    if (auto set = set_pattern(query.namespace_name, text.substr(0, first), "--object"); !set) return set;
    if (auto set = set_pattern(query.resource, text.substr(first + 1, last - first - 1), "--object"); !set) return set;
    return set_pattern(query.name, text.substr(last + 1), "--object");
}

Result<audit::Query> query_of(const Flags& flags, WallTime now) {
    const auto period = Period::parse(flags.period, now);
    if (!period) return tl::unexpected(period.error());
    audit::Query query;
    query.from = period->from;
    query.to = period->to;
    query.limit = flags.limit;
    query.newest_first = flags.newest_first;
    query.drift_case = flags.drift_case;
    if (flags.verdict == "denied") query.verdict = audit::Query::Verdict::denied;
    if (flags.verdict == "allowed") query.verdict = audit::Query::Verdict::allowed;
    if (flags.verdict == "event") query.verdict = audit::Query::Verdict::event;
    for (const auto& [text, pattern, flag] :
         {std::tuple(&flags.user, &query.user, "--user"), std::tuple(&flags.compliance, &query.compliance, "--compliance"),
          std::tuple(&flags.rule, &query.rule, "--rule"), std::tuple(&flags.event, &query.event, "--event")}) {
        if (text->empty()) continue;
        if (auto set = set_pattern(*pattern, *text, flag); !set) return tl::unexpected(set.error());
    }
    if (flags.object.empty()) return query;
    if (auto set = set_object(query, flags.object); !set) return tl::unexpected(set.error());
    return query;
}

int run_query_command(const Flags& flags) {
    const auto query = query_of(flags, SystemClock().now());
    if (!query) return refuse(kCommand, query.error().message);
    const auto disk = open_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const auto output = make_record_output(flags.format);
    const auto found =
        audit::run_query(**disk, *query, [&](const audit::StoredRecord& stored, const audit::Record& record) -> Result<bool> {
            output->show(stored, record);
            return true;
        });
    output->end();
    if (!found) return refuse(kCommand, to_string(found.error()) + "; `fluxgate audit verify` says what else is wrong");
    return kClean;
}

}  // namespace

void add_audit_query(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("query", "find records by time, user, object, verdict, rule, compliance tag");
    add_audit_folder(*command, flags->folder);
    add_period(*command, flags->period);
    command->add_option("--user", flags->user, "who asked; * is any text")->type_name("NAME");
    command->add_option("--object", flags->object, "NAMESPACE/RESOURCE/NAME, each may hold *; an empty namespace: cluster-scoped")
        ->type_name("OBJECT");
    command->add_option("--verdict", flags->verdict, "what was said; event: what happened to Fluxgate itself")
        ->check(CLI::IsMember({"denied", "allowed", "event"}));
    command->add_option("--case", flags->drift_case, "the drift case")->type_name("ID");
    command->add_option("--compliance", flags->compliance, "a compliance tag, as policies give it; * is any text")->type_name("TAG");
    command->add_option("--rule", flags->rule, "RULE or POLICY/RULE of a violation; * is any text")->type_name("RULE");
    command->add_option("--event", flags->event, "the kind of event: started, policy-set-loaded, gap, …")->type_name("EVENT");
    command->add_option("--limit", flags->limit, "at most so many")->type_name("N");
    command->add_flag("--newest-first", flags->newest_first, "from the end of the log");
    command->add_option("-o,--output", flags->format, "how; jsonl: the records' own text, byte for byte")
        ->check(CLI::IsMember({"table", "json", "jsonl", "csv"}))
        ->capture_default_str();
    command->footer(
        "Exits 0, also when nothing matches; 2 if the log cannot be read. Nothing is verified here: `audit verify` does, and `audit "
        "prove`\n"
        "proves a single record by its index. \"-\" as index: not yet under a checkpoint.\n\n"
        "  fluxgate audit query --audit audit --from 24h --verdict denied\n"
        "  fluxgate audit query --audit audit --object 'production/deployments.apps/*' -o csv > changes.csv");
    command->callback([flags, &run] { run = [flags] { return run_query_command(*flags); }; });
}

}  // namespace fluxgate::cli
