#include <atomic>

#include "tests/unit/http/support.hpp"

using namespace fluxgate;
using namespace fluxgate::http;
using namespace fluxgate::http::testing;

namespace {

// A client that behaves as kube-apiserver does: keeps its connection, opens a new one when told to close, never repeats.
struct Caller {
    std::uint64_t answered = 0;
    std::uint64_t connections = 0;
    std::string failure;

    // Calls until the server no longer takes connections. Being refused is no failed call; losing one is.
    void call_until_refused(const Running& running) {
        Client client = running.client();
        for (;;) {
            const bool fresh = !client.connected();
            const auto response = client.exchange("POST", "/validate", "ping");
            if (response.has_value() && response->status == 200) {
                ++answered;
                connections += fresh ? 1 : 0;
                continue;
            }
            if (!response.has_value() && response.error().message.find("cannot connect") != std::string::npos) return;
            // The kernel had taken the connection in when the listener closed: no call was made on it.
            if (fresh && !response.has_value() && response.error().message.find("TLS handshake") != std::string::npos) return;
            failure = response.has_value() ? "status " + std::to_string(response->status) : to_string(response.error());
            return;
        }
    }
};

}  // namespace

TEST_CASE("a server starts on a free port, says which, and stops") {
    Running running;
    CHECK(running.server->port() != 0);
    CHECK(running.client().exchange("GET", "/", "")->status == 200);
    CHECK(running.server->stop(kSoon) == 0);
    CHECK(running.server->stop(kSoon) == 0);
    CHECK_FALSE(running.client().exchange("GET", "/", "").has_value());
    CHECK(running.server->counters().connections_open == 0);
}

TEST_CASE("a server that cannot start says why") {
    Running running;
    struct Row {
        std::string name;
        ServerOptions options;
        TlsIdentity identity;
        Errc code;
    };
    const TlsIdentity good = pki().identity;
    const TlsIdentity other = make_pki("other").identity;
    const std::vector<Row> rows{
        {"an address that is a name", {.address = "localhost"}, good, Errc::invalid_argument},
        {"a port in use", {.port = running.server->port()}, good, Errc::io},
        {"an address of someone else", {.address = "192.0.2.1"}, good, Errc::io},
        {"a key of another certificate", {}, {good.certificate_chain_pem, other.private_key_pem}, Errc::invalid_certificate},
        {"no certificate", {}, {"", good.private_key_pem}, Errc::invalid_certificate},
        {"garbage for a certificate",
         {},
         {"-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n", good.private_key_pem},
         Errc::invalid_certificate},
        {"garbage behind the certificate",
         {},
         {good.certificate_chain_pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good.private_key_pem},
         Errc::invalid_certificate},
        {"garbage for a key", {}, {good.certificate_chain_pem, "garbage"}, Errc::invalid_certificate},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto started = Server::start(row.options, row.identity, echo);
        REQUIRE_FALSE(started.has_value());
        CHECK(started.error().code == row.code);
        CHECK(started.error().message.find("PRIVATE KEY-----\nM") == std::string::npos);
    }
}

TEST_CASE("an IPv6 server answers") {
    ServerOptions options;
    options.address = "::1";
    const auto started = Server::start(options, pki().identity, echo);
    if (!started.has_value()) {
        WARN("no IPv6 loopback on this machine: " << started.error().message);
        return;
    }
    Client client({.address = "::1", .port = (*started)->port(), .server_name = "localhost", .ca_pem = pki().authority.certificate_pem});
    CHECK(client.exchange("GET", "/", "")->status == 200);
}

TEST_CASE("after drain every answer says close, and new connections are still served") {
    Running running;
    RawClient old(running);
    REQUIRE(old.send(post("before")));
    CHECK_FALSE(old.read()->says_close());
    running.server->drain();
    running.server->drain();
    REQUIRE(old.send(post("after")));
    CHECK(old.read()->says_close());
    CHECK(old.closed_cleanly());
    RawClient fresh(running);
    REQUIRE(fresh.send(post("new")));
    CHECK(fresh.read()->says_close());
    CHECK(fresh.closed_cleanly());
}

