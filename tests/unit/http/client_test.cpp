#include "tests/unit/http/support.hpp"

using namespace fluxgate;
using namespace fluxgate::http;
using namespace fluxgate::http::testing;

namespace {

// A socket that listens and, if told to, says one thing to whoever connects.
class FakeServer {
public:
    explicit FakeServer(std::string says = "") : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(descriptor_, 8) == 0);
        REQUIRE(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        if (says.empty()) return;
        thread_ = std::thread([this, says] {
            const int peer = ::accept(descriptor_, nullptr, nullptr);
            char request[4'096];
            if (::recv(peer, request, sizeof request, 0) > 0) ::send(peer, says.data(), says.size(), MSG_NOSIGNAL);
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

private:
    int descriptor_;
    std::uint16_t port_ = 0;
    std::thread thread_;
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
