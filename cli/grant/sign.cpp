#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/grant/signing.hpp"
#include "cli/messages.hpp"
#include "policy/lock/signed_grants.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "grant sign";

int run_sign(const SigningFlags& flags) {
    const auto input = read_signing_input(flags);
    if (!input) return refuse(kCommand, to_string(input.error()));
    const auto note = sign_note(input->grant.text, input->key);
    if (!note) return refuse(kCommand, to_string(note.error()));
    // As a replica will read it that knows this key: what it would not accept is not handed out.
    if (const auto grant = policy::read_signed_grant(*note, {input->key.verifier()}, Limits{}); !grant)
        return refuse(kCommand, to_string(Error{grant.error().code, grant.error().message, flags.file}));
    return write_signed(kCommand, flags, input->grant.grant.name, *note, *note, "");
}

}  // namespace

void add_grant_sign(CLI::App& grant, Run& run) {
    auto flags = std::make_shared<SigningFlags>();
    CLI::App* command = grant.add_subcommand("sign", "sign a grant, for when Git is down");
    add_signing_flags(*command, *flags, "a BreakGlass document, or a signed one to be signed anew", "the approver's private key");
    command->footer(
        "The approver reads the grant and signs it; spec.approvedBy must be the name of the key, and spec.cluster must be set. The\n"
        "ConfigMap is judged by its signature, so anybody whom RBAC lets write ConfigMaps there may apply it.\n\n"
        "  fluxgate grant sign inc-4711.yaml --key bob.key | kubectl apply -f -");
    command->callback([flags, &run] { run = [flags] { return run_sign(*flags); }; });
}

}  // namespace fluxgate::cli
