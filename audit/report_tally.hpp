#pragma once

// Counting by key in bounded memory, for audit/report.hpp: who, what and how often, the most frequent first.
//
// While there are few keys the counts are exact. When there are too many, the rarest half is forgotten; what comes later may have been
// counted before, by at most `uncertain`. So what is frequent is always found, however many names an attacker makes up before.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "audit/report.hpp"
#include "audit/stored_records.hpp"
#include "base/clock.hpp"

namespace fluxgate::audit {

// Where a record is found again, for people.
std::string citation_of(const StoredRecord& stored, const std::string& replica);

inline constexpr std::size_t kCitationsMax = 12;
void cite(Citations& citations, const StoredRecord& stored, const std::string& replica);
// "17, 18, 21 and 40 more"
std::string spoken(const Citations& citations, std::size_t most);

struct Tallied {
    std::uint64_t denied = 0;
    std::uint64_t allowed = 0;
    std::uint64_t uncertain = 0;
    WallTime first{};
    WallTime last{};
    Citations citations{};

    std::uint64_t count() const { return denied + allowed; }
};

// A value.
class Tally {
public:
    using Key = std::vector<std::string>;

    explicit Tally(std::size_t keys_max = 4'096) : keys_max_(keys_max) {}

    struct Event {
        const StoredRecord& stored;
        const std::string& replica;
        WallTime time;
        bool denied;
        std::uint64_t times = 1;
    };
    void add(const Key& key, const Event& event);

    // Most frequent first, then by key.
    std::vector<std::pair<Key, Tallied>> top(std::size_t most) const;
    std::size_t keys() const { return rows_.size(); }
    bool exact() const { return forgotten_ == 0; }
    std::uint64_t left_out(std::size_t most) const { return rows_.size() > most ? rows_.size() - most : 0; }

private:
    void forget_the_rarest();

    std::size_t keys_max_;
    std::map<Key, Tallied> rows_;
    std::uint64_t forgotten_ = 0;  // the highest count that was forgotten
};

}  // namespace fluxgate::audit
