#include "policy/rules/resources.hpp"

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

Request pod(const std::string& spec) {
    Request request;
    request.object = R"({"metadata":{"name":"web"},"spec":)" + spec + "}";
    return request;
}

Request with_resources(std::string_view resources) {
    return pod(R"({"containers":[{"name":"web","resources":)" + std::string(resources) + "}]}");
}

// "requests.cpu: have (absent), want a cpu request", without the part that all paths of one container share.
std::vector<std::string> found(std::string_view rule, const Request& request) {
    const auto set = sample::compiled(sample::rule("resources: " + std::string(rule)));
    std::vector<std::string> list;
    constexpr std::string_view kShared = R"(.spec.containers[name="web"].resources.)";
    for (const Violation& violation : evaluate(*Read(request), *set, {}).violations) {
        std::string path = violation.path;
        if (path.starts_with(kShared)) path.erase(0, kShared.size());
        list.push_back(path + ": have " + violation.have + ", want " + violation.want);
    }
    return list;
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("a container says what it needs and what it may take") {
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string_view resources;
        List found;
    };
    const Row rows[] = {
        {"nothing said",
         "{requests: [cpu, memory], limits: [memory]}",
         "null",
         {"requests.cpu: have (absent), want a cpu request", "requests.memory: have (absent), want a memory request",
          "limits.memory: have (absent), want a memory limit"}},
        {"all said",
         "{requests: [cpu, memory], limits: [memory]}",
         R"({"requests":{"cpu":"100m","memory":"1Gi"},"limits":{"memory":"1Gi"}})",
         {}},
        {"a limit stands for the request that is absent", "{requests: [cpu]}", R"({"limits":{"cpu":"1"}})", {}},
        {"a limit stands for a request that is null", "{requests: [cpu]}", R"({"requests":{"cpu":null},"limits":{"cpu":"1"}})", {}},
        {"a limit does not stand for a request of zero: the API server keeps the zero",
         "{requests: [cpu]}",
         R"({"requests":{"cpu":"0"},"limits":{"cpu":"1"}})",
         {"requests.cpu: have (absent), want a cpu request"}},
        {"a request does not stand for a limit",
         "{limits: [cpu]}",
         R"({"requests":{"cpu":"1"}})",
         {"limits.cpu: have (absent), want a cpu limit"}},
        {"zero promises nothing", "{limits: [cpu]}", R"({"limits":{"cpu":"0"}})", {"limits.cpu: have (absent), want a cpu limit"}},
        {"nor does the number zero", "{requests: [cpu]}", R"({"requests":{"cpu":0}})", {"requests.cpu: have (absent), want a cpu request"}},
        {"nor does less than nothing",
         "{requests: [cpu]}",
         R"({"requests":{"cpu":"-1"}})",
         {"requests.cpu: have (absent), want a cpu request"}},
        {"a number", "{requests: [cpu]}", R"({"requests":{"cpu":2}})", {}},
        {"a fraction", "{requests: [cpu]}", R"({"requests":{"cpu":0.5}})", {}},
        {"not a quantity",
         "{requests: [cpu]}",
         R"({"requests":{"cpu":"lots"}})",
         {R"(requests.cpu: have "lots", want a quantity such as 100m or 128Mi)", "requests.cpu: have (absent), want a cpu request"}},
        {"not a quantity, though nobody asked",
         "{requests: [cpu]}",
         R"({"requests":{"cpu":"1","memory":"1K"}})",
         {R"(requests.memory: have "1K", want a quantity such as 100m or 128Mi)"}},
        {"a list where a quantity belongs",
         "{limits: [cpu]}",
         R"({"limits":{"cpu":["1"]}})",
         {R"(limits.cpu: have ["1"], want a quantity such as 100m or 128Mi)", "limits.cpu: have (absent), want a cpu limit"}},
        {"a text where the lists belong", "{limits: [cpu]}", R"("1")", {"limits.cpu: have (absent), want a cpu limit"}},
        {"another resource", "{requests: [nvidia.com/gpu]}", R"({"requests":{"nvidia.com/gpu":"1"}})", {}},
        {"another resource, absent",
         "{requests: [nvidia.com/gpu]}",
         "{}",
         {R"(requests["nvidia.com/gpu"]: have (absent), want a nvidia.com/gpu request)"}},
        {"at least the minimum", "{min: {cpu: 10m}}", R"({"requests":{"cpu":"10m"}})", {}},
        {"below the minimum", "{min: {cpu: 10m}}", R"({"requests":{"cpu":"9m"}})", {R"(requests.cpu: have "9m", want at least "10m")"}},
        {"a minimum and no request", "{min: {cpu: 10m}}", "{}", {R"(requests.cpu: have (absent), want at least "10m")"}},
        {"a minimum and no request, said once",
         "{requests: [cpu], min: {cpu: 10m}}",
         "{}",
         {"requests.cpu: have (absent), want a cpu request"}},
        {"at most the maximum, in another unit", "{max: {memory: 4Gi}}", R"({"limits":{"memory":"4096Mi"}})", {}},
        {"above the maximum",
         "{max: {memory: 4Gi}}",
         R"({"limits":{"memory":"4097Mi"}})",
         {R"(limits.memory: have "4097Mi", want at most "4Gi")"}},
        {"a maximum and no limit", "{max: {memory: 4Gi}}", "{}", {R"(limits.memory: have (absent), want at most "4Gi")"}},
        {"a maximum, a request above it and no limit",
         "{max: {memory: 4Gi}}",
         R"({"requests":{"memory":"5Gi"}})",
         {R"(requests.memory: have "5Gi", want at most "4Gi")", R"(limits.memory: have (absent), want at most "4Gi")"}},
        {"within the ratio", "{maxLimitRequestRatio: {memory: \"2\"}}", R"({"requests":{"memory":"1Gi"},"limits":{"memory":"2Gi"}})", {}},
        {"beyond the ratio",
         "{maxLimitRequestRatio: {memory: \"2\"}}",
         R"({"requests":{"memory":"1Gi"},"limits":{"memory":"2049Mi"}})",
         {R"(limits.memory: have "2049Mi", want at most 2 times the request ("1Gi"))"}},
        {"a ratio needs a limit",
         "{maxLimitRequestRatio: {memory: \"2\"}}",
         R"({"requests":{"memory":"1Gi"}})",
         {R"(limits.memory: have (absent), want at most 2 times the request ("1Gi"))"}},
        {"a ratio and a request of zero",
         "{maxLimitRequestRatio: {memory: \"2\"}}",
         R"({"requests":{"memory":"0"},"limits":{"memory":"2Gi"}})",
         {R"(limits.memory: have "2Gi", want at most 2 times the request, which is absent)"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.rule, with_resources(row.resources)) == row.found);
    }
}

