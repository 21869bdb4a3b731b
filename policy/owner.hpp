#pragma once

// Which Kustomization or HelmRelease an object came from, by the labels Flux puts on it. For people: labels are set by
// clients, so the stored object is asked before the requested one, and nothing is decided by it.

#include <string>

#include "kube/admission_review.hpp"
#include "policy/cluster_view.hpp"

namespace fluxgate::policy {

// "Kustomization flux-system/apps", "HelmRelease apps/shop", or a clause that says why there is none: "none (no Flux labels)",
// "unknown (deployments.apps/scale carries no labels)".
std::string describe_owner(const kube::Review& review);

// Where to change what that owner applies, for people: "https://git.example.com/shop, ./apps/production at main@sha1:4f0c57c81a32".
// Begins with "suspended: …" if nothing arrives from there. Empty if there is no view, or no such owner in it.
std::string describe_source(const std::string& owner, const ClusterView* view);

// A policy's guidance with every {owner} replaced.
std::string fill_in_owner(std::string guidance, const std::string& owner);

}  // namespace fluxgate::policy
