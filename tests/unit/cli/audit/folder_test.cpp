#include "cli/audit/folder.hpp"

#include <filesystem>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;
using audit::testing::Folder;

TEST_CASE("a folder that is no audit log is not taken for one without records") {
    const Folder directory;
    const auto refused = open_audit_folder(directory.path().string());
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::io);
    CHECK(refused.error().where == directory.path().string());
    CHECK_FALSE(open_audit_folder((directory.path() / "none").string()).has_value());

    for (const char* part : {"wal", "epochs", "checkpoint"}) {
        INFO(part);
        const Folder log;
        std::filesystem::create_directory(log.path() / part);
        CHECK(open_audit_folder(log.path().string()).has_value());
    }
}
