#include "cli/news.hpp"

#include <algorithm>
#include <utility>

namespace fluxgate::cli {

namespace {

bool contains(const std::vector<std::string>& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

bool RecentMessages::is_news(const std::string& message, std::chrono::steady_clock::time_point now) {
    if (const auto told = told_at_.find(message); told != told_at_.end()) {
        if (now - told->second < kSilence) return false;
        told->second = now;
        return true;
    }
    if (told_at_.size() == kKeptMax) {
        told_at_.erase(std::min_element(told_at_.begin(), told_at_.end(),
                                        [](const auto& left, const auto& right) { return left.second < right.second; }));
    }
    told_at_.emplace(message, now);
    return true;
}

std::vector<std::string> KnownProblems::take_news(const std::vector<std::string>& problems, std::size_t most) {
    std::vector<std::string> news;
    std::vector<std::string> still;
    for (const std::string& problem : problems) {
        if (contains(still, problem)) continue;
        if (!contains(told_, problem)) {
            if (news.size() == most) continue;
            news.push_back(problem);
        }
        still.push_back(problem);
    }
    told_ = std::move(still);
    return news;
}

}  // namespace fluxgate::cli
