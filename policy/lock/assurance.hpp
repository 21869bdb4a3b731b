#pragma once

// How strongly a request proves who is asking, read from userInfo alone: it is what the API server authenticated.
// Labels, field managers and user agents are set by the client and prove nothing.
//
// What each way of authenticating leaves in userInfo (kube-apiserver pkg/authentication/serviceaccount, request/x509,
// endpoints/filters/impersonation):
//   pod-projected token        uid, extra credential-id JTI=…, pod-name, pod-uid              pod_bound
//   TokenRequest without pod   uid, extra credential-id JTI=… (a legacy Secret token: uid)     token
//   impersonation              service account groups, no uid, only extras the caller gave     impersonated
//   client certificate         extra credential-id X509SHA256=…, no uid                        certificate, for a user
// A certificate whose name is that of a service account proves nothing: no API server gives accounts certificates. Nor
// does a service account without the groups that the API server itself sets.

#include <string_view>

#include "kube/admission_review.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

Assurance read_assurance(const kube::UserInfo& user);

// Whoever is let through by name: a service account must prove with a token of its own that it is one, because every editor of its
// namespace may impersonate it. Whom people authenticate as is the API server's word.
bool proves_account(const kube::UserInfo& user);

// Is what the request proves at least what is demanded? Certificates and service accounts are different ladders.
bool satisfies(Assurance proven, Assurance demanded);

}  // namespace fluxgate::policy
