#include "audit/published_log.hpp"

#include <charconv>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/layout.hpp"
#include "audit/tile_reader.hpp"
#include "audit/tiles.hpp"
#include "base/signed_note.hpp"

namespace fluxgate::audit {

namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

Result<std::unique_ptr<Disk>> open_for_reading(const std::filesystem::path& directory) {
    std::error_code error;
    if (!std::filesystem::is_directory(directory, error)) return fail(Errc::io, "there is no folder of an audit log", directory.string());
    return make_posix_disk(directory);
}

Result<std::uint64_t> read_minimum_index(Disk& disk) {
    const std::string path(kMinimumIndexPath);
    const auto text = read_if_there(disk, path, 64);
    if (!text) return tl::unexpected(text.error());
    if (!*text) return 0;
    const std::string_view line = **text;
    const auto number = line.ends_with('\n') ? number_of(line.substr(0, line.size() - 1)) : std::nullopt;
    if (!number || fmt::format("{}\n", *number) != line || *number % kTileWidth != 0)
        return fail(Errc::invalid_argument, "the file does not hold the index of a bundle's first entry", path);
    return *number;
}

Result<std::optional<PublishedLog>> read_published_log(Disk& disk) {
    const std::string path(kCheckpointPath);
    auto note = read_if_there(disk, path, SignedNote::kBytesMax);
    if (!note) return tl::unexpected(note.error());
    if (!*note) return std::optional<PublishedLog>();
    const auto parsed = SignedNote::parse(**note);
    if (!parsed) return fail(parsed.error().code, "the checkpoint is no signed note: " + parsed.error().message, path);
    auto checkpoint = Checkpoint::parse(parsed->text);
    if (!checkpoint) return fail(checkpoint.error().code, checkpoint.error().message, path);
    const auto minimum = read_minimum_index(disk);
    if (!minimum) return tl::unexpected(minimum.error());
    return PublishedLog{*std::move(*note), *std::move(checkpoint), *minimum};
}

Result<std::vector<std::string_view>> EntryBundles::read(std::uint64_t number) {
    const std::uint64_t width = width_of(0, number, size_);
    path_ = bundle_path(number, width);
    cached_.reset();
    auto bytes = read_bundle(disk_, number, width);
    if (!bytes) return tl::unexpected(bytes.error());
    bytes_ = *std::move(bytes);
    return entries_of(bytes_, width);
}

Result<std::string_view> EntryBundles::entry(std::uint64_t index) {
    const std::uint64_t number = index / kTileWidth;
    if (index >= size_)
        return fail(Errc::invalid_argument, fmt::format("there is no entry {}: the checkpoint is over {} entries", index, size_));
    if (cached_ != number) {
        auto entries = read(number);
        if (!entries) return tl::unexpected(entries.error());
        entries_ = *std::move(entries);
        cached_ = number;
    }
    return entries_[index % kTileWidth];
}

}  // namespace fluxgate::audit
