#pragma once

// Feeds that are reflectors of kube/client/: a connection and a thread for each collection.

#include <memory>
#include <string>

#include "kube/client/api_client.hpp"
#include "kube/client/pace.hpp"
#include "snapshots/feed.hpp"

namespace fluxgate::snapshots {

// `pace` must outlive the feeds. `own_namespace` is where grants are offered.
MakeFeed make_reflector_feeds(kube::client::ClientConfig config, std::string own_namespace, kube::client::Pace& pace);

}  // namespace fluxgate::snapshots
