#pragma once

// An HTTP/1.1 server over TLS (the webhook) or plain TCP (health and metrics on their own ports): one io_context and one
// thread per core, coroutines inside, keep-alive, and a bound on everything a stranger can make grow.
//
// Limits (base/limits.hpp): connections, handshake, header bytes and time, body bytes and time, idle time, and one budget
// for all bodies in flight. What breaks one gets a clear status where HTTP allows it (400, 408, 411, 413, 417, 431, 503;
// 404 and 405 are the handler's) and one event; it never affects other connections. Transfer-Encoding together with
// Content-Length is refused (RFC 9112 6.1), so is a POST, PUT or PATCH with neither.
//
// TLS: 1.2 at least, ALPN selects http/1.1 or nothing (kube-apiserver also offers h2 to loopback URLs), no renegotiation,
// no compression, no session cache. The certificate is read again for each new connection through `TlsIdentity`.
//
// Stopping (`drain`, then `stop`): after `drain` every answer carries `Connection: close`, new connections are still
// served; `stop` closes the listener and idle connections, lets requests in flight finish until the time given (a
// connection that has asked nothing yet gets a second of it to speak), then closes what is left. No accepted request is
// dropped without an answer before that time.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "http/message.hpp"

namespace fluxgate::http {

// PEM texts. The private key never leaves the process and is never logged.
struct TlsIdentity {
    std::string certificate_chain_pem;  // leaf first
    std::string private_key_pem;
};

// What happened on the wire, for logs and metrics. `peer` is "address:port". Called on server threads; must not block.
struct Event {
    enum class Kind : std::uint8_t {
        connection_refused,  // over `connections_max`, or out of file descriptors (then without `peer`)
        handshake_failed,    // not TLS, no common version, closed, timed out; not a TCP probe that sends nothing and closes
        request_refused,     // broken HTTP, too large, too slow, over budget: `status` says which
        handler_failed,      // the handler threw or dropped its reply
        connection_lost,     // the peer went away in the middle of a request or answer
    };
    Kind kind;
    int status = 0;  // the status answered, 0 if none
    std::string_view peer;
    std::string_view detail;  // one clause for people
};
std::string_view to_string(Event::Kind kind);

struct ServerOptions {
    std::string address = "127.0.0.1";  // literal IPv4 or IPv6 address
    std::uint16_t port = 0;             // 0: any free port; ask `port()`
    unsigned threads = 1;               // io_contexts, one thread each
    bool tls = true;
    Limits limits = {};
    std::function<void(const Event&)> on_event = [](const Event&) {};
};

// Gauges that any thread may read at any time.
struct ServerCounters {
    std::atomic<std::uint64_t> connections_open{0};
    std::atomic<std::uint64_t> connections_total{0};
    std::atomic<std::uint64_t> requests_total{0};
    std::atomic<std::uint64_t> requests_in_flight{0};
    std::atomic<std::uint64_t> body_bytes_in_flight{0};
};

// A resource: one owner, starts its threads in `start` and joins them in `stop` or the destructor.
class Server {
public:
    // Binds, loads the identity (ignored without tls) and starts accepting. Errors: io (address in use, …),
    // invalid_certificate (the pair does not parse or does not match), invalid_argument (address).
    static Result<std::unique_ptr<Server>> start(ServerOptions options, TlsIdentity identity, Handler handler);
    virtual ~Server() = default;

    virtual std::uint16_t port() const = 0;
    virtual const ServerCounters& counters() const = 0;

    // Uses this pair for connections accepted from now on; running connections go on. On error the old pair stays.
    virtual Result<void> use_identity(TlsIdentity identity) = 0;

    // From now on every answer says `Connection: close`. Returns at once; safe to call from any thread, repeatedly.
    virtual void drain() = 0;

    // Stops accepting, closes idle connections, waits at most `patience` for requests in flight, joins the threads.
    // Returns how many requests had to be cut off. Not from a server thread.
    virtual std::uint64_t stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace fluxgate::http
