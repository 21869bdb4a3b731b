#include "policy/lock/learning.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace fluxgate::policy {

std::string to_string(const LearningLock& lock) {
    return fmt::format("{}/{} until {}", lock.policy, lock.rule, format_rfc3339(lock.until));
}

std::vector<LearningLock> learning_at(const PolicySet& set, WallTime now) {
    std::vector<LearningLock> learning;
    for (const Policy& policy : set.policies) {
        for (const Rule& rule : policy.rules) {
            const auto* lock = std::get_if<LockRule>(&rule.body);
            if (lock && lock->learn_until && now < *lock->learn_until) learning.push_back({policy.name, rule.name, *lock->learn_until});
        }
    }
    return learning;
}

LearningChange compare_learning(const std::vector<LearningLock>& before, const std::vector<LearningLock>& now) {
    const auto missing_in = [](const std::vector<LearningLock>& others, const std::vector<LearningLock>& locks) {
        std::vector<std::string> names;
        for (const LearningLock& lock : locks) {
            if (std::find(others.begin(), others.end(), lock) == others.end()) names.push_back(to_string(lock));
        }
        return names;
    };
    return {missing_in(before, now), missing_in(now, before)};
}

}  // namespace fluxgate::policy
