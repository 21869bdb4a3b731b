#include "kube/client/reflector.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/kube/client/support.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;
using namespace fluxgate::kube::client;
using namespace fluxgate::kube::client::testing;

namespace {

using State = Reflector::State;

// A reflector on the test's thread, against a server whose script is a list of steps; the last one stops it.
class Story {
public:
    using Step = std::function<void(Story&, const SeenRequest&, Peer&)>;
    Story(const Story&) = delete;
    Story& operator=(const Story&) = delete;

    explicit Story(std::vector<Step> steps, double luck = 0) : steps_(std::move(steps)) {
        pace.luck = luck;
        pace.on_pause = [this](std::size_t) { states_when_waiting.push_back(reflector_->state()); };
        FakeApi server([this](const SeenRequest& request, Peer& peer) {
            if (next_ < steps_.size()) {
                steps_[next_++](*this, request, peer);
            } else {
                state_at_end = reflector_->state();
                stop.request_stop();
                peer.wait_for_close();
            }
        });
        Reflector::Handlers handlers;
        handlers.list_begins = [this] { seen.emplace_back("begins"); };
        handlers.exists = [this](Json object) {
            const std::string name(object["metadata"]["name"].text());
            if (name == "again") return reflector_->list_again();
            if (name == "mistake" && !std::exchange(mistaken_, true)) throw std::runtime_error("no memory");
            if (name == "minute") {
                pace.advance(60s);
            } else {
                seen.push_back("+" + name);
            }
        };
        handlers.gone = [this](Json object) { seen.push_back("-" + std::string(object["metadata"]["name"].text())); };
        handlers.list_ends = [this] { seen.emplace_back("ends"); };
        handlers.failed = [this](const Failure& failure) { failures.push_back(to_string(failure.error)); };
        reflector_.emplace(server.client({.object_bytes_max = 300}),
                           Reflector::Collection{.path = "/api/v1/namespaces", .label_selector = "a"}, std::move(handlers), pace);
        CHECK(reflector_->state() == State::starting);
        reflector_->run(stop.get_token());
        requests = server.requests();
    }

    // The resourceVersions of the watches, "list" for lists.
    std::vector<std::string> asked() const {
        std::vector<std::string> out;
        for (const SeenRequest& request : requests) {
            const auto at = request.target.find("resourceVersion=");
            out.push_back(request.is_watch() ? request.target.substr(at + 16, request.target.find('&', at) - at - 16) : "list");
        }
        return out;
    }

    TestPace pace;
    std::stop_source stop;
    std::vector<std::string> seen;
    std::vector<std::string> failures;
    std::vector<SeenRequest> requests;
    std::vector<State> states_when_waiting;
    std::atomic<State> state_at_end{State::starting};

private:
    std::vector<Step> steps_;
    std::size_t next_ = 0;
    bool mistaken_ = false;
    std::optional<Reflector> reflector_;
};

Story::Step list(std::vector<std::string> items, std::string version) {
    return [=](Story&, const SeenRequest&, Peer& peer) { peer.answer(200, list_text(items, version)); };
}
Story::Step answer(int status, std::string reason, std::string fields = "") {
    return [=](Story&, const SeenRequest&, Peer& peer) { peer.answer(status, status_text(status, reason, "m"), fields); };
}
// An object whose arrival takes a minute: time moves on the reflector's own thread, where its order is certain.
const std::string kMinute = event_text("MODIFIED", R"({"metadata":{"name":"minute"}})");

Story::Step watch(std::vector<std::string> events) {
    return [=](Story&, const SeenRequest&, Peer& peer) { peer.stream(events); };
}
Story::Step broken_watch(std::vector<std::string> events) {
    return [=](Story&, const SeenRequest&, Peer& peer) {
        peer.begin_stream();
        for (const std::string& event : events) peer.chunk(event);
        peer.close();
    };
}

const std::string kA = object_text("a", "1");
const std::string kB = object_text("b", "2");
std::string added(const std::string& name, const std::string& version) { return event_text("ADDED", object_text(name, version)); }
std::string bookmark(const std::string& version) { return event_text("BOOKMARK", object_text("", version)); }
std::string expired() { return event_text("ERROR", status_text(410, "Expired", "too old")); }

}  // namespace

