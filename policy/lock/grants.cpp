#include "policy/lock/grants.hpp"

namespace fluxgate::policy {

BreakGlassTerms BreakGlassTerms::decode(Mapping& fields) {
    fields.finish();
    return {};
}

const Grant* find_grant(const kube::Review&, const BreakGlassTerms&, const std::vector<Grant>&, const Context&, std::string&) {
    return nullptr;
}

}  // namespace fluxgate::policy
