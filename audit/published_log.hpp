#pragma once

// The provable log of a folder as it lies there: checkpoint, minimum index, entry bundles. Nothing is verified here (audit/verify.hpp,
// audit/reader.hpp). Works while a server writes: a partial bundle that became full is found under its new name.
// Format: https://c2sp.org/tlog-tiles; layout: audit/layout.hpp.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.hpp"
#include "audit/disk.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// A folder to read in, not taken: a server may be writing there. Error io: it is not there.
Result<std::unique_ptr<Disk>> open_for_reading(const std::filesystem::path& directory);

// A value: what was published when it was read.
struct PublishedLog {
    std::string note{};  // the signed checkpoint, as it is
    Checkpoint checkpoint{};
    std::uint64_t minimum_index = 0;  // entries below were pruned
};
// Nothing: no checkpoint was published yet. Errors: io; invalid_argument: no checkpoint or no number, with the path.
Result<std::optional<PublishedLog>> read_published_log(Disk& disk);
// 0 without the file.
Result<std::uint64_t> read_minimum_index(Disk& disk);

// Reads bundles one at a time. One thread.
class EntryBundles {
public:
    EntryBundles(Disk& disk, std::uint64_t size) : disk_(disk), size_(size) {}

    // The entries of the bundle that lie below the size, as views that hold until the next call. Errors: io (also: it is missing),
    // invalid_argument: the file holds something else.
    Result<std::vector<std::string_view>> read(std::uint64_t number);
    // One entry; its bundle stays read for the next.
    Result<std::string_view> entry(std::uint64_t index);
    // The file of the last read.
    const std::string& path() const { return path_; }

private:
    Disk& disk_;
    std::uint64_t size_;
    std::string path_;
    std::string bytes_;
    std::optional<std::uint64_t> cached_;
    std::vector<std::string_view> entries_;
};

}  // namespace fluxgate::audit
