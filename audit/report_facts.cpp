#include "audit/report_facts.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "audit/record_reading.hpp"
#include "base/grouped.hpp"

namespace fluxgate::audit {

namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

// Between the end of a heartbeat's interval and the begin of the next one lies what it takes to write.
constexpr seconds kTouch{2};
constexpr std::size_t kSpansMax = 20'000;

std::string words_of(const Record& record) {
    std::string text;
    for (const auto& [key, value] : record.facts) text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", key, value);
    for (const std::string& detail : record.details) text += (text.empty() ? "" : "; ") + detail;
    return text;
}

// "production/only-git until 2026-…": the end is what the policy plans, not what happened.
std::string lock_of(const std::string& detail) { return detail.substr(0, detail.find(" until ")); }

class FactsReader {
public:
    explicit FactsReader(const ReportOptions& options) : options_(options) {
        facts_.period = {options.from, options.to};
        facts_.column =
            std::max(microseconds{1}, (options.to - options.from + microseconds(ReportFacts::kColumns - 1)) / ReportFacts::kColumns);
    }

    void add(const StoredRecord& stored, const Record& record) {
        stored_ = &stored;
        record_ = &record;
        ++facts_.records_read;
        if (!facts_.oldest) {
            facts_.oldest = record.time;
            facts_.oldest_index = stored.index;
        }
        follow_sequences();
        if (record.time >= options_.to) return follow_beyond_the_end();
        inside_ = record.time >= options_.from;
        if (inside_) count_record();
        follow_replica();
        follow_policy_set();
        if (!record.event.empty()) add_event();
        if (inside_ && (record.event.empty() || is_repeat(record))) add_write();
    }

    ReportFacts finish() {
        for (auto& [key, mode] : open_modes_) keep_mode(key, mode, std::min(options_.to, options_.now), true);
        const TimeSpan period{options_.from, std::min(options_.to, options_.now)};
        facts_.accountable = period;
        if (facts_.oldest && *facts_.oldest > period.from) facts_.accountable.from = std::min(*facts_.oldest, period.to);
        std::vector<TimeSpan> all;
        for (auto& [name, replica] : facts_.replicas) {
            replica.serving = united(std::move(replica.serving), kTouch);
            for (const TimeSpan& span : replica.serving) {
                if (const auto part = clipped(span, facts_.accountable)) all.push_back(*part);
            }
        }
        facts_.served = united(std::move(all), kTouch);
        return std::move(facts_);
    }

private:
    std::string citation() const { return citation_of(*stored_, record_->replica); }
    HappenedEvent happened() const {
        return {record_->time, record_->event, record_->replica, words_of(*record_), record_->policy_set, citation()};
    }

    void count_record() {
        ++facts_.records;
        if (stored_->index) {
            if (!facts_.first_index) facts_.first_index = stored_->index;
            facts_.last_index = stored_->index;
        } else {
            ++facts_.without_index;
        }
        if (!record_->cluster.empty() && facts_.clusters.size() < ReportFacts::kNamesMax) facts_.clusters.insert(record_->cluster);
    }

    // Over the whole log, because a hole before the period is a hole too.
    void follow_sequences() {
        if (stored_->index) {
            if (last_index_ && *stored_->index != *last_index_ + 1)
                facts_.sequence_holes.add({"log index", *last_index_, *stored_->index, record_->time}, ReportFacts::kListMax);
            last_index_ = stored_->index;
        }
    }

    ReplicaFacts* replica() {
        const auto found = facts_.replicas.find(record_->replica);
        if (found != facts_.replicas.end()) return &found->second;
        if (facts_.replicas.size() >= ReportFacts::kReplicasMax) {
            ++facts_.replicas_left_out;
            return nullptr;
        }
        ReplicaFacts& fresh = facts_.replicas[record_->replica];
        fresh.first_heard = record_->time;
        fresh.last_heard = record_->time;
        return &fresh;
    }

