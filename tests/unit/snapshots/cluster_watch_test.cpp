#include "snapshots/cluster_watch.hpp"

#include <atomic>
#include <future>
#include <map>
#include <set>
#include <stdexcept>

#include "tests/unit/policy/sample.hpp"
#include "tests/unit/snapshots/support.hpp"

using namespace fluxgate;
using namespace fluxgate::snapshots;
using namespace fluxgate::snapshots::testing;
using namespace std::chrono_literals;

namespace {

class TurnedClock final : public Clock {
public:
    WallTime now() const override { return {}; }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::time_point(seconds_.load()); }
    void turn(std::chrono::seconds by) { seconds_ = seconds_.load() + by; }

private:
    std::atomic<std::chrono::seconds> seconds_{1'000s};
};

// An API server played by the test: it says what exists, which watches are open, and whether a probe is answered.
class Stage {
public:
    explicit Stage(LockedNamespaces locked = {}, bool answers = true, std::string mistake = "")
        : answers_(answers), mistake_(std::move(mistake)) {
        watch_.emplace(ClusterWatch::Options{
                           .locked = std::move(locked),
                           .limits = limits_,
                           .make_feed =
                               [this](Kind kind, FeedHandlers handlers) {
                                   const std::lock_guard lock(mutex_);
                                   handlers_[kind] = std::move(handlers);
                                   ++started_[kind];
                                   return std::make_unique<PlayedFeed>(states_[kind], listed_again_[kind]);
                               },
                           .probe = [this](const std::stop_token& stop) { return probe(stop); },
                           .on_offers =
                               [this](const ClusterWatch::Offers& offers) {
                                   const std::lock_guard lock(mutex_);
                                   if (!mistake_.empty()) throw std::runtime_error(mistake_);
                                   offers_.push_back(offers);
                                   changed_.notify_all();
                               },
                           .on_trouble =
                               [this](Kind kind, const Error& problem) {
                                   const std::lock_guard lock(mutex_);
                                   troubles_.push_back(std::string(to_string(kind)) + ": " + problem.message);
                               },
                           .waiting_for =
                               [this] {
                                   const std::lock_guard lock(mutex_);
                                   return waiting_for_;
                               },
                           .between_probes = 1ms,
                           .settling = 1ms,
                       },
                       clock_);
        watch_->begin();
    }
    ~Stage() { watch_.reset(); }

    ClusterWatch& watch() { return *watch_; }
    TurnedClock& clock() { return clock_; }

    void list(Kind kind, const std::vector<std::string>& objects = {}) {
        handlers_[kind].list_begins();
        for (const std::string& text : objects) handlers_[kind].exists(*Object(text));
        handlers_[kind].list_ends();
        states_[kind] = Feed::State::open;
    }
    void list_all() {
        for (const Kind kind : kKinds) list(kind);
    }
    void fail(Kind kind, const std::string& problem) {
        states_[kind] = Feed::State::failing;
        handlers_[kind].failed({Errc::peer, problem, "GET /"});
    }
    FeedHandlers& handlers(Kind kind) { return handlers_[kind]; }
    void set_state(Kind kind, Feed::State state) { states_[kind] = state; }
    int started(Kind kind) { return started_[kind]; }
    int listed_again(Kind kind) { return listed_again_[kind]; }
    void wait_for(std::optional<std::string> what) {
        const std::lock_guard lock(mutex_);
        waiting_for_ = std::move(what);
    }
    void make_mistake(std::string mistake) {
        const std::lock_guard lock(mutex_);
        mistake_ = std::move(mistake);
    }
    void make_no_mistake() { make_mistake(""); }
    std::vector<std::string> troubles() {
        const std::lock_guard lock(mutex_);
        return troubles_;
    }

    // From the next probe on; returns when two more were made, so that the first of them began after this call.
    void answer_probes(bool answer) {
        std::unique_lock lock(mutex_);
        answers_ = answer;
        const int wanted = probes_ + 2;
        REQUIRE(changed_.wait_for(lock, 60s, [&] { return probes_ >= wanted; }));
    }
    // Waits for what another thread does soon.
    template <class F>
    bool soon(F&& holds) {
        const auto end = std::chrono::steady_clock::now() + 60s;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::yield();
        }
        return true;
    }
    bool soon_fresh() {
        return soon([this] { return !watch_->why_not_fresh(); });
    }
    // Offers told so far, once there are `count`.
    std::vector<ClusterWatch::Offers> offers(std::size_t count) {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, 60s, [&] { return offers_.size() >= count; }));
        return offers_;
    }

