#pragma once

// What of many messages is worth a line of the log: each distinct one once, not once for each thread or each look.

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace fluxgate::cli {

// For messages that come one by one. A resource for one thread at a time.
class RecentMessages {
public:
    static constexpr std::chrono::minutes kSilence{5};
    static constexpr std::size_t kKeptMax = 64;  // more than there are causes at once; the oldest goes then

    // True if it was not told within the last five minutes; then it counts as told now.
    bool is_news(const std::string& message, std::chrono::steady_clock::time_point now);

private:
    std::map<std::string, std::chrono::steady_clock::time_point> told_at_;
};

// For lists of all that is wrong now. A resource for one thread at a time.
class KnownProblems {
public:
    // Those to tell, at most `most`: what was told and is wrong still is not told again, what there was no room for is told next time.
    std::vector<std::string> take_news(const std::vector<std::string>& problems, std::size_t most);

private:
    std::vector<std::string> told_;
};

}  // namespace fluxgate::cli
