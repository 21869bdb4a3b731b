#pragma once

// The connection's half of a Reply: where the answer lands, and how it wakes the connection when it comes late.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "http/asio.hpp"
#include "http/message.hpp"

namespace fluxgate::http {

// Lets any thread run something on a loop's thread, and outlives the loop: a reply may come after the server is gone.
class Mailbox {
public:
    explicit Mailbox(boost::asio::io_context& io) : io_(&io) {}

    template <class Task>
    void post(Task task) {
        std::lock_guard lock(mutex_);
        if (io_ != nullptr) boost::asio::post(*io_, std::move(task));
    }
    void close() {
        std::lock_guard lock(mutex_);
        io_ = nullptr;
    }

private:
    std::mutex mutex_;
    boost::asio::io_context* io_;
};

// One answer, given once. `settle` may be called from any thread; everything else belongs to the connection's thread.
class Reply::Sink : public std::enable_shared_from_this<Reply::Sink> {
public:
    explicit Sink(std::shared_ptr<Mailbox> mailbox) : mailbox_(std::move(mailbox)), owner_(std::this_thread::get_id()) {}

    // Makes ready for the next request. Only when no Reply holds this sink any more.
    void rearm();
    // The first one wins; true for the winner.
    bool settle(Response response, bool dropped);
    void set_fallback(std::chrono::steady_clock::time_point when, Response fallback);

    void enter_handler() { inside_handler_ = true; }
    void leave_handler() { inside_handler_ = false; }
    bool ready() const { return state_.load(std::memory_order_acquire) == State::ready; }
    // No answer will be taken any more. False when one is there or on its way.
    bool abandon();
    bool was_dropped() const { return dropped_; }
    Response take() { return std::move(response_); }
    std::optional<std::chrono::steady_clock::time_point> fallback_at() const { return fallback_at_; }
    Response take_fallback() { return std::move(fallback_); }
    // The timer to cancel when the answer arrives; null when nobody waits.
    void wake(Timer* timer) { waiting_ = timer; }

private:
    enum class State : std::uint8_t { open, claimed, ready };

    const std::shared_ptr<Mailbox> mailbox_;
    const std::thread::id owner_;
    std::atomic<State> state_{State::open};
    bool inside_handler_ = false;
    bool dropped_ = false;
    Response response_;
    std::optional<std::chrono::steady_clock::time_point> fallback_at_;
    Response fallback_;
    Timer* waiting_ = nullptr;
};

}  // namespace fluxgate::http
