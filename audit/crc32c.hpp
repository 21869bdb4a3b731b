#pragma once

// CRC32C (Castagnoli, https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4): by the processor's own instruction where it has one (a record
// in 0.3 us instead of 4, and the log's thread computes one for each record), else by Boost.CRC. Any thread.

#include <cstdint>
#include <string_view>

namespace fluxgate::audit {

// Of `first` and `second`, one after the other.
std::uint32_t crc32c(std::string_view first, std::string_view second = {});
// The same without the instruction; for the test that compares them.
std::uint32_t crc32c_portable(std::string_view first, std::string_view second = {});

}  // namespace fluxgate::audit
