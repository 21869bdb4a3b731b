#include "audit/query.hpp"

#include <algorithm>
#include <vector>

#include <string.h>

#include <fmt/format.h>

#include "audit/published_log.hpp"
#include "audit/record_text.hpp"
#include "audit/tiles.hpp"

namespace fluxgate::audit {

namespace {

// As many records in a row beyond the interval, by more than the disorder that is allowed for, end the search.
constexpr unsigned kBeyondMax = kTileWidth;

bool fits(const std::optional<TextPattern>& pattern, std::string_view text) { return !pattern || pattern->matches(text); }

// JSON writes such a text as it is.
bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

// Texts that are in every record that matches.
class Needles {
public:
    explicit Needles(const Query& query) {
        if (query.verdict == Query::Verdict::denied) add("\"decision\":\"denied\"");
        if (query.verdict == Query::Verdict::allowed) add("\"decision\":\"allowed\"");
        if (query.verdict == Query::Verdict::event) add("\"event\":\"");
        add("username", query.user);
        add("namespace", query.namespace_name);
        add("name", query.name);
        add("event", query.event);
        // A part of what the record has: "deployments" of "deployments.apps", a rule without its policy.
        if (query.resource) add(query.resource->literal.substr(0, query.resource->literal.find('.')));
        if (query.rule) add(query.rule->literal.substr(query.rule->literal.rfind('/') + 1));
        if (query.compliance) add(query.compliance->literal);
        add(query.drift_case);
    }

    bool all_in(std::string_view text) const {
        return std::all_of(texts_.begin(), texts_.end(),
                           [&](const std::string& one) { return ::memmem(text.data(), text.size(), one.data(), one.size()) != nullptr; });
    }

private:
    void add(std::string text) {
        if (!text.empty() && is_plain(text)) texts_.push_back(std::move(text));
    }
    // The text of a member, or what it begins with.
    void of_member(std::string_view key, std::string_view text, std::string_view end) {
        if (is_plain(text)) texts_.push_back(fmt::format("\"{}\":\"{}{}", key, text, end));
    }
    void add(std::string_view key, const std::optional<TextPattern>& pattern) {
        if (!pattern || pattern->literal.empty()) return;
        if (pattern->exact) return of_member(key, pattern->literal, "\"");
        if (!pattern->beginning.empty()) of_member(key, pattern->beginning, "");
        if (pattern->literal != pattern->beginning) add(pattern->literal);
    }

    std::vector<std::string> texts_;
};

bool has_object(const Query& query) { return query.namespace_name || query.resource || query.name; }

// Where a record lies in the order of the log, seen from the interval.
class Interval {
public:
    explicit Interval(const Query& query) : newest_first_(query.newest_first) {
        if (query.from) {
            from_ = format_rfc3339(*query.from);
            long_before_ = format_rfc3339(*query.from - kDisorderMax);
        }
        if (query.to) {
            to_ = format_rfc3339(*query.to);
            long_after_ = format_rfc3339(*query.to + kDisorderMax);
        }
    }

    // Also keeps count of how many in a row were far beyond the end that the search runs to.
    bool holds(std::string_view text) {
        if (from_.empty() && to_.empty()) return true;
        const auto time = time_text_of(text);
        if (!time) return true;  // parsing will say what is wrong
        const bool far = newest_first_ ? !from_.empty() && *time < long_before_ : !to_.empty() && *time > long_after_;
        beyond_ = far ? beyond_ + 1 : 0;
        return (from_.empty() || *time >= from_) && (to_.empty() || *time < to_);
    }
    bool is_over() const { return beyond_ >= kBeyondMax; }

private:
    bool newest_first_;
    std::string from_, to_, long_before_, long_after_;
    unsigned beyond_ = 0;
};

}  // namespace

// Whatever bundle has a first record older than the disorder allows for, nothing before
// that bundle is of the interval; so the search may end at any such bundle, wherever clocks were set.
Result<std::uint64_t> first_index_for(Disk& disk, WallTime time) {
    const auto published = read_published_log(disk);
    if (!published) return tl::unexpected(published.error());
    if (!*published) return 0;
    const std::uint64_t size = (*published)->checkpoint.size;
    EntryBundles bundles(disk, size);
    std::uint64_t low = (*published)->minimum_index / kTileWidth;
    std::uint64_t high = size / kTileWidth;
    while (high - low > 1 && high > low) {
        const std::uint64_t middle = low + (high - low) / 2;
        const auto entry = bundles.entry(middle * kTileWidth);
        if (!entry) return tl::unexpected(entry.error());
        const auto first = time_of(*entry);
        if (!first) break;
        (*first < time - kDisorderMax ? low : high) = middle;
    }
    return low * kTileWidth;
}

bool matches(const Query& query, const Record& record) {
    using Verdict = Query::Verdict;
    if (query.from && record.time < *query.from) return false;
    if (query.to && record.time >= *query.to) return false;
    if (query.verdict == Verdict::event && record.event.empty()) return false;
    if (query.verdict == Verdict::denied && record.decision != "denied") return false;
    if (query.verdict == Verdict::allowed && record.decision != "allowed") return false;
    if (query.event && (record.event.empty() || !query.event->matches(record.event))) return false;
    if (!fits(query.user, record.username)) return false;
    if (has_object(query)) {
        if (record.resource.empty()) return false;  // of no object
        if (!fits(query.namespace_name, record.namespace_name) || !fits(query.name, record.name)) return false;
        const std::string with_group = record.group.empty() ? record.resource : record.resource + "." + record.group;
        if (!fits(query.resource, record.resource) && !fits(query.resource, with_group)) return false;
    }
    if (query.rule && std::none_of(record.violations.begin(), record.violations.end(), [&](const RecordedViolation& one) {
            return query.rule->matches(one.rule) || query.rule->matches(one.policy + "/" + one.rule);
        }))
        return false;
    if (query.compliance && std::none_of(record.compliance.begin(), record.compliance.end(), query.compliance->matches)) return false;
    return query.drift_case.empty() || record.drift_case == query.drift_case;
}

Result<std::uint64_t> run_query(Disk& disk, const Query& query, const UseMatch& use) {
    RecordRange range{.newest_first = query.newest_first, .published_only = query.published_only};
    if (query.from && !query.newest_first) {
        const auto first = first_index_for(disk, *query.from);
        if (!first) return tl::unexpected(first.error());
        range.first_index = *first;
    }
    const Needles needles(query);
    Interval interval(query);
    std::uint64_t matched = 0;
    const auto read = each_record(disk, range, [&](const StoredRecord& stored) -> Result<bool> {
        if (!interval.holds(stored.text)) return !interval.is_over();
        if (!needles.all_in(stored.text)) return true;
        const auto record = parse_record(stored.text);
        if (!record) return fail(record.error().code, record.error().message, stored.where());
        if (!matches(query, *record)) return true;
        ++matched;
        const auto goes_on = use(stored, *record);
        if (!goes_on) return goes_on;
        return *goes_on && matched != query.limit;
    });
    if (!read) return tl::unexpected(read.error());
    return matched;
}

}  // namespace fluxgate::audit
