#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/signing_key.hpp"
#include "cli/audit/folder.hpp"
#include "cli/audit/offline_log.hpp"
#include "cli/commands.hpp"
#include "cli/messages.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit rotate-key";

struct Flags {
    std::string folder;
    std::string key_file;
};

int run_rotate(const Flags& flags) {
    const auto disk = take_audit_folder(flags.folder);
    if (!disk) return refuse(kCommand, to_string(disk.error()));
    const auto key = audit::SigningKey::rotate(signing_key_path(flags.folder, flags.key_file));
    if (!key) return refuse(kCommand, to_string(key.error()));
    fmt::print("{}\n", visible(key->key.verifier().text()));
    return kClean;
}

}  // namespace

void add_audit_rotate_key(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("rotate-key", "replace the key that signs the log by a new one, which the old one names");
    add_audit_folder(*command, flags->folder);
    command->add_option("--audit-key", flags->key_file, "the key file, if it is not in the folder: as `serve --audit-key`")
        ->type_name("FILE");
    command->footer(
        "Stop the server first. Prints the new verifier key; the next start records the change in the log, signed by both keys, so that "
        "who\n"
        "pinned the old key can go on with it. A key that others may have read: end the epoch instead.\n\n"
        "  fluxgate audit rotate-key --audit audit");
    command->callback([flags, &run] { run = [flags] { return run_rotate(*flags); }; });
}

}  // namespace fluxgate::cli
