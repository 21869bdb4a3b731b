#include "kube/client/pace.hpp"

#include <thread>
#include <vector>

#include "tests/support/catch.hpp"

using namespace fluxgate::kube::client;
using namespace std::chrono_literals;

TEST_CASE("waits double up to the most, and are drawn from the upper half") {
    const std::vector<std::chrono::milliseconds> longest{500ms, 1'000ms, 2'000ms, 4'000ms, 8'000ms, 16'000ms, 30'000ms, 30'000ms};
    for (const double chance : {0.0, 0.5, 0.999}) {
        Backoff backoff;
        for (const auto most : longest) {
            const auto wait = backoff.next(chance);
            CHECK(wait >= most / 2);
            CHECK(wait <= most);
        }
        for (int more = 0; more < 1'000; ++more) CHECK(backoff.next(chance) <= 30'000ms);
        backoff.reset();
        CHECK(backoff.next(0) == 250ms);
    }
    Backoff low;
    Backoff high;
    CHECK(low.next(0) < high.next(0.9));
}

TEST_CASE("the real pace draws within its bounds and wakes up when it is stopped") {
    SystemPace pace;
    for (int draw = 0; draw < 1'000; ++draw) {
        const double chance = pace.chance();
        CHECK((chance >= 0 && chance < 1));
    }
    std::stop_source stop;
    stop.request_stop();
    const auto before = pace.now();
    pace.pause(60s, stop.get_token());
    CHECK(pace.now() - before < 30s);
}
