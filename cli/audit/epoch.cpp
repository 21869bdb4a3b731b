#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/checkpoint.hpp"
#include "audit/integrator.hpp"
#include "base/signed_note.hpp"
#include "cli/audit/folder.hpp"
#include "cli/audit/offline_log.hpp"
#include "cli/commands.hpp"
#include "cli/messages.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit epoch";

struct Flags {
    std::string folder;
    std::string key_file;
    std::string reason;
};

// "fluxgate/prod/fluxgate-0/1" becomes "fluxgate/prod/fluxgate-0/2".
Result<std::string> next_origin(const std::string& last_note, std::uint64_t epoch) {
    const auto note = SignedNote::parse(last_note);
    const auto checkpoint = note ? audit::Checkpoint::parse(note->text) : tl::unexpected(note.error());
    if (!checkpoint)
        return fail(checkpoint.error().code,
                    "the log that ended has no readable checkpoint: start the server with an empty folder instead");
    return fmt::format("{}/{}", checkpoint->origin.substr(0, checkpoint->origin.rfind('/')), epoch);
}

int run_epoch(const Flags& flags) {
    if (flags.reason.empty()) return refuse(kCommand, "--reason must not be empty: it stands in the log");
    auto disk = take_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const auto note = audit::end_epoch(**disk);
    if (!note) return refuse(kCommand, to_string(note.error()));
    const auto epoch = audit::epoch_of(**disk);
    if (!epoch) return refuse(kCommand, to_string(epoch.error()));
    const auto origin = next_origin(*note, *epoch);
    if (!origin) return refuse(kCommand, to_string(origin.error()));
    disk->reset();  // the names in the folder are others now
    disk = take_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    auto log = OfflineLog::begin(*std::move(disk), signing_key_path(flags.folder, flags.key_file), *origin);
    if (!log) return refuse(kCommand, to_string(log.error()));
    audit::Record begun;
    begun.event = "epoch-begun";
    begun.facts = {{"checkpoint", *note}, {"reason", flags.reason}};
    if (auto recorded = log->record_as_first(std::move(begun)); !recorded) return refuse(kCommand, to_string(recorded.error()));
    fmt::print("The log {} begins; what was before lies in {}/epochs/{}.\n", visible(*origin), visible(flags.folder), *epoch - 1);
    return kClean;
}

}  // namespace

void add_audit_epoch(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("epoch", "end a log that cannot be continued, and begin one that says so");
    add_audit_folder(*command, flags->folder);
    command->add_option("--reason", flags->reason, "what was lost, and why; it stands in the log")->required()->type_name("TEXT");
    command->add_option("--audit-key", flags->key_file, "the key file, if it is not in the folder: as `serve --audit-key`")
        ->type_name("FILE");
    command->footer(
        "Only after a loss that a backup cannot mend: `audit verify` fails, or the server says that records are missing. Stop the server "
        "first.\n"
        "The old log is kept in epochs/, the new one has a new key and quotes the last checkpoint of the old one as its first record.\n\n"
        "  fluxgate audit epoch --audit audit --reason 'the disk of node 7 was lost, INC-4711'");
    command->callback([flags, &run] { run = [flags] { return run_epoch(*flags); }; });
}

}  // namespace fluxgate::cli
