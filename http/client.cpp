#include "http/client.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

#include "http/wire.hpp"

namespace fluxgate::http {

namespace {

namespace beast_http = boost::beast::http;
using Deadline = std::chrono::steady_clock::time_point;

constexpr std::uint64_t kResponseBytesMax = 64u << 20;

tl::unexpected<Error> late(const std::string& peer) {
    return fail(Errc::deadline_exceeded, fmt::format("{} did not answer in time", peer));
}

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    int get() const { return number_; }

private:
    int number_;
};

}  // namespace

class Client::Impl {
public:
    explicit Impl(ClientOptions options) : options_(std::move(options)), peer_(fmt::format("{}:{}", options_.address, options_.port)) {}

    Result<ClientResponse> exchange(std::string_view method, std::string_view target, std::string_view body,
                                    std::string_view content_type) {
        const Deadline deadline = std::chrono::steady_clock::now() + options_.timeout;
        auto response = try_exchange(method, target, body, content_type, deadline);
        if (!response || response->close) disconnect();
        return response;
    }
    // A server has nothing to say between two exchanges, except that it closes.
    bool connected() const {
        if (!wire_) return false;
        pollfd poll{.fd = descriptor_->get(), .events = POLLIN, .revents = 0};
        return ::poll(&poll, 1, 0) == 0;
    }

private:
    Result<ClientResponse> try_exchange(std::string_view method, std::string_view target, std::string_view body,
                                        std::string_view content_type, Deadline deadline) {
        if (!connected()) {
            disconnect();
            if (auto connected = connect(deadline); !connected) return tl::unexpected(connected.error());
        }
        std::string request =
            fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, target, options_.server_name.empty() ? peer_ : options_.server_name);
        if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
            request += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", content_type, body.size());
        }
        request += "\r\n";
        request += body;
        // A server may refuse a request before it has read all of it; its answer says why, so a failed write still reads.
        const auto written = write(request, deadline);
        if (!written && written.error().code == Errc::deadline_exceeded) return tl::unexpected(written.error());
        return read(method == "HEAD", deadline);
    }

    Result<void> connect(Deadline deadline) {
        sockaddr_storage storage{};
        socklen_t size = 0;
        auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
        if (::inet_pton(AF_INET, options_.address.c_str(), &v4->sin_addr) == 1) {
            v4->sin_family = AF_INET;
            v4->sin_port = htons(options_.port);
            size = sizeof *v4;
        } else if (::inet_pton(AF_INET6, options_.address.c_str(), &v6->sin6_addr) == 1) {
            v6->sin6_family = AF_INET6;
            v6->sin6_port = htons(options_.port);
            size = sizeof *v6;
        } else {
            return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a literal IPv4 or IPv6 address", options_.address));
        }
        descriptor_.emplace(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const auto failed = [&](int error) {
            return fail(Errc::peer, fmt::format("cannot connect to {}: {}", peer_, std::system_category().message(error)));
        };
        if (descriptor_->get() < 0) return failed(errno);
        const int on = 1;
        ::setsockopt(descriptor_->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(descriptor_->get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
            if (errno != EINPROGRESS) return failed(errno);
            if (!wait(Io::want_write, deadline)) return late(peer_);
            int error = 0;
            socklen_t error_size = sizeof error;
            ::getsockopt(descriptor_->get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
            if (error != 0) return failed(error);
        }
        wire_.emplace(descriptor_->get());
        return options_.tls ? handshake(deadline) : Result<void>{};
    }

    Result<void> handshake(Deadline deadline) {
        if (!tls_) {
            auto made = TlsContext::for_client(options_.ca_pem);
            if (!made) return tl::unexpected(made.error());
            tls_ = std::move(*made);
        }
        const std::string& name = options_.server_name.empty() ? options_.address : options_.server_name;
        if (!wire_->connect_tls(*tls_, name)) return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a server name", name));
        for (;;) {
            const Io io = wire_->handshake();
            if (io == Io::done) return {};
            if (io == Io::closed) return fail(Errc::peer, fmt::format("{} closed during the TLS handshake", peer_));
            if (io == Io::failed) return fail(Errc::peer, fmt::format("TLS handshake with {} failed: {}", peer_, wire_->reason()));
            if (!wait(io, deadline)) return late(peer_);
        }
    }

    Result<void> write(std::string_view bytes, Deadline deadline) {
        while (!bytes.empty()) {
            const Transfer sent = wire_->write(bytes);
            if (sent.io == Io::done) {
                bytes.remove_prefix(sent.bytes);
            } else if (sent.io == Io::closed || sent.io == Io::failed) {
                return fail(Errc::peer, fmt::format("{} closed the connection", peer_));
            } else if (!wait(sent.io, deadline)) {
                return late(peer_);
            }
        }
        return {};
    }

    Result<ClientResponse> read(bool head_only, Deadline deadline) {
        std::optional<beast_http::response_parser<beast_http::string_body>> parser;
        const auto restart = [&] {
            parser.emplace();
            parser->eager(true);
            parser->skip(head_only);
            parser->body_limit(kResponseBytesMax);
        };
        restart();
        std::string received;
        std::array<char, 16u << 10> chunk;  // NOLINT: written before it is read
        for (;;) {
            boost::beast::error_code error;
            if (!received.empty()) {
                received.erase(0, parser->put(boost::asio::buffer(received), error));
                if (error && error != beast_http::error::need_more) {
                    return fail(Errc::peer, fmt::format("{} sent a broken answer: {}", peer_, error.message()));
                }
                if (parser->is_done() && parser->get().result_int() / 100 == 1) {
                    restart();
                    continue;
                }
                if (parser->is_done()) return finished(parser->get(), parser->keep_alive());
            }
            const Transfer got = wire_->read(chunk.data(), chunk.size());
            if (got.io == Io::done) {
                received.append(chunk.data(), got.bytes);
            } else if (got.io == Io::closed) {
                if (parser->got_some()) parser->put_eof(error);
                if (parser->is_done()) return finished(parser->get(), false);
                return fail(Errc::peer, fmt::format("{} closed the connection before its answer was complete", peer_));
            } else if (got.io == Io::failed) {
                return fail(Errc::peer, fmt::format("the connection to {} broke: {}", peer_, wire_->reason()));
            } else if (!wait(got.io, deadline)) {
                return late(peer_);
            }
        }
    }

    static ClientResponse finished(beast_http::response<beast_http::string_body>& message, bool keep_alive) {
        ClientResponse response;
        response.status = static_cast<int>(message.result_int());
        response.close = !keep_alive;
        for (const auto& field : message) {
            std::string name(field.name_string());
            for (char& letter : name) letter = boost::beast::detail::ascii_tolower(letter);
            response.headers.emplace_back(std::move(name), std::string(field.value()));
        }
        response.body = std::move(message.body());
        return response;
    }

    bool wait(Io direction, Deadline deadline) {
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) return false;
            pollfd poll{
                .fd = descriptor_->get(), .events = static_cast<short>(direction == Io::want_write ? POLLOUT : POLLIN), .revents = 0};
            const int ready = ::poll(&poll, 1, static_cast<int>(std::min<long long>(left.count(), 1'000'000)));
            if (ready > 0) return true;
            if (ready < 0 && errno != EINTR) return true;  // the next read or write says what is wrong
        }
    }

    void disconnect() {
        if (wire_) wire_->finish();
        wire_.reset();
        descriptor_.reset();
    }

    ClientOptions options_;
    std::string peer_;
    std::shared_ptr<const TlsContext> tls_;
    std::optional<Descriptor> descriptor_;
    std::optional<Wire> wire_;
};

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<ClientResponse> Client::exchange(std::string_view method, std::string_view target, std::string_view body,
                                        std::string_view content_type) {
    return impl_->exchange(method, target, body, content_type);
}

bool Client::connected() const { return impl_->connected(); }

}  // namespace fluxgate::http
