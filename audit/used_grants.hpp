#pragma once

// How often break-glass grants were used, as the records of an audit folder tell it: a count that survives a restart.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// By the digest of a grant; of writes that were allowed at `since` or later. Reads the newest records first and stops when 256 in a row
// are older by more than audit/query.hpp's kDisorderMax. Errors: those of each_record; of an entry that is no record, with its place.
Result<std::map<std::string, std::uint64_t, std::less<>>> count_used_grants(const std::filesystem::path& directory, WallTime since);

}  // namespace fluxgate::audit
