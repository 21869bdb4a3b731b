#pragma once

// Requests that ask the API server something and store nothing: reviews of access, of tokens and of oneself. No lock has a word
// about them, because nothing is written. Any thread.
// https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/ and /authentication-resources/

#include "kube/admission_review.hpp"

namespace fluxgate::policy {

bool only_asks(const kube::Review& review);

}  // namespace fluxgate::policy
