#include "policy/rules/pod_security.hpp"

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

Request pod(std::string_view spec) {
    Request request;
    request.object = R"({"metadata":{"name":"web"},"spec":)" + std::string(spec) + "}";
    return request;
}

std::vector<std::string> found(const Request& request, std::string_view checks, std::string_view version = "latest") {
    const auto set = sample::compiled(
        sample::rule("podSecurity: {level: restricted, version: " + std::string(version) + ", checks: [" + std::string(checks) + "]}"));
    std::vector<std::string> list;
    for (const Violation& violation : evaluate(*Read(request), *set, {}).violations) list.push_back(violation.path + " " + violation.have);
    return list;
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("runAsNonRoot is true at the pod or at every container, and false nowhere") {
    const std::string web = R"(.spec.containers[name="web"].securityContext.runAsNonRoot )";
    const std::string of_pod = ".spec.securityContext.runAsNonRoot ";
    struct Row {
        std::string_view name;
        std::string_view spec;
        List found;
    };
    const Row rows[] = {
        {"nothing said", R"({"containers":[{"name":"web"}]})", {web + "(absent)"}},
        {"null and {} are nothing",
         R"({"securityContext":null,"containers":[{"name":"web","securityContext":{"runAsNonRoot":null}}]})",
         {web + "(absent)"}},
        {"true at the pod", R"({"securityContext":{"runAsNonRoot":true},"containers":[{"name":"web"}]})", {}},
        {"true at the container", R"({"containers":[{"name":"web","securityContext":{"runAsNonRoot":true}}]})", {}},
        {"true at one of two",
         R"({"containers":[{"name":"web"},{"name":"b","securityContext":{"runAsNonRoot":true}}]})",
         {web + "(absent)"}},
        {"false at the container, true at the pod",
         R"({"securityContext":{"runAsNonRoot":true},"containers":[{"name":"web","securityContext":{"runAsNonRoot":false}}]})",
         {web + "false"}},
        {"false at the pod, true at every container",
         R"({"securityContext":{"runAsNonRoot":false},"containers":[{"name":"web","securityContext":{"runAsNonRoot":true}}]})",
         {of_pod + "false"}},
        {"a text at the pod",
         R"({"securityContext":{"runAsNonRoot":"true"},"containers":[{"name":"web","securityContext":{"runAsNonRoot":true}}]})",
         {of_pod + "\"true\""}},
        {"a number at the container",
         R"({"securityContext":{"runAsNonRoot":true},"containers":[{"name":"web","securityContext":{"runAsNonRoot":1}}]})",
         {web + "1"}},
        {"a user id does not stand in", R"({"containers":[{"name":"web","securityContext":{"runAsUser":1000}}]})", {web + "(absent)"}},
        {"no containers", R"({"containers":[]})", {}},
        {"windows is asked too", R"({"os":{"name":"windows"},"containers":[{"name":"web"}]})", {web + "(absent)"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(pod(row.spec), "runAsNonRoot") == row.found);
    }
}

TEST_CASE("runAsUser is not 0 anywhere") {
    const std::string web = R"(.spec.containers[name="web"].securityContext.runAsUser )";
    struct Row {
        std::string_view name;
        std::string_view spec;
        List found;
    };
    const Row rows[] = {
        {"nothing said", R"({"containers":[{"name":"web"}]})", {}},
        {"null", R"({"containers":[{"name":"web","securityContext":{"runAsUser":null}}]})", {}},
        {"somebody", R"({"securityContext":{"runAsUser":1},"containers":[{"name":"web","securityContext":{"runAsUser":1000}}]})", {}},
        {"root at the pod",
         R"({"securityContext":{"runAsUser":0},"containers":[{"name":"web","securityContext":{"runAsUser":1000}}]})",
         {".spec.securityContext.runAsUser 0"}},
        {"root at the container",
         R"({"securityContext":{"runAsUser":1},"containers":[{"name":"web","securityContext":{"runAsUser":0}}]})",
         {web + "0"}},
        {"minus zero", R"({"containers":[{"name":"web","securityContext":{"runAsUser":-0}}]})", {web + "0"}},
        {"zero as a fraction", R"({"containers":[{"name":"web","securityContext":{"runAsUser":0.0}}]})", {web + "0.0"}},
        {"zero as a text", R"({"containers":[{"name":"web","securityContext":{"runAsUser":"0"}}]})", {web + "\"0\""}},
        {"false", R"({"containers":[{"name":"web","securityContext":{"runAsUser":false}}]})", {web + "false"}},
        {"beyond 64 bits",
         R"({"containers":[{"name":"web","securityContext":{"runAsUser":18446744073709551615}}]})",
         {web + "18446744073709551615"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(pod(row.spec), "runAsUser") == row.found);
    }
}

TEST_CASE("every container is judged, also one that is added to a running pod") {
    Request request = pod(
        R"({"initContainers":[{"name":"i","securityContext":{"runAsUser":0}},{"name":"s","restartPolicy":"Always","securityContext":{"runAsUser":0}}],)"
        R"("containers":[{"name":"web","securityContext":{"runAsUser":0}}],"ephemeralContainers":[{"name":"e","securityContext":{"runAsUser":0}}]})");
    CHECK(found(request, "runAsUser") == List{R"(.spec.initContainers[name="i"].securityContext.runAsUser 0)",
                                              R"(.spec.initContainers[name="s"].securityContext.runAsUser 0)",
                                              R"(.spec.containers[name="web"].securityContext.runAsUser 0)",
                                              R"(.spec.ephemeralContainers[name="e"].securityContext.runAsUser 0)"});

    request.operation = "UPDATE";
    request.sub_resource = "ephemeralcontainers";
    request.old_object = pod(R"({"containers":[{"name":"web"}]})").object;
    CHECK(found(request, "runAsUser").size() == 4);
    request.sub_resource = "status";
    CHECK(found(request, "runAsUser").empty());
}

TEST_CASE("a check begins and is relaxed with the version that Kubernetes says") {
    const Request root = pod(R"({"containers":[{"name":"web","securityContext":{"runAsUser":0}}]})");
    const Request in_a_user_namespace = pod(R"({"hostUsers":false,"containers":[{"name":"web","securityContext":{"runAsUser":0}}]})");
    const Request outside = pod(R"({"hostUsers":true,"containers":[{"name":"web","securityContext":{"runAsUser":0}}]})");
    const Request odd = pod(R"({"hostUsers":"false","containers":[{"name":"web","securityContext":{"runAsUser":0}}]})");
    struct Row {
        std::string_view name;
        std::string_view version;
        const Request& request;
        std::size_t found;  // runAsNonRoot and runAsUser
    };
    const Row rows[] = {
        {"before runAsUser", "v1.22", root, 1},
        {"runAsUser", "v1.23", root, 2},
        {"the first version", "v1.0", root, 1},
        {"latest", "latest", root, 2},
        {"newer than we know", "v1.99", root, 2},
        {"hostUsers false before 1.35", "v1.34", in_a_user_namespace, 2},
        {"hostUsers false", "v1.35", in_a_user_namespace, 0},
        {"hostUsers false, latest", "latest", in_a_user_namespace, 0},
        {"hostUsers true", "v1.35", outside, 2},
        {"hostUsers of a wrong type", "v1.35", odd, 2},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.request, "runAsNonRoot, runAsUser", row.version).size() == row.found);
    }
}
