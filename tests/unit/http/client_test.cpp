#include "tests/unit/http/support.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tests/support/loopback.hpp"

using namespace fluxgate;
using namespace fluxgate::http;
using namespace fluxgate::http::testing;

namespace {

// A socket that listens and, if told to, says one thing to whoever connects, and then another again and again until nobody listens.
class FakeServer {
public:
    explicit FakeServer(std::string says = "", std::string on_and_on = "") : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        port_ = fluxgate::testing::listen_on_loopback(descriptor_);
        if (says.empty()) return;
        thread_ = std::thread([this, says, on_and_on] {
            const int peer = ::accept(descriptor_, nullptr, nullptr);
            char request[4'096];
            const ssize_t got = ::recv(peer, request, sizeof request, 0);
            if (got > 0) ::send(peer, says.data(), says.size(), MSG_NOSIGNAL);
            if (got > 0) received_.assign(request, static_cast<std::size_t>(got));
            while (!on_and_on.empty() && ::send(peer, on_and_on.data(), on_and_on.size(), MSG_NOSIGNAL) > 0) {
            }
            ::close(peer);
        });
    }
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;
    ~FakeServer() {
        if (thread_.joinable()) thread_.join();
        ::close(descriptor_);
    }
    std::uint16_t port() const { return port_; }
    // After the conversation.
    std::string received() {
        if (thread_.joinable()) thread_.join();
        return received_;
    }

private:
    int descriptor_;
    std::uint16_t port_ = 0;
    std::string received_;
    std::thread thread_;
};

// A TLS server that asks every client for a certificate of `authority_pem`, and answers 200 to one of them.
class ServerThatAsks {
public:
    explicit ServerThatAsks(const std::string& authority_pem)
        : context_(TlsContext::for_server(pki().identity).value()), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        // A client context has the roots; the server borrows its store.
        const auto roots = TlsContext::for_client(authority_pem).value();
        SSL_CTX_set1_cert_store(context_->native(), SSL_CTX_get_cert_store(roots->native()));
        SSL_CTX_set_verify(context_->native(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        SSL_CTX_set_purpose(context_->native(), X509_PURPOSE_ANY);  // our test authority makes certificates of servers
        port_ = fluxgate::testing::listen_on_loopback(listener_);
        thread_ = std::thread([this] { serve(); });
    }
    ServerThatAsks(const ServerThatAsks&) = delete;
    ServerThatAsks& operator=(const ServerThatAsks&) = delete;
    ~ServerThatAsks() {
        thread_.join();
        ::close(listener_);
    }
    std::uint16_t port() const { return port_; }

private:
    void serve() const {
        const int peer = ::accept(listener_, nullptr, nullptr);
        Wire wire(peer);
        char request[4'096];
        if (wire.accept_tls(*context_) && wire.handshake() == Io::done && wire.read(request, sizeof request).io == Io::done) {
            wire.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        wire.finish();
        while (wire.discard().io == Io::done) {
        }
        wire.release_tls();
        ::close(peer);
    }
    std::shared_ptr<const TlsContext> context_;
    int listener_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

struct Streamed {
    int opened = 0;
    std::string bytes;
    StreamHandlers handlers() {
        StreamHandlers made;
        made.opened = [this] { ++opened; };
        made.on_bytes = [this](std::string_view more) {
            bytes += more;
            return more.find("enough") == std::string_view::npos;
        };
        made.idle_timeout = kSoon;
        return made;
    }
};

}  // namespace

TEST_CASE("the client trusts only its authority, and only for the name it asked for") {
    Running running;
    struct Row {
        std::string name;
        std::string server_name;
        std::string ca;
        bool works;
    };
    const std::string trusted = pki().authority.certificate_pem;
    const std::vector<Row> rows{
        {"the DNS name", "localhost", trusted, true},
        {"the IP address", "127.0.0.1", trusted, true},
        {"the address it connects to, when no name is given", "", trusted, true},
        {"two authorities, one of them right", "localhost", make_pki("a").authority.certificate_pem + trusted, true},
        {"another authority", "localhost", make_pki("b").authority.certificate_pem, false},
        {"another name", "example.org", trusted, false},
        {"another address", "127.0.0.2", trusted, false},
        {"a parent of the name", "local", trusted, false},
        {"the leaf's common name", "test", trusted, false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Client client({.port = running.server->port(), .server_name = row.server_name, .ca_pem = row.ca});
        const auto response = client.exchange("GET", "/", "");
        CHECK(response.has_value() == row.works);
        if (!row.works) {
            CHECK(response.error().code == Errc::peer);
            CHECK(response.error().message.find("verify failed") != std::string::npos);
        }
    }
    Client no_authority({.port = running.server->port(), .server_name = "localhost", .ca_pem = "nothing"});
    CHECK(no_authority.exchange("GET", "/", "").error().code == Errc::invalid_certificate);
}

TEST_CASE("the client refuses an expired certificate") {
    const auto past = SystemClock().now() - std::chrono::hours{100};
    const auto authority = certs::make_authority("old", past, std::chrono::hours{1'000}).value();
    const auto leaf =
        certs::issue_server_certificate(
            authority, {.common_name = "x", .dns_names = {"localhost"}, .ip_addresses = {}, .valid_for = std::chrono::hours{1}}, past)
            .value();
    auto server = Server::start({}, {leaf.certificate_pem, leaf.private_key_pem}, echo).value();
    Client client({.port = server->port(), .server_name = "localhost", .ca_pem = authority.certificate_pem});
    const auto response = client.exchange("GET", "/", "");
    REQUIRE_FALSE(response.has_value());
    CHECK(response.error().message.find("expired") != std::string::npos);
}

TEST_CASE("the client gives up in time on a server that says nothing") {
    FakeServer silent;
    for (const bool tls : {true, false}) {
        Client client(
            {.port = silent.port(), .tls = tls, .server_name = "localhost", .ca_pem = pki().authority.certificate_pem, .timeout = 100ms});
        const auto before = SteadyClock::now();
        const auto response = client.exchange("POST", "/", "x");
        REQUIRE_FALSE(response.has_value());
        CHECK(response.error().code == Errc::deadline_exceeded);
        CHECK(SteadyClock::now() - before < kSoon);
    }
}

TEST_CASE("the client reads what a server may say, and reports what it may not") {
    struct Row {
        std::string name;
        std::string says;
        int status;  // 0: an error
        std::string body;
    };
    const std::vector<Row> rows{
        {"a length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Y: z\r\n\r\nok", 200, "ok"},
        {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", 200, "ok"},
        {"until it closes", "HTTP/1.0 200 OK\r\n\r\nok", 200, "ok"},
        {"an interim answer first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, ""},
        {"not HTTP", "220 mail ready\r\n\r\n", 0, ""},
        {"half an answer", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", 0, ""},
        {"half a header", "HTTP/1.1 200 OK\r\nConte", 0, ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        FakeServer server(row.says);
        Client client({.port = server.port(), .tls = false, .timeout = kSoon});
        const auto response = client.exchange("GET", "/", "");
        REQUIRE(response.has_value() == (row.status != 0));
        if (response.has_value()) {
            CHECK(response->status == row.status);
            CHECK(response->body == row.body);
        } else {
            CHECK(response.error().code == Errc::peer);
        }
    }
    Client nobody({.port = 1, .tls = false});
    CHECK(nobody.exchange("GET", "/", "").error().code == Errc::peer);
    Client nowhere({.address = "not an address", .port = 1, .tls = false});
    CHECK(nowhere.exchange("GET", "/", "").error().code == Errc::invalid_argument);
}

TEST_CASE("an answer without end is bounded in bytes and in time") {
    struct Row {
        std::string name;
        std::string says;
        std::string on_and_on;
        Errc code;
    };
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string much(1'000, 'x');
    const std::vector<Row> rows{
        {"a header line", "HTTP/1.1 200 OK\r\nX: ", much, Errc::peer},
        {"header lines", "HTTP/1.1 200 OK\r\n", "X: " + much + "\r\n", Errc::peer},
        {"a chunk's extension", chunked + "1;", much, Errc::too_large},
        {"a trailer's line", chunked + "1\r\na\r\n0\r\nX: ", much, Errc::too_large},
        {"interim answers", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", Errc::deadline_exceeded},
        {"a body, a byte a time", "HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\n", "x", Errc::deadline_exceeded},
        {"a body in chunks, a byte a time", chunked, "1\r\nx\r\n", Errc::deadline_exceeded},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        FakeServer server(row.says, row.on_and_on);
        Client client({.port = server.port(), .tls = false, .timeout = row.code == Errc::deadline_exceeded ? 200ms : kSoon});
        const auto response = client.exchange("GET", "/", "");
        REQUIRE_FALSE(response.has_value());
        CHECK(response.error().code == row.code);
        CHECK_FALSE(client.connected());
    }
    // Of a stream only the silence is bounded, and what stands around its chunks.
    FakeServer server(chunked + "1\r\na\r\n1;", much);
    Client client({.port = server.port(), .tls = false, .timeout = kSoon});
    Streamed streamed;
    const auto response = client.stream({}, streamed.handlers());
    REQUIRE_FALSE(response.has_value());
    CHECK(response.error().code == Errc::too_large);
    CHECK(streamed.bytes == "a");
}

TEST_CASE("a taker that throws leaves no half answer behind") {
    FakeServer server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    Client client({.port = server.port(), .tls = false, .timeout = kSoon});
    StreamHandlers handlers;
    handlers.on_bytes = [](std::string_view) -> bool { throw std::runtime_error("no memory"); };
    CHECK_THROWS_AS(client.stream({}, handlers), std::runtime_error);
    CHECK_FALSE(client.connected());
}

TEST_CASE("the client notices that the server closed, and connects again for the next call") {
    Running running(echo, [](ServerOptions& options) { options.limits.idle_timeout = 60ms; });
    Client client = running.client();
    REQUIRE(client.exchange("GET", "/", "").has_value());
    CHECK(client.connected());
    REQUIRE(eventually([&] { return !client.connected(); }));
    REQUIRE(client.exchange("GET", "/", "").has_value());
    CHECK(running.server->counters().connections_total == 2);
    CHECK(running.events->size() == 0);
}

TEST_CASE("the client shows its certificate to a server that asks") {
    const Pki client_pki = make_pki("somebody");
    const Pki stranger = make_pki("a stranger");
    struct Row {
        std::string name;
        TlsIdentity identity;
        std::optional<Errc> code;
    };
    const std::vector<Row> rows{
        {"one that the server trusts", client_pki.identity, std::nullopt},
        {"none", {}, Errc::peer},
        {"one of another authority", stranger.identity, Errc::peer},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        ServerThatAsks server(client_pki.authority.certificate_pem);
        Client client({.port = server.port(),
                       .server_name = "localhost",
                       .ca_pem = pki().authority.certificate_pem,
                       .timeout = kSoon,
                       .certificate_chain_pem = row.identity.certificate_chain_pem,
                       .private_key_pem = row.identity.private_key_pem});
        const auto response = client.exchange("GET", "/", "");
        REQUIRE(response.has_value() == !row.code.has_value());
        if (row.code) CHECK(response.error().code == *row.code);
    }
    Running running;
    Client mixed({.port = running.server->port(),
                  .server_name = "localhost",
                  .ca_pem = pki().authority.certificate_pem,
                  .certificate_chain_pem = client_pki.identity.certificate_chain_pem,
                  .private_key_pem = stranger.identity.private_key_pem});
    CHECK(mixed.exchange("GET", "/", "").error().code == Errc::invalid_certificate);
    Client machine(
        {.port = running.server->port(), .server_name = "localhost", .ca_pem = pki().authority.certificate_pem, .system_roots = true});
    CHECK(machine.exchange("GET", "/", "").error().code == Errc::peer);
}

TEST_CASE("the client connects to names, and says which one it cannot find") {
    Running running;
    Client client({.address = "localhost", .port = running.server->port(), .ca_pem = pki().authority.certificate_pem, .timeout = kSoon});
    CHECK(client.exchange("GET", "/", "").has_value());
    struct Row {
        std::string address;
        Errc code;
    };
    const std::vector<Row> rows{{std::string(70, 'a') + ".example.org", Errc::peer},  // a label may have 63 letters: nobody is asked
                                {"", Errc::invalid_argument},
                                {"a b", Errc::invalid_argument},
                                {"a/b", Errc::invalid_argument},
                                {"::1]", Errc::invalid_argument}};
    for (const Row& row : rows) {
        INFO(row.address);
        const auto response = Client({.address = row.address, .port = 1, .tls = false}).exchange("GET", "/", "");
        REQUIRE_FALSE(response.has_value());
        CHECK(response.error().code == row.code);
        CHECK(response.error().message.find(row.address) != std::string::npos);
    }
}

TEST_CASE("a stream gives the body on as it comes, and keeps what is no success") {
    struct Row {
        std::string name;
        std::string says;
        int status;  // 0: an error
        std::string streamed;
        std::string kept;
        int opened;
    };
    const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";
    const std::vector<Row> rows{
        {"chunks", "HTTP/1.1 200 OK\r\n" + chunked + "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", 200, "abc", "", 1},
        {"a length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", "", 1},
        {"until it closes", "HTTP/1.0 200 OK\r\n\r\nabc", 200, "abc", "", 1},
        {"a length above the bound of kept bodies", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdefghi", 200, "abcdefghi", "", 1},
        {"a refusal", "HTTP/1.1 403 No\r\n" + chunked + "2\r\nno\r\n0\r\n\r\n", 403, "", "no", 0},
        {"a refusal above the bound", "HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nabcdefghi", 0, "", "", 0},
        {"a refusal above the bound, in chunks", "HTTP/1.1 403 No\r\n" + chunked + "9\r\nabcdefghi\r\n0\r\n\r\n", 0, "", "", 0},
        {"an interim answer first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", "", 1},
        {"cut within a chunk", "HTTP/1.1 200 OK\r\n" + chunked + "5\r\nab", 0, "ab", "", 1},
        {"cut between chunks", "HTTP/1.1 200 OK\r\n" + chunked + "2\r\nab\r\n", 0, "ab", "", 1},
        {"cut within a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 0, "ab", "", 1},
        {"a chunk size that is none", "HTTP/1.1 200 OK\r\n" + chunked + "x\r\nab\r\n", 0, "", "", 1},
        {"the taker has enough", "HTTP/1.1 200 OK\r\n" + chunked + "6\r\nenough\r\n", 200, "enough", "", 1},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        FakeServer server(row.says);
        Client client({.port = server.port(), .tls = false, .timeout = kSoon, .response_bytes_max = 5});
        Streamed streamed;
        const auto response = client.stream({}, streamed.handlers());
        REQUIRE(response.has_value() == (row.status != 0));
        if (response) CHECK(response->status == row.status);
        if (response) CHECK(response->body == row.kept);
        CHECK(streamed.bytes == row.streamed);
        CHECK(streamed.opened == row.opened);
        if (row.name == "the taker has enough") CHECK_FALSE(client.connected());
    }
}

TEST_CASE("bodies that are kept have a bound") {
    for (const std::string says : {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",
                                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n"}) {
        FakeServer server(says);
        Client client({.port = server.port(), .tls = false, .timeout = kSoon, .response_bytes_max = 5});
        const auto response = client.exchange("GET", "/", "");
        REQUIRE_FALSE(response.has_value());
        CHECK(response.error().code == Errc::too_large);
    }
}

TEST_CASE("a call can be stopped from another thread, wherever it waits") {
    FakeServer silent;
    for (const bool tls : {true, false}) {
        Client client(
            {.port = silent.port(), .tls = tls, .server_name = "localhost", .ca_pem = pki().authority.certificate_pem, .timeout = kSoon});
        std::stop_source stop;
        ClientRequest request;
        request.stop = stop.get_token();
        std::thread stopper([&] { stop.request_stop(); });
        const auto before = SteadyClock::now();
        const auto response = client.exchange(request);
        stopper.join();
        REQUIRE_FALSE(response.has_value());
        CHECK(response.error().code == Errc::peer);
        CHECK(response.error().message.find("was stopped") != std::string::npos);
        CHECK(SteadyClock::now() - before < kSoon);
    }
}

TEST_CASE("a request carries the fields it is given") {
    FakeServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    Client client({.port = server.port(), .tls = false, .timeout = kSoon});
    ClientRequest request;
    request.method = "PATCH";
    request.target = "/a?b=c";
    request.body = "{}";
    request.content_type = "application/merge-patch+json";
    request.headers = {{"Authorization", "Bearer x"}};
    REQUIRE(client.exchange(request).has_value());
    CHECK(server.received() ==
          "PATCH /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
              "\r\nAuthorization: Bearer x\r\nContent-Type: application/merge-patch+json\r\nContent-Length: 2\r\n\r\n{}");
}
