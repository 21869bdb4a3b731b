#include "audit/reader.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "audit/layout.hpp"
#include "audit/published_log.hpp"
#include "audit/tile_reader.hpp"

namespace fluxgate::audit {

namespace {

// Does the log go on from what was seen before?
Result<void> check_continues(TileReader& tiles, const Checkpoint& now, const Cursor& before) {
    if (now.origin != before.origin)
        return fail(Errc::contradictory, fmt::format("the log is {} now; the cursor is of {}", now.origin, before.origin));
    if (now.size < before.size || before.index > now.size)
        return fail(Errc::contradictory, fmt::format("the checkpoint is over {} entries; one over {} was seen before", now.size,
                                                     std::max(before.size, before.index)));
    if (before.size == 0) return {};
    const auto proof = tiles.consistency_from(before.size);
    if (!proof) return tl::unexpected(proof.error());
    return check_consistency(before.size, now.size, before.root, now.root, *proof);
}

}  // namespace

Result<ReadOn> read_on(Disk& disk, const VerifierKey& key, const Cursor& cursor, std::size_t max) {
    const auto published = read_published_log(disk);
    if (!published) return tl::unexpected(published.error());
    const std::string path(kCheckpointPath);
    if (!*published && cursor.size > 0) return fail(Errc::contradictory, "the checkpoint that was there is gone", path);
    if (!*published) return ReadOn{{}, cursor};
    const auto now = open_checkpoint((*published)->note, key);
    if (!now) return fail(now.error().code, now.error().message, path);
    TileReader tiles(disk, now->size);
    if (!cursor.origin.empty()) {
        if (auto continues = check_continues(tiles, *now, cursor); !continues)
            return fail(continues.error().code, continues.error().message, path);
    }
    const std::uint64_t minimum = (*published)->minimum_index;
    if (cursor.index < minimum)
        return fail(Errc::invalid_argument, fmt::format("entry {} was pruned; the log begins with {}", cursor.index, minimum), path);
    ReadOn read{{}, {now->origin, cursor.index, now->size, now->root}};
    EntryBundles bundles(disk, now->size);
    for (std::uint64_t& index = read.cursor.index; index < now->size && read.entries.size() < max; ++index) {
        const auto entry = bundles.entry(index);
        if (!entry) return tl::unexpected(entry.error());
        const auto proof = tiles.inclusion(index);
        if (!proof) return tl::unexpected(proof.error());
        if (!check_inclusion(index, now->size, leaf_hash(*entry), now->root, *proof))
            return fail(Errc::contradictory, fmt::format("entry {} is not in the tree that was signed", index), bundles.path());
        read.entries.push_back({index, std::string(*entry)});
    }
    return read;
}

}  // namespace fluxgate::audit
