#include "http/loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>

#include "http/answer.hpp"

namespace fluxgate::http {

namespace {

// Often enough that no limit is overrun by more than a quarter, seldom enough to cost nothing.
std::chrono::milliseconds sweep_interval(const Limits& limits) {
    const auto shortest =
        std::min({limits.handshake_timeout, limits.header_timeout, limits.body_timeout, limits.write_timeout, limits.idle_timeout});
    return std::clamp(shortest / 4, std::chrono::milliseconds{5}, std::chrono::milliseconds{250});
}

}  // namespace

Loop::Loop(Service& service)
    : service_(service),
      io_(1),  // one thread runs it
      mailbox_(std::make_shared<Mailbox>(io_)),
      sweeper_(io_),
      sweep_every_(sweep_interval(service.options.limits)),
      date_(http_date()) {}

Loop::~Loop() { mailbox_->close(); }

void Loop::start(std::function<void()> ended) {
    arm_sweeper();
    thread_ = std::thread([this, ended = std::move(ended)] {
        while (!io_.stopped()) {
            try {
                io_.run();
            } catch (const std::exception& error) {
                // Out of memory while a connection starts: that connection is gone, the others go on.
                service_.options.on_event(Event{.kind = Event::Kind::connection_lost, .status = 0, .peer = {}, .detail = error.what()});
            }
        }
        mailbox_->close();
        ended();
    });
}

void Loop::join() {
    if (thread_.joinable()) thread_.join();
}

void Loop::adopt(std::unique_ptr<Connection> arrived) {
    boost::asio::post(io_, [this, connection = std::move(arrived)]() mutable {
        connections_.push_back(*connection);
        boost::asio::co_spawn(io_, Connection::run(std::move(connection)), boost::asio::detached);
    });
}

void Loop::begin_stop() {
    boost::asio::post(io_, [this] {
        stopping_ = true;
        const auto now = Clock::now();
        for (Connection& connection : connections_) connection.begin_stop(now);
        end_if_empty();
    });
}

void Loop::cut(std::atomic<std::uint64_t>& lost) {
    mailbox_->post([this, &lost] {
        stopping_ = true;
        for (Connection& connection : connections_) {
            if (connection.cut()) lost.fetch_add(1);
        }
        end_if_empty();
    });
}

void Loop::left(Connection& connection) {
    if (!connection.is_linked()) return;  // never adopted, perhaps on another thread
    connections_.erase(connections_.iterator_to(connection));
    end_if_empty();
}

void Loop::arm_sweeper() {
    sweeper_.expires_after(sweep_every_);
    sweeper_.async_wait([this](boost::system::error_code) {
        if (stopping_ && connections_.empty()) return;
        arm_sweeper();
        sweep();
    });
}

void Loop::sweep() {
    date_ = http_date();
    const auto now = Clock::now();
    for (Connection& connection : connections_) connection.sweep(now);
}

void Loop::end_if_empty() {
    // The sweeper is the only thing that keeps `run` from returning.
    if (stopping_ && connections_.empty()) sweeper_.cancel();
}

}  // namespace fluxgate::http
