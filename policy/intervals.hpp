#pragma once

// When enforcement is less than policies say at other times: a lock learns (policy/lock/learning.hpp), a policy looks on
// (policy/audit_mode.hpp). Each such interval is one line of text, and its begin and end are events of the audit log. Values.

#include <string>
#include <vector>

namespace fluxgate::policy {

// One that is described in another way than before has ended and begun.
struct IntervalChange {
    std::vector<std::string> begun{};
    std::vector<std::string> ended{};
};
IntervalChange compare_intervals(const std::vector<std::string>& before, const std::vector<std::string>& now);

}  // namespace fluxgate::policy
