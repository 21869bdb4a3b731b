#include "policy/policy_config_map.hpp"

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

#include <nlohmann/json.hpp>

using namespace fluxgate;
using namespace fluxgate::policy;
using nlohmann::json;
using sample::Read;
using sample::Request;

namespace {

const std::string kGood = sample::rule("probes: {all: [readinessProbe]}", "good");
const std::string kBad = sample::rule("probes: {all: [readynessProbe]}", "bad");

json config_map(const json& data, bool labelled = true) {
    json object{{"metadata", {{"name", "policies"}, {"namespace", "fluxgate-system"}}}, {"data", data}};
    if (labelled) object["metadata"]["labels"] = {{"fluxgate.dev/policies", "true"}};
    return object;
}

Request writes(const json& object, const json& old_object = nullptr) {
    Request request;
    request.resource = "configmaps";
    request.kind = "ConfigMap";
    request.name = "policies";
    request.namespace_name = "fluxgate-system";
    request.operation = old_object.is_null() ? "CREATE" : "UPDATE";
    request.user = sample::kFlux;
    request.object = object.dump();
    request.old_object = old_object.dump();
    return request;
}

Verdict judge(const Request& request) { return evaluate(*Read(request), *sample::compiled(kGood), {}); }

}  // namespace

TEST_CASE("a ConfigMap of policies that does not compile is refused, with file, line and column") {
    const Verdict verdict = judge(writes(config_map({{"good.yaml", kGood}, {"bad.yaml", kBad}, {"README.md", "not a policy"}})));
    CHECK_FALSE(verdict.allowed);
    REQUIRE(verdict.violations.size() == 1);
    const Violation& violation = verdict.violations[0];
    CHECK(violation.policy == "fluxgate");
    CHECK(violation.rule == "policies");
    CHECK(violation.path == R"(.data["bad.yaml"])");
    CHECK(violation.have.starts_with("bad.yaml:6:30: spec.rules[0].probes.all[0]: have \"readynessProbe\""));
    CHECK(judge(writes(config_map({{"good.yaml", kGood}, {"README.md", "not a policy"}}))).allowed);
}

TEST_CASE("which writes are judged as a set of policies") {
    struct Row {
        std::string_view name;
        Request request;
        bool allowed;
    };
    const json bad = config_map({{"bad.yaml", kBad}});
    const json good = config_map({{"good.yaml", kGood}});
    Request dry_run = writes(bad);
    dry_run.dry_run = true;
    Request elsewhere = writes(bad);
    elsewhere.namespace_name = "apps";
    elsewhere.object = config_map({{"bad.yaml", kBad}}).dump();
    elsewhere.object.replace(elsewhere.object.find("fluxgate-system"), 15, "apps");
    Request secret = writes(bad);
    secret.resource = "secrets";
    secret.kind = "Secret";
    const auto ending = [](json object) {
        object["metadata"]["deletionTimestamp"] = "2026-11-20T09:00:00Z";
        return object;
    };
    const auto held = [](json object) {
        object["metadata"]["finalizers"] = {"foregroundDeletion"};
        return object;
    };
    json binary_too = bad;
    binary_too["binaryData"] = {{"more.yaml", "AAAA"}};
    const Row rows[] = {
        {"bad", writes(bad), false},
        {"good", writes(good), true},
        {"bad after good", writes(bad, good), false},
        {"good after bad", writes(good, bad), true},
        {"a dry run", dry_run, false},
        {"without the label", writes(config_map({{"bad.yaml", kBad}}, false)), true},
        {"that takes the label away", writes(config_map({{"bad.yaml", kBad}}, false), good), false},
        {"of another namespace", elsewhere, true},
        {"of another kind", secret, true},
        {"deleted", sample::with_operation(writes(bad), "DELETE"), true},
        {"bad as before", writes(bad, bad), false},
        {"bad as before, without its finalizer", writes(bad, held(bad)), false},
        {"bad as before, without its finalizer, being deleted", writes(ending(bad), ending(held(bad))), true},
        {"bad after good, being deleted", writes(ending(bad), ending(held(good))), false},
        {"with binary data, being deleted", writes(ending(binary_too), ending(held(bad))), false},
        {"created as if it were being deleted", writes(ending(bad)), false},
        {"bad as before, that says of itself that it is being deleted", writes(ending(bad), bad), false},
        {"no policy in it", writes(config_map({{"README.md", "x"}})), false},
        {"no data", writes(config_map(nullptr)), false},
        {"a policy that is no text", writes(config_map({{"a.yaml", 7}})), false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(judge(row.request).allowed == row.allowed);
    }
    json many = config_map({{"good.yaml", kGood}});
    for (int i = 0; i < 1'000; ++i) many["data"]["p" + std::to_string(i) + ".yaml"] = "# nothing";
    CHECK_FALSE(judge(writes(many)).allowed);  // as the folder would refuse it
    json binary = config_map({{"good.yaml", kGood}});
    binary["binaryData"] = {{"more.yaml", "AAAA"}};
    CHECK_FALSE(judge(writes(binary)).allowed);
}

TEST_CASE("hostile sets of policies are refused in bounded time") {
    std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
    for (char c = 'b'; c < 'k'; ++c) bomb += std::string(1, c) + ": &" + c + " [" + std::string(9, '*') + "]\n";
    // Small files that could ask for much work: many references, labels, patterns.
    std::string references = sample::rule("probes: {all: [readinessProbe]}", "p") +
                             "---\napiVersion: fluxgate.dev/v1alpha1\nkind: GuardException\nmetadata: {name: e}\nspec:\n  policies:\n";
    for (int i = 0; i < 20'000; ++i) references += "  - {name: p, rules: [q" + std::to_string(i) + "]}\n";
    std::string labels =
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  match:\n    objectSelector:\n      "
        "matchLabels:\n";
    for (int i = 0; i < 40'000; ++i) labels += "        k" + std::to_string(i) + ": 1\n";
    std::string patterns =
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  rules:\n  - name: r\n    requiredMetadata:\n  "
        "    labels:\n";
    for (int i = 0; i < 10'000; ++i) patterns += "        k" + std::to_string(i) + ": \"[^a]{900}\"\n";
    std::string documents;
    for (int i = 0; i < 100'000; ++i) documents += "---\na: b\n";
    for (const std::string& text : {bomb, documents, references, labels, patterns, std::string(900'000, '['), std::string(900'000, 'x'),
                                    std::string("\0\x01\xff", 3)}) {
        INFO(text.substr(0, 40));
        const auto before = std::chrono::steady_clock::now();
        CHECK(compile({{"a.yaml", text}}, {}).set == nullptr);
        CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(20));  // a hang, not a race
    }
}
