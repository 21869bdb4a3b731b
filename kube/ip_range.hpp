#pragma once

// IP addresses and CIDR ranges, exactly: inet_pton's strict forms of IPv4 and IPv6 (RFC 4632, RFC 4291), no zones, no leading zeros.
// An IPv4 address written as IPv6 (::ffff:10.0.0.1) is that IPv4 address, as it is for Kubernetes. Values.

#include <array>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"

namespace fluxgate::kube {

struct IpAddress {
    enum class Family : std::uint8_t { v4, v6 };
    Family family = Family::v4;
    std::array<std::uint8_t, 16> bytes{};  // v4: the first four

    // Error invalid_argument: "is no IP address".
    static Result<IpAddress> parse(std::string_view text);

    friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

struct IpRange {
    IpAddress first;
    int prefix_bits = 0;

    // A range such as 10.0.0.0/8, or a single address. Error invalid_argument: neither, or bits behind the prefix.
    static Result<IpRange> parse(std::string_view text);

    bool contains(const IpAddress& address) const;

    friend bool operator==(const IpRange&, const IpRange&) = default;
};

}  // namespace fluxgate::kube
