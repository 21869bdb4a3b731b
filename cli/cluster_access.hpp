#pragma once

// Which API server `serve` watches, if any.

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "kube/client/config.hpp"

namespace fluxgate::cli {

struct ClusterAccessFlags {
    std::string kubeconfig{};  // FILE; empty: the account of the Pod we run in, if we do
    std::string context{};     // of that file; empty: its current-context
    bool none = false;         // --no-cluster-access
};

// Nothing outside a cluster without a kubeconfig, and in a Pod that is given no token (automountServiceAccountToken: false). Reads
// files only: whether the server answers shows later, in /readyz. `clock` must outlive what is returned.
// Errors: those of read_kubeconfig and in_cluster_config.
Result<std::optional<kube::client::ClientConfig>> find_cluster_access(const ClusterAccessFlags& flags,
                                                                      const kube::client::PodEnvironment& environment, const Clock& clock);

// In a Pod, without any flag, and yet nothing to watch with: for the log, since nobody may have meant that. Nothing otherwise.
std::optional<std::string> why_pod_without_access(const ClusterAccessFlags& flags, const kube::client::PodEnvironment& environment);

}  // namespace fluxgate::cli
