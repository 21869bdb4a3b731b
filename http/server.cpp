#include "http/server.hpp"

#include <condition_variable>
#include <future>
#include <mutex>
#include <vector>

#include "http/listener.hpp"
#include "http/loop.hpp"
#include "http/service.hpp"

namespace fluxgate::http {

namespace {

class LoopServer final : public Server {
public:
    LoopServer(ServerOptions options, Handler handler, std::shared_ptr<const TlsContext> tls)
        : service_(std::move(options), std::move(handler), std::move(tls)) {
        const unsigned threads = std::max(1u, service_.options.threads);
        for (unsigned i = 0; i < threads; ++i) loops_.push_back(std::make_unique<Loop>(service_));
        listener_.emplace(service_, loops_);
    }
    ~LoopServer() override { stop(std::chrono::milliseconds{0}); }

    Result<void> listen();

    std::uint16_t port() const override { return port_; }
    const ServerCounters& counters() const override { return service_.counters; }
    Result<void> use_identity(TlsIdentity identity) override;
    void drain() override { service_.draining.store(true, std::memory_order_relaxed); }
    std::uint64_t stop(std::chrono::milliseconds patience) override;

private:
    bool wait_until_ended(std::chrono::steady_clock::time_point deadline);

    Service service_;
    std::vector<std::unique_ptr<Loop>> loops_;
    std::optional<Listener> listener_;  // after the loops: it lives on the first one
    std::uint16_t port_ = 0;

    std::mutex stop_mutex_;
    bool started_ = false;
    std::mutex ended_mutex_;
    std::condition_variable one_ended_;
    std::size_t ended_ = 0;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, TlsIdentity identity, Handler handler) {
    std::shared_ptr<const TlsContext> tls;
    if (options.tls) {
        auto made = TlsContext::for_server(identity);
        if (!made) return tl::unexpected(made.error());
        tls = std::move(*made);
    }
    auto server = std::make_unique<LoopServer>(std::move(options), std::move(handler), std::move(tls));
    if (auto listening = server->listen(); !listening) return tl::unexpected(listening.error());
    return server;
}

std::string_view to_string(Event::Kind kind) {
    switch (kind) {
        case Event::Kind::connection_refused: return "connection_refused";
        case Event::Kind::handshake_failed: return "handshake_failed";
        case Event::Kind::request_refused: return "request_refused";
        case Event::Kind::handler_failed: return "handler_failed";
        case Event::Kind::connection_lost: return "connection_lost";
    }
    return "connection_lost";
}

namespace {

Result<void> LoopServer::listen() {
    const auto port = listener_->bind(service_.options.address, service_.options.port);
    if (!port) return tl::unexpected(port.error());
    port_ = *port;
    listener_->start();
    started_ = true;
    for (auto& loop : loops_) {
        loop->start([this] {
            std::lock_guard lock(ended_mutex_);
            ++ended_;
            one_ended_.notify_all();
        });
    }
    return {};
}

Result<void> LoopServer::use_identity(TlsIdentity identity) {
    if (!service_.options.tls) return fail(Errc::invalid_argument, "this server speaks plain HTTP and uses no certificate");
    auto made = TlsContext::for_server(identity);
    if (!made) return tl::unexpected(made.error());
    service_.tls.store(std::move(*made));
    return {};
}

std::uint64_t LoopServer::stop(std::chrono::milliseconds patience) {
    std::lock_guard only_one(stop_mutex_);
    if (!started_) return 0;
    started_ = false;
    const auto deadline = std::chrono::steady_clock::now() + patience;
    drain();

    // First the listener, so that every connection it still takes is on its loop before the loops look around.
    std::promise<void> closed;
    boost::asio::post(loops_.front()->io(), [&] {
        listener_->close();
        // Posted, so that it comes after the connections that `close` handed to this loop.
        boost::asio::post(loops_.front()->io(), [&] { closed.set_value(); });
    });
    closed.get_future().wait();
    for (auto& loop : loops_) loop->begin_stop();

    std::atomic<std::uint64_t> lost{0};
    if (!wait_until_ended(deadline)) {
        for (auto& loop : loops_) loop->cut(lost);
    }
    for (auto& loop : loops_) loop->join();
    return lost.load();
}

bool LoopServer::wait_until_ended(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(ended_mutex_);
    return one_ended_.wait_until(lock, deadline, [this] { return ended_ == loops_.size(); });
}

}  // namespace

}  // namespace fluxgate::http
