#include <fcntl.h>
#include <sys/resource.h>

#include <atomic>
#include <iostream>
#include <random>

#include "tests/unit/http/support.hpp"

using namespace fluxgate;
using namespace fluxgate::http;
using namespace fluxgate::http::testing;

namespace {

// Connects and says nothing.
int stalled_connection(std::uint16_t port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return descriptor;
    ::close(descriptor);
    return -1;
}

struct Stalled {
    std::vector<int> descriptors;
    Stalled() = default;
    Stalled(const Stalled&) = delete;
    Stalled& operator=(const Stalled&) = delete;
    ~Stalled() {
        for (const int descriptor : descriptors) ::close(descriptor);
    }
};

std::size_t open_descriptors() {
    std::size_t count = 0;
    for (int i = 0; i < 4'096; ++i) count += ::fcntl(i, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

// Asks again and again on one connection until told to stop; counts what went wrong.
class HonestClient {
public:
    explicit HonestClient(const Running& running)
        : thread_([this, &running] {
              Client client = running.client();
              while (!stop_) {
                  const auto response = client.exchange("POST", "/validate", "honest");
                  ++(response.has_value() && response->status == 200 ? answered_ : failed_);
              }
          }) {}
    HonestClient(const HonestClient&) = delete;
    HonestClient& operator=(const HonestClient&) = delete;
    ~HonestClient() { end(); }
    void end() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    std::uint64_t answered() const { return answered_; }
    std::uint64_t failed() const { return failed_; }

private:
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> answered_{0};
    std::atomic<std::uint64_t> failed_{0};
    std::thread thread_;
};

}  // namespace

TEST_CASE("plain HTTP on the TLS port is told so, anything else is closed, both are reported") {
    Running running;
    {
        RawClient lost(running.server->port(), false);
        REQUIRE(lost.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
        const auto response = lost.read();
        REQUIRE(response);
        CHECK(response->status == 400);
        CHECK(response->body.find("speaks TLS") != std::string::npos);
        CHECK(lost.closed_cleanly());
        CHECK(running.events->count(Event::Kind::handshake_failed, 400) == 1);
    }
    RawClient fake(running.server->port(), false);
    REQUIRE(fake.send(std::string("\x16\x03\x01\x00\x05hello", 10)));
    CHECK(fake.over());
    CHECK(running.events->count(Event::Kind::handshake_failed, 0) == 1);
    CHECK(running.client().exchange("GET", "/", "")->status == 200);
}

TEST_CASE("a TCP probe that connects and closes is no event") {
    Running running;
    for (int i = 0; i < 5; ++i) RawClient probe(running.server->port(), false);
    CHECK(
        eventually([&] { return running.server->counters().connections_total == 5 && running.server->counters().connections_open == 0; }));
    CHECK(running.events->size() == 0);
}

TEST_CASE("stalled handshakes, slow headers and slow bodies are closed in time while an honest client is served") {
    Running running(echo, [](ServerOptions& options) {
        options.limits.handshake_timeout = 500ms;
        options.limits.header_timeout = 500ms;
        options.limits.body_timeout = 500ms;
        options.limits.idle_timeout = 500ms;
    });
    HonestClient honest(running);
    REQUIRE(eventually([&] { return honest.answered() > 0; }));
    const auto before = SteadyClock::now();

    SECTION("nothing at all") {
        RawClient client(running.server->port(), false);
        CHECK(client.over());
        CHECK(running.events->count(Event::Kind::handshake_failed) == 1);
    }
    SECTION("half a ClientHello") {
        RawClient client(running.server->port(), false);
        REQUIRE(client.send(std::string("\x16\x03\x01\x02\x00\x01", 6)));
        CHECK(client.over());
        CHECK(running.events->count(Event::Kind::handshake_failed) == 1);
    }
    SECTION("a handshake and nothing else: closed as idle, properly and without an event") {
        RawClient client(running);
        CHECK(client.closed_cleanly());
        CHECK(running.events->size() == 0);
    }
    SECTION("a header that stops") {
        RawClient client(running);
        REQUIRE(client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "));
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->status == 408);
        CHECK(client.closed_cleanly());
        CHECK(running.events->count(Event::Kind::request_refused, 408) == 1);
    }
    SECTION("a body that stops") {
        RawClient client(running);
        REQUIRE(client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this"));
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->status == 408);
        CHECK(client.closed_cleanly());
        CHECK(running.events->count(Event::Kind::request_refused, 408) == 1);
    }
    SECTION("a chunked body that stops") {
        RawClient client(running);
        REQUIRE(client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"));
        const auto response = client.read();
        REQUIRE(response);
        CHECK(response->status == 408);
    }
    CHECK(SteadyClock::now() - before >= 450ms);
    honest.end();
    CHECK(honest.failed() == 0);
    CHECK(eventually([&] { return running.server->counters().connections_open == 0; }));
    CHECK(running.server->counters().body_bytes_in_flight == 0);
}

TEST_CASE("bytes that keep trickling do not move the deadline of a header") {
    Running running(echo, [](ServerOptions& options) {
        options.tls = false;
        options.limits.header_timeout = 200ms;
    });
    RawClient client(running);
    const auto begin = SteadyClock::now();
    REQUIRE(client.send("GET / HTTP/1.1\r\nX: "));
    while (running.events->size() == 0 && SteadyClock::now() - begin < kSoon) {
        client.send("x");
        std::this_thread::yield();
    }
    CHECK(running.events->count(Event::Kind::request_refused) == 1);
}

TEST_CASE("above the limit connections are closed at once, and room appears when one leaves") {
    Running running(echo, [](ServerOptions& options) { options.limits.connections_max = 3; });
    auto one = std::make_unique<RawClient>(running);
    RawClient two(running);
    RawClient three(running);
    RawClient four(running.server->port(), true);
    CHECK_FALSE(four.handshaken());
    CHECK(running.events->count(Event::Kind::connection_refused) == 1);
    REQUIRE(two.send(post("still served")));
    CHECK(two.read()->status == 200);
    one.reset();
    REQUIRE(eventually([&] { return running.server->counters().connections_open == 2; }));
    RawClient five(running);
    REQUIRE(five.send(post("x")));
    CHECK(five.read()->status == 200);
}

TEST_CASE("ten thousand connections that stall leave an honest client unaffected") {
    // Both ends live in this process: two descriptors a connection.
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit raised = before;
    raised.rlim_cur = std::min<rlim_t>(before.rlim_max, 20'200);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &raised) == 0);
    const std::size_t wanted = std::min<std::size_t>(10'000, (raised.rlim_cur - open_descriptors() - 100) / 2);
    if (wanted < 10'000) WARN("the descriptor limit allows only " << wanted << " stalled connections here");
    {
        Running running(echo, [](ServerOptions& options) {
            options.threads = 2;
            options.limits.handshake_timeout = 120s;
        });
        HonestClient honest(running);
        {
            Stalled stalled;
            while (stalled.descriptors.size() < wanted) {
                const int descriptor = stalled_connection(running.server->port());
                REQUIRE(descriptor >= 0);
                stalled.descriptors.push_back(descriptor);
            }
            REQUIRE(eventually([&] { return running.server->counters().connections_open >= wanted; }));
            const auto answered = honest.answered();
            CHECK(eventually([&] { return honest.answered() > answered + 100; }));
            RawClient newcomer(running);
            REQUIRE(newcomer.send(post("new")));
            CHECK(newcomer.read()->status == 200);
        }
        CHECK(eventually([&] { return running.server->counters().connections_open <= 1; }));
        honest.end();
        CHECK(honest.failed() == 0);
    }
    ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE("without file descriptors the listener waits, says so and recovers") {
    Running running(echo, [](ServerOptions& options) { options.tls = false; });
    Client old = running.client();
    REQUIRE(old.exchange("GET", "/", "").has_value());
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    std::vector<int> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // No new descriptor below what is open now.
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(clients.back()) + 1;
    std::vector<int> holes;
    for (int hole = ::dup(0); hole >= 0 && hole <= clients.back(); hole = ::dup(0)) holes.push_back(hole);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(running.server->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (const int client : clients) CHECK(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(eventually([&] { return running.events->count(Event::Kind::connection_refused) > 1; }));
    CHECK(old.exchange("GET", "/", "").has_value());
    // 50 ms apart: a spinning listener would have reported thousands by now.
    CHECK(running.events->size() < 500);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(eventually([&] { return running.server->counters().connections_open == 4; }));
    for (const int descriptor : clients) ::close(descriptor);
    for (const int descriptor : holes) ::close(descriptor);
}

TEST_CASE("random bytes, mutated and truncated requests never crash the server") {
    const auto seed = std::random_device{}();
    std::cout << "seed of the random requests: " << seed << std::endl;
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto any = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random); };
    const std::string chunks =
        "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nTrailer: t\r\n\r\n";
    const std::vector<std::string> seeds{post("hello world"), chunks, "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n" + post("two"),
                                         post(std::string(70'000, 'x'))};
    for (const bool tls : {false, true}) {
        Running running(echo, [&](ServerOptions& options) {
            options.tls = tls;
            options.limits.body_bytes_max = 100'000;
            options.limits.body_timeout = options.limits.header_timeout = 500ms;
        });
        for (int i = 0; i < (tls ? 150 : 600); ++i) {
            std::string bytes = seeds[any(seeds.size())];
            const auto kind = any(3);
            if (kind == 0) {
                bytes.resize(any(bytes.size()) + 1);
            } else if (kind == 1) {
                for (std::size_t n = any(8) + 1; n > 0; --n)
                    bytes[any(std::min<std::size_t>(bytes.size(), 200))] = static_cast<char>(any(256));
            } else {
                bytes.resize(any(3'000) + 1);
                for (char& byte : bytes) byte = static_cast<char>(any(256));
            }
            RawClient client(running);
            client.send(bytes);
            client.finish_sending();
            CHECK(client.over());
        }
        CHECK(eventually([&] { return running.server->counters().connections_open == 0; }));
        CHECK(running.server->counters().requests_in_flight == 0);
        CHECK(running.server->counters().body_bytes_in_flight == 0);
        CHECK(running.client().exchange("GET", "/", "")->status == 200);
    }
    // Below TLS: whatever comes instead of a handshake.
    Running running(echo, [](ServerOptions& options) { options.limits.handshake_timeout = 500ms; });
    for (int i = 0; i < 200; ++i) {
        RawClient client(running.server->port(), false);
        std::string bytes(any(600) + 1, '\0');
        for (char& byte : bytes) byte = static_cast<char>(any(256));
        if (any(2) == 0) bytes.replace(0, std::min<std::size_t>(bytes.size(), 3), "\x16\x03\x01");
        client.send(bytes);
        client.finish_sending();
        CHECK(client.over());
    }
    CHECK(running.client().exchange("GET", "/", "")->status == 200);
}
