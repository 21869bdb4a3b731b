#include "policy/lock/signed_grants.hpp"

namespace fluxgate::policy {

SignedGrants SignedGrants::read(const std::vector<OfferedGrant>&, const PolicySet&, const Limits&) { return {}; }

}  // namespace fluxgate::policy
