#include "policy/rules/service_account.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Request;

namespace {

using List = std::vector<std::string>;

List found(std::string_view rule, const Request& request) { return sample::found("serviceAccount", rule, request); }

std::string object(std::string_view spec) { return R"({"metadata":{"name":"web"},"spec":)" + std::string(spec) + "}"; }

Request pod(std::string_view spec) {
    Request request;
    request.object = object(spec);
    return request;
}

}  // namespace

TEST_CASE("a pod names a service account other than default") {
    const std::string want = ", want a service account other than default";
    struct Row {
        std::string_view name;
        std::string_view spec;
        List found;
    };
    const Row rows[] = {
        {"another", R"({"serviceAccountName":"web"})", {}},
        {"another, by the deprecated name", R"({"serviceAccount":"web"})", {}},
        {"both names", R"({"serviceAccountName":"web","serviceAccount":"web"})", {}},
        {"the new name counts", R"({"serviceAccountName":"web","serviceAccount":"default"})", {}},
        {"the new name counts, here too",
         R"({"serviceAccountName":"default","serviceAccount":"web"})",
         {".spec.serviceAccountName: have \"default\"" + want}},
        {"none", "{}", {".spec.serviceAccountName: have (absent)" + want}},
        {"null", R"({"serviceAccountName":null})", {".spec.serviceAccountName: have (absent)" + want}},
        {"empty", R"({"serviceAccountName":""})", {".spec.serviceAccountName: have \"\"" + want}},
        {"default", R"({"serviceAccountName":"default"})", {".spec.serviceAccountName: have \"default\"" + want}},
        {"default, by the deprecated name", R"({"serviceAccount":"default"})", {".spec.serviceAccount: have \"default\"" + want}},
        {"one that begins alike", R"({"serviceAccountName":"default2"})", {}},
        {"of a wrong type", R"({"serviceAccountName":{"name":"web"}})", {".spec.serviceAccountName: have an object" + want}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found("{denyDefault: true}", pod(row.spec)) == row.found);
    }
    Request deployment;
    deployment.group = "apps";
    deployment.resource = "deployments";
    deployment.object = R"({"spec":{"template":{"spec":{"containers":[]}}}})";
    CHECK(found("{denyDefault: true}", deployment) == List{".spec.template.spec.serviceAccountName: have (absent)" + want});
}

TEST_CASE("a token is mounted only if the policy lets it") {
    constexpr std::string_view kField = ".spec.automountServiceAccountToken: have ";
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string_view spec;
        std::string_view have;  // "" if all is well
    };
    const Row rows[] = {
        {"false", "{automount: false}", R"({"automountServiceAccountToken":false})", ""},
        {"true", "{automount: false}", R"({"automountServiceAccountToken":true})", "true, want false"},
        {"absent", "{automount: false}", "{}", "(absent), which is true, want false"},
        {"null", "{automount: false}", R"({"automountServiceAccountToken":null})", "(absent), which is true, want false"},
        {"absent, unset: deny", "{automount: false, unset: deny}", "{}", "(absent), which is true, want false"},
        {"absent, unset: allow", "{automount: false, unset: allow}", "{}", ""},
        {"null, unset: allow", "{automount: false, unset: allow}", R"({"automountServiceAccountToken":null})", ""},
        {"true, unset: allow", "{automount: false, unset: allow}", R"({"automountServiceAccountToken":true})", "true, want false"},
        {"of a wrong type", "{automount: false, unset: allow}", R"({"automountServiceAccountToken":"false"})", "\"false\", want false"},
        {"automount: true asks for nothing", "{automount: true, denyDefault: true}",
         R"({"serviceAccountName":"web","automountServiceAccountToken":true})", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.rule, pod(row.spec)) == (row.have.empty() ? List{} : List{std::string(kField) + std::string(row.have)}));
    }
}

TEST_CASE("an update is blamed only for a service account it touches") {
    struct Row {
        std::string_view name;
        std::string_view before;
        std::string_view after;
        bool judged;
    };
    const Row rows[] = {
        {"nothing", "{}", "{}", false},
        {"another field", R"({"serviceAccountName":"default"})", R"({"serviceAccountName":"default","hostname":"a"})", false},
        {"the name", R"({"serviceAccountName":"web"})", R"({"serviceAccountName":"default"})", true},
        {"the deprecated name", R"({"serviceAccount":"web"})", R"({"serviceAccount":"default"})", true},
        {"the token", R"({"automountServiceAccountToken":true})", "{}", true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request = pod(row.after);
        request.operation = "UPDATE";
        request.old_object = object(row.before);
        CHECK(found("{denyDefault: true, automount: false}", request).empty() != row.judged);
        request.sub_resource = "ephemeralcontainers";
        CHECK(found("{denyDefault: true, automount: false}", request).empty());
    }
}

TEST_CASE("what the rule serviceAccount must not hold is a problem with its place") {
    struct Row {
        std::string rule;
        std::string problem;
    };
    const std::string at = "spec.rules[0].serviceAccount.";
    const std::string nothing = "p.yaml:6:31: serviceAccount: demands nothing; give denyDefault: true or automount: false";
    const Row rows[] = {
        {"{}", nothing},
        {"{denyDefault: false, automount: true}", nothing},
        {"{denyDefault: 1}", "p.yaml:6:45: " + at + "denyDefault: expected true or false, have an integer"},
        {"{automount: never}", "p.yaml:6:43: " + at + "automount: expected true or false, have a string"},
        {"{automount: false, unset: alow}",
         "p.yaml:6:57: " + at + "unset: have \"alow\", expected one of: deny, allow (did you mean \"allow\"?)"},
        {"{denyDefault: true, unset: allow}", "p.yaml:6:58: " + at + "unset: says nothing without automount: false"},
        {"{denyDefaults: true}",
         "p.yaml:6:32: " + at +
             "denyDefaults: unknown field (did you mean \"denyDefault\"?); expected one of: denyDefault, automount, unset"},
    };
    for (const Row& row : rows) {
        INFO(row.rule);
        CHECK(sample::problems_of_rule("serviceAccount", row.rule) == row.problem);
    }
}
