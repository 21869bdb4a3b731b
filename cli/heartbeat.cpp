#include "cli/heartbeat.hpp"

namespace fluxgate::cli {

namespace {

std::uint64_t all_of(const webhook::Totals::OfClass& totals) { return totals.allowed + totals.denied; }

std::uint64_t seen(const webhook::Totals& totals) { return all_of(totals.routine) + all_of(totals.exceptional) + all_of(totals.unguarded); }

}  // namespace

std::optional<Event> Heartbeat::beat(WallTime now, Steady steady, const webhook::Totals& totals) {
    if (steady < next_) return std::nullopt;
    // After a sleep of the machine there is one beat, not one for each minute missed: the hole is to be seen.
    next_ = steady + kInterval;
    return last_beat(now, steady, totals);
}

Event Heartbeat::last_beat(WallTime now, Steady steady, const webhook::Totals& totals) {
    const webhook::Totals& before = before_;
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(steady - started_).count();
    Event event{.name = "heartbeat",
                .facts = {{"since", format_rfc3339(since_)}},
                .counters = {{"seen", seen(totals) - seen(before)},
                             {"routineAllowed", totals.routine.allowed - before.routine.allowed},
                             {"routineDenied", totals.routine.denied - before.routine.denied},
                             {"exceptionalAllowed", totals.exceptional.allowed - before.exceptional.allowed},
                             {"exceptionalDenied", totals.exceptional.denied - before.exceptional.denied},
                             {"unguardedAllowed", totals.unguarded.allowed - before.unguarded.allowed},
                             {"unguardedDenied", totals.unguarded.denied - before.unguarded.denied},
                             {"dryRun", totals.dry_run - before.dry_run},
                             {"errors", totals.errors - before.errors},
                             {"repeated", totals.repeated - before.repeated},
                             {"recorded", totals.recorded - before.recorded},
                             {"unrecorded", totals.unrecorded - before.unrecorded},
                             {"deniedWithoutRecord", totals.without_record - before.without_record},
                             {"uptimeSeconds", static_cast<std::uint64_t>(uptime)}}};
    since_ = now;
    before_ = totals;
    return event;
}

}  // namespace fluxgate::cli
