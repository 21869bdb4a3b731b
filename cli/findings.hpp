#pragma once

// From a verdict to what an Output shows.

#include "cli/output/report.hpp"
#include "kube/admission_review.hpp"
#include "kube/manifest_object.hpp"
#include "policy/policy_set.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::cli {

// `manifest` gives the findings their lines; null for a recorded review, whose findings all stand at `place`.
Judged judged_from(const kube::Review& review, const policy::Verdict& verdict, const policy::PolicySet& set, Place place,
                   const kube::ManifestObject* manifest);

// The rules of a set, in order.
std::vector<RuleInfo> rules_of(const policy::PolicySet& set);

}  // namespace fluxgate::cli
