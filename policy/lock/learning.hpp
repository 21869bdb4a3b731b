#pragma once

// When locks learn who writes (`learnUntil`): while one does, it is not enforced in full, so each interval is an event of the audit
// log. Values; `serve` compares what it saw last with what is now. The rule itself is in policy/evaluate.cpp, who is learned in
// policy/lock/lock.hpp.

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

struct LearningLock {
    std::string policy;
    std::string rule;
    WallTime until{};

    friend bool operator==(const LearningLock&, const LearningLock&) = default;
};
std::string to_string(const LearningLock& lock);  // "production/only-git until 2026-12-08T00:00:00.000000Z"

// Those that learn at this time, in the order of the set.
std::vector<LearningLock> learning_at(const PolicySet& set, WallTime now);

// One that learns until another time than before has ended and begun.
struct LearningChange {
    std::vector<std::string> begun{};
    std::vector<std::string> ended{};
};
LearningChange compare_learning(const std::vector<LearningLock>& before, const std::vector<LearningLock>& now);

}  // namespace fluxgate::policy
