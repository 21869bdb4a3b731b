#pragma once

// Where the API server is, whom we trust, and who we are: from the files that a Pod is given, or from a kubeconfig file.
//
// A kubeconfig is read strictly where security hangs on it: `insecure-skip-tls-verify`, passwords, auth-provider and proxies are
// refused with a sentence. What is supported: docs/reference/kubeconfig.md.
// Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "kube/client/credentials.hpp"

namespace fluxgate::kube::client {

// A value; the clients made of it share `credentials`.
struct ClientConfig {
    std::string host = {};  // a literal address, or a name
    std::uint16_t port = 443;
    bool tls = true;                                // false: the file says http://, for `kubectl proxy` on loopback
    std::string path_prefix = {};                   // "" or "/k8s/clusters/c-1": before each path
    std::string server_name = {};                   // the certificate must carry it
    std::string ca_pem = {};                        // the only trusted roots; empty: those of the machine
    std::string namespace_name = {};                // the Pod's own, or that of the context; may be empty
    std::string source = {};                        // for messages: "in cluster", or "FILE, context NAME"
    std::shared_ptr<Credentials> credentials = {};  // never null
};

// Where a Pod finds its account; other places in tests.
struct PodEnvironment {
    std::string host = {};  // KUBERNETES_SERVICE_HOST
    std::string port = {};  // KUBERNETES_SERVICE_PORT
    std::string folder = "/var/run/secrets/kubernetes.io/serviceaccount";

    static PodEnvironment of_this_process();
};

// `clock` must live as long as the configuration and its clients.
// Error invalid_argument: not in a Pod (host or port is missing); io: the token or the CA cannot be read.
Result<ClientConfig> in_cluster_config(const PodEnvironment& environment, const Clock& clock);

// `context` empty: the file's current-context. Relative paths in the file are relative to its folder. Files, tokens and plugins
// that it names are read when they are needed, the certificates at once.
// Errors: io, invalid_yaml and the like, missing_field, wrong_type, invalid_argument, invalid_certificate, each with the file and the field
// in `where`: "kubeconfig: users[admin].user.token".
Result<ClientConfig> read_kubeconfig(const std::string& file, const std::string& context, const Clock& clock);

}  // namespace fluxgate::kube::client
