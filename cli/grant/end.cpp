#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/grant/grant_files.hpp"
#include "cli/messages.hpp"
#include "policy/lock/signed_grants.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "grant end";

struct Flags {
    std::string file;
    std::string key;
    std::string format = "configmap";
    std::string namespace_name = "fluxgate-system";
    std::string out;
};

int run_end(const Flags& flags) {
    const auto file = read_grant_file(flags.file);
    if (!file) return refuse(kCommand, to_string(file.error()));
    const auto key = read_signer_key(flags.key);
    if (!key) return refuse(kCommand, to_string(key.error()));
    const policy::Grant& grant = file->grant;
    // A document alone may lie in Git too, where no signed text is known: what it means ends it in both places.
    const std::string digest = file->note.empty() ? grant.meaning : policy::digest_of_text(file->text);
    const policy::Revocation revocation{grant.name, digest,
                                        std::chrono::ceil<std::chrono::seconds>(grant.expires_at)};  // not before the grant
    const auto note = sign_note(policy::revocation_text(revocation), *key);
    if (!note) return refuse(kCommand, to_string(note.error()));
    if (flags.format == "note") return write_out(kCommand, flags.out, *note);
    const auto map = config_map(config_map_name(grant.name), flags.namespace_name, file->note, *note);
    return map ? write_out(kCommand, flags.out, *map) : refuse(kCommand, to_string(map.error()));
}

}  // namespace

void add_grant_end(CLI::App& grant, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = grant.add_subcommand("end", "end a grant before its time");
    command->add_option("FILE", flags->file, "the grant: its document, the signed note, or the ConfigMap")->required();
    command->add_option("--key", flags->key, "the private key of any approver")->required()->type_name("FILE");
    command->add_option("-o,--output", flags->format, "configmap for kubectl, or the note alone")
        ->check(CLI::IsMember({"configmap", "note"}))
        ->capture_default_str();
    command->add_option("-n,--namespace", flags->namespace_name, "where Fluxgate runs")->capture_default_str()->type_name("NAME");
    command->add_option("--out", flags->out, "file for it; standard output when left out")->type_name("FILE");
    command->footer(
        "Writes a signed revocation over the ConfigMap of the grant. It cannot be taken away before the grant would have ended. It ends a\n"
        "grant from Git too, where Fluxgate has access to the API server; deleting its file in Git does so everywhere.\n\n"
        "  fluxgate grant end inc-4711.yaml --key bob.key | kubectl apply -f -");
    command->callback([flags, &run] { run = [flags] { return run_end(*flags); }; });
}

}  // namespace fluxgate::cli
