#pragma once

// The writer profiles that come with Fluxgate. Alive for the whole program, the same for all threads.
//   flux              kustomize-controller and helm-controller of flux-system, pod-bound, anything; the other Flux controllers
//                     what they write on Flux's own objects
//   flux-multitenant  Flux that impersonates an account for each tenant: the controllers on Flux's own objects, and the accounts
//                     that the lock names, each in its own namespace
//   aks-flux          the same of the extension microsoft.flux, whose accounts write anywhere, and its own controllers
//   flux-operator     Flux Operator
//   argocd            Argo CD's controllers, none of which acts for a person
//   kubernetes        the controllers of kube-controller-manager (run with --use-service-account-credentials), the scheduler and
//                     the kubelets, each with what it writes
//   aks               what AKS itself writes into namespaces of its users
//   flagger, cert-manager, keda
//
// Each has the least that it writes, by its own RBAC and sources, and never subresources it does not need. Two things are left out
// on purpose: whatever people stand behind (argocd-server, dashboards), and permissions that only an option of the program needs.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/lock/writers.hpp"

namespace fluxgate::policy {

std::span<const WriterProfile> built_in_writers();
// nullptr for another name.
const WriterProfile* find_built_in_writers(std::string_view name);

// A profile that takes accounts, and these accounts: impersonated, so that whoever may impersonate looks the same.
WriterProfile with_accounts(const WriterProfile& profile, const std::vector<WriterAccount>& accounts);

// The built-in names of the schema that this version does not have yet; naming one is a load error of its own.
bool is_planned_writer(std::string_view name);

}  // namespace fluxgate::policy
