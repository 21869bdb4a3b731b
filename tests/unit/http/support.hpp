#pragma once

// What the tests of the server share: a real TLS server on port zero, a recorder of events, and a client that sends
// exactly the bytes it is told to.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "certs/authority.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "http/tls_context.hpp"
#include "http/wire.hpp"
#include "tests/support/catch.hpp"

namespace fluxgate::http::testing {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

// Long enough for a machine that is busy with sanitizers; no passing test waits for it.
inline constexpr auto kSoon = 20s;

// Polls until `done` or `kSoon`.
template <class Done>
bool eventually(Done done) {
    const auto deadline = SteadyClock::now() + kSoon;
    while (SteadyClock::now() < deadline) {
        if (done()) return true;
        std::this_thread::sleep_for(2ms);
    }
    return done();
}

struct Pki {
    certs::KeyPair authority;
    TlsIdentity identity;
};

inline Pki make_pki(const std::string& name) {
    const auto now = SystemClock().now();
    Pki pki;
    pki.authority = certs::make_authority(name + " authority", now).value();
    const certs::LeafRequest request{.common_name = name, .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1"}};
    auto leaf = certs::issue_server_certificate(pki.authority, request, now).value();
    pki.identity = {leaf.certificate_pem, leaf.private_key_pem};
    return pki;
}

inline const Pki& pki() {
    static const Pki made = make_pki("test");
    return made;
}

// Events as values; any thread.
class Recorder {
public:
    struct Entry {
        Event::Kind kind;
        int status;
        std::string peer;
        std::string detail;
    };

    void add(const Event& event) {
        std::lock_guard lock(mutex_);
        entries_.push_back({event.kind, event.status, std::string(event.peer), std::string(event.detail)});
    }
    std::size_t count(Event::Kind kind, int status = -1) const {
        std::lock_guard lock(mutex_);
        std::size_t found = 0;
        for (const Entry& entry : entries_) found += entry.kind == kind && (status < 0 || entry.status == status) ? 1 : 0;
        return found;
    }
    std::size_t size() const {
        std::lock_guard lock(mutex_);
        return entries_.size();
    }
    std::string last_detail() const {
        std::lock_guard lock(mutex_);
        return entries_.empty() ? std::string() : entries_.back().detail;
    }

private:
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
};

// Says what it was asked.
inline void echo(const Request& request, Reply reply) {
    std::string text(request.method);
    text += ' ';
    text += request.path;
    if (!request.query.empty()) text += " ?" + std::string(request.query);
    text += ' ';
    text += request.body.size() > 200 ? std::to_string(request.body.size()) + " bytes" : std::string(request.body);
    reply.send({.status = 200, .content_type = "text/plain", .body = std::move(text)});
}

// A server and what it reported. `adjust` changes the options before the start.
struct Running {
    explicit Running(Handler handler = echo, const std::function<void(ServerOptions&)>& adjust = {}) {
        ServerOptions options;
        if (adjust) adjust(options);
        options.on_event = [seen = events](const Event& event) { seen->add(event); };
        tls = options.tls;
        limits = options.limits;
        auto started = Server::start(options, pki().identity, std::move(handler));
        REQUIRE(started.has_value());
        server = std::move(*started);
    }

    std::shared_ptr<Recorder> events = std::make_shared<Recorder>();
    bool tls = true;
    Limits limits;
    std::unique_ptr<Server> server;  // last: its threads end before what they use

    Client client(std::chrono::milliseconds timeout = kSoon) const {
        return Client(ClientOptions{
            .port = server->port(), .tls = tls, .server_name = "localhost", .ca_pem = pki().authority.certificate_pem, .timeout = timeout});
    }
};

struct RawResponse {
    int status = 0;
    std::string header;
    std::string body;
    bool says_close() const { return header.find("Connection: close") != std::string::npos; }
};

// Sends exactly what it is told, breaks every rule on request. Blocking with a deadline.
class RawClient {
public:
    RawClient(std::uint16_t port, bool tls, std::shared_ptr<const TlsContext> context = nullptr)
        : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), wire_(descriptor_) {
        REQUIRE(descriptor_ >= 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int on = 1;
        ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            REQUIRE(errno == EINPROGRESS);
            REQUIRE(wait(Io::want_write));
        }
        if (!tls) return;
        if (!context) context = TlsContext::for_client(pki().authority.certificate_pem).value();
        REQUIRE(wire_.connect_tls(*context, "localhost"));
        handshake_ = finish_handshake();
    }
    explicit RawClient(const Running& running) : RawClient(running.server->port(), running.tls) { REQUIRE(handshaken()); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient() { disconnect(); }

    bool handshaken() const { return handshake_; }
    const std::string& reason() const { return wire_.reason(); }

    // False when the server no longer takes bytes.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const Transfer sent = wire_.write(bytes);
            if (sent.io == Io::done) {
                bytes.remove_prefix(sent.bytes);
            } else if (sent.io == Io::closed || sent.io == Io::failed || !wait(sent.io)) {
                return false;
            }
        }
        return true;
    }

    // The next whole answer; nothing when the connection ends first.
    std::optional<RawResponse> read() {
        for (;;) {
            if (const auto end = received_.find("\r\n\r\n"); end != std::string::npos) {
                RawResponse response;
                response.header = received_.substr(0, end + 4);
                response.status = std::stoi(response.header.substr(9, 3));
                std::size_t length = 0;
                if (const auto at = response.header.find("Content-Length: "); at != std::string::npos && !head_only) {
                    length = std::stoul(response.header.substr(at + 16));
                }
                if (received_.size() >= end + 4 + length) {
                    response.body = received_.substr(end + 4, length);
                    received_.erase(0, end + 4 + length);
                    return response;
                }
            }
            if (!more()) return std::nullopt;
        }
    }

    // True when the server ended the connection properly (close_notify, FIN) and sent nothing else.
    bool closed_cleanly() {
        while (more()) {
        }
        return ended_ == Io::closed && received_.empty();
    }
    // True when the connection is over, however.
    bool over() {
        while (more()) {
        }
        return ended_ != Io::want_read;
    }

    void finish_sending() { wire_.finish(); }
    void disconnect() {
        wire_.release_tls();
        if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    }
    // RST instead of FIN.
    void reset() {
        const linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        disconnect();
    }

    bool head_only = false;

private:
    bool finish_handshake() {
        for (;;) {
            const Io io = wire_.handshake();
            if (io == Io::done) return true;
            if (io == Io::closed || io == Io::failed || !wait(io)) return false;
        }
    }
    bool more() {
        char chunk[16'384];
        for (;;) {
            const Transfer got = wire_.read(chunk, sizeof chunk);
            if (got.io == Io::done) {
                received_.append(chunk, got.bytes);
                return true;
            }
            if (got.io == Io::closed || got.io == Io::failed || !wait(got.io)) {
                ended_ = got.io;
                return false;
            }
        }
    }
    bool wait(Io direction) {
        pollfd poll{.fd = descriptor_, .events = static_cast<short>(direction == Io::want_write ? POLLOUT : POLLIN), .revents = 0};
        return ::poll(&poll, 1, static_cast<int>(std::chrono::milliseconds(kSoon).count())) > 0;
    }

    int descriptor_;
    Wire wire_;
    bool handshake_ = true;
    std::string received_;
    Io ended_ = Io::want_read;
};

inline std::string post(std::string_view body, std::string_view more_fields = "") {
    std::string text = "POST /validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ";
    text += std::to_string(body.size());
    text += "\r\n";
    text += more_fields;
    text += "\r\n";
    text += body;
    return text;
}

}  // namespace fluxgate::http::testing
