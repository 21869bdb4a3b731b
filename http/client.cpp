#include "http/client.hpp"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

#include "base/stop_event.hpp"
#include "http/wire.hpp"

namespace fluxgate::http {

namespace {

namespace beast = boost::beast;
using Deadline = std::chrono::steady_clock::time_point;

constexpr std::uint32_t kHeaderBytesMax = 64u << 10;

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

// One call: what is asked, how long it may take, and who may end it.
struct Call {
    Call(const ClientRequest& given, Deadline until) : request(given), deadline(until), stopped(given.stop) {}
    const ClientRequest& request;
    Deadline deadline;
    StopEvent stopped;
};

// A body that goes on to its taker as it comes, or is collected up to a bound.
struct Body {
    struct value_type {
        const StreamHandlers* handlers = nullptr;  // null: collect
        std::size_t bytes_max = 0;
        std::string text{};
        bool forwarded = false;
        bool enough = false;  // the taker wants no more

        // The header is complete. Beast tells its reader only when the first byte of the body is there, which of a watch may be a
        // minute later; so whoever notices first calls this.
        void begin(unsigned status) {
            if (forwarded || handlers == nullptr || status / 100 != 2) return;
            forwarded = true;
            if (handlers->opened) handlers->opened();
        }
    };
    class reader {
    public:
        template <bool is_request, class Fields>
        reader(beast::http::header<is_request, Fields>& header, value_type& body)
            : status_([&header] { return header.result_int(); }), body_(body) {}

        void init(const boost::optional<std::uint64_t>& length, beast::error_code& error) {
            error = {};
            body_.begin(status_());
            if (!body_.forwarded && length && *length > body_.bytes_max) error = beast::http::error::body_limit;
        }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, beast::error_code& error) {
            error = {};
            std::size_t bytes = 0;
            for (const boost::asio::const_buffer buffer : beast::buffers_range_ref(buffers)) {
                if (!take(std::string_view(static_cast<const char*>(buffer.data()), buffer.size()))) error = beast::http::error::body_limit;
                if (error) return bytes;
                bytes += buffer.size();
            }
            return bytes;
        }
        void finish(beast::error_code& error) { error = {}; }

    private:
        // False: beyond the bound.
        bool take(std::string_view bytes) {
            if (body_.forwarded) {
                if (!body_.enough) body_.enough = body_.handlers->on_bytes && !body_.handlers->on_bytes(bytes);
                return true;
            }
            if (bytes.size() > body_.bytes_max - body_.text.size()) return false;
            body_.text += bytes;
            return true;
        }
        std::function<unsigned()> status_;
        value_type& body_;
    };
};
using Parser = beast::http::response_parser<Body>;

ClientResponse finished(Parser& parser, bool keep_alive) {
    ClientResponse response;
    response.status = static_cast<int>(parser.get().result_int());
    response.close = !keep_alive;
    for (const auto& field : parser.get()) {
        std::string name(field.name_string());
        for (char& letter : name) letter = beast::detail::ascii_tolower(letter);
        response.headers.emplace_back(std::move(name), std::string(field.value()));
    }
    response.body = std::move(parser.get().body().text);
    return response;
}

bool is_host_name(std::string_view text) {
    return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') || letter == '-' ||
               letter == '.';
    });
}

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> look_up(const std::string& host, std::uint16_t port) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
    const std::string service = std::to_string(port);
    addrinfo* list = nullptr;
    if (::getaddrinfo(host.c_str(), service.c_str(), &wanted, &list) == 0) return Addresses(list);
    if (!is_host_name(host)) return fail(Errc::invalid_argument, fmt::format("\"{}\" is neither an address nor a host name", host));
    wanted.ai_flags = AI_NUMERICSERV;
    if (const int error = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &list); error != 0) {
        return fail(Errc::peer, fmt::format("the name {} cannot be looked up: {}", host, ::gai_strerror(error)));
    }
    return Addresses(list);
}

int count_from(const addrinfo* address) {
    int count = 0;
    for (; address != nullptr; address = address->ai_next) ++count;
    return count;
}

