#include "cli/news.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate::cli;
using namespace std::chrono_literals;

TEST_CASE("a message is news once in five minutes") {
    const std::chrono::steady_clock::time_point start{1h};
    RecentMessages messages;
    CHECK(messages.is_news("refused", start));
    CHECK_FALSE(messages.is_news("refused", start));
    CHECK(messages.is_news("forbidden", start + 1min));
    CHECK_FALSE(messages.is_news("refused", start + 5min - 1s));
    CHECK(messages.is_news("refused", start + 5min));
    CHECK_FALSE(messages.is_news("refused", start + 6min));
    CHECK(messages.is_news("forbidden", start + 6min));
}

TEST_CASE("of very many messages the oldest is forgotten") {
    const std::chrono::steady_clock::time_point start{1h};
    RecentMessages messages;
    for (std::size_t i = 0; i <= RecentMessages::kKeptMax; ++i) CHECK(messages.is_news(std::to_string(i), start + std::chrono::seconds(i)));
    CHECK_FALSE(messages.is_news("1", start + 2min));
    CHECK(messages.is_news("0", start + 2min));
}

TEST_CASE("each problem is told once while it lasts, also those that there was no room for at first") {
    using List = std::vector<std::string>;
    KnownProblems known;
    CHECK(known.take_news({"a", "b", "a", "c"}, 2) == List{"a", "b"});
    CHECK(known.take_news({"a", "b", "c"}, 2) == List{"c"});
    CHECK(known.take_news({"a", "b", "c"}, 2).empty());
    CHECK(known.take_news({"b"}, 2).empty());
    CHECK(known.take_news({"a", "b"}, 2) == List{"a"});  // it had gone
}
