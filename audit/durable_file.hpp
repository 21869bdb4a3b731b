#pragma once

// Whole small files that are there after a loss of power, or not at all: written under another name, synced, given their name, and the
// directory synced. Missing directories are made, and synced too. Any thread, but one at a time for a path.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "audit/disk.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// For what never changes: tiles, entry bundles, blobs. The same bytes there already: fine, and durable when this returns. Other bytes:
// error contradictory, which says that somebody changed what is immutable, or that we are about to. Error io.
Result<void> create_durably(Disk& disk, const std::string& path, std::string_view bytes);

// For the few files that change: the checkpoint, a verifier key. A reader sees the old or the new one, whole. Error io.
Result<void> replace_durably(Disk& disk, const std::string& path, std::string_view bytes);

// Makes a directory and those above it, durably. What this process has made so before costs nothing.
Result<void> make_directories_durably(Disk& disk, const std::string& path);

// Errors: io, too_large.
Result<std::string> read_whole(Disk& disk, const std::string& path, std::size_t bytes_max);
// The file, or nothing if it is not there, or is removed meanwhile. Errors: io, too_large.
Result<std::optional<std::string>> read_if_there(Disk& disk, const std::string& path, std::size_t bytes_max);

}  // namespace fluxgate::audit
