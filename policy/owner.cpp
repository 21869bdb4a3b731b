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

// "main@sha1:4f0c…" with as much of the digest as people and Git need; as it is if it has no digest.
std::string shortened_revision(const std::string& revision) {
    constexpr std::size_t kDigestCharacters = 12;
    const std::size_t colon = revision.rfind(':');
    if (colon == std::string::npos || revision.size() - colon - 1 <= kDigestCharacters) return revision;
    const std::string_view digest = std::string_view(revision).substr(colon + 1);
    return digest.find_first_not_of("0123456789abcdef") == std::string_view::npos ? revision.substr(0, colon + 1 + kDigestCharacters)
                                                                                  : revision;
}

}  // namespace

std::string describe_owner(const kube::Review& review) {
    if (std::string owner = owner_in(review.old_object); !owner.empty()) return owner;
    if (std::string owner = owner_in(review.object); !owner.empty()) return owner;
    if (!review.carries_labels()) return fmt::format("unknown ({} carries no labels)", review.resource_name());
    return "none (no labels of Flux)";
}

std::string describe_source(const std::string& owner, const ClusterView* view) {
    if (!view || !view->owners) return {};
    const auto found = view->owners->find(owner);
    if (found == view->owners->end()) return {};
    const OwnerSource& source = found->second;
    // A source whose address nobody knows still has a name.
    std::string text = source.url.empty() ? source.source : source.url;
    if (!source.path.empty()) text += (text.empty() ? "" : ", ") + source.path;
    if (!source.revision.empty()) text += (text.empty() ? "at " : " at ") + shortened_revision(source.revision);
    if (source.suspended) text = "suspended: Git changes do not arrive" + (text.empty() ? "" : "; " + text);
    return text;
}

std::string fill_in_owner(std::string guidance, const std::string& owner) {
    constexpr std::string_view kOwner = "{owner}";
    for (std::size_t at = guidance.find(kOwner); at != std::string::npos; at = guidance.find(kOwner, at + owner.size())) {
        guidance.replace(at, kOwner.size(), owner);
    }
    return guidance;
}

}  // namespace fluxgate::policy
