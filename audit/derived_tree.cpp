#include "audit/derived_tree.hpp"

#include <bit>
#include <span>

#include "audit/tiles.hpp"

namespace fluxgate::audit {

namespace {

// Of a complete subtree: the count is a power of two.
Hash complete_root(std::span<const Hash> hashes) {
    if (hashes.size() == 1) return hashes[0];
    const std::size_t half = hashes.size() / 2;
    return node_hash(complete_root(hashes.first(half)), complete_root(hashes.subspan(half)));
}

}  // namespace

void DerivedTree::add(const Hash& leaf) {
    ++size_;
    Hash hash = leaf;
    for (unsigned level = 0;; ++level) {
        if (level == levels_.size()) levels_.emplace_back();
        Level& current = levels_[level];
        current.hashes.push_back(hash);
        if (current.hashes.size() < kTileWidth) return;
        use_({level, current.number, current.hashes});
        hash = complete_root(current.hashes);
        ++current.number;
        current.hashes.clear();
    }
}

// The complete subtrees from the largest to the smallest, joined from the right: that is how RFC 6962 splits.
Hash DerivedTree::root() const {
    std::vector<Hash> peaks;
    for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
        std::span<const Hash> rest(level->hashes);
        while (!rest.empty()) {
            const std::size_t count = std::bit_floor(rest.size());
            peaks.push_back(complete_root(rest.first(count)));
            rest = rest.subspan(count);
        }
    }
    if (peaks.empty()) return *tree_root(0, {});
    Hash root = peaks.back();
    for (std::size_t at = peaks.size() - 1; at-- > 0;) root = node_hash(peaks[at], root);
    return root;
}

void DerivedTree::finish() const {
    for (unsigned level = 0; level < levels_.size(); ++level) {
        if (!levels_[level].hashes.empty()) use_({level, levels_[level].number, levels_[level].hashes});
    }
}

}  // namespace fluxgate::audit
