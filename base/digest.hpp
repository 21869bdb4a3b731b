#pragma once

// SHA-256 (FIPS 180-4) by OpenSSL, as the lower-case hexadecimal text people compare.

#include <string>
#include <string_view>

namespace fluxgate {

// 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace fluxgate
