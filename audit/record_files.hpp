#pragma once

// The files of one replica's log, for whoever reads it from the outside (format: audit/log.hpp).

#include <filesystem>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::audit {

// In the order of their records. Error io.
Result<std::vector<std::filesystem::path>> record_files(const std::filesystem::path& directory);

}  // namespace fluxgate::audit
