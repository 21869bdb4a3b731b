#pragma once

// Base64 with the standard alphabet and padding (RFC 4648, section 4), as Kubernetes and C2SP use it.

#include <string>
#include <string_view>

namespace fluxgate {

std::string base64(std::string_view bytes);

}  // namespace fluxgate
