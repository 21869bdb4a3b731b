#pragma once

// One connection from its first byte to its last: handshake, requests one after the other, farewell.
//
// Every wait has a deadline that the loop's sweeper compares with the clock a few times a second; when it has passed, the
// sweeper interrupts the wait and the connection decides what that means in its phase.

#include <boost/intrusive/list_hook.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/asio.hpp"
#include "http/input_buffer.hpp"
#include "http/reply.hpp"
#include "http/request_head.hpp"
#include "http/service.hpp"
#include "http/wire.hpp"

namespace fluxgate::http {

class Loop;

// Lives on its loop's thread only.
class Connection : public boost::intrusive::list_base_hook<> {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    Connection(Loop& loop, Socket socket, Endpoint peer);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    static Task<> run(std::unique_ptr<Connection> self);

    // The loop's calls, between two steps of `run`.
    void sweep(TimePoint now);
    void begin_stop(TimePoint now);
    bool cut();  // true if a request was in flight

private:
    enum class Phase : std::uint8_t { opening, handshake, idle, header, body, handling, answering, farewell };
    // Why a wait was ended, and afterwards why the connection ends.
    enum class Cause : std::uint8_t { none, closed, failed, expired, last_call, cut };
    enum class Framing : std::uint8_t { whole, header_only };

    Task<bool> open();
    Task<bool> refuse_plain_http();
    Task<bool> serve_one();
    Task<bool> read_header(RequestHead& head);
    Task<bool> read_body(RequestHead& head);
    Task<bool> handle(const RequestHead& head);
    Task<bool> await_reply(Response& response);
    Task<bool> refuse(Refusal refusal, Framing framing);
    Task<bool> answer(const Response& response, Framing framing, std::string_view fields);
    Task<bool> send(std::string_view bytes);
    Task<bool> receive();
    Task<bool> wait(Io direction);
    Task<> take_turns();
    Task<> farewell();

    void enter(Phase phase, std::optional<std::chrono::milliseconds> limit);
    void interrupt(Cause cause);
    bool ended(Cause cause);
    bool fits_budget(std::size_t bytes) const;
    bool charge_body(std::size_t bytes);
    void uncharge_body();
    void finish_request();
    void report(Event::Kind kind, int status, std::string_view detail) const;

    Loop& loop_;
    Service& service_;
    Socket socket_;
    Wire wire_;
    const Endpoint peer_;
    std::shared_ptr<const TlsContext> tls_;

    Phase phase_ = Phase::opening;
    TimePoint phase_began_;
    TimePoint deadline_ = TimePoint::max();
    Cause interrupted_ = Cause::none;
    Cause end_ = Cause::none;

    InputBuffer in_;
    TimePoint arrived_;
    std::size_t charged_ = 0;  // body bytes counted against the shared budget
    std::string unsent_;       // the rest of an answer while the socket is full
    std::shared_ptr<Reply::Sink> sink_;
    std::optional<Timer> reply_timer_;
    unsigned steps_ = 0;      // without a wait
    bool wait_first_ = true;  // nothing can be there yet: asking the socket would cost a system call
    bool served_any_ = false;
    bool in_flight_ = false;
};

}  // namespace fluxgate::http
