#pragma once

// What the records of a period say, counted: the first half of audit/report.hpp, which puts it into words. Records before the period
// count only for what was in force at its begin.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "audit/record.hpp"
#include "audit/report.hpp"
#include "audit/report_tally.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

struct TimeSpan {
    WallTime from{};
    WallTime to{};

    friend bool operator==(const TimeSpan&, const TimeSpan&) = default;
};

// Overlapping and touching spans become one; in order of time. Spans that are less than `touch` apart touch.
std::vector<TimeSpan> united(std::vector<TimeSpan> spans, std::chrono::microseconds touch);
// What of `within` the spans, united before, leave open.
std::vector<TimeSpan> holes(const std::vector<TimeSpan>& spans, const TimeSpan& within);
std::chrono::microseconds total(const std::vector<TimeSpan>& spans);
std::optional<TimeSpan> clipped(const TimeSpan& span, const TimeSpan& within);

// A list that keeps the first rows and counts the rest.
template <class Row>
struct Capped {
    std::vector<Row> rows{};
    std::uint64_t more = 0;

    void add(Row row, std::size_t most) {
        if (rows.size() < most) {
            rows.push_back(std::move(row));
        } else {
            ++more;
        }
    }
    std::uint64_t count() const { return rows.size() + more; }
};

// An event as a report lists it.
struct HappenedEvent {
    WallTime time{};
    std::string event{};
    std::string replica{};
    std::string says{};  // its facts and details
    std::string policy_set{};
    std::string record{};
};

struct ModeInterval {
    enum class Kind { learn, audit_mode };
    Kind kind = Kind::learn;
    std::string lock{};
    TimeSpan span{};
    bool open = false;  // had not ended at the end of the period
    std::string record{};
};

struct Heartbeats {
    std::uint64_t count = 0;
    std::map<std::string, std::uint64_t> sums{};  // by counter, of the names the record documents

    std::uint64_t sum(const std::string& counter) const;
};

struct ReplicaFacts {
    WallTime first_heard{};  // in or before the period
    WallTime last_heard{};
    std::vector<TimeSpan> serving{};  // shown by heartbeats, starts and stops
    std::uint64_t spans_left_out = 0;
    bool running = false;
    std::uint64_t starts = 0;
    std::uint64_t stops = 0;
    std::uint64_t crashes = 0;  // starts without a stop before
    std::uint64_t records = 0;
    std::uint64_t last_sequence = 0;
    Heartbeats heartbeats{};
};

struct SequenceHole {
    std::string where{};  // "replica fluxgate-0", "log index"
    std::uint64_t after = 0;
    std::uint64_t next = 0;
    WallTime time{};
};

// One of the two ways a record of a write counts.
enum class Passed : std::uint8_t { grant, allowance, learning, observed, impersonated, undeclared };
inline constexpr std::size_t kPassedCount = 6;
std::string_view to_string(Passed passed);
// Why a write past Git was let through.
Passed passed_by(const Record& record);

struct GrantFacts {
    RecordedGrant grant{};
    std::uint64_t uses = 0;
    WallTime first{};
    WallTime last{};
    std::set<std::string> users{};    // at most kNamesMax
    std::set<std::string> objects{};  // at most kNamesMax
    Citations citations{};
};

struct ReportFacts {
    static constexpr std::size_t kListMax = 200;
    static constexpr std::size_t kNamesMax = 20;
    static constexpr std::size_t kReplicasMax = 500;
    static constexpr std::int64_t kColumns = 48;

    TimeSpan period{};
    std::uint64_t records_read = 0;
    std::uint64_t records = 0;  // of the period
    std::uint64_t without_index = 0;
    std::optional<WallTime> oldest{};
    std::optional<std::uint64_t> oldest_index{};
    std::optional<std::uint64_t> first_index{};  // of the period
    std::optional<std::uint64_t> last_index{};
    std::set<std::string> clusters{};

    // Writes that did not come from Git: by no writer of a lock that matched, or refused by the rule escape.
    std::uint64_t stopped = 0;
    std::uint64_t repeated = 0;  // of `stopped`: folded into records of repeats
    std::array<std::uint64_t, kPassedCount> passed{};
    // All other records of writes.
    std::uint64_t workload_denied = 0;
    std::uint64_t routine_allowed = 0;
    std::uint64_t unguarded_allowed = 0;
    std::uint64_t errors = 0;
    std::uint64_t drift_writes = 0;
    std::uint64_t truncated = 0;

    std::chrono::microseconds column{1};  // what one of these covers
    std::array<std::uint64_t, kColumns> stopped_over_time{};
    std::array<std::uint64_t, kColumns> passed_over_time{};

    Tally attempts{};      // user, manager
    Tally users{};         // of attempts
    Tally objects{};       // of attempts
    Tally let_through{};   // user, object, operation, why
    Tally rules{};         // of all violations
    Tally denied_users{};  // of all denials
    Tally exceptions{};    // GuardException, object
    Tally sources{};       // owner, source and revision of changes by writers
    Tally namespaces{};    // class, namespace
    Tally kinds{};         // of guarded writes
    Tally sets{};          // policy sets that judged
    Tally tags{};          // compliance
    Tally impersonations{};
    Tally exempt{};    // what passed with violations that only warn or are only recorded: policy/rule, namespace
    Tally commands{};  // of exec: user, object
    Tally drift{};

    Citations stopped_citations{};
    Citations passed_citations{};
    Citations error_citations{};
    std::map<std::string, GrantFacts> grants{};  // by digest, at most kListMax
    std::uint64_t grants_left_out = 0;

    std::map<std::string, ReplicaFacts> replicas{};  // at most kReplicasMax
    std::uint64_t replicas_left_out = 0;
    Heartbeats heartbeats{};
    Capped<ModeInterval> modes{};
    Capped<HappenedEvent> policy_events{};
    Capped<HappenedEvent> lives{};  // starts and stops
    Capped<HappenedEvent> gaps{};
    std::vector<TimeSpan> gap_spans{};
    Capped<HappenedEvent> keys{};  // signing keys and epochs
    Capped<HappenedEvent> retention{};
    Capped<HappenedEvent> certificates{};
    Capped<SequenceHole> sequence_holes{};
    std::uint64_t clock_steps_back = 0;
    std::chrono::microseconds clock_step_worst{};
    Citations clock_citations{};
    std::string set_at_begin{};
    std::string set_at_end{};

    std::uint64_t let_through_count() const;
    std::uint64_t attempts_count() const { return stopped + let_through_count(); }
    // Of the period up to now, when at least one replica showed that it was serving.
    std::vector<TimeSpan> served{};
    TimeSpan accountable{};  // from the begin of the period or of the log, to its end or now
};

Result<ReportFacts> gather_facts(const Records& records, const ReportOptions& options);

}  // namespace fluxgate::audit
