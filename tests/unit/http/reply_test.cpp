#include <atomic>
#include <deque>

#include "tests/unit/http/support.hpp"

using namespace fluxgate;
using namespace fluxgate::http;
using namespace fluxgate::http::testing;

namespace {

// Takes replies away from the handler and answers them on a thread of its own.
class Answerer {
public:
    using Job = std::function<void()>;
    Answerer() : thread_([this] { run(); }) {}
    ~Answerer() {
        push(nullptr);
        thread_.join();
    }
    void push(Job job) {
        std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        ready_.notify_one();
    }

private:
    void run() {
        for (;;) {
            std::unique_lock lock(mutex_);
            ready_.wait(lock, [this] { return !jobs_.empty(); });
            const Job job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            if (!job) return;
            job();
        }
    }
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<Job> jobs_;
    std::thread thread_;
};

std::shared_ptr<Reply> share(Reply reply) { return std::make_shared<Reply>(std::move(reply)); }

// Holds replies until the test wants them.
struct Shelf {
    std::mutex mutex;
    std::vector<std::shared_ptr<Reply>> replies;
    void put(std::shared_ptr<Reply> reply) {
        std::lock_guard lock(mutex);
        replies.push_back(std::move(reply));
    }
    std::size_t size() {
        std::lock_guard lock(mutex);
        return replies.size();
    }
    std::vector<std::shared_ptr<Reply>> take() {
        std::lock_guard lock(mutex);
        return std::exchange(replies, {});
    }
};

}  // namespace

TEST_CASE("a reply sent later from another thread reaches its request, for many connections and pipelined requests") {
    Answerer answerer;
    Running running(
        [&](const Request& request, Reply reply) {
            auto kept = share(std::move(reply));
            answerer.push([kept, text = std::string(request.body)] { kept->send({.body = "late " + text}); });
        },
        [](ServerOptions& options) { options.threads = 2; });
    std::vector<std::unique_ptr<RawClient>> connections;
    for (int c = 0; c < 6; ++c) connections.push_back(std::make_unique<RawClient>(running));
    std::vector<std::thread> clients;
    std::atomic<int> answered{0};
    for (int c = 0; c < 6; ++c) {
        clients.emplace_back([&, c] {
            RawClient& client = *connections[static_cast<std::size_t>(c)];
            for (int i = 0; i < 100; ++i) {
                const std::string one = std::to_string(c) + "." + std::to_string(i);
                client.send(post(one) + post(one + "b"));
                const auto first = client.read();
                const auto second = client.read();
                if (first && first->body == "late " + one && second && second->body == "late " + one + "b") ++answered;
            }
        });
    }
    for (auto& client : clients) client.join();
    CHECK(answered == 600);
    CHECK(running.events->size() == 0);
    CHECK(eventually([&] { return running.server->counters().requests_in_flight == 0; }));
}

TEST_CASE("a reply counts once") {
    std::atomic<int> first{-1};
    std::atomic<int> again{-1};
    Running running([&](const Request&, Reply reply) {
        first = reply.send({.body = "first"}) ? 1 : 0;
        again = reply.send({.body = "second"}) ? 1 : 0;
    });
    Client client = running.client();
    CHECK(client.exchange("POST", "/", "x")->body == "first");
    CHECK(first == 1);
    CHECK(again == 0);
}

TEST_CASE("a reply assigned over is dropped, and moving one keeps it") {
    Shelf shelf;
    Running running([&](const Request& request, Reply reply) {
        if (request.path == "/keep") return shelf.put(share(std::move(reply)));
        Reply moved(std::move(reply));
        moved.send({.body = "moved"});
    });
    Client client = running.client();
    CHECK(client.exchange("POST", "/", "x")->body == "moved");
    RawClient one(running);
    RawClient two(running);
    for (RawClient* each : {&one, &two}) REQUIRE(each->send("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n"));
    REQUIRE(eventually([&] { return shelf.size() == 2; }));
    const auto replies = shelf.take();
    *replies[0] = std::move(*replies[1]);
    replies[0]->send({.body = "the survivor"});
    const auto a = one.read();
    const auto b = two.read();
    REQUIRE(a);
    REQUIRE(b);
    CHECK(a->status + b->status == 700);
}

TEST_CASE("a dropped reply is answered 500 and reported, at once or later") {
    Shelf shelf;
    Running running([&](const Request& request, Reply reply) {
        if (request.path == "/later") shelf.put(share(std::move(reply)));
    });
    {
        RawClient client(running);
        REQUIRE(client.send(post("x")));
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->status == 500);
        CHECK(response->body.find("\"code\":\"internal\"") != std::string::npos);
        CHECK(client.closed_cleanly());
        CHECK(running.events->count(Event::Kind::handler_failed, 500) == 1);
    }
    RawClient client(running);
    REQUIRE(client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    REQUIRE(eventually([&] { return shelf.size() == 1; }));
    CHECK(running.server->counters().requests_in_flight == 1);
    shelf.take();
    const auto response = client.read();
    REQUIRE(response);
    CHECK(response->status == 500);
    CHECK(running.events->count(Event::Kind::handler_failed, 500) == 2);
}

