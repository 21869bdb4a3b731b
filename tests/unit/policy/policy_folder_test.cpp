#include "policy/policy_folder.hpp"

#include <cstdlib>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
namespace fs = std::filesystem;

namespace {

class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "fluxgate-folder-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
    void write(const std::string& name, const std::string& text) const { std::ofstream(path / name) << text; }

    fs::path path;
};

const std::string kOne = sample::rule("probes: {all: [readinessProbe]}", "one");
const std::string kTwo = sample::rule("probes: {all: [livenessProbe]}", "two");
const std::string kBad = sample::rule("probes: {all: [readynessProbe]}", "bad");

}  // namespace

TEST_CASE("a look says what is new, once") {
    const Folder folder;
    folder.write("a.yaml", kOne);
    PolicyFolder policies(folder.path, {});
    const auto first = policies.look({});
    REQUIRE(first.has_value());
    REQUIRE(first->set != nullptr);
    CHECK(first->set->policies.size() == 1);
    CHECK_FALSE(policies.look({}).has_value());

    folder.write("b.yaml", kTwo);
    const auto second = policies.look({});
    REQUIRE(second.has_value());
    CHECK(second->set->policies.size() == 2);
    CHECK(second->set->digest != first->set->digest);

    // The same text again, and files that are no policies: nothing new.
    folder.write("b.yaml", kTwo);
    CHECK_FALSE(policies.look({}).has_value());
    folder.write("notes.txt", "x");
    folder.write("..hidden.yaml", kBad);
    CHECK_FALSE(policies.look({}).has_value());
}

TEST_CASE("the files of each good set can be taken once, to be archived") {
    const Folder folder;
    folder.write("a.yaml", kOne);
    PolicyFolder policies(folder.path, {});
    REQUIRE(policies.look({}).has_value());
    CHECK(policies.take_archive() == archive_of({{"a.yaml", kOne}}));
    CHECK(policies.take_archive().empty());
    folder.write("b.yaml", kBad);
    REQUIRE(policies.look({}).has_value());
    CHECK(policies.take_archive().empty());
    folder.write("b.yaml", kTwo);
    REQUIRE(policies.look({}).has_value());
    CHECK(policies.take_archive() == archive_of({{"a.yaml", kOne}, {"b.yaml", kTwo}}));
}

TEST_CASE("what does not compile comes with every problem, and what was good before counts as new when it is back") {
    const Folder folder;
    folder.write("a.yaml", kOne);
    PolicyFolder policies(folder.path, {});
    REQUIRE(policies.look({})->set != nullptr);

    folder.write("b.yaml", kBad);
    const auto bad = policies.look({});
    REQUIRE(bad.has_value());
    CHECK(bad->set == nullptr);
    REQUIRE_FALSE(bad->problems.empty());
    CHECK(bad->problems[0].starts_with((folder.path / "b.yaml").string() + ":6:30: spec.rules[0].probes.all[0]"));
    CHECK_FALSE(policies.look({}).has_value());

    fs::remove(folder.path / "b.yaml");
    const auto back = policies.look({});
    REQUIRE(back.has_value());
    CHECK(back->set != nullptr);
}

TEST_CASE("a folder that cannot be read, is gone or is empty is a change without a set") {
    const Folder folder;
    PolicyFolder missing(folder.path / "missing", {});
    const auto gone = missing.look({});
    REQUIRE(gone.has_value());
    CHECK(gone->set == nullptr);
    REQUIRE(gone->problems.size() == 1);
    CHECK(gone->problems[0].find((folder.path / "missing").string()) != std::string::npos);
    CHECK_FALSE(missing.look({}).has_value());

    PolicyFolder empty(folder.path, {});
    const auto nothing = empty.look({});
    REQUIRE(nothing.has_value());
    CHECK(nothing->set == nullptr);
    CHECK(nothing->problems.at(0).find("no GuardPolicy found") != std::string::npos);

    folder.write("a.yaml", kOne);
    fs::create_symlink(folder.path / "nowhere", folder.path / "b.yaml");
    const auto dangling = empty.look({});
    REQUIRE(dangling.has_value());
    CHECK(dangling->set == nullptr);
    CHECK(dangling->problems.at(0).find("b.yaml") != std::string::npos);
}

TEST_CASE("the swap of a mounted ConfigMap is one change") {
    const Folder folder;
    const auto publish = [&](const std::string& version, const std::string& text) {
        fs::create_directory(folder.path / version);
        folder.write(version + "/policy.yaml", text);
        fs::create_directory_symlink(version, folder.path / "..data_tmp");
        fs::rename(folder.path / "..data_tmp", folder.path / "..data");
    };
    publish("..1", kOne);
    fs::create_symlink("..data/policy.yaml", folder.path / "policy.yaml");
    PolicyFolder policies(folder.path, {});
    REQUIRE(policies.look({})->set->policies[0].name == "one");
    publish("..2", kTwo);
    REQUIRE(policies.look({})->set->policies[0].name == "two");
    CHECK_FALSE(policies.look({}).has_value());
}

TEST_CASE("folders beyond the limits are refused, each limit by name") {
    const Folder folder;
    for (int i = 0; i < 4; ++i)
        folder.write(std::to_string(i) + ".yaml", sample::rule("probes: {all: [readinessProbe]}", "p" + std::to_string(i)));
    const auto refused = [&](const Limits& limits) {
        PolicyFolder policies(folder.path, {.limits = limits});
        const auto change = policies.look({});
        REQUIRE(change.has_value());
        CHECK(change->set == nullptr);
        return change->problems.at(0);
    };
    Limits limits;
    limits.policy_files_max = 3;
    CHECK(refused(limits).find("4 policy files; at most 3") != std::string::npos);
    limits = {};
    limits.policy_set_bytes_max = 300;
    CHECK(refused(limits).find("more than 300 bytes of policy files") != std::string::npos);
    limits = {};
    limits.policy_file_bytes_max = 50;
    CHECK(refused(limits).find("50") != std::string::npos);
    folder.write("big.yaml", std::string(10u << 20, '#'));
    CHECK(refused(Limits{}).find("big.yaml") != std::string::npos);
}
