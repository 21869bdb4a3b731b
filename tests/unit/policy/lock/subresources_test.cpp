#include "policy/lock/subresources.hpp"

#include <map>

#include "policy/lock/lock.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

std::shared_ptr<const PolicySet> locked() {
    return sample::compiled(
        sample::policy("  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [flux, kubernetes, aks, keda]}}]\n"));
}

Request about(std::string_view operation, std::string_view resource, std::string_view sub_resource, std::string_view object = "{}") {
    Request request;
    request.resource = resource;
    request.sub_resource = sub_resource;
    request.object = object;
    if (resource == "deployments") request.group = "apps";
    request.kind = "Thing";
    return sample::with_operation(request, std::string(operation));
}

}  // namespace

TEST_CASE("who may write which subresource in a locked namespace") {
    const std::string kubelet = sample::certificate("system:node:aks-1", "system:nodes");
    const std::string scheduler = sample::certificate("system:kube-scheduler");
    const std::string vpa = sample::pod_bound("kube-system", "vpa-updater");
    const auto controller = [](std::string_view name) { return sample::token("kube-system", name); };
    constexpr std::string_view kForPod = R"({"spec":{"boundObjectRef":{"kind":"Pod"}}})";
    struct Row {
        std::string_view operation;
        std::string_view resource;
        std::string_view sub_resource;
        std::string user;   // who may, besides Flux; empty: nobody
        std::string other;  // who looks as if, and may not
        std::string_view object = "{}";
    };
    const Row rows[] = {
        {"UPDATE", "deployments", "scale", controller("horizontal-pod-autoscaler"), controller("deployment-controller")},
        {"UPDATE", "deployments", "scale", sample::pod_bound("keda", "keda-operator"), sample::pod_bound("default", "keda-operator")},
        {"UPDATE", "deployments", "status", controller("deployment-controller"), controller("replicaset-controller")},
        {"UPDATE", "pods", "status", kubelet, sample::certificate("bob", "system:nodes")},
        {"UPDATE", "pods", "ephemeralcontainers", "", kubelet},
        {"UPDATE", "pods", "resize", vpa, controller("replicaset-controller")},
        {"CREATE", "pods", "eviction", sample::certificate("aksService"), scheduler},
        {"CREATE", "pods", "eviction", kubelet, sample::impersonated("kube-system", "vpa-updater")},
        {"CREATE", "pods", "eviction", vpa, controller("replicaset-controller")},
        {"CREATE", "pods", "binding", scheduler, kubelet},
        {"CONNECT", "pods", "exec", "", kubelet},
        {"CONNECT", "pods", "attach", "", kubelet},
        {"CONNECT", "pods", "portforward", "", scheduler},
        {"CONNECT", "pods", "proxy", "", controller("namespace-controller")},
        {"CONNECT", "services", "proxy", "", controller("endpoint-controller")},
        {"CREATE", "serviceaccounts", "token", kubelet, scheduler, kForPod},
        {"CREATE", "serviceaccounts", "token", "", kubelet},
        {"UPDATE", "namespaces", "finalize", controller("namespace-controller"), controller("generic-garbage-collector")},
        {"UPDATE", "widgets", "tomorrow", "", controller("generic-garbage-collector")},
    };
    const auto set = locked();
    for (const Row& row : rows) {
        INFO(row.operation << " " << row.resource << "/" << row.sub_resource << " " << row.user);
        Request request = about(row.operation, row.resource, row.sub_resource, row.object);
        CHECK_FALSE(evaluate(*Read(request), *set, {}).allowed);
        request.user = sample::kFlux;
        CHECK(evaluate(*Read(request), *set, {}).allowed);
        request.user = row.other;
        CHECK_FALSE(evaluate(*Read(request), *set, {}).allowed);
        request.user = row.user;
        if (!row.user.empty()) CHECK(evaluate(*Read(request), *set, {}).allowed);
    }
}

TEST_CASE("a writer may write an unknown subresource only if it is named, or all are") {
    const std::pair<const char*, bool> rows[] = {{"\"*\"", false},           {"widgets", false},       {"widgets/status", false},
                                                 {"widgets/tomorrow", true}, {"\"*/tomorrow\"", true}, {"\"*/*\"", true}};
    for (const auto& [resources, passes] : rows) {
        INFO(resources);
        const auto set =
            sample::compiled(std::vector<std::string>{"apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: "
                                                      "ci}\nspec:\n  identities:\n  - user: ci\n    assurance: certificate\n"
                                                      "    may: [{apiGroups: [\"*\"], resources: [" +
                                                          std::string(resources) + "], operations: [\"*\"]}]\n",
                                                      sample::rule("lock: {writers: [ci]}")});
        Request request = about("UPDATE", "widgets", "tomorrow");
        request.user = sample::certificate("ci");
        CHECK(evaluate(*Read(request), *set, {}).allowed == passes);
    }
}

TEST_CASE("each subresource has one row, and only those of stored objects are relaxed in a dry run") {
    std::map<std::string_view, int> rows;
    for (const SubResource& known : sub_resources()) {
        INFO(known.name);
        CHECK(++rows[known.name] == 1);
        CHECK(find_sub_resource(known.name) == &known);
        CHECK_FALSE(known.shows.empty());
        for (const char* operation : {"CREATE", "UPDATE", "CONNECT"}) {
            Request request = about(operation, "pods", known.name);
            request.dry_run = true;
            const bool stores_nothing = known.dry_run_stores_nothing && std::string_view(operation) != "CONNECT";
            CHECK(dry_run_stores_nothing(*Read(request)) == stores_nothing);
        }
    }
    CHECK(find_sub_resource("tomorrow") == nullptr);
    CHECK(find_sub_resource("") == nullptr);
    const auto opened_by = [](std::string_view name) { return find_sub_resource(name)->opened_by; };
    CHECK(opened_by("eviction") == DayTwoAction::evict);
    CHECK(opened_by("exec") == DayTwoAction::exec);
    CHECK(opened_by("attach") == DayTwoAction::attach);
    CHECK(opened_by("portforward") == DayTwoAction::port_forward);
    CHECK(opened_by("proxy") == DayTwoAction::proxy);
    CHECK(opened_by("ephemeralcontainers") == DayTwoAction::debug);
    for (const std::string_view closed : {"status", "scale", "resize", "binding", "token", "approval", "finalize"})
        CHECK_FALSE(opened_by(closed));
}
