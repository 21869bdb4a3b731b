#pragma once

// What is certain about conditions without a request to try them on: is one contained in another, can two hold at once, can a rule
// ever be asked. Where certainty would need more than the conditions say, the answer is the one that lets nobody draw a conclusion:
// `covers` is false, `can_…` is true. Pure; for lints.

#include <vector>

#include "policy/policy_set.hpp"

namespace fluxgate::policy {

// Every name that a pattern of `narrow` matches is matched by one of `wide`.
bool covers(const std::vector<Glob>& wide, const std::vector<Glob>& narrow);
// There is a name that both lists match. An empty list is no condition.
bool can_meet(const std::vector<Glob>& left, const std::vector<Glob>& right);

// Every request that `narrow` means is meant by `wide`.
bool covers(const Match& wide, const Match& narrow);

// There is a request that the resource rules of the match let through and that the rule looks at.
bool can_be_asked(const RuleBody& body, const Match& match);

// There is a request for that resource ("pods") of the core group that a match like this means, in that operation.
bool can_mean(const Match& match, std::string_view resource, kube::Operation operation);

// The match means requests in a namespace of that name, as far as names decide.
bool means_namespace(const Match& match, std::string_view namespace_name);

}  // namespace fluxgate::policy
