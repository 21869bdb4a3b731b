#pragma once

// Large numbers as people read them.

#include <cstdint>
#include <string>
#include <string_view>

namespace fluxgate {

// "12,345"
std::string grouped(std::uint64_t number);

// "1 write", "12,345 writes": for nouns that take an s.
std::string grouped(std::uint64_t number, std::string_view noun);

}  // namespace fluxgate
