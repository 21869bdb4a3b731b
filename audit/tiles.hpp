#pragma once

// The paths and files of https://c2sp.org/tlog-tiles: tiles of 256 hashes, bundles of 256 entries, partial ones with a width. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::audit {

inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr std::size_t kEntryBytesMax = 65'535;

// "tile/0/x001/x234/067", "tile/1/000.p/17"; `width` 256 is a full tile.
std::string tile_path(unsigned level, std::uint64_t number, std::uint64_t width);
// "tile/entries/x001/x234/067.p/8"
std::string bundle_path(std::uint64_t number, std::uint64_t width);

// Big-endian length and bytes of each entry. An entry has at most kEntryBytesMax bytes.
void add_to_bundle(std::string& bundle, std::string_view entry);
// Views into `bundle`. Errors: invalid_argument: it does not hold exactly `width` entries.
Result<std::vector<std::string_view>> entries_of(std::string_view bundle, std::uint64_t width);

}  // namespace fluxgate::audit
