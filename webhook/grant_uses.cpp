#include "webhook/grant_uses.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "policy/lock/grants.hpp"

namespace fluxgate::webhook {

namespace {

// After the end of a grant; a clock may be set back a little.
constexpr std::chrono::hours kKeptAfterTheEnd{24};

}  // namespace

GrantUses::GrantUses(policy::GrantCounts so_far, WallTime now) : counts_(std::make_shared<const policy::GrantCounts>(std::move(so_far))) {
    // Records do not say when a grant ends, but what was used by now lasts no longer than any grant.
    for (const auto& [digest, uses] : *counts_.load()) ends_.emplace(digest, now + policy::kGrantDurationMax);
}

bool GrantUses::take(const std::vector<policy::UsedGrant>& grants, WallTime now) {
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<policy::GrantCounts>(*counts_.load());
    const bool left = std::all_of(grants.begin(), grants.end(), [&](const policy::UsedGrant& grant) {
        const std::uint64_t uses = ++(*next)[grant.digest];
        return !grant.max_uses || uses <= *grant.max_uses;
    });
    if (!left) return false;
    for (const policy::UsedGrant& grant : grants) ends_[grant.digest] = grant.expires_at;
    std::erase_if(ends_, [&](const auto& entry) { return now > entry.second + kKeptAfterTheEnd && next->erase(entry.first) > 0; });
    counts_.store(std::move(next));
    return true;
}

}  // namespace fluxgate::webhook
