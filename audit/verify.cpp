#include "audit/verify.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "audit/blobs.hpp"
#include "audit/durable_file.hpp"
#include "audit/layout.hpp"
#include "audit/published_log.hpp"
#include "audit/record_text.hpp"
#include "audit/signing_key.hpp"
#include "audit/tile_reader.hpp"
#include "audit/tiles.hpp"
#include "audit/tree_edge.hpp"
#include "audit/wal.hpp"
#include "base/digest.hpp"

namespace fluxgate::audit {

namespace {

// 256 entries of 65,535 bytes with their lengths.
constexpr std::size_t kBundleBytesMax = kTileWidth * (kEntryBytesMax + 2);
constexpr std::size_t kKeyBytesMax = 4'096;
// Bundles that are lost with their hashes before we stop to look: a checkpoint that nobody signed can claim any number.
constexpr std::uint64_t kLostInARowMax = 10'000;
// A temporary name of audit/durable_file.hpp, which a crash may leave.
constexpr std::string_view kUnfinished = ".new";

Hash hash_at(std::string_view tile, std::size_t index) {
    Hash hash;
    const char* const begin = tile.data() + index * sizeof(Hash);
    std::copy(begin, begin + sizeof(Hash), hash.begin());
    return hash;
}

std::optional<std::uint64_t> decimal(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// A file below `tile/`, by its name.
struct TileName {
    bool bundle = false;
    unsigned level = 0;
    std::uint64_t number = 0;
    std::uint64_t width = kTileWidth;

    std::string path() const { return bundle ? bundle_path(number, width) : tile_path(level, number, width); }
};

// Nothing: no tool for tlog-tiles would look there.
std::optional<TileName> tile_name_of(std::string_view path) {
    const std::string whole(path);
    path.remove_prefix(std::string_view("tile/").size());
    TileName name;
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    name.bundle = path.substr(0, slash) == "entries";
    const auto level = decimal(path.substr(0, slash));
    if (!name.bundle && (!level || *level > 7)) return std::nullopt;
    name.level = static_cast<unsigned>(level.value_or(0));
    path.remove_prefix(slash + 1);
    if (const std::size_t partial = path.find(".p/"); partial != std::string_view::npos) {
        const auto width = decimal(path.substr(partial + 3));
        if (!width || *width == 0 || *width >= kTileWidth) return std::nullopt;
        name.width = *width;
        path = path.substr(0, partial);
    }
    while (!path.empty()) {
        if (path.front() == 'x') path.remove_prefix(1);
        const auto digits = decimal(path.substr(0, 3));
        if (!digits || name.number > (1ull << 56) / 1'000) return std::nullopt;
        name.number = name.number * 1'000 + *digits;
        path.remove_prefix(3);
        if (!path.empty() && path.front() != '/') return std::nullopt;
        if (!path.empty()) path.remove_prefix(1);
    }
    return name.path() == whole ? std::optional(name) : std::nullopt;
}

// f(path, entry) for each file in and below a directory.
template <class F>
Result<void> each_file(Disk& disk, const std::string& directory, F&& f) {
    const auto there = disk.exists(directory);
    if (!there) return tl::unexpected(there.error());
    if (!*there) return {};
    const auto list = disk.list(directory);
    if (!list) return tl::unexpected(list.error());
    for (const DirectoryEntry& entry : *list) {
        const std::string path = directory + "/" + entry.name;
        if (!entry.is_directory)
            f(path, entry);
        else if (auto below = each_file(disk, path, f); !below)
            return below;
    }
    return {};
}

class Verifier {
public:
    Verifier(Disk& disk, const VerifyOptions& options) : disk_(disk), options_(options) {
        result_.findings = Findings(options.findings_max);
    }

    Result<Verification> run() {
        if (auto listed = disk_.list(""); !listed) return tl::unexpected(listed.error());
        read_folder_key();
        read_checkpoint();
        read_older_checkpoints();
        const auto has_blob = [this](std::string_view digest) -> Result<bool> {
            const auto path = blob_path(digest);
            if (!path) return tl::unexpected(path.error());
            return disk_.exists(*path);
        };
        const bool from_the_start = result_.minimum_index == 0 && !has_epochs();
        RecordStory story(from_the_start, has_blob, result_.findings);
        if (result_.checkpoint) {
            check_entries(story);
            check_tile_files();
        }
        check_write_ahead_log(story);
        story.finish();
        result_.totals = story.totals();
        check_key_rotations(story);
        check_retention(story);
        check_epochs(story);
        check_blobs();
        return std::move(result_);
    }

private:
    void error(std::string name, std::string message, std::string where, std::optional<std::uint64_t> index = {}) {
        result_.findings.error(std::move(name), std::move(message), std::move(where), index);
    }
    void note(std::string name, std::string message, std::string where, std::optional<std::uint64_t> index = {}) {
        result_.findings.note(std::move(name), std::move(message), std::move(where), index);
    }

    // --- keys and checkpoints ---------------------------------------------------------------------------------------

    void read_folder_key() {
        const std::string path(kVerifierKeyPath);
        auto text = read_if_there(disk_, path, kKeyBytesMax);
        if (!text) return error("key-unreadable", text.error().message, path);
        if (!*text) return;
        const auto key = VerifierKey::parse(std::string_view(**text).substr(0, (*text)->size() - ((*text)->ends_with('\n') ? 1 : 0)));
        if (key && key->text() + "\n" == **text)
            folder_key_ = *key;
        else
            error("key-invalid", key ? "the file is not written as verifier keys are" : key.error().message, path);
    }

    void read_checkpoint() {
        const std::string path(kCheckpointPath);
        const auto minimum = read_minimum_index(disk_);
        if (minimum)
            result_.minimum_index = *minimum;
        else
            error("minimum-index-invalid", minimum.error().message, std::string(kMinimumIndexPath));
        auto note = read_if_there(disk_, path, SignedNote::kBytesMax);
        if (!note) return error("checkpoint-invalid", note.error().message, path);
        if (!*note) {
            const auto tiles = disk_.exists("tile");
            if (tiles && *tiles) error("checkpoint-missing", "there are tiles, but the signed checkpoint over them is missing", path);
            return;
        }
        const auto parsed = SignedNote::parse(**note);
        if (!parsed) return error("checkpoint-invalid", parsed.error().message, path);
        const auto checkpoint = Checkpoint::parse(parsed->text);
        if (!checkpoint) return error("checkpoint-invalid", checkpoint.error().message, path);
        result_.checkpoint = *checkpoint;
        find_signer(**note);
        if (result_.minimum_index > checkpoint->size) {
            error("minimum-index-invalid",
                  fmt::format("the minimum index is {}, but the checkpoint is over {} entries", result_.minimum_index, checkpoint->size),
                  std::string(kMinimumIndexPath));
            result_.minimum_index = 0;
        }
    }

    // The pinned key, or the folder's, which a pinned one must then have named: see check_key_rotations.
    void find_signer(const std::string& note) {
        Error reason{Errc::contradictory, "no verifier key: give --key", {}};
        for (const auto& key : {options_.key, folder_key_}) {
            if (!key) continue;
            const auto opened = open_checkpoint(note, *key);
            if (opened) {
                signer_ = *key;
                result_.key = key->text();
                break;
            }
            reason = opened.error();
        }
        if (!signer_)
            return error("checkpoint-signature", "no known key stands behind the checkpoint: " + reason.message,
                         std::string(kCheckpointPath));
        if (folder_key_ && *folder_key_ != *signer_) {
            error("key-differs",
                  fmt::format("the folder's key is {}, the checkpoint is signed by {}", folder_key_->text(), signer_->text()),
                  std::string(kVerifierKeyPath));
        }
        if (!folder_key_) this->note("key-missing", "the folder has no verifier key beside its checkpoint", std::string(kVerifierKeyPath));
    }

    struct OlderCheckpoint {
        std::string name;
        std::string note;
        Checkpoint checkpoint;
    };

    void read_older_checkpoints() {
        for (const auto& [name, text] : options_.checkpoints) {
            const auto parsed = SignedNote::parse(text);
            const auto checkpoint = parsed ? Checkpoint::parse(parsed->text) : tl::unexpected(parsed.error());
            if (!checkpoint)
                error("older-checkpoint-invalid", checkpoint.error().message, name);
            else
                older_.push_back({name, text, *checkpoint});
        }
        std::sort(older_.begin(), older_.end(),
                  [](const auto& one, const auto& other) { return one.checkpoint.size < other.checkpoint.size; });
        if (!result_.checkpoint) {
            for (const OlderCheckpoint& older : older_) error("older-checkpoint-lost", "the log has no checkpoint any more", older.name);
            return;
        }
        for (const OlderCheckpoint& older : older_) {
            if (older.checkpoint.origin != result_.checkpoint->origin) {
                error("older-checkpoint-other-log",
                      fmt::format("it is a checkpoint of {}, this log is {}", older.checkpoint.origin, result_.checkpoint->origin),
                      older.name);
            } else if (older.checkpoint.size > result_.checkpoint->size) {
                error("older-checkpoint-longer",
                      fmt::format("it is over {} entries, this log has {}: entries were taken away", older.checkpoint.size,
                                  result_.checkpoint->size),
                      older.name);
            }
        }
        compare_older(0, {});
    }

    // Each older checkpoint when the tree has its size.
    void compare_older(std::uint64_t size, const std::optional<Hash>& root) {
        for (; next_older_ < older_.size() && older_[next_older_].checkpoint.size <= size; ++next_older_) {
            const OlderCheckpoint& older = older_[next_older_];
            if (older.checkpoint.origin != result_.checkpoint->origin) continue;
            const Hash expected = root ? *root : empty_root();
            if (older.checkpoint.root == expected)
                ++result_.older_checkpoints;
            else
                error("older-checkpoint-inconsistent",
                      fmt::format("the first {} entries of this log have another root: history was rewritten", older.checkpoint.size),
                      older.name);
        }
    }

    // --- entries and tiles ------------------------------------------------------------------------------------------

    void check_entries(RecordStory& story) {
        const std::uint64_t size = result_.checkpoint->size;
        TreeEdge tree;
        const TreeEdge::UseTile use_tile = [this](unsigned level, std::uint64_t number, const std::vector<Hash>& hashes) -> Result<void> {
            check_tile(level, number, hashes);
            return {};
        };
        bool whole = true;
        std::uint64_t lost_in_a_row = 0;
        const auto add = [&](const Hash& leaf) {
            if (!whole) return;
            (void)tree.add(leaf, use_tile);  // fails only as `use_tile` does
            if (next_older_ < older_.size() && older_[next_older_].checkpoint.size == tree.size()) compare_older(tree.size(), tree.root());
        };
        for (std::uint64_t number = 0; number * kTileWidth < size; ++number) {
            const std::uint64_t width = width_of(0, number, size);
            const bool pruned = (number + 1) * kTileWidth <= result_.minimum_index;
            if (!pruned && check_bundle(number, width, story, add)) {
                lost_in_a_row = 0;
            } else if (add_stored_leaves(number, width, add)) {
                lost_in_a_row = 0;
            } else {
                whole = false;
                if (++lost_in_a_row == kLostInARowMax) {
                    error("entries-missing",
                          fmt::format("nothing is left of the entries before {} either: what follows was not looked at",
                                      (number + 1) * kTileWidth),
                          bundle_path(number, width), number * kTileWidth);
                    break;
                }
            }
            options_.progress(std::min(size, (number + 1) * kTileWidth), size);
        }
        if (!whole) {
            return error("root-unknown", "the root cannot be derived: entries and their hashes are missing or damaged",
                         std::string(kCheckpointPath));
        }
        for (unsigned level = 0; level < tree.partial_tiles().size(); ++level) {
            const std::vector<Hash>& hashes = tree.partial_tiles()[level];
            if (!hashes.empty()) check_tile(level, size >> (8 * (level + 1)), hashes);
        }
        if (tree.root() != result_.checkpoint->root) {
            error("root-differs", fmt::format("the {} entries have another root than the one that is signed", size),
                  std::string(kCheckpointPath));
        }
    }

    // False: the bundle is not there or is none, so its hashes must come from the tile.
    template <class Add>
    bool check_bundle(std::uint64_t number, std::uint64_t width, RecordStory& story, const Add& add) {
        EntryBundles bundles(disk_, result_.checkpoint->size);
        const auto entries = bundles.read(number);
        if (!entries) {
            error("bundle-damaged",
                  fmt::format("entries {} to {}: {}", number * kTileWidth, number * kTileWidth + width - 1, entries.error().message),
                  bundles.path(), number * kTileWidth);
            return false;
        }
        for (std::uint64_t at = 0; at < width; ++at) {
            const std::uint64_t index = number * kTileWidth + at;
            ++result_.entries;
            const auto record = parse_record((*entries)[at]);
            if (!record) {
                error("record-invalid", fmt::format("entry {} is no record: {}", index, record.error().message), bundles.path(), index);
            } else {
                story.add(*record, index);
                last_sequence_ = record->sequence;
            }
            add(leaf_hash((*entries)[at]));
        }
        return true;
    }

    template <class Add>
    bool add_stored_leaves(std::uint64_t number, std::uint64_t width, const Add& add) {
        const auto tile = read_stored_tile({false, 0, number, width});
        if (!tile || tile->size() != width * sizeof(Hash)) {
            error(tile ? "tile-damaged" : "tile-missing",
                  fmt::format("the hashes of entries {} to {}, which are all that is left of them, are {}", number * kTileWidth,
                              number * kTileWidth + width - 1, tile ? "damaged" : "missing"),
                  tile_path(0, number, width), number * kTileWidth);
            return false;
        }
        for (std::uint64_t at = 0; at < width; ++at) add(hash_at(*tile, at));
        return true;
    }

    // The hashes below the checkpoint, from a wider file if the tile has grown since; nothing if there is none of that width.
    std::optional<std::string> read_stored_tile(TileName name) {
        const std::uint64_t width = name.width;
        for (const std::uint64_t candidate : {width, kTileWidth}) {
            name.width = candidate;
            auto bytes = read_if_there(disk_, name.path(), kTileWidth * sizeof(Hash) + 1);
            if (!bytes || !*bytes) continue;
            if (candidate != width) (*bytes)->resize(std::min<std::size_t>((*bytes)->size(), width * sizeof(Hash)));
            return *std::move(*bytes);
        }
        return std::nullopt;
    }

    // Against what follows from the entries.
    void check_tile(unsigned level, std::uint64_t number, const std::vector<Hash>& hashes) {
        const std::uint64_t width = hashes.size();
        const std::string path = tile_path(level, number, width);
        const auto stored = read_stored_tile({false, level, number, width});
        if (!stored) return error("tile-missing", "the hash tile is missing", path);
        const std::string expected = tile_bytes(hashes);
        if (*stored == expected) return;
        const std::size_t same =
            static_cast<std::size_t>(std::mismatch(stored->begin(), stored->end(), expected.begin(), expected.end()).first -
                                     stored->begin()) /
            sizeof(Hash);
        const std::uint64_t first = number * kTileWidth + same;
        if (stored->size() != expected.size()) {
            error("tile-damaged", fmt::format("the hash tile has {} bytes instead of {}", stored->size(), expected.size()), path);
        } else if (level == 0) {
            error("entry-not-in-tree", fmt::format("entry {} in {} does not match its hash in {}", first, bundle_of(number), path), path,
                  first);
        } else {
            error("tile-differs", fmt::format("hash {} of the tile does not follow from {}", same, tile_path(level - 1, first, kTileWidth)),
                  path);
        }
    }

    std::string bundle_of(std::uint64_t number) const { return bundle_path(number, width_of(0, number, result_.checkpoint->size)); }

    // Every other file below tile/: what an older checkpoint needed is the beginning of what is there now; what lies beyond the checkpoint a
    // crash may have left; anything else nobody put there who writes this format.
    void check_tile_files() {
        std::uint64_t beyond = 0;
        std::string first_beyond;
        const auto checked = each_file(disk_, "tile", [&](const std::string& path, const DirectoryEntry&) {
            const auto name = tile_name_of(path);
            if (!name) {
                if (path.ends_with(kUnfinished)) return note("unfinished-file", "a crash left an unfinished file", path);
                return error("unexpected-file", "no file of the log format has this name", path);
            }
            const std::uint64_t needed = width_of(name->level, name->number, result_.checkpoint->size);
            if (name->width == needed) return;
            if (name->width > needed) {
                if (beyond++ == 0) first_beyond = path;
                if (needed > 0) check_beginning(*name, needed);
                return;
            }
            check_beginning(*name, name->width);
        });
        if (!checked) error("unreadable", checked.error().message, checked.error().where);
        if (beyond > 0) {
            note("beyond-the-checkpoint", fmt::format("{} files reach beyond the checkpoint, which does not vouch for that part", beyond),
                 first_beyond);
        }
    }

    // The first `width` of a file that is wider or narrower than the one the checkpoint needs, compared with that.
    void check_beginning(const TileName& name, std::uint64_t width) {
        if (name.bundle && (name.number + 1) * kTileWidth <= result_.minimum_index) return;
        TileName needed = name;
        needed.width = width_of(name.level, name.number, result_.checkpoint->size);
        const auto found = read_if_there(disk_, name.path(), kBundleBytesMax);
        if (!found) return error("unreadable", found.error().message, name.path());
        if (!*found) return;  // a server removed it meanwhile
        const auto expected = read_if_there(disk_, needed.path(), kBundleBytesMax);
        if (!expected || !*expected) return;  // this wider file was read in its place
        if (!name.bundle) {
            const std::size_t bytes = width * sizeof(Hash);
            if ((*found)->size() != name.width * sizeof(Hash) || (*found)->compare(0, bytes, **expected, 0, bytes) != 0)
                error("tile-differs", "the hash tile is not the beginning of the one that replaced it", name.path());
            return;
        }
        const auto own = entries_of(**found, name.width);
        const auto others = entries_of(**expected, needed.width);
        if (!own || (others && !std::equal(own->begin(), own->begin() + static_cast<std::ptrdiff_t>(width), others->begin())))
            error("bundle-differs", "the entry bundle is not the beginning of the one that replaced it", name.path());
    }

    // --- the write-ahead log ------------------------------------------------------------------------------------------

    // The first sequence and the path of each segment.
    std::vector<std::pair<std::uint64_t, std::string>> segments() {
        const std::string directory(kWalDirectory);
        std::vector<std::pair<std::uint64_t, std::string>> found;
        const auto there = disk_.exists(directory);
        if (!there || !*there) return found;
        const auto files = disk_.list(directory);
        if (!files) error("unreadable", files.error().message, directory);
        for (const DirectoryEntry& file : files ? *files : std::vector<DirectoryEntry>()) {
            const std::string path = directory + "/" + file.name;
            const auto sequence = decimal(std::string_view(file.name).substr(0, file.name.find('.')));
            if (file.is_directory || path.ends_with(kUnfinished)) continue;
            if (!sequence || !path.ends_with(".wal"))
                error("unexpected-file", "no file of a write-ahead log has this name", path);
            else
                found.emplace_back(*sequence, path);
        }
        return found;
    }

    void check_write_ahead_log(RecordStory& story) {
        const auto list = segments();
        if (list.empty()) return;
        segment_ = list.back().second;
        EntryBundles bundles(disk_, result_.checkpoint ? result_.checkpoint->size : 0);
        std::uint64_t next = list.front().first;
        for (bool ended = false; !ended;) {
            const auto read = read_wal(disk_, next, [&](std::uint64_t sequence, std::string_view text) -> Result<void> {
                next = sequence + 1;
                if (sequence > last_sequence_)
                    add_unpublished(story, sequence, text);
                else
                    compare_with_entry(bundles, sequence, text);
                return {};
            });
            if (read) break;
            // The damage is where the records before it end; behind it the next segment goes on.
            const auto behind = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.first > next; });
            const std::string& damaged = behind == list.begin() ? behind->second : std::prev(behind)->second;
            ended = behind == list.end();
            error("wal-damaged",
                  fmt::format("{}; sequence {} {}", read.error().message, next,
                              next <= last_sequence_ ? "is under the checkpoint, so the record is not lost" : "was not under a checkpoint"),
                  read.error().where.ends_with(".wal") ? read.error().where : damaged);
            if (!ended) next = behind->first;
        }
        if (next <= last_sequence_) {
            error("wal-short", fmt::format("the write-ahead log can be read up to sequence {}; {} is published", next - 1, last_sequence_),
                  segment_);
        }
        for (const auto& [first_sequence, path] : list) check_wal_tail(first_sequence);
    }

    void check_wal_tail(std::uint64_t first_sequence) {
        const auto tail = inspect_wal_tail(disk_, first_sequence);
        if (!tail || tail->bytes == 0) return;  // a damaged header was told already
        if (tail->later_batch) {
            error("wal-damaged",
                  fmt::format("the frame at offset {} is damaged, though records up to {} were written after it", tail->offset,
                              *tail->later_batch),
                  tail->path);
        } else {
            note("wal-tail",
                 fmt::format("{} bytes at offset {} are no record: a write that never ended, or damage", tail->bytes, tail->offset),
                 tail->path);
        }
    }

    void add_unpublished(RecordStory& story, std::uint64_t sequence, std::string_view text) {
        ++result_.unpublished;
        const auto record = parse_record(text);
        if (!record)
            return error("record-invalid", fmt::format("sequence {} is no record: {}", sequence, record.error().message), segment_);
        if (record->sequence != sequence)
            error("record-invalid", fmt::format("the record of sequence {} says that it is {}", sequence, record->sequence), segment_);
        story.add(*record, std::nullopt);
    }

    // One write-ahead log fills a provable log without holes, so the place of a record is known.
    void compare_with_entry(EntryBundles& bundles, std::uint64_t sequence, std::string_view text) {
        const std::uint64_t size = result_.checkpoint->size;
        const std::uint64_t back = last_sequence_ - sequence;
        if (back >= size || size - 1 - back < result_.minimum_index) return;
        const std::uint64_t index = size - 1 - back;
        const auto entry = bundles.entry(index);
        if (!entry || *entry == text) return;  // a damaged bundle was told already
        if (wal_differs_++ > 0) return;        // one that does not fit is followed by many
        error("wal-differs", fmt::format("sequence {} in the write-ahead log is not entry {} of the provable log", sequence, index),
              bundles.path(), index);
    }

    // --- what the records say of the log itself -----------------------------------------------------------------------

    void check_key_rotations(const RecordStory& story) {
        if (!result_.checkpoint) return;
        std::optional<VerifierKey> named = options_.key;
        bool pinned_is_known = options_.key && signer_ && *options_.key == *signer_;
        std::optional<VerifierKey> current;
        for (const RecordedRotation& recorded : story.rotations()) {
            const auto rotation = KeyRotation::parse(recorded.note);
            if (!rotation || rotation->from.text() != recorded.from || rotation->to.text() != recorded.to ||
                rotation->from.name != result_.checkpoint->origin) {
                error("rotation-invalid", "the record of a changed signing key has no valid statement by both keys", recorded.where,
                      recorded.index);
                continue;
            }
            if (current && *current != rotation->from)
                error("rotation-not-chained", "the signing key changes from one that did not sign before", recorded.where, recorded.index);
            if (named && *named == rotation->from) named = rotation->to;
            current = rotation->to;
            keys_.push_back(rotation->from);
        }
        if (signer_) keys_.push_back(*signer_);
        if (current && signer_ && *current != *signer_ && result_.unpublished == 0) {
            error("rotation-not-chained",
                  fmt::format("the log last named the key {}, the checkpoint is signed by {}", current->text(), signer_->text()),
                  std::string(kCheckpointPath));
        }
        if (options_.key && signer_ && !pinned_is_known) {
            pinned_is_known = named && *named == *signer_;
            if (!pinned_is_known) {
                error("key-not-pinned",
                      fmt::format("the checkpoint is signed by {}; no statement in the log leads to it from the key given, {}",
                                  signer_->text(), options_.key->text()),
                      std::string(kCheckpointPath));
            }
        }
        result_.pinned = pinned_is_known;
        check_older_signatures();
    }

    void check_older_signatures() {
        for (const OlderCheckpoint& older : older_) {
            const bool by_known_key = std::any_of(keys_.begin(), keys_.end(),
                                                  [&](const VerifierKey& key) { return open_checkpoint(older.note, key).has_value(); });
            if (!by_known_key && older.checkpoint.origin == result_.checkpoint->origin)
                error("older-checkpoint-signature", "no key of this log stands behind it", older.name);
        }
    }

    // Retention is announced in the log before anything is removed.
    void check_retention(const RecordStory& story) {
        const std::string path(kMinimumIndexPath);
        const std::uint64_t minimum = result_.minimum_index;
        if (minimum > story.retained_from()) {
            error("retention-not-recorded",
                  fmt::format("the entries below {} were given up, but the log announces retention only up to {}", minimum,
                              story.retained_from()),
                  path);
        } else if (minimum / kTileWidth < story.retained_from() / kTileWidth) {
            const auto kept = disk_.exists(bundle_path(minimum / kTileWidth, kTileWidth));
            if (kept && !*kept)
                error("minimum-index-lost",
                      fmt::format("entries below {} were given up, but the file says {}", story.retained_from(), minimum), path);
            else
                note(
                    "retention-not-applied",
                    fmt::format("the log announces that entries below {} may go; they are kept from {} on", story.retained_from(), minimum),
                    path);
        }
    }

    bool has_epochs() {
        const auto there = disk_.exists(std::string(kEpochDirectory));
        return there && *there;
    }

    void check_epochs(const RecordStory& story) {
        const std::string directory(kEpochDirectory);
        const bool begun = result_.minimum_index == 0 && story.first() && story.first()->event == "epoch-begun";
        std::uint64_t last = 0;
        if (has_epochs()) {
            const auto list = disk_.list(directory);
            if (!list) return error("unreadable", list.error().message, directory);
            for (const DirectoryEntry& entry : *list) last = std::max(last, entry.is_directory ? decimal(entry.name).value_or(0) : 0);
        }
        if (last == 0) {
            if (begun) note("epoch-not-here", "the log continues one that is not in this folder", "entry 0", 0);
            return;
        }
        const std::string path = fmt::format("{}/{}/{}", directory, last, kCheckpointPath);
        const auto before = read_if_there(disk_, path, SignedNote::kBytesMax);
        if (!before || !*before) return error("epoch-checkpoint-missing", "the ended epoch has no checkpoint", path);
        if (result_.minimum_index > 0 || !story.first()) return;
        const auto& facts = story.first()->facts;
        const bool quoted =
            begun && std::find(facts.begin(), facts.end(), std::pair<std::string, std::string>("checkpoint", **before)) != facts.end();
        if (!quoted)
            error("epoch-not-chained", fmt::format("the first record does not quote the last checkpoint of epoch {}", last), path, 0);
        note("epoch", fmt::format("the log before, epoch {}, ended by a loss; verify it by itself: --audit …/{}/{}", last, directory, last),
             path);
    }

    void check_blobs() {
        const std::string directory(kBlobDirectory);
        const auto checked = each_file(disk_, directory, [&](const std::string& path, const DirectoryEntry& entry) {
            if (path.ends_with(kUnfinished)) return note("unfinished-file", "a crash left an unfinished file", path);
            const auto expected = blob_path("sha256:" + entry.name);
            if (!expected || *expected != path) return error("unexpected-file", "no blob has this name", path);
            const auto bytes = read_whole(disk_, path, kBlobBytesMax);
            if (!bytes) return error("blob-unreadable", bytes.error().message, path);
            ++result_.blobs;
            if (sha256_hex(*bytes) != entry.name) error("blob-differs", "the bytes of the blob are not those of its digest", path);
        });
        if (!checked) error("unreadable", checked.error().message, checked.error().where);
    }

    Disk& disk_;
    const VerifyOptions& options_;
    Verification result_;
    std::optional<VerifierKey> folder_key_;
    std::optional<VerifierKey> signer_;
    std::vector<VerifierKey> keys_;  // all that ever signed, as far as the log tells
    std::vector<OlderCheckpoint> older_;
    std::size_t next_older_ = 0;
    std::uint64_t last_sequence_ = 0;  // of the last published record
    std::string segment_;              // the last one of the write-ahead log
    std::uint64_t wal_differs_ = 0;
};

}  // namespace

bool Verification::as_signed() const {
    constexpr std::string_view kOfWhatRecordsTell[] = {"records-missing", "sequence-repeated",  "silence",
                                                       "denials-missing", "stop-without-start", "heartbeat-without-start"};
    if (!checkpoint || key.empty()) return false;
    std::uint64_t known = 0;
    for (const Finding& finding : findings.kept()) {
        if (finding.level != Finding::Level::error) continue;
        if (std::find(std::begin(kOfWhatRecordsTell), std::end(kOfWhatRecordsTell), finding.name) == std::end(kOfWhatRecordsTell))
            return false;
        ++known;
    }
    return known == findings.errors();
}

std::vector<std::string> Verification::proves() const {
    std::vector<std::string> sentences;
    if (!checkpoint || key.empty()) return sentences;
    sentences.push_back(fmt::format("The holder of the key {} signed exactly these {} entries in this order.", key, checkpoint->size));
    if (older_checkpoints > 0)
        sentences.push_back(fmt::format(
            "The log of each of the {} older checkpoints is the beginning of this one: nothing was rewritten since.", older_checkpoints));
    return sentences;
}

std::vector<std::string> Verification::leaves_open() const {
    std::vector<std::string> sentences;
    if (!pinned)
        sentences.emplace_back(
            "No key from outside stands behind the result: it shows only that the folder agrees with itself. Give --key.");
    sentences.emplace_back(
        "Whoever holds the signing key could have written the whole log anew; checkpoints kept elsewhere (--checkpoint) rule that out.");
    sentences.emplace_back(
        "That every write was recorded: heartbeats and their counters speak for it; `fluxgate audit reconcile` compares with the API "
        "server.");
    if (unpublished > 0) {
        sentences.push_back(fmt::format("{} of the write-ahead log {} not under a checkpoint yet, so nobody has signed {}.",
                                        unpublished == 1 ? "1 record" : fmt::format("{} records", unpublished),
                                        unpublished == 1 ? "is" : "are", unpublished == 1 ? "it" : "them"));
    }
    if (minimum_index > 0)
        sentences.push_back(fmt::format("The records below {} were given up by retention; only their hashes are left.", minimum_index));
    return sentences;
}

Result<Verification> verify_log(Disk& disk, const VerifyOptions& options) { return Verifier(disk, options).run(); }

}  // namespace fluxgate::audit
