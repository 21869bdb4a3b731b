#include "policy/intervals.hpp"

#include <algorithm>

namespace fluxgate::policy {

IntervalChange compare_intervals(const std::vector<std::string>& before, const std::vector<std::string>& now) {
    const auto missing_in = [](const std::vector<std::string>& others, const std::vector<std::string>& intervals) {
        std::vector<std::string> missing;
        for (const std::string& interval : intervals) {
            if (std::find(others.begin(), others.end(), interval) == others.end()) missing.push_back(interval);
        }
        return missing;
    };
    return {missing_in(before, now), missing_in(now, before)};
}

}  // namespace fluxgate::policy
