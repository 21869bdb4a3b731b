#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/signed_note.hpp"
#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/messages.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "grant keygen";

struct Flags {
    std::string name;
    std::string out;
};

int run_keygen(const Flags& flags) {
    const auto key = SignerKey::generate(flags.name);
    if (!key) return refuse(kCommand, to_string(key.error()));
    std::error_code ignored;
    // What a key signed can only be told with that key: none is written over.
    if (std::filesystem::exists(std::filesystem::symlink_status(flags.out, ignored)))
        return refuse(kCommand, flags.out + " is there already; choose another --out, or move it away");
    if (auto written = write_file(flags.out, key->text() + "\n", 0600); !written) return refuse(kCommand, to_string(written.error()));
    fmt::print("{}\n", key->verifier().text());
    return kClean;
}

}  // namespace

void add_grant_keygen(CLI::App& grant, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = grant.add_subcommand("keygen", "make an approver's key");
    command->add_option("--name", flags->name, "the approver, as approvedBy will name them")->required()->type_name("NAME");
    command->add_option("--out", flags->out, "file for the private key, which only you can read")->required()->type_name("FILE");
    command->footer(
        "Writes the private key to --out with mode 0600 and prints the verifier key: the line for lock.breakGlass.approverKeys of the\n"
        "locks that this person may open. Keep the private key off the cluster and out of Git.\n\n"
        "  fluxgate grant keygen --name bob@example.com --out bob.key");
    command->callback([flags, &run] { run = [flags] { return run_keygen(*flags); }; });
}

}  // namespace fluxgate::cli
