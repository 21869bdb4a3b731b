#pragma once

// One thread, its io_context and the connections that live on it. Connections never change threads, so nothing in them
// is locked. One timer for all of them looks for deadlines that passed: a timer per read would cost more than the read.

#include <boost/intrusive/list.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "http/asio.hpp"
#include "http/connection.hpp"
#include "http/reply.hpp"
#include "http/service.hpp"

namespace fluxgate::http {

class Loop {
public:
    explicit Loop(Service& service);
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();

    // `ended` is called on the thread when its last connection is gone after `begin_stop`.
    void start(std::function<void()> ended);
    void join();

    // From any thread.
    boost::asio::io_context& io() { return io_; }
    void adopt(std::unique_ptr<Connection> arrived);
    // Closes idle connections; the thread ends with its last connection.
    void begin_stop();
    // Closes every connection at once; adds to `lost` the requests that were in flight.
    void cut(std::atomic<std::uint64_t>& lost);

    // For its connections.
    Service& service() { return service_; }
    const std::shared_ptr<Mailbox>& mailbox() { return mailbox_; }
    bool stopping() const { return stopping_; }
    std::string& scratch() { return scratch_; }  // for one answer, until the next co_await
    std::string_view date() const { return date_; }
    void left(Connection& connection);

private:
    using Clock = std::chrono::steady_clock;

    void arm_sweeper();
    void sweep();
    void end_if_empty();

    Service& service_;
    boost::asio::io_context io_;
    std::shared_ptr<Mailbox> mailbox_;
    Timer sweeper_;
    const std::chrono::milliseconds sweep_every_;
    boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>> connections_;
    bool stopping_ = false;
    std::string scratch_;
    std::string date_;
    std::thread thread_;
};

}  // namespace fluxgate::http
