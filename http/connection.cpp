#include "http/connection.hpp"

#include <sys/socket.h>
#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "http/answer.hpp"
#include "http/loop.hpp"

namespace fluxgate::http {

namespace {

// Header and small requests fit; the first request decides whether more is needed.
constexpr std::size_t kFirstBytes = 16u << 10;
// Room for a body before its bytes arrive; a connection in use keeps it.
constexpr std::size_t kTrustedBodyBytes = 64u << 10;
constexpr std::size_t kKeptBytes = kTrustedBodyBytes + kFirstBytes;
// An unused connection keeps no buffer after this.
constexpr auto kKeepBufferFor = std::chrono::seconds{1};
// After so many reads without a wait the others get their turn: one TLS record each, so 256 kB.
constexpr unsigned kStepsPerTurn = 16;
// How long, and for how many bytes, we listen to a client that we no longer answer. Closing earlier would reset the
// connection and could take our last answer with it (RFC 9112 9.6).
constexpr auto kFarewell = std::chrono::milliseconds{2'000};
constexpr std::size_t kFarewellBytes = 64u << 20;
// What a new connection gets to say its first word when the server stops.
constexpr auto kLastCall = std::chrono::milliseconds{1'000};

// An answer larger than this gives its memory back.
constexpr std::size_t kScratchBytes = 1u << 20;

constexpr Refusal kOverBudget{503, "overloaded", "too many request bytes in flight, try again"};

}  // namespace

Connection::Connection(Loop& loop, Socket socket, Endpoint peer)
    : loop_(loop), service_(loop.service()), socket_(std::move(socket)), wire_(socket_.native_handle()), peer_(std::move(peer)) {
    service_.counters.connections_open.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() {
    if (sink_) sink_->abandon();
    uncharge_body();
    finish_request();
    service_.counters.connections_open.fetch_sub(1, std::memory_order_relaxed);
    loop_.left(*this);
}

Task<> Connection::run(std::unique_ptr<Connection> self) {
    try {
        if (co_await self->open()) {
            while (co_await self->serve_one()) {
            }
        }
        co_await self->farewell();
    } catch (const std::exception& error) {
        self->report(Event::Kind::connection_lost, 0, error.what());
    }
}

// --- from the first byte to the first request -----------------------------------------------------------------------

Task<bool> Connection::open() {
    if (!service_.options.tls) co_return true;
    // Until a first byte arrives a stranger costs a socket and this object, no TLS state.
    const auto& limits = service_.options.limits;
    enter(Phase::opening,
          loop_.stopping() ? std::min<std::chrono::milliseconds>(kLastCall, limits.handshake_timeout) : limits.handshake_timeout);
    if (!co_await wait(Io::want_read)) {
        if (end_ == Cause::expired && !loop_.stopping()) report(Event::Kind::handshake_failed, 0, "sent nothing in time");
        co_return false;
    }
    char first = 0;
    const auto peeked = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK);
    // A load balancer's TCP probe connects and closes. That is no event.
    if (peeked <= 0) co_return ended(Cause::closed);
    constexpr char kTlsHandshakeRecord = 0x16;
    if (first != kTlsHandshakeRecord) co_return co_await refuse_plain_http();

    phase_ = Phase::handshake;
    tls_ = service_.tls.load();
    if (!wire_.accept_tls(*tls_)) co_return ended(Cause::failed);
    for (;;) {
        const Io io = wire_.handshake();
        if (io == Io::done) co_return true;
        if (io == Io::closed || io == Io::failed) {
            report(Event::Kind::handshake_failed, 0, io == Io::closed ? "closed during the handshake" : wire_.reason());
            // A polite end even so: the client should see the alert that says why.
            co_return false;
        }
        if (!co_await wait(io)) {
            if (end_ == Cause::expired) report(Event::Kind::handshake_failed, 0, "handshake not finished in time");
            co_return false;
        }
    }
}

Task<bool> Connection::refuse_plain_http() {
    report(Event::Kind::handshake_failed, 400, "no TLS on the TLS port");
    const Response response{400, "application/json", refusal_body("tls_required", "this port speaks TLS: use https"), true};
    co_await answer(response, Framing::whole, {});
    co_return false;
}

// --- one request ----------------------------------------------------------------------------------------------------

Task<bool> Connection::serve_one() {
    const Limits& limits = service_.options.limits;
    RequestHead head(limits.header_bytes_max, limits.body_bytes_max);
    if (!co_await read_header(head)) co_return false;

    served_any_ = true;
    in_flight_ = true;
    service_.counters.requests_total.fetch_add(1, std::memory_order_relaxed);
    service_.counters.requests_in_flight.fetch_add(1, std::memory_order_relaxed);
    if (!co_await read_body(head)) co_return false;
    co_return co_await handle(head);
}

Task<bool> Connection::read_header(RequestHead& head) {
    const Limits& limits = service_.options.limits;
    if (in_.size() == 0) {
        // A connection that never asked anything may be about to: while stopping it gets a moment instead of the door.
        enter(Phase::idle, loop_.stopping() ? std::min<std::chrono::milliseconds>(kLastCall, limits.idle_timeout) : limits.idle_timeout);
        wait_first_ = !wire_.holds_bytes();
        if (!co_await receive()) {
            // With TLS 1.3 our half of the handshake is done before the client judges our certificate.
            if (end_ == Cause::failed && tls_ && !served_any_) report(Event::Kind::handshake_failed, 0, wire_.reason());
            co_return false;
        }
    } else if (++steps_ >= kStepsPerTurn) {
        co_await take_turns();
    }
    enter(Phase::header, limits.header_timeout);
    arrived_ = phase_began_;
    for (;;) {
        if (in_.size() > 0) {
            switch (head.read_header(in_)) {
                case RequestHead::Progress::complete: co_return true;
                case RequestHead::Progress::refused:
                    co_return co_await refuse(head.refusal(), head.is_head() ? Framing::header_only : Framing::whole);
                case RequestHead::Progress::needs_more: break;
            }
        }
        if (in_.room().empty() && !in_.reserve(2 * in_.capacity())) co_return co_await refuse(kOverBudget, Framing::whole);
        if (!co_await receive()) {
            if (end_ == Cause::expired) {
                const Refusal slow{408, "timeout", "the request header did not arrive in time"};
                co_return co_await refuse(slow, Framing::whole);
            }
            if (end_ != Cause::cut) report(Event::Kind::connection_lost, 0, "closed within a request header");
            co_return false;
        }
    }
}

Task<bool> Connection::read_body(RequestHead& head) {
    const Limits& limits = service_.options.limits;
    const Framing framing = head.is_head() ? Framing::header_only : Framing::whole;
    const std::size_t header = head.header_bytes();
    const std::size_t length = head.is_chunked() ? limits.body_bytes_max : static_cast<std::size_t>(head.length().value_or(0));
    if (length == 0) co_return true;

    enter(Phase::body, limits.body_timeout);
    // A length that can never fit is refused now, but only bytes that arrived are counted: claiming costs a stranger
    // nothing, so it must not cost the others anything.
    const bool hopeless = !head.is_chunked() && !fits_budget(length);
    if (hopeless || !in_.reserve(header + std::min(length, kTrustedBodyBytes))) co_return co_await refuse(kOverBudget, framing);
    if (head.expects_continue() && head.is_http11() && in_.size() == header) {
        constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        if (!co_await send(kContinue)) co_return false;
        enter(Phase::body, limits.body_timeout);
    }
    for (;;) {
        if (!charge_body(std::min(in_.size() - header, length))) co_return co_await refuse(kOverBudget, framing);
        if (head.is_chunked()) {
            const auto progress = head.read_chunks(in_);
            if (progress == RequestHead::Progress::complete) co_return true;
            if (progress == RequestHead::Progress::refused) co_return co_await refuse(head.refusal(), framing);
        } else if (in_.size() >= header + length) {
            co_return true;
        }
        if (in_.room().empty()) {
            // Frames of a chunked body need some room beside the body itself.
            const std::size_t most = head.is_chunked() ? length + limits.header_bytes_max + kFirstBytes : length;
            if (!in_.reserve(header + std::min(most, 2 * (in_.capacity() - header)))) co_return co_await refuse(kOverBudget, framing);
        }
        if (!co_await receive()) {
            if (end_ == Cause::expired) {
                const Refusal slow{408, "timeout", "the request body did not arrive in time"};
                co_return co_await refuse(slow, framing);
            }
            if (end_ != Cause::cut) report(Event::Kind::connection_lost, 0, "closed within a request body");
            co_return false;
        }
    }
}

Task<bool> Connection::handle(const RequestHead& head) {
    const std::size_t body_bytes = head.is_chunked() ? head.body_bytes() : static_cast<std::size_t>(head.length().value_or(0));
    const std::size_t request_bytes = head.header_bytes() + body_bytes;
    const Framing framing = head.is_head() ? Framing::header_only : Framing::whole;
    bool close = !head.keeps_alive();

    in_.clear_slack();
    const Request request{.method = head.method(in_),
                          .path = head.path(in_),
                          .query = head.query(in_),
                          .content_type = head.content_type(in_),
                          .body = in_.view(head.header_bytes(), body_bytes),
                          .arrived = arrived_};
    // While a Reply of an earlier request is still held somewhere, that request keeps its sink.
    if (sink_ && sink_.use_count() == 1) {
        sink_->rearm();
    } else {
        sink_ = std::make_shared<Reply::Sink>(loop_.mailbox());
    }
    std::optional<std::string> thrown;
    sink_->enter_handler();
    try {
        service_.handler(request, Reply(sink_));
    } catch (const std::exception& error) {
        thrown = error.what();
    } catch (...) {
        thrown = "something that is no std::exception";
    }
    sink_->leave_handler();

    in_.consume(request_bytes);
    if (in_.size() == 0 && in_.capacity() > kKeptBytes) in_.release();
    uncharge_body();

    Response response;
    if (thrown) {
        close = true;
        const bool answered = !sink_->abandon() && sink_->ready() && !sink_->was_dropped();
        response = answered ? sink_->take()
                            : Response{500, "application/json", refusal_body("internal", "the request could not be handled"), true};
        sink_.reset();
        const std::string detail = "the handler threw: " + *thrown;
        report(Event::Kind::handler_failed, response.status, detail);
    } else if (sink_->ready()) {
        response = sink_->take();
    } else if (!co_await await_reply(response)) {
        co_return false;
    }
    if (sink_ && sink_->was_dropped()) report(Event::Kind::handler_failed, response.status, "the handler dropped its reply");

    response.close = response.close || close || loop_.stopping() || service_.draining.load(std::memory_order_relaxed);
    const bool sent = co_await answer(response, framing, {});
    finish_request();
    co_return sent && !response.close;
}

Task<bool> Connection::await_reply(Response& response) {
    enter(Phase::handling, std::nullopt);
    if (!reply_timer_) reply_timer_.emplace(loop_.io().get_executor());
    auto fallback_at = sink_->fallback_at();
    steps_ = 0;
    while (!sink_->ready()) {
        reply_timer_->expires_at(fallback_at.value_or(TimePoint::max()));
        sink_->wake(&*reply_timer_);
        boost::system::error_code error;
        auto token = boost::asio::redirect_error(kAwait, error);
        co_await reply_timer_->async_wait(token);
        sink_->wake(nullptr);
        if (sink_->ready()) break;
        if (interrupted_ == Cause::cut) {
            sink_->abandon();
            co_return ended(Cause::cut);
        }
        if (fallback_at && std::chrono::steady_clock::now() >= *fallback_at) {
            if (sink_->abandon()) {
                response = sink_->take_fallback();
                co_return true;
            }
            fallback_at.reset();  // an answer is being written at this moment, its wake-up follows
        }
    }
    response = sink_->take();
    co_return true;
}

Task<bool> Connection::refuse(Refusal refusal, Framing framing) {
    report(Event::Kind::request_refused, refusal.status, refusal.text);
    uncharge_body();
    const Response response{refusal.status, "application/json", refusal_body(refusal.code, refusal.text), true};
    co_await answer(response, framing, refusal.status == 503 ? std::string_view("Retry-After: 1\r\n") : std::string_view());
    finish_request();
    co_return false;
}

Task<bool> Connection::answer(const Response& response, Framing framing, std::string_view fields) {
    enter(Phase::answering, service_.options.limits.write_timeout);
    std::string& out = loop_.scratch();
    out.clear();
    append_answer(out, response,
                  {.close = response.close, .head = framing == Framing::header_only, .date = loop_.date(), .fields = fields});
    const bool sent = co_await send(out);
    if (out.capacity() > kScratchBytes) out = {};
    co_return sent;
}

// --- bytes ----------------------------------------------------------------------------------------------------------

Task<bool> Connection::send(std::string_view bytes) {
    bool copied = false;  // `bytes` may be the loop's scratch, which belongs to others during a wait
    while (!bytes.empty()) {
        const Transfer sent = wire_.write(bytes);
        if (sent.io == Io::done) {
            bytes.remove_prefix(sent.bytes);
            continue;
        }
        if (sent.io == Io::closed || sent.io == Io::failed) {
            report(Event::Kind::connection_lost, 0, "gone before its answer");
            co_return ended(Cause::failed);
        }
        if (!copied) {
            unsent_.assign(bytes);
            bytes = unsent_;
            copied = true;
        }
        if (!co_await wait(sent.io)) {
            report(Event::Kind::connection_lost, 0, end_ == Cause::expired ? "does not read its answer" : "gone before its answer");
            // Half an answer must not look like a whole one: no close_notify.
            co_return ended(Cause::failed);
        }
    }
    if (copied) unsent_ = {};
    co_return true;
}

Task<bool> Connection::receive() {
    for (;;) {
        Io direction = Io::want_read;
        if (wait_first_) {
            wait_first_ = false;
        } else {
            if (in_.capacity() == 0 && !in_.reserve(kFirstBytes)) co_return ended(Cause::failed);
            const auto room = in_.room();
            const Transfer received = wire_.read(room.data(), room.size());
            if (received.io == Io::done) {
                in_.commit(received.bytes);
                end_ = Cause::none;
                if (++steps_ >= kStepsPerTurn) co_await take_turns();
                co_return true;
            }
            if (received.io == Io::closed) co_return ended(Cause::closed);
            if (received.io == Io::failed) co_return ended(Cause::failed);
            if (end_ == Cause::last_call) {
                if (!wire_.holds_bytes()) co_return false;
                end_ = Cause::none;  // half a TLS record: a request is on its way
                enter(Phase::idle, kLastCall);
            }
            direction = received.io;
        }
        if (!co_await wait(direction)) {
            // Asked to leave while idle. What has arrived by now is still served.
            if (end_ == Cause::last_call) continue;
            co_return false;
        }
    }
}

Task<bool> Connection::wait(Io direction) {
    steps_ = 0;
    if (interrupted_ == Cause::none) {
        boost::system::error_code error;
        auto token = boost::asio::redirect_error(kAwait, error);
        co_await socket_.async_wait(direction == Io::want_write ? Socket::wait_write : Socket::wait_read, token);
    }
    if (interrupted_ == Cause::none) co_return true;
    end_ = std::exchange(interrupted_, Cause::none);
    co_return false;
}

Task<> Connection::take_turns() {
    steps_ = 0;
    co_await boost::asio::post(loop_.io().get_executor(), kAwait);
}

// Says goodbye so that the client sees everything we said before.
Task<> Connection::farewell() {
    if (end_ == Cause::cut || end_ == Cause::failed) co_return;
    wire_.finish();
    wire_.release_tls();
    in_.truncate(0);
    in_.release();
    // Who was idle got its answers long ago.
    if (end_ == Cause::closed || end_ == Cause::last_call) co_return;
    enter(Phase::farewell, kFarewell);
    for (std::size_t bytes = 0; bytes < kFarewellBytes;) {
        const Transfer got = wire_.discard();
        if (got.io == Io::done) {
            bytes += got.bytes;
            if (++steps_ >= kStepsPerTurn) co_await take_turns();
            continue;
        }
        if (got.io != Io::want_read || !co_await wait(Io::want_read)) co_return;
    }
}

// --- the loop's side ------------------------------------------------------------------------------------------------

void Connection::sweep(TimePoint now) {
    if (now >= deadline_) {
        interrupt(Cause::expired);
    } else if (phase_ == Phase::idle && in_.size() == 0 && in_.capacity() > 0 && now - phase_began_ > kKeepBufferFor) {
        in_.release();
    }
}

void Connection::begin_stop(TimePoint now) {
    const bool fresh = !served_any_ && (phase_ == Phase::opening || phase_ == Phase::handshake || phase_ == Phase::idle);
    if (fresh) {
        deadline_ = std::min(deadline_, now + kLastCall);
    } else if (phase_ == Phase::idle) {
        interrupt(Cause::last_call);
    }
}

bool Connection::cut() {
    // Everything it waits for ends; nothing more is sent.
    const bool in_flight = in_flight_;
    interrupt(Cause::cut);
    if (reply_timer_) reply_timer_->cancel();
    return in_flight;
}

void Connection::enter(Phase phase, std::optional<std::chrono::milliseconds> limit) {
    phase_ = phase;
    phase_began_ = std::chrono::steady_clock::now();
    deadline_ = limit ? phase_began_ + *limit : TimePoint::max();
    // What interrupted the phase before has nothing to say about this one.
    if (interrupted_ != Cause::cut) interrupted_ = Cause::none;
}

void Connection::interrupt(Cause cause) {
    if (interrupted_ == Cause::cut) return;
    interrupted_ = cause;
    deadline_ = TimePoint::max();
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

bool Connection::ended(Cause cause) {
    end_ = cause;
    return false;
}

bool Connection::fits_budget(std::size_t bytes) const {
    return service_.counters.body_bytes_in_flight.load(std::memory_order_relaxed) + bytes <=
           service_.options.limits.bodies_in_flight_bytes_max;
}

bool Connection::charge_body(std::size_t bytes) {
    if (bytes <= charged_) return true;
    const std::size_t more = bytes - charged_;
    auto& in_flight = service_.counters.body_bytes_in_flight;
    if (in_flight.fetch_add(more, std::memory_order_relaxed) + more > service_.options.limits.bodies_in_flight_bytes_max) {
        in_flight.fetch_sub(more, std::memory_order_relaxed);
        return false;
    }
    charged_ = bytes;
    return true;
}

void Connection::uncharge_body() {
    if (charged_ == 0) return;
    service_.counters.body_bytes_in_flight.fetch_sub(charged_, std::memory_order_relaxed);
    charged_ = 0;
}

void Connection::finish_request() {
    if (!in_flight_) return;
    in_flight_ = false;
    service_.counters.requests_in_flight.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::report(Event::Kind kind, int status, std::string_view detail) const {
    const std::string peer = printable(peer_);
    service_.options.on_event(Event{.kind = kind, .status = status, .peer = peer, .detail = detail});
}

}  // namespace fluxgate::http
