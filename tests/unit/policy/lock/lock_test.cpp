#include "policy/lock/lock.hpp"

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

const std::string kLock = sample::rule("lock: {writers: [flux, kubernetes]}");

Verdict judge(const Request& request, const std::string& policy = kLock) {
    const auto set = sample::compiled(policy);
    return evaluate(*Read(request), *set, {});
}

Request about(std::string operation, std::string resource, std::string sub_resource = "") {
    Request request;
    request.resource = std::move(resource);
    request.sub_resource = std::move(sub_resource);
    return sample::with_operation(request, std::move(operation));
}

}  // namespace

TEST_CASE("in a locked namespace every write by a person is refused, and every write by Flux passes") {
    const std::pair<const char*, const char*> rows[] = {
        {"CREATE", "pods"},
        {"UPDATE", "pods"},
        {"DELETE", "pods"},
        {"CREATE", "pods/eviction"},
        {"CREATE", "pods/binding"},
        {"CONNECT", "pods/exec"},
        {"CONNECT", "pods/attach"},
        {"CONNECT", "pods/portforward"},
        {"CONNECT", "pods/proxy"},
        {"CONNECT", "services/proxy"},
        {"UPDATE", "pods/ephemeralcontainers"},
        {"UPDATE", "pods/resize"},
        {"UPDATE", "pods/status"},
        {"UPDATE", "deployments/scale"},
        {"CREATE", "serviceaccounts/token"},
        {"UPDATE", "widgets/anything"},
        {"CREATE", "configmaps"},
        {"DELETE", "widgets"},
    };
    for (const auto& [operation, what] : rows) {
        INFO(operation << " " << what);
        const std::string text = what;
        const auto slash = text.find('/');
        Request request = about(operation, text.substr(0, slash), slash == std::string::npos ? "" : text.substr(slash + 1));
        const Verdict refused = judge(request);
        CHECK_FALSE(refused.allowed);
        CHECK(refused.effective);
        CHECK(refused.write_class == WriteClass::exceptional);
        CHECK(refused.writer.empty());
        REQUIRE_FALSE(refused.violations.empty());
        CHECK(refused.violations[0].path == ".");
        CHECK(refused.violations[0].have == std::string(operation) + " by alice@example.com (no writer)");
        CHECK(refused.violations[0].want == "a writer: flux or kubernetes");

        request.user = sample::kFlux;
        const Verdict passed = judge(request);
        CHECK(passed.allowed);
        CHECK(passed.violations.empty());
        CHECK(passed.write_class == WriteClass::routine);
        CHECK(passed.writer == "flux");
        CHECK(passed.assurance == Assurance::pod_bound);
    }
}

TEST_CASE("questions to the API server pass in a locked namespace, because nothing is written") {
    struct Case {
        std::string_view group;
        std::string_view resource;
        const char* operation;
        bool passes;
    };
    const Case cases[] = {
        {"authorization.k8s.io", "localsubjectaccessreviews", "CREATE", true},
        {"authorization.k8s.io", "subjectaccessreviews", "CREATE", true},
        {"authorization.k8s.io", "selfsubjectaccessreviews", "CREATE", true},
        {"authorization.k8s.io", "selfsubjectrulesreviews", "CREATE", true},
        {"authentication.k8s.io", "tokenreviews", "CREATE", true},
        {"authentication.k8s.io", "selfsubjectreviews", "CREATE", true},
        {"authorization.k8s.io", "localsubjectaccessreviews", "UPDATE", false},
        {"authorization.k8s.io", "tokenreviews", "CREATE", false},
        {"authentication.k8s.io", "others", "CREATE", false},
        {"example.com", "localsubjectaccessreviews", "CREATE", false},
        {"example.com", "tokenreviews", "CREATE", false},
    };
    for (const Case& one : cases) {
        INFO(one.operation << " " << one.group << "/" << one.resource);
        Request request = about(one.operation, std::string(one.resource));
        request.group = one.group;
        const Verdict verdict = judge(request);
        CHECK(verdict.allowed == one.passes);
        CHECK((verdict.write_class == WriteClass::unguarded) == one.passes);
        request.sub_resource = "status";
        CHECK_FALSE(judge(request).allowed);
    }
}

TEST_CASE("a refusal says why somebody who looks like a writer is none") {
    struct Row {
        std::string_view name;
        std::string user;
        std::string why;
    };
    const Row rows[] = {
        {"a minted token", sample::token("flux-system", "kustomize-controller"), "(proof \"token\", flux needs \"pod-bound\")"},
        {"--as", sample::impersonated("flux-system", "kustomize-controller"), "(proof \"impersonated\", flux needs \"pod-bound\")"},
        {"a certificate",
         R"({"username":"system:serviceaccount:flux-system:kustomize-controller","groups":["system:serviceaccounts","system:serviceaccounts:flux-system"],)"
         R"("extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=1"]}})",
         "(proof \"none\", flux needs \"pod-bound\")"},
        {"a controller outside its work", sample::token("kube-system", "endpoint-controller"), "(kubernetes may not CREATE pods)"},
        {"a stranger", sample::pod_bound("default", "tool"), "(no writer)"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request;
        request.user = row.user;
        const Verdict verdict = judge(request);
        REQUIRE(verdict.violations.size() == 1);
        CHECK(verdict.violations[0].have.find(row.why) != std::string::npos);
    }
    Request nobody;
    nobody.user = "{}";
    CHECK(judge(nobody).violations.at(0).have == "CREATE by a caller without a name (no writer)");
}

TEST_CASE("a refused update names the fields it would change") {
    Request request = about("UPDATE", "deployments");
    request.group = "apps";
    request.old_object =
        R"({"metadata":{"name":"web"},"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"web","image":"nginx:1"}]}}}})";
    request.object =
        R"({"metadata":{"name":"web"},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"web","image":"nginx:evil"}]}}}})";
    const Verdict verdict = judge(request);
    REQUIRE(verdict.violations.size() == 3);
    CHECK(verdict.violations[1] == Violation{"p", "r", ".spec.replicas", "3", "2", Action::deny});
    CHECK(verdict.violations[2] ==
          Violation{"p", "r", R"(.spec.template.spec.containers[name="web"].image)", R"("nginx:evil")", R"("nginx:1")", Action::deny});
}

