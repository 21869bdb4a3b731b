#pragma once

// Where policies look on and refuse nothing: `validationActions` without Deny, for a policy or for some of its namespaces, or before
// `enforceFrom`. Each such interval is an event of the audit log, so that an auditor sees when enforcement was off, and where.

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

// For each rule of each policy that does not deny at `now`, in the order of the set: "prod-*: production/only-git Warn, Audit", before
// `enforceFrom` with "until 2026-12-01T…" behind. In front are the namespaces, "*" for all.
std::vector<std::string> audit_modes_at(const PolicySet& set, WallTime now);

}  // namespace fluxgate::policy
