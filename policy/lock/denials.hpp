#pragma once

// How the lock and the rule `escape` say who was refused and what he would have changed.

#include <cstddef>
#include <string>

#include "kube/admission_review.hpp"
#include "kube/object_changes.hpp"
#include "policy/findings.hpp"

namespace fluxgate::policy {

// A denial names this many changed fields; an object that is replaced as a whole is described well enough by them.
inline constexpr std::size_t kChangesMax = 200;

// A finding for each change, and how many more there are.
void add_changes(Findings& findings, kube::Changes&& changes);

// "alice@example.com", or a clause that says that there is no name.
std::string name_of_caller(const kube::UserInfo& user);

}  // namespace fluxgate::policy
