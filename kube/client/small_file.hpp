#pragma once

// Reads files of which we expect a few kB: tokens, certificates, kubeconfigs.

#include <cstddef>
#include <string>

#include "base/error.hpp"

namespace fluxgate::kube::client {

inline constexpr std::size_t kSmallFileBytesMax = 4u << 20;  // a kubeconfig of hundreds of clusters with their CAs

// Never waits: what is no regular file (after links), such as a named pipe, is refused.
// Errors: io, too_large; `where` is the file.
Result<std::string> read_small_file(const std::string& file);

}  // namespace fluxgate::kube::client
