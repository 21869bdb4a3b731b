#include "audit/verify_records.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "audit/record_reading.hpp"

namespace fluxgate::audit {

namespace {

// More than any cluster has; beyond it the story of a replica is not told, which is a note.
constexpr std::size_t kReplicasMax = 10'000;
constexpr std::size_t kPolicySetsMax = 10'000;
constexpr std::size_t kSuspicionsMax = 10'000;
constexpr std::size_t kGapsMax = 100'000;
constexpr std::array<std::string_view, 3> kDenialCounters{"routineDenied", "exceptionalDenied", "unguardedDenied"};

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<WallTime> time_in(std::string_view text) {
    const auto time = parse_rfc3339(text);
    return time ? std::optional(*time) : std::nullopt;
}

std::int64_t seconds_between(WallTime from, WallTime to) { return std::chrono::floor<std::chrono::seconds>(to - from).count(); }

}  // namespace

bool RecordStory::Gap::explains(const Suspicion& suspicion) const {
    if (suspicion.to_sequence > 0) {
        return from_sequence && to_sequence && *from_sequence <= suspicion.from_sequence && *to_sequence >= suspicion.to_sequence;
    }
    if (suspicion.to == WallTime{}) return false;  // neither a hole nor a silence
    return from && to && *from <= suspicion.from + kSilenceMax && *to >= suspicion.to - kSilenceMax;
}

void RecordStory::add(const Record& record, std::optional<std::uint64_t> index) {
    const std::string where = index ? fmt::format("entry {}", *index) : fmt::format("sequence {}", record.sequence);
    if (!first_) first_ = record;
    if (!record.event.empty())
        ++totals_.events;
    else
        ++(record.decision == "denied" ? totals_.denied : totals_.allowed);
    totals_.first = totals_.first ? std::min(*totals_.first, record.time) : record.time;
    totals_.last = totals_.last ? std::max(*totals_.last, record.time) : record.time;

    auto found = replicas_.find(record.replica);
    const bool is_new = found == replicas_.end();
    if (is_new) {
        if (replicas_.size() == kReplicasMax) {
            findings_.note("too-many-replicas",
                           fmt::format("the story of replica \"{}\" was not checked: there are too many", record.replica), where, index);
            return;
        }
        found = replicas_.emplace(record.replica, Replica{}).first;
        found->second.past_is_unknown = !from_the_start_ || record.sequence > 1;
        ++totals_.replicas;
    }
    Replica& replica = found->second;
    check_sequence(record, replica, is_new, where, index);
    if (!record.event.empty())
        check_event(record, replica, where, index);
    else if (record.decision == "denied")
        ++replica.denials_accounted;
    check_blobs(record, where, index);
    replica.sequence = last_sequence_ = record.sequence;
}

// One write-ahead log may be handed on from replica to replica, and one provable log may take the records of several: the sequence goes on
// from the entry before, or, as soon as a second write-ahead log has shown itself, from the last one of this replica. It does so by its
// first record, or, in a later part of a log, by going on with a sequence of its own.
void RecordStory::check_sequence(const Record& record, Replica& replica, bool is_new, const std::string& where,
                                 std::optional<std::uint64_t> index) {
    const bool very_first = totals_.denied + totals_.allowed + totals_.events == 1;
    if (is_new && record.sequence == 1 && last_sequence_ > 0) merged_ = true;
    const bool follows_own = !is_new && record.sequence == replica.sequence + 1;
    if (!from_the_start_ && follows_own && record.sequence != last_sequence_ + 1) merged_ = true;
    const bool follows_last = !merged_ && record.sequence == last_sequence_ + 1;
    if (follows_own || follows_last || (very_first && !from_the_start_) || (is_new && record.sequence == 1)) return;
    const std::uint64_t before = is_new ? (very_first ? 0 : last_sequence_) : replica.sequence;
    if (record.sequence > before) {
        suspect(
            {.name = "records-missing",
             .message = fmt::format("{} of replica \"{}\" {} missing: sequence {} follows {}",
                                    record.sequence - before == 2 ? "a record" : fmt::format("{} records", record.sequence - before - 1),
                                    record.replica, record.sequence - before == 2 ? "is" : "are", record.sequence, before),
             .where = where,
             .index = index,
             .from_sequence = before + 1,
             .to_sequence = record.sequence - 1,
             .unless_merged = is_new && !from_the_start_});
        return;
    }
    suspect({.name = "sequence-repeated",
             .message = fmt::format("sequence {} of replica \"{}\" follows {}: records are repeated or in another order", record.sequence,
                                    record.replica, before),
             .where = where,
             .index = index,
             .unless_merged = is_new && !from_the_start_});
}

void RecordStory::check_event(const Record& record, Replica& replica, const std::string& where, std::optional<std::uint64_t> index) {
    if (record.event == "started") {
        if (replica.running) {
            findings_.note("ended-without-stop",
                           fmt::format("replica \"{}\" started again without having stopped: it was killed or lost its node after {} ({})",
                                       record.replica, format_rfc3339(replica.last_sign), replica.last_where),
                           where, index);
        }
        replica = {.sequence = replica.sequence, .running = true, .last_sign = record.time, .last_where = where};
    } else if (record.event == "stopped") {
        check_silence(record, replica, where, index);
        check_denials(replica, where, index);
        if (!replica.running && !replica.past_is_unknown)
            findings_.error("stop-without-start", fmt::format("replica \"{}\" stopped without having started", record.replica), where,
                            index);
        replica.running = replica.past_is_unknown = false;
    } else if (record.event == "heartbeat") {
        ++totals_.heartbeats;
        if (!replica.running && !replica.past_is_unknown)
            findings_.error("heartbeat-without-start", fmt::format("a heartbeat of replica \"{}\", which is not running", record.replica),
                            where, index);
        check_silence(record, replica, where, index);
        replica.running = true;
        replica.last_sign = std::max(replica.last_sign, record.time);
        replica.last_where = where;
        replica.denials_due = replica.denials_counted;
        // What the first one counts may have been recorded before the first record.
        for (const std::string_view name : kDenialCounters)
            replica.denials_counted += replica.past_is_unknown ? 0 : counter_of(record, name);
        replica.past_is_unknown = false;
        for (const std::string_view name : {"repeated", "unrecorded", "deniedWithoutRecord"})
            replica.denials_accounted += counter_of(record, name);
        check_denials(replica, where, index);
    } else if (record.event == "gap") {
        if (gaps_.size() < kGapsMax) {
            gaps_.push_back({number_of(fact_of(record, "from")), number_of(fact_of(record, "to")), time_in(fact_of(record, "from")),
                             time_in(fact_of(record, "to")), where});
        }
        findings_.note(
            "gap-recorded",
            fmt::format("a gap is recorded: {} (from {} to {})", fact_of(record, "reason"), fact_of(record, "from"), fact_of(record, "to")),
            where, index);
    } else if (record.event == "signing-key-changed") {
        rotations_.push_back({fact_of(record, "from"), fact_of(record, "to"), fact_of(record, "note"), where, index});
    } else if (record.event == "retention-applied") {
        retained_from_ = std::max(retained_from_, counter_of(record, "minimumIndex"));
    } else if (record.event == "epoch-begun" && index.value_or(0) > 0) {
        findings_.error("epoch-inside", "an epoch begins in the middle of a log; it can only be entry 0", where, index);
    }
}

void RecordStory::check_silence(const Record& record, Replica& replica, const std::string& where, std::optional<std::uint64_t> index) {
    if (!replica.running || record.time - replica.last_sign <= kSilenceMax) return;
    suspect({.name = "silence",
             .message = fmt::format("replica \"{}\" was silent for {} s while it ran: no heartbeat between {} ({}) and {}", record.replica,
                                    seconds_between(replica.last_sign, record.time), format_rfc3339(replica.last_sign), replica.last_where,
                                    format_rfc3339(record.time)),
             .where = where,
             .index = index,
             .from = replica.last_sign,
             .to = record.time});
}

// What a heartbeat counted is in the log by the next one, as records, as repeats or as what could not be kept.
void RecordStory::check_denials(Replica& replica, const std::string& where, std::optional<std::uint64_t> index) {
    // Of a run that began before, records are not here that its heartbeats counted.
    if (replica.past_is_unknown || replica.denials_accounted >= replica.denials_due || replica.told_of_denials) return;
    replica.told_of_denials = true;
    findings_.error("denials-missing",
                    fmt::format("heartbeats of this run counted {} denials up to the one before; the log accounts for {}",
                                replica.denials_due, replica.denials_accounted),
                    where, index);
}

void RecordStory::check_blobs(const Record& record, const std::string& where, std::optional<std::uint64_t> index) {
    const auto require = [&](const std::string& digest, std::string_view what) {
        const auto there = has_blob_(digest);
        if (there && *there) return;
        const std::string reason = there ? "which is missing" : "which cannot be read: " + there.error().message;
        findings_.error("blob-missing", fmt::format("the record names {} as blob {}, {}", what, digest, reason), where, index);
    };
    if (!record.whole.empty()) require(record.whole, "its whole text");
    if (record.policy_set.empty() || policy_sets_.size() == kPolicySetsMax || !policy_sets_.insert(record.policy_set).second) return;
    require(record.policy_set, "its policy set");
}

void RecordStory::suspect(Suspicion suspicion) {
    if (suspicions_.size() < kSuspicionsMax) {
        suspicions_.push_back(std::move(suspicion));
        return;
    }
    findings_.error(suspicion.name, suspicion.message, suspicion.where, suspicion.index);
}

void RecordStory::finish() {
    for (const Suspicion& suspicion : suspicions_) {
        if (suspicion.unless_merged && merged_) continue;
        const auto gap = std::find_if(gaps_.begin(), gaps_.end(), [&](const Gap& one) { return one.explains(suspicion); });
        if (gap == gaps_.end())
            findings_.error(suspicion.name, suspicion.message, suspicion.where, suspicion.index);
        else
            findings_.note(suspicion.name, suspicion.message + "; " + gap->where + " records this gap", suspicion.where, suspicion.index);
    }
    suspicions_.clear();
    for (const auto& [name, replica] : replicas_) {
        if (!replica.running) continue;
        findings_.note(
            "still-running",
            fmt::format("the log ends while replica \"{}\" runs; its last sign of life is of {}", name, format_rfc3339(replica.last_sign)),
            replica.last_where);
    }
}

}  // namespace fluxgate::audit
