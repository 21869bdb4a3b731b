#include "snapshots/offered_grants.hpp"

namespace fluxgate::snapshots {

OfferFacts read_offer(kube::Json config_map) {
    return {std::string(config_map["data"]["grant"].text()), std::string(config_map["data"]["revocation"].text())};
}

std::shared_ptr<const std::vector<policy::OfferedGrant>> offers(const Table<OfferFacts>& config_maps) {
    std::vector<policy::OfferedGrant> list;
    list.reserve(config_maps.size());
    config_maps.each([&](const std::string& key, const OfferFacts& facts) {
        list.push_back({key.substr(key.find('/') + 1), facts.note, facts.revocation});  // all are in one namespace
    });
    return std::make_shared<const std::vector<policy::OfferedGrant>>(std::move(list));
}

}  // namespace fluxgate::snapshots