    void follow_replica() {
        ReplicaFacts* const found = replica();
        if (found == nullptr) return;
        ReplicaFacts& facts = *found;
        const Record& record = *record_;
        if (record.sequence > 0) {
            if (facts.last_sequence > 0 && record.sequence != facts.last_sequence + 1) {
                facts_.sequence_holes.add({"replica " + record.replica, facts.last_sequence, record.sequence, record.time},
                                          ReportFacts::kListMax);
            }
            facts.last_sequence = record.sequence;
        }
        if (record.time < facts.last_heard) {
            const microseconds step = facts.last_heard - record.time;
            // Records of one batch may have been made in another order than they were written.
            if (inside_ && step > seconds{1}) {
                ++facts_.clock_steps_back;
                facts_.clock_step_worst = std::max(facts_.clock_step_worst, step);
                cite(facts_.clock_citations, *stored_, record.replica);
            }
        }
        if (inside_) ++facts.records;
        if (record.event == "started") {
            if (facts.running) {
                if (inside_) ++facts.crashes;
                end_modes_of(record.replica, facts.last_heard);
            }
            facts.running = true;
            if (inside_) ++facts.starts;
            serve(facts, record.time, record.time);
        } else if (record.event == "stopped") {
            if (record.time - facts.last_heard <= options_.silence_max) serve(facts, facts.last_heard, record.time);
            facts.running = false;
            if (inside_) ++facts.stops;
            end_modes_of(record.replica, record.time);
        } else if (record.event == "heartbeat") {
            facts.running = true;
            serve(facts, begin_of_heartbeat(), record.time);
            if (inside_) {
                count_heartbeat(facts.heartbeats);
                count_heartbeat(facts_.heartbeats);
            }
        }
        facts.last_heard = std::max(facts.last_heard, record.time);
    }

    // No interval is longer than the silence that would be noticed: a false one must not paper over a gap.
    WallTime begin_of_heartbeat() const {
        const auto since = parse_rfc3339(fact_of(*record_, "since"));
        return since && *since <= record_->time ? std::max(*since, record_->time - options_.silence_max) : record_->time;
    }

    // The first heartbeat after the period speaks for its last minute.
    void follow_beyond_the_end() {
        const auto found = facts_.replicas.find(record_->replica);
        if (record_->event == "heartbeat" && found != facts_.replicas.end() && begin_of_heartbeat() < options_.to)
            serve(found->second, begin_of_heartbeat(), record_->time);
    }

    void serve(ReplicaFacts& facts, WallTime from, WallTime to) {
        if (!facts.serving.empty() && from >= facts.serving.back().from && from <= facts.serving.back().to + kTouch) {
            facts.serving.back().to = std::max(facts.serving.back().to, to);
        } else if (facts.serving.size() < kSpansMax) {
            facts.serving.push_back({from, to});
        } else {
            ++facts.spans_left_out;
        }
    }

    void count_heartbeat(Heartbeats& heartbeats) const {
        ++heartbeats.count;
        for (const auto& [key, value] : record_->counters) {
            if (key == "uptimeSeconds") continue;
            if (heartbeats.sums.size() < 32 || heartbeats.sums.contains(key)) heartbeats.sums[key] += value;
        }
    }

    void follow_policy_set() {
        if (record_->policy_set.empty()) return;
        if (!inside_) facts_.set_at_begin = record_->policy_set;
        if (facts_.set_at_begin.empty()) facts_.set_at_begin = record_->policy_set;
        facts_.set_at_end = record_->policy_set;
    }

