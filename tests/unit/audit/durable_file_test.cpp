#include "audit/durable_file.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

namespace {

// Runs `work` in a process that ends at each step in turn, in each way, then again to its end; `check` sees what the first left, with
// whether it had succeeded.
template <class Work, class Check>
void end_at_each_step(Work work, Check check) {
    bool past_the_end = false;
    for (std::uint64_t step = 1; !past_the_end; ++step) {
        for (const Failing failing : {Failing::before, Failing::halfway, Failing::after}) {
            for (const Then then : {Then::goes_on, Then::process_dies}) {
                for (const bool power_goes : {false, true}) {
                    INFO("step " << step << ", " << static_cast<int>(failing) << (then == Then::goes_on ? " fails" : " kills")
                                 << (power_goes ? ", power goes" : ""));
                    SimulatedDisk disk(step);
                    const auto process = disk.start_process();
                    disk.at_step(step, {.failing = failing, .then = then});
                    const bool done = work(*process).has_value();
                    past_the_end = !disk.fault_was_met();
                    CHECK(done == past_the_end);
                    if (power_goes) disk.lose_power();
                    check(disk, done);
                    // Whatever the first left behind, the second succeeds, and durably.
                    const auto second = disk.start_process();
                    REQUIRE(work(*second).has_value());
                    disk.lose_power();
                    check(disk, true);
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("a file that never changes is there whole, or not at all, wherever its writing ends") {
    const std::string bytes(2'000, 'b');
    end_at_each_step([&](Disk& disk) { return create_durably(disk, "a/b/file", bytes); },
                     [&](const SimulatedDisk& disk, bool done) {
                         const auto files = disk.files();
                         const auto found = files.find("a/b/file");
                         if (done) REQUIRE(found != files.end());
                         if (found != files.end()) CHECK(found->second == bytes);
                         if (done) CHECK(files.size() == 1);
                     });
}

TEST_CASE("a file that changes is the old one or the new one, wherever its writing ends") {
    const std::string old_bytes(1'500, 'o');
    const std::string new_bytes(2'000, 'n');
    const auto work = [&](Disk& disk) -> Result<void> {
        if (auto written = replace_durably(disk, "a/file", old_bytes); !written) return written;
        return replace_durably(disk, "a/file", new_bytes);
    };
    end_at_each_step(work, [&](const SimulatedDisk& disk, bool done) {
        const auto files = disk.files();
        const auto found = files.find("a/file");
        if (done) REQUIRE(found != files.end());
        if (found != files.end()) CHECK((found->second == new_bytes || (!done && found->second == old_bytes)));
    });
}

TEST_CASE("a file that never changes is not written over") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    REQUIRE(create_durably(*process, "file", "the bytes"));
    CHECK(create_durably(*process, "file", "the bytes"));
    for (const char* other : {"other", "the bytes and more", "the byte", ""}) {
        INFO(other);
        const auto created = create_durably(*process, "file", other);
        REQUIRE_FALSE(created.has_value());
        CHECK(created.error().code == Errc::contradictory);
        CHECK(created.error().where == "file");
        CHECK(disk.files().at("file") == "the bytes");
    }
}

TEST_CASE("a directory that an earlier process made is made durable, once for each process") {
    SimulatedDisk disk;
    {
        const auto process = disk.start_process();
        REQUIRE(process->make_directory("a"));
        REQUIRE(process->make_directory("a/b"));
    }
    const auto process = disk.start_process();
    REQUIRE(make_directories_durably(*process, "a/b"));
    const std::uint64_t steps = disk.steps();
    REQUIRE(make_directories_durably(*process, "a/b"));
    CHECK(disk.steps() == steps);
    disk.lose_power();
    CHECK(disk.observe()->exists("a/b") == true);
}

TEST_CASE("a whole file is read up to a bound") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    REQUIRE(create_durably(*process, "file", "12345"));
    CHECK(read_whole(*process, "file", 5) == "12345");
    CHECK(read_whole(*process, "file", 4).error().code == Errc::too_large);
    CHECK(read_whole(*process, "none", 4).error().code == Errc::io);
}

TEST_CASE("a file that need not be there is read, or nothing, but no error is taken for nothing") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    REQUIRE(create_durably(*process, "file", "12345"));
    CHECK(read_if_there(*process, "file", 5).value() == "12345");
    CHECK(read_if_there(*process, "none", 5).value() == std::nullopt);
    CHECK(read_if_there(*process, "file", 4).error().code == Errc::too_large);
    REQUIRE(process->make_directory("directory"));
    CHECK_FALSE(read_if_there(*process, "directory", 5).has_value());
}
