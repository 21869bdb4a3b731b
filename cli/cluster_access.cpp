#include "cli/cluster_access.hpp"

#include <filesystem>
#include <utility>

namespace fluxgate::cli {

Result<std::optional<kube::client::ClientConfig>> find_cluster_access(const ClusterAccessFlags& flags,
                                                                      const kube::client::PodEnvironment& environment, const Clock& clock) {
    if (flags.none) return std::nullopt;
    if (!flags.kubeconfig.empty()) {
        auto config = kube::client::read_kubeconfig(flags.kubeconfig, flags.context, clock);
        if (!config) return tl::unexpected(config.error());
        return std::move(*config);
    }
    std::error_code ignored;
    if (environment.host.empty() || !std::filesystem::exists(std::filesystem::path(environment.folder) / "token", ignored))
        return std::nullopt;
    auto config = kube::client::in_cluster_config(environment, clock);
    if (!config) return tl::unexpected(config.error());
    return std::move(*config);
}

}  // namespace fluxgate::cli
