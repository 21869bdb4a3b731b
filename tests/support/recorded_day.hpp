#pragma once

// A day in the life of a cluster, as its audit log would have it: two replicas, a Flux that deploys, people and pipelines that are denied,
// break-glass at night, a policy change, a lock that learns, a crash, a lost heartbeat, and names that an attacker chose. Made by a seed:
// the same seed makes the same day. For tests that need many records, and for looking at a report.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/record.hpp"
#include "base/clock.hpp"

namespace fluxgate::testing {

inline constexpr WallTime kDayBegin{std::chrono::seconds{1'795'132'800}};  // 2026-11-20T00:00:00Z

struct DayOptions {
    std::uint64_t seed = 1;
    WallTime begin = kDayBegin;    // midnight
    std::size_t changes = 12'000;  // by Flux
    std::size_t denials = 2'500;
};

// What its policy sets are, as text.
inline constexpr std::array<std::string_view, 2> kPolicySets{"the first set", "the second set"};

// In the order of the log, with the sequences of their replicas.
std::vector<audit::Record> recorded_day(const DayOptions& options);

// The texts of records, each at its index.
std::vector<std::string> texts_of(const std::vector<audit::Record>& records);

}  // namespace fluxgate::testing
