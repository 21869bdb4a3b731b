#pragma once

// What is remembered of a review and its verdict: docs/reference/records.md. Names, and the fields that change as
// kube/object_changes.hpp shows them; never an object, never the data of a Secret. Pure.

#include <string>

#include "audit/record.hpp"
#include "base/clock.hpp"
#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/policy_set.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::webhook {

// What a record says about the place it was made.
struct Origin {
    std::string cluster;  // --cluster-name
    std::string replica;  // host name
};

audit::Record make_record(const kube::Review& review, const policy::Verdict& verdict, const policy::PolicySet& set,
                          const policy::Context& context, const Origin& origin);

// Of a review that could be read only as far as its uid.
audit::Record make_record(const kube::UnreadableReview& unreadable, const policy::PolicySet& set, WallTime now, const Origin& origin);

}  // namespace fluxgate::webhook
