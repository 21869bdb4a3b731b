#include "kube/ip_range.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace fluxgate::kube {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int bits_of(IpAddress::Family family) { return family == IpAddress::Family::v4 ? 32 : 128; }

// Do the first `bits` bits agree?
bool same_prefix(const std::array<std::uint8_t, 16>& left, const std::array<std::uint8_t, 16>& right, int bits) {
    const auto whole = static_cast<std::size_t>(bits / 8);
    if (!std::equal(left.begin(), left.begin() + whole, right.begin())) return false;
    const int rest = bits % 8;
    return rest == 0 || (left[whole] ^ right[whole]) >> (8 - rest) == 0;
}

bool is_zero_behind(const IpAddress& address, int bits) {
    for (int bit = bits; bit < bits_of(address.family); ++bit) {
        if ((address.bytes[static_cast<std::size_t>(bit / 8)] >> (7 - bit % 8) & 1) != 0) return false;
    }
    return true;
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN + 1> buffer{};  // inet_pton wants a zero at the end
    const bool fits = text.size() < buffer.size() && text.find('\0') == std::string_view::npos;
    if (fits) std::copy(text.begin(), text.end(), buffer.begin());
    IpAddress address;
    if (fits && ::inet_pton(AF_INET, buffer.data(), address.bytes.data()) == 1) return address;
    if (!fits || ::inet_pton(AF_INET6, buffer.data(), address.bytes.data()) != 1) return fail(Errc::invalid_argument, "is no IP address");
    address.family = Family::v6;
    if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin())) {
        IpAddress mapped;
        std::copy(address.bytes.begin() + kMappedPrefix.size(), address.bytes.end(), mapped.bytes.begin());
        return mapped;
    }
    return address;
}

Result<IpRange> IpRange::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string_view before = text.substr(0, slash);
    const auto address = IpAddress::parse(before);
    if (!address) return fail(Errc::invalid_argument, "is neither an IP address nor a range such as 10.0.0.0/8");
    IpRange range{*address, bits_of(address->family)};
    if (slash == std::string_view::npos) return range;

    const std::string_view digits = text.substr(slash + 1);
    const bool is_number = !digits.empty() && digits.size() <= 3 && (digits.size() == 1 || digits.front() != '0') &&
                           std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (address->family == IpAddress::Family::v4 && before.find(':') != std::string_view::npos)
        return fail(Errc::invalid_argument, "is a range of IPv4 addresses written as IPv6; write it as IPv4");
    int bits = 0;
    for (const char c : is_number ? digits : std::string_view()) bits = bits * 10 + (c - '0');
    if (!is_number || bits > range.prefix_bits)
        return fail(Errc::invalid_argument, "has a prefix that is no number from 0 to " + std::to_string(range.prefix_bits));
    if (!is_zero_behind(*address, bits))
        return fail(Errc::invalid_argument, "has bits behind its prefix; write the first address of the range");
    range.prefix_bits = bits;
    return range;
}

bool IpRange::contains(const IpAddress& address) const {
    return address.family == first.family && same_prefix(address.bytes, first.bytes, prefix_bits);
}

}  // namespace fluxgate::kube
