#include "cli/heartbeat.hpp"

#include <map>

#include "audit/record.hpp"
#include "cli/events.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{std::chrono::microseconds{1'796'436'600'000'000}};
constexpr Heartbeat::Steady kSteady{1000s};

std::map<std::string, std::uint64_t> counters_of(const Event& event) { return {event.counters.begin(), event.counters.end()}; }

}  // namespace

TEST_CASE("a heartbeat comes every minute by the clock that does not jump, and once after a sleep") {
    Heartbeat heartbeat(kNow, kSteady);
    CHECK_FALSE(heartbeat.beat(kNow + 24h, kSteady + 59'999ms, {}));
    const auto first = heartbeat.beat(kNow + 60s, kSteady + 60s, {});
    REQUIRE(first);
    CHECK(first->facts[0] == std::pair<std::string, std::string>{"since", format_rfc3339(kNow)});
    CHECK(counters_of(*first)["uptimeSeconds"] == 60);
    CHECK_FALSE(heartbeat.beat(kNow + 61s, kSteady + 61s, {}));
    const auto late = heartbeat.beat(kNow + 1h, kSteady + 1h, {});
    REQUIRE(late);
    CHECK(late->facts[0].second == format_rfc3339(kNow + 60s));
    CHECK_FALSE(heartbeat.beat(kNow + 1h + 1s, kSteady + 1h + 1s, {}));
}

TEST_CASE("a heartbeat has what was counted since the one before, and the last one the rest") {
    Heartbeat heartbeat(kNow, kSteady);
    webhook::Totals totals{.routine = {10, 1},
                           .exceptional = {2, 3},
                           .unguarded = {4, 5},
                           .dry_run = 6,
                           .errors = 7,
                           .repeated = 8,
                           .recorded = 9,
                           .unrecorded = 11,
                           .without_record = 12};
    CHECK(counters_of(*heartbeat.beat(kNow + 60s, kSteady + 60s, totals)) ==
          std::map<std::string, std::uint64_t>{{"seen", 25},
                                               {"routineAllowed", 10},
                                               {"routineDenied", 1},
                                               {"exceptionalAllowed", 2},
                                               {"exceptionalDenied", 3},
                                               {"unguardedAllowed", 4},
                                               {"unguardedDenied", 5},
                                               {"dryRun", 6},
                                               {"errors", 7},
                                               {"repeated", 8},
                                               {"recorded", 9},
                                               {"unrecorded", 11},
                                               {"deniedWithoutRecord", 12},
                                               {"uptimeSeconds", 60}});
    totals.routine.allowed += 5;
    totals.unrecorded += 1;
    auto last = counters_of(heartbeat.last_beat(kNow + 70s, kSteady + 70s, totals));
    CHECK(last["seen"] == 5);
    CHECK(last["routineAllowed"] == 5);
    CHECK(last["unrecorded"] == 1);
    CHECK(last["errors"] == 0);
    CHECK(last["uptimeSeconds"] == 70);
}

TEST_CASE("every event is a record that can be read back, named after what happened and when") {
    const certs::CertificateInfo certificate{.subject = "CN=fluxgate",
                                             .dns_names = {},
                                             .ip_addresses = {},
                                             .not_before = kNow,
                                             .not_after = kNow + 24h,
                                             .key_type = "EC P-256",
                                             .fingerprint = "sha256:00"};
    struct Row {
        Event event;
        std::vector<std::pair<std::string, std::string>> facts;
        std::vector<std::pair<std::string, std::uint64_t>> counters;
    };
    const std::vector<Row> rows{
        {started_event("1.2.3", "0.0.0.0:9443", 17), {{"listen", "0.0.0.0:9443"}, {"version", "1.2.3"}}, {{"sequence", 17}}},
        {stopped_event("SIGTERM", 2), {{"reason", "SIGTERM"}}, {{"requestsCutOff", 2}}},
        {certificate_event(certificate),
         {{"fingerprint", "sha256:00"}, {"notAfter", format_rfc3339(kNow + 24h)}, {"subject", "CN=fluxgate"}},
         {}},
        {cut_event({.next_sequence = 18, .cut = "wal/cut/1-2.bytes", .cut_bytes = 99}),
         {{"from", "18"}, {"reason", "a crash left 99 bytes of records that were never acknowledged; they are kept in wal/cut/1-2.bytes"}},
         {}},
    };
    for (const Row& row : rows) {
        INFO(row.event.name);
        const auto parsed = audit::parse_record(audit::encode(to_record(row.event, kNow, "sha256:01", {"prod", "r-0"}), 48u << 10).text(1));
        REQUIRE(parsed.has_value());
        CHECK(parsed->event == row.event.name);
        CHECK(parsed->id == row.event.name + "-1796436600000000");
        CHECK(parsed->time == kNow);
        CHECK(parsed->facts == row.facts);
        CHECK(parsed->counters == row.counters);
        CHECK(parsed->policy_set == "sha256:01");
        CHECK(parsed->cluster == "prod");
        CHECK(parsed->replica == "r-0");
    }
}
