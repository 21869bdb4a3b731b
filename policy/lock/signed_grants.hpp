#pragma once

// Break-glass grants that came as signed notes in ConfigMaps, checked: what a replica believes of what it was offered. A value,
// made anew whenever the offers or the policy set change, off the request path.

#include <string>
#include <vector>

#include "base/limits.hpp"
#include "policy/cluster_view.hpp"
#include "policy/lock/grants.hpp"

namespace fluxgate::policy {

struct PolicySet;

struct SignedGrants {
    std::vector<Grant> grants{};          // each with at least one signature by an approver of the set; revoked ones are left out
    std::vector<std::string> problems{};  // "ConfigMap grant-inc-4711: …", for the log

    // `offered` against the approver keys of all locks of the set.
    static SignedGrants read(const std::vector<OfferedGrant>& offered, const PolicySet& set, const Limits& limits);
};

}  // namespace fluxgate::policy
