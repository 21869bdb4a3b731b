#pragma once

// What is known of the cluster beyond the review at hand, as a value: snapshots/ makes one of its watches, `check` of a tree of
// manifests, tests by hand. Immutable once made; any number of threads may share it. Without access to an API server there is none.
//
// Each part is shared, so that a change of one namespace's labels does not copy ten thousand CronJobs.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kube/selector.hpp"

namespace fluxgate::policy {

// Where a Kustomization or HelmRelease gets what it applies.
struct OwnerSource {
    std::string source;    // "GitRepository flux-system/shop"
    std::string url;       // "https://git.example.com/shop"; empty if the source is not known
    std::string path;      // "./apps/production"; the chart of a HelmRelease
    std::string revision;  // applied last: "main@sha1:4f0c…"
    bool suspended = false;

    friend bool operator==(const OwnerSource&, const OwnerSource&) = default;
};

struct CronJobTemplate {
    std::string uid;
    std::string spec;  // spec.jobTemplate as JSON

    friend bool operator==(const CronJobTemplate&, const CronJobTemplate&) = default;
};

// A ConfigMap labelled fluxgate.dev/grant: "true" in our own namespace. Nothing about it is believed yet.
struct OfferedGrant {
    std::string config_map;
    std::string note;        // data.grant
    std::string revocation;  // data.revocation, a signed note of its own; empty if there is none

    friend bool operator==(const OfferedGrant&, const OfferedGrant&) = default;
};

struct ClusterView {
    using NamespaceLabels = std::map<std::string, kube::Labels, std::less<>>;
    using Owners = std::map<std::string, OwnerSource, std::less<>>;        // "Kustomization flux-system/apps"
    using CronJobs = std::map<std::string, CronJobTemplate, std::less<>>;  // "production/report"
    using Substitutes = std::set<std::string, std::less<>>;                // "ConfigMap flux-system/vars", "Secret apps/values"

    std::string cluster_uid{};  // the UID of the Namespace kube-system
    // None is null in a view that snapshots/ makes; a null part is one that nobody knows.
    std::shared_ptr<const NamespaceLabels> namespaces{};
    std::shared_ptr<const Owners> owners{};
    std::shared_ptr<const CronJobs> cron_jobs{};
    // What Kustomizations substitute from (spec.postBuild.substituteFrom), HelmReleases take values from (spec.valuesFrom), and
    // sources, Kustomizations and HelmReleases refer to as Secrets (credentials, decryption keys, kubeConfig).
    std::shared_ptr<const Substitutes> substitutes{};
    std::shared_ptr<const std::vector<OfferedGrant>> grants{};
};

}  // namespace fluxgate::policy
