#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/integrator.hpp"
#include "cli/audit/folder.hpp"
#include "cli/commands.hpp"
#include "cli/messages.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit epoch";

struct Flags {
    std::string folder;
    std::string reason;
};

int run_epoch(const Flags& flags) {
    if (auto checked = check_reason(flags.reason); !checked) return refuse(kCommand, to_string(checked.error()));
    const auto disk = take_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const auto ended = audit::end_epoch(**disk, flags.reason);
    if (!ended) return refuse(kCommand, to_string(ended.error()));
    if (ended->number == 0) return refuse(kCommand, "there is no log in " + visible(flags.folder));
    fmt::print("Epoch {} has ended and lies in {}/epochs/{}. The next start of the server begins epoch {}, with a new key.\n",
               ended->number, visible(flags.folder), ended->number, ended->number + 1);
    return kClean;
}

}  // namespace

void add_audit_epoch(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("epoch", "end a log that cannot be continued; the next start begins one that says so");
    add_audit_folder(*command, flags->folder);
    command->add_option("--reason", flags->reason, "what was lost, and why; it stands in the log")->required()->type_name("TEXT");
    command->footer(
        "Only after a loss that a backup cannot mend: `audit verify` fails, or the server says that records are missing. Stop the server "
        "first.\n"
        "The old log is kept in epochs/. The first record of the new one holds the reason and the last checkpoint of the old one. A key "
        "file "
        "that lies\n"
        "elsewhere (`serve --audit-key`) bears the name of the old log: move it away, and the next start makes a new key.\n\n"
        "  fluxgate audit epoch --audit audit --reason 'the disk of node 7 was lost, INC-4711'");
    command->callback([flags, &run] { run = [flags] { return run_epoch(*flags); }; });
}

}  // namespace fluxgate::cli
