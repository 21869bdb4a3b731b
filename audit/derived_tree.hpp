#pragma once

// The tree that entries make (RFC 6962), derived one leaf at a time, with each tile of https://c2sp.org/tlog-tiles as it becomes known: to
// compare with what lies in a folder. Holds less than 256 hashes a level, whatever the size. A value; pure.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "audit/merkle.hpp"

namespace fluxgate::audit {

struct DerivedTile {
    unsigned level = 0;
    std::uint64_t number = 0;
    const std::vector<Hash>& hashes;
};

class DerivedTree {
public:
    using UseTile = std::function<void(const DerivedTile&)>;
    // `use` is called for each full tile at once, and for the partial ones by `finish`.
    explicit DerivedTree(UseTile use) : use_(std::move(use)) {}

    void add(const Hash& leaf);
    std::uint64_t size() const { return size_; }
    // Of the leaves so far.
    Hash root() const;
    void finish() const;

private:
    struct Level {
        std::uint64_t number = 0;  // of the tile that is not full yet
        std::vector<Hash> hashes{};
    };

    UseTile use_;
    std::uint64_t size_ = 0;
    std::vector<Level> levels_;
};

}  // namespace fluxgate::audit
