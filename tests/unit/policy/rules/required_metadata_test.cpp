#include "policy/rules/required_metadata.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Request;

namespace {

using List = std::vector<std::string>;

List found(std::string_view rule, const Request& request) { return sample::found("requiredMetadata", rule, request); }

Request object(std::string_view metadata) {
    Request request;
    request.object = R"({"metadata":{"name":"web",)" + std::string(metadata) + "}}";
    return request;
}

}  // namespace

TEST_CASE("an object carries the labels and annotations that it must") {
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string metadata;
        List found;
    };
    const std::string_view team = R"({labels: {team: "^[a-z-]+$"}})";
    const std::string want_team = ", want a value that matches ^[a-z-]+$";
    const Row rows[] = {
        {"present", R"({labels: {team: ""}})", R"("labels":{"team":"a"})", {}},
        {"present and empty", R"({labels: {team: ""}})", R"("labels":{"team":""})", {}},
        {"no labels", R"({labels: {team: ""}})", R"("labels":null)", {".metadata.labels.team: have (absent), want any value"}},
        {"another label", R"({labels: {team: ""}})", R"("labels":{"teams":"a"})", {".metadata.labels.team: have (absent), want any value"}},
        {"null", R"({labels: {team: ""}})", R"("labels":{"team":null})", {".metadata.labels.team: have (absent), want any value"}},
        {"a number", R"({labels: {team: ""}})", R"("labels":{"team":7})", {".metadata.labels.team: have 7, want any value"}},
        {"labels of a wrong type",
         R"({labels: {team: ""}})",
         R"("labels":"team")",
         {".metadata.labels.team: have (absent), want any value"}},
        {"a key with a domain",
         R"({labels: {app.kubernetes.io/name: ""}})",
         R"("labels":{"name":"web"})",
         {R"(.metadata.labels["app.kubernetes.io/name"]: have (absent), want any value)"}},
        {"a key with a domain, there", R"({labels: {app.kubernetes.io/name: ""}})", R"("labels":{"app.kubernetes.io/name":"web"})", {}},
        {"a pattern that matches", team, R"("labels":{"team":"team-a"})", {}},
        {"a pattern that does not", team, R"("labels":{"team":"Team A"})", {".metadata.labels.team: have \"Team A\"" + want_team}},
        {"a pattern that matches a part",
         R"({labels: {team: "[a-z]+"}})",
         R"("labels":{"team":"a1"})",
         {".metadata.labels.team: have \"a1\", want a value that matches [a-z]+"}},
        {"a pattern and an empty value", team, R"("labels":{"team":""})", {".metadata.labels.team: have \"\"" + want_team}},
        {"an annotation",
         R"({annotations: {Example.COM/owner: ".+@example\\.com"}})",
         R"("annotations":{"Example.COM/owner":"a@example.com"})",
         {}},
        {"an annotation among the labels",
         R"({annotations: {owner: ""}})",
         R"("labels":{"owner":"a"})",
         {".metadata.annotations.owner: have (absent), want any value"}},
        {"an annotation that is too long",
         R"({annotations: {owner: "a*"}})",
         R"("annotations":{"owner":")" + std::string((256u << 10) + 1, 'a') + "\"}",
         {".metadata.annotations.owner: have \"" + std::string(160, 'a') + "\"..., want a value that matches a*"}},
        {"several",
         R"({labels: {a: "", b: ""}, annotations: {c: ""}})",
         R"("labels":{"b":"1"})",
         {".metadata.labels.a: have (absent), want any value", ".metadata.annotations.c: have (absent), want any value"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.rule, object(row.metadata)) == row.found);
    }
}

TEST_CASE("any resource is asked, or the kinds that are named") {
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string group;
        std::string resource;
        std::string kind;
        bool asked;
    };
    const std::string_view any = R"({labels: {team: ""}})";
    const std::string_view deployments = R"({labels: {team: ""}, kinds: [Deployment, Certificate]})";
    const Row rows[] = {
        {"a Pod", any, "", "pods", "Pod", true},
        {"a ConfigMap", any, "", "configmaps", "ConfigMap", true},
        {"a kind of its own", any, "cert-manager.io", "certificates", "Certificate", true},
        {"one that is named", deployments, "apps", "deployments", "Deployment", true},
        {"one of its own that is named", deployments, "cert-manager.io", "certificates", "Certificate", true},
        {"one that is not named", deployments, "", "configmaps", "ConfigMap", false},
        {"one that begins alike", deployments, "x.io", "deploymentconfigs", "DeploymentConfig", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request;
        request.group = row.group;
        request.resource = row.resource;
        request.kind = row.kind;
        CHECK(found(row.rule, request).empty() != row.asked);
        request.sub_resource = "status";
        request.operation = "UPDATE";
        request.old_object = request.object;
        CHECK(found(row.rule, request).empty());
    }
}

