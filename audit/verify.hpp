#pragma once

// Reads a log directory from the outside and says whether it is whole: every line a record, the sequence without a hole.
// Reads only; works while a server writes.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/record.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

struct VerifiedLog {
    std::uint64_t records = 0;
    std::uint64_t first_sequence = 0;
    std::uint64_t last_sequence = 0;
    std::uint64_t denied = 0;
    std::uint64_t allowed = 0;
    std::vector<RecordLine> lines;        // in order
    std::vector<std::string> torn_tails;  // files that end in a part of a line: written by a crash, never acknowledged
};

// f(line, where) for each line of each record file, in order; `where` is "FILE:LINE". Stops at its first error. Returns the files
// that end in a part of a line. Error io, with the path.
using UseLine = std::function<Result<void>(std::string_view line, const std::string& where)>;
Result<std::vector<std::string>> each_record_line(const std::filesystem::path& directory, const UseLine& use);

// Errors, with file and line in `where`: io, invalid_json (a line that is no record), contradictory (a hole in the sequence).
Result<VerifiedLog> verify_log(const std::filesystem::path& directory);

}  // namespace fluxgate::audit
