#include "audit/stored_records.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "audit/layout.hpp"
#include "audit/published_log.hpp"
#include "audit/record_text.hpp"
#include "audit/tiles.hpp"
#include "audit/wal.hpp"

namespace fluxgate::audit {

namespace {

// How many records of the write-ahead log are held at once when they are told newest first: 1 MB of usual ones.
constexpr std::uint64_t kReversedAtOnce = 512;
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// The sequence of the first segment; nothing without segments.
Result<std::optional<std::uint64_t>> first_in_wal(Disk& disk) {
    const auto there = disk.exists(std::string(kWalDirectory));
    if (!there) return tl::unexpected(there.error());
    if (!*there) return std::optional<std::uint64_t>();
    const auto segments = list_segments(disk);
    if (!segments) return tl::unexpected(segments.error());
    return segments->empty() ? std::optional<std::uint64_t>() : segments->front();
}

// One reading of a folder that may change meanwhile: segments of the write-ahead log go when their records are published, so whoever
// misses one looks at the checkpoint again and finds them there.
class Reading {
public:
    Reading(Disk& disk, const RecordRange& range, const UseRecord& use) : disk_(disk), range_(range), use_(use) {}

    Result<void> run() {
        if (auto seen = look(); !seen) return seen;
        if (range_.newest_first) return backwards();
        return forwards();
    }

private:
    // A reader stopped: `enough_`, or the write-ahead log lost what came next, because it was published.
    Result<void> look() {
        auto published = read_published_log(disk_);
        if (!published) return tl::unexpected(published.error());
        size_ = *published ? (*published)->checkpoint.size : 0;
        // Of a log that never published anything, none was pruned.
        minimum_ = *published ? (*published)->minimum_index : 0;
        return {};
    }

    // The first sequence that is not under the checkpoint; nothing: no write-ahead log, or nobody asked for it.
    Result<std::optional<std::uint64_t>> wal_begin() {
        if (range_.published_only) return std::optional<std::uint64_t>();
        const auto first = first_in_wal(disk_);
        if (!first || !*first || size_ == 0) return first;
        EntryBundles bundles(disk_, size_);
        const auto last = bundles.entry(size_ - 1);
        if (!last) return tl::unexpected(last.error());
        const auto sequence = sequence_of(*last);
        if (!sequence) return fail(Errc::invalid_argument, "the last entry is no record, so what follows it is not known", bundles.path());
        return std::optional(*sequence + 1);
    }

    Result<void> tell(const StoredRecord& record) {
        const auto goes_on = use_(record);
        if (!goes_on) return tl::unexpected(goes_on.error());
        enough_ = !*goes_on;
        return {};
    }

    Result<void> forwards() {
        std::uint64_t next = range_.first_index;
        while (true) {
            if (auto told = tell_published_from(next); !told || enough_) return told;
            next = std::max(next, size_);
            const std::uint64_t size_before = size_;
            auto tail = tell_wal();
            if (tail || enough_) return enough_ ? Result<void>() : tail;
            if (!missed_) return tail;
            if (auto seen = look(); !seen) return seen;
            if (size_ == size_before) return tail;
        }
    }

    Result<void> tell_published_from(std::uint64_t first) {
        first = std::max(first, minimum_);
        EntryBundles bundles(disk_, size_);
        for (std::uint64_t number = first / kTileWidth; number * kTileWidth < size_; ++number) {
            const auto entries = bundles.read(number);
            if (!entries) return tl::unexpected(entries.error());
            for (std::uint64_t at = 0; at < entries->size(); ++at) {
                const std::uint64_t index = number * kTileWidth + at;
                // What the write-ahead log told before it was published.
                if (index < first || is_told((*entries)[at])) continue;
                if (auto told = tell({index, 0, (*entries)[at]}); !told || enough_) return told;
            }
        }
        return {};
    }

    bool is_told(std::string_view entry) const {
        if (told_to_ == 0) return false;
        const auto sequence = sequence_of(entry);
        return sequence && *sequence <= told_to_;
    }

    Result<void> tell_wal() {
        missed_ = false;
        const auto begin = wal_begin();
        if (!begin) return tl::unexpected(begin.error());
        if (!*begin) return {};
        std::uint64_t next = std::max(**begin, told_to_ + 1);
        auto read = read_wal(disk_, next, [&](std::uint64_t sequence, std::string_view text) -> Result<void> {
            if (sequence != next) return hole(next, sequence);
            ++next;
            if (auto told = tell({std::nullopt, sequence, text}); !told) return told;
            told_to_ = sequence;
            return enough_ ? fail(Errc::internal, "enough") : Result<void>();
        });
        if (!read && read.error().code == Errc::contradictory) missed_ = true;
        return read;
    }