    void add_event() {
        const std::string& event = record_->event;
        if (event == "learn-begun") return begin_modes(ModeInterval::Kind::learn);
        if (event == "audit-mode-begun") return begin_modes(ModeInterval::Kind::audit_mode);
        if (event == "learn-ended") return end_modes(ModeInterval::Kind::learn);
        if (event == "audit-mode-ended") return end_modes(ModeInterval::Kind::audit_mode);
        if (event == "gap") add_gap();
        if (!inside_) return;
        Capped<HappenedEvent>* list = nullptr;
        if (event == "policy-set-loaded" || event == "policy-set-refused") list = &facts_.policy_events;
        if (event == "started" || event == "stopped") list = &facts_.lives;
        if (event == "signing-key-changed" || event == "epoch-begun") list = &facts_.keys;
        if (event == "retention-applied") list = &facts_.retention;
        if (event == "certificate-loaded") list = &facts_.certificates;
        if (list != nullptr) list->add(happened(), ReportFacts::kListMax);
    }

    void add_gap() {
        const auto from = parse_rfc3339(fact_of(*record_, "from"));
        const auto to = parse_rfc3339(fact_of(*record_, "to"));
        if (from && to && *from <= *to) {
            const auto part = clipped({*from, *to}, facts_.period);
            if (!part) return;
            if (facts_.gap_spans.size() < ReportFacts::kListMax) facts_.gap_spans.push_back(*part);
        } else if (!inside_) {
            return;
        }
        HappenedEvent event = happened();
        if (const std::uint64_t missing = counter_of(*record_, "records"); missing > 0)
            event.says += fmt::format("; records missing: {}", grouped(missing));
        facts_.gaps.add(std::move(event), ReportFacts::kListMax);
    }

    // --- intervals in which a lock learned or only watched; every replica tells its own -------------------------------
    struct OpenMode {
        WallTime from{};
        std::set<std::string> replicas{};
        std::string record{};
    };
    using ModeKey = std::pair<ModeInterval::Kind, std::string>;

    void begin_modes(ModeInterval::Kind kind) {
        for (const std::string& detail : record_->details) {
            const auto [open, is_new] = open_modes_.try_emplace(ModeKey{kind, lock_of(detail)});
            if (is_new) {
                open->second.from = record_->time;
                open->second.record = citation();
            }
            open->second.replicas.insert(record_->replica);
            if (open_modes_.size() > ReportFacts::kListMax) open_modes_.erase(open);
        }
    }

    void end_modes(ModeInterval::Kind kind) {
        for (const std::string& detail : record_->details) {
            const auto open = open_modes_.find(ModeKey{kind, lock_of(detail)});
            if (open != open_modes_.end()) leave_mode(open, record_->replica, record_->time);
        }
    }

    void end_modes_of(const std::string& replica_name, WallTime time) {
        for (auto open = open_modes_.begin(); open != open_modes_.end();) open = leave_mode(open, replica_name, time);
    }

    std::map<ModeKey, OpenMode>::iterator leave_mode(std::map<ModeKey, OpenMode>::iterator open, const std::string& replica_name,
                                                     WallTime time) {
        open->second.replicas.erase(replica_name);
        if (!open->second.replicas.empty()) return std::next(open);
        keep_mode(open->first, open->second, time, false);
        return open_modes_.erase(open);
    }

    void keep_mode(const ModeKey& key, const OpenMode& mode, WallTime end, bool open) {
        const auto part = clipped({mode.from, std::max(mode.from, end)}, facts_.period);
        if (part) facts_.modes.add({key.first, key.second, *part, open, mode.record}, ReportFacts::kListMax);
    }

