#include "audit/integrator.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "audit/durable_file.hpp"
#include "audit/layout.hpp"
#include "audit/tile_reader.hpp"
#include "audit/tiles.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/simulated_disk.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;

namespace {

using audit::testing::SimulatedDisk;

const SigningKey& key() {
    static const SigningKey key{.key = *SignerKey::generate("fluxgate/prod/fluxgate-0/1")};
    return key;
}

std::string entry(std::uint64_t index) { return fmt::format("{{\"record\":{}}}", index); }

std::vector<std::string> entries(std::uint64_t first, std::uint64_t count) {
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < count; ++i) texts.push_back(entry(first + i));
    return texts;
}

std::vector<std::string_view> views(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

Result<Checkpoint> grow(Integrator& log, std::uint64_t count) {
    const auto texts = entries(log.size(), count);
    return log.append(views(texts));
}

// What a log of these entries must say.
Hash root_of(std::uint64_t size) {
    static std::vector<Hash> roots = {empty_root()};
    static TreeEdge edge;
    while (roots.size() <= size) {
        REQUIRE(
            edge.add(leaf_hash(entry(edge.size())), [](unsigned, std::uint64_t, const std::vector<Hash>&) -> Result<void> { return {}; }));
        roots.push_back(edge.root());
    }
    return roots[size];
}

// A disk that was taken, with a log of that many entries, one checkpoint for each of the sizes.
struct Written {
    explicit Written(const std::vector<std::uint64_t>& sizes, std::uint64_t seed = 1) : simulated(seed) {
        start();
        auto log = Integrator::open(*disk, key());
        REQUIRE(log.has_value());
        for (const std::uint64_t size : sizes) REQUIRE(grow(**log, size - (*log)->size()).has_value());
    }
    void start() {
        disk = simulated.start_process();
        REQUIRE(disk->take().has_value());
    }
    Result<std::unique_ptr<Integrator>> open(const SigningKey& with = key()) {
        start();
        return Integrator::open(*disk, with);
    }
    bool has(const std::string& path) const { return simulated.files().contains(path); }

    SimulatedDisk simulated;
    std::unique_ptr<Disk> disk;
};

SignerKey other_key() { return *SignerKey::generate("fluxgate/prod/fluxgate-0/1"); }

}  // namespace

TEST_CASE("a log begins with a checkpoint over nothing, and the key to check it") {
    Written log({});
    const auto files = log.simulated.files();
    REQUIRE(files.size() == 2);
    CHECK(files.at("log.vkey") == key().key.verifier().text() + "\n");
    CHECK(open_checkpoint(files.at("checkpoint"), key().key.verifier()) == Checkpoint{"fluxgate/prod/fluxgate-0/1", 0, empty_root()});
    const auto opened = log.open();
    REQUIRE(opened.has_value());
    CHECK((*opened)->size() == 0);
    CHECK_FALSE((*opened)->last_entry().has_value());
}

TEST_CASE("a log holds exactly the files that its size needs, and is the same after a restart") {
    struct Row {
        std::uint64_t size;
        std::vector<std::string> files;
    };
    const Row rows[] = {
        {1, {"tile/0/000.p/1", "tile/entries/000.p/1"}},
        {255, {"tile/0/000.p/255", "tile/entries/000.p/255"}},
        {256, {"tile/0/000", "tile/1/000.p/1", "tile/entries/000"}},
        {257, {"tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/1"}},
        {600,
         {"tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/000", "tile/entries/001",
          "tile/entries/002.p/88"}},
    };
    for (const Row& row : rows) {
        INFO(row.size << " entries at once");
        Written log({row.size});
        std::vector<std::string> found;
        for (const auto& [path, bytes] : log.simulated.files()) {
            if (path.starts_with("tile/")) found.push_back(path);
        }
        CHECK(found == row.files);
        const auto opened = log.open();
        REQUIRE(opened.has_value());
        CHECK((*opened)->checkpoint() == Checkpoint{"fluxgate/prod/fluxgate-0/1", row.size, root_of(row.size)});
        CHECK((*opened)->last_entry() == entry(row.size - 1));
    }
}

