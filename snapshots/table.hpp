#pragma once

// What is kept of one watched collection: a value for each object, by "namespace/name". Fed by list and watch; a list that begins
// anew (the watch had to be resumed from nothing) leaves what is there until it has ended, and drops then what it did not name, so
// that a reader of the view never sees a half list.
//
// Bounded: what does not fit is not kept, and `problem` says so until a list has ended that fits: the table cannot know whether what was
// left out is gone, so whoever feeds it lists again while there is a problem (ClusterWatch). One thread at a time.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/limits.hpp"

namespace fluxgate::snapshots {

// T is comparable and has `std::size_t bytes() const`: what it holds on the heap, roughly.
template <class T>
class Table {
public:
    // `name` of the collection, for problems: "kustomizations".
    Table(std::string_view name, const Limits& limits)
        : name_(name), entries_max_(limits.snapshot_entries_max), bytes_max_(limits.snapshot_bytes_max) {}

    void begin_list() {
        ++list_;
        list_fits_ = true;
    }
    void end_list() {
        for (auto entry = entries_.begin(); entry != entries_.end();) entry = entry->second.list == list_ ? std::next(entry) : erase(entry);
        complete_ = true;
        if (list_fits_) problem_.reset();
    }

    void put(std::string key, T value) {
        const std::size_t bytes = key.size() + value.bytes();
        const auto found = entries_.find(key);
        if (found != entries_.end() && found->second.value == value) {
            found->second.list = list_;
            return;
        }
        if (found != entries_.end()) erase(found);  // an old value is no substitute for one that does not fit
        if (entries_.size() >= entries_max_ || bytes_ + bytes > bytes_max_) return refuse(key);
        bytes_ += bytes;
        entries_.emplace(std::move(key), Entry{std::move(value), bytes, list_});
        changed_ = true;
    }
    void remove(std::string_view key) {
        if (const auto found = entries_.find(key); found != entries_.end()) erase(found);
    }
    // An object that could not even be read.
    void pass_over(std::string problem) {
        list_fits_ = false;
        problem_ = std::move(problem);
    }

    // Has a list ended? And has anything changed since this was asked last?
    bool complete() const { return complete_; }
    bool take_changed() { return std::exchange(changed_, false); }
    const std::optional<std::string>& problem() const { return problem_; }

    std::size_t size() const { return entries_.size(); }
    const T* find(std::string_view key) const {
        const auto found = entries_.find(key);
        return found == entries_.end() ? nullptr : &found->second.value;
    }
    // f(const std::string& key, const T& value) for each, in the order of keys.
    template <class F>
    void each(F&& f) const {
        for (const auto& [key, entry] : entries_) f(key, entry.value);
    }

private:
    struct Entry {
        T value;
        std::size_t bytes = 0;
        std::uint64_t list = 0;  // that named it last
    };
    using Entries = std::map<std::string, Entry, std::less<>>;

    typename Entries::iterator erase(typename Entries::iterator entry) {
        bytes_ -= entry->second.bytes;
        changed_ = true;
        return entries_.erase(entry);
    }
    void refuse(const std::string& key) {
        pass_over(
            fmt::format("{} holds more than is kept ({} entries, {} MiB): {} is left out", name_, entries_max_, bytes_max_ >> 20, key));
    }

    std::string name_;
    std::size_t entries_max_;
    std::size_t bytes_max_;
    Entries entries_;
    std::size_t bytes_ = 0;
    std::uint64_t list_ = 0;
    bool list_fits_ = true;
    bool complete_ = false;
    bool changed_ = true;  // so that the first view has every part, also an empty one
    std::optional<std::string> problem_;
};

}  // namespace fluxgate::snapshots
