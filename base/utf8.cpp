#include "base/utf8.hpp"

namespace fluxgate {

std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
    const auto tail = [&](std::size_t at) { return (byte(at) & 0xc0) == 0x80; };
    if (text.empty()) return 0;
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead < 0xc2) return 0;
    if (lead < 0xe0) return tail(1) ? 2 : 0;
    if (lead < 0xf0) {
        if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
        return tail(1) && tail(2) ? 3 : 0;
    }
    if (lead > 0xf4 || (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
}

}  // namespace fluxgate
