#include "policy/lock/learning.hpp"

#include <fmt/format.h>

namespace fluxgate::policy {

std::vector<std::string> learning_at(const PolicySet& set, WallTime now) {
    std::vector<std::string> learning;
    for (const Policy& policy : set.policies) {
        for (const Rule& rule : policy.rules) {
            const auto* lock = std::get_if<LockRule>(&rule.body);
            if (lock && lock->learn_until && now < *lock->learn_until)
                learning.push_back(fmt::format("{}/{} until {}", policy.name, rule.name, format_rfc3339(*lock->learn_until)));
        }
    }
    return learning;
}

}  // namespace fluxgate::policy
