#pragma once

// Requests and answers as values, and the small promise between the connection loop and whoever answers.
// Knows nothing of Kubernetes and shows no library: Beast, Asio and OpenSSL stay inside http/*.cpp.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace fluxgate::http {

// Views into the connection's buffers: valid only until the handler returns. Whoever answers later copies what it needs.
struct Request {
    std::string_view method;        // "POST"
    std::string_view path;          // "/validate", without the query, not decoded
    std::string_view query;         // "timeout=3s", without the '?'; empty if there is none
    std::string_view content_type;  // as sent; empty if absent
    // The body. At least `kBodySlack` readable bytes follow it, so that a SIMD parser may read past its end.
    std::string_view body;
    // When the first byte of this request's header arrived: deadlines count from here.
    std::chrono::steady_clock::time_point arrived;
};
inline constexpr std::size_t kBodySlack = 64;

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body = {};
    bool close = false;  // end the connection after this answer
};

// The right to answer one request, once. Moves between threads: `send` may be called inside the handler (the fast way,
// nothing is scheduled) or later from any thread. Dropping it unanswered answers 500, so a request never hangs.
class Reply {
public:
    class Sink;  // the connection's side
    explicit Reply(std::shared_ptr<Sink> sink);
    Reply(Reply&&) noexcept;
    Reply& operator=(Reply&&) noexcept;
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    ~Reply();

    // Later calls, and calls after the fallback was sent, do nothing and return false.
    bool send(Response response);

    // If nobody has sent by `when`, `fallback` is sent instead. Call it inside the handler, before it returns.
    void answer_by(std::chrono::steady_clock::time_point when, Response fallback);

private:
    std::shared_ptr<Sink> sink_;
};

// Answers one request. Called on the connection's thread, many threads at once; must not block and must not throw
// (an exception is answered 500 and logged, the connection closes).
using Handler = std::function<void(const Request&, Reply)>;

}  // namespace fluxgate::http
