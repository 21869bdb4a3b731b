#include "audit/blobs.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

namespace {

// `printf abc | sha256sum`
const std::string kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

}  // namespace

TEST_CASE("a blob is a file named by the digest of its bytes, and durable") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    CHECK(store_blob(*process, "abc") == "sha256:" + kAbc);
    CHECK(store_blob(*process, "abc") == "sha256:" + kAbc);  // again
    disk.lose_power();
    CHECK(disk.files() == std::map<std::string, std::string>{{"blobs/ba/" + kAbc, "abc"}});
    CHECK(read_blob(*disk.observe(), "sha256:" + kAbc) == "abc");
}

TEST_CASE("bytes that are not those of the digest are never given out, nor taken for stored") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    REQUIRE(store_blob(*process, "abc"));
    for (const char* forged : {"abd", "", "abcd"}) {
        INFO(forged);
        disk.overwrite("blobs/ba/" + kAbc, forged);
        const auto read = read_blob(*process, "sha256:" + kAbc);
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code == Errc::contradictory);
        CHECK(read.error().where == "blobs/ba/" + kAbc);
        CHECK(store_blob(*process, "abc").error().code == Errc::contradictory);
    }
}

TEST_CASE("a name that is no digest leads nowhere") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    for (const std::string& name : {std::string(), kAbc, "sha256:" + kAbc.substr(1), "sha256:" + kAbc + "0", "sha512:" + kAbc,
                                    "sha256:B" + kAbc.substr(1), "sha256:../../" + kAbc.substr(6)}) {
        INFO(name);
        CHECK(blob_path(name).error().code == Errc::invalid_argument);
        CHECK(read_blob(*process, name).error().code == Errc::invalid_argument);
    }
    CHECK(read_blob(*process, "sha256:" + kAbc).error().code == Errc::io);  // not there
}

TEST_CASE("a blob has a bound") {
    SimulatedDisk disk;
    const auto process = disk.start_process();
    const auto stored = store_blob(*process, std::string(kBlobBytesMax + 1, 'x'));
    REQUIRE_FALSE(stored.has_value());
    CHECK(stored.error().code == Errc::too_large);
    CHECK(disk.files().empty());
}
