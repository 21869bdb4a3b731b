#include "policy/rules/availability.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Request;

namespace {

using List = std::vector<std::string>;

List found(std::string_view rule, const Request& request) { return sample::found("availability", rule, request); }

Request object(std::string group, std::string resource, std::string_view spec, std::string_view metadata = R"("name":"web")") {
    Request request;
    request.group = std::move(group);
    request.resource = std::move(resource);
    request.object = R"({"metadata":{)" + std::string(metadata) + R"(},"spec":)" + std::string(spec) + "}";
    return request;
}
Request deployment(std::string_view spec) { return object("apps", "deployments", spec); }
Request budget(std::string_view spec) { return object("policy", "poddisruptionbudgets", spec); }

constexpr std::string_view kOwned = R"("name":"web","ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","controller":true}])";

}  // namespace

TEST_CASE("a workload that runs has replicas enough") {
    struct Row {
        std::string_view name;
        Request request;
        List found;
    };
    const std::string replicas = ".spec.replicas: have ";
    const std::string absent = replicas + "(absent), which is 1, want at least 2";
    const Row rows[] = {
        {"enough", deployment(R"({"replicas":2})"), {}},
        {"more", deployment(R"({"replicas":100})"), {}},
        {"one", deployment(R"({"replicas":1})"), {replicas + "1, want at least 2"}},
        {"absent", deployment("{}"), {absent}},
        {"null", deployment(R"({"replicas":null})"), {absent}},
        {"switched off", deployment(R"({"replicas":0})"), {}},
        {"below zero", deployment(R"({"replicas":-1})"), {replicas + "-1, want at least 2"}},
        {"a text", deployment(R"({"replicas":"3"})"), {replicas + "\"3\", want at least 2"}},
        {"a fraction", deployment(R"({"replicas":2.5})"), {replicas + "2.5, want at least 2"}},
        {"no spec", deployment("null"), {absent}},
        {"a StatefulSet", object("apps", "statefulsets", "{}"), {absent}},
        {"a ReplicationController", object("", "replicationcontrollers", "{}"), {absent}},
        {"a ReplicaSet alone", object("apps", "replicasets", "{}"), {absent}},
        {"a ReplicaSet of a Deployment", object("apps", "replicasets", "{}", kOwned), {}},
        {"a Deployment that something controls", object("apps", "deployments", "{}", kOwned), {absent}},
        {"a DaemonSet", object("apps", "daemonsets", "{}"), {}},
        {"a Job", object("batch", "jobs", "{}"), {}},
        {"a Pod", object("", "pods", "{}"), {}},
        {"a Deployment of another group", object("example.com", "deployments", "{}"), {}},
        {"an autoscaler with enough", object("autoscaling", "horizontalpodautoscalers", R"({"minReplicas":2})"), {}},
        {"an autoscaler with one",
         object("autoscaling", "horizontalpodautoscalers", R"({"minReplicas":1})"),
         {".spec.minReplicas: have 1, want at least 2"}},
        {"an autoscaler that may go to zero",
         object("autoscaling", "horizontalpodautoscalers", R"({"minReplicas":0})"),
         {".spec.minReplicas: have 0, want at least 2"}},
        {"an autoscaler that does not say",
         object("autoscaling", "horizontalpodautoscalers", R"({"maxReplicas":9})"),
         {".spec.minReplicas: have (absent), which is 1, want at least 2"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found("{minReplicas: 2}", row.request) == row.found);
        CHECK(found("{disruptionBudget: required}", row.request) == List{});
    }
    Request scale = deployment(R"({"replicas":1})");
    scale.sub_resource = "scale";
    scale.operation = "UPDATE";
    scale.old_object = deployment(R"({"replicas":3})").object;
    CHECK(found("{minReplicas: 2}", scale) == List{});
}

TEST_CASE("replicas are told not to stand together") {
    const List missing{".spec.template.spec.topologySpreadConstraints: have (absent), want topologySpreadConstraints or a podAntiAffinity"};
    const auto with = [](std::string_view pod, std::string_view replicas = "2") {
        return R"({"replicas":)" + std::string(replicas) + R"(,"template":{"spec":)" + std::string(pod) + "}}";
    };
    struct Row {
        std::string_view name;
        std::string spec;
        List found;
    };
    const Row rows[] = {
        {"nothing", with("{}"), missing},
        {"a constraint", with(R"({"topologySpreadConstraints":[{"maxSkew":1}]})"), {}},
        {"an empty list", with(R"({"topologySpreadConstraints":[]})"), missing},
        {"null", with(R"({"topologySpreadConstraints":null})"), missing},
        {"of a wrong type", with(R"({"topologySpreadConstraints":{"maxSkew":1}})"), missing},
        {"required anti-affinity", with(R"({"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{}]}}})"), {}},
        {"preferred anti-affinity",
         with(R"({"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{}]}}})"),
         {}},
        {"empty anti-affinity",
         with(
             R"({"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[],"requiredDuringSchedulingIgnoredDuringExecution":[]}}})"),
         missing},
        {"affinity", with(R"({"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{}]}}})"), missing},
        {"one replica", with("{}", "1"), {}},
        {"replicas not said", R"({"template":{"spec":{}}})", {}},
        {"no replica", with("{}", "0"), {}},
        {"no template", R"({"replicas":2})", missing},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found("{spread: required}", deployment(row.spec)) == row.found);
        CHECK(found("{spread: required}", object("apps", "statefulsets", row.spec)) == row.found);
        CHECK(found("{spread: required}", object("apps", "replicasets", row.spec)) == List{});
        CHECK(found("{minReplicas: 2, disruptionBudget: required, spread: required}", deployment(with("{}"))) == missing);
    }
}

