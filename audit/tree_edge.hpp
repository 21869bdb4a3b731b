#pragma once

// A growing Merkle tree as far as its right edge: of each level of tiles the hashes that do not fill a tile yet. Enough to give the root
// and the next tiles, in memory that grows with the logarithm of the size. Pure; a value.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "audit/merkle.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// The bytes of a tile: its hashes, one behind the other.
std::string tile_bytes(const std::vector<Hash>& hashes);

class TreeEdge {
public:
    // A tile that has become full: `level` and `number` as in its path (audit/tiles.hpp). Level 0 comes first.
    using UseTile = std::function<Result<void>(unsigned level, std::uint64_t number, const std::vector<Hash>& hashes)>;

    // Errors: those of `use` as they come; the edge must not be used any more then.
    Result<void> add(const Hash& leaf, const UseTile& use);

    std::uint64_t size() const { return size_; }
    Hash root() const;
    // By level, the tiles that are not full; empty vectors are levels whose last tile is full.
    const std::vector<std::vector<Hash>>& partial_tiles() const { return levels_; }

private:
    Result<void> add(unsigned level, const Hash& hash, const UseTile& use);

    std::uint64_t size_ = 0;
    std::vector<std::vector<Hash>> levels_;
};

}  // namespace fluxgate::audit