TEST_CASE("stop closes idle connections at once and properly, and waits for requests in flight") {
    std::promise<Reply> taken;
    Running running([&](const Request& request, Reply reply) {
        if (request.path == "/slow") return taken.set_value(std::move(reply));
        reply.send({});
    });
    RawClient idle(running);
    REQUIRE(idle.send(post("x")));
    CHECK(idle.read()->status == 200);
    RawClient busy(running);
    REQUIRE(busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
    Reply reply = taken.get_future().get();

    auto stopped = std::async(std::launch::async, [&] { return running.server->stop(kSoon); });
    CHECK(idle.closed_cleanly());
    CHECK(stopped.wait_for(0s) == std::future_status::timeout);
    reply.send({.body = "worth the wait"});
    const auto response = busy.read();
    REQUIRE(response);
    CHECK(response->body == "worth the wait");
    CHECK(response->says_close());
    CHECK(busy.closed_cleanly());
    busy.disconnect();
    CHECK(stopped.get() == 0);
}

TEST_CASE("stop still serves a connection that was accepted but has not spoken yet") {
    Running running;
    RawClient fresh(running);
    auto stopped = std::async(std::launch::async, [&] { return running.server->stop(kSoon); });
    REQUIRE(eventually([&] { return !running.client().exchange("GET", "/", "").has_value(); }));
    REQUIRE(fresh.send(post("just in time")));
    const auto response = fresh.read();
    REQUIRE(response);
    CHECK(response->body == "POST /validate just in time");
    CHECK(response->says_close());
    fresh.disconnect();
    CHECK(stopped.get() == 0);
}

TEST_CASE("stop cuts off what does not end in time, and says how many requests that were") {
    std::mutex mutex;
    std::vector<Reply> kept;
    Running running(
        [&](const Request&, Reply reply) {
            std::lock_guard lock(mutex);
            kept.push_back(std::move(reply));
        },
        [](ServerOptions& options) { options.threads = 2; });
    RawClient stalled(running);
    REQUIRE(stalled.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"));
    RawClient waiting(running);
    REQUIRE(waiting.send(post("x")));
    RawClient half_header(running);
    REQUIRE(half_header.send("POST / HT"));
    REQUIRE(eventually([&] { return running.server->counters().requests_in_flight == 2; }));
    CHECK(running.server->stop(50ms) == 2);
    CHECK(waiting.over());
    CHECK(running.server->counters().connections_open == 0);
    CHECK(running.server->counters().requests_in_flight == 0);
    CHECK(running.server->counters().body_bytes_in_flight == 0);
}

TEST_CASE("keep-alive clients that never repeat a call lose none over drain and stop under load") {
    for (int round = 0; round < 3; ++round) {
        Running running(echo, [](ServerOptions& options) { options.threads = 2; });
        std::vector<Caller> callers(4);
        std::vector<std::thread> threads;
        for (Caller& caller : callers) threads.emplace_back([&] { caller.call_until_refused(running); });
        REQUIRE(eventually([&] { return running.server->counters().requests_total > 500; }));
        running.server->drain();
        const auto before = running.server->counters().requests_total.load();
        REQUIRE(eventually([&] { return running.server->counters().requests_total > before + 50; }));
        CHECK(running.server->stop(kSoon) == 0);
        for (auto& thread : threads) thread.join();
        for (const Caller& caller : callers) {
            INFO(caller.answered << " calls answered on " << caller.connections << " connections");
            CHECK(caller.failure == "");
            CHECK(caller.answered > 0);
        }
    }
}

TEST_CASE("a new certificate serves new connections, and no call fails while it changes under load") {
    Running running(echo, [](ServerOptions& options) { options.threads = 2; });
    const Pki next = make_pki("next");
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> failed{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&, keep = i == 0] {
            const std::string both = pki().authority.certificate_pem + next.authority.certificate_pem;
            const ClientOptions options{.port = running.server->port(), .server_name = "localhost", .ca_pem = both, .timeout = kSoon};
            Client client(options);
            while (!stop) {
                if (!keep) client = Client(options);
                const auto response = client.exchange("POST", "/", "x");
                ++(response.has_value() && response->status == 200 ? answered : failed);
            }
        });
    }
    Client old = running.client();
    REQUIRE(old.exchange("POST", "/", "x").has_value());
    for (int i = 0; i < 20; ++i) {
        REQUIRE(running.server->use_identity(i % 2 == 0 ? next.identity : pki().identity).has_value());
        const auto now = answered.load();
        REQUIRE(eventually([&] { return answered > now + 5; }));
    }
    REQUIRE(running.server->use_identity(next.identity).has_value());
    CHECK(old.exchange("POST", "/", "still open")->status == 200);
    CHECK_FALSE(running.client().exchange("POST", "/", "x").has_value());  // trusts the old authority only

    const auto refused = running.server->use_identity({next.identity.certificate_chain_pem, pki().identity.private_key_pem});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::invalid_certificate);
    Client after({.port = running.server->port(), .server_name = "localhost", .ca_pem = next.authority.certificate_pem});
    CHECK(after.exchange("POST", "/", "x").has_value());
    stop = true;
    for (auto& thread : threads) thread.join();
    CHECK(failed == 0);
}

TEST_CASE("a server without TLS has no certificate to change") {
    Running running(echo, [](ServerOptions& options) { options.tls = false; });
    CHECK_FALSE(running.server->use_identity(pki().identity).has_value());
}
