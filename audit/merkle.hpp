#pragma once

// RFC 6962 §2.1 with SHA-256, and nothing home-made: hashes, roots, inclusion and consistency proofs and their checks. Pure.

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::audit {

using Hash = std::array<std::uint8_t, 32>;

Hash leaf_hash(std::string_view entry);
Hash node_hash(const Hash& left, const Hash& right);

// The hash of the complete subtree of 2^level leaves that is number `index` of its level.
using ReadNode = std::function<Result<Hash>(unsigned level, std::uint64_t index)>;

// The root of the first `size` leaves.
Result<Hash> tree_root(std::uint64_t size, const ReadNode& read);
// Error invalid_argument: index beyond size.
Result<std::vector<Hash>> inclusion_proof(std::uint64_t index, std::uint64_t size, const ReadNode& read);
Result<std::vector<Hash>> consistency_proof(std::uint64_t old_size, std::uint64_t new_size, const ReadNode& read);

// Error contradictory: the proof does not hold.
Result<void> check_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf, const Hash& root, const std::vector<Hash>& proof);
Result<void> check_consistency(std::uint64_t old_size, std::uint64_t new_size, const Hash& old_root, const Hash& new_root,
                               const std::vector<Hash>& proof);

}  // namespace fluxgate::audit
