#include "webhook/make_record.hpp"

#include <functional>

#include "base/limits.hpp"
#include "policy/owner.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/webhook/support.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace fluxgate::webhook::testing;

namespace {

constexpr const char* kCanary = "c4n4ry-hunter2";

audit::Record record_of(const json& review, const policy::Verdict& verdict = {}) {
    const policy::Context context{.now = kNow};
    return make_record(*ReadReview(review), verdict, *demo_policies(), context, {"prod", "fluxgate-0"});
}
std::string text_of(const audit::Record& record) { return audit::encode(record, Limits{}.record_bytes_max).text(1); }

json review_of(const char* operation, const json& before, const json& after, const char* kind = "Deployment") {
    json review = update_review();
    json& request = review["request"];
    request["operation"] = operation;
    request["kind"]["kind"] = kind;
    const auto object_of = [&](const json& more) {
        json object = request["oldObject"];
        object["kind"] = kind;
        object.merge_patch(more);
        return object;
    };
    const json old_object = object_of(before);
    const json new_object = object_of(after);
    request["oldObject"] = std::string(operation) == "CREATE" ? json() : old_object;
    request["object"] = std::string(operation) == "DELETE" ? json() : new_object;
    return review;
}

using Changes = std::vector<audit::RecordedChange>;

}  // namespace

TEST_CASE("a record says which fields change") {
    const json web2{{"spec", {{"replicas", 9}, {"paused", true}}}, {"metadata", {{"resourceVersion", "2"}}}};
    CHECK(record_of(review_of("UPDATE", json::object(), web2)).changes ==
          Changes{{".spec.replicas", "9", "2"}, {".spec.paused", "true", "(absent)"}});
    const json replicas_by_number = [] {
        json spec;
        for (int i = 0; i < 150; ++i) spec["field" + std::to_string(i)] = i;
        return json{{"spec", spec}};
    }();
    const audit::Record many = record_of(review_of("UPDATE", json::object(), replicas_by_number));
    CHECK(many.changes.size() == 100);
    CHECK(many.changes_omitted == 50);
}

TEST_CASE("of an object that comes or goes a record says what runs in it and how often") {
    const json pods{{"spec",
                     {{"replicas", 3},
                      {"template",
                       {{"spec",
                         {{"initContainers", {{{"name", "setup"}, {"image", "setup:1"}}}},
                          {"containers", {{{"name", "web"}, {"image", "web:2"}, {"command", {kCanary}}}}}}}}}}}};
    const std::string below = ".spec.template.spec.";
    CHECK(record_of(review_of("CREATE", json::object(), pods)).changes ==
          Changes{{".spec.replicas", "3", "(absent)"},
                  {below + R"(initContainers[name="setup"].image)", R"("setup:1")", "(absent)"},
                  {below + R"(containers[name="web"].image)", R"("web:2")", "(absent)"}});
    CHECK(record_of(review_of("DELETE", pods, json::object())).changes ==
          Changes{{".spec.replicas", "(absent)", "3"},
                  {below + R"(initContainers[name="setup"].image)", "(absent)", R"("setup:1")"},
                  {below + R"(containers[name="web"].image)", "(absent)", R"("web:2")"}});
    CHECK(text_of(record_of(review_of("CREATE", json::object(), pods))).find(kCanary) == std::string::npos);
}

