#include "policy/mutate.hpp"

#include <rapidcheck.h>

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using nlohmann::json;
using sample::Read;
using sample::Request;

namespace {

const std::string kDefaults =
    "defaults: {podSecurity: restricted, automountServiceAccountToken: false, resources: {requests: {cpu: 50m, memory: 64Mi}, limits: "
    "{memory: 256Mi}}}";

Request pod(const json& spec) {
    Request request;
    request.object = json{{"metadata", {{"name", "web"}}}, {"spec", spec}}.dump();
    return request;
}

// The pod's spec after the patch.
json patched(const std::string& rule, const json& spec) {
    const auto set = sample::compiled(sample::rule(rule));
    const Request request = pod(spec);
    return json::parse(request.object).patch(mutate(*Read(request), *set, {}).operations())["spec"];
}

std::size_t operations(const PolicySet& set, const Request& request, const Context& context = {}) {
    return mutate(*Read(request), set, context).operations().size();
}

const json kBare{{"containers", {{{"name", "web"}}}}};

}  // namespace

TEST_CASE("a bare pod gets everything the defaults have") {
    const json expected = json::parse(R"({
        "automountServiceAccountToken": false,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "web",
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]})");
    CHECK(patched(kDefaults, kBare) == expected);
}

TEST_CASE("what is set stays, and what would be refused is not filled") {
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string_view spec;
        std::string_view expected;
    };
    constexpr std::string_view kSecurity = "defaults: {podSecurity: restricted}";
    constexpr std::string_view kResources = "defaults: {resources: {requests: {memory: 64Mi}, limits: {memory: 256Mi}}}";
    constexpr std::string_view kToken = "defaults: {automountServiceAccountToken: false}";
    const Row rows[] = {
        {"all that is set", kSecurity,
         R"({"securityContext":{"runAsNonRoot":false,"seccompProfile":{"type":"Unconfined"}},"containers":[{"securityContext":{"allowPrivilegeEscalation":true,"capabilities":{"drop":["KILL"],"add":["CHOWN"]}}}]})",
         R"({"securityContext":{"runAsNonRoot":false,"seccompProfile":{"type":"Unconfined"}},"containers":[{"securityContext":{"allowPrivilegeEscalation":true,"capabilities":{"drop":["KILL"],"add":["CHOWN"]}}}]})"},
        {"null is absent", kSecurity, R"({"securityContext":null,"containers":[]})",
         R"({"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},"containers":[]})"},
        {"root by user id: for validation to refuse", kSecurity, R"({"containers":[{"securityContext":{"runAsUser":0}}]})",
         R"({"securityContext":{"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"securityContext":{"runAsUser":0,"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]})"},
        {"privileged", kSecurity, R"({"containers":[{"securityContext":{"privileged":true}}]})",
         R"({"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"securityContext":{"privileged":true,"capabilities":{"drop":["ALL"]}}}]})"},
        {"CAP_SYS_ADMIN", kSecurity, R"({"containers":[{"securityContext":{"capabilities":{"add":["CAP_SYS_ADMIN"]}}}]})",
         R"({"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"securityContext":{"capabilities":{"add":["CAP_SYS_ADMIN"],"drop":["ALL"]}}}]})"},
        {"Windows", kSecurity, R"({"os":{"name":"windows"},"containers":[{"name":"a"}]})",
         R"({"os":{"name":"windows"},"securityContext":{"runAsNonRoot":true},"containers":[{"name":"a"}]})"},
        {"init containers, not ephemeral ones", kSecurity,
         R"({"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"Localhost"}},"initContainers":[{"name":"i"}],"ephemeralContainers":[{"name":"e"}]})",
         R"({"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"Localhost"}},"initContainers":[{"name":"i","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}],"ephemeralContainers":[{"name":"e"}]})"},
        {"a limit is the request", kResources, R"({"containers":[{"resources":{"limits":{"memory":"32Mi"}}}]})",
         R"({"containers":[{"resources":{"limits":{"memory":"32Mi"}}}]})"},
        {"a request below the limit", kResources, R"({"containers":[{"resources":{"requests":{"memory":"128Mi"}}}]})",
         R"({"containers":[{"resources":{"requests":{"memory":"128Mi"},"limits":{"memory":"256Mi"}}}]})"},
        {"a request above the limit", kResources, R"({"containers":[{"resources":{"requests":{"memory":"1Gi"}}}]})",
         R"({"containers":[{"resources":{"requests":{"memory":"1Gi"}}}]})"},
        {"a request nobody can read", kResources, R"({"containers":[{"resources":{"requests":{"memory":"lots"}}}]})",
         R"({"containers":[{"resources":{"requests":{"memory":"lots"}}}]})"},
        {"resources of the pod", kResources, R"({"resources":{"limits":{"memory":"1Gi"}},"containers":[{"name":"a"}]})",
         R"({"resources":{"limits":{"memory":"1Gi"}},"containers":[{"name":"a"}]})"},
        {"a request of the pod", kResources, R"({"resources":{"requests":{"memory":"100Mi"}},"containers":[{"name":"a"}]})",
         R"({"resources":{"requests":{"memory":"100Mi"}},"containers":[{"name":"a"}]})"},
        {"another resource", kResources, R"({"containers":[{"resources":{"limits":{"cpu":"1"}}}]})",
         R"({"containers":[{"resources":{"limits":{"cpu":"1","memory":"256Mi"},"requests":{"memory":"64Mi"}}}]})"},
        {"a token that is wanted", kToken, R"({"automountServiceAccountToken":true,"containers":[]})",
         R"({"automountServiceAccountToken":true,"containers":[]})"},
        {"the token volume goes with the token, others stay", kToken,
         R"({"volumes":[{"name":"data","emptyDir":{}},{"name":"kube-api-access-x1","projected":{"sources":[{"serviceAccountToken":{"path":"token"}},{"configMap":{}}]}},{"name":"kube-api-access-own","emptyDir":{}}],"initContainers":[{"volumeMounts":[{"name":"kube-api-access-x1"}]}],"containers":[{"volumeMounts":[{"name":"kube-api-access-x1"},{"name":"data"},{"name":"kube-api-access-own"}]}]})",
         R"({"automountServiceAccountToken":false,"volumes":[{"name":"data","emptyDir":{}},{"name":"kube-api-access-own","emptyDir":{}}],"initContainers":[{"volumeMounts":[]}],"containers":[{"volumeMounts":[{"name":"data"},{"name":"kube-api-access-own"}]}]})"},
        {"a shape that no API server stores", kSecurity, R"({"containers":"none"})", R"({"containers":"none"})"},
        {"a context of a wrong type", kSecurity, R"({"securityContext":"x","containers":[{"securityContext":7}]})",
         R"({"securityContext":"x","containers":[{"securityContext":7}]})"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(patched(std::string(row.rule), json::parse(row.spec)) == json::parse(row.expected));
    }
}

