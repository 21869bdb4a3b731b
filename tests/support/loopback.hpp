#pragma once

// A socket that listens on a free port of the loopback address, for servers that a test plays itself.

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstdint>

#include "tests/support/catch.hpp"

namespace fluxgate::testing {

inline std::uint16_t listen_on_loopback(int descriptor) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(descriptor, 8) == 0);
    REQUIRE(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return ntohs(address.sin_port);
}

}  // namespace fluxgate::testing
