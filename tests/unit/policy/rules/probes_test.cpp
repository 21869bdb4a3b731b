#include "policy/rules/probes.hpp"

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

// The paths of the violations, in order.
std::vector<std::string> found(std::string_view rule, const Request& request) {
    const auto set = sample::compiled(sample::rule("probes: " + std::string(rule)));
    std::vector<std::string> paths;
    for (const Violation& violation : evaluate(*Read(request), *set, {}).violations) paths.push_back(violation.path);
    return paths;
}

Request pod(std::string_view spec, std::string_view metadata = R"("name":"web")") {
    Request request;
    request.object = R"({"metadata":{)" + std::string(metadata) + R"(},"spec":)" + std::string(spec) + "}";
    return request;
}

Request workload(std::string group, std::string resource, std::string_view spec) {
    Request request;
    request.group = std::move(group);
    request.resource = std::move(resource);
    request.object = resource == "cronjobs" ? R"({"spec":{"jobTemplate":{"spec":{"template":{"spec":)" + std::string(spec) + "}}}}}"
                                            : R"({"spec":{"template":{"spec":)" + std::string(spec) + "}}}";
    if (request.resource == "cronjobs")
        request.object = R"({"spec":{"jobTemplate":{"spec":{"template":{"spec":)" + std::string(spec) + "}}}}}";
    if (request.resource == "podtemplates") request.object = R"({"template":{"spec":)" + std::string(spec) + "}}";
    return request;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("a container without the probes it must have is named") {
    const std::string readiness = R"(.spec.containers[name="web"].readinessProbe)";
    struct Row {
        std::string_view name;
        std::string_view container;
        Paths paths;
    };
    const Row rows[] = {
        {"none", R"({"name":"web"})", {readiness}},
        {"null", R"({"name":"web","readinessProbe":null})", {readiness}},
        {"empty", R"({"name":"web","readinessProbe":{}})", {readiness}},
        {"times but no handler", R"({"name":"web","readinessProbe":{"periodSeconds":3}})", {readiness}},
        {"a handler that is null", R"({"name":"web","readinessProbe":{"httpGet":null}})", {readiness}},
        {"a handler nobody knows", R"({"name":"web","readinessProbe":{"telepathy":{}}})", {readiness}},
        {"of a wrong type", R"({"name":"web","readinessProbe":"yes"})", {readiness}},
        {"another probe", R"({"name":"web","livenessProbe":{"exec":{}}})", {readiness}},
        {"httpGet", R"({"name":"web","readinessProbe":{"httpGet":{"port":1}}})", {}},
        {"tcpSocket", R"({"name":"web","readinessProbe":{"tcpSocket":{"port":1}}})", {}},
        {"exec", R"({"name":"web","readinessProbe":{"exec":{"command":["x"]}}})", {}},
        {"grpc", R"({"name":"web","readinessProbe":{"grpc":{"port":1}}})", {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found("{all: [readinessProbe]}", pod(R"({"containers":[)" + std::string(row.container) + "]}")) == row.paths);
    }
}

TEST_CASE("of the probes under any one is enough") {
    const std::string rule = "{any: [livenessProbe, startupProbe]}";
    CHECK(found(rule, pod(R"({"containers":[{"name":"web","startupProbe":{"exec":{}}}]})")) == Paths{});
    CHECK(found(rule, pod(R"({"containers":[{"name":"web","livenessProbe":{"exec":{}}}]})")) == Paths{});
    CHECK(found(rule, pod(R"({"containers":[{"name":"web","readinessProbe":{"exec":{}}}]})")) == Paths{R"(.spec.containers[name="web"])"});
    CHECK(found("{all: [readinessProbe], any: [livenessProbe]}", pod(R"({"containers":[{"name":"web"}]})")).size() == 2);
}

TEST_CASE("probes are asked of containers that live as long as the pod") {
    CHECK(
        found("{all: [readinessProbe]}",
              pod(R"({"initContainers":[{"name":"init"},{"name":"side","restartPolicy":"Always"},{"name":"once","restartPolicy":"Never"}],)"
                  R"("containers":[{"name":"web"}],"ephemeralContainers":[{"name":"debug"}]})")) ==
        Paths{R"(.spec.initContainers[name="side"].readinessProbe)", R"(.spec.containers[name="web"].readinessProbe)"});
}

TEST_CASE("jobs are over when they are done, unless the policy names them") {
    const std::string_view spec = R"({"containers":[{"name":"web"}]})";
    const std::string_view of_a_job = R"("name":"web","ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","controller":true}])";
    const std::string_view of_a_job_no_controller = R"("name":"web","ownerReferences":[{"kind":"Job"}])";
    const std::string_view of_a_set = R"("name":"web","ownerReferences":[{"kind":"ReplicaSet","controller":true}])";
    struct Row {
        std::string_view name;
        std::string rule;
        Request request;
        bool asked;
    };
    const std::string all = "{all: [readinessProbe]}";
    const auto kinds = [](std::string_view list) { return "{all: [readinessProbe], kinds: [" + std::string(list) + "]}"; };
    const Row rows[] = {
        {"a Job", all, workload("batch", "jobs", spec), false},
        {"a CronJob", all, workload("batch", "cronjobs", spec), false},
        {"a Pod of a Job", all, pod(spec, of_a_job), false},
        {"a Pod that says a Job owns it, but not as controller", all, pod(spec, of_a_job_no_controller), true},
        {"a Pod of a ReplicaSet", all, pod(spec, of_a_set), true},
        {"a Pod alone", all, pod(spec), true},
        {"a Deployment", all, workload("apps", "deployments", spec), true},
        {"a ReplicationController", all, workload("", "replicationcontrollers", spec), true},
        {"a PodTemplate", all, workload("", "podtemplates", spec), true},
        {"a Job that is named", kinds("Job"), workload("batch", "jobs", spec), true},
        {"a CronJob that is named", kinds("CronJob"), workload("batch", "cronjobs", spec), true},
        {"a Pod of a Job where Jobs are named too", kinds("Job, Pod"), pod(spec, of_a_job), true},
        {"a Pod of a Job where only Pods are named", kinds("Pod"), pod(spec, of_a_job), false},
        {"a Deployment where only StatefulSets are named", kinds("StatefulSet"), workload("apps", "deployments", spec), false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.rule, row.request).empty() != row.asked);
    }
}

TEST_CASE("an ephemeral container, a resize and a status need no probes") {
    for (const auto sub_resource : {"ephemeralcontainers", "resize", "status", "binding"}) {
        INFO(sub_resource);
        Request request = pod(R"({"containers":[{"name":"web"}]})");
        request.operation = "UPDATE";
        request.old_object = R"({"metadata":{"name":"web"}})";
        request.sub_resource = sub_resource;
        CHECK(found("{all: [readinessProbe]}", request).empty());
    }
}
