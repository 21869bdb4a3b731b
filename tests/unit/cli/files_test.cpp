#include "cli/files.hpp"

#include <sys/stat.h>

#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;
using audit::testing::Folder;

TEST_CASE("what was written is read back, byte for byte") {
    Folder folder;
    for (const std::string& text :
         {std::string(), std::string("a"), std::string("a\0b\n", 4), std::string(100'000, 'x'), std::string(16'384, 'y')}) {
        INFO(text.size() << " bytes");
        REQUIRE(write_file(folder / "file", text, 0644).has_value());
        CHECK(read_file(folder / "file").value() == text);
    }
}

TEST_CASE("a key is never readable by others") {
    Folder folder;
    REQUIRE(write_file(folder / "key", "secret", 0600).has_value());
    struct stat status {};
    REQUIRE(::stat((folder / "key").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("what cannot be read or written is said with path and reason") {
    Folder folder;
    struct Row {
        const char* name;
        Result<void> result;
        std::filesystem::path path;
    };
    const auto reading = [](const std::filesystem::path& path) {
        const auto read = read_file(path);
        return read ? Result<void>() : Result<void>(tl::unexpected(read.error()));
    };
    const std::vector<Row> rows{
        {"a file that is not there", reading(folder / "missing"), folder / "missing"},
        {"a folder", reading(folder.path()), folder.path()},
        {"an empty path", reading(""), ""},
        {"writing over a folder", write_file(folder.path(), "x", 0644), folder.path()},
        {"writing below nothing", write_file(folder / "no/file", "x", 0644), folder / "no/file"},
        {"writing to a full disk", write_file("/dev/full", "x", 0644), "/dev/full"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        REQUIRE_FALSE(row.result.has_value());
        CHECK(row.result.error().code == Errc::io);
        CHECK(row.result.error().where == row.path.string());
        CHECK(row.result.error().message.find("cannot ") == 0);
    }
}
