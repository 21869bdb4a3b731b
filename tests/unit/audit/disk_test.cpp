#include "audit/disk.hpp"

#include <sys/stat.h>
#include <array>

#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

TEST_CASE("a directory that cannot be used is refused with the reason") {
    Folder folder;
    write_text(folder / "file", "");
    struct Row {
        const char* name;
        std::filesystem::path path;
    };
    const std::vector<Row> rows{
        {"a file in its place", folder / "file"},
        {"no parent", folder / "no/such/parent"},
        {"a place nobody can write", "/proc/fluxgate"},
        {"an empty path", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto taken = make_posix_disk(row.path)->take();
        REQUIRE_FALSE(taken.has_value());
        CHECK(taken.error().code == Errc::io);
        CHECK_FALSE(taken.error().message.empty());
    }
}

TEST_CASE("a directory belongs to one process at a time, and is made if it is missing") {
    Folder folder;
    for (const char* name : {"audit", "audit/", "with/../audit2"}) {
        INFO(name);
        std::filesystem::create_directory(folder / "with");
        const auto first = make_posix_disk(folder / name);
        REQUIRE(first->take());
        const auto second = make_posix_disk(folder / name)->take();
        REQUIRE_FALSE(second.has_value());
        CHECK(second.error().code == Errc::contradictory);
    }
    CHECK(make_posix_disk(folder / "audit")->take());
}

TEST_CASE("files of the real disk do what the interface says") {
    Folder folder;
    const auto disk = make_posix_disk(folder.path());
    REQUIRE(disk->take());
    {
        auto file = disk->create("a").value();
        CHECK(file->allocate(10));
        CHECK(file->size() == 10u);
        CHECK(file->write_at(4, "abc"));
        CHECK(file->write_at(12, "xyz"));
        CHECK(file->sync());
        CHECK(read_text(folder / "a") == std::string("\0\0\0\0abc\0\0\0\0\0xyz", 15));
        CHECK(file->truncate(6));
        CHECK(file->allocate(8));
        CHECK(read_text(folder / "a") == std::string("\0\0\0\0ab\0\0", 8));
        std::array<char, 10> into{};
        CHECK(file->read_at(4, into) == 4u);
        CHECK(std::string_view(into.data(), 4) == std::string_view("ab\0\0", 4));
        CHECK(file->read_at(100, into) == 0u);
        CHECK(file->allocate(4));  // never shorter
        CHECK(file->size() == 8u);
    }
    struct stat status {};
    REQUIRE(::stat((folder / "a").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);
    CHECK_FALSE(disk->create("a"));
    CHECK_FALSE(disk->open("a", Disk::Access::read).value()->write_at(0, "x"));
    CHECK_FALSE(disk->open("none", Disk::Access::read));
    CHECK(disk->exists("a") == true);
    CHECK(disk->exists("none") == false);
}

TEST_CASE("names of the real disk do what the interface says") {
    Folder folder;
    const auto disk = make_posix_disk(folder.path());
    REQUIRE(disk->take());
    CHECK(disk->make_directory("d"));
    CHECK(disk->make_directory("d"));
    CHECK_FALSE(disk->make_directory("none/d"));
    REQUIRE(disk->create("d/a").value()->write_at(0, "12"));
    REQUIRE(disk->create("d/c").value()->write_at(0, "3"));
    CHECK(disk->link("d/a", "d/b"));
    CHECK(disk->link("d/a", "d/b").error().code == Errc::contradictory);
    CHECK(disk->link("d/none", "d/x").error().code == Errc::io);
    CHECK(disk->rename("d/c", "d/b"));  // over what is there
    CHECK(read_text(folder / "d/b") == "3");
    CHECK(disk->sync_directory("d"));
    CHECK(disk->sync_directory(""));
    CHECK_FALSE(disk->sync_directory("none"));
    std::filesystem::create_symlink("a", folder / "d/link-to-nothing-of-ours");
    CHECK(disk->list("") == std::vector<DirectoryEntry>{{"d", true, 0}});
    CHECK(disk->remove("d/a"));
    CHECK_FALSE(disk->remove("d/a"));
    CHECK(disk->list("d") == std::vector<DirectoryEntry>{{"b", false, 1}});
    CHECK_FALSE(disk->list("none"));
}

TEST_CASE("a stranger's folder leads nowhere, and nobody waits for it") {
    Folder folder;
    const auto disk = make_posix_disk(folder.path());
    REQUIRE(disk->take());
    write_text(folder / "file", "secret");
    REQUIRE(disk->make_directory("tile"));
    std::filesystem::create_symlink("file", folder / "link");
    std::filesystem::create_directory_symlink(".", folder / "tile/a");
    std::filesystem::create_directory_symlink("..", folder / "tile/b");
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    for (const char* name : {"link", "pipe", "tile", "tile/a"}) {
        INFO(name);
        const auto opened = disk->open(name, Disk::Access::read);
        REQUIRE_FALSE(opened.has_value());
        CHECK(opened.error().code == Errc::io);
    }
    CHECK(disk->list("") == std::vector<DirectoryEntry>{{"file", false, 6}, {"tile", true, 0}});
    CHECK(disk->list("tile") == std::vector<DirectoryEntry>{});
}

TEST_CASE("a full disk is an error of the write, with the path") {
    const auto disk = make_posix_disk("/dev");
    auto file = disk->open("full", Disk::Access::write).value();
    const auto written = file->write_at(0, "x");
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error().code == Errc::io);
    CHECK(written.error().where == "/dev/full");
}
