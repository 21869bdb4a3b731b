#pragma once

// Parts of records that are too large for an entry, and policy sets: files by the SHA-256 of their bytes. What a record names by digest
// is as provable as the record.

#include <cstddef>
#include <string>
#include <string_view>

#include "audit/disk.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

inline constexpr std::size_t kBlobBytesMax = 64u << 20;

// "blobs/ab/ab12…" of "sha256:ab12…". Error invalid_argument.
Result<std::string> blob_path(std::string_view digest);

// Durable when it returns. The digest, "sha256:…". Errors: io, too_large, contradictory (other bytes are there under that name).
Result<std::string> store_blob(Disk& disk, std::string_view bytes);

// Errors: io, contradictory: the bytes are not those of the digest.
Result<std::string> read_blob(Disk& disk, std::string_view digest);

}  // namespace fluxgate::audit