// A server that vanished without a word is noticed within half a minute, also by a stream on which nothing happens.
void set_socket_options(int descriptor) {
    const auto set = [descriptor](int level, int option, int value) { ::setsockopt(descriptor, level, option, &value, sizeof value); };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

class Client::Impl {
public:
    explicit Impl(ClientOptions options) : options_(std::move(options)), peer_(fmt::format("{}:{}", options_.address, options_.port)) {}

    // `handlers` null: the whole body is the answer.
    Result<ClientResponse> call(const ClientRequest& request, const StreamHandlers* handlers) {
        Call call(request, std::chrono::steady_clock::now() + options_.timeout);
        try {
            auto response = try_call(call, handlers);
            if (!response || response->close) disconnect();
            return response;
        } catch (...) {  // of the taker: half an answer is left in the connection
            disconnect();
            throw;
        }
    }
    // A server has nothing to say between two exchanges, except that it closes.
    bool connected() const {
        if (!wire_) return false;
        pollfd poll{.fd = descriptor_->get(), .events = POLLIN, .revents = 0};
        return ::poll(&poll, 1, 0) == 0;
    }

private:
    Result<ClientResponse> try_call(Call& call, const StreamHandlers* handlers) {
        if (call.request.stop.stop_requested()) return stopped();
        if (!connected()) {
            disconnect();
            if (auto connected = connect(call); !connected) return tl::unexpected(connected.error());
        }
        // A server may refuse a request before it has read all of it; its answer says why, so a failed write still reads.
        const auto written = write(text_of(call.request), call);
        if (!written && (written.error().code == Errc::deadline_exceeded || call.request.stop.stop_requested())) {
            return tl::unexpected(written.error());
        }
        return read(call, handlers);
    }

    std::string text_of(const ClientRequest& request) const {
        std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target,
                                       options_.server_name.empty() ? peer_ : options_.server_name);
        for (const auto& [name, value] : request.headers) text += fmt::format("{}: {}\r\n", name, value);
        if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
            text += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", request.content_type, request.body.size());
        }
        text += "\r\n";
        text += request.body;
        return text;
    }

    Result<void> connect(Call& call) {
        const auto addresses = look_up(options_.address, options_.port);
        if (!addresses) return tl::unexpected(addresses.error());
        Result<void> connected = fail(Errc::peer, fmt::format("{} has no address", peer_));
        const Deadline deadline = call.deadline;
        for (const addrinfo* address = addresses->get(); address != nullptr && !connected; address = address->ai_next) {
            // An address that says nothing leaves the others their share of the time.
            const auto now = std::chrono::steady_clock::now();
            call.deadline = now + (deadline - now) / count_from(address);
            connected = connect_to(*address, call);
            call.deadline = deadline;
            if (over(call)) break;
        }
        if (!connected) return connected;
        wire_.emplace(descriptor_->get());
        return options_.tls ? handshake(call) : Result<void>{};
    }

    Result<void> connect_to(const addrinfo& address, const Call& call) {
        descriptor_.emplace(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const auto failed = [&](int error) -> Result<void> {
            return fail(Errc::peer, fmt::format("cannot connect to {}: {}", peer_, std::system_category().message(error)));
        };
        if (descriptor_->get() < 0) return failed(errno);
        set_socket_options(descriptor_->get());
        if (::connect(descriptor_->get(), address.ai_addr, address.ai_addrlen) == 0) return {};
        if (errno != EINPROGRESS) return failed(errno);
        if (auto ready = wait(Io::want_write, call); !ready) return ready;
        int error = 0;
        socklen_t error_size = sizeof error;
        ::getsockopt(descriptor_->get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
        return error == 0 ? Result<void>{} : failed(error);
    }

    Result<void> handshake(const Call& call) {
        if (!tls_) {
            ClientTrust trust{};
            trust.ca_pem = options_.ca_pem;
            trust.system_roots = options_.system_roots;
            trust.identity = {options_.certificate_chain_pem, options_.private_key_pem};
            auto made = TlsContext::for_client(trust);
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
            if (auto ready = wait(io, call); !ready) return ready;
        }
    }

    Result<void> write(std::string_view bytes, const Call& call) {
        while (!bytes.empty()) {
            const Transfer sent = wire_->write(bytes);
            if (sent.io == Io::done) {
                bytes.remove_prefix(sent.bytes);
            } else if (sent.io == Io::closed || sent.io == Io::failed) {
                return fail(Errc::peer, fmt::format("{} closed the connection", peer_));
            } else if (auto ready = wait(sent.io, call); !ready) {
                return ready;
            }
        }
        return {};
    }

    void restart(std::optional<Parser>& parser, const Call& call, const StreamHandlers* handlers) const {
        parser.emplace();
        parser->eager(true);
        parser->skip(call.request.method == "HEAD");
        parser->header_limit(kHeaderBytesMax);
        parser->body_limit(boost::none);  // Body keeps its own bound
        parser->get().body().handlers = handlers;
        parser->get().body().bytes_max = options_.response_bytes_max;
    }

    Result<ClientResponse> read(Call& call, const StreamHandlers* handlers) {
        std::optional<Parser> parser;
        restart(parser, call, handlers);
        std::string received;
        std::array<char, 16u << 10> chunk;  // NOLINT: written before it is read
        for (;;) {
            boost::beast::error_code error;
            if (!received.empty()) {
                received.erase(0, parser->put(boost::asio::buffer(received), error));
                if (error == beast::http::error::body_limit) {
                    return fail(Errc::too_large, fmt::format("{} sent more than {} bytes", peer_, options_.response_bytes_max));
                }
                if (error && error != beast::http::error::need_more) {
                    return fail(Errc::peer, fmt::format("{} sent a broken answer: {}", peer_, error.message()));
                }
                if (parser->is_header_done()) parser->get().body().begin(parser->get().result_int());
                if (parser->is_done() && parser->get().result_int() / 100 == 1) {
                    restart(parser, call, handlers);
                    continue;
                }
                if (parser->is_done()) return finished(*parser, parser->keep_alive());
                // What is left is the beginning of something that the parser takes whole: a header, the line of a chunk's size, a trailer.
                if (received.size() > kHeaderBytesMax) {
                    return fail(Errc::too_large, fmt::format("{} sent a header, or what stands around a chunk, of more than {} bytes",
                                                             peer_, kHeaderBytesMax));
                }
                if (parser->get().body().enough) return finished(*parser, false);
                if (parser->get().body().forwarded) call.deadline = std::chrono::steady_clock::now() + handlers->idle_timeout;
            }
            // Bytes that keep coming would never let `wait` look.
            if (auto on_time = check_time(call); !on_time) return tl::unexpected(on_time.error());
            const Transfer got = wire_->read(chunk.data(), chunk.size());
            if (got.io == Io::done) {
                received.append(chunk.data(), got.bytes);
            } else if (got.io == Io::closed) {
                if (parser->got_some()) parser->put_eof(error);
                if (parser->is_done()) return finished(*parser, false);
                return fail(Errc::peer, fmt::format("{} closed the connection before its answer was complete", peer_));
            } else if (got.io == Io::failed) {
                return fail(Errc::peer, fmt::format("the connection to {} broke: {}", peer_, wire_->reason()));
            } else if (auto ready = wait(got.io, call); !ready) {
                return tl::unexpected(ready.error());
            }
        }
    }

    Result<void> wait(Io direction, const Call& call) {
        for (;;) {
            if (auto on_time = check_time(call); !on_time) return on_time;
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(call.deadline - std::chrono::steady_clock::now());
            const short events = static_cast<short>(direction == Io::want_write ? POLLOUT : POLLIN);
            std::array<pollfd, 2> polls{pollfd{.fd = descriptor_->get(), .events = events, .revents = 0},
                                        pollfd{.fd = call.stopped.descriptor(), .events = POLLIN, .revents = 0}};
            const int ready = ::poll(polls.data(), polls.size(), static_cast<int>(std::clamp<long long>(left.count(), 0, 1'000'000)));
            if (polls[1].revents != 0) continue;
            if (ready > 0) return {};
            if (ready < 0 && errno != EINTR) return {};  // the next read or write says what is wrong
        }
    }

    Result<void> check_time(const Call& call) const {
        if (call.request.stop.stop_requested()) return stopped();
        if (std::chrono::steady_clock::now() >= call.deadline)
            return fail(Errc::deadline_exceeded, fmt::format("{} did not answer in time", peer_));
        return {};
    }
    static bool over(const Call& call) { return call.request.stop.stop_requested() || std::chrono::steady_clock::now() >= call.deadline; }
    tl::unexpected<Error> stopped() const { return fail(Errc::peer, fmt::format("the call to {} was stopped", peer_)); }

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

Result<ClientResponse> Client::exchange(const ClientRequest& request) { return impl_->call(request, nullptr); }

Result<ClientResponse> Client::exchange(std::string_view method, std::string_view target, std::string_view body,
                                        std::string_view content_type) {
    ClientRequest request{};
    request.method = method;
    request.target = target;
    request.body = body;
    request.content_type = content_type;
    return impl_->call(request, nullptr);
}

Result<ClientResponse> Client::stream(const ClientRequest& request, const StreamHandlers& handlers) {
    return impl_->call(request, &handlers);
}

bool Client::connected() const { return impl_->connected(); }

}  // namespace fluxgate::http
