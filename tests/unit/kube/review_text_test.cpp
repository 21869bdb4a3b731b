#include "kube/review_text.hpp"

#include "kube/resource_kinds.hpp"
#include "tests/support/catch.hpp"

namespace fluxgate::kube {

TEST_CASE("a written review is read back as it was meant, whatever the names hold") {
    const std::string odd = "a\"b\\c\n\x01";
    const std::string text = write_review({.uid = "u-1",
                                           .kind = {"apps", "v1", "Deployment"},
                                           .resource = {"apps", "v1", "deployments"},
                                           .sub_resource = "scale",
                                           .name = odd,
                                           .namespace_name = "production",
                                           .operation = Operation::update,
                                           .user = R"({"username":"alice","groups":["g"]})",
                                           .object = R"({"spec":{"replicas":2}})",
                                           .old_object = R"({"spec":{"replicas":1}})",
                                           .dry_run = true});
    ReviewReader reader(Limits{});
    const auto review = reader.read(text);
    REQUIRE(review);
    CHECK(review->uid == "u-1");
    CHECK(review->resource_name() == "deployments.apps/scale");
    CHECK(review->name == odd);
    CHECK(review->namespace_name == "production");
    CHECK(review->operation == Operation::update);
    CHECK(review->user.in_group("g"));
    CHECK(review->dry_run);
    CHECK(review->object["spec"]["replicas"].integer() == 2);
    CHECK(review->old_object["spec"]["replicas"].integer() == 1);
}

TEST_CASE("kinds have the resource that Kubernetes stores them as") {
    ResourceKinds kinds;
    struct Row {
        std::string_view group;
        std::string_view kind;
        std::string_view resource;
        bool namespaced;
        bool guessed;
    };
    for (const Row& row :
         {Row{"apps", "Deployment", "deployments", true, false}, Row{"", "Endpoints", "endpoints", true, false},
          Row{"networking.k8s.io", "Ingress", "ingresses", true, false},
          Row{"networking.k8s.io", "NetworkPolicy", "networkpolicies", true, false}, Row{"", "Namespace", "namespaces", false, false},
          Row{"source.toolkit.fluxcd.io", "GitRepository", "gitrepositories", true, false},
          Row{"example.com", "Policy", "policies", true, true}, Row{"example.com", "Bus", "buses", true, true},
          Row{"example.com", "Widget", "widgets", true, true}}) {
        INFO(row.kind);
        const ResourceKind found = kinds.find(row.group, row.kind);
        CHECK(found.resource == row.resource);
        CHECK(found.namespaced == row.namespaced);
        CHECK(found.guessed == row.guessed);
    }
}

TEST_CASE("a CustomResourceDefinition teaches its kind; another object does not") {
    ResourceKinds kinds;
    JsonReader reader(Limits{});
    const std::string crd = with_slack(
        R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","spec":{"group":"example.com","scope":"Cluster","names":{"kind":"Mouse","plural":"mice"}}})");
    CHECK(kinds.learn(*reader.read(crd)));
    CHECK(kinds.find("example.com", "Mouse").resource == "mice");
    CHECK(!kinds.find("example.com", "Mouse").namespaced);
    CHECK(!kinds.find("example.com", "Mouse").guessed);
    CHECK(kinds.find("example.org", "Mouse").guessed);
    const std::string other = with_slack(R"({"apiVersion":"v1","kind":"ConfigMap"})");
    CHECK(!kinds.learn(*reader.read(other)));
}

TEST_CASE("an apiVersion splits into group and version") {
    CHECK(split_api_version("apps/v1") == std::pair<std::string_view, std::string_view>("apps", "v1"));
    CHECK(split_api_version("v1") == std::pair<std::string_view, std::string_view>("", "v1"));
}

}  // namespace fluxgate::kube
