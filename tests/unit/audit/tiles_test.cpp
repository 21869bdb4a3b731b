#include "audit/tiles.hpp"

#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/tile_reader.hpp"
#include "audit/tree_edge.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;

namespace {

using SimulatedDisk = audit::testing::SimulatedDisk;

Hash leaf(std::uint64_t index) { return leaf_hash(fmt::format("entry {}", index)); }

// The tiles of a log of `size` entries, full and partial.
TreeEdge write_tiles(Disk& disk, std::uint64_t size) {
    TreeEdge edge;
    const auto write = [&](unsigned level, std::uint64_t number, const std::vector<Hash>& hashes) {
        return create_durably(disk, tile_path(level, number, hashes.size()), tile_bytes(hashes));
    };
    while (edge.size() < size) REQUIRE(edge.add(leaf(edge.size()), write).has_value());
    for (unsigned level = 0; level < edge.partial_tiles().size(); ++level) {
        const auto& hashes = edge.partial_tiles()[level];
        if (!hashes.empty()) REQUIRE(write(level, size >> (8 * (level + 1)), hashes).has_value());
    }
    return edge;
}

}  // namespace

TEST_CASE("tiles and bundles lie where tools for tlog-tiles look") {
    CHECK(tile_path(0, 0, 256) == "tile/0/000");
    CHECK(tile_path(1, 0, 1) == "tile/1/000.p/1");
    CHECK(tile_path(0, 1'234'067, 256) == "tile/0/x001/x234/067");
    CHECK(tile_path(2, 1'000, 17) == "tile/2/x001/000.p/17");
    CHECK(bundle_path(273, 112) == "tile/entries/273.p/112");
    CHECK(bundle_path(999, 256) == "tile/entries/999");
    CHECK(bundle_path(1'234'067, 8) == "tile/entries/x001/x234/067.p/8");
}

TEST_CASE("how wide a tile is follows from the size of the log") {
    struct Row {
        unsigned level;
        std::uint64_t number;
        std::uint64_t size;
        std::uint64_t width;
    };
    const Row rows[] = {
        {0, 0, 0, 0},      {0, 0, 1, 1},          {0, 0, 255, 255},      {0, 0, 256, 256},    {0, 1, 256, 0},     {1, 0, 255, 0},
        {1, 0, 256, 1},    {0, 273, 70'000, 112}, {0, 272, 70'000, 256}, {1, 0, 70'000, 256}, {1, 1, 70'000, 17}, {2, 0, 70'000, 1},
        {3, 0, 70'000, 0}, {0, 274, 70'000, 0},   {7, 0, ~0ull, 255},    {8, 0, ~0ull, 0},    {63, 0, 70'000, 0},
    };
    for (const Row& row : rows) {
        INFO("tile " << row.level << "/" << row.number << " of " << row.size);
        CHECK(width_of(row.level, row.number, row.size) == row.width);
    }
}

TEST_CASE("a bundle gives back its entries, and nothing that is not exactly so many") {
    std::string bundle;
    const std::string longest(kEntryBytesMax, 'x');
    for (const std::string& entry : {std::string("a"), std::string(), longest}) add_to_bundle(bundle, entry);
    const auto entries = entries_of(bundle, 3);
    REQUIRE(entries.has_value());
    CHECK(*entries == std::vector<std::string_view>{"a", "", longest});
    CHECK(entries_of("", 0).has_value());
    struct Row {
        std::string_view name;
        std::string bytes;
        std::uint64_t width;
    };
    const Row rows[] = {
        {"fewer entries than it should", bundle, 4},
        {"more entries than it should", bundle, 2},
        {"cut within an entry", bundle.substr(0, bundle.size() - 1), 3},
        {"cut within a length", bundle.substr(0, 4), 2},
        {"a byte behind the last entry", bundle + "x", 3},
        {"nothing", "", 1},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        REQUIRE_FALSE(entries_of(row.bytes, row.width).has_value());
        CHECK(entries_of(row.bytes, row.width).error().code == Errc::invalid_argument);
    }
}

TEST_CASE("proofs out of tile files hold, for the size of the tiles and for a smaller one whose partial tile became full") {
    SimulatedDisk simulated;
    const auto disk = simulated.start_process();
    const std::uint64_t size = 70'000;
    const TreeEdge edge = write_tiles(*disk, size);
    TileReader tiles(*disk, size);
    REQUIRE(tiles.root() == edge.root());
    for (const std::uint64_t index : {0, 1, 255, 256, 65'535, 65'536, 69'887, 69'888, 69'999}) {
        INFO("entry " << index);
        const auto proof = tiles.inclusion(index);
        REQUIRE(proof.has_value());
        CHECK(check_inclusion(index, size, leaf(index), edge.root(), *proof).has_value());
    }
    CHECK(tiles.inclusion(size).error().code == Errc::invalid_argument);
    for (const std::uint64_t old_size : {1, 2, 255, 256, 300, 65'536, 69'800, 69'888}) {
        INFO("of " << old_size);
        const auto old_root = tree_root(old_size, tiles.nodes());
        REQUIRE(old_root.has_value());
        const auto proof = tiles.consistency_from(old_size);
        REQUIRE(proof.has_value());
        CHECK(check_consistency(old_size, size, *old_root, edge.root(), *proof).has_value());
    }
    // Of 300 entries the last tile is a partial one of 44, of which only the full one is there by now.
    TileReader old_tiles(*disk, 300);
    CHECK(old_tiles.root() == tree_root(300, tiles.nodes()));
}

TEST_CASE("a tile that is missing or has another length is an error that names it") {
    SimulatedDisk simulated;
    const auto disk = simulated.start_process();
    write_tiles(*disk, 300);
    simulated.overwrite("tile/0/001.p/44", std::string(43 * 32, 'x'));
    TileReader cut(*disk, 300);
    const auto root = cut.root();
    REQUIRE_FALSE(root.has_value());
    CHECK(root.error().code == Errc::contradictory);
    CHECK(root.error().where == "tile/0/001.p/44");

    REQUIRE(disk->remove("tile/0/001.p/44").has_value());
    TileReader missing(*disk, 300);
    REQUIRE_FALSE(missing.root().has_value());
    CHECK(missing.root().error().code == Errc::io);
    CHECK(missing.root().error().where.find("tile/0/001.p/44") != std::string::npos);
}

TEST_CASE("a bundle is read as far as the log goes, from the full file if the partial one is gone") {
    SimulatedDisk simulated;
    const auto disk = simulated.start_process();
    std::string full;
    std::string three;
    for (int i = 0; i < 256; ++i) {
        add_to_bundle(full, fmt::format("entry {}", i));
        if (i == 2) three = full;
    }
    REQUIRE(create_durably(*disk, bundle_path(0, 256), full).has_value());
    CHECK(read_bundle(*disk, 0, 3) == three);
    CHECK(read_bundle(*disk, 0, 256) == full);
    simulated.overwrite(bundle_path(0, 256), full + "x");
    CHECK(read_bundle(*disk, 0, 3).error().where == "tile/entries/000");
    CHECK(read_bundle(*disk, 1, 3).error().code == Errc::io);
}
