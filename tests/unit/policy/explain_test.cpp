#include "policy/explain.hpp"

#include <filesystem>

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

std::string refusing(std::string_view match) {
    return sample::policy("  match: {" + std::string(match) + "}\n  rules: [{name: r, probes: {all: [readinessProbe]}}]\n");
}

Request pod(std::string metadata = R"("name":"web")") {
    Request request;
    request.object = R"({"metadata":{)" + std::move(metadata) + R"(},"spec":{"containers":[{"name":"web"}]}})";
    return request;
}

std::shared_ptr<const PolicySet> compiled(const std::vector<std::string>& texts, WallTime now = {}) {
    std::vector<PolicyFile> files;
    for (const std::string& text : texts) files.push_back({"p" + std::to_string(files.size()) + ".yaml", text});
    const auto result = compile(files, CompileOptions{.namespace_labels = true, .now = now});
    for (const Problem& problem : result.problems) UNSCOPED_INFO(to_string(problem));
    REQUIRE(result.set != nullptr);
    return result.set;
}

// "rule: why", and below it what was taken back and the notes.
std::vector<std::string> told(const Explanation& explanation) {
    std::vector<std::string> lines;
    for (const PolicyExplanation& policy : explanation.policies) {
        if (!policy.matches) lines.push_back(policy.policy + " does not match (" + policy.condition + "): " + policy.why_not);
        for (const RuleExplanation& rule : policy.rules) {
            lines.push_back(rule.rule + ": " + rule.why);
            for (const ExplainedTakenBack& taken : rule.taken_back)
                lines.push_back("  " + std::to_string(taken.violations.size() + taken.omitted) + " " + taken.why);
            for (const std::string& note : rule.notes) lines.push_back("  " + note);
        }
    }
    return lines;
}

using Lines = std::vector<std::string>;

// Both agree on the verdict, and what the rules are told to have found is what the verdict holds.
void agree(const kube::Review& review, const PolicySet& set, const Context& context) {
    const Explanation explanation = explain(review, set, context);
    CHECK(explanation.verdict == evaluate(review, set, context));
    std::vector<Violation> violations;
    for (const PolicyExplanation& policy : explanation.policies) {
        CHECK((policy.matches || !policy.why_not.empty()));
        for (const RuleExplanation& rule : policy.rules) {
            violations.insert(violations.end(), rule.violations.begin(), rule.violations.end());
            CHECK_FALSE(rule.why.empty());
        }
    }
    CHECK(violations == explanation.verdict.violations);
    CHECK(explanation.policies.size() >= set.policies.size());
}

std::vector<std::filesystem::path> entries(const std::string& folder) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(FLUXGATE_SOURCE_DIR) + "/" + folder)) {
        paths.push_back(entry.path());
    }
    return paths;
}

}  // namespace

TEST_CASE("a policy that does not match says which condition says no, with both values") {
    struct Row {
        std::string_view match;
        Request request;
        std::string_view condition;
        std::string_view why;
    };
    Request labelled = pod(R"("name":"web","labels":{"team":"shop"})");
    Request scale = pod();
    scale.operation = "UPDATE";
    scale.group = "apps";
    scale.resource = "deployments";
    scale.sub_resource = "scale";
    scale.kind = "Scale";
    scale.old_object = scale.object;
    Request role;
    role.group = "rbac.authorization.k8s.io";
    role.resource = "clusterroles";
    role.kind = "ClusterRole";
    role.namespace_name = "";
    role.object = R"({"metadata":{"name":"web"}})";
    const Row rows[] = {
        {"namespaces: [staging, \"dev-*\"]", pod(), "namespaces", "namespace \"production\" is none of staging, dev-*"},
        {"namespaces: [production]", role, "namespaces", "a cluster-scoped object is none of production"},
        {"excludeNamespaces: [staging, \"prod*\"]", pod(), "excludeNamespaces", "namespace \"production\" is excluded by prod*"},
        {"names: [\"legacy-*\"]", pod(), "names", "name \"web\" is none of legacy-*"},
        {"resourceRules: [{apiGroups: [apps], resources: [deployments], operations: [CREATE, UPDATE]}]", scale, "resourceRules",
         "UPDATE deployments.apps/scale (v1) is in none of {apiGroups: [apps], resources: [deployments], operations: [CREATE, UPDATE]}"},
        {"excludeResourceRules: [{apiGroups: [\"\"], resources: [pods], operations: [\"*\"]}]", pod(), "excludeResourceRules",
         "CREATE pods (v1) is excluded by {apiGroups: [\"\"], resources: [pods], operations: [*]}"},
        {"subjects: [{kind: Group, name: sre}, {kind: ServiceAccount, namespace: a, name: b}]", pod(), "subjects",
         "user \"alice@example.com\" (in groups devs, system:authenticated) is none of Group sre, ServiceAccount a/b"},
        {"excludeSubjects: [{kind: User, name: \"*@example.com\"}]", pod(), "excludeSubjects",
         "user \"alice@example.com\" (in groups devs, system:authenticated) is excluded as User *@example.com"},
        {"objectSelector: {matchLabels: {team: pay}}", labelled, "objectSelector", "the object has team=shop; wanted: team=pay"},
        {"objectSelector: {matchExpressions: [{key: team, operator: NotIn, values: [shop, pay]}]}", labelled, "objectSelector",
         "the object has team=shop; wanted: team NotIn (shop, pay)"},
        {"namespaceSelector: {matchLabels: {env: production}}", pod(), "namespaceSelector",
         "namespace \"production\" has env=staging; wanted: env=production"},
    };
    const Context context{.now = {}, .namespace_labels = kube::Labels{{"env", "staging"}}};
    for (const Row& row : rows) {
        INFO(row.match);
        const auto set = compiled({refusing(row.match)});
        const Explanation explanation = explain(*Read(row.request), *set, context);
        REQUIRE(explanation.policies.size() == 1);
        CHECK_FALSE(explanation.policies[0].matches);
        CHECK(explanation.policies[0].condition == row.condition);
        CHECK(explanation.policies[0].why_not == row.why);
        agree(*Read(row.request), *set, context);
    }
}