TEST_CASE("deleting what is being deleted already passes, and nothing else that looks like it") {
    constexpr const char* kDying = R"({"metadata":{"name":"web","deletionTimestamp":"2026-11-21T05:30:48Z"}})";
    Request finishes = about("DELETE", "pods");
    finishes.old_object = kDying;
    const Verdict verdict = judge(finishes);
    CHECK(verdict.allowed);
    CHECK(verdict.violations.empty());
    CHECK(verdict.write_class == WriteClass::exceptional);  // remembered: it was no writer

    Request null_timestamp = finishes;
    null_timestamp.old_object = R"({"metadata":{"name":"web","deletionTimestamp":null}})";
    CHECK_FALSE(judge(null_timestamp).allowed);

    Request update = about("UPDATE", "pods");
    update.object = update.old_object = kDying;  // removing a finalizer deletes without a DELETE
    CHECK_FALSE(judge(update).allowed);

    Request forged = about("UPDATE", "pods");
    forged.object = kDying;
    CHECK_FALSE(judge(forged).allowed);

    Request sub_resource = about("DELETE", "pods", "status");
    sub_resource.old_object = kDying;
    CHECK_FALSE(judge(sub_resource).allowed);
}

TEST_CASE("deleting a collection is judged by the object that is deleted") {
    Request request = about("DELETE", "deployments");
    request.name = "";
    request.old_object = R"({"metadata":{"name":"web","namespace":"production"}})";
    CHECK_FALSE(judge(request).allowed);
    const std::string by_name = sample::policy("  match: {names: [web]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n");
    CHECK_FALSE(judge(request, by_name).allowed);
    request.old_object = R"({"metadata":{"name":"api","namespace":"production"}})";
    CHECK(judge(request, by_name).allowed);
}

TEST_CASE("a dry run passes with a warning where it changes nothing, and is judged as real elsewhere") {
    struct Row {
        const char* operation;
        const char* resource;
        const char* sub_resource;
        bool relaxed;
    };
    const Row rows[] = {
        {"CREATE", "pods", "", true},
        {"UPDATE", "pods", "", true},
        {"DELETE", "pods", "", true},
        {"UPDATE", "pods", "status", true},
        {"UPDATE", "deployments", "scale", true},
        {"UPDATE", "pods", "ephemeralcontainers", true},
        {"UPDATE", "pods", "resize", true},
        {"CREATE", "serviceaccounts", "token", false},  // a dry run returns a token that works
        {"CONNECT", "pods", "exec", false},
        {"CONNECT", "pods", "", false},
        {"CREATE", "pods", "eviction", false},
        {"CREATE", "pods", "binding", false},
        {"UPDATE", "namespaces", "finalize", false},
        {"CREATE", "widgets", "anything", false},
        {"CREATE", "pods", "Status", false},
    };
    for (const Row& row : rows) {
        INFO(row.operation << " " << row.resource << "/" << row.sub_resource);
        Request request = about(row.operation, row.resource, row.sub_resource);
        request.dry_run = true;
        CHECK(dry_run_stores_nothing(*Read(request)) == row.relaxed);
        const Verdict verdict = judge(request);
        CHECK(verdict.allowed == row.relaxed);
        CHECK(verdict.effective != row.relaxed);
        CHECK(verdict.violations.empty() == row.relaxed);
        if (row.relaxed) {
            REQUIRE_FALSE(verdict.warnings.empty());
            CHECK(verdict.warnings[0].find("Fluxgate would deny: p/r") == 0);
        } else {
            CHECK(verdict.warnings.empty());
        }
        request.dry_run = false;
        CHECK_FALSE(judge(request).allowed);
    }
}

TEST_CASE("a dry run is promised the denial only where the real write would be denied") {
    Request request;
    request.dry_run = true;
    const auto with = [](const char* actions) {
        return sample::policy("  validationActions: [" + std::string(actions) + "]\n  rules: [{name: r, lock: {writers: [flux]}}]\n");
    };
    const Verdict warn = judge(request, with("Warn"));
    CHECK(warn.allowed);
    REQUIRE(warn.warnings.size() == 1);
    CHECK(warn.warnings[0].find("p/r: have CREATE by alice") == 0);
    const Verdict audit = judge(request, with("Audit"));
    CHECK(audit.allowed);
    CHECK(audit.warnings.empty());
}

TEST_CASE("every lock that matches must be satisfied") {
    const std::vector<std::string> policies{sample::rule("lock: {writers: [flux, kubernetes]}", "one"),
                                            sample::rule("lock: {writers: [flux]}", "two")};
    const auto set = sample::compiled(policies);
    Request request;
    request.user = sample::token("kube-system", "replicaset-controller");
    request.object = R"({"metadata":{"name":"web","ownerReferences":[{"kind":"ReplicaSet","controller":true}]}})";
    const Verdict verdict = evaluate(*Read(request), *set, {});
    CHECK_FALSE(verdict.allowed);
    REQUIRE(verdict.violations.size() == 1);
    CHECK(verdict.violations[0].policy == "two");
    CHECK(verdict.write_class == WriteClass::exceptional);
    request.user = sample::kFlux;
    CHECK(evaluate(*Read(request), *set, {}).write_class == WriteClass::routine);
}