TEST_CASE("an update is blamed only for the keys it touches") {
    struct Row {
        std::string_view name;
        std::string before;
        std::string after;
        bool judged;
    };
    const Row rows[] = {
        {"nothing", R"("labels":{"team":"A"})", R"("labels":{"team":"A"})", false},
        {"another label", R"("labels":{"team":"A"})", R"("labels":{"team":"A","x":"y"})", false},
        {"a finalizer goes", R"("labels":{"team":"A"},"finalizers":["x"])", R"("labels":{"team":"A"})", false},
        {"the value", R"("labels":{"team":"A"})", R"("labels":{"team":"B"})", true},
        {"the label goes", R"("labels":{"team":"a"})", R"("labels":{})", true},
        {"still absent", R"("labels":{})", R"("labels":null)", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request = object(row.after);
        request.operation = "UPDATE";
        request.old_object = object(row.before).object;
        CHECK(found(R"({labels: {team: "[a-z]+"}})", request).empty() != row.judged);
    }
}

TEST_CASE("what the rule requiredMetadata must not hold is a problem with its place") {
    struct Row {
        std::string rule;
        std::string problem;
    };
    const std::string at = "spec.rules[0].requiredMetadata.";
    const std::string nothing = "requiredMetadata: demands nothing; list keys under labels or annotations";
    const Row rows[] = {
        {"{}", "p.yaml:6:33: " + nothing},
        {"{labels: {}, annotations: {}, kinds: [Pod]}", "p.yaml:6:33: " + nothing},
        {"{labels: [team]}", "p.yaml:6:42: " + at + "labels: expected a mapping from keys to patterns, have a list"},
        {"{labels: {team: }}", "p.yaml:6:43: " + at + "labels.team: expected a pattern in quotes, or \"\" for any value; have null"},
        {"{labels: {team: 7}}", "p.yaml:6:49: " + at + "labels.team: expected a pattern in quotes, or \"\" for any value; have an integer"},
        {"{labels: {\"a b\": \"\"}}", "p.yaml:6:43: " + at + "labels.a b: no object can have this key; expected name or domain/name"},
        {"{labels: {Example.com/a: \"\"}}",
         "p.yaml:6:43: " + at + "labels.Example.com/a: no object can have this key; expected name or domain/name"},
        {"{annotations: {a/b/c: \"\"}}",
         "p.yaml:6:48: " + at + "annotations.a/b/c: no object can have this key; expected name or domain/name"},
        {"{labels: {team: \"[a\"}}", "p.yaml:6:49: " + at + "labels.team: is no regular expression that can be used: missing ]: [a"},
        {R"({labels: {team: '\pL{900}'}})",
         "p.yaml:6:49: " + at + "labels.team: is no regular expression that can be used: pattern too large - compile failed"},
        {"{labels: {team: \"" + std::string(1001, 'a') + "\"}}",
         "p.yaml:6:49: " + at + "labels.team: is 1001 bytes long; at most 1000 are allowed"},
        {"{labels: {a: \"\"}, kinds: []}",
         "p.yaml:6:58: " + at + "kinds: is an empty list, which reads as if no kind were meant; leave it out for every kind"},
        {"{labels: {a: \"\"}, kinds: [deployments]}",
         "p.yaml:6:59: " + at + "kinds[0]: \"deployments\" is no kind; expected one such as Deployment"},
        {"{labels: {a: \"\"}, kinds: [7]}", "p.yaml:6:59: " + at + "kinds[0]: expected a string, have an integer"},
        {"{label: {a: \"\"}}",
         "p.yaml:6:34: " + at + "label: unknown field (did you mean \"labels\"?); expected one of: labels, annotations, kinds"},
    };
    for (const Row& row : rows) {
        INFO(row.rule);
        CHECK(sample::problems_of_rule("requiredMetadata", row.rule) == row.problem);
    }
}