TEST_CASE("the resources of the pod stand in for what its container does not say") {
    const std::string rule = "{requests: [cpu], limits: [memory]}";
    CHECK(found(rule, pod(R"({"resources":{"requests":{"cpu":"1"},"limits":{"memory":"1Gi"}},"containers":[{"name":"web"}]})")).empty());
    CHECK(found(rule, pod(R"({"resources":{"limits":{"cpu":"1","memory":"1Gi"}},"containers":[{"name":"web"}]})")).empty());
    CHECK(found(rule, pod(R"({"resources":{"limits":{"memory":"1Gi"}},"containers":[{"name":"web"}]})")).size() == 1);
    CHECK(found("{max: {memory: 1Gi}}", pod(R"({"resources":{"limits":{"memory":"2Gi"}},"containers":[{"name":"web"}]})")).size() == 1);
    CHECK(found("{max: {memory: 1Gi}}",
                pod(R"({"resources":{"limits":{"memory":"2Gi"}},"containers":[{"name":"web","resources":{"limits":{"memory":"1Gi"}}}]})"))
              .empty());
}

TEST_CASE("every type of container is judged that the rule names") {
    const std::string spec =
        R"({"initContainers":[{"name":"init"},{"name":"side","restartPolicy":"Always"}],"containers":[{"name":"web"},{"name":""},{}],"ephemeralContainers":[{"name":"debug"}]})";
    const std::string want = ".resources.limits.memory: have (absent), want a memory limit";
    const std::string init = R"(.spec.initContainers[name="init"])" + want;
    const std::string side = R"(.spec.initContainers[name="side"])" + want;
    const List ordinary{"limits.memory: have (absent), want a memory limit", ".spec.containers[1]" + want, ".spec.containers[2]" + want};
    const auto types = [](std::string_view list) { return "{limits: [memory], containerTypes: [" + std::string(list) + "]}"; };
    CHECK(found("{limits: [memory]}", pod(spec)) == List{init, side, ordinary[0], ordinary[1], ordinary[2]});
    CHECK(found(types("initContainers"), pod(spec)) == List{init});
    CHECK(found(types("sidecars"), pod(spec)) == List{side});
    CHECK(found(types("containers"), pod(spec)) == ordinary);
}

TEST_CASE("a resize is judged, other subresources of a pod are not") {
    for (const auto& [sub_resource, judged] :
         {std::pair("resize", true), std::pair("status", false), std::pair("ephemeralcontainers", false)}) {
        INFO(sub_resource);
        Request request = with_resources("{}");
        request.operation = "UPDATE";
        request.sub_resource = sub_resource;
        request.old_object = with_resources(R"({"limits":{"memory":"1Gi"}})").object;
        CHECK(found("{limits: [memory]}", request).empty() != judged);
    }
}

TEST_CASE("long names and long quantities cost no more than their length") {
    // A forged review may hold what no API server stores. 16 MiB of it must not become gigabytes of message.
    std::string quantities;
    for (int i = 0; i < 20'000; ++i) quantities += (i ? ",\"k" : "\"k") + std::to_string(i) + R"(":"lots")";
    const std::string long_name(2'000'000, 'n');
    const auto set = sample::compiled(sample::rule("resources: {limits: [memory]}"));
    const Read review(pod(R"({"containers":[{"name":")" + long_name + R"(","resources":{"requests":{)" + quantities + "}}}]}"));
    const Verdict verdict = evaluate(*review, *set, {});
    CHECK_FALSE(verdict.allowed);
    std::size_t bytes = 0;
    for (const Violation& violation : verdict.violations)
        bytes += violation.path.size() + violation.have.size() + violation.container.size();
    CHECK(bytes < 10'000'000);

    std::string containers;
    for (int i = 0; i < 20'000; ++i) containers += i ? ",{}" : "{}";
    const Read shared(
        pod(R"({"resources":{"limits":{"memory":")" + std::string(4'000'000, '0') + R"(1"}},"containers":[)" + containers + "]}"));
    CHECK_FALSE(evaluate(*shared, *set, {}).allowed);  // 80 GB read if each container read it again
}
