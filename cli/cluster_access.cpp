#include "cli/cluster_access.hpp"

#include <filesystem>
#include <utility>

namespace fluxgate::cli {

namespace {

std::filesystem::path token_of(const kube::client::PodEnvironment& environment) {
    return std::filesystem::path(environment.folder) / "token";
}

bool has_token(const kube::client::PodEnvironment& environment) {
    std::error_code ignored;
    return std::filesystem::exists(token_of(environment), ignored);
}

}  // namespace

Result<std::optional<kube::client::ClientConfig>> find_cluster_access(const ClusterAccessFlags& flags,
                                                                      const kube::client::PodEnvironment& environment, const Clock& clock) {
    if (flags.none) return std::nullopt;
    if (!flags.kubeconfig.empty()) {
        auto config = kube::client::read_kubeconfig(flags.kubeconfig, flags.context, clock);
        if (!config) return tl::unexpected(config.error());
        return std::move(*config);
    }
    if (environment.host.empty() || !has_token(environment)) return std::nullopt;
    auto config = kube::client::in_cluster_config(environment, clock);
    if (!config) return tl::unexpected(config.error());
    return std::move(*config);
}

std::optional<std::string> why_pod_without_access(const ClusterAccessFlags& flags, const kube::client::PodEnvironment& environment) {
    if (flags.none || !flags.kubeconfig.empty() || environment.host.empty() || has_token(environment)) return std::nullopt;
    return "there is no " + token_of(environment).string() +
           " (automountServiceAccountToken: false?); --no-cluster-access says that this is meant";
}

}  // namespace fluxgate::cli
