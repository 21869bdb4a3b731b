#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/projections.hpp"
#include "audit/query.hpp"
#include "cli/audit/folder.hpp"
#include "cli/audit/period.hpp"
#include "cli/commands.hpp"
#include "cli/messages.hpp"
#include "cli/output/result_json.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit export";

struct Flags {
    std::string folder;
    PeriodFlags period;
    std::string format;
};

int run_export(const Flags& flags) {
    const auto period = Period::parse(flags.period, SystemClock().now());
    if (!period) return refuse(kCommand, period.error().message);
    audit::Query query;
    query.from = period->from;
    query.to = period->to;
    const auto projection = audit::projection_of(flags.format);
    if (!projection) return refuse(kCommand, "--format: expected ocsf, asim or cloudevents");
    const auto disk = open_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const auto written =
        audit::run_query(**disk, query, [&](const audit::StoredRecord& stored, const audit::Record& record) -> Result<bool> {
            // The stored text goes out byte for byte, as `audit query -o jsonl` writes it: its hash is the leaf of the log.
            const std::string line = audit::project(*projection, stored, record);
            std::cout << (*projection == audit::Projection::cloudevents ? line : safe_json(line)) << '\n';
            return std::cout.good();
        });
    if (!written) return refuse(kCommand, to_string(written.error()) + "; `fluxgate audit verify` says what else is wrong");
    return kClean;
}

}  // namespace

void add_audit_export(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("export", "records as JSON Lines in the words of a SIEM: OCSF, ASIM, CloudEvents");
    add_audit_folder(*command, flags->folder);
    command->add_option("--format", flags->format, "ocsf: OCSF 1.6.0; asim: Microsoft Sentinel's AuditEvent; cloudevents: as stored")
        ->required()
        ->check(CLI::IsMember({"ocsf", "asim", "cloudevents"}));
    add_period(*command, flags->period);
    command->footer(
        "Exits 0, also when there is nothing; 2 if the log cannot be read. Nothing is verified here: `audit verify` does.\n\n"
        "  fluxgate audit export --audit audit --format ocsf --from 24h > day.jsonl");
    command->callback([flags, &run] { run = [flags] { return run_export(*flags); }; });
}

}  // namespace fluxgate::cli
