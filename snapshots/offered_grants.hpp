#pragma once

// What is kept of ConfigMaps of our own namespace that are labelled fluxgate.dev/grant: "true". Nothing of it is believed here:
// policy/lock/signed_grants.hpp judges the signatures. Of a note that is longer than any that is read (64 KiB) the rest is not kept: whoever
// may label ConfigMaps there could fill our memory otherwise.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kube/json.hpp"
#include "policy/cluster_view.hpp"
#include "snapshots/table.hpp"

namespace fluxgate::snapshots {

inline constexpr std::string_view kGrantSelector = "fluxgate.dev/grant=true";

struct OfferFacts {
    std::string note;
    std::string revocation;

    std::size_t bytes() const { return sizeof(OfferFacts) + note.size() + revocation.size(); }
    friend bool operator==(const OfferFacts&, const OfferFacts&) = default;
};
OfferFacts read_offer(kube::Json config_map);

// In the order of names.
std::shared_ptr<const std::vector<policy::OfferedGrant>> offers(const Table<OfferFacts>& config_maps);

}  // namespace fluxgate::snapshots
