#pragma once

// Who we are to the API server, as something that can change while we run: tokens in files are renewed by the kubelet, plugins
// answer with an expiry.

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::kube::client {

// What one call is sent with. A value; secrets: never logged, never part of a message.
struct Identity {
    std::string bearer_token = {};
    std::string certificate_chain_pem = {};
    std::string private_key_pem = {};

    friend bool operator==(const Identity&, const Identity&) = default;
};

// A resource shared by the clients of one configuration; any thread may ask, a slow answer is waited for by all.
class Credentials {
public:
    virtual ~Credentials() = default;
    // Cheap when nothing has to be renewed. Errors name the file or the plugin; `stop` ends the waiting, with the error `peer`.
    virtual Result<Identity> identity(const std::stop_token& stop) = 0;
    Result<Identity> identity() { return identity(std::stop_token{}); }
    // The API server answered 401 to `used`: the next one is read anew, unless that happened already.
    virtual void refused(const Identity& used) = 0;
    // For people, while callers wait: "the credential plugin kubelogin". Never waits itself.
    virtual std::optional<std::string> waiting_for() const { return std::nullopt; }
};

// `text` without white space around it. Error invalid_argument, naming `where`: empty, or with characters that a header cannot carry.
Result<std::string> bearer_token(std::string_view text, const std::string& where);

// The same for ever, also nobody.
std::unique_ptr<Credentials> fixed_credentials(Identity identity);

// A token in a file that somebody renews: read again after 60 s and after a refusal. If the file cannot be read then, the last
// token is used on, as client-go does. `clock` must outlive it.
std::unique_ptr<Credentials> token_file_credentials(std::string file, Identity certificate, const Clock& clock);

// A program that prints an ExecCredential (client.authentication.k8s.io/v1 or v1beta1), as kubelogin does for AKS.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
struct ExecPlugin {
    std::string api_version = {};
    std::string command = {};  // a path, or a name to find in PATH
    std::vector<std::string> arguments = {};
    std::vector<std::pair<std::string, std::string>> environment = {};  // beside our own
    std::string install_hint = {};
    std::string exec_info = {};                 // KUBERNETES_EXEC_INFO
    std::string field = {};                     // for messages: "kubeconfig: users[aks].user.exec"
    std::chrono::milliseconds timeout{60'000};  // a login without a person is a call or two to Entra ID
    std::size_t output_bytes_max = 1u << 20;    // a certificate chain and a key are a few kB
};

// Runs the plugin when there is nothing, when the credential ends within ten seconds, and after a refusal: once for all who wait then,
// also when it fails. If the caller that it runs for is stopped, it is killed, and runs again for the next.
std::unique_ptr<Credentials> exec_credentials(ExecPlugin plugin, const Clock& clock);

}  // namespace fluxgate::kube::client
