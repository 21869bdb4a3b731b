#pragma once

// What Kubernetes' subresources are to the lock: what a review of one shows, whether a dry run of it does nothing, and which day-2
// work can open it. One table, for the code, for its tests and for docs/reference/rules/lock.md.
//
// A subresource that is not in it is refused like any other to who is no writer, passes for writers whose `may` names it (or all
// subresources), and is judged as real in a dry run. Who may do what is said by the writer profiles (writers.hpp).
// https://kubernetes.io/docs/reference/using-api/api-concepts/

#include <optional>
#include <span>
#include <string_view>

#include "policy/lock/allowances.hpp"

namespace fluxgate::policy {

struct SubResource {
    std::string_view name{};
    std::string_view shows{};  // what the review holds as its object
    // A dry run stores nothing and does nothing else. Not so for a token, which works, and for what is no stored object.
    bool dry_run_stores_nothing = false;
    std::optional<DayTwoAction> opened_by{};
};

std::span<const SubResource> sub_resources();
const SubResource* find_sub_resource(std::string_view name);  // nullptr if this version does not know it

}  // namespace fluxgate::policy
