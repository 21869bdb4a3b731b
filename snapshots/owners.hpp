#pragma once

// What is kept of Flux's objects: where a Kustomization or HelmRelease gets what it applies, and which Secrets and ConfigMaps they
// and their sources take values from. Nothing of these Secrets is read; only their names are known.
//
// https://fluxcd.io/flux/components/kustomize/kustomizations/ (kustomize.toolkit.fluxcd.io/v1),
// https://fluxcd.io/flux/components/helm/helmreleases/ (helm.toolkit.fluxcd.io/v2),
// https://fluxcd.io/flux/components/source/ (source.toolkit.fluxcd.io/v1)

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "kube/json.hpp"
#include "policy/cluster_view.hpp"
#include "snapshots/table.hpp"

namespace fluxgate::snapshots {

// "Secret apps/values", "ConfigMap flux-system/vars"
using References = std::vector<std::string>;

// A Kustomization or HelmRelease.
struct OwnerFacts {
    policy::OwnerSource source;  // without a url; `source` may be a HelmChart, which has a source of its own
    References substitutes;

    std::size_t bytes() const;
    friend bool operator==(const OwnerFacts&, const OwnerFacts&) = default;
};
OwnerFacts read_kustomization(kube::Json object);
OwnerFacts read_helm_release(kube::Json object);

// A GitRepository, OCIRepository, Bucket, HelmRepository or HelmChart.
struct SourceFacts {
    std::string url{};     // without credentials; none of a HelmChart
    std::string source{};  // of a HelmChart: "HelmRepository flux-system/podinfo"
    std::string chart{};   // of a HelmChart
    References substitutes{};

    std::size_t bytes() const;
    friend bool operator==(const SourceFacts&, const SourceFacts&) = default;
};
SourceFacts read_source(kube::Json object);

// A URL as it may be shown: without user, password, query and fragment, which may be tokens. Of ssh:// the user stays, it is part of
// the address and no secret. Empty if that cannot be told apart.
std::string without_credentials(std::string_view url);

// All of Flux's collections together.
struct FluxTables {
    explicit FluxTables(const Limits& limits)
        : kustomizations("kustomizations", limits),
          helm_releases("helmreleases", limits),
          git_repositories("gitrepositories", limits),
          oci_repositories("ocirepositories", limits),
          buckets("buckets", limits),
          helm_repositories("helmrepositories", limits),
          helm_charts("helmcharts", limits) {}

    Table<OwnerFacts> kustomizations;
    Table<OwnerFacts> helm_releases;
    Table<SourceFacts> git_repositories;
    Table<SourceFacts> oci_repositories;
    Table<SourceFacts> buckets;
    Table<SourceFacts> helm_repositories;
    Table<SourceFacts> helm_charts;
};

// Owners joined with the addresses of their sources. A source that is not there leaves an owner without an address.
std::shared_ptr<const policy::ClusterView::Owners> join_owners(const FluxTables& tables);
std::shared_ptr<const policy::ClusterView::Substitutes> join_substitutes(const FluxTables& tables);

}  // namespace fluxgate::snapshots
