#include "audit/crc32c.hpp"

#include <cstring>

#include <boost/crc.hpp>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace fluxgate::audit {

namespace {

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] std::uint64_t add_by_instruction(std::uint64_t crc, std::string_view bytes) {
    for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, bytes.data(), sizeof eight);
        crc = _mm_crc32_u64(crc, eight);
    }
    for (const char byte : bytes) crc = _mm_crc32_u8(static_cast<std::uint32_t>(crc), static_cast<unsigned char>(byte));
    return crc;
}

bool has_instruction() {
    static const bool has = __builtin_cpu_supports("sse4.2") != 0;
    return has;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view first, std::string_view second) {
#if defined(__x86_64__)
    if (has_instruction()) return ~static_cast<std::uint32_t>(add_by_instruction(add_by_instruction(0xffffffffu, first), second));
#endif
    return crc32c_portable(first, second);
}

std::uint32_t crc32c_portable(std::string_view first, std::string_view second) {
    boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
    crc.process_bytes(first.data(), first.size());
    crc.process_bytes(second.data(), second.size());
    return crc.checksum();
}

}  // namespace fluxgate::audit
