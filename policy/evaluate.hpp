#pragma once

// The one evaluator: webhook, check, test and companion call it, so they cannot disagree.
// Pure: values in, a value out; no clock, no network, no file. Allocates nothing when nothing is found.

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/policy_set.hpp"
#include "policy/trace.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// Judges one review by every policy of the set and finds all violations, not the first. The views in the verdict live as
// long as the set.
Verdict evaluate(const kube::Review& review, const PolicySet& set, const Context& context);

// The same, and writes down the way there (trace.hpp).
Verdict evaluate(const kube::Review& review, const PolicySet& set, const Context& context, Trace& trace);

}  // namespace fluxgate::policy
