#include "cli/cluster_access.hpp"

#include "cli/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;
using audit::testing::Folder;

TEST_CASE("which API server is watched") {
    Folder folder;
    REQUIRE(write_file(folder / "token", "t", 0600).has_value());
    REQUIRE(write_file(folder / "namespace", "fluxgate-system", 0600).has_value());
    REQUIRE(write_file(folder / "kubeconfig",
                       "{apiVersion: v1, kind: Config, current-context: one, contexts: [{name: one, context: {cluster: c, user: u}}, "
                       "{name: two, context: {cluster: d, user: u}}], clusters: [{name: c, cluster: {server: \"http://127.0.0.1:1001\"}}, "
                       "{name: d, cluster: {server: \"http://127.0.0.1:1002\"}}], users: [{name: u, user: {token: t}}]}",
                       0600)
                .has_value());
    const std::string file = (folder / "kubeconfig").string();
    const std::string place = (folder / "token").parent_path().string();
    struct Row {
        const char* name;
        ClusterAccessFlags flags;
        kube::client::PodEnvironment environment;
        std::optional<std::uint16_t> port;
        bool warns = false;
    };
    const std::vector<Row> rows{
        {"none outside a cluster", {}, {"", "", place}, std::nullopt},
        {"none in a Pod without a token", {}, {"10.0.0.1", "443", place + "/nowhere"}, std::nullopt, true},
        {"none in a Pod without a token if that is wanted", {"", "", true}, {"10.0.0.1", "443", place + "/nowhere"}, std::nullopt},
        {"a kubeconfig in a Pod without a token", {file, "", false}, {"10.0.0.1", "443", place + "/nowhere"}, 1001},
        {"a kubeconfig", {file, "", false}, {"", "", place}, 1001},
        {"a kubeconfig in a Pod", {file, "", false}, {"10.0.0.1", "443", place}, 1001},
        {"another context of it", {file, "two", false}, {"", "", place}, 1002},
        {"none in a Pod if that is wanted", {"", "", true}, {"10.0.0.1", "443", place}, std::nullopt},
    };
    const SystemClock clock;
    for (const Row& row : rows) {
        INFO(row.name);
        const auto access = find_cluster_access(row.flags, row.environment, clock);
        if (!access) FAIL(to_string(access.error()));
        CHECK(access->has_value() == row.port.has_value());
        CHECK(why_pod_without_access(row.flags, row.environment).has_value() == row.warns);
        if (*access && row.port) CHECK((*access)->port == *row.port);
    }
}

TEST_CASE("access that is meant and cannot be used is an error that names the file") {
    Folder folder;
    REQUIRE(write_file(folder / "token", "t", 0600).has_value());
    const std::string place = (folder / "token").parent_path().string();
    const SystemClock clock;
    const auto in_pod = find_cluster_access({}, {"10.0.0.1", "443", place}, clock);
    REQUIRE_FALSE(in_pod.has_value());  // without ca.crt
    CHECK(to_string(in_pod.error()).find("ca.crt") != std::string::npos);
    const auto missing = find_cluster_access({place + "/missing", "", false}, {}, clock);
    REQUIRE_FALSE(missing.has_value());
    CHECK(to_string(missing.error()).find("/missing") != std::string::npos);
}
