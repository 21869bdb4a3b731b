#pragma once

// ConfigMaps of policies are judged when they are written, so that a set that does not compile never reaches a mounted folder
// and Flux shows file, line and column. One ConfigMap is one whole set: label `fluxgate.dev/policies: "true"`, in our own
// namespace. Dry runs too, and writes that change nothing: so Flux goes on naming a bad set that came in while we were away.
// Deleting one is no business of this rule, nor taking finalizers from one that is being deleted.

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/policy_set.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// Adds a violation of policy `fluxgate`, rule `policies`, for each problem. `options` are those of the set in force.
void judge_policy_config_map(const kube::Review& review, const CompileOptions& options, const Context& context, Verdict& verdict);

// The names of a set in a folder or a ConfigMap: *.yaml, *.yml and *.json that do not start with "..".
bool is_policy_file_name(std::string_view name);

}  // namespace fluxgate::policy
