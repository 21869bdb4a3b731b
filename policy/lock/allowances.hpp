#pragma once

// Day-2 work that leaves no drift, allowed to groups of people by the lock itself: `allowances`. What is allowed is recorded before
// it happens. An allowance never opens the rule `escape`. Compiled once; any number of threads may read it.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/decode.hpp"
#include "policy/match.hpp"

namespace fluxgate::policy {

// The words of `actions`.
enum class DayTwoAction : std::uint8_t { restart, delete_pod, evict, run_cronjob, port_forward, exec, attach, debug, proxy };
inline constexpr std::array<std::string_view, 9> kDayTwoActions{"restart", "delete-pod", "evict", "run-cronjob", "port-forward",
                                                                "exec",    "attach",     "debug", "proxy"};
inline std::string_view to_string(DayTwoAction action) { return kDayTwoActions[static_cast<std::size_t>(action)]; }

struct Allowance {
    std::vector<Subject> subjects{};  // whole names, no patterns
    std::vector<DayTwoAction> actions{};

    static Allowance decode(Mapping& fields);
};

// What the request is, as day-2 work; and if it nearly is, what keeps it from being that: "restart: use --field-manager=…".
struct DayTwoWork {
    std::optional<DayTwoAction> action{};
    std::string hint{};
};
DayTwoWork recognise_day_two_work(const kube::Review& review, const Context& context);

// May the caller do this?
bool is_allowed(const std::vector<Allowance>& allowances, const kube::UserInfo& user, DayTwoAction action);

}  // namespace fluxgate::policy
