#include "policy/lock/writers.hpp"

#include "policy/lock/assurance.hpp"
#include "policy/lock/lock.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

const std::string kOwned =
    R"({"metadata":{"name":"web","namespace":"production","ownerReferences":[{"kind":"X","name":"x","uid":"u","controller":true}]}})";
const std::string kNotOwned = R"({"metadata":{"name":"web","namespace":"production"}})";
const std::string kClusterScoped = R"({"metadata":{"name":"web"}})";
const std::string kOwnedByNoController =
    R"({"metadata":{"name":"web","namespace":"production","ownerReferences":[{"kind":"X","name":"x","uid":"u"},{"kind":"X","name":"y","uid":"v","controller":false}]}})";

// "apps/deployments/scale" and "pods".
Request request_for(std::string_view what, std::string operation, std::string user, const std::string& object) {
    Request request;
    request.object = object;
    if (what.find('.') != std::string_view::npos || what.starts_with("apps/") || what.starts_with("batch/") ||
        what.starts_with("autoscaling/") || what.starts_with("policy/")) {
        request.group = what.substr(0, what.find('/'));
        what.remove_prefix(what.find('/') + 1);
    }
    request.resource = what.substr(0, what.find('/'));
    if (what.find('/') != std::string_view::npos) request.sub_resource = what.substr(what.find('/') + 1);
    request.user = std::move(user);
    return sample::with_operation(request, std::move(operation));
}

bool passes(std::string_view profile, const Request& request) {
    const WriterProfile* writers = find_built_in_writers(profile);
    REQUIRE(writers != nullptr);
    const Read review(request);
    LockRule lock;
    lock.writers = {writers};
    return lock.find_writer(*review, read_assurance(review->user)) == writers;
}

}  // namespace