TEST_CASE("a handler that throws is answered 500, reported with its reason, and its connection closes") {
    Shelf shelf;
    Running running([&](const Request& request, Reply reply) {
        if (request.path == "/after-sending") reply.send({.body = "sent before"});
        if (request.path == "/kept") shelf.put(share(std::move(reply)));
        if (request.path == "/int") throw 42;
        if (request.path != "/fine") throw std::runtime_error("the sky fell");
        reply.send({});
    });
    for (const std::string path : {"/validate", "/int", "/kept", "/after-sending"}) {
        INFO(path);
        RawClient client(running);
        REQUIRE(client.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"));
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->status == (path == "/after-sending" ? 200 : 500));
        CHECK(response->says_close());
        CHECK(client.closed_cleanly());
    }
    CHECK(running.events->count(Event::Kind::handler_failed) == 4);
    CHECK(running.events->last_detail() == "the handler threw: the sky fell");
    for (const auto& reply : shelf.take()) CHECK_FALSE(reply->send({.body = "too late"}));
    Client client = running.client();
    CHECK(client.exchange("GET", "/fine", "")->status == 200);
}

TEST_CASE("when nobody answered by the time given, the fallback is sent and later answers are refused") {
    Shelf shelf;
    Running running([&](const Request& request, Reply reply) {
        const auto patience = request.path == "/past" ? -1ms : request.path == "/soon" ? 50ms : 60'000ms;
        reply.answer_by(request.arrived + patience, {.status = 503, .body = "fallback"});
        if (request.path == "/inline") {
            reply.send({.body = "in time"});
            return;
        }
        shelf.put(share(std::move(reply)));
    });
    Client client = running.client();
    for (const std::string path : {"/past", "/soon"}) {
        const auto response = client.exchange("POST", path, "x");
        REQUIRE(response.has_value());
        CHECK(response->status == 503);
        CHECK(response->body == "fallback");
    }
    for (const auto& reply : shelf.take()) CHECK_FALSE(reply->send({.body = "late"}));
    CHECK(client.exchange("POST", "/inline", "x")->body == "in time");

    RawClient patient(running);
    REQUIRE(patient.send("GET /patient HTTP/1.1\r\nHost: a\r\n\r\n"));
    REQUIRE(eventually([&] { return shelf.size() == 1; }));
    for (const auto& reply : shelf.take()) CHECK(reply->send({.body = "long before the fallback"}));
    CHECK(patient.read()->body == "long before the fallback");
    CHECK(running.events->size() == 0);
}

TEST_CASE("answers racing with their fallback: each request gets exactly one") {
    Answerer answerer;
    std::atomic<int> won{0};
    Running running([&](const Request& request, Reply reply) {
        const auto when = request.arrived + 300us;
        reply.answer_by(when, {.body = "fallback"});
        auto kept = share(std::move(reply));
        answerer.push([&won, kept, when] {
            while (SteadyClock::now() < when) {
            }
            if (kept->send({.body = "answer"})) ++won;
        });
    });
    Client client = running.client();
    int answers = 0;
    int fallbacks = 0;
    for (int i = 0; i < 300; ++i) {
        const auto response = client.exchange("POST", "/", "x");
        REQUIRE(response.has_value());
        answers += response->body == "answer" ? 1 : 0;
        fallbacks += response->body == "fallback" ? 1 : 0;
    }
    CHECK(answers + fallbacks == 300);
    CHECK(eventually([&] { return won == answers; }));
}

TEST_CASE("a late reply to a client that has gone, or to a server that has gone, does no harm") {
    Shelf shelf;
    std::vector<std::shared_ptr<Reply>> survivors;
    {
        Running running([&](const Request&, Reply reply) { shelf.put(share(std::move(reply))); });
        {
            RawClient client(running);
            REQUIRE(client.send(post("x")));
            REQUIRE(eventually([&] { return shelf.size() == 1; }));
            client.reset();
        }
        for (const auto& reply : shelf.take()) reply->send({.body = std::string(100'000, 'x')});
        CHECK(eventually([&] { return running.server->counters().connections_open == 0; }));
        CHECK(running.events->count(Event::Kind::connection_lost) == 1);

        RawClient client(running);
        REQUIRE(client.send(post("x")));
        REQUIRE(eventually([&] { return shelf.size() == 1; }));
        survivors = shelf.take();
        CHECK(running.server->stop(0ms) == 1);
        CHECK(client.over());
    }
    for (const auto& reply : survivors) CHECK_FALSE(reply->send({.body = "nobody there"}));
}
