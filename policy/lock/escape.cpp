#include "policy/lock/escape.hpp"

namespace fluxgate::policy {

EscapeOutcome judge_escape(const kube::Review&, const EscapeGuard&, const Context&, Assurance, bool, Findings&) { return {}; }

}  // namespace fluxgate::policy
