#include "http/listener.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace fluxgate::http {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int kBacklog = 4'096;
constexpr unsigned kAcceptsPerTurn = 64;
// Out of descriptors or memory: others must close something first.
constexpr auto kPause = std::chrono::milliseconds{50};

}  // namespace

Listener::Listener(Service& service, std::vector<std::unique_ptr<Loop>>& loops)
    : service_(service), loops_(loops), acceptor_(loops.front()->io()), pause_(loops.front()->io()) {}

Result<std::uint16_t> Listener::bind(const std::string& address, std::uint16_t port) {
    boost::system::error_code error;
    const auto ip = asio::ip::make_address(address, error);
    if (error) return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a literal IPv4 or IPv6 address", address));
    const tcp::endpoint endpoint(ip, port);
    const auto step = [&](auto&& act) {
        if (!error) act();
    };
    step([&] { acceptor_.open(endpoint.protocol(), error); });
    step([&] { acceptor_.set_option(tcp::acceptor::reuse_address(true), error); });
    // "::" means every address, IPv4 too, whatever the system's default is.
    if (ip.is_v6() && ip.is_unspecified()) step([&] { acceptor_.set_option(asio::ip::v6_only(false), error); });
    step([&] { acceptor_.bind(endpoint, error); });
    step([&] { acceptor_.listen(kBacklog, error); });
    step([&] { acceptor_.non_blocking(true, error); });
    if (error) return fail(Errc::io, fmt::format("cannot listen on {}: {}", printable(endpoint), error.message()));
    return acceptor_.local_endpoint().port();
}

void Listener::start() { asio::co_spawn(acceptor_.get_executor(), accept_forever(), asio::detached); }

void Listener::close() {
    closing_ = true;
    // A client in the backlog is connected as far as it knows; closing would reset it.
    while (acceptor_.is_open() && accept_some(kAcceptsPerTurn) == 0) {
    }
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
}

Task<> Listener::accept_forever() {
    boost::system::error_code error;
    auto token = asio::redirect_error(kAwait, error);
    while (!closing_) {
        co_await acceptor_.async_wait(tcp::acceptor::wait_read, token);
        if (closing_) break;
        const int failure = accept_some(kAcceptsPerTurn);
        if (failure == 0 || failure == EAGAIN || failure == EWOULDBLOCK) continue;
        const std::string reason = "accept failed: " + std::system_category().message(failure);
        service_.options.on_event(Event{.kind = Event::Kind::connection_refused, .status = 0, .peer = {}, .detail = reason});
        pause_.expires_after(kPause);
        co_await pause_.async_wait(token);
    }
}

int Listener::accept_some(unsigned most) {
    for (unsigned count = 0; count < most; ++count) {
        Endpoint peer;
        auto size = static_cast<socklen_t>(peer.capacity());
        const int descriptor = ::accept4(acceptor_.native_handle(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            peer.resize(size);
            deal_out(descriptor, peer);
            continue;
        }
        // The connection is at fault, not the listener (accept(2)).
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == EPERM) continue;
        return errno;
    }
    return 0;
}

void Listener::deal_out(int descriptor, const Endpoint& peer) {
    auto& counters = service_.counters;
    counters.connections_total.fetch_add(1, std::memory_order_relaxed);
    // Only this thread adds to `connections_open`, so the limit holds exactly.
    if (counters.connections_open.load(std::memory_order_relaxed) >= service_.options.limits.connections_max) {
        ::close(descriptor);
        const std::string who = printable(peer);
        service_.options.on_event(
            Event{.kind = Event::Kind::connection_refused, .status = 0, .peer = who, .detail = "too many connections"});
        return;
    }
    Loop& loop = *loops_[next_++ % loops_.size()];
    Socket socket(loop.io());
    boost::system::error_code error;
    socket.assign(peer.protocol(), descriptor, error);
    if (error) {
        ::close(descriptor);
        return;
    }
    socket.set_option(tcp::no_delay(true), error);
    loop.adopt(std::make_unique<Connection>(loop, std::move(socket), peer));
}

}  // namespace fluxgate::http
