#include "cli/grant/signing.hpp"

#include <utility>

#include <CLI/CLI.hpp>

#include "cli/messages.hpp"

namespace fluxgate::cli {

void add_signing_flags(CLI::App& command, SigningFlags& flags, const std::string& about_file, const std::string& about_key) {
    command.add_option("FILE", flags.file, about_file)->required();
    command.add_option("--key", flags.key, about_key)->required()->type_name("FILE");
    command.add_option("-o,--output", flags.format, "configmap for kubectl, or the note alone")
        ->check(CLI::IsMember({"configmap", "note"}))
        ->capture_default_str();
    command.add_option("-n,--namespace", flags.namespace_name, "where Fluxgate runs")->capture_default_str()->type_name("NAME");
    command.add_option("--out", flags.out, "file for it; standard output when left out")->type_name("FILE");
}

Result<SigningInput> read_signing_input(const SigningFlags& flags) {
    auto grant = read_grant_file(flags.file);
    if (!grant) return tl::unexpected(grant.error());
    auto key = read_signer_key(flags.key);
    if (!key) return tl::unexpected(key.error());
    return SigningInput{*std::move(grant), *std::move(key)};
}

int write_signed(std::string_view command, const SigningFlags& flags, std::string_view grant, std::string_view signed_now,
                 std::string_view note, std::string_view revocation) {
    if (flags.format == "note") return write_out(command, flags.out, signed_now);
    const auto map = config_map(config_map_name(grant), flags.namespace_name, note, revocation);
    return map ? write_out(command, flags.out, *map) : refuse(command, to_string(map.error()));
}

}  // namespace fluxgate::cli
