#include "audit/used_grants.hpp"

#include <map>
#include <string>
#include <vector>

#include "audit/disk.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/audit/log_maker.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using audit::testing::Folder;
using audit::testing::kBegin;
using audit::testing::LogMaker;
using audit::testing::review;

namespace {

using Counts = std::map<std::string, std::uint64_t, std::less<>>;

Record use(std::vector<std::string> digests, const std::string& decision = "allowed", std::chrono::seconds after = {}) {
    Record record = review(after, decision);
    for (std::string& digest : digests) record.grants.push_back({"inc", std::move(digest), "T-1", "bob", "git"});
    return record;
}

}  // namespace

TEST_CASE("uses of grants are counted from the records of allowed writes") {
    using std::chrono::hours;
    Record quoted = use({});
    quoted.username = R"("grants":[{"digest":"sha256:c"}])";
    struct Row {
        std::string_view name;
        std::vector<Record> records;
        Counts counts;
    };
    const Row rows[] = {
        {"a write without a grant", {use({})}, {}},
        {"two uses of one", {use({"sha256:a"}), use({}), use({"sha256:a"})}, {{"sha256:a", 2}}},
        {"one use of two", {use({"sha256:a", "sha256:b"})}, {{"sha256:a", 1}, {"sha256:b", 1}}},
        {"a write that was denied", {use({"sha256:a"}, "denied")}, {}},
        {"a use long ago", {use({"sha256:a"}, "allowed", -hours(49)), use({"sha256:b"})}, {{"sha256:b", 1}}},
        {"a name that looks like a use", {quoted}, {}},
    };
    for (const Row& row : rows) {
        for (const bool published : {false, true}) {
            INFO(row.name << (published ? ", published" : ", not published yet"));
            const Folder folder;
            const auto disk = make_posix_disk(folder.path());
            LogMaker log(*disk);
            log.append(row.records);
            if (published) log.publish();
            const auto counts = count_used_grants(folder.path(), kBegin - hours(48));
            REQUIRE(counts);
            CHECK(*counts == row.counts);
        }
    }
}

TEST_CASE("old records are not read to the end, and one wrong clock does not end the count") {
    using std::chrono::hours;
    const Folder folder;
    const auto disk = make_posix_disk(folder.path());
    LogMaker log(*disk);
    log.append(use({"sha256:a"}));  // before too many old ones: not looked for
    log.append(std::vector<Record>(256, use({}, "allowed", -hours(50))));
    log.append(use({"sha256:a"}));
    log.append(std::vector<Record>(255, use({}, "allowed", -hours(50))));
    log.append(use({"sha256:a"}));
    CHECK(count_used_grants(folder.path(), kBegin - hours(48)) == Counts{{"sha256:a", 2}});
}

TEST_CASE("a folder that is not there cannot be counted") {
    CHECK(count_used_grants("/nowhere/at/all", WallTime{}).error().code == Errc::io);
}