TEST_CASE("each controller of Kubernetes may write what it writes, and nothing beside it") {
    struct Row {
        std::string_view account;
        std::string_view operation;
        std::string_view what;
        const std::string& object;
        bool passes;
    };
    const Row rows[] = {
        {"deployment-controller", "CREATE", "apps/replicasets", kOwned, true},
        {"deployment-controller", "UPDATE", "apps/replicasets", kOwned, true},
        {"deployment-controller", "UPDATE", "apps/deployments/status", kNotOwned, true},
        {"deployment-controller", "CREATE", "apps/replicasets", kNotOwned, false},
        {"deployment-controller", "CREATE", "apps/replicasets", kOwnedByNoController, false},
        {"deployment-controller", "UPDATE", "apps/deployments", kNotOwned, false},
        {"deployment-controller", "CREATE", "pods", kOwned, false},
        {"replicaset-controller", "CREATE", "pods", kOwned, true},
        {"replicaset-controller", "DELETE", "pods", kOwned, true},
        {"replicaset-controller", "CREATE", "pods", kNotOwned, false},
        {"replicaset-controller", "DELETE", "pods", kNotOwned, false},
        {"replicaset-controller", "CONNECT", "pods/exec", kOwned, false},
        {"replicaset-controller", "UPDATE", "pods/ephemeralcontainers", kOwned, false},
        {"replicaset-controller", "UPDATE", "apps/replicasets", kOwned, false},
        {"replication-controller", "UPDATE", "replicationcontrollers/status", kNotOwned, true},
        {"replication-controller", "UPDATE", "replicationcontrollers", kNotOwned, false},
        {"statefulset-controller", "CREATE", "persistentvolumeclaims", kNotOwned, true},
        {"statefulset-controller", "CREATE", "apps/controllerrevisions", kOwned, true},
        {"statefulset-controller", "UPDATE", "apps/statefulsets", kNotOwned, false},
        {"daemon-set-controller", "CREATE", "pods", kOwned, true},
        {"daemon-set-controller", "UPDATE", "apps/daemonsets", kNotOwned, false},
        {"job-controller", "UPDATE", "batch/jobs/status", kNotOwned, true},
        {"job-controller", "CREATE", "batch/jobs", kOwned, false},
        {"cronjob-controller", "CREATE", "batch/jobs", kOwned, true},
        {"cronjob-controller", "CREATE", "batch/jobs", kNotOwned, false},
        {"ttl-after-finished-controller", "DELETE", "batch/jobs", kNotOwned, true},
        {"ttl-after-finished-controller", "DELETE", "pods", kNotOwned, false},
        {"endpoint-controller", "UPDATE", "endpoints", kNotOwned, true},
        {"endpoint-controller", "UPDATE", "services", kNotOwned, false},
        {"endpointslice-controller", "CREATE", "discovery.k8s.io/endpointslices", kOwned, true},
        {"endpointslice-controller", "CREATE", "discovery.k8s.io/endpointslices", kNotOwned, false},
        {"endpointslicemirroring-controller", "CREATE", "discovery.k8s.io/endpointslices", kOwned, true},
        {"service-controller", "UPDATE", "services/status", kNotOwned, true},
        {"service-controller", "CREATE", "services", kNotOwned, false},
        {"horizontal-pod-autoscaler", "UPDATE", "apps/deployments/scale", kNotOwned, true},
        {"horizontal-pod-autoscaler", "UPDATE", "argoproj.io/rollouts/scale", kNotOwned, true},
        {"horizontal-pod-autoscaler", "UPDATE", "apps/deployments", kNotOwned, false},
        {"disruption-controller", "UPDATE", "policy/poddisruptionbudgets/status", kNotOwned, true},
        {"disruption-controller", "UPDATE", "policy/poddisruptionbudgets", kNotOwned, false},
        {"resourcequota-controller", "UPDATE", "resourcequotas/status", kNotOwned, true},
        {"resourcequota-controller", "UPDATE", "resourcequotas", kNotOwned, false},
        {"generic-garbage-collector", "DELETE", "apps/replicasets", kOwned, true},
        {"generic-garbage-collector", "UPDATE", "example.com/widgets", kOwned, true},
        {"generic-garbage-collector", "CREATE", "configmaps", kNotOwned, false},
        {"generic-garbage-collector", "UPDATE", "apps/deployments/scale", kNotOwned, false},
        {"namespace-controller", "DELETE", "configmaps", kNotOwned, true},
        {"namespace-controller", "UPDATE", "configmaps", kNotOwned, false},
        {"namespace-controller", "UPDATE", "namespaces/finalize", kClusterScoped, true},
        {"pod-garbage-collector", "DELETE", "pods", kNotOwned, true},
        {"pod-garbage-collector", "CREATE", "pods", kNotOwned, false},
        {"node-controller", "UPDATE", "pods/status", kNotOwned, true},
        {"node-controller", "UPDATE", "pods", kNotOwned, false},
        {"taint-eviction-controller", "DELETE", "pods", kNotOwned, true},
        {"device-taint-eviction-controller", "DELETE", "pods", kNotOwned, true},
        {"persistent-volume-binder", "UPDATE", "persistentvolumeclaims", kNotOwned, true},
        {"persistent-volume-binder", "DELETE", "persistentvolumeclaims", kNotOwned, false},
        {"pvc-protection-controller", "UPDATE", "persistentvolumeclaims", kNotOwned, true},
        {"expand-controller", "UPDATE", "persistentvolumeclaims/status", kNotOwned, true},
        {"expand-controller", "UPDATE", "persistentvolumeclaims", kNotOwned, false},
        {"ephemeral-volume-controller", "CREATE", "persistentvolumeclaims", kOwned, true},
        {"ephemeral-volume-controller", "CREATE", "persistentvolumeclaims", kNotOwned, false},
        {"attachdetach-controller", "UPDATE", "persistentvolumeclaims/status", kNotOwned, true},
        {"resource-claim-controller", "CREATE", "resource.k8s.io/resourceclaims", kOwned, true},
        {"resource-claim-controller", "CREATE", "resource.k8s.io/resourceclaims", kNotOwned, false},
        {"service-account-controller", "CREATE", "serviceaccounts", kNotOwned, true},
        {"service-account-controller", "CREATE", "serviceaccounts/token", kNotOwned, false},
        {"root-ca-cert-publisher", "UPDATE", "configmaps", kNotOwned, true},
        {"root-ca-cert-publisher", "CREATE", "secrets", kNotOwned, false},
        {"legacy-service-account-token-cleaner", "DELETE", "secrets", kNotOwned, true},
        {"legacy-service-account-token-cleaner", "CREATE", "secrets", kNotOwned, false},
        {"an-account-nobody-knows", "UPDATE", "pods/status", kNotOwned, false},
    };
    for (const Row& row : rows) {
        INFO(row.account << " " << row.operation << " " << row.what);
        CHECK(passes("kubernetes", request_for(row.what, std::string(row.operation), sample::token("kube-system", row.account),
                                               row.object)) == row.passes);
        // Never with less proof, never from another namespace, never for another profile.
        CHECK_FALSE(passes(
            "kubernetes", request_for(row.what, std::string(row.operation), sample::impersonated("kube-system", row.account), row.object)));
        CHECK_FALSE(
            passes("kubernetes", request_for(row.what, std::string(row.operation), sample::token("default", row.account), row.object)));
        CHECK_FALSE(
            passes("flux", request_for(row.what, std::string(row.operation), sample::pod_bound("kube-system", row.account), row.object)));
    }
}

