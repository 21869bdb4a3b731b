#include "webhook/grant_uses.hpp"

#include <atomic>
#include <thread>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{std::chrono::microseconds{1'796'436'600'000'000}};
constexpr std::chrono::microseconds kMoment{1};

policy::UsedGrant grant(std::string digest, std::optional<std::uint64_t> max_uses, WallTime ends = kNow + 1h) {
    return {.name = "inc",
            .digest = std::move(digest),
            .ticket = "T-1",
            .approved_by = "bob",
            .vouched_by = "git",
            .expires_at = ends,
            .max_uses = max_uses};
}

}  // namespace

TEST_CASE("a use is taken while there are uses left, of all grants or of none") {
    struct Row {
        std::string_view name;
        policy::GrantCounts before;
        std::vector<policy::UsedGrant> grants;
        bool taken;
        policy::GrantCounts after;
    };
    const Row rows[] = {
        {"the first", {}, {grant("a", 2)}, true, {{"a", 1}}},
        {"the last", {{"a", 1}}, {grant("a", 2)}, true, {{"a", 2}}},
        {"one too many", {{"a", 2}}, {grant("a", 2)}, false, {{"a", 2}}},
        {"without a limit", {{"a", 7}}, {grant("a", std::nullopt)}, true, {{"a", 8}}},
        {"two at once", {}, {grant("a", 1), grant("b", 1)}, true, {{"a", 1}, {"b", 1}}},
        {"two at once, one of them used up", {{"b", 1}}, {grant("a", 1), grant("b", 1)}, false, {{"b", 1}}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        GrantUses uses(row.before);
        const auto snapshot = uses.counts();
        CHECK(uses.take(row.grants, kNow) == row.taken);
        CHECK(*uses.counts() == row.after);
        CHECK(*snapshot == row.before);
    }
}

TEST_CASE("a grant that ended more than a day ago is forgotten, and none before") {
    struct Row {
        std::string_view name;
        policy::GrantCounts so_far;              // as records tell it
        std::vector<policy::UsedGrant> earlier;  // used then
        std::chrono::microseconds later;         // another one is used
        policy::GrantCounts after;
    };
    const Row rows[] = {
        {"while it holds", {}, {grant("a", 2)}, 30min, {{"a", 1}, {"z", 1}}},
        {"a day after its end", {}, {grant("a", 2)}, 25h, {{"a", 1}, {"z", 1}}},
        {"a moment later", {}, {grant("a", 2)}, 25h + kMoment, {{"z", 1}}},
        {"one of two", {}, {grant("a", 2), grant("b", 2, kNow + 2h)}, 25h + kMoment, {{"b", 1}, {"z", 1}}},
        {"from before the start, two days later", {{"a", 2}}, {}, 48h, {{"a", 2}, {"z", 1}}},
        {"from before the start, a moment later", {{"a", 2}}, {}, 48h + kMoment, {{"z", 1}}},
        {"from before the start and used since", {{"a", 2}}, {grant("a", 9, kNow + 36h)}, 48h + kMoment, {{"a", 3}, {"z", 1}}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        GrantUses uses(row.so_far, kNow);
        if (!row.earlier.empty()) CHECK(uses.take(row.earlier, kNow));
        CHECK(uses.take({grant("z", 1, kNow + row.later + 1h)}, kNow + row.later));
        CHECK(*uses.counts() == row.after);
    }
}

TEST_CASE("however many threads ask, a grant is never used too often") {
    constexpr std::uint64_t kMax = 500;
    GrantUses uses;
    std::atomic<std::uint64_t> taken = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 400; ++k) taken += uses.take({grant("a", kMax)}, kNow) ? 1 : 0;
        });
    }
    threads.clear();
    CHECK(taken == kMax);
    CHECK(uses.counts()->at("a") == kMax);
}
