#include "http/reply.hpp"

#include <utility>

#include "http/answer.hpp"

namespace fluxgate::http {

Reply::Reply(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}
Reply::Reply(Reply&&) noexcept = default;

Reply& Reply::operator=(Reply&& other) noexcept {
    if (this != &other) {
        Reply dropped(std::move(*this));
        sink_ = std::move(other.sink_);
    }
    return *this;
}

Reply::~Reply() {
    if (!sink_) return;
    Response response{500, "application/json", refusal_body("internal", "the request was not answered"), true};
    sink_->settle(std::move(response), true);
}

bool Reply::send(Response response) {
    if (!sink_) return false;
    const auto sink = std::exchange(sink_, nullptr);
    return sink->settle(std::move(response), false);
}

void Reply::answer_by(std::chrono::steady_clock::time_point when, Response fallback) {
    if (sink_) sink_->set_fallback(when, std::move(fallback));
}

void Reply::Sink::rearm() {
    state_.store(State::open, std::memory_order_relaxed);
    dropped_ = false;
    fallback_at_.reset();
}

bool Reply::Sink::settle(Response response, bool dropped) {
    auto expected = State::open;
    if (!state_.compare_exchange_strong(expected, State::claimed, std::memory_order_acq_rel)) return false;
    response_ = std::move(response);
    dropped_ = dropped;
    state_.store(State::ready, std::memory_order_release);
    if (std::this_thread::get_id() == owner_ && inside_handler_) return true;
    mailbox_->post([self = shared_from_this()] {
        if (self->waiting_ != nullptr) self->waiting_->cancel();
    });
    return true;
}

void Reply::Sink::set_fallback(std::chrono::steady_clock::time_point when, Response fallback) {
    fallback_at_ = when;
    fallback_ = std::move(fallback);
}

bool Reply::Sink::abandon() {
    auto expected = State::open;
    return state_.compare_exchange_strong(expected, State::claimed, std::memory_order_acq_rel);
}

}  // namespace fluxgate::http
