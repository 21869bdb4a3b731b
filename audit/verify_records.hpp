#pragma once

// Do the records of a log tell one story without a hole? Given in the order of the log, one at a time. Sequences of each replica, starts
// and stops, heartbeats and their counters, blobs that records name, policy sets, key rotations, retention. What a record of the event
// "gap" owns up to is a note, not an error. Memory is bounded: what is kept grows with replicas and findings, not with records.
// Who calls it: audit/verify.hpp. Meaning of the records: docs/reference/records.md.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "audit/finding.hpp"
#include "audit/record.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// A heartbeat is due every 60 s; two may be late or lost before silence is a finding.
inline constexpr std::chrono::seconds kSilenceMax{150};

// What was counted while records went by; a value.
struct RecordTotals {
    std::uint64_t denied = 0;
    std::uint64_t allowed = 0;
    std::uint64_t events = 0;
    std::uint64_t heartbeats = 0;
    std::uint64_t replicas = 0;
    std::optional<WallTime> first{};
    std::optional<WallTime> last{};
};

// "signing-key-changed", as the record has it.
struct RecordedRotation {
    std::string from{};
    std::string to{};
    std::string note{};
    std::string where{};
    std::optional<std::uint64_t> index{};
};

class RecordStory {
public:
    // Is there a blob of that digest ("sha256:…")? Whether its bytes are right is checked elsewhere, once a blob.
    using HasBlob = std::function<Result<bool>(std::string_view digest)>;

    // `from_the_start`: the first record is the first that there ever was, so nothing may be missing before it.
    RecordStory(bool from_the_start, HasBlob has_blob, Findings& findings)
        : from_the_start_(from_the_start), has_blob_(std::move(has_blob)), findings_(findings) {}

    // `index` in the provable log; nothing for a record of the write-ahead log that is not there yet.
    void add(const Record& record, std::optional<std::uint64_t> index);
    // After the last one: what no gap record explains is an error now.
    void finish();

    RecordTotals totals() const { return totals_; }
    const std::vector<RecordedRotation>& rotations() const { return rotations_; }
    std::uint64_t retained_from() const { return retained_from_; }  // the highest minimum index that a record announces
    const std::optional<Record>& first() const { return first_; }

private:
    struct Replica {
        std::uint64_t sequence = 0;
        bool running = false;
        bool began_before = false;  // the run it is in began before the first record that is here
        WallTime last_sign{};       // start or heartbeat
        std::string last_where{};
        // Of this run: denials that heartbeats counted, up to the last but one and in all, and those that the log accounts for.
        std::uint64_t denials_due = 0;
        std::uint64_t denials_counted = 0;
        std::uint64_t denials_accounted = 0;
        bool told_of_denials = false;
    };
    // What is an error unless a gap record explains it, which comes later.
    struct Suspicion {
        std::string name{};
        std::string message{};
        std::string where{};
        std::optional<std::uint64_t> index{};
        std::uint64_t from_sequence = 0;  // a hole: first and last that are missing
        std::uint64_t to_sequence = 0;
        WallTime from{};  // a silence
        WallTime to{};
    };
    struct Gap {
        std::optional<std::uint64_t> from_sequence{};
        std::optional<std::uint64_t> to_sequence{};
        std::optional<WallTime> from{};
        std::optional<WallTime> to{};
        std::string where{};
        bool explains(const Suspicion& suspicion) const;
    };

    void check_sequence(const Record& record, Replica& replica, bool is_new, const std::string& where, std::optional<std::uint64_t> index);
    void check_event(const Record& record, Replica& replica, const std::string& where, std::optional<std::uint64_t> index);
    void check_silence(const Record& record, Replica& replica, const std::string& where, std::optional<std::uint64_t> index);
    void check_denials(Replica& replica, const std::string& where, std::optional<std::uint64_t> index);
    void check_blobs(const Record& record, const std::string& where, std::optional<std::uint64_t> index);
    void suspect(Suspicion suspicion);

    bool from_the_start_;
    HasBlob has_blob_;
    Findings& findings_;
    RecordTotals totals_;
    std::map<std::string, Replica> replicas_;
    std::uint64_t last_sequence_ = 0;
    bool merged_ = false;  // several write-ahead logs fill this log
    std::optional<Record> first_;
    std::vector<RecordedRotation> rotations_;
    std::uint64_t retained_from_ = 0;
    std::set<std::string, std::less<>> policy_sets_;  // seen already
    std::vector<Suspicion> suspicions_;
    std::vector<Gap> gaps_;
};

}  // namespace fluxgate::audit