TEST_CASE("the first of two rules that fill a field wins") {
    const auto set = sample::compiled({sample::rule("defaults: {resources: {limits: {memory: 1Gi}}}", "a"),
                                       sample::rule("defaults: {resources: {limits: {memory: 2Gi, cpu: 1}}}", "b")});
    const Request request = pod(kBare);
    const json after = json::parse(request.object).patch(mutate(*Read(request), *set, {}).operations());
    CHECK(after["spec"]["containers"][0]["resources"]["limits"] == json{{"memory", "1Gi"}, {"cpu", "1"}});
}

TEST_CASE("what one rule fills of a resource, another does not contradict") {
    const auto set =
        sample::compiled({sample::rule("defaults: {resources: {requests: {cpu: 500m, memory: 512Mi}}}", "company"),
                          sample::rule("defaults: {resources: {limits: {cpu: 100m, memory: 256Mi, ephemeral-storage: 1Gi}}}", "team")});
    const Request request = pod(kBare);
    const json after = json::parse(request.object).patch(mutate(*Read(request), *set, {}).operations());
    CHECK(after["spec"]["containers"][0]["resources"] ==
          json::parse(R"({"requests":{"cpu":"500m","memory":"512Mi"},"limits":{"ephemeral-storage":"1Gi"}})"));
}

