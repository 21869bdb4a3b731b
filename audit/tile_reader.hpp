#pragma once

// Hashes and proofs out of the tile files of a log of a given size: from the partial tiles of that size, or from the full ones that have
// taken their place since. What it reads is not trusted: a proof is good if it checks against a signed root. Keeps the tiles it has read,
// up to a bound.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "audit/disk.hpp"
#include "audit/merkle.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// One thread. The disk need not have been taken (a reader beside the writer does not) and outlives this.
class TileReader {
public:
    TileReader(Disk& disk, std::uint64_t size) : disk_(disk), size_(size) {}

    // Errors, with the path: io (also: the tile is missing), contradictory (not the length of a tile).
    Result<Hash> node(unsigned level, std::uint64_t index);
    ReadNode nodes() {
        return [this](unsigned level, std::uint64_t index) { return node(level, index); };
    }

    Result<Hash> root() { return tree_root(size_, nodes()); }
    Result<std::vector<Hash>> inclusion(std::uint64_t index) { return inclusion_proof(index, size_, nodes()); }
    Result<std::vector<Hash>> consistency_from(std::uint64_t old_size) { return consistency_proof(old_size, size_, nodes()); }

private:
    Result<const std::vector<Hash>*> tile(unsigned level, std::uint64_t number);

    Disk& disk_;
    std::uint64_t size_;
    std::map<std::pair<unsigned, std::uint64_t>, std::vector<Hash>> tiles_;
};

// The first `width` hashes of a tile: of the partial tile of that width, or of the full one that has taken its place. Errors as above.
Result<std::vector<Hash>> read_tile(Disk& disk, unsigned level, std::uint64_t number, std::uint64_t width);
// The same of entries, as a bundle of `width` entries. Error besides: invalid_argument, the file is no bundle of so many.
Result<std::string> read_bundle(Disk& disk, std::uint64_t number, std::uint64_t width);

// How many hashes (or entries, of a bundle: level 0) file `number` has in a log of `size` entries: 0 is none, kTileWidth a full one.
std::uint64_t width_of(unsigned level, std::uint64_t number, std::uint64_t size);

}  // namespace fluxgate::audit