TEST_CASE("each rule of a policy that matches says what it found, or why it did not look") {
    const auto set =
        compiled({sample::policy("  rules:\n"
                                 "  - {name: only-git, lock: {writers: [flux, kubernetes]}}\n"
                                 "  - {name: probes, probes: {all: [readinessProbe]}}\n"
                                 "  - {name: network, services: {denyTypes: [NodePort]}}\n"
                                 "  - {name: labels, requiredMetadata: {labels: {team: \"\"}}}\n"
                                 "  - {name: fill, defaults: {automountServiceAccountToken: false}}\n")});
    const std::string fills = "fill: fills in what pods leave open, and finds nothing";
    CHECK(told(explain(*Read(pod()), *set, {})) ==
          Lines{"only-git: 1 violation", "probes: 1 violation", "network: has no word about pods", "labels: 1 violation", fills});
    Request by_flux = pod(R"("name":"web","labels":{"team":"shop"})");
    by_flux.user = sample::kFlux;
    CHECK(told(explain(*Read(by_flux), *set, {})) == Lines{"only-git: written by a writer: flux (proof pod-bound)", "probes: 1 violation",
                                                           "network: has no word about pods", "labels: nothing found", fills});
    CHECK(told(explain(*Read(sample::with_operation(by_flux, "DELETE")), *set, {})) ==
          Lines{"only-git: written by a writer: flux (proof pod-bound)", "probes: does not look at DELETE pods",
                "network: has no word about pods", "labels: does not look at DELETE pods", fills});
    Request dry = pod(R"("name":"web","labels":{"team":"shop"})");
    dry.dry_run = true;
    CHECK(told(explain(*Read(dry), *set, {})).front() == "only-git: a dry run, which changes nothing: the real thing would be refused");
}

TEST_CASE("a rule about pods says what it misses") {
    const auto set =
        compiled({sample::policy("  rules:\n"
                                 "  - {name: probes, probes: {all: [readinessProbe]}}\n"
                                 "  - {name: network, services: {denyTypes: [NodePort]}}\n")});
    Request service;
    service.resource = "services";
    service.kind = "Service";
    CHECK(told(explain(*Read(service), *set, {})) == Lines{"probes: has no word about services", "network: nothing found"});
    CHECK(told(explain(*Read(sample::with_operation(service, "DELETE")), *set, {})) ==
          Lines{"probes: does not look at DELETE services", "network: does not look at DELETE services"});
    Request deployment;
    deployment.group = "apps";
    deployment.resource = "deployments";
    deployment.kind = "Deployment";
    deployment.object = R"({"metadata":{"name":"web"},"spec":{"replicas":1}})";
    CHECK(told(explain(*Read(deployment), *set, {})) ==
          Lines{"probes: the object has no pod template", "network: has no word about deployments.apps"});
}

TEST_CASE("what was there before an UPDATE is told as such") {
    const auto set = compiled({sample::rule("probes: {all: [readinessProbe]}")});
    Request update = sample::with_operation(pod(), "UPDATE");
    update.object = R"({"metadata":{"name":"web","labels":{"a":"b"}},"spec":{"containers":[{"name":"web"}]}})";
    CHECK(told(explain(*Read(update), *set, {})) == Lines{"r: nothing left", "  1 was so before this UPDATE"});
}

TEST_CASE("what the defaults will fill in is told as such") {
    const auto set =
        compiled({sample::policy("  rules:\n"
                                 "  - {name: accounts, serviceAccount: {automount: false}}\n"
                                 "  - {name: fill, defaults: {automountServiceAccountToken: false}}\n")});
    Request deployment;
    deployment.group = "apps";
    deployment.resource = "deployments";
    deployment.kind = "Deployment";
    deployment.object = R"({"metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":[{"name":"web"}]}}}})";
    CHECK(told(explain(*Read(deployment), *set, {})) == Lines{"accounts: nothing left", "  1 will be filled in by a defaults rule",
                                                              "fill: fills in what pods leave open, and finds nothing"});
}

