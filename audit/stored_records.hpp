#pragma once

// Reads the records of an audit folder, in order, while a server may be writing it: first those under the signed checkpoint, from the
// entry bundles, then those that so far are in the write-ahead log only. Takes no lock and changes nothing.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "audit/disk.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

struct StoredRecord {
    std::optional<std::uint64_t> index{};  // in the provable log; nothing: not there yet
    std::uint64_t sequence = 0;            // of the write-ahead log; 0 where the index is known
    std::string_view text{};               // the canonical JSON; audit/record.hpp reads it
    std::string where() const;             // "index 17", "sequence 18 (not yet under a checkpoint)"
};

// False: enough.
using UseRecord = std::function<Result<bool>(const StoredRecord&)>;
// Anything that can be asked for all records: a folder, or the rows of a test.
using Records = std::function<Result<void>(const UseRecord&)>;

struct RecordRange {
    std::uint64_t first_index = 0;  // leaves out what is before
    bool newest_first = false;      // then whole bundles from the end on; the records of one come in reverse order
    bool published_only = false;    // leaves out what is not under the checkpoint
};
// Errors: io, invalid_argument (a file that is no bundle or checkpoint); those of `use` as they come. Signatures and hashes are not
// checked: that is audit/verify.hpp.
Result<void> each_record(const std::filesystem::path& directory, const RecordRange& range, const UseRecord& use);
Result<void> each_record(Disk& disk, const RecordRange& range, const UseRecord& use);

// How many records there are under the checkpoint; 0 without one.
Result<std::uint64_t> published_size(const std::filesystem::path& directory);

}  // namespace fluxgate::audit
