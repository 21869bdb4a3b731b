#pragma once

// RFC 6962 §2.1 with SHA-256, and nothing home-made: hashes, roots, inclusion and consistency proofs and their checks. Pure.
// The checks follow RFC 9162 §2.1.3.2 and §2.1.4.2, which state them for the same tree.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::audit {

using Hash = std::array<std::uint8_t, 32>;

Hash leaf_hash(std::string_view entry);
Hash node_hash(const Hash& left, const Hash& right);
// Of a tree without leaves.
Hash empty_root();
// Of a complete tree over hashes of one level; their count is a power of two.
Hash complete_root(std::span<const Hash> hashes);

// The hash of the complete subtree of 2^level leaves that is number `index` of its level.
using ReadNode = std::function<Result<Hash>(unsigned level, std::uint64_t index)>;

// The root of the first `size` leaves.
Result<Hash> tree_root(std::uint64_t size, const ReadNode& read);
// Error invalid_argument: index beyond size.
Result<std::vector<Hash>> inclusion_proof(std::uint64_t index, std::uint64_t size, const ReadNode& read);
// Error invalid_argument: old_size beyond new_size. Every tree continues the empty one, and the same tree: those proofs are empty.
Result<std::vector<Hash>> consistency_proof(std::uint64_t old_size, std::uint64_t new_size, const ReadNode& read);

// Error contradictory: the proof does not hold.
Result<void> check_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf, const Hash& root, const std::vector<Hash>& proof);
Result<void> check_consistency(std::uint64_t old_size, std::uint64_t new_size, const Hash& old_root, const Hash& new_root,
                               const std::vector<Hash>& proof);

}  // namespace fluxgate::audit
