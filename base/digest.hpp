#pragma once

// SHA-256 (FIPS 180-4) by OpenSSL: as the lower-case hexadecimal text people compare, and as bytes.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace fluxgate {

// 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// Of the parts, one behind the other: what is hashed need not be copied together. Without a lock or an allocation but for the first call
// of a thread, as the audit log hashes millions of short texts.
std::array<std::uint8_t, 32> sha256(std::initializer_list<std::string_view> parts);

}  // namespace fluxgate
