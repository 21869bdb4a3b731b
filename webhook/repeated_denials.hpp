#pragma once

// A client that asks for the same refused thing over and over must not fill the disk (DESIGN §5.8). Its first denial is written at
// once. While that record is durable and younger than the window, equal denials are counted, and answered with the first one's id; then
// one record `denial-repeated` says how many there were. Equal: user and proof, object, operation, subresource, command, policy set,
// rules and paths.
//
// What waits to be counted is in memory: a kill loses counts of one window, never the first record. Bounded: when there are too many
// different denials at a time, further ones are written one by one.
//
// A resource. Any thread; a mutex, on the path of denials only. Time is a parameter.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/record.hpp"
#include "base/clock.hpp"

namespace fluxgate::webhook {

class RepeatedDenials {
public:
    struct Options {
        std::chrono::seconds window{60};
        std::size_t entries_max = 4'096;   // different denials within a window
        std::size_t bytes_max = 8u << 20;  // of them all
    };
    RepeatedDenials() : RepeatedDenials(Options()) {}
    explicit RepeatedDenials(Options options) : options_(options) {}

    // If `denial` is one again: counts it, and gives the id of the first. Nothing: it must be written itself.
    std::optional<std::string> count(const audit::Record& denial, WallTime now);

    // What is kept of a denial until its record is durable.
    struct First {
        std::string key;
        audit::Record record;  // the count record to be, but for times and count
    };
    static First first_of(const audit::Record& denial);
    // The record of `first` is durable: from now on it can be repeated.
    void begin(First first);

    // The count records whose window is over at `now`; all of them, when serving ends.
    std::vector<audit::Record> flush(WallTime now);
    std::vector<audit::Record> flush_all(WallTime now);

private:
    struct Entry {
        audit::Record record;
        std::size_t bytes = 0;
        WallTime last{};
        std::uint64_t count = 0;
    };
    bool is_over(const Entry& entry, WallTime now) const;
    using Entries = std::map<std::string, Entry, std::less<>>;
    Entries::iterator end_window(Entries::iterator entry);
    std::vector<audit::Record> take_due(WallTime now);

    const Options options_;
    std::mutex mutex_;
    Entries entries_;
    std::vector<Entry> due_;  // counted, their window over
    std::size_t bytes_ = 0;
};

}  // namespace fluxgate::webhook