TEST_CASE("a reflector lists, watches, resumes and starts over") {
    struct Row {
        std::string name;
        std::vector<Story::Step> steps;
        std::vector<std::string> asked;  // ends with the watch that the story stops in, or the list
        std::vector<std::string> seen;
        std::size_t failures;
        std::size_t pauses;
        State state_at_end;
    };
    const std::vector<Row> rows{
        {"a list, then changes",
         {list({kA, kB}, "7"),
          watch({added("c", "8"), event_text("MODIFIED", object_text("c", "9")), event_text("DELETED", object_text("a", "10")), kMinute})},
         {"list", "7", "10"},
         {"begins", "+a", "+b", "ends", "+c", "+c", "-a"},
         0,
         0,
         State::open},
        {"a bookmark is resumed from",
         {list({}, "7"), watch({added("c", "8"), kMinute, bookmark("20")})},
         {"list", "7", "20"},
         {"begins", "ends", "+c"},
         0,
         0,
         State::open},
        {"a watch without news is resumed from where it began",
         {list({}, "7"), watch({kMinute})},
         {"list", "7", "7"},
         {"begins", "ends"},
         0,
         0,
         State::open},
        {"a watch that breaks after a while is resumed at once",
         {list({}, "7"), broken_watch({added("c", "8"), kMinute})},
         {"list", "7", "8"},
         {"begins", "ends", "+c"},
         0,
         0,
         State::open},
        {"a watch that breaks within an event too",
         {list({}, "7"), broken_watch({added("c", "8"), kMinute, "{\"type\":"})},
         {"list", "7", "8"},
         {"begins", "ends", "+c"},
         0,
         0,
         State::open},
        {"expired while it ran: list again",
         {list({kA}, "7"), watch({kMinute, expired()}), list({kB}, "9")},
         {"list", "7", "list", "9"},
         {"begins", "+a", "ends", "begins", "+b", "ends"},
         0,
         0,
         State::starting},
        {"expired when it was resumed: wait and list again",
         {list({kA}, "7"), answer(410, "Expired"), list({kB}, "9")},
         {"list", "7", "list", "9"},
         {"begins", "+a", "ends", "begins", "+b", "ends"},
         1,
         1,
         State::failing},
        {"expired as the first event",
         {list({kA}, "7"), watch({expired()}), list({kB}, "9")},
         {"list", "7", "list", "9"},
         {"begins", "+a", "ends", "begins", "+b", "ends"},
         1,
         1,
         State::failing},
        {"an event that is no JSON: nothing after it can be trusted",
         {list({kA}, "7"), watch({kMinute, "<html>\n"}), list({kB}, "9")},
         {"list", "7", "list", "9"},
         {"begins", "+a", "ends", "begins", "+b", "ends"},
         0,
         0,
         State::starting},
        {"a list that fails is asked for again",
         {answer(500, "InternalError"), answer(403, "Forbidden"), list({kA}, "7")},
         {"list", "list", "list", "7"},
         {"begins", "+a", "ends"},
         2,
         2,
         State::failing},
        {"a list that breaks off begins again",
         {[](Story&, const SeenRequest&, Peer& peer) {
              peer.begin_stream();
              peer.chunk(R"({"metadata":{"resourceVersion":"7"},"items":[)" + kA + ",");
              peer.close();
          },
          list({kB}, "7")},
         {"list", "list", "7"},
         {"begins", "+a", "begins", "+b", "ends"},
         1,
         1,
         State::failing},
        {"a watch that is refused for now keeps its place",
         {list({}, "7"), answer(429, "TooManyRequests"), answer(503, "x"), answer(401, "x")},
         {"list", "7", "7", "7", "7"},
         {"begins", "ends"},
         3,
         3,
         State::failing},
        {"a watch that is refused for good starts over",
         {list({}, "7"), answer(400, "BadRequest"), list({}, "9")},
         {"list", "7", "list", "9"},
         {"begins", "ends", "begins", "ends"},
         1,
         1,
         State::failing},
        {"one early end is a server that stops", {list({}, "7"), watch({})}, {"list", "7", "7"}, {"begins", "ends"}, 0, 1, State::open},
        {"two are a failure", {list({}, "7"), watch({}), watch({})}, {"list", "7", "7", "7"}, {"begins", "ends"}, 1, 2, State::failing},
        {"two with a watch between them are not",
         {list({}, "7"), watch({}), watch({kMinute}), watch({})},
         {"list", "7", "7", "7", "7"},
         {"begins", "ends"},
         0,
         2,
         State::open},
        {"a kind that is not installed", {answer(404, "NotFound")}, {"list", "list"}, {"begins", "ends"}, 0, 1, State::absent},
        {"and still is not",
         {answer(404, "NotFound"), answer(404, "NotFound")},
         {"list", "list", "list"},
         {"begins", "ends"},
         0,
         2,
         State::absent},
        {"and is at last",
         {answer(404, "NotFound"), list({kA}, "7")},
         {"list", "list", "7"},
         {"begins", "ends", "begins", "+a", "ends"},
         0,
         1,
         State::absent},
        {"a kind that goes away",
         {list({kA}, "7"), watch({kMinute}), answer(404, "NotFound"), answer(404, "NotFound")},
         {"list", "7", "7", "list", "list"},
         {"begins", "+a", "ends", "begins", "ends"},
         1,
         2,
         State::absent},
        {"asked to list again while it watches",
         {list({kA}, "7"), watch({added("again", "8")}), list({kB}, "20")},
         {"list", "7", "list", "20"},
         {"begins", "+a", "ends", "begins", "+b", "ends"},
         0,
         0,
         State::starting},
        {"asked to list again while it lists",
         {list({object_text("again", "1"), kA}, "7"), list({kB}, "20")},
         {"list", "list", "20"},
         {"begins", "+a", "ends", "begins", "+b", "ends"},
         0,
         0,
         State::starting},
        {"a handler that throws in a list",
         {list({object_text("mistake", "1"), kA}, "7"), list({object_text("mistake", "1"), kA}, "8")},
         {"list", "list", "8"},
         {"begins", "begins", "+mistake", "+a", "ends"},
         1,
         1,
         State::failing},
        {"a handler that throws in a watch",
         {list({kA}, "7"), watch({added("mistake", "8"), added("b", "9")}), list({kB}, "20")},
         {"list", "7", "list", "20"},
         {"begins", "+a", "ends", "begins", "+b", "ends"},
         1,
         1,
         State::failing},
        {"an object that is too large is named and passed over",
         {list({object_text("big", "3", ",\"x\":\"" + std::string(400, 'x') + "\""), kA}, "7")},
         {"list", "7"},
         {"begins", "+a", "ends"},
         1,
         0,
         State::starting},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Story story(row.steps);
        CHECK(story.asked() == row.asked);
        CHECK(story.seen == row.seen);
        CHECK(story.failures.size() == row.failures);
        CHECK(story.pace.pauses().size() == row.pauses);
        CHECK(story.state_at_end == row.state_at_end);
        for (const SeenRequest& request : story.requests) CHECK(request.asks("labelSelector=a"));
    }
}

