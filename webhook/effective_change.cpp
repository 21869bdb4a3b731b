#include "webhook/effective_change.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace fluxgate::webhook {

namespace {

using kube::Json;

bool follows_what_runs(const kube::GroupVersionResource& resource) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kResources{{{"", "events"},
                                                                                       {"events.k8s.io", "events"},
                                                                                       {"coordination.k8s.io", "leases"},
                                                                                       {"", "endpoints"},
                                                                                       {"discovery.k8s.io", "endpointslices"}}};
    return std::find(kResources.begin(), kResources.end(), std::pair(resource.group, resource.resource)) != kResources.end();
}

bool same_but_for_time(Json before, Json after) {
    constexpr std::array<std::string_view, 1> kTime{"time"};
    return kube::equal_but_for(before, after, kTime);
}

// Entries are sorted by their times, so a new time can move one.
bool same_managers(Json before, Json after) {
    if (kube::each_pair(before, after, same_but_for_time)) return true;
    constexpr std::size_t kEntriesMax = 64;  // beyond that a record more is cheaper than to look
    if (before.size() != after.size() || before.size() > kEntriesMax) return false;
    bool same = true;
    after.each_item([&](Json entry) {
        bool found = false;
        if (same) before.each_item([&](Json old_entry) { found = found || same_but_for_time(old_entry, entry); });
        same = same && found;
    });
    return same;
}

bool same_but_for_upkeep(Json before, Json after) {
    constexpr std::array<std::string_view, 2> kObject{"metadata", "status"};
    constexpr std::array<std::string_view, 3> kMetadata{"managedFields", "resourceVersion", "generation"};
    const Json old_metadata = before["metadata"];
    const Json new_metadata = after["metadata"];
    return kube::equal_but_for(before, after, kObject) && kube::equal_but_for(old_metadata, new_metadata, kMetadata) &&
           same_managers(old_metadata["managedFields"], new_metadata["managedFields"]);
}

}  // namespace

bool changes_something(const kube::Review& review) {
    if (review.sub_resource == "status" || review.sub_resource == "token" || follows_what_runs(review.resource)) return false;
    return review.operation != kube::Operation::update || !same_but_for_upkeep(review.old_object, review.object);
}

}  // namespace fluxgate::webhook
