#pragma once

// UTF-8 as RFC 3629 has it: no surrogates, nothing overlong.

#include <cstddef>
#include <string_view>

namespace fluxgate {

// Bytes of the character at the front of `text`; 0 if there is none.
std::size_t utf8_length(std::string_view text);

}  // namespace fluxgate
