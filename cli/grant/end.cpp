#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/grant/signing.hpp"
#include "cli/messages.hpp"
#include "policy/lock/signed_grants.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "grant end";

int run_end(const SigningFlags& flags) {
    const auto input = read_signing_input(flags);
    if (!input) return refuse(kCommand, to_string(input.error()));
    const GrantFile& file = input->grant;
    const policy::Grant& grant = file.grant;
    // A document alone may lie in Git too, where no signed text is known: what it means ends it in both places.
    const std::string digest = file.note.empty() ? grant.meaning : policy::digest_of_text(file.text);
    const policy::Revocation revocation{grant.name, digest,
                                        std::chrono::ceil<std::chrono::seconds>(grant.expires_at)};  // not before the grant
    const auto note = sign_note(policy::revocation_text(revocation), input->key);
    if (!note) return refuse(kCommand, to_string(note.error()));
    return write_signed(kCommand, flags, grant.name, *note, file.note, *note);
}

}  // namespace

void add_grant_end(CLI::App& grant, Run& run) {
    auto flags = std::make_shared<SigningFlags>();
    CLI::App* command = grant.add_subcommand("end", "end a grant before its time");
    add_signing_flags(*command, *flags, "the grant: its document, the signed note, or the ConfigMap", "the private key of any approver");
    command->footer(
        "Writes a signed revocation over the ConfigMap of the grant. It cannot be taken away before the grant would have ended. It ends a\n"
        "grant from Git too, where Fluxgate has access to the API server; deleting its file in Git does so everywhere.\n\n"
        "  fluxgate grant end inc-4711.yaml --key bob.key | kubectl apply -f -");
    command->callback([flags, &run] { run = [flags] { return run_end(*flags); }; });
}

}  // namespace fluxgate::cli
