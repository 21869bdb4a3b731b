#include "webhook/grant_uses.hpp"

#include <algorithm>
#include <utility>

namespace fluxgate::webhook {

GrantUses::GrantUses(policy::GrantCounts so_far) : counts_(std::make_shared<const policy::GrantCounts>(std::move(so_far))) {}

bool GrantUses::take(const std::vector<policy::UsedGrant>& grants) {
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<policy::GrantCounts>(*counts_.load());
    const bool left = std::all_of(grants.begin(), grants.end(), [&](const policy::UsedGrant& grant) {
        const std::uint64_t uses = ++(*next)[grant.digest];
        return !grant.max_uses || uses <= *grant.max_uses;
    });
    if (left) counts_.store(std::move(next));
    return left;
}

}  // namespace fluxgate::webhook