TEST_CASE("the extras of a user are kept, those that prove something apart, and bounded") {
    json review = update_review();
    json& extra = review["request"]["userInfo"]["extra"];
    extra = {{"authentication.kubernetes.io/credential-id", {"X509SHA256=ab"}}, {"oid", {"e-1"}}, {"long", {std::string(5'000, 'x')}}};
    const audit::Record record = record_of(review);
    CHECK(record.evidence == std::vector<std::pair<std::string, std::string>>{{"credential-id", "X509SHA256=ab"}});
    CHECK(record.extra == std::vector<std::pair<std::string, std::string>>{{"long", std::string(1'024, 'x')}, {"oid", "e-1"}});
    for (int i = 0; i < 100; ++i) extra["extra" + std::to_string(i)] = {"x"};
    CHECK(record_of(review).extra.size() == 32);
}

TEST_CASE("a record names the owner, violated rule or not, and where it gets what it applies, if that is known") {
    json review = update_review();
    CHECK(record_of(review).owner == "none (no labels of Flux)");
    for (const char* object : {"object", "oldObject"}) {
        review["request"][object]["metadata"]["labels"] = {{"kustomize.toolkit.fluxcd.io/name", "apps"},
                                                           {"kustomize.toolkit.fluxcd.io/namespace", "flux-system"}};
    }
    CHECK(record_of(review).owner == "Kustomization flux-system/apps");
    policy::Verdict verdict;
    verdict.owner = "HelmRelease apps/shop";
    verdict.owner_source = "https://git.example.com/shop";
    CHECK(record_of(review, verdict).owner == "HelmRelease apps/shop");
    CHECK(record_of(review, verdict).owner_source == "https://git.example.com/shop");
}

TEST_CASE("no record holds a value from a place where secrets are kept") {
    struct Row {
        const char* name;
        const char* kind;
        std::function<json(const std::string& value)> object;
    };
    const auto container = [](const json& more) {
        json one{{"name", "web"}};
        one.update(more);
        return json{{"spec", {{"template", {{"spec", {{"containers", {one}}}}}}}}};
    };
    const auto annotation = [](const char* name) {
        return [name](const std::string& value) { return json{{"metadata", {{"annotations", {{name, value}}}}}}; };
    };
    const auto spec = [](const char* field, auto wrap) {
        return [=](const std::string& value) { return json{{"spec", {{field, wrap(value)}}}}; };
    };
    const auto plain = [](const std::string& value) { return json(value); };
    const std::vector<Row> rows{
        {"data of a Secret", "Secret",
         [](const std::string& value) {
             return json{{"data", {{"key", value}}}};
         }},
        {"stringData of a Secret", "Secret",
         [](const std::string& value) {
             return json{{"stringData", {{"key", value}}}};
         }},
        {"data of a ConfigMap", "ConfigMap",
         [](const std::string& value) {
             return json{{"data", {{"key", value}}}};
         }},
        {"binaryData of a ConfigMap", "ConfigMap",
         [](const std::string& value) {
             return json{{"binaryData", {{"key", value}}}};
         }},
        {"the spec of a kind that calls itself a secret", "VaultSecret", spec("anything", plain)},
        {"the values of a HelmRelease", "HelmRelease",
         spec("values",
              [](const std::string& value) {
                  return json{{"db", {{"user", value}}}};
              })},
        {"what a Kustomization substitutes", "Kustomization",
         spec("postBuild",
              [](const std::string& value) {
                  return json{{"substitute", {{"user", value}}}};
              })},
        {"an environment variable", "Deployment",
         [&](const std::string& value) {
             return container({{"env", {{{"name", "A"}, {"value", value}}}}});
         }},
        {"arguments", "Deployment",
         [&](const std::string& value) {
             return container({{"args", {value}}});
         }},
        {"a command", "Deployment",
         [&](const std::string& value) {
             return container({{"command", {value}}});
         }},
        {"the header of a probe", "Deployment",
         [&](const std::string& value) {
             return container({{"livenessProbe", {{"httpGet", {{"httpHeaders", {{{"name", "Authorization"}, {"value", value}}}}}}}}});
         }},
        {"what was last applied", "Deployment", annotation("kubectl.kubernetes.io/last-applied-configuration")},
        {"a password by name", "Deployment", spec("dbPassword", plain)},
        {"a token by name, with what is below it", "Deployment",
         spec("api-token",
              [](const std::string& value) {
                  return json{{"below", {value}}};
              })},
        {"a URL with a password", "Deployment",
         spec("url", [](const std::string& value) { return json("https://me:" + value + "@git/x"); })},
        {"a PEM block", "Deployment", spec("pem", [](const std::string& value) { return json("-----BEGIN KEY-----\n" + value); })},
        {"a JSON Web Token", "Deployment", spec("header", [](const std::string& value) { return json("Bearer eyJhbGci." + value); })},
    };
    for (const Row& row : rows) {
        const json with = row.object(kCanary);
        const json with_another = row.object(std::string("x") + kCanary);
        const json removal = json::object();
        const std::pair<const char*, json> writes[]{{"CREATE", review_of("CREATE", removal, with, row.kind)},
                                                    {"DELETE", review_of("DELETE", with, removal, row.kind)},
                                                    {"comes", review_of("UPDATE", removal, with, row.kind)},
                                                    {"goes", review_of("UPDATE", with, removal, row.kind)},
                                                    {"changes", review_of("UPDATE", with, with_another, row.kind)}};
        for (const auto& [write, review] : writes) {
            INFO(row.name << " " << write);
            const audit::Record record = record_of(review);
            CHECK(text_of(record).find(kCanary) == std::string::npos);
            if (std::string(write) == "changes") CHECK(record.changes.size() == 1);
        }
    }
}
