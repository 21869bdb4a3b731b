#include "audit/tree_edge.hpp"

#include <span>

#include "audit/tiles.hpp"

namespace fluxgate::audit {

std::string tile_bytes(const std::vector<Hash>& hashes) {
    return {reinterpret_cast<const char*>(hashes.data()), hashes.size() * sizeof(Hash)};
}

Result<void> TreeEdge::add(const Hash& leaf, const UseTile& use) {
    if (auto added = add(0, leaf, use); !added) return added;
    ++size_;
    return {};
}

Result<void> TreeEdge::add(unsigned level, const Hash& hash, const UseTile& use) {
    if (levels_.size() == level) levels_.emplace_back().reserve(kTileWidth);
    levels_[level].push_back(hash);
    if (levels_[level].size() < kTileWidth) return {};
    // Full: every lower level is full at the same moment, so the leaves under it are all but those of the tiles before.
    const std::uint64_t number = size_ >> (8 * (level + 1));
    if (auto used = use(level, number, levels_[level]); !used) return used;
    const Hash above = complete_root(levels_[level]);
    levels_[level].clear();
    return add(level + 1, above, use);
}

Hash TreeEdge::root() const {
    if (size_ == 0) return empty_root();
    // Every complete subtree on the edge lies within the partial tile of its level: no read of it fails.
    const ReadNode read = [this](unsigned level, std::uint64_t index) -> Result<Hash> {
        const std::vector<Hash>& tile = levels_[level / 8];
        const std::size_t width = std::size_t{1} << (level % 8);
        return complete_root(std::span(tile).subspan(index * width % kTileWidth, width));
    };
    return *tree_root(size_, read);
}

}  // namespace fluxgate::audit
