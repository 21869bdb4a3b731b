#pragma once

// How often this replica has let a break-glass grant be used: what `maxUses` is held against. It begins with the uses that the
// replica's own records tell of (audit/used_grants.hpp), so a restart forgets none.
//
// A use counts when the write is let through and before it is recorded; if the record then fails, the write is refused and the use
// stays counted until the next start: rather one use too few than one too many. What ended more than a day ago is forgotten.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/snapshot_cell.hpp"
#include "policy/context.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::webhook {

// A resource; any number of threads.
class GrantUses {
public:
    // `now` is the time up to which `so_far` tells.
    explicit GrantUses(policy::GrantCounts so_far = {}, WallTime now = {});

    // For the evaluation of one review. Never changes once handed out.
    std::shared_ptr<const policy::GrantCounts> counts() const { return counts_.load(); }

    // One use more of each, or, if any of them is used up by now, of none: then false, and the review is to be judged again.
    bool take(const std::vector<policy::UsedGrant>& grants, WallTime now);

private:
    std::mutex mutex_;                                   // of `take`; readers have a snapshot
    std::map<std::string, WallTime, std::less<>> ends_;  // of each grant that is counted
    SnapshotCell<policy::GrantCounts> counts_;
};

}  // namespace fluxgate::webhook
