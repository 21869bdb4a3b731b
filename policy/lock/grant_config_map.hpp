#pragma once

// ConfigMaps that offer signed grants, or end them, are judged when they are written: label `fluxgate.dev/grant: "true"`, in our own
// namespace, nothing but `data.grant` and `data.revocation`. When Git is down nobody is a writer, so the signature decides and not the
// writer: no lock refuses such a write, and this rule refuses what would open nothing. A revocation stays until the grant would
// have ended: neither it nor its label can be taken away before.

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/policy_set.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// A write that brings or changes signed notes and can do nothing else. What merely carries the label, deletes, or touches only
// metadata is left to the locks. Allocates nothing.
bool is_judged_by_signature(const kube::Review& review, const CompileOptions& options);

// Adds a violation of policy `fluxgate`, rule `grants`, for each note that does not hold, has ended, was revoked, or is for another
// cluster, and for a revocation that would go too early.
void judge_grant_config_map(const kube::Review& review, const PolicySet& set, const Context& context, Verdict& verdict);

}  // namespace fluxgate::policy
