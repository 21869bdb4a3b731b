#include "webhook/repeated_denials.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/digest.hpp"

namespace fluxgate::webhook {

namespace {

constexpr std::string_view kEvent = "denial-repeated";
constexpr std::size_t kViolationsMax = 20;  // of a count record; all are in the first

// A digest, so that what a caller sends does not decide how much is kept.
std::string key_of(const audit::Record& denial) {
    std::string key;
    const auto add = [&](std::initializer_list<std::string_view> parts) {
        for (const std::string_view part : parts) key.append(std::to_string(part.size())).append(":").append(part);
    };
    add({denial.username, denial.user_uid, denial.assurance, denial.operation, denial.group, denial.version, denial.resource,
         denial.sub_resource, denial.namespace_name, denial.name, denial.command, denial.error, denial.policy_set,
         denial.dry_run ? "dry run" : ""});
    for (const audit::RecordedViolation& violation : denial.violations)
        add({violation.policy, violation.rule, violation.path, violation.action});
    add({std::to_string(denial.violations_omitted)});
    return sha256_hex(key);
}

std::size_t bytes_of(const audit::Record& record) {
    std::size_t bytes = sizeof record;
    for (const std::string* text : {&record.username, &record.name, &record.namespace_name, &record.command, &record.owner, &record.error})
        bytes += text->size();
    for (const std::string& group : record.groups) bytes += sizeof group + group.size();
    for (const auto* members : {&record.evidence, &record.extra}) {
        for (const auto& [name, value] : *members) bytes += 2 * sizeof name + name.size() + value.size();
    }
    for (const audit::RecordedViolation& violation : record.violations)
        bytes += sizeof violation + violation.policy.size() + violation.rule.size() + violation.path.size();
    return bytes;
}

}  // namespace

RepeatedDenials::First RepeatedDenials::first_of(const audit::Record& denial) {
    audit::Record record = denial;
    record.event = kEvent;
    record.decision.clear();
    record.changes.clear();
    record.changes_omitted = 0;
    if (record.violations.size() > kViolationsMax) {
        record.violations_omitted += record.violations.size() - kViolationsMax;
        record.violations.resize(kViolationsMax);
    }
    for (audit::RecordedViolation& violation : record.violations) {
        violation.have.clear();  // values may differ from one attempt to the next
        violation.want.clear();
    }
    record.facts = {{"first", denial.id}, {"firstTime", format_rfc3339(denial.time)}};
    return {key_of(denial), std::move(record)};
}

bool RepeatedDenials::is_over(const Entry& entry, WallTime now) const {
    return now < entry.record.time || now - entry.record.time >= options_.window;  // before: the clock was set
}

std::optional<std::string> RepeatedDenials::count(const audit::Record& denial, WallTime now) {
    const std::string key = key_of(denial);
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || is_over(found->second, now)) return std::nullopt;
    ++found->second.count;
    found->second.last = std::max(found->second.last, now);
    return found->second.record.id;
}

void RepeatedDenials::begin(First first) {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(first.key);
    if (found != entries_.end()) {
        if (!is_over(found->second, first.record.time)) return;  // two at once: the other one was first
        end_window(found);
    }
    const std::size_t bytes = bytes_of(first.record) + first.key.size();
    if (entries_.size() + due_.size() >= options_.entries_max || bytes_ + bytes > options_.bytes_max) return;
    bytes_ += bytes;
    entries_.emplace(std::move(first.key), Entry{.record = std::move(first.record), .bytes = bytes});
}

RepeatedDenials::Entries::iterator RepeatedDenials::end_window(Entries::iterator entry) {
    bytes_ -= entry->second.bytes;
    if (entry->second.count > 0) due_.push_back(std::move(entry->second));
    return entries_.erase(entry);
}

std::vector<audit::Record> RepeatedDenials::flush(WallTime now) {
    std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();)
        entry = is_over(entry->second, now) ? end_window(entry) : std::next(entry);
    return take_due(now);
}

std::vector<audit::Record> RepeatedDenials::flush_all(WallTime now) {
    std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) entry = end_window(entry);
    return take_due(now);
}

std::vector<audit::Record> RepeatedDenials::take_due(WallTime now) {
    std::vector<audit::Record> records;
    records.reserve(due_.size());
    for (Entry& entry : due_) {
        audit::Record& record = entry.record;
        record.id = fmt::format("{}-{}", kEvent, now.time_since_epoch().count() + std::ssize(records));
        record.time = now;
        record.facts.emplace_back("lastTime", format_rfc3339(entry.last));
        record.counters = {{"count", entry.count}};
        records.push_back(std::move(record));
    }
    due_.clear();
    return records;
}

}  // namespace fluxgate::webhook
