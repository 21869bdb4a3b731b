#include "audit/tile_reader.hpp"

#include <cstring>
#include <span>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/tiles.hpp"

namespace fluxgate::audit {

namespace {

constexpr std::size_t kTilesMax = 256;  // 2 MiB; one proof needs less than 20
constexpr std::size_t kTileBytesMax = kTileWidth * sizeof(Hash);
constexpr std::size_t kBundleBytesMax = kTileWidth * (2 + kEntryBytesMax);

struct File {
    std::string path{};
    std::string bytes{};
    std::uint64_t width = 0;  // by its path
};

// The partial file, or the full one: the writer removes partial ones once the full one is there.
Result<File> read_either(Disk& disk, const std::function<std::string(std::uint64_t width)>& path, std::uint64_t width,
                         std::size_t bytes_max) {
    auto bytes = read_whole(disk, path(width), bytes_max);
    if (bytes) return File{path(width), std::move(*bytes), width};
    if (width < kTileWidth) {
        auto full = read_whole(disk, path(kTileWidth), bytes_max);
        if (full) return File{path(kTileWidth), std::move(*full), kTileWidth};
    }
    return tl::unexpected(bytes.error());
}

}  // namespace

std::uint64_t width_of(unsigned level, std::uint64_t number, std::uint64_t size) {
    const std::uint64_t hashes = level * 8 < 64 ? size >> (level * 8) : 0;
    const std::uint64_t full = hashes / kTileWidth;
    if (number < full) return kTileWidth;
    return number == full ? hashes % kTileWidth : 0;
}

Result<std::vector<Hash>> read_tile(Disk& disk, unsigned level, std::uint64_t number, std::uint64_t width) {
    const auto file = read_either(
        disk, [&](std::uint64_t of) { return tile_path(level, number, of); }, width, kTileBytesMax);
    if (!file) return tl::unexpected(file.error());
    if (file->bytes.size() != file->width * sizeof(Hash))
        return fail(Errc::contradictory, fmt::format("the tile does not hold {} hashes: it was cut or changed", file->width), file->path);
    std::vector<Hash> hashes(width);
    std::memcpy(hashes.data(), file->bytes.data(), width * sizeof(Hash));
    return hashes;
}

Result<std::string> read_bundle(Disk& disk, std::uint64_t number, std::uint64_t width) {
    auto file = read_either(
        disk, [&](std::uint64_t of) { return bundle_path(number, of); }, width, kBundleBytesMax);
    if (!file) return tl::unexpected(file.error());
    const auto entries = entries_of(file->bytes, file->width);
    if (!entries) return fail(entries.error().code, entries.error().message, file->path);
    const std::string_view last = (*entries)[width - 1];
    file->bytes.resize(static_cast<std::size_t>(last.data() + last.size() - file->bytes.data()));
    return std::move(file->bytes);
}

Result<Hash> TileReader::node(unsigned level, std::uint64_t index) {
    // Of its tile the node covers 2^(level % 8) hashes, from this one on.
    const unsigned below = level % 8;
    const std::uint64_t first = index << below;
    const auto hashes = tile(level / 8, first / kTileWidth);
    if (!hashes) return tl::unexpected(hashes.error());
    const std::uint64_t offset = first % kTileWidth;
    const std::uint64_t count = std::uint64_t{1} << below;
    if (offset + count > (*hashes)->size())
        return fail(Errc::invalid_argument, fmt::format("a log of {} entries has no node {} at level {}", size_, index, level));
    return complete_root(std::span(**hashes).subspan(offset, count));
}

Result<const std::vector<Hash>*> TileReader::tile(unsigned level, std::uint64_t number) {
    const auto found = tiles_.find({level, number});
    if (found != tiles_.end()) return &found->second;
    const std::uint64_t width = width_of(level, number, size_);
    if (width == 0)
        return fail(Errc::invalid_argument, fmt::format("a log of {} entries has no tile {} at level {}", size_, number, level));
    auto hashes = read_tile(disk_, level, number, width);
    if (!hashes) return tl::unexpected(hashes.error());
    if (tiles_.size() == kTilesMax) tiles_.clear();
    return &tiles_.emplace(std::pair(level, number), std::move(*hashes)).first->second;
}

}  // namespace fluxgate::audit