TEST_CASE("a disruption budget leaves room for an eviction") {
    const std::string max = "maxUnavailable";
    const std::string min = "minAvailable";
    const std::string want_max = "a number or percentage above 0, so that a node can be drained";
    const std::string want_min = "a number, or a percentage below 100%, so that a node can be drained";
    struct Row {
        std::string_view name;
        std::string field;
        std::string value;
        bool good;
        std::string have = "";  // as the value if ""
    };
    const Row rows[] = {
        {"one may go", max, "1", true},
        {"none may go", max, "0", false},
        {"less than none", max, "-1", false},
        {"0%", max, R"("0%")", false},
        {"00%", max, R"("00%")", false},
        {"1%", max, R"("1%")", true},
        {"100%", max, R"("100%")", true},
        {"101%", max, R"("101%")", false},
        {"a number in quotes", max, R"("1")", false},
        {"a sign", max, R"("+1%")", false},
        {"a fraction", max, R"("1.5%")", false},
        {"a space", max, R"("1 %")", false},
        {"only the sign", max, R"("%")", false},
        {"empty", max, R"("")", false},
        {"a word", max, R"("all")", false},
        {"a fraction of a pod", max, "1.5", false},
        {"true", max, "true", false},
        {"a list", max, "[1]", false, "an array"},
        {"more than fits", max, R"("99999999999999999999999999%")", false},
        {"null", max, "null", true},
        {"one must stay", min, "1", true},
        {"none must stay", min, "0", true},
        {"many must stay, of nobody knows how many", min, "50", true},
        {"less than none must stay", min, "-1", false},
        {"all must stay", min, R"("100%")", false},
        {"0100% must stay", min, R"("0100%")", false},
        {"99% must stay", min, R"("99%")", true},
        {"0% must stay", min, R"("0%")", true},
        {"200% must stay", min, R"("200%")", false},
        {"a word must stay", min, R"("most")", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Request request = budget(R"({")" + row.field + "\":" + row.value + "}");
        const std::string violation = ".spec." + row.field + ": have " + (row.have.empty() ? row.value : row.have) + ", want " +
                                      (row.field == max ? want_max : want_min);
        CHECK(found("{disruptionBudget: required}", request) == (row.good ? List{} : List{violation}));
        CHECK(found("{minReplicas: 2, spread: required}", request) == List{});
    }
    CHECK(found("{disruptionBudget: required}", budget("{}")) == List{});

    // How many replicas the workload has is not in a budget: a number is never certain to leave no room.
    CHECK(found("{minReplicas: 2, disruptionBudget: required}", budget(R"({"minAvailable":2})")) == List{});
}

