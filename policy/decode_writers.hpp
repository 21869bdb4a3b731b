#pragma once

// A WriterProfile document, from nodes to values, with every problem noted. Shape: docs/reference/writers.md.
//
// Refused is what would let in more people than it seems to, and what would let in nobody:
//   - a pattern, a group or no list of namespaces with `impersonated`, which anybody has who may impersonate
//   - names that mean everybody
//   - a proof that such an identity never has

#include "policy/decode.hpp"
#include "policy/lock/writers.hpp"

namespace fluxgate::policy {

WriterProfile decode_writer_profile(const kube::Node& root, Problems& problems);

}  // namespace fluxgate::policy
