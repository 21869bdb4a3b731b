#pragma once

// Small whole files: certificates, keys, recordings.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace fluxgate::cli {

// Error io, with the reason and the path.
Result<std::string> read_file(const std::filesystem::path& path);
// `mode` as for chmod: 0600 for keys.
Result<void> write_file(const std::filesystem::path& path, std::string_view text, unsigned mode);
// All or nothing: written beside the file, with its mode, and renamed over it; through a link, over what it leads to.
Result<void> replace_file(const std::filesystem::path& path, std::string_view text);

}  // namespace fluxgate::cli
