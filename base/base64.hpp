#pragma once

// Base64 with the standard alphabet and padding (RFC 4648, section 4), as Kubernetes and C2SP use it.

#include <optional>
#include <string>
#include <string_view>

namespace fluxgate {

std::string base64(std::string_view bytes);

// The bytes, if `text` is exactly what `base64` makes of them: no line breaks, no other padding, no bits that mean nothing.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace fluxgate
