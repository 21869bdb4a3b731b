#include <algorithm>
#include <charconv>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/published_log.hpp"
#include "audit/query.hpp"
#include "audit/tiles.hpp"
#include "cli/audit/folder.hpp"
#include "cli/audit/offline_log.hpp"
#include "cli/audit/period.hpp"
#include "cli/commands.hpp"
#include "cli/messages.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit prune";

struct Flags {
    std::string folder;
    std::string key_file;
    std::string before;
    std::string reason;
};

// An index, or a time: then what is certainly older. Rounded down to whole bundles.
Result<std::uint64_t> index_of(const Flags& flags) {
    std::uint64_t index = 0;
    const char* const end = flags.before.data() + flags.before.size();
    const auto [stop, error] = std::from_chars(flags.before.data(), end, index);
    if (error == std::errc() && stop == end) return index / audit::kTileWidth * audit::kTileWidth;
    const auto time = moment_of(flags.before, SystemClock().now());
    if (!time) return tl::unexpected(time.error());
    const auto disk = audit::open_for_reading(flags.folder);
    if (!disk) return tl::unexpected(disk.error());
    return audit::first_index_for(**disk, *time);
}

int run_prune(const Flags& flags) {
    if (auto checked = check_reason(flags.reason); !checked) return refuse(kCommand, to_string(checked.error()));
    const auto index = index_of(flags);
    if (!index) return refuse(kCommand, "--before: " + to_string(index.error()));
    auto log = OfflineLog::open(flags.folder, signing_key_path(flags.folder, flags.key_file));
    if (!log) return refuse(kCommand, to_string(log.error()));
    if (*index > log->integrator().size())
        return refuse(kCommand, fmt::format("--before: the log has {} entries under its checkpoint", log->integrator().size()));
    if (*index <= log->integrator().minimum_index()) {
        fmt::print("Nothing to do: bundles of 256 entries are removed as a whole, and those below {} are gone.\n",
                   log->integrator().minimum_index());
        return kClean;
    }
    audit::Record applied;
    applied.event = "retention-applied";
    applied.counters = {{"minimumIndex", *index}};
    applied.facts = {{"reason", flags.reason}};
    if (auto recorded = log->record(std::move(applied)); !recorded) return refuse(kCommand, to_string(recorded.error()));
    const auto pruned = log->integrator().prune_below(*index);
    if (!pruned) return refuse(kCommand, to_string(pruned.error()));
    fmt::print("The entries below {} are gone; their hashes stay, so proofs of later records hold.\n", *pruned);
    return kClean;
}

}  // namespace

void add_audit_prune(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("prune", "remove the oldest records, by a stated retention, without breaking proofs");
    add_audit_folder(*command, flags->folder);
    command->add_option("--before", flags->before, "an index, RFC 3339, or how long ago (365d)")->required()->type_name("INDEX|TIME");
    command->add_option("--reason", flags->reason, "the retention that asks for it; it stands in the log")->required()->type_name("TEXT");
    command->add_option("--audit-key", flags->key_file, "the key file, if it is not in the folder: as `serve --audit-key`")
        ->type_name("FILE");
    command->footer(
        "Stop the server first, and keep a copy if anybody may ask for these records. Whole bundles of 256 records are removed; the log "
        "says "
        "so.\n\n"
        "  fluxgate audit prune --audit audit --before 400d --reason 'retention of 12 months, policy LOG-3'");
    command->callback([flags, &run] { run = [flags] { return run_prune(*flags); }; });
}

}  // namespace fluxgate::cli
