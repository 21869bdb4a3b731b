#include "policy/rules/resource_name.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace fluxgate::policy {

// Resources of Kubernetes itself have no slash in their name; any other is an extended resource, which nobody can list.
void check_resource_name(const std::string& name, std::string_view what, kube::Position position, Problems& problems) {
    static const std::vector<std::string> known{"cpu", "memory", "ephemeral-storage"};
    if (name.find('/') != std::string::npos || name.starts_with("hugepages-") || std::find(known.begin(), known.end(), name) != known.end())
        return;
    problems.add(
        Errc::invalid_policy, position,
        fmt::format("{}: no resource is named \"{}\"{}; expected cpu, memory, ephemeral-storage, hugepages-<size> or a name with a domain",
                    what, name, did_you_mean(name, known)));
}

}  // namespace fluxgate::policy
