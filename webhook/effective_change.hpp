#pragma once

// Is a write that a lock lets pass worth a record? DESIGN §5.8: what a writer changes is recorded beside the answer. Controllers and
// Flux write much that changes nothing an auditor would look for; that is counted only. docs/reference/records.md tells operators.

#include "kube/admission_review.hpp"

namespace fluxgate::webhook {

// Not so: an UPDATE in which nothing differs but `status`, resourceVersion, generation and the times in managedFields; anything at
// `status`; a token, which is handed out and not stored; Events, Leases, Endpoints and EndpointSlices, which follow what runs.
// Pure; allocates only where the members of both objects are not in the same order.
bool changes_something(const kube::Review& review);

}  // namespace fluxgate::webhook