TEST_CASE("a failing API server is asked less and less often, with a spread, but for ever") {
    const std::vector<std::chrono::milliseconds> longest{500ms, 1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s};
    for (const double luck : {0.0, 0.999}) {
        std::vector<Story::Step> steps(longest.size(), answer(500, "InternalError"));
        const Story story(std::move(steps), luck);
        const auto pauses = story.pace.pauses();
        REQUIRE(pauses.size() == longest.size());
        for (std::size_t index = 0; index < pauses.size(); ++index) {
            CHECK(pauses[index] >= longest[index] / 2);
            CHECK(pauses[index] <= longest[index]);
            CHECK((luck > 0) == (pauses[index] > longest[index] * 9 / 10));
        }
        for (const State state : story.states_when_waiting) CHECK(state == State::failing);
        CHECK(story.failures.front().find("GET /api/v1/namespaces") != std::string::npos);
    }
}

TEST_CASE("waiting is as long as the server asks for, within reason, and short again after a watch that lived") {
    struct Row {
        std::string name;
        std::vector<Story::Step> steps;
        std::vector<std::chrono::milliseconds> pauses;
    };
    const auto failing = answer(500, "InternalError");
    const std::vector<Row> rows{
        {"the server asks for seven seconds", {answer(429, "TooManyRequests", "Retry-After: 7\r\n")}, {7s}},
        {"the server asks for a day", {answer(429, "TooManyRequests", "Retry-After: 86400\r\n")}, {60s}},
        {"the server asks for less than we would wait",
         {failing, failing, failing, answer(429, "x", "Retry-After: 1\r\n")},
         {250ms, 500ms, 1s, 2s}},
        {"a watch that lived forgives", {failing, failing, list({}, "7"), watch({kMinute}), failing}, {250ms, 500ms, 250ms}},
        {"a watch that did not live does not", {failing, failing, list({}, "7"), watch({}), failing}, {250ms, 500ms, 1s, 2s}},
        {"a list alone does not", {failing, failing, list({}, "7"), failing}, {250ms, 500ms, 1s}},
        {"an absent kind is asked for every half minute", {answer(404, "NotFound"), answer(404, "NotFound")}, {30s, 30s}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(Story(row.steps).pace.pauses() == row.pauses);
    }
}

TEST_CASE("a version that never works is forgotten") {
    std::vector<Story::Step> steps{list({}, "7")};
    for (int time = 0; time < 6; ++time) steps.push_back(answer(504, "Timeout"));
    steps.push_back(list({}, "8"));
    const Story story(std::move(steps));
    CHECK(story.asked() == std::vector<std::string>{"list", "7", "7", "7", "7", "7", "7", "list", "8"});
}

TEST_CASE("watches end at different times, between four and six minutes") {
    for (const auto& [luck, seconds] : std::vector<std::pair<double, std::string>>{{0, "240"}, {0.5, "300"}, {0.999, "359"}}) {
        const Story story({list({}, "7")}, luck);
        CHECK(story.requests.back().asks("timeoutSeconds=" + seconds));
    }
}

TEST_CASE("a reflector that is stopped before it starts asks nothing") {
    FakeApi server([](const SeenRequest&, Peer& peer) { peer.answer(500, ""); });
    TestPace pace;
    Reflector reflector(server.client(), {.path = "/api/v1/namespaces"}, {}, pace);
    std::stop_source stop;
    stop.request_stop();
    reflector.run(stop.get_token());
    CHECK(server.requests().empty());
    CHECK(reflector.state() == State::starting);
}
