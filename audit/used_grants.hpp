#pragma once

// How often break-glass grants were used, as the records of a replica's log tell it: a count that survives a restart.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// By the digest of a grant; of writes that were allowed at `since` or later. Reads the newest file first and stops at the first that
// ends before `since`; keeps one line in memory. A torn last line was never acknowledged and counts for nothing. Errors: io,
// invalid_json, missing_field, with file and line.
Result<std::map<std::string, std::uint64_t, std::less<>>> count_used_grants(const std::filesystem::path& directory, WallTime since);

}  // namespace fluxgate::audit
