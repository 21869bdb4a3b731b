#include "audit/integrator.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/layout.hpp"
#include "audit/tile_reader.hpp"
#include "audit/tiles.hpp"

namespace fluxgate::audit {

namespace {

constexpr std::string_view kTileDirectory = "tile";
constexpr std::string_view kWhatToDo =
    "nothing will be signed; put this file back from a copy, or end this log and begin a new one with `fluxgate audit epoch` (never go on "
    "with an older copy of the whole folder: that would sign a second history)";

const std::string kCheckpoint(kCheckpointPath);
const std::string kVerifierKey(kVerifierKeyPath);
const std::string kMinimumIndex(kMinimumIndexPath);
constexpr std::size_t kReasonBytesMax = 64u << 10;

tl::unexpected<Error> refuse(std::string_view what, std::string where) {
    return fail(Errc::contradictory, fmt::format("{}: {}", what, kWhatToDo), std::move(where));
}

// A file that the checkpoint says must be there: what is missing was lost, and is no fault of the disk.
template <class T>
Result<T> required(Disk& disk, const std::string& path, Result<T> read) {
    if (read) return read;
    if (read.error().code == Errc::io) {
        const auto there = disk.exists(path);
        if (!there) return tl::unexpected(there.error());
        if (*there) return read;
        return refuse("a file that the checkpoint covers is missing", path);
    }
    return refuse(read.error().message, read.error().where);
}

bool read_number(std::string_view text, std::uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

// "tile/0/x001/234" and "tile/0/x001/234.p" are number 1234 of level 0; bundles are of level 0 too.
struct Numbered {
    unsigned level = 0;
    bool is_bundle = false;
    std::uint64_t number = 0;
};

std::optional<Numbered> numbered(std::string_view path) {
    Numbered found;
    path.remove_prefix(std::min(path.size(), kTileDirectory.size() + 1));
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    std::uint64_t level = 0;
    if (path.substr(0, slash) == "entries") {
        found.is_bundle = true;
    } else if (!read_number(path.substr(0, slash), level) || level > 63) {
        return std::nullopt;
    }
    found.level = static_cast<unsigned>(level);
    path.remove_prefix(slash + 1);
    if (path.ends_with(".p")) path.remove_suffix(2);
    std::string digits;
    for (const char c : path) {
        if (c >= '0' && c <= '9') digits += c;
    }
    if (!read_number(digits, found.number)) return std::nullopt;
    const std::string written = found.is_bundle ? bundle_path(found.number, kTileWidth) : tile_path(found.level, found.number, kTileWidth);
    return written.ends_with(path) ? std::optional(found) : std::nullopt;
}

}  // namespace

// --- opening --------------------------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Integrator>> Integrator::open(Disk& disk, SigningKey key) {
    std::unique_ptr<Integrator> integrator(new Integrator(disk, std::move(key)));
    const auto there = disk.exists(kCheckpoint);
    if (!there) return tl::unexpected(there.error());
    if (!*there) {
        if (auto begun = integrator->begin(); !begun) return tl::unexpected(begun.error());
        return integrator;
    }
    if (auto read = integrator->read_checkpoint(); !read) return tl::unexpected(read.error());
    if (auto read = integrator->read_minimum_index(); !read) return tl::unexpected(read.error());
    if (auto computed = integrator->recompute(); !computed) return tl::unexpected(computed.error());
    if (!integrator->rotation_is_pending_) {
        if (auto written = integrator->write_verifier_key(); !written) return tl::unexpected(written.error());
    }
    const auto tiles = disk.exists(std::string(kTileDirectory));
    if (!tiles) return tl::unexpected(tiles.error());
    if (*tiles) {
        if (auto tidied = integrator->tidy(std::string(kTileDirectory)); !tidied) return tl::unexpected(tidied.error());
    }
    return integrator;
}

Result<void> Integrator::begin() {
    for (const std::string& path : {std::string(kTileDirectory), kMinimumIndex, kVerifierKey}) {
        const auto there = disk_.exists(path);
        if (!there) return tl::unexpected(there.error());
        if (*there) return refuse(fmt::format("the checkpoint is missing, though {} of the log it signed is there", path), kCheckpoint);
    }
    if (auto checked = require_new_name(); !checked) return checked;
    if (auto written = write_checkpoint(); !written) return written;
    return write_verifier_key();
}

// A key that lies outside of the folder stays where it is when an epoch ends.
Result<void> Integrator::require_new_name() {
    const std::string& name = key_.key.verifier().name;
    const auto ended = last_ended_epoch(disk_);
    if (!ended) return tl::unexpected(ended.error());
    for (std::uint64_t number = 1; number <= ended->number; ++number) {
        const auto text = read_if_there(disk_, fmt::format("{}/{}/{}", kEpochDirectory, number, kVerifierKeyPath), SignedNote::kBytesMax);
        if (!text) return tl::unexpected(text.error());
        if (text->value_or("").starts_with(name + "+"))
            return fail(Errc::contradictory,
                        fmt::format("the signing key is named {}, as the log that ended as epoch {}: nothing will be signed under one name "
                                    "twice; move the key file away, and the next start makes a new key",
                                    name, number),
                        key_.path.string());
    }
    return {};
}

Result<void> Integrator::read_checkpoint() {
    const auto note = read_whole(disk_, kCheckpoint, SignedNote::kBytesMax);
    if (!note) return tl::unexpected(note.error());
    auto opened = open_checkpoint(*note, key_.key.verifier());
    if (!opened && key_.rotation) {
        if (auto by_old = open_checkpoint(*note, key_.rotation->from)) {
            rotation_is_pending_ = true;
            opened = std::move(by_old);
        }
    }
    if (!opened) return refuse(opened.error().message, kCheckpoint);
    if (auto kept = keep(kCheckpoint, *note); !kept) return kept;
    published_ = std::move(*opened);
    return {};
}

Result<void> Integrator::read_minimum_index() {
    const auto text = read_if_there(disk_, kMinimumIndex, 64);
    if (!text) return tl::unexpected(text.error());
    if (!*text) return {};
    std::string_view digits = **text;
    if (digits.ends_with('\n')) digits.remove_suffix(1);
    if (!read_number(digits, minimum_index_) || minimum_index_ % kTileWidth != 0 ||
        minimum_index_ >= std::max<std::uint64_t>(published_.size, 1))
        return refuse("is no index of a bundle of this log", kMinimumIndex);
    return keep(kMinimumIndex, **text);
}

// What was read may be in the cache alone, left by a process that was killed before it was durable. From here on it is built upon: entries
// are dropped from the write-ahead log, files removed. So it is written again.
Result<void> Integrator::keep(const std::string& path, std::string_view bytes) { return replace_durably(disk_, path, bytes); }

Result<void> Integrator::recompute() {
    for (std::uint64_t number = 0; number * kTileWidth < published_.size; ++number) {
        const bool pruned = number * kTileWidth < minimum_index_;
        if (auto read = pruned ? recompute_from_tile(number) : recompute_from_bundle(number); !read) return read;
    }
    if (auto compared = compare_partial_tiles(); !compared) return compared;
    if (edge_.root() != published_.root)
        return refuse(fmt::format("the entries do not give the root that the checkpoint over {} entries signs", published_.size),
                      kCheckpoint);
    if (published_.size > 0) last_entry_ = newest_entry_;
    return {};
}

Result<void> Integrator::recompute_from_tile(std::uint64_t number) {
    const std::string path = tile_path(0, number, kTileWidth);
    const auto hashes = required(disk_, path, read_tile(disk_, 0, number, kTileWidth));
    if (!hashes) return tl::unexpected(hashes.error());
    const auto compare = [&](unsigned level, std::uint64_t above, const std::vector<Hash>& expected) -> Result<void> {
        if (level == 0) return {};
        const auto found = required(disk_, tile_path(level, above, kTileWidth), read_tile(disk_, level, above, kTileWidth));
        if (!found) return tl::unexpected(found.error());
        if (*found != expected) return refuse("the tile does not fit the tiles below it", tile_path(level, above, kTileWidth));
        return {};
    };
    for (const Hash& hash : *hashes) {
        if (auto added = edge_.add(hash, compare); !added) return added;
    }
    return {};
}

Result<void> Integrator::recompute_from_bundle(std::uint64_t number) {
    const std::uint64_t width = width_of(0, number, published_.size);
    auto bundle = required(disk_, bundle_path(number, width), read_bundle(disk_, number, width));
    if (!bundle) return tl::unexpected(bundle.error());
    const auto compare = [&](unsigned level, std::uint64_t at, const std::vector<Hash>& expected) -> Result<void> {
        const std::string path = tile_path(level, at, kTileWidth);
        const auto found = required(disk_, path, read_tile(disk_, level, at, kTileWidth));
        if (!found) return tl::unexpected(found.error());
        if (*found != expected) return refuse(fmt::format("the tile does not fit the entries up to {}", bundle_path(number, width)), path);
        return {};
    };
    const auto entries = entries_of(*bundle, width);
    if (!entries) return tl::unexpected(entries.error());
    for (const std::string_view entry : *entries) {
        if (auto added = edge_.add(leaf_hash(entry), compare); !added) return added;
    }
    if (edge_.size() == published_.size) newest_entry_ = std::string(entries->back());
    bundle_ = width < kTileWidth ? std::move(*bundle) : std::string();
    return {};
}

Result<void> Integrator::compare_partial_tiles() {
    for (unsigned level = 0; level < edge_.partial_tiles().size(); ++level) {
        const std::vector<Hash>& expected = edge_.partial_tiles()[level];
        if (expected.empty()) continue;
        const std::uint64_t number = published_.size >> (8 * (level + 1));
        const std::string path = tile_path(level, number, expected.size());
        const auto found = required(disk_, path, read_tile(disk_, level, number, expected.size()));
        if (!found) return tl::unexpected(found.error());
        if (*found != expected) return refuse("the tile does not fit the entries", path);
    }
    return {};
}

// What an interrupted process had to remove: partial files whose full one is under the checkpoint, bundles below the minimum index.
Result<void> Integrator::tidy(const std::string& directory) {
    const auto entries = disk_.list(directory);
    if (!entries) return tl::unexpected(entries.error());
    for (const DirectoryEntry& entry : *entries) {
        const std::string path = directory + "/" + entry.name;
        const auto found = numbered(path);
        const bool is_partial = entry.is_directory && entry.name.ends_with(".p");
        const bool is_full = found && width_of(found->level, found->number, published_.size) == kTileWidth;
        if (is_partial && is_full) {
            if (auto removed = remove_files_in(path); !removed) return removed;
        } else if (entry.is_directory && !is_partial) {
            if (auto tidied = tidy(path); !tidied) return tidied;
        } else if (!entry.is_directory && found && found->is_bundle && found->number < minimum_index_ / kTileWidth) {
            if (auto removed = disk_.remove(path); !removed) return removed;
            tell_bytes_(-static_cast<std::int64_t>(entry.bytes));
        }
    }
    return {};
}

// --- growing --------------------------------------------------------------------------------------------------------------------------

template <class T, class Work>
Result<T> Integrator::once(Work work) {
    if (broken_) {
        return fail(Errc::io,
                    "the provable log failed before and is not written any more; what is on the disk is known after a restart only",
                    kCheckpoint);
    }
    Result<T> done = work();
    broken_ = !done.has_value();
    return done;
}

Result<Checkpoint> Integrator::append(std::span<const std::string_view> entries) {
    if (auto added = add(entries); !added) return tl::unexpected(added.error());
    return publish();
}

Result<void> Integrator::add(std::span<const std::string_view> entries) {
    return once<void>([&]() -> Result<void> {
        for (const std::string_view entry : entries) {
            if (auto added = add_entry(entry); !added) return added;
        }
        return {};
    });
}

Result<void> Integrator::add_entry(std::string_view entry) {
    if (entry.size() > kEntryBytesMax)
        return fail(Errc::too_large, fmt::format("an entry of {} bytes: at most {} fit", entry.size(), kEntryBytesMax));
    add_to_bundle(bundle_, entry);
    newest_entry_ = entry;
    const std::uint64_t index = edge_.size();
    if (index % kTileWidth == kTileWidth - 1) {
        const std::string path = bundle_path(index / kTileWidth, kTileWidth);
        if (auto written = create_durably(disk_, path, bundle_); !written) return written;
        tell_bytes_(static_cast<std::int64_t>(bundle_.size()));
        bundle_.clear();
    }
    return edge_.add(leaf_hash(entry), [&](unsigned level, std::uint64_t number, const std::vector<Hash>& hashes) -> Result<void> {
        auto written = create_durably(disk_, tile_path(level, number, kTileWidth), tile_bytes(hashes));
        if (written) tell_bytes_(static_cast<std::int64_t>(kTileWidth * sizeof(Hash)));
        return written;
    });
}

Result<Checkpoint> Integrator::publish() {
    return once<Checkpoint>([&]() -> Result<Checkpoint> {
        const std::uint64_t before = published_.size;
        if (edge_.size() == before && !rotation_is_pending_) return published_;
        if (auto written = write_partial_files(); !written) return tl::unexpected(written.error());
        if (auto written = write_checkpoint(); !written) return tl::unexpected(written.error());
        if (auto removed = remove_superseded(before); !removed) return tl::unexpected(removed.error());
        return published_;
    });
}

Result<void> Integrator::write_partial_files() {
    const std::uint64_t size = edge_.size();
    // Replaced, not created: one that is there is of no checkpoint yet, left by a crash.
    const auto write = [&](const std::string& path, std::string_view bytes) -> Result<void> {
        if (auto written = replace_durably(disk_, path, bytes); !written) return written;
        tell_bytes_(static_cast<std::int64_t>(bytes.size()));
        return {};
    };
    if (!bundle_.empty() && size != published_.size) {
        if (auto written = write(bundle_path(size / kTileWidth, size % kTileWidth), bundle_); !written) return written;
    }
    for (unsigned level = 0; level < edge_.partial_tiles().size(); ++level) {
        const std::vector<Hash>& hashes = edge_.partial_tiles()[level];
        const std::uint64_t number = size >> (8 * (level + 1));
        if (hashes.empty() || hashes.size() == width_of(level, number, published_.size)) continue;
        if (auto written = write(tile_path(level, number, hashes.size()), tile_bytes(hashes)); !written) return written;
    }
    return {};
}

Result<void> Integrator::write_checkpoint() {
    const auto note = sign_checkpoint(edge_.size(), edge_.root(), key_.key);
    if (!note) return tl::unexpected(note.error());
    if (rotation_is_pending_) {
        if (auto written = write_verifier_key(); !written) return written;
    }
    if (auto written = replace_durably(disk_, kCheckpoint, *note); !written) return written;
    published_ = Checkpoint{key_.key.verifier().name, edge_.size(), edge_.root()};
    rotation_is_pending_ = false;
    if (published_.size > 0) last_entry_ = newest_entry_;
    return {};
}

// Once for each process, also if it is there already: a process that was killed may have left it in the cache only.
Result<void> Integrator::write_verifier_key() {
    if (verifier_key_is_durable_) return {};
    auto written = replace_durably(disk_, kVerifierKey, key_.key.verifier().text() + "\n");
    verifier_key_is_durable_ = written.has_value();
    return written;
}

// The partial files of the checkpoint before that are full under this one. Losing a removal leaves a file too many, which `tidy` finds.
Result<void> Integrator::remove_superseded(std::uint64_t published_before) {
    for (unsigned level = 0; level < 8; ++level) {
        const std::uint64_t number = (published_before >> (8 * level)) / kTileWidth;
        if (width_of(level, number, published_.size) != kTileWidth) continue;
        if (level == 0) {
            if (auto removed = remove_files_in(bundle_path(number, kTileWidth) + ".p"); !removed) return removed;
        }
        if (auto removed = remove_files_in(tile_path(level, number, kTileWidth) + ".p"); !removed) return removed;
    }
    return {};
}

Result<void> Integrator::remove_files_in(const std::string& directory) {
    const auto there = disk_.exists(directory);
    if (!there) return tl::unexpected(there.error());
    if (!*there) return {};
    const auto entries = disk_.list(directory);
    if (!entries) return tl::unexpected(entries.error());
    for (const DirectoryEntry& entry : *entries) {
        if (auto removed = disk_.remove(directory + "/" + entry.name); !removed) return removed;
        tell_bytes_(-static_cast<std::int64_t>(entry.bytes));
    }
    return {};
}

// --- retention and epochs -------------------------------------------------------------------------------------------------------------

Result<std::uint64_t> Integrator::prune_below(std::uint64_t index) {
    if (index > published_.size) {
        return fail(Errc::invalid_argument,
                    fmt::format("there is no entry {} in a log of {} entries, so what is below cannot be pruned", index, published_.size));
    }
    return once<std::uint64_t>([&]() -> Result<std::uint64_t> {
        const std::uint64_t last = published_.size == 0 ? 0 : published_.size - 1;
        const std::uint64_t wanted = std::min(index, last) / kTileWidth * kTileWidth;
        if (wanted <= minimum_index_) return minimum_index_;
        if (auto written = replace_durably(disk_, kMinimumIndex, fmt::format("{}\n", wanted)); !written)
            return tl::unexpected(written.error());
        minimum_index_ = wanted;
        const std::string bundles = std::string(kTileDirectory) + "/entries";
        if (auto removed = tidy(bundles); !removed) return tl::unexpected(removed.error());
        return minimum_index_;
    });
}

namespace {

// The numbers of the epochs that ended, the greatest; 0 without one.
Result<std::uint64_t> last_ended(Disk& disk) {
    const std::string directory(kEpochDirectory);
    const auto there = disk.exists(directory);
    if (!there) return tl::unexpected(there.error());
    if (!*there) return 0;
    const auto entries = disk.list(directory);
    if (!entries) return tl::unexpected(entries.error());
    std::uint64_t last = 0;
    for (const DirectoryEntry& entry : *entries) {
        std::uint64_t number = 0;
        if (entry.is_directory && read_number(entry.name, number)) last = std::max(last, number);
    }
    return last;
}

std::string epoch_path(std::uint64_t number, std::string_view name = {}) {
    return name.empty() ? fmt::format("{}/{}", kEpochDirectory, number) : fmt::format("{}/{}/{}", kEpochDirectory, number, name);
}

// What an epoch is made of, in the order in which it is moved. As long as the checkpoint is where it was, the move is not over, and the
// log cannot be opened without its tiles, which go first, so that no server writes records in between.
constexpr std::string_view kParts[] = {kTileDirectory,   kWalDirectory,  kBlobDirectory, kMinimumIndexPath,
                                       kVerifierKeyPath, kSignerKeyPath, kCheckpointPath};

// Where to move to: a folder whose move was interrupted (nothing in it stands in the way of what is still to be moved, and it has no
// checkpoint), or a new one. 0: there is nothing to move.
Result<std::uint64_t> target_epoch(Disk& disk) {
    const auto last = last_ended(disk);
    if (!last) return last;
    bool something = false;
    bool in_the_way = *last == 0;
    for (const std::string_view part : kParts) {
        const auto here = disk.exists(std::string(part));
        if (!here) return tl::unexpected(here.error());
        something = something || *here;
        if (*last == 0) continue;
        const auto moved = disk.exists(epoch_path(*last, part));
        if (!moved) return tl::unexpected(moved.error());
        in_the_way = in_the_way || (*moved && (*here || part == kCheckpointPath));
    }
    if (!something) return 0;
    return in_the_way ? *last + 1 : *last;
}

}  // namespace

Result<EndedEpoch> end_epoch(Disk& disk, std::string_view reason) {
    const auto target = target_epoch(disk);
    if (!target) return tl::unexpected(target.error());
    if (*target != 0) {
        if (auto written = replace_durably(disk, epoch_path(*target, kEpochReasonName), reason); !written)
            return tl::unexpected(written.error());
        for (const std::string_view part : kParts) {
            const auto here = disk.exists(std::string(part));
            if (!here) return tl::unexpected(here.error());
            if (!*here) continue;
            if (auto moved = disk.rename(std::string(part), epoch_path(*target, part)); !moved) return tl::unexpected(moved.error());
            for (const std::string& directory : {epoch_path(*target), std::string()}) {
                if (auto synced = disk.sync_directory(directory); !synced) return tl::unexpected(synced.error());
            }
        }
    }
    return last_ended_epoch(disk);
}

Result<EndedEpoch> last_ended_epoch(Disk& disk) {
    const auto number = last_ended(disk);
    if (!number) return tl::unexpected(number.error());
    if (*number == 0) return EndedEpoch{};
    auto note = read_if_there(disk, epoch_path(*number, kCheckpointPath), SignedNote::kBytesMax);
    if (!note) return tl::unexpected(note.error());
    auto reason = read_if_there(disk, epoch_path(*number, kEpochReasonName), kReasonBytesMax);
    if (!reason) return tl::unexpected(reason.error());
    return EndedEpoch{*number, note->value_or(std::string()), reason->value_or(std::string())};
}

}  // namespace fluxgate::audit
