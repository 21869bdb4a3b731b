#pragma once

// What `fluxgate grant sign` and `fluxgate grant end` have in common: a grant and an approver's key in, a signed note out, alone or in
// a ConfigMap for kubectl.

#include <string>
#include <string_view>

#include "cli/grant/grant_files.hpp"

namespace CLI {
class App;
}

namespace fluxgate::cli {

struct SigningFlags {
    std::string file;
    std::string key;
    std::string format = "configmap";
    std::string namespace_name = "fluxgate-system";
    std::string out;
};
void add_signing_flags(CLI::App& command, SigningFlags& flags, const std::string& about_file, const std::string& about_key);

struct SigningInput {
    GrantFile grant;
    SignerKey key;
};
// Errors: those of read_grant_file and read_signer_key.
Result<SigningInput> read_signing_input(const SigningFlags& flags);

// `signed_now` alone, or the ConfigMap of the grant with both notes; an empty one is left out. Returns an exit code.
int write_signed(std::string_view command, const SigningFlags& flags, std::string_view grant, std::string_view signed_now,
                 std::string_view note, std::string_view revocation);

}  // namespace fluxgate::cli
