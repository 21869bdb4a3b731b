#pragma once

// Accepts connections and deals them out to the loops in turn. One acceptor, not SO_REUSEPORT: the kernel's hash could put
// all 25 connections of an API server on one core, and a pending connection would die with the socket it was hashed to.

#include <memory>
#include <vector>

#include "base/error.hpp"
#include "http/asio.hpp"
#include "http/loop.hpp"

namespace fluxgate::http {

// Runs on the first loop's thread.
class Listener {
public:
    Listener(Service& service, std::vector<std::unique_ptr<Loop>>& loops);

    // Before the loops start. Errors: invalid_argument (address), io.
    Result<std::uint16_t> bind(const std::string& address, std::uint16_t port);
    void start();

    // Takes what is already connected, then closes. On the loop's thread.
    void close();

private:
    Task<> accept_forever();
    // Up to `most` connections; the error that ended it, 0 if there may be more.
    int accept_some(unsigned most);
    void deal_out(int descriptor, const Endpoint& peer);

    Service& service_;
    std::vector<std::unique_ptr<Loop>>& loops_;
    Acceptor acceptor_;
    Timer pause_;
    std::size_t next_ = 0;
    bool closing_ = false;
};

}  // namespace fluxgate::http