TEST_CASE("partial tiles of published checkpoints stay until the full tile is under a checkpoint, then they go") {
    Written log({3, 7});
    CHECK(log.has("tile/0/000.p/3"));
    CHECK(log.has("tile/entries/000.p/3"));
    CHECK(log.has("tile/0/000.p/7"));
    auto opened = log.open();
    REQUIRE(opened.has_value());
    REQUIRE(grow(**opened, 300).has_value());
    for (const std::string path : {"tile/0/000.p/3", "tile/entries/000.p/3", "tile/0/000.p/7", "tile/entries/000.p/7"}) {
        INFO(path);
        CHECK_FALSE(log.has(path));
    }
    CHECK(log.has("tile/0/000"));
    CHECK(log.has("tile/0/001.p/51"));
    TileReader old(*log.disk, 7);
    CHECK(old.root() == root_of(7));
}

TEST_CASE("every size up to 600 has the right root, in one growing log, and can be proven from its tiles") {
    Written log({});
    auto opened = log.open();
    REQUIRE(opened.has_value());
    for (std::uint64_t size = 1; size <= 600; ++size) {
        const auto checkpoint = grow(**opened, 1);
        REQUIRE(checkpoint.has_value());
        if (checkpoint->size != size || checkpoint->root != root_of(size)) FAIL("at " << size);
        TileReader tiles(*log.disk, size);
        if (tiles.root() != root_of(size)) FAIL("tiles at " << size);
    }
}

TEST_CASE("appending nothing changes nothing") {
    Written log({5});
    auto opened = log.open();
    REQUIRE(opened.has_value());
    const auto before = log.simulated.files();
    REQUIRE((*opened)->append({}).has_value());
    CHECK(log.simulated.files() == before);
}

TEST_CASE("an entry longer than a bundle can hold is refused, and the log stays as it was") {
    Written log({5});
    auto opened = log.open();
    REQUIRE(opened.has_value());
    const std::string longest(kEntryBytesMax, 'x');
    const std::string too_long(kEntryBytesMax + 1, 'x');
    const std::string_view good[] = {longest, ""};
    REQUIRE((*opened)->append(good).has_value());
    const std::string_view bad[] = {too_long};
    const auto refused = (*opened)->append(bad);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::too_large);
    CHECK((*opened)->append({}).error().code == Errc::io);  // after an error of any kind nothing more
    CHECK(log.open().has_value());
}

TEST_CASE("bytes written and removed are told") {
    Written log({3});
    auto opened = log.open();
    REQUIRE(opened.has_value());
    std::int64_t told = 0;
    (*opened)->on_bytes([&](std::int64_t bytes) { told += bytes; });
    const auto bytes_in_tiles = [&] {
        std::int64_t bytes = 0;
        for (const auto& [path, text] : log.simulated.files())
            bytes += path.starts_with("tile/") ? static_cast<std::int64_t>(text.size()) : 0;
        return bytes;
    };
    const std::int64_t before = bytes_in_tiles();
    REQUIRE(grow(**opened, 700).has_value());
    CHECK(told == bytes_in_tiles() - before);
    REQUIRE((*opened)->prune_below(600).has_value());
    CHECK(told == bytes_in_tiles() - before);
}