private:
    class PlayedFeed final : public Feed {
    public:
        PlayedFeed(const std::atomic<State>& state, std::atomic<int>& listed_again) : state_(state), listed_again_(listed_again) {}
        State state() const override { return state_; }
        void list_again() override { ++listed_again_; }

    private:
        const std::atomic<State>& state_;
        std::atomic<int>& listed_again_;
    };

    Result<void> probe(const std::stop_token&) {
        const std::lock_guard lock(mutex_);
        ++probes_;
        changed_.notify_all();
        if (!mistake_.empty()) throw std::runtime_error(mistake_);
        if (!answers_) return fail_probe();
        return {};
    }
    static tl::unexpected<Error> fail_probe() { return fluxgate::fail(Errc::peer, "connection refused", "GET /version"); }

    TurnedClock clock_;
    Limits limits_{.snapshot_entries_max = 100, .snapshot_bytes_max = 1u << 20};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<Kind, FeedHandlers> handlers_;
    std::map<Kind, std::atomic<Feed::State>> states_;
    std::map<Kind, int> started_;
    std::map<Kind, std::atomic<int>> listed_again_;
    std::optional<std::string> waiting_for_;
    std::vector<std::string> troubles_;
    std::vector<ClusterWatch::Offers> offers_;
    bool answers_;
    std::string mistake_;  // of whoever is called
    int probes_ = 0;
    std::optional<ClusterWatch> watch_;
};

}  // namespace

TEST_CASE("there is no view, and nothing is fresh, before everything has been listed") {
    Stage stage;
    for (const Kind kind : kKinds) {
        CHECK(stage.watch().why_not_fresh() == std::string(to_string(kind)) + " are not listed yet");
        CHECK(stage.watch().view().load() == nullptr);
        stage.list(kind, kind == Kind::namespaces ? std::vector{object("production")} : std::vector<std::string>{});
    }
    REQUIRE(stage.soon_fresh());
    const auto view = stage.watch().view().load();
    REQUIRE(view != nullptr);
    CHECK(view->namespaces->contains("production"));
    CHECK((view->owners && view->cron_jobs && view->substitutes && view->grants));
    CHECK(stage.watch().age() == 0s);
}

TEST_CASE("a change makes a new view; the one before stays what it was") {
    Stage stage;
    stage.list_all();
    REQUIRE(stage.soon_fresh());
    const auto before = stage.watch().view().load();
    stage.handlers(Kind::namespaces).exists(*Object(object("production")));
    CHECK(stage.soon([&] { return stage.watch().view().load()->namespaces->contains("production"); }));
    stage.handlers(Kind::namespaces).gone(*Object(object("production")));
    CHECK(stage.soon([&] { return stage.watch().view().load()->namespaces->empty(); }));
    CHECK(before->namespaces->empty());
}

TEST_CASE("fresh ends 15 s after the last answer of the API server, and begins with the next") {
    Stage stage;
    stage.list_all();
    REQUIRE(stage.soon_fresh());
    stage.answer_probes(false);
    stage.clock().turn(15s);
    CHECK_FALSE(stage.watch().why_not_fresh());
    stage.clock().turn(2s);
    CHECK(stage.watch().why_not_fresh() == "no answer of the API server for 17 s: GET /version: connection refused (peer)");
    CHECK(stage.watch().age() == 17s);
    stage.answer_probes(true);
    CHECK(stage.soon_fresh());
    CHECK(stage.watch().age() == 0s);
}

TEST_CASE("an API server that never answered is not fresh either") {
    Stage stage({}, false);
    stage.answer_probes(false);
    stage.clock().turn(20s);
    stage.list_all();
    CHECK(stage.soon([&] { return stage.watch().why_not_fresh().value_or("").starts_with("no answer of the API server for 20 s"); }));
}

TEST_CASE("a watch that fails is forgiven for 15 s") {
    Stage stage;
    stage.list_all();
    REQUIRE(stage.soon_fresh());
    stage.fail(Kind::kustomizations, "connection reset");
    CHECK(stage.troubles() == std::vector<std::string>{"kustomizations: connection reset"});
    // So that no look of the other thread from before the failure comes after the clock is turned.
    stage.answer_probes(true);
    stage.clock().turn(14s);
    stage.answer_probes(true);
    CHECK_FALSE(stage.watch().why_not_fresh());
    stage.clock().turn(2s);
    stage.answer_probes(true);
    CHECK(stage.watch().why_not_fresh() == "the watch of kustomizations is failing: GET /: connection reset (peer)");
    CHECK(stage.watch().age() == 16s);
    stage.set_state(Kind::kustomizations, Feed::State::open);
    CHECK_FALSE(stage.watch().why_not_fresh());
    CHECK(stage.watch().age() == 0s);
}

