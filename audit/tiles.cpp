#include "audit/tiles.hpp"

#include <fmt/format.h>

namespace fluxgate::audit {

namespace {

// 1234067 is "x001/x234/067"; a partial file of width 8 has ".p/8" behind it.
std::string number_path(std::uint64_t number, std::uint64_t width) {
    std::string path = fmt::format("{:03}", number % 1'000);
    while ((number /= 1'000) > 0) path = fmt::format("x{:03}/{}", number % 1'000, path);
    if (width < kTileWidth) path += fmt::format(".p/{}", width);
    return path;
}

}  // namespace

std::string tile_path(unsigned level, std::uint64_t number, std::uint64_t width) {
    return fmt::format("tile/{}/{}", level, number_path(number, width));
}

std::string bundle_path(std::uint64_t number, std::uint64_t width) { return "tile/entries/" + number_path(number, width); }

void add_to_bundle(std::string& bundle, std::string_view entry) {
    bundle += static_cast<char>(entry.size() >> 8);
    bundle += static_cast<char>(entry.size() & 0xff);
    bundle += entry;
}

Result<std::vector<std::string_view>> entries_of(std::string_view bundle, std::uint64_t width) {
    std::vector<std::string_view> entries;
    entries.reserve(width);
    while (bundle.size() >= 2 && entries.size() < width) {
        const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(bundle[at])); };
        const std::size_t length = byte(0) << 8 | byte(1);
        if (bundle.size() - 2 < length) break;
        entries.push_back(bundle.substr(2, length));
        bundle.remove_prefix(2 + length);
    }
    if (entries.size() != width || !bundle.empty())
        return fail(Errc::invalid_argument, fmt::format("the bundle does not hold exactly {} entries", width));
    return entries;
}

}  // namespace fluxgate::audit