    // --- writes ------------------------------------------------------------------------------------------------------------
    void add_write() {
        const Record& record = *record_;
        const bool denied = is_denial(record);
        const std::uint64_t times = requests_of(record);
        const Tally::Event event{*stored_, record.replica, record.time, denied, times};
        const std::string object = object_of(record);

        for (const RecordedViolation& violation : record.violations) facts_.rules.add({violation.policy + "/" + violation.rule}, event);
        for (const std::string& tag : record.compliance) facts_.tags.add({tag}, event);
        if (denied) facts_.denied_users.add({record.username}, event);
        for (const std::string& exception : record.exceptions) facts_.exceptions.add({exception, object}, event);
        if (!record.policy_set.empty()) facts_.sets.add({record.policy_set}, event);
        if (record.assurance == "impersonated" || record.assurance == "none")
            facts_.impersonations.add({record.username, record.assurance}, event);
        if (!record.command.empty()) facts_.commands.add({record.username, object, record.command}, event);
        if (record.truncated) ++facts_.truncated;
        if (!record.drift_case.empty()) {
            ++facts_.drift_writes;
            facts_.drift.add({record.drift_case}, event);
        }
        if (!record.error.empty()) {
            facts_.errors += times;
            cite(facts_.error_citations, *stored_, record.replica);
        }
        if (!denied) {
            for (const RecordedViolation& violation : record.violations) {
                if (violation.action != "Deny")
                    facts_.exempt.add({violation.policy + "/" + violation.rule, violation.action, record.namespace_name}, event);
            }
        }
        if (!record.write_class.empty()) facts_.namespaces.add({record.write_class, record.namespace_name}, event);
        // The first denial said which class it was; of a repeat, the rule tells.
        const bool past_git = record.write_class == "exceptional" || is_escape(record);
        if (past_git || (record.write_class.empty() && is_repeat(record) && !is_workload_repeat())) {
            add_attempt(event, object);
        } else {
            add_other(event);
        }
    }

    // Repeats carry no class. Where the first denial is known to have been of another class than exceptional, so are they.
    bool is_workload_repeat() const { return workload_denials_.contains(fact_of(*record_, "first")); }

    void add_attempt(const Tally::Event& event, const std::string& object) {
        const Record& record = *record_;
        facts_.attempts.add({record.username, record.field_manager, record.operation}, event);
        facts_.users.add({record.username}, event);
        facts_.objects.add({object}, event);
        facts_.kinds.add({record.kind.empty() ? record.resource : record.kind}, event);
        const auto column = static_cast<std::size_t>((record.time - options_.from) / facts_.column);
        if (event.denied) {
            facts_.stopped += event.times;
            if (is_repeat(record)) facts_.repeated += event.times;
            facts_.stopped_over_time[column] += event.times;
            cite(facts_.stopped_citations, *stored_, record.replica);
            return;
        }
        const Passed why = passed_by(record);
        ++facts_.passed[static_cast<std::size_t>(why)];
        facts_.passed_over_time[column] += event.times;
        cite(facts_.passed_citations, *stored_, record.replica);
        facts_.let_through.add({record.username, record.operation, object, why_text(why)}, event);
        for (const RecordedGrant& grant : record.grants) add_grant_use(grant, object);
    }

    std::string why_text(Passed why) const {
        if (why == Passed::grant) return "grant " + record_->grants.front().name;
        if (why == Passed::allowance) return "allowance " + record_->allowance;
        return std::string(to_string(why));
    }

    void add_grant_use(const RecordedGrant& grant, const std::string& object) {
        const auto found = facts_.grants.find(grant.digest);
        if (found == facts_.grants.end() && facts_.grants.size() >= ReportFacts::kListMax) {
            ++facts_.grants_left_out;
            return;
        }
        GrantFacts& facts = facts_.grants[grant.digest];
        if (facts.uses++ == 0) {
            facts.grant = grant;
            facts.first = record_->time;
        }
        facts.last = std::max(facts.last, record_->time);
        if (facts.users.size() < ReportFacts::kNamesMax) facts.users.insert(record_->username);
        if (facts.objects.size() < ReportFacts::kNamesMax) facts.objects.insert(object);
        cite(facts.citations, *stored_, record_->replica);
    }

    void add_other(const Tally::Event& event) {
        const Record& record = *record_;
        if (record.write_class == "routine") facts_.kinds.add({record.kind.empty() ? record.resource : record.kind}, event);
        if (event.denied) {
            facts_.workload_denied += event.times;
            if (record.event.empty()) remember_workload_denial(record.id);
        } else if (record.write_class == "routine") {
            ++facts_.routine_allowed;
            facts_.sources.add({record.owner, record.owner_source, record.writer}, event);
        } else {
            ++facts_.unguarded_allowed;
        }
    }