TEST_CASE("a watch that fails before the first list says why") {
    Stage stage;
    stage.fail(Kind::cron_jobs, "forbidden");
    CHECK(stage.watch().why_not_fresh() == "the watch of cronjobs is failing: GET /: forbidden (peer)");
}

TEST_CASE("what was listed is fresh only when it is watched as well") {
    Stage stage;
    for (const Kind kind : kKinds) {
        if (kind != Kind::buckets) stage.list(kind);
    }
    stage.handlers(Kind::buckets).list_begins();
    stage.handlers(Kind::buckets).list_ends();
    CHECK(stage.soon([&] { return stage.watch().why_not_fresh() == "the watch of buckets is not open yet"; }));
    stage.set_state(Kind::buckets, Feed::State::open);
    CHECK(stage.soon_fresh());
}

TEST_CASE("an object that could not be read is not passed over in silence") {
    Stage stage;
    stage.list_all();
    REQUIRE(stage.soon_fresh());
    stage.handlers(Kind::helm_releases).passed_over("apps/huge is too large");
    CHECK(stage.watch().why_not_fresh() == "apps/huge is too large");
    stage.list(Kind::helm_releases);
    CHECK(stage.soon_fresh());
}

TEST_CASE("a collection that once was too large is listed again until it fits, though its watch is well") {
    const std::string large(1u << 20, 'x');
    struct Row {
        const char* name;
        std::vector<std::string> events;  // what makes it too large, by the watch
        std::vector<std::string> gone;    // what ends it, by the watch
    };
    std::vector<std::string> many;
    for (int i = 0; i <= 100; ++i) many.push_back(object("n" + std::to_string(i)));
    const std::vector<Row> rows{
        {"one object too large", {R"({"metadata":{"name":"large","labels":{"x":")" + large + R"("}}})"}, {object("large")}},
        {"too many objects", many, {object("n100"), object("n7")}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Stage stage;
        stage.list_all();
        REQUIRE(stage.soon_fresh());
        auto& handlers = stage.handlers(Kind::namespaces);
        for (const std::string& text : row.events) handlers.exists(*Object(text));
        const auto too_much = [&] { return stage.watch().why_not_fresh().value_or("").starts_with("namespaces holds more than is kept"); };
        CHECK(too_much());
        stage.answer_probes(true);
        CHECK(stage.listed_again(Kind::namespaces) == 0);  // not at once: the list may be long
        for (const std::string& text : row.gone) handlers.gone(*Object(text));
        CHECK(too_much());  // nobody knows yet what it is that was left out

        // The pause begins when the problem is seen, which is by another thread.
        const auto listed_again = [&](int times) {
            return stage.soon([&] {
                stage.clock().turn(1s);
                handlers.gone(*Object(object("nobody")));
                stage.answer_probes(true);
                return stage.listed_again(Kind::namespaces) >= times;
            });
        };
        CHECK(listed_again(1));
        CHECK(too_much());
        CHECK(listed_again(2));  // on and on, while it lasts
        stage.list(Kind::namespaces, {object("production")});
        CHECK(stage.soon_fresh());
        CHECK(stage.listed_again(Kind::kustomizations) == 0);
    }
}

TEST_CASE("a collection with a problem whose list is under way, or failing, is left to itself") {
    for (const Feed::State state : {Feed::State::starting, Feed::State::failing}) {
        Stage stage;
        stage.list_all();
        REQUIRE(stage.soon_fresh());
        stage.handlers(Kind::helm_releases).passed_over("apps/huge is too large");
        stage.set_state(Kind::helm_releases, state);
        int looks = 0;
        const auto look_after = [&](std::chrono::seconds time) {
            stage.clock().turn(time);
            const auto before = stage.watch().view().load();
            stage.handlers(Kind::namespaces).exists(*Object(object("n" + std::to_string(++looks))));
            REQUIRE(stage.soon([&] { return stage.watch().view().load() != before; }));
            return stage.listed_again(Kind::helm_releases);
        };
        for (int i = 0; i < 3; ++i) CHECK(look_after(31s) == 0);
        stage.set_state(Kind::helm_releases, Feed::State::open);
        CHECK(look_after(29s) == 0);  // the pause begins with the watch
        CHECK(look_after(2s) == 1);
    }
}

TEST_CASE("what holds all calls up is named while nothing is fresh") {
    Stage stage;
    stage.wait_for("the credential plugin login");
    CHECK(stage.watch().why_not_fresh() == "namespaces are not listed yet; waiting for the credential plugin login");
    stage.list_all();
    CHECK(stage.soon_fresh());
    stage.answer_probes(false);
    stage.clock().turn(16s);
    CHECK(stage.watch().why_not_fresh().value_or("").ends_with("; waiting for the credential plugin login"));
    stage.wait_for(std::nullopt);
    CHECK(stage.watch().why_not_fresh().value_or("").ends_with("connection refused (peer)"));
}

TEST_CASE("a mistake ends no thread: it is reported, and tried again") {
    Stage stage({}, true, "a mistake of ours");
    stage.clock().turn(20s);
    CHECK(stage.soon([&] { return stage.watch().why_not_fresh().value_or("").starts_with("namespaces are not listed yet"); }));
    stage.list_all();
    CHECK(stage.soon([&] { return stage.watch().why_not_fresh() == "no view can be made: a mistake of ours"; }));
    stage.make_no_mistake();
    CHECK(stage.soon_fresh());
    CHECK(stage.offers(1).size() == 1);
}

TEST_CASE("a probe that makes a mistake is no answer") {
    Stage stage;
    stage.list_all();
    REQUIRE(stage.soon_fresh());
    stage.make_mistake("a mistake of ours");
    stage.clock().turn(17s);
    CHECK(
        stage.soon([&] { return stage.watch().why_not_fresh() == "no answer of the API server for 17 s: a mistake of ours (internal)"; }));
}

TEST_CASE("kinds that the API server does not serve in the watched version are named") {
    Stage stage;
    stage.list_all();
    CHECK(stage.watch().absent_kinds().empty());
    stage.set_state(Kind::buckets, Feed::State::absent);
    stage.set_state(Kind::helm_releases, Feed::State::absent);
    CHECK(stage.soon_fresh());
    CHECK(stage.watch().absent_kinds() == "helmreleases (helm.toolkit.fluxcd.io/v2), buckets (source.toolkit.fluxcd.io/v1)");
}

TEST_CASE("nothing is listed before the watch begins") {
    const SystemClock clock;
    int made = 0;
    ClusterWatch watch({.locked = {},
                        .limits = {},
                        .make_feed = [&](Kind, FeedHandlers) -> std::unique_ptr<Feed> {
                            ++made;
                            return nullptr;
                        },
                        .probe = [](const std::stop_token&) { return Result<void>{}; },
                        .on_offers = {},
                        .on_trouble = {}},
                       clock);
    CHECK(watch.why_not_fresh() == "namespaces are not listed yet");
    watch.set_locked_namespaces({});
    CHECK(made == 0);
}

TEST_CASE("offers are told when they change, and only then") {
    Stage stage;
    stage.list_all();
    CHECK(stage.offers(1).front()->empty());
    stage.handlers(Kind::namespaces).exists(*Object(object("production")));
    REQUIRE(stage.soon([&] { return stage.watch().view().load()->namespaces->size() == 1; }));
    stage.handlers(Kind::offered_grants).exists(*Object(object("fluxgate-system/grant-1", R"("data":{"grant":"a note"})")));
    const auto told = stage.offers(2);
    CHECK(told.size() == 2);
    CHECK(*told.back() == std::vector<policy::OfferedGrant>{{"grant-1", "a note", ""}});
}

TEST_CASE("CronJobs are listed anew when other namespaces are locked, and the view stays meanwhile") {
    const auto locking = [](const std::string& name) {
        return LockedNamespaces(*policy::sample::compiled(
            policy::sample::policy("  match: {namespaces: [" + name + "]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n")));
    };
    const std::vector<std::string> all{object("production/report"), object("staging/report")};
    Stage stage(locking("production"));
    stage.list_all();
    stage.list(Kind::cron_jobs, all);
    const auto known = [&](const char* key) {
        return stage.watch().view().load() && stage.watch().view().load()->cron_jobs->contains(key);
    };
    REQUIRE(stage.soon([&] { return known("production/report"); }));
    CHECK_FALSE(known("staging/report"));

    stage.watch().set_locked_namespaces(locking("production"));
    CHECK(stage.listed_again(Kind::cron_jobs) == 0);
    stage.watch().set_locked_namespaces(locking("staging"));
    CHECK(stage.listed_again(Kind::cron_jobs) == 1);
    CHECK(stage.listed_again(Kind::namespaces) == 0);
    CHECK(stage.started(Kind::cron_jobs) == 1);
    CHECK(stage.soon_fresh());
    CHECK(known("production/report"));
    stage.list(Kind::cron_jobs, all);
    CHECK(stage.soon([&] { return known("staging/report"); }));
    CHECK_FALSE(known("production/report"));
}
