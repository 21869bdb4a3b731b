#include "policy/owner.hpp"

#include <fmt/format.h>

namespace fluxgate::policy {

namespace {

std::string owner_in(kube::Json object) {
    const kube::Json labels = object["metadata"]["labels"];
    // https://fluxcd.io/flux/components/kustomize/kustomizations/ and …/helm/helmreleases/
    const std::string_view kustomization = labels["kustomize.toolkit.fluxcd.io/name"].text();
    if (!kustomization.empty())
        return fmt::format("Kustomization {}/{}", labels["kustomize.toolkit.fluxcd.io/namespace"].text(), kustomization);
    const std::string_view release = labels["helm.toolkit.fluxcd.io/name"].text();
    if (!release.empty()) return fmt::format("HelmRelease {}/{}", labels["helm.toolkit.fluxcd.io/namespace"].text(), release);
    return {};
}

}  // namespace

std::string describe_owner(const kube::Review& review) {
    if (std::string owner = owner_in(review.old_object); !owner.empty()) return owner;
    if (std::string owner = owner_in(review.object); !owner.empty()) return owner;
    if (!review.carries_labels()) return fmt::format("unknown ({} carries no labels)", review.resource_name());
    return "none (no labels of Flux)";
}

std::string fill_in_owner(std::string guidance, const std::string& owner) {
    constexpr std::string_view kOwner = "{owner}";
    for (std::size_t at = guidance.find(kOwner); at != std::string::npos; at = guidance.find(kOwner, at + owner.size())) {
        guidance.replace(at, kOwner.size(), owner);
    }
    return guidance;
}

}  // namespace fluxgate::policy
