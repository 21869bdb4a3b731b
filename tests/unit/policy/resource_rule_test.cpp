#include "policy/resource_rule.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

TEST_CASE("a resource pattern covers what it covers in a webhook rule") {
    struct Row {
        std::string_view pattern;
        std::string_view resource;
        std::string_view sub_resource;
        bool matches;
    };
    const Row rows[] = {
        {"pods", "pods", "", true},
        {"pods", "pods", "status", false},
        {"pods", "podtemplates", "", false},
        {"*", "pods", "", true},
        {"*", "pods", "exec", false},
        {"*/*", "pods", "", true},
        {"*/*", "pods", "exec", true},
        {"pods/*", "pods", "exec", true},
        {"pods/*", "pods", "", false},
        {"pods/*", "nodes", "proxy", false},
        {"*/scale", "deployments", "scale", true},
        {"*/scale", "deployments", "", false},
        {"*/scale", "deployments", "status", false},
        {"pods/status", "pods", "status", true},
        {"pods/status", "pods", "", false},
        {"Pods", "pods", "", false},
    };
    for (const Row& row : rows) {
        INFO(row.pattern << " and " << row.resource << "/" << row.sub_resource);
        CHECK(resource_matches(row.pattern, row.resource, row.sub_resource) == row.matches);
    }
}

TEST_CASE("a rule matches when group, version, resource and operation do") {
    ResourceRule rule;
    rule.api_groups = {"apps", ""};
    rule.resources = {"deployments", "pods"};
    rule.operations = Operations().with(kube::Operation::create).with(kube::Operation::remove);
    const auto request = [](std::string group, std::string resource, std::string version = "v1") {
        Request made;
        made.group = std::move(group);
        made.resource = std::move(resource);
        made.version = std::move(version);
        return made;
    };
    CHECK(rule.matches(*Read(request("apps", "deployments"))));
    CHECK(rule.matches(*Read(request("", "pods"))));
    CHECK(rule.matches(*Read(sample::with_operation(request("", "pods"), "DELETE"))));
    CHECK_FALSE(rule.matches(*Read(sample::with_operation(request("", "pods"), "UPDATE"))));
    CHECK_FALSE(rule.matches(*Read(sample::with_operation(request("", "pods"), "CONNECT"))));
    CHECK_FALSE(rule.matches(*Read(request("batch", "pods"))));
    CHECK_FALSE(rule.matches(*Read(request("apps", "statefulsets"))));

    rule.api_versions = {"v1"};
    CHECK(rule.matches(*Read(request("", "pods"))));
    CHECK_FALSE(rule.matches(*Read(request("", "pods", "v2"))));

    rule.api_groups = {"*"};
    CHECK(rule.matches(*Read(request("anything.example.com", "pods"))));
}
