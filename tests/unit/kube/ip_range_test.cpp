#include "kube/ip_range.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

TEST_CASE("a range contains its addresses and no other") {
    struct Row {
        std::string_view range;
        std::string_view address;
        bool contains;
    };
    const Row rows[] = {
        {"10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1", "10.0.0.2", false},
        {"10.0.0.1/32", "10.0.0.1", true},
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/9", "10.127.255.255", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"10.0.0.64/26", "10.0.0.127", true},
        {"10.0.0.64/26", "10.0.0.128", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "10.0.0.1", false},
        {"::/0", "::ffff:10.0.0.1", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"2001:db8::1", "2001:0DB8:0:0:0:0:0:1", true},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.0.0.0/8", "::ffff:0a01:0203", true},
        {"::ffff:10.0.0.1", "10.0.0.1", true},
        {"::1", "::1", true},
        {"10.0.0.0/8", "::10.0.0.1", false},
    };
    for (const Row& row : rows) {
        INFO(row.range << " " << row.address);
        const auto range = IpRange::parse(row.range);
        const auto address = IpAddress::parse(row.address);
        REQUIRE(range.has_value());
        REQUIRE(address.has_value());
        CHECK(range->contains(*address) == row.contains);
    }
}

TEST_CASE("what is no address and no range") {
    for (const std::string_view text :
         {"", " ", "10.0.0", "10.0.0.1 ", "10.0.0.256", "010.0.0.1", "10.0.0.1.", "10", "0x0a000001", "1.2.3.4.5", ":::", "1::2::3",
          "fe80::1%eth0", "[::1]", "g::1", "localhost", "12345::", "::ffff:10.0.0.1:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
        INFO(text);
        CHECK_FALSE(IpAddress::parse(text).has_value());
        CHECK_FALSE(IpRange::parse(text).has_value());
    }
    CHECK_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0", 9)).has_value());
    CHECK_FALSE(IpAddress::parse("10.0.0.0/8").has_value());

    struct Row {
        std::string_view text;
        std::string_view says;
    };
    const Row rows[] = {
        {"10.0.0.1/8", "bits behind its prefix"},
        {"2001:db8::1/64", "bits behind its prefix"},
        {"10.0.0.0/33", "0 to 32"},
        {"::/129", "0 to 128"},
        {"10.0.0.0/", "0 to 32"},
        {"10.0.0.0/-1", "0 to 32"},
        {"10.0.0.0/08", "0 to 32"},
        {"10.0.0.0/1000", "0 to 32"},
        {"10.0.0.0/8/8", "0 to 32"},
        {"::ffff:10.0.0.0/104", "write it as IPv4"},
        {"ten/8", "neither an IP address nor a range"},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const auto range = IpRange::parse(row.text);
        REQUIRE_FALSE(range.has_value());
        CHECK(range.error().code == Errc::invalid_argument);
        INFO(range.error().message);
        CHECK(range.error().message.find(row.says) != std::string::npos);
    }
}
