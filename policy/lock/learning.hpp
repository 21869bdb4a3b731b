#pragma once

// When locks learn who writes (`learnUntil`): while one does, it is not enforced in full, so each such interval is an event of the audit
// log (policy/intervals.hpp). The rule itself is in policy/evaluate.cpp, who is learned in policy/lock/lock.hpp.

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

// Those that learn at this time, in the order of the set: "production/only-git until 2026-12-08T00:00:00.000000Z".
std::vector<std::string> learning_at(const PolicySet& set, WallTime now);

}  // namespace fluxgate::policy
