#pragma once

// Finds records in an audit folder. Most records of a large log are passed over without being parsed: by their time, and by texts that
// every match must contain. Nothing is verified; each match names its index, which `fluxgate audit prove` proves.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "audit/disk.hpp"
#include "audit/record.hpp"
#include "audit/stored_records.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// Records lie in the order in which they became durable, which is nearly that of their times; a clock that is set back, or a replica that
// hands in late, is allowed for up to this much. A record that is further out of order may be missed at the edges of an interval.
inline constexpr std::chrono::hours kDisorderMax{1};

// A pattern, as the caller understands patterns.
struct TextPattern {
    std::function<bool(std::string_view)> matches{};
    std::string literal{};    // a part of every text that matches; empty: none is known
    std::string beginning{};  // of every text that matches; empty: none is known
    bool exact = false;       // nothing but the literal matches
};

// What is not set matches everything.
struct Query {
    enum class Verdict { any, denied, allowed, event };

    std::optional<WallTime> from{};  // included
    std::optional<WallTime> to{};    // not included
    Verdict verdict = Verdict::any;
    std::optional<TextPattern> user{};
    std::optional<TextPattern> namespace_name{};  // "" of what is cluster-scoped
    std::optional<TextPattern> resource{};        // "deployments" or "deployments.apps"
    std::optional<TextPattern> name{};
    std::optional<TextPattern> rule{};  // "only-git" or "production/only-git"
    std::optional<TextPattern> compliance{};
    std::optional<TextPattern> event{};
    std::string drift_case{};
    std::uint64_t limit = 0;  // 0: none
    bool newest_first = false;
    bool published_only = false;
};

bool matches(const Query& query, const Record& record);

// The first index, of a bundle, that can be of `time` or later: every published record before it is older. Errors as each_record.
Result<std::uint64_t> first_index_for(Disk& disk, WallTime time);

// False: enough.
using UseMatch = std::function<Result<bool>(const StoredRecord&, const Record&)>;
// How many matched. Errors: those of each_record; an entry that is no record, with its place; those of `use`.
Result<std::uint64_t> run_query(Disk& disk, const Query& query, const UseMatch& use);

}  // namespace fluxgate::audit