    // Repeats follow within a minute, so the last ones are enough.
    void remember_workload_denial(const std::string& id) {
        constexpr std::size_t kRememberedMax = 10'000;
        if (workload_denials_.size() >= kRememberedMax) workload_denials_.clear();
        workload_denials_.insert(id);
    }

    const ReportOptions& options_;
    ReportFacts facts_{};
    const StoredRecord* stored_ = nullptr;
    const Record* record_ = nullptr;
    bool inside_ = false;
    std::optional<std::uint64_t> last_index_{};
    std::map<ModeKey, OpenMode> open_modes_{};
    std::set<std::string> workload_denials_{};
};

}  // namespace

std::string_view to_string(Passed passed) {
    switch (passed) {
        case Passed::grant: return "break-glass grant";
        case Passed::allowance: return "allowance";
        case Passed::learning: return "lock was learning";
        case Passed::observed: return "rule only warned or recorded";
        case Passed::impersonated: return "accepted as impersonated";
        case Passed::undeclared: return "field that Git does not declare";
    }
    return "";
}

Passed passed_by(const Record& record) {
    if (!record.grants.empty()) return Passed::grant;
    if (!record.allowance.empty()) return Passed::allowance;
    if (record.learned) return Passed::learning;
    if (!record.violations.empty()) return Passed::observed;
    if (record.assurance == "impersonated") return Passed::impersonated;
    return Passed::undeclared;
}

std::uint64_t Heartbeats::sum(const std::string& counter) const {
    const auto found = sums.find(counter);
    return found == sums.end() ? 0 : found->second;
}

std::uint64_t ReportFacts::let_through_count() const { return std::accumulate(passed.begin(), passed.end(), std::uint64_t{0}); }

std::vector<TimeSpan> united(std::vector<TimeSpan> spans, microseconds touch) {
    std::sort(spans.begin(), spans.end(), [](const TimeSpan& left, const TimeSpan& right) { return left.from < right.from; });
    std::vector<TimeSpan> all;
    for (const TimeSpan& span : spans) {
        if (!all.empty() && span.from <= all.back().to + touch) {
            all.back().to = std::max(all.back().to, span.to);
        } else {
            all.push_back(span);
        }
    }
    return all;
}

std::vector<TimeSpan> holes(const std::vector<TimeSpan>& spans, const TimeSpan& within) {
    std::vector<TimeSpan> open;
    WallTime at = within.from;
    for (const TimeSpan& span : spans) {
        if (span.to <= at) continue;
        if (span.from >= within.to) break;
        if (span.from > at) open.push_back({at, span.from});
        at = span.to;
    }
    if (at < within.to) open.push_back({at, within.to});
    return open;
}

microseconds total(const std::vector<TimeSpan>& spans) {
    microseconds sum{};
    for (const TimeSpan& span : spans) sum += span.to - span.from;
    return sum;
}

std::optional<TimeSpan> clipped(const TimeSpan& span, const TimeSpan& within) {
    const TimeSpan part{std::max(span.from, within.from), std::min(span.to, within.to)};
    if (part.from > part.to) return std::nullopt;
    return part;
}

Result<ReportFacts> gather_facts(const Records& records, const ReportOptions& options) {
    FactsReader reader(options);
    const auto read = records([&](const StoredRecord& stored) -> Result<bool> {
        auto record = parse_record(stored.text);
        if (!record) {
            Error error = std::move(record.error());
            error.where = error.where.empty() ? stored.where() : stored.where() + ", " + error.where;
            return tl::unexpected(std::move(error));
        }
        reader.add(stored, *record);
        return true;
    });
    if (!read) return tl::unexpected(read.error());
    return reader.finish();
}

}  // namespace fluxgate::audit