TEST_CASE("an update is blamed only for what it touches of the availability") {
    const std::string rule = "{minReplicas: 2, disruptionBudget: required, spread: required}";
    struct Row {
        std::string_view name;
        Request before;
        Request after;
        bool judged;
    };
    const auto autoscaler = [](std::string_view spec) { return object("autoscaling", "horizontalpodautoscalers", spec); };
    const Row rows[] = {
        {"an image", deployment(R"({"template":{"spec":{"containers":[{"image":"a"}]}}})"),
         deployment(R"({"template":{"spec":{"containers":[{"image":"b"}]}}})"), false},
        {"a finalizer", object("apps", "deployments", "{}", R"("finalizers":["a"])"), deployment("{}"), false},
        {"replicas", deployment(R"({"replicas":2,"template":{}})"), deployment(R"({"replicas":1,"template":{}})"), true},
        {"replicas, still too few", object("", "replicationcontrollers", R"({"replicas":1})"), object("", "replicationcontrollers", "{}"),
         true},
        {"the spread", deployment(R"({"replicas":2,"template":{"spec":{"topologySpreadConstraints":[{}]}}})"),
         deployment(R"({"replicas":2,"template":{"spec":{}}})"), true},
        {"the anti-affinity",
         deployment(
             R"({"replicas":2,"template":{"spec":{"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{}]}}}}})"),
         deployment(R"({"replicas":2,"template":{"spec":{}}})"), true},
        {"another affinity", deployment(R"({"replicas":2,"template":{"spec":{"affinity":{"nodeAffinity":{}}}}})"),
         deployment(R"({"replicas":2,"template":{"spec":{}}})"), false},
        {"a ReplicaSet loses its owner", object("apps", "replicasets", "{}", kOwned), object("apps", "replicasets", "{}"), true},
        {"an autoscaler's maximum", autoscaler(R"({"maxReplicas":3})"), autoscaler(R"({"maxReplicas":4})"), false},
        {"an autoscaler's minimum", autoscaler(R"({"minReplicas":2})"), autoscaler(R"({"minReplicas":1})"), true},
        {"a budget's selector", budget(R"({"maxUnavailable":0})"), budget(R"({"maxUnavailable":0,"selector":{}})"), false},
        {"a budget's maxUnavailable", budget(R"({"maxUnavailable":1})"), budget(R"({"maxUnavailable":0})"), true},
        {"a budget's minAvailable", budget(R"({"minAvailable":1})"), budget(R"({"minAvailable":"100%"})"), true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request = row.after;
        request.operation = "UPDATE";
        request.old_object = row.before.object;
        CHECK(found(rule, request).empty() != row.judged);
    }
}

TEST_CASE("what the rule availability must not hold is a problem with its place") {
    struct Row {
        std::string rule;
        std::string problem;
    };
    const std::string at = "spec.rules[0].availability.";
    const Row rows[] = {
        {"{}", "p.yaml:6:29: availability: demands nothing; give minReplicas, disruptionBudget: required or spread: required"},
        {"{minReplicas: 1}", "p.yaml:6:43: " + at + "minReplicas: expected 2 to 2147483647; every workload that runs has one"},
        {"{minReplicas: 0}", "p.yaml:6:43: " + at + "minReplicas: expected 2 to 2147483647; every workload that runs has one"},
        {"{minReplicas: 3000000000}", "p.yaml:6:43: " + at + "minReplicas: expected 2 to 2147483647; every workload that runs has one"},
        {"{minReplicas: \"2\"}", "p.yaml:6:43: " + at + "minReplicas: expected an integer, have a string"},
        {"{disruptionBudget: require}",
         "p.yaml:6:48: " + at + "disruptionBudget: have \"require\", expected one of: required (did you mean \"required\"?)"},
        {"{spread: true}", "p.yaml:6:38: " + at + "spread: have \"true\", expected one of: required"},
        {"{minReplica: 2}",
         "p.yaml:6:30: " + at +
             "minReplica: unknown field (did you mean \"minReplicas\"?); expected one of: minReplicas, disruptionBudget, spread"},
    };
    for (const Row& row : rows) {
        INFO(row.rule);
        CHECK(sample::problems_of_rule("availability", row.rule) == row.problem);
    }
}

TEST_CASE("whether a budget is there is asked of objects, where the budgets are known") {
    const auto set = sample::compiled(sample::rule("availability: {disruptionBudget: required}"));
    const auto violations = [&](const Request& request, const DisruptionBudgets* budgets) {
        return evaluate(*sample::Read(request), *set, {.budgets = budgets}).violations.size();
    };
    const DisruptionBudgets none;
    const Request bare = deployment(R"({"replicas":2,"template":{"metadata":{"labels":{"app":"web"}}}})");
    CHECK(violations(bare, nullptr) == 0);
    CHECK(violations(bare, &none) == 1);
    CHECK(violations(sample::with_operation(bare, "DELETE"), &none) == 0);
    Request status = sample::with_operation(bare, "UPDATE");
    status.sub_resource = "status";
    CHECK(violations(status, &none) == 0);
}
