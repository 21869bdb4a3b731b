#pragma once

// Names of resources that containers ask for, in policy files.

#include <string>
#include <string_view>

#include "policy/decode.hpp"

namespace fluxgate::policy {

// A problem unless it is cpu, memory, ephemeral-storage, hugepages-<size> or an extended resource, whose name has a domain.
void check_resource_name(const std::string& name, std::string_view what, kube::Position position, Problems& problems);

}  // namespace fluxgate::policy
