#include "cli/audit/guarded_writes.hpp"

#include "policy/loader.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;
using audit::ApiEvent;
using audit::Guarded;

namespace {

constexpr const char* kPolicies = R"(apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {name: production}
spec:
  match:
    namespaces: ["prod-*"]
    excludeNamespaces: [prod-sandbox]
    resourceRules: [{apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: [CREATE, UPDATE, DELETE]}]
    excludeResourceRules: [{apiGroups: [""], apiVersions: ["*"], resources: [secrets], operations: ["*"]}]
  rules:
  - name: only-git
    lock: {writers: [flux]}
---
apiVersion: fluxgate.dev/v1alpha1
kind: GuardPolicy
metadata: {name: workloads}
spec:
  match: {namespaces: [staging]}
  rules:
  - name: accounts
    serviceAccount: {denyDefault: true}
)";

ApiEvent event(const std::string& verb, const std::string& space, const std::string& resource, const std::string& group = "",
               const std::string& sub_resource = "", bool dry_run = false) {
    return {.verb = verb,
            .group = group,
            .version = "v1",
            .resource = resource,
            .sub_resource = sub_resource,
            .namespace_name = space,
            .name = "web",
            .dry_run = dry_run};
}

}  // namespace

TEST_CASE("guarded is what a lock is about") {
    const auto compiled = policy::compile({{"policies.yaml", kPolicies}}, policy::CompileOptions{});
    REQUIRE(compiled.set);
    const GuardedWrites guarded = GuardedWrites::by(compiled.set);
    struct Row {
        const char* name;
        ApiEvent event;
        Guarded expected;
    };
    const std::vector<Row> rows{
        {"a create", event("create", "prod-shop", "deployments", "apps"), Guarded::yes},
        {"an apply", event("patch", "prod-shop", "deployments", "apps"), Guarded::yes},
        {"a delete of many", event("deletecollection", "prod-shop", "pods"), Guarded::yes},
        {"a status", event("update", "prod-shop", "pods", "", "status"), Guarded::yes},
        {"the namespace itself", event("patch", "prod-shop", "namespaces"), Guarded::yes},
        {"a dry run", event("patch", "prod-shop", "deployments", "apps", "", true), Guarded::stores_nothing},
        {"a dry run that gives a token all the same", event("create", "prod-shop", "serviceaccounts", "", "token", true), Guarded::yes},
        {"an operation that the match leaves out", event("create", "prod-shop", "pods", "", "exec"), Guarded::no},
        {"a resource that the match leaves out", event("update", "prod-shop", "secrets"), Guarded::no},
        {"a namespace that the match leaves out", event("update", "prod-sandbox", "pods"), Guarded::no},
        {"a namespace without a lock", event("update", "staging", "pods"), Guarded::no},
        {"an Event", event("create", "prod-shop", "events"), Guarded::no},
        {"an Event of the newer group", event("patch", "prod-shop", "events", "events.k8s.io"), Guarded::no},
        {"events of somebody else's group", event("create", "prod-shop", "events", "shop.example.com"), Guarded::yes},
        {"a Lease", event("update", "prod-shop", "leases", "coordination.k8s.io"), Guarded::no},
        {"a question about access", event("create", "prod-shop", "localsubjectaccessreviews", "authorization.k8s.io"), Guarded::no},
        {"what is in no namespace", event("create", "", "clusterroles", "rbac.authorization.k8s.io"), Guarded::no},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(guarded(row.event) == row.expected);
    }
}

TEST_CASE("without policies guarded is every write in some namespaces, or in any") {
    const GuardedWrites some = GuardedWrites::in({"web", "api"});
    CHECK(some(event("create", "api", "pods", "", "exec")) == Guarded::yes);
    CHECK(some(event("update", "web", "secrets")) == Guarded::yes);
    CHECK(some(event("update", "web", "secrets", "", "", true)) == Guarded::stores_nothing);
    CHECK(some(event("update", "web2", "secrets")) == Guarded::no);
    CHECK(some(event("create", "web", "events")) == Guarded::no);
    CHECK(some(event("create", "web", "localsubjectaccessreviews", "authorization.k8s.io")) == Guarded::no);
    CHECK(GuardedWrites::everywhere()(event("update", "web2", "secrets")) == Guarded::yes);
    CHECK(GuardedWrites::everywhere()(event("update", "", "nodes")) == Guarded::no);
    CHECK(GuardedWrites::in({})(event("update", "web", "secrets")) == Guarded::no);
}
