#pragma once

// A BreakGlass document, from nodes to a Grant. Shape: docs/reference/policy-files.md.

#include <optional>
#include <string_view>

#include "base/limits.hpp"
#include "policy/decode.hpp"
#include "policy/lock/grants.hpp"

namespace fluxgate::policy {

// Notes every problem. The digest is over the document's meaning, not its bytes: comments and the file around it change nothing.
Grant decode_grant(const kube::Node& root, Problems& problems);

// A text that is one BreakGlass and nothing else: what is signed. Nothing if there are problems.
std::optional<Grant> read_grant(std::string_view text, const Limits& limits, Problems& problems);

}  // namespace fluxgate::policy