TEST_CASE("scheduler, kubelet and the API server itself may write what only they write") {
    const std::string scheduler = sample::certificate("system:kube-scheduler");
    const std::string kubelet = sample::certificate("system:node:aks-1", "system:nodes");
    const std::string impersonated_kubelet = R"({"username":"system:node:aks-1","groups":["system:nodes"]})";
    const std::string api_server = R"({"username":"system:apiserver","uid":"0a7a","groups":["system:authenticated","system:masters"]})";
    const std::string pod_token =
        R"({"metadata":{"name":"web","namespace":"production"},"spec":{"boundObjectRef":{"kind":"Pod","name":"p","uid":"u"}}})";
    const std::string node_token =
        R"({"metadata":{"name":"web","namespace":"production"},"spec":{"boundObjectRef":{"kind":"Node","name":"n","uid":"u"}}})";
    struct Row {
        std::string_view name;
        std::string user;
        std::string_view operation;
        std::string_view what;
        const std::string& object;
        bool passes;
    };
    const Row rows[] = {
        {"the scheduler binds", scheduler, "CREATE", "pods/binding", kNotOwned, true},
        {"the scheduler says why it cannot", scheduler, "UPDATE", "pods/status", kNotOwned, true},
        {"the scheduler preempts", scheduler, "DELETE", "pods", kNotOwned, true},
        {"the scheduler creates no pods", scheduler, "CREATE", "pods", kOwned, false},
        {"the scheduler with --as", R"({"username":"system:kube-scheduler","groups":["system:authenticated"]})", "CREATE", "pods/binding",
         kNotOwned, false},
        {"the kubelet reports status", kubelet, "UPDATE", "pods/status", kNotOwned, true},
        {"the kubelet makes a mirror pod", kubelet, "CREATE", "pods", kNotOwned, true},
        {"the kubelet removes a stopped pod", kubelet, "DELETE", "pods", kNotOwned, true},
        {"the kubelet evicts", kubelet, "CREATE", "pods/eviction", kNotOwned, true},
        {"the kubelet asks for the token of a pod", kubelet, "CREATE", "serviceaccounts/token", pod_token, true},
        {"a token that is not bound to a pod", kubelet, "CREATE", "serviceaccounts/token", kNotOwned, false},
        {"a token that is bound to something else", kubelet, "CREATE", "serviceaccounts/token", node_token, false},
        {"the kubelet edits no pods", kubelet, "UPDATE", "pods", kNotOwned, false},
        {"the kubelet adds no debug container", kubelet, "UPDATE", "pods/ephemeralcontainers", kNotOwned, false},
        {"the kubelet edits no Deployment", kubelet, "UPDATE", "apps/deployments", kNotOwned, false},
        {"the kubelet with --as", impersonated_kubelet, "UPDATE", "pods/status", kNotOwned, false},
        // NodeRestriction looks at names that start with system:node: only; a person with such a certificate escapes it.
        {"a person in the group of the nodes", sample::certificate("alice", "system:nodes"), "CREATE", "pods", kNotOwned, false},
        {"a person in the group of the nodes mints a token", sample::certificate("alice", "system:nodes"), "CREATE",
         "serviceaccounts/token", pod_token, false},
        {"a node outside the group of the nodes", sample::certificate("system:node:aks-1"), "UPDATE", "pods/status", kNotOwned, false},
        {"a node without a name", sample::certificate("system:node:", "system:nodes"), "UPDATE", "pods/status", kNotOwned, false},
        {"the API server counts", api_server, "UPDATE", "resourcequotas/status", kNotOwned, true},
        {"the API server writes nothing else", api_server, "UPDATE", "resourcequotas", kNotOwned, false},
        {"somebody named like it", sample::certificate("system:apiserver"), "UPDATE", "resourcequotas/status", kNotOwned, false},
        {"alice", sample::kAlice, "UPDATE", "pods/status", kNotOwned, false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(passes("kubernetes", request_for(row.what, std::string(row.operation), row.user, row.object)) == row.passes);
        CHECK_FALSE(passes("flux", request_for(row.what, std::string(row.operation), row.user, row.object)));
    }
}

TEST_CASE("Flux may write with a token bound to its pod, and with nothing less") {
    const auto pod_bound = [](std::string_view name) { return sample::pod_bound("flux-system", name); };
    struct Row {
        std::string_view name;
        std::string user;
        std::string_view operation;
        std::string_view what;
        bool passes;
    };
    const Row rows[] = {
        {"kustomize-controller writes anything", pod_bound("kustomize-controller"), "UPDATE", "apps/deployments", true},
        {"kustomize-controller prunes", pod_bound("kustomize-controller"), "DELETE", "configmaps", true},
        {"helm-controller stores a release", pod_bound("helm-controller"), "CREATE", "secrets", true},
        {"a minted token", sample::token("flux-system", "kustomize-controller"), "UPDATE", "apps/deployments", false},
        {"--as", sample::impersonated("flux-system", "kustomize-controller"), "UPDATE", "apps/deployments", false},
        {"a certificate with the name", sample::certificate("system:serviceaccount:flux-system:kustomize-controller"), "UPDATE",
         "apps/deployments", false},
        {"the same account in another namespace", sample::pod_bound("default", "kustomize-controller"), "UPDATE", "apps/deployments",
         false},
        {"a namespace that starts alike", sample::pod_bound("flux-system-2", "kustomize-controller"), "UPDATE", "apps/deployments", false},
        {"an account that starts alike", pod_bound("kustomize-controller-2"), "UPDATE", "apps/deployments", false},
        {"source-controller writes status of sources", pod_bound("source-controller"), "UPDATE",
         "source.toolkit.fluxcd.io/gitrepositories/status", true},
        {"source-controller writes finalizers of sources", pod_bound("source-controller"), "UPDATE",
         "source.toolkit.fluxcd.io/gitrepositories", true},
        {"source-controller creates no sources", pod_bound("source-controller"), "CREATE", "source.toolkit.fluxcd.io/gitrepositories",
         false},
        {"source-controller mints no token", pod_bound("source-controller"), "CREATE", "serviceaccounts/token", false},
        {"source-controller writes no Deployment", pod_bound("source-controller"), "UPDATE", "apps/deployments", false},
        {"notification-controller annotates a source", pod_bound("notification-controller"), "UPDATE",
         "source.toolkit.fluxcd.io/gitrepositories", true},
        {"notification-controller writes no status of sources", pod_bound("notification-controller"), "UPDATE",
         "source.toolkit.fluxcd.io/gitrepositories/status", false},
        {"image-reflector-controller writes what it found", pod_bound("image-reflector-controller"), "UPDATE",
         "image.toolkit.fluxcd.io/imagerepositories/status", true},
        {"image-automation-controller writes no source", pod_bound("image-automation-controller"), "UPDATE",
         "source.toolkit.fluxcd.io/gitrepositories", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(passes("flux", request_for(row.what, std::string(row.operation), row.user, kNotOwned)) == row.passes);
    }
}

TEST_CASE("an owner reference counts as it is or as it was") {
    auto adopts = request_for("pods", "UPDATE", sample::token("kube-system", "replicaset-controller"), kOwned);
    adopts.old_object = kNotOwned;
    CHECK(passes("kubernetes", adopts));
    std::swap(adopts.object, adopts.old_object);
    CHECK(passes("kubernetes", adopts));
}

TEST_CASE("only the built-in profiles of this version are found") {
    CHECK(find_built_in_writers("flux") != nullptr);
    CHECK(find_built_in_writers("kubernetes") != nullptr);
    CHECK(find_built_in_writers("Flux") == nullptr);
    CHECK(find_built_in_writers("") == nullptr);
    for (const auto name :
         {"flux-multitenant", "aks-flux", "flux-operator", "argocd", "aks", "flagger", "cert-manager", "keda", "fluxgate"}) {
        INFO(name);
        CHECK(is_planned_writer(name));
        CHECK(find_built_in_writers(name) == nullptr);
    }
    CHECK_FALSE(is_planned_writer("flux"));
}

TEST_CASE("no identity of the built-in profiles is open to everybody") {
    for (const auto name : {"flux", "kubernetes"}) {
        for (const WriterIdentity& identity : find_built_in_writers(name)->identities) {
            INFO(name << " " << identity.user);
            CHECK_FALSE((identity.user.empty() && identity.groups.empty()));
            CHECK(identity.assurance != Assurance::none);
            CHECK_FALSE(identity.may.empty());
        }
    }
}
