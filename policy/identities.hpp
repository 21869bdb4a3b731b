#pragma once

// Who asks, for a review that no API server has made: `check --as`, `as:` in a PolicyTest. Values, made when asked for.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::policy {

// userInfo of an AdmissionReview as JSON, with the proof an API server would add:
//   flux                                     the first account of a built-in writer profile, with the assurance the profile asks for
//   flux/helm-controller                     another account of one
//   system:serviceaccount:NAMESPACE:NAME     a service account with a token bound to a Pod
//   system:node:NAME                         a kubelet with its certificate
//   anything else                            a person with a certificate, in `groups` and system:authenticated
// Error invalid_argument when a profile has no such account, or `groups` are given for an account whose groups are fixed.
Result<std::string> user_info(std::string_view as, const std::vector<std::string>& groups);

// "flux", "flux/helm-controller", …: what `as` may name, for help and completion.
std::vector<std::string> identity_names();

}  // namespace fluxgate::policy