TEST_CASE("an exception is named with its ticket and its end, before and after") {
    const WallTime end = parse_rfc3339("2027-03-31T00:00:00Z").value();
    const std::string exception =
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardException\nmetadata: {name: legacy}\nspec:\n"
        "  policies: [{name: p, rules: [r]}]\n  match: {namespaces: [production]}\n  containers: [web]\n"
        "  reason: because\n  ticket: OPS-1\n  expiresAt: 2027-03-31T00:00:00Z\n";
    const auto set = compiled({sample::rule("probes: {all: [readinessProbe]}"), exception}, end - std::chrono::days(90));
    Request two = pod();
    two.object = R"({"metadata":{"name":"web"},"spec":{"containers":[{"name":"web"},{"name":"proxy"}]}})";
    CHECK(told(explain(*Read(two), *set, {.now = end - std::chrono::microseconds(1)})) ==
          Lines{"r: 1 violation", "  1 excused by GuardException legacy (OPS-1) until 2027-03-31T00:00:00.000000Z"});
    CHECK(told(explain(*Read(two), *set, {.now = end})) ==
          Lines{"r: 2 violations", "  GuardException legacy (OPS-1) ended on 2027-03-31T00:00:00.000000Z"});
    agree(*Read(two), *set, {.now = end - std::chrono::microseconds(1)});
}

TEST_CASE("the actions in force are told with the line that says so") {
    struct Row {
        std::string_view spec;
        std::string_view actions;
        std::string_view from;
    };
    const Row rows[] = {
        {"", "Deny", "validationActions"},
        {"  validationActions: [Warn, Audit]\n", "Warn, Audit", "validationActions"},
        {"  namespaceActions:\n  - {namespaces: [staging], validationActions: [Warn]}\n  - {namespaces: [\"prod*\"], validationActions: "
         "[Audit]}\n",
         "Audit", "namespaceActions[1] (prod*)"},
        {"  enforceFrom: 2026-12-01T00:00:00Z\n", "Warn, Audit", "validationActions; Deny from 2026-12-01T00:00:00.000000Z (enforceFrom)"},
    };
    for (const Row& row : rows) {
        INFO(row.spec);
        const auto set = compiled({sample::policy(std::string(row.spec) + "  rules: [{name: r, probes: {all: [readinessProbe]}}]\n")});
        const Explanation explanation = explain(*Read(pod()), *set, {.now = parse_rfc3339("2026-11-01T00:00:00Z").value()});
        CHECK(explanation.policies.at(0).actions == row.actions);
        CHECK(explanation.policies.at(0).actions_from == row.from);
    }
}

TEST_CASE("a policy none of whose rules knows the resource says so") {
    const auto set = compiled({sample::rule("services: {denyTypes: [NodePort]}")});
    CHECK(told(explain(*Read(pod()), *set, {})) == Lines{"p does not match (rules): none of its rules has a word about pods"});
}

TEST_CASE("what Fluxgate finds in a ConfigMap of policies is explained too") {
    const auto set = compiled({sample::rule("services: {denyTypes: [NodePort]}")});
    Request policies;
    policies.resource = "configmaps";
    policies.kind = "ConfigMap";
    policies.namespace_name = "fluxgate-system";
    policies.object = R"({"metadata":{"name":"web","labels":{"fluxgate.dev/policies":"true"}},"data":{"a.yaml":"nonsense"}})";
    const Explanation explanation = explain(*Read(policies), *set, {});
    CHECK_FALSE(explanation.verdict.allowed);
    CHECK(explanation.policies.back().policy == "fluxgate");
    agree(*Read(policies), *set, {});
}

TEST_CASE("explain and evaluate agree on every golden case and every recording") {
    const std::string demo = sample::file("cli/demo/policies/production.yaml");
    const std::string everything = sample::policy(
        "  validationActions: [Warn]\n  rules:\n  - {name: a, podSecurity: {level: restricted}}\n"
        "  - {name: b, requiredMetadata: {labels: {team: \"\"}}}\n  - {name: c, images: {requireDigest: true}}\n"
        "  - {name: d, defaults: {podSecurity: restricted}}\n",
        "everything");
    std::size_t judged = 0;
    for (const auto& path : entries("tests/golden")) {
        if (!std::filesystem::is_directory(path)) continue;
        INFO(path);
        const std::string folder = "tests/golden/" + path.filename().string() + "/";
        const Read review(sample::file(folder + "review.json"));
        agree(*review, *sample::compiled(sample::file(folder + "policy.yaml")), {});
        agree(*review, *sample::compiled({demo, everything}), {});
        ++judged;
    }
    for (const auto& path : entries("cli/demo/recordings")) {
        if (path.extension() != ".json") continue;
        INFO(path);
        agree(*Read(sample::file("cli/demo/recordings/" + path.filename().string())), *sample::compiled({demo, everything}), {});
        ++judged;
    }
    CHECK(judged >= 45);
}
