#include <tuple>

#include "cli/serving.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;

TEST_CASE("an address is read as people write it") {
    struct Row {
        const char* text;
        const char* address;
        std::uint16_t port;
    };
    for (const Row& row : {Row{"0.0.0.0:9443", "0.0.0.0", 9443}, Row{"127.0.0.1:0", "127.0.0.1", 0}, Row{"[::1]:65535", "::1", 65535},
                           Row{"[::]:9443", "::", 9443}}) {
        INFO(row.text);
        const auto endpoint = parse_endpoint(row.text);
        REQUIRE(endpoint.has_value());
        CHECK(endpoint->address == row.address);
        CHECK(endpoint->port == row.port);
    }
}

TEST_CASE("what is no address is refused with an example") {
    for (const char* text : {"", ":", "9443", ":9443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
                             "127.0.0.1:1 ", "127.0.0.1: 1"}) {
        INFO(text);
        const auto endpoint = parse_endpoint(text);
        REQUIRE_FALSE(endpoint.has_value());
        CHECK(endpoint.error().code == Errc::invalid_argument);
        CHECK(endpoint.error().message.find("0.0.0.0:9443") != std::string::npos);
    }
}