TEST_CASE("a pod of more containers than anybody means is not filled") {
    json spec = kBare;
    for (int i = 0; i < 1'001; ++i) spec["containers"].push_back({{"name", "c" + std::to_string(i)}});
    CHECK(operations(*sample::compiled(sample::rule(kDefaults)), pod(spec)) == 0);
}

TEST_CASE("only new Pods are filled, and only by policies that deny now") {
    const auto set = sample::compiled(sample::rule(kDefaults));
    CHECK(operations(*set, pod(kBare)) > 0);
    CHECK(operations(*set, sample::with_operation(pod(kBare), "UPDATE")) == 0);
    CHECK(operations(*set, sample::with_operation(pod(kBare), "DELETE")) == 0);
    Request sub_resource = pod(kBare);
    sub_resource.sub_resource = "ephemeralcontainers";
    CHECK(operations(*set, sub_resource) == 0);
    Request deployment = pod(kBare);
    deployment.group = "apps";
    deployment.resource = "deployments";
    CHECK(operations(*set, deployment) == 0);

    const auto with = [](std::string_view line) {
        return sample::compiled(sample::policy("  " + std::string(line) + "\n  rules: [{name: r, " + kDefaults + "}]\n"));
    };
    CHECK(operations(*with("validationActions: [Warn]"), pod(kBare)) == 0);
    CHECK(operations(*with("enforceFrom: 2030-01-01T00:00:00Z"), pod(kBare)) == 0);
    CHECK(operations(*with("enforceFrom: 2030-01-01T00:00:00Z"), pod(kBare), {.now = parse_rfc3339("2030-01-01T00:00:00Z").value()}) > 0);
    CHECK(operations(*with("match: {namespaces: [other]}"), pod(kBare)) == 0);
}

TEST_CASE("templates are judged as their pods will be") {
    const auto deployment = [](const json& spec) {
        Request request;
        request.group = "apps";
        request.resource = "deployments";
        request.object =
            json{{"metadata", {{"name", "web"}}}, {"spec", {{"template", {{"metadata", {{"labels", {{"a", "b"}}}}}, {"spec", spec}}}}}}
                .dump();
        return request;
    };
    const std::string workload =
        "  rules:\n  - {name: limits, resources: {requests: [memory], limits: [memory]}}\n"
        "  - {name: user, podSecurity: {level: restricted, checks: [runAsNonRoot]}}\n";
    const auto rules_found = [&](const std::string& defaults, const Request& request) {
        std::vector<std::string> policies{sample::policy(workload, "workload")};
        if (!defaults.empty()) policies.push_back(defaults);
        std::vector<std::string> rules;
        for (const Violation& violation : evaluate(*Read(request), *sample::compiled(policies), {}).violations)
            rules.push_back(violation.rule);
        return rules;
    };
    using Rules = std::vector<std::string>;
    const std::string defaults = sample::rule(kDefaults, "defaults");
    const auto restricted_to = [&](std::string_view match) {
        return sample::policy("  match: {" + std::string(match) + "}\n  rules: [{name: r, " + kDefaults + "}]\n", "defaults");
    };
    CHECK(rules_found("", deployment(kBare)) == Rules{"limits", "limits", "user"});
    CHECK(rules_found(defaults, deployment(kBare)) == Rules{});
    CHECK(rules_found(restricted_to("objectSelector: {matchLabels: {a: b}}"), deployment(kBare)) == Rules{});
    CHECK(rules_found(restricted_to("objectSelector: {matchLabels: {a: c}}"), deployment(kBare)) == Rules{"limits", "limits", "user"});
    // Not known of pods that do not exist yet: their names and who creates them.
    CHECK(rules_found(restricted_to("names: [\"*\"]"), deployment(kBare)) == Rules{"limits", "limits", "user"});
    CHECK(rules_found(restricted_to("subjects: [{kind: User, name: \"*\"}]"), deployment(kBare)) == Rules{"limits", "limits", "user"});
    CHECK(rules_found(restricted_to("resourceRules: [{apiGroups: [apps], resources: [\"*\"], operations: [\"*\"]}]"), deployment(kBare)) ==
          Rules{"limits", "limits", "user"});
    // What is set badly stays bad.
    CHECK(rules_found(defaults, deployment(json::parse(R"({"containers":[{"name":"web","securityContext":{"runAsNonRoot":false}}]})"))) ==
          Rules{"user"});
    // A Pod has been to /mutate already; one that has not is judged as it is.
    CHECK(rules_found(defaults, pod(kBare)) == Rules{"limits", "limits", "user"});
}

TEST_CASE("a second pass finds nothing to fill, whatever the pod") {
    const auto set = sample::compiled(
        {sample::rule(kDefaults, "a"), sample::rule("defaults: {resources: {requests: {cpu: 1m, ephemeral-storage: 1Gi}}}", "b")});
    // A pod from a pool of odd pieces, chosen by the seeds.
    const std::vector<std::string> contexts{"null",
                                            "{}",
                                            R"({"privileged":true})",
                                            R"({"runAsUser":0})",
                                            R"({"capabilities":{}})",
                                            R"({"capabilities":{"drop":[]}})",
                                            R"({"capabilities":null})",
                                            "7",
                                            R"({"allowPrivilegeEscalation":true})"};
    const std::vector<std::string> resources{"null",
                                             "{}",
                                             R"({"limits":{"memory":"1Gi"}})",
                                             R"({"requests":{"memory":"9Gi"}})",
                                             R"({"requests":null})",
                                             R"({"limits":{"memory":null}})",
                                             R"({"limits":[]})"};
    const std::vector<std::string> volumes{
        "null", "[]", R"([{"name":"kube-api-access-a","projected":{"sources":[{"serviceAccountToken":{}}]}}])",
        R"([{"name":"a"},{"name":"kube-api-access-a","projected":{"sources":[{"serviceAccountToken":{}}]}},{"name":"kube-api-access-b","projected":{"sources":[{"serviceAccountToken":{}}]}}])"};
    rc::check("mutate(patch(pod)) is empty", [&](const std::vector<std::uint16_t>& seeds) {
        json spec{{"containers", json::array()}, {"initContainers", json::array()}};
        if (!seeds.empty() && seeds[0] % 4 > 0) spec["securityContext"] = json::parse(contexts[seeds[0] % contexts.size()]);
        if (!seeds.empty() && seeds[0] % 3 > 0) spec["volumes"] = json::parse(volumes[seeds[0] % volumes.size()]);
        for (const std::uint16_t seed : seeds) {
            json container{{"name", "c"}};
            if (seed % 5 > 0) container["securityContext"] = json::parse(contexts[seed / 5 % contexts.size()]);
            if (seed % 7 > 0) container["resources"] = json::parse(resources[seed / 7 % resources.size()]);
            if (seed % 2 > 0) container["volumeMounts"] = json::parse(R"([{"name":"kube-api-access-a"},{"name":"a"}])");
            spec[seed % 3 > 0 ? "containers" : "initContainers"].push_back(container);
        }
        const Request request = pod(spec);
        const json once = json::parse(request.object).patch(mutate(*Read(request), *set, {}).operations());
        Request again;
        again.object = once.dump();
        RC_ASSERT(mutate(*Read(again), *set, {}).empty());
        // Nothing that was set has changed: what is in the pod is in the patched pod, but for the token volumes.
        json stripped = once;
        for (const auto& entry : spec.items()) {
            if (entry.key() == "volumes" || entry.key() == "containers" || entry.key() == "initContainers" || entry.value().is_null())
                continue;
            if (!entry.value().is_object()) {
                RC_ASSERT(once["spec"][entry.key()] == entry.value());
                continue;
            }
            for (const auto& field : entry.value().items()) {
                if (!field.value().is_null() && !field.value().is_object())
                    RC_ASSERT(once["spec"][entry.key()][field.key()] == field.value());
            }
        }
    });
}

TEST_CASE("defaults that fill nothing, or what would be refused, are load errors") {
    struct Row {
        std::string_view rule;
        std::string_view says;
    };
    const Row rows[] = {
        {"defaults: {}", "defaults: fills nothing"},
        {"defaults: {podSecurity: baseline}", "expected one of: restricted"},
        {"defaults: {automountServiceAccountToken: \"no\"}", "expected true or false"},
        {"defaults: {resources: {limits: {memory: 0}}}", "above zero"},
        {"defaults: {resources: {limits: {mem: 1Gi}}}", "limits.mem: expected cpu, memory or ephemeral-storage"},
        {"defaults: {resources: {limit: {memory: 1Gi}}}", "did you mean \"limits\"?"},
        {"defaults: {resources: {requests: {memory: 1Gi}, limits: {memory: 256Mi}}}", "is above the limit"},
        {"defaults: {resources: [memory]}", "expected a mapping"},
    };
    for (const Row& row : rows) {
        INFO(row.rule);
        std::string all;
        for (const std::string& problem : sample::problems_of({{"p.yaml", sample::rule(row.rule)}})) all += problem + "\n";
        INFO(all);
        CHECK(all.find(row.says) != std::string::npos);
    }
}