    static Result<void> hole(std::uint64_t wanted, std::uint64_t found) {
        return fail(
            Errc::contradictory,
            fmt::format("the write-ahead log goes on with sequence {}; {} is neither there nor under the checkpoint", found, wanted),
            std::string(kWalDirectory));
    }

    Result<void> backwards() {
        if (auto told = tell_wal_backwards(); !told || enough_) return told;
        const std::uint64_t first = std::max(range_.first_index, minimum_);
        EntryBundles bundles(disk_, size_);
        for (std::uint64_t number = (size_ + kTileWidth - 1) / kTileWidth; number-- > first / kTileWidth;) {
            const auto entries = bundles.read(number);
            if (!entries) return tl::unexpected(entries.error());
            for (std::uint64_t at = entries->size(); at-- > 0;) {
                const std::uint64_t index = number * kTileWidth + at;
                if (index < first) break;
                if (told_from_ != kNever && sequence_of((*entries)[at]).value_or(0) >= told_from_) continue;
                if (auto told = tell({index, 0, (*entries)[at]}); !told || enough_) return told;
            }
        }
        return {};
    }

    Result<void> tell_wal_backwards() {
        const auto begin = wal_begin();
        if (!begin) return tl::unexpected(begin.error());
        if (!*begin) return {};
        std::uint64_t end = **begin;
        auto counted = read_wal(disk_, **begin, [&](std::uint64_t sequence, std::string_view) -> Result<void> {
            if (sequence != end) return hole(end, sequence);
            ++end;
            return {};
        });
        if (!counted && counted.error().code == Errc::contradictory) return look_again_for(**begin, counted.error());
        if (!counted) return counted;
        for (told_from_ = end; told_from_ > **begin;) {
            const std::uint64_t first = told_from_ - std::min(told_from_ - **begin, kReversedAtOnce);
            std::vector<std::string> texts;
            auto read = read_wal(disk_, first, [&](std::uint64_t sequence, std::string_view text) -> Result<void> {
                if (sequence != first + texts.size()) return hole(first + texts.size(), sequence);
                if (sequence == told_from_) return fail(Errc::internal, "enough");
                texts.emplace_back(text);
                return {};
            });
            if (texts.size() != told_from_ - first) return look_again_for(told_from_ - 1, read ? Error{} : read.error());
            while (!texts.empty()) {
                if (auto told = tell({std::nullopt, --told_from_, texts.back()}); !told || enough_) return told;
                texts.pop_back();
            }
        }
        return {};
    }

    // Segments went while they were read, so their records must have been published by now.
    Result<void> look_again_for(std::uint64_t sequence, const Error& error) {
        if (auto seen = look(); !seen) return seen;
        EntryBundles bundles(disk_, size_);
        const auto last = size_ == 0 ? Result<std::string_view>("") : bundles.entry(size_ - 1);
        if (!last) return tl::unexpected(last.error());
        if (sequence_of(*last).value_or(0) < sequence) return tl::unexpected(error);
        return {};
    }

    Disk& disk_;
    const RecordRange& range_;
    const UseRecord& use_;
    std::uint64_t size_ = 0;
    std::uint64_t minimum_ = 0;
    bool enough_ = false;
    bool missed_ = false;
    std::uint64_t told_to_ = 0;         // forwards: the last sequence told from the write-ahead log
    std::uint64_t told_from_ = kNever;  // backwards: the oldest told from there
};

}  // namespace

std::string StoredRecord::where() const {
    return index ? fmt::format("index {}", *index) : fmt::format("sequence {} (not yet under a checkpoint)", sequence);
}

Result<void> each_record(Disk& disk, const RecordRange& range, const UseRecord& use) { return Reading(disk, range, use).run(); }

Result<void> each_record(const std::filesystem::path& directory, const RecordRange& range, const UseRecord& use) {
    const auto disk = open_for_reading(directory);
    if (!disk) return tl::unexpected(disk.error());
    return each_record(**disk, range, use);
}

Result<std::uint64_t> published_size(const std::filesystem::path& directory) {
    const auto disk = open_for_reading(directory);
    if (!disk) return tl::unexpected(disk.error());
    const auto published = read_published_log(**disk);
    if (!published) return tl::unexpected(published.error());
    return *published ? (*published)->checkpoint.size : 0;
}

}  // namespace fluxgate::audit
