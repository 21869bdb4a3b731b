#include "audit/merkle.hpp"

#include <bit>
#include <utility>

#include <fmt/format.h>

#include "base/digest.hpp"

namespace fluxgate::audit {

namespace {

using namespace std::string_view_literals;

std::string_view bytes_of(const Hash& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

// Leaves [first, first + count); `first` is a multiple of the largest power of two that is not above `count`, as in every split of a tree.
struct Leaves {
    std::uint64_t first = 0;
    std::uint64_t count = 0;

    // The largest power of two below `count`.
    std::uint64_t split() const { return std::bit_floor(count - 1); }
    Leaves left() const { return {first, split()}; }
    Leaves right() const { return {first + split(), count - split()}; }
};

// MTH(D[leaves]) of the RFC.
Result<Hash> root_of(Leaves leaves, const ReadNode& read) {
    if (std::has_single_bit(leaves.count)) {
        const auto level = static_cast<unsigned>(std::countr_zero(leaves.count));
        return read(level, leaves.first >> level);
    }
    const auto left = root_of(leaves.left(), read);
    if (!left) return left;
    const auto right = root_of(leaves.right(), read);
    if (!right) return right;
    return node_hash(*left, *right);
}

Result<void> add_root(std::vector<Hash>& proof, Leaves leaves, const ReadNode& read) {
    const auto root = root_of(leaves, read);
    if (!root) return tl::unexpected(root.error());
    proof.push_back(*root);
    return {};
}

// PATH(index, D[leaves]) of the RFC.
Result<void> add_path(std::vector<Hash>& proof, std::uint64_t index, Leaves leaves, const ReadNode& read) {
    if (leaves.count == 1) return {};
    const bool is_left = index < leaves.split();
    const auto below =
        is_left ? add_path(proof, index, leaves.left(), read) : add_path(proof, index - leaves.split(), leaves.right(), read);
    if (!below) return below;
    return add_root(proof, is_left ? leaves.right() : leaves.left(), read);
}

// SUBPROOF(old_count, D[leaves], known) of the RFC; `known`: the verifier has the root of these leaves.
Result<void> add_subproof(std::vector<Hash>& proof, std::uint64_t old_count, Leaves leaves, bool known, const ReadNode& read) {
    if (old_count == leaves.count) return known ? Result<void>() : add_root(proof, leaves, read);
    const bool is_left = old_count <= leaves.split();
    const auto below = is_left ? add_subproof(proof, old_count, leaves.left(), known, read)
                               : add_subproof(proof, old_count - leaves.split(), leaves.right(), false, read);
    if (!below) return below;
    return add_root(proof, is_left ? leaves.right() : leaves.left(), read);
}

tl::unexpected<Error> does_not_hold(std::string what) { return fail(Errc::contradictory, std::move(what)); }

}  // namespace

Hash leaf_hash(std::string_view entry) { return sha256({"\0"sv, entry}); }

Hash node_hash(const Hash& left, const Hash& right) { return sha256({"\1"sv, bytes_of(left), bytes_of(right)}); }

Hash empty_root() { return sha256({}); }

Hash complete_root(std::span<const Hash> hashes) {
    if (hashes.size() == 1) return hashes.front();
    const std::size_t half = hashes.size() / 2;
    return node_hash(complete_root(hashes.first(half)), complete_root(hashes.subspan(half)));
}

Result<Hash> tree_root(std::uint64_t size, const ReadNode& read) {
    if (size == 0) return empty_root();
    return root_of({0, size}, read);
}

Result<std::vector<Hash>> inclusion_proof(std::uint64_t index, std::uint64_t size, const ReadNode& read) {
    if (index >= size) return fail(Errc::invalid_argument, fmt::format("there is no entry {} in a log of {} entries", index, size));
    std::vector<Hash> proof;
    if (auto added = add_path(proof, index, {0, size}, read); !added) return tl::unexpected(added.error());
    return proof;
}

Result<std::vector<Hash>> consistency_proof(std::uint64_t old_size, std::uint64_t new_size, const ReadNode& read) {
    if (old_size > new_size)
        return fail(Errc::invalid_argument, fmt::format("a log of {} entries does not continue one of {}", new_size, old_size));
    std::vector<Hash> proof;
    if (old_size == 0) return proof;
    if (auto added = add_subproof(proof, old_size, {0, new_size}, true, read); !added) return tl::unexpected(added.error());
    return proof;
}

Result<void> check_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf, const Hash& root, const std::vector<Hash>& proof) {
    const auto refuse = [&] {
        return does_not_hold(fmt::format("the proof does not show that this is entry {} of the {} entries", index, size));
    };
    if (index >= size) return refuse();
    std::uint64_t node = index;
    std::uint64_t last = size - 1;
    Hash hash = leaf;
    for (const Hash& sibling : proof) {
        if (last == 0) return refuse();
        if ((node & 1) == 1 || node == last) {
            hash = node_hash(sibling, hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if (last != 0 || hash != root) return refuse();
    return {};
}

Result<void> check_consistency(std::uint64_t old_size, std::uint64_t new_size, const Hash& old_root, const Hash& new_root,
                               const std::vector<Hash>& proof) {
    const auto refuse = [&] {
        return does_not_hold(fmt::format("the proof does not show that the log of {} entries continues the one of {}", new_size, old_size));
    };
    if (old_size > new_size) return refuse();
    if (old_size == 0)
        return proof.empty() && old_root == empty_root() && (new_size > 0 || new_root == old_root) ? Result<void>() : refuse();
    if (old_size == new_size) return proof.empty() && old_root == new_root ? Result<void>() : refuse();

    // A complete old tree is a node of the new one and is left out of the proof.
    auto next = proof.begin();
    const bool complete = std::has_single_bit(old_size);
    if (!complete && next == proof.end()) return refuse();
    Hash old_hash = complete ? old_root : *next++;
    Hash new_hash = old_hash;
    std::uint64_t node = old_size - 1;
    std::uint64_t last = new_size - 1;
    while ((node & 1) == 1) {
        node >>= 1;
        last >>= 1;
    }
    for (; next != proof.end(); ++next) {
        if (last == 0) return refuse();
        if ((node & 1) == 1 || node == last) {
            old_hash = node_hash(*next, old_hash);
            new_hash = node_hash(*next, new_hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(new_hash, *next);
        }
        node >>= 1;
        last >>= 1;
    }
    if (last != 0 || old_hash != old_root || new_hash != new_root) return refuse();
    return {};
}

}  // namespace fluxgate::audit
