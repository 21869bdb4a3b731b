#include "webhook/grant_uses.hpp"

#include <atomic>
#include <thread>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;

namespace {

policy::UsedGrant grant(std::string digest, std::optional<std::uint64_t> max_uses) {
    return {.name = "inc", .digest = std::move(digest), .ticket = "T-1", .approved_by = "bob", .vouched_by = "git", .max_uses = max_uses};
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
        CHECK(uses.take(row.grants) == row.taken);
        CHECK(*uses.counts() == row.after);
        CHECK(*snapshot == row.before);
    }
}

TEST_CASE("however many threads ask, a grant is never used too often") {
    constexpr std::uint64_t kMax = 500;
    GrantUses uses;
    std::atomic<std::uint64_t> taken = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 400; ++k) taken += uses.take({grant("a", kMax)}) ? 1 : 0;
        });
    }
    threads.clear();
    CHECK(taken == kMax);
    CHECK(uses.counts()->at("a") == kMax);
}
