#pragma once

// Day-2 work that leaves no drift, allowed to some people by the lock itself: `allowances`. What is allowed is recorded before
// it happens. An allowance never opens the rule `escape`. Compiled once; any number of threads may read it.
//
// Work is recognised exactly: a request that does one thing more than its word says is none of it. What each word means:
//   restart       UPDATE of a Deployment, StatefulSet or DaemonSet that changes kubectl.kubernetes.io/restartedAt in the pod
//                 template and nothing else, under a field manager whose fields Flux leaves alone (those of kubectl it drops, which
//                 restarts everything once more: fluxcd/pkg ssa/manager_apply.go, `--field-manager` in kustomizations.md)
//   delete-pod    DELETE of a Pod that a controller makes again; of collections too
//   evict         CREATE pods/eviction
//   run-cronjob   CREATE of a Job as `kubectl create job --from=cronjob/…` makes it (cron_job_run.hpp)
//   port-forward, exec, attach, proxy   CONNECT to that subresource of a Pod
//   debug         UPDATE pods/ephemeralcontainers that only adds containers

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

// `allowances` of a lock; none if absent.
std::vector<Allowance> decode_allowances(Mapping& fields);

// What the request is meant to be, as day-2 work, if anything.
struct DayTwoWork {
    std::optional<DayTwoAction> action{};
    std::string obstacle{};  // what keeps it from being exactly that, and what to do instead; empty if it is
};
DayTwoWork recognise_day_two_work(const kube::Review& review, const Context& context);

// May the caller do this? A service account must prove at least with a token that it is one.
bool is_allowed(const std::vector<Allowance>& allowances, const kube::UserInfo& user, DayTwoAction action);

// The day-2 work that this request is, if it is exactly that and the caller may do it. Else nullopt, and `why_not` says what an
// allowed caller should do instead; empty if there is nothing to say.
std::optional<DayTwoAction> find_allowance(const std::vector<Allowance>& allowances, const kube::Review& review, const Context& context,
                                           std::string& why_not);

}  // namespace fluxgate::policy
