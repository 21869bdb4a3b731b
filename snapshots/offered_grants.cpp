#include "snapshots/offered_grants.hpp"

#include "base/signed_note.hpp"

namespace fluxgate::snapshots {

namespace {

// One byte more than is read, so that the note is refused for its length.
std::string kept(kube::Json note) { return std::string(note.text().substr(0, SignedNote::kBytesMax + 1)); }

}  // namespace

OfferFacts read_offer(kube::Json config_map) { return {kept(config_map["data"]["grant"]), kept(config_map["data"]["revocation"])}; }

std::shared_ptr<const std::vector<policy::OfferedGrant>> offers(const Table<OfferFacts>& config_maps) {
    std::vector<policy::OfferedGrant> list;
    list.reserve(config_maps.size());
    config_maps.each([&](const std::string& key, const OfferFacts& facts) {
        list.push_back({key.substr(key.find('/') + 1), facts.note, facts.revocation});  // all are in one namespace
    });
    return std::make_shared<const std::vector<policy::OfferedGrant>>(std::move(list));
}

}  // namespace fluxgate::snapshots