TEST_CASE("a log that is not what its checkpoint signed is not continued, and the error names what differs") {
    struct Row {
        std::string_view name;
        std::function<void(Written&)> harm;
        std::string where;
    };
    const auto flip = [](std::string path) {
        return [path](Written& log) {
            std::string bytes = log.simulated.files().at(path);
            bytes.back() = static_cast<char>(bytes.back() ^ 1);
            log.simulated.overwrite(path, bytes);
        };
    };
    const auto cut = [](std::string path) {
        return [path](Written& log) {
            std::string bytes = log.simulated.files().at(path);
            bytes.pop_back();
            log.simulated.overwrite(path, bytes);
        };
    };
    const auto lose = [](std::string path) { return [path](Written& log) { REQUIRE(log.disk->remove(path).has_value()); }; };
    const auto checkpoint = [](std::uint64_t size, const Hash& root, const SignerKey& by) {
        return [=](Written& log) { log.simulated.overwrite("checkpoint", *sign_checkpoint(size, root, by)); };
    };
    const Row rows[] = {
        {"a byte of an entry", flip("tile/entries/000"), "tile/0/000"},
        {"a byte of the last entry", flip("tile/entries/002.p/88"), "tile/0/002.p/88"},
        {"a byte of a full tile", flip("tile/0/001"), "tile/0/001"},
        {"a byte of a partial tile", flip("tile/0/002.p/88"), "tile/0/002.p/88"},
        {"a byte of a tile above", flip("tile/1/000.p/2"), "tile/1/000.p/2"},
        {"a bundle that was cut", cut("tile/entries/001"), "tile/entries/001"},
        {"a partial bundle that was cut", cut("tile/entries/002.p/88"), "tile/entries/002.p/88"},
        {"a tile that was cut", cut("tile/0/001"), "tile/0/001"},
        {"a bundle that is missing", lose("tile/entries/001"), "tile/entries/001"},
        {"a partial bundle that is missing", lose("tile/entries/002.p/88"), "tile/entries/002.p/88"},
        {"a tile that is missing", lose("tile/0/000"), "tile/0/000"},
        {"a partial tile that is missing", lose("tile/1/000.p/2"), "tile/1/000.p/2"},
        {"the checkpoint is missing", lose("checkpoint"), "checkpoint"},
        {"a checkpoint that was changed", flip("checkpoint"), "checkpoint"},
        {"a checkpoint by another key", checkpoint(600, root_of(600), other_key()), "checkpoint"},
        {"a checkpoint over another root", checkpoint(600, root_of(599), key().key), "checkpoint"},
        {"a checkpoint over entries that are not there", checkpoint(601, root_of(601), key().key), "tile/entries/002.p/89"},
        {"a minimum index beyond the log", [](Written& log) { REQUIRE(replace_durably(*log.disk, "minimum-index", "768\n").has_value()); },
         "minimum-index"},
        {"a minimum index within a bundle", [](Written& log) { REQUIRE(replace_durably(*log.disk, "minimum-index", "300\n").has_value()); },
         "minimum-index"},
        {"a minimum index that is no number", [](Written& log) { REQUIRE(replace_durably(*log.disk, "minimum-index", "x\n").has_value()); },
         "minimum-index"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Written log({600});
        row.harm(log);
        const auto opened = log.open();
        REQUIRE_FALSE(opened.has_value());
        CHECK(opened.error().code == Errc::contradictory);
        CHECK(opened.error().where == row.where);
        CHECK(opened.error().message.find("fluxgate audit epoch") != std::string::npos);
    }
}

TEST_CASE("any changed byte of any file of a log keeps it from being continued") {
    Written log({3, 256, 300});
    fluxgate::testing::Random random(5);
    const auto files = log.simulated.files();
    for (int i = 0; i < 300; ++i) {
        auto file = files.begin();
        std::advance(file, static_cast<std::ptrdiff_t>(random.below(files.size())));
        if (file->first == "log.vkey") continue;  // written anew
        std::string bytes = file->second;
        bytes[random.below(bytes.size())] ^= static_cast<char>(1u << random.below(8));
        INFO(file->first);
        log.simulated.overwrite(file->first, bytes);
        CHECK_FALSE(log.open().has_value());
        log.simulated.overwrite(file->first, file->second);
    }
    CHECK(log.open().has_value());
}

TEST_CASE("full tiles and bundles beyond the checkpoint must be the same bytes when they are written again") {
    for (const std::string path : {"tile/entries/001", "tile/0/001"}) {
        INFO(path);
        Written log({300});
        REQUIRE(create_durably(*log.disk, path, "something else").has_value());
        auto opened = log.open();
        REQUIRE(opened.has_value());
        const auto appended = grow(**opened, 300);
        REQUIRE_FALSE(appended.has_value());
        CHECK(appended.error().code == Errc::contradictory);
        CHECK(appended.error().where == path);
        CHECK(open_checkpoint(log.simulated.files().at("checkpoint"), key().key.verifier())->size == 300);
    }
    // A partial one that no checkpoint covers may have been meant to hold something else.
    Written log({300});
    REQUIRE(create_durably(*log.disk, "tile/0/001.p/45", "something else").has_value());
    auto opened = log.open();
    REQUIRE(opened.has_value());
    CHECK(grow(**opened, 1).has_value());
    CHECK(log.open().has_value());
}

TEST_CASE("pruned entries go as whole bundles, and what is left is proven as before") {
    Written log({600});
    auto opened = log.open();
    REQUIRE(opened.has_value());
    CHECK((*opened)->prune_below(255) == 0u);
    CHECK_FALSE(log.has("minimum-index"));
    CHECK((*opened)->prune_below(511) == 256u);
    CHECK((*opened)->prune_below(100) == 256u);
    CHECK_FALSE(log.has("tile/entries/000"));
    CHECK(log.has("tile/entries/001"));
    CHECK(log.has("tile/0/000"));
    CHECK(log.simulated.files().at("minimum-index") == "256\n");
    auto again = log.open();
    REQUIRE(again.has_value());
    CHECK((*again)->minimum_index() == 256);
    const auto grown = grow(**again, 500);
    REQUIRE(grown.has_value());
    CHECK(grown->root == root_of(1100));
    TileReader tiles(*log.disk, 1100);
    const auto proof = tiles.inclusion(17);
    REQUIRE(proof.has_value());
    CHECK(check_inclusion(17, 1100, leaf_hash(entry(17)), root_of(1100), *proof).has_value());
    CHECK((*again)->prune_below(1101).error().code == Errc::invalid_argument);
}

TEST_CASE("pruning never takes the last entry, which says where to go on") {
    Written log({512});
    auto opened = log.open();
    REQUIRE(opened.has_value());
    CHECK((*opened)->prune_below(512) == 256u);
    auto again = log.open();
    REQUIRE(again.has_value());
    CHECK((*again)->last_entry() == entry(511));
}

TEST_CASE("a changed tile below the minimum index keeps the log from being continued") {
    Written log({600});
    REQUIRE((*log.open())->prune_below(512) == 512u);
    std::string bytes = log.simulated.files().at("tile/0/000");
    bytes[17] ^= 1;
    log.simulated.overwrite("tile/0/000", bytes);
    CHECK(log.open().error().code == Errc::contradictory);
}

TEST_CASE("what an interrupted pruning left is removed at the next start") {
    Written log({600});
    REQUIRE(replace_durably(*log.disk, "minimum-index", "512\n").has_value());
    CHECK(log.open().has_value());
    CHECK_FALSE(log.has("tile/entries/000"));
    CHECK_FALSE(log.has("tile/entries/001"));
    CHECK(log.has("tile/entries/002.p/88"));
}

TEST_CASE("after a rotation the old checkpoint is accepted, and the next one is by the new key") {
    Written log({5});
    SigningKey rotated{.key = other_key()};
    CHECK(log.open(rotated).error().code == Errc::contradictory);
    rotated.rotation = KeyRotation{key().key.verifier(), rotated.key.verifier(), "the statement"};
    auto opened = log.open(rotated);
    REQUIRE(opened.has_value());
    CHECK((*opened)->rotation_is_pending());
    CHECK(log.simulated.files().at("log.vkey") == key().key.verifier().text() + "\n");
    REQUIRE(grow(**opened, 1).has_value());
    CHECK_FALSE((*opened)->rotation_is_pending());
    CHECK(log.simulated.files().at("log.vkey") == rotated.key.verifier().text() + "\n");
    CHECK(open_checkpoint(log.simulated.files().at("checkpoint"), rotated.key.verifier())->size == 6);
    auto again = log.open(rotated);
    REQUIRE(again.has_value());
    CHECK_FALSE((*again)->rotation_is_pending());
    CHECK(log.open().error().code == Errc::contradictory);
}

TEST_CASE("an epoch that ends is moved away whole, and the next one begins empty") {
    Written log({300});
    REQUIRE(create_durably(*log.disk, std::string(kSignerKeyPath), "the key").has_value());
    REQUIRE(create_durably(*log.disk, "blobs/ab/abcd", "a policy set").has_value());
    const std::string note = log.simulated.files().at("checkpoint");
    const EndedEpoch first{1, note, "the disk was lost"};
    CHECK(last_ended_epoch(*log.disk) == EndedEpoch{});
    CHECK(end_epoch(*log.disk, first.reason) == first);
    log.start();
    CHECK(last_ended_epoch(*log.disk) == first);
    CHECK(end_epoch(*log.disk, "once more: the same answer") == first);
    for (const auto& [path, bytes] : log.simulated.files()) CHECK(path.starts_with("epochs/1/"));
    CHECK(log.has("epochs/1/tile/entries/000"));
    CHECK(log.has("epochs/1/log.key"));
    CHECK(log.has("epochs/1/blobs/ab/abcd"));
    CHECK(log.has("epochs/1/log.vkey"));
    const SigningKey next{.key = *SignerKey::generate("fluxgate/prod/fluxgate-0/2")};
    auto opened = log.open(next);
    REQUIRE(opened.has_value());
    CHECK((*opened)->size() == 0);
    REQUIRE(grow(**opened, 3).has_value());
    const std::string second = log.simulated.files().at("checkpoint");
    log.start();
    CHECK(end_epoch(*log.disk, "again") == EndedEpoch{2, second, "again"});
    CHECK(log.has("epochs/2/tile/entries/000.p/3"));
    CHECK(log.has("epochs/1/tile/entries/000"));
}

TEST_CASE("no log begins where another one was signed under its name") {
    struct Row {
        const char* name;
        bool end_first;              // the epoch
        const char* signer_of_next;  // null: the old key again
        std::vector<std::string> left_over{};
        bool begins = false;
        const char* text = "";
    };
    const Row rows[] = {
        {"after an epoch, with a key of the next name", true, "fluxgate/prod/fluxgate-0/2", {}, true},
        {"after an epoch, with the old key, which lies outside of the folder", true, nullptr, {}, false, "the log that ended as epoch 1"},
        {"after an epoch, with another key of the old name", true, "fluxgate/prod/fluxgate-0/1", {}, false, "under one name twice"},
        {"only the verifier key is left", false, nullptr, {"log.vkey"}, false, "log.vkey of the log it signed"},
        {"nothing is left", false, nullptr, {}, true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Written log({3});
        if (row.end_first) REQUIRE(end_epoch(*log.disk, "lost").has_value());
        for (const auto& [path, bytes] : log.simulated.files()) {
            if (path.starts_with("epochs/") || std::find(row.left_over.begin(), row.left_over.end(), path) != row.left_over.end()) continue;
            REQUIRE(log.disk->remove(path).has_value());
        }
        SimulatedDisk fresh;
        const auto disk = fresh.start_process();
        for (const auto& [path, bytes] : log.simulated.files()) REQUIRE(create_durably(*disk, path, bytes).has_value());
        const SigningKey next = row.signer_of_next ? SigningKey{.key = *SignerKey::generate(row.signer_of_next)} : key();
        const auto opened = Integrator::open(*disk, next);
        CHECK(opened.has_value() == row.begins);
        if (!opened) CHECK_THAT(opened.error().message, Catch::Contains(row.text));
        CHECK(fresh.files().contains("checkpoint") == row.begins);
    }
}

TEST_CASE("an epoch whose checkpoint was lost can end too, and an empty folder has none to end") {
    Written log({3});
    REQUIRE(log.disk->remove("checkpoint").has_value());
    CHECK(end_epoch(*log.disk, "lost") == EndedEpoch{1, "", "lost"});
    CHECK(log.has("epochs/1/tile/entries/000.p/3"));
    SimulatedDisk empty;
    const auto disk = empty.start_process();
    CHECK(end_epoch(*disk, "nothing") == EndedEpoch{});
    CHECK(empty.files().empty());
}

TEST_CASE("ending an epoch can be interrupted at every step and called again, and no log is continued in between") {
    using audit::testing::Failing;
    static const std::string kWhy = "the disk was lost";
    const auto interrupt = [](Written& log, std::uint64_t step, Failing failing, bool power) {
        log.start();
        log.simulated.at_step(step, {failing, audit::testing::Then::process_dies});
        static_cast<void>(end_epoch(*log.disk, kWhy));
        const bool met = log.simulated.fault_was_met();
        if (power) log.simulated.lose_power();
        return met;
    };
    for (std::uint64_t step = 1, met = 1; met > 0; ++step) {
        met = 0;
        for (const Failing failing : {Failing::before, Failing::halfway, Failing::after}) {
            for (const bool power : {false, true}) {
                INFO("step " << step << (power ? ", and the power" : ""));
                Written log({300}, step);
                const std::string note = log.simulated.files().at("checkpoint");
                met += interrupt(log, step, failing, power);
                log.start();
                CHECK(end_epoch(*log.disk, kWhy) == EndedEpoch{1, note, kWhy});
                CHECK(log.has("epochs/1/tile/entries/000"));
                CHECK(log.has("epochs/1/checkpoint"));
                CHECK(log.simulated.files().size() == Written({300}).simulated.files().size() + 1);  // the reason

                Written other({300}, step);
                interrupt(other, step, failing, power);
                const auto opened = other.open();
                if (opened) CHECK((*opened)->size() == 300);
            }
        }
    }
}
