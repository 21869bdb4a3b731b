#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/grant/grant_files.hpp"
#include "cli/messages.hpp"
#include "policy/lock/signed_grants.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "grant sign";

struct Flags {
    std::string file;
    std::string key;
    std::string format = "configmap";
    std::string namespace_name = "fluxgate-system";
    std::string out;
};

int run_sign(const Flags& flags) {
    const auto file = read_grant_file(flags.file);
    if (!file) return refuse(kCommand, to_string(file.error()));
    const auto key = read_signer_key(flags.key);
    if (!key) return refuse(kCommand, to_string(key.error()));
    const auto note = sign_note(file->text, *key);
    if (!note) return refuse(kCommand, to_string(note.error()));
    // As a replica will read it that knows this key: what it would not accept is not handed out.
    if (const auto grant = policy::read_signed_grant(*note, {key->verifier()}, Limits{}); !grant)
        return refuse(kCommand, to_string(Error{grant.error().code, grant.error().message, flags.file}));
    if (flags.format == "note") return write_out(kCommand, flags.out, *note);
    const auto map = config_map(config_map_name(file->grant.name), flags.namespace_name, *note, "");
    return map ? write_out(kCommand, flags.out, *map) : refuse(kCommand, to_string(map.error()));
}

}  // namespace

void add_grant_sign(CLI::App& grant, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = grant.add_subcommand("sign", "sign a grant, for when Git is down");
    command->add_option("FILE", flags->file, "a BreakGlass document, or a signed one to be signed anew")->required();
    command->add_option("--key", flags->key, "the approver's private key")->required()->type_name("FILE");
    command->add_option("-o,--output", flags->format, "configmap for kubectl, or the note alone")
        ->check(CLI::IsMember({"configmap", "note"}))
        ->capture_default_str();
    command->add_option("-n,--namespace", flags->namespace_name, "where Fluxgate runs")->capture_default_str()->type_name("NAME");
    command->add_option("--out", flags->out, "file for it; standard output when left out")->type_name("FILE");
    command->footer(
        "The approver reads the grant and signs it; spec.approvedBy must be the name of the key, and spec.cluster must be set. The\n"
        "ConfigMap is judged by its signature, so anybody whom RBAC lets write ConfigMaps there may apply it.\n\n"
        "  fluxgate grant sign inc-4711.yaml --key bob.key | kubectl apply -f -");
    command->callback([flags, &run] { run = [flags] { return run_sign(*flags); }; });
}

}  // namespace fluxgate::cli
