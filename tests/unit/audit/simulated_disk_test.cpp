// The disk in memory must be as bad as it says: a test that relies on it would otherwise pass for nothing.

#include "tests/support/simulated_disk.hpp"

#include <set>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

namespace {

constexpr std::uint64_t kSeeds = 400;

const std::string kOld(1024, 'o');
const std::string kNew(1024, 'n');

void write_new_file(Disk& disk, const std::string& path, const std::string& bytes) {
    auto file = disk.create(path).value();
    REQUIRE(file->write_at(0, bytes));
    REQUIRE(file->sync());
    REQUIRE(disk.sync_directory(""));
}

// Everything that is found after `work` and a loss of power, over many seeds.
template <class Work>
std::set<std::map<std::string, std::string>> outcomes(Work work) {
    std::set<std::map<std::string, std::string>> found;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SimulatedDisk disk(seed);
        auto process = disk.start_process();
        work(*process, disk);
        disk.lose_power();
        found.insert(disk.files());
    }
    return found;
}

std::string letters(char first, char second) { return std::string(512, first) + std::string(512, second); }

}  // namespace

TEST_CASE("what was synced, with its name, survives a loss of power") {
    const auto found = outcomes([](Disk& disk, SimulatedDisk&) { write_new_file(disk, "a", kOld); });
    CHECK(found == std::set<std::map<std::string, std::string>>{{{"a", kOld}}});
}

TEST_CASE("each sector of an unsynced write survives on its own, or torn") {
    const auto found = outcomes([](Disk& disk, SimulatedDisk&) {
        write_new_file(disk, "a", kOld);
        REQUIRE(disk.open("a", Disk::Access::write).value()->write_at(0, kNew));
    });
    for (const char first : {'o', 'n'}) {
        for (const char second : {'o', 'n'}) CHECK(found.contains({{"a", letters(first, second)}}));
    }
    CHECK(found.size() > 8);
}

TEST_CASE("a file whose bytes were not synced can be there without them") {
    const auto found = outcomes([](Disk& disk, SimulatedDisk&) {
        REQUIRE(disk.create("a").value()->write_at(0, kNew));
        REQUIRE(disk.sync_directory(""));
    });
    CHECK(found.contains({{"a", ""}}));
    CHECK(found.contains({{"a", std::string(1024, '\0')}}));
    CHECK(found.contains({{"a", kNew}}));
}

TEST_CASE("names that were not synced survive in any order that a file system could give") {
    struct Row {
        const char* name;
        std::function<void(Disk&)> work;
        std::set<std::set<std::string>> names;
    };
    const std::vector<Row> rows{
        {"a new file", [](Disk& disk) { disk.create("a").value(); }, {{}, {"a"}}},
        {"two new files",
         [](Disk& disk) {
             disk.create("a").value();
             disk.create("b").value();
         },
         {{}, {"a"}, {"b"}, {"a", "b"}}},
        {"a rename is whole or not at all",
         [](Disk& disk) {
             write_new_file(disk, "a", kOld);
             REQUIRE(disk.rename("a", "b"));
         },
         {{"a"}, {"b"}}},
        {"a removal",
         [](Disk& disk) {
             write_new_file(disk, "a", kOld);
             REQUIRE(disk.remove("a"));
         },
         {{}, {"a"}}},
        {"a file in a directory that was not synced into its parent",
         [](Disk& disk) {
             REQUIRE(disk.make_directory("d"));
             disk.create("d/a").value();
             REQUIRE(disk.sync_directory("d"));
         },
         {{}, {"d/a"}}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::set<std::set<std::string>> names;
        for (const auto& files : outcomes([&](Disk&disk, SimulatedDisk&) { row.work(disk); })) {
            std::set<std::string> found;
            for (const auto& [name, bytes] : files) found.insert(name);
            names.insert(found);
        }
        CHECK(names == row.names);
    }
}

TEST_CASE("a cut that was not synced is there with what it cut, or not at all") {
    const auto found = outcomes([](Disk& disk, SimulatedDisk&) {
        write_new_file(disk, "a", kOld);
        auto file = disk.open("a", Disk::Access::write).value();
        REQUIRE(file->truncate(512));
        REQUIRE(file->allocate(1024));
    });
    const std::string cut(512, 'o');
    CHECK(found == std::set<std::map<std::string, std::string>>{{{"a", kOld}}, {{"a", cut}}, {{"a", cut + std::string(512, '\0')}}});
}

TEST_CASE("after a failed sync the next one succeeds, and what was written is lost all the same") {
    const auto found = outcomes([](Disk& process, SimulatedDisk& disk) {
        write_new_file(process, "a", kOld);
        auto file = process.open("a", Disk::Access::write).value();
        REQUIRE(file->write_at(0, kNew));
        disk.at_step(Step::sync, 1, {});
        REQUIRE_FALSE(file->sync());
        CHECK_FALSE(disk.synced_again_after_a_failure());
        REQUIRE(file->sync());
        CHECK(disk.synced_again_after_a_failure());
    });
    CHECK(found == std::set<std::map<std::string, std::string>>{{{"a", kOld}}});
}

TEST_CASE("a process that died does nothing any more, and its successor sees the cache") {
    SimulatedDisk disk;
    auto first = disk.start_process();
    auto file = first->create("a").value();
    disk.at_step(1, {Failing::after, Then::process_dies});
    CHECK_FALSE(file->write_at(0, kNew));
    CHECK(disk.process_is_dead());
    CHECK_FALSE(file->write_at(0, kOld));
    CHECK_FALSE(first->exists("a"));
    auto second = disk.start_process();
    CHECK_FALSE(disk.process_is_dead());
    CHECK_FALSE(file->write_at(0, kOld));
    CHECK(disk.files() == std::map<std::string, std::string>{{"a", kNew}});
}
