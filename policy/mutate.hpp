#pragma once

// What the `defaults` rules of a set fill in: for POST /mutate, and for judging templates as their pods will be.
// Pure, as evaluate.hpp.

#include "kube/admission_review.hpp"
#include "kube/pod_template.hpp"
#include "policy/context.hpp"
#include "policy/patch.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

// For the creation of a Pod; empty for any other request. A policy fills while its actions are Deny: one that only warns or
// audits changes nothing, and one with enforceFrom not before that time.
Patch mutate(const kube::Review& review, const PolicySet& set, const Context& context);

// For the pods of a template, `pod`, that `review` writes. Their names and who will create them are not known, so a policy that
// asks for either fills nothing here.
Patch mutate_template(const kube::Review& review, const kube::PodTemplate& pod, const PolicySet& set, const Context& context);

}  // namespace fluxgate::policy
