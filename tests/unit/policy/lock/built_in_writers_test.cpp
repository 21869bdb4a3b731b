#include "policy/lock/built_in_writers.hpp"

#include <set>

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
    lock.writers = {{std::shared_ptr<const WriterProfile>(), writers}};
    return lock.find_writer(*review, read_assurance(review->user)).profile == writers;
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
        {"job-controller", "UPDATE", "pods", kNotOwned, true},
        {"job-controller", "DELETE", "pods", kNotOwned, false},
        {"podcertificaterequestcleaner", "DELETE", "certificates.k8s.io/podcertificaterequests", kNotOwned, true},
        {"podcertificaterequestcleaner", "CREATE", "certificates.k8s.io/podcertificaterequests", kNotOwned, false},
        {"podcertificaterequestcleaner", "DELETE", "certificates.k8s.io/certificatesigningrequests", kClusterScoped, false},
        {"storage-version-migrator-controller", "UPDATE", "configmaps", kNotOwned, true},
        {"storage-version-migrator-controller", "CREATE", "configmaps", kNotOwned, false},
        {"storage-version-migrator-controller", "UPDATE", "apps/deployments/scale", kNotOwned, false},
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
        {"clusterrole-aggregation-controller", "UPDATE", "rbac.authorization.k8s.io/clusterroles", kClusterScoped, true},
        {"clusterrole-aggregation-controller", "CREATE", "rbac.authorization.k8s.io/clusterroles", kClusterScoped, false},
        {"clusterrole-aggregation-controller", "UPDATE", "rbac.authorization.k8s.io/clusterrolebindings", kClusterScoped, false},
        {"certificate-controller", "UPDATE", "certificates.k8s.io/certificatesigningrequests/approval", kClusterScoped, true},
        {"certificate-controller", "UPDATE", "certificates.k8s.io/certificatesigningrequests/status", kClusterScoped, true},
        {"certificate-controller", "DELETE", "certificates.k8s.io/certificatesigningrequests", kClusterScoped, true},
        {"certificate-controller", "CREATE", "certificates.k8s.io/certificatesigningrequests", kClusterScoped, false},
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
        {"the kubelet asks for the certificate of a pod", kubelet, "CREATE", "certificates.k8s.io/podcertificaterequests", kNotOwned, true},
        {"the kubelet signs none", kubelet, "UPDATE", "certificates.k8s.io/podcertificaterequests/status", kNotOwned, false},
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

TEST_CASE("each writer that is no part of Kubernetes may write what it writes, and nothing beside it") {
    struct Row {
        std::string_view profile;
        std::string_view namespace_name;
        std::string_view account;
        std::string_view operation;
        std::string_view what;
        const std::string& object;
        bool passes;
    };
    const Row rows[] = {
        {"flux-multitenant", "flux-system", "kustomize-controller", "UPDATE", "kustomize.toolkit.fluxcd.io/kustomizations/status",
         kNotOwned, true},
        {"flux-multitenant", "flux-system", "kustomize-controller", "UPDATE", "kustomize.toolkit.fluxcd.io/kustomizations", kNotOwned,
         true},
        {"flux-multitenant", "flux-system", "kustomize-controller", "CREATE", "kustomize.toolkit.fluxcd.io/kustomizations", kNotOwned,
         false},
        {"flux-multitenant", "flux-system", "kustomize-controller", "UPDATE", "apps/deployments", kNotOwned, false},
        {"flux-multitenant", "flux-system", "kustomize-controller", "UPDATE", "source.toolkit.fluxcd.io/gitrepositories", kNotOwned, false},
        {"flux-multitenant", "flux-system", "helm-controller", "CREATE", "source.toolkit.fluxcd.io/helmcharts", kNotOwned, true},
        {"flux-multitenant", "flux-system", "helm-controller", "UPDATE", "helm.toolkit.fluxcd.io/helmreleases/status", kNotOwned, true},
        {"flux-multitenant", "flux-system", "helm-controller", "CREATE", "secrets", kNotOwned, false},
        {"flux-multitenant", "flux-system", "helm-controller", "UPDATE", "source.toolkit.fluxcd.io/helmcharts/status", kNotOwned, false},
        {"flux-multitenant", "flux-system", "source-controller", "UPDATE", "source.toolkit.fluxcd.io/gitrepositories/status", kNotOwned,
         true},
        {"flux-multitenant", "flux-system", "source-controller", "CREATE", "serviceaccounts/token", kNotOwned, false},
        {"flux-multitenant", "flux-system", "notification-controller", "UPDATE", "notification.toolkit.fluxcd.io/receivers/status",
         kNotOwned, true},
        {"flux-multitenant", "flux-system", "notification-controller", "UPDATE", "kustomize.toolkit.fluxcd.io/kustomizations", kNotOwned,
         false},
        {"flux-multitenant", "flux-system", "image-reflector-controller", "UPDATE", "image.toolkit.fluxcd.io/imagepolicies/status",
         kNotOwned, true},
        {"flux-multitenant", "flux-system", "image-reflector-controller", "UPDATE", "apps/deployments", kNotOwned, false},
        {"flux-multitenant", "flux-system", "source-watcher", "CREATE", "source.toolkit.fluxcd.io/externalartifacts", kNotOwned, true},
        {"flux-multitenant", "flux-system", "source-watcher", "UPDATE", "source.extensions.fluxcd.io/artifactgenerators/status", kNotOwned,
         true},
        {"flux-multitenant", "flux-system", "source-watcher", "UPDATE", "source.toolkit.fluxcd.io/gitrepositories/status", kNotOwned,
         false},
        {"flux-multitenant", "flux-system", "image-automation-controller", "UPDATE",
         "image.toolkit.fluxcd.io/imageupdateautomations/status", kNotOwned, true},
        {"flux-multitenant", "flux-system", "image-automation-controller", "UPDATE", "source.toolkit.fluxcd.io/gitrepositories", kNotOwned,
         false},

        {"aks-flux", "flux-system", "kustomize-controller", "UPDATE", "kustomize.toolkit.fluxcd.io/kustomizations/status", kNotOwned, true},
        {"aks-flux", "flux-system", "kustomize-controller", "UPDATE", "apps/deployments", kNotOwned, false},
        {"aks-flux", "flux-system", "helm-controller", "DELETE", "source.toolkit.fluxcd.io/helmcharts", kNotOwned, true},
        {"aks-flux", "flux-system", "helm-controller", "UPDATE", "apps/deployments", kNotOwned, false},
        {"aks-flux", "flux-system", "source-controller", "UPDATE", "source.toolkit.fluxcd.io/buckets/status", kNotOwned, true},
        {"aks-flux", "flux-system", "notification-controller", "UPDATE", "source.toolkit.fluxcd.io/gitrepositories", kNotOwned, true},
        {"aks-flux", "flux-system", "image-reflector-controller", "UPDATE", "image.toolkit.fluxcd.io/imagerepositories/status", kNotOwned,
         true},
        {"aks-flux", "flux-system", "source-watcher", "CREATE", "source.toolkit.fluxcd.io/externalartifacts", kNotOwned, true},
        {"aks-flux", "flux-system", "source-watcher", "UPDATE", "source.extensions.fluxcd.io/artifactgenerators/status", kNotOwned, true},
        {"aks-flux", "flux-system", "source-watcher", "UPDATE", "source.toolkit.fluxcd.io/gitrepositories/status", kNotOwned, false},
        {"aks-flux", "flux-system", "image-automation-controller", "UPDATE", "image.toolkit.fluxcd.io/imageupdateautomations", kNotOwned,
         true},
        {"aks-flux", "flux-system", "fluxconfig-agent", "CREATE", "clusterconfig.azure.com/fluxconfigs", kNotOwned, true},
        {"aks-flux", "flux-system", "fluxconfig-agent", "UPDATE", "clusterconfig.azure.com/fluxconfigs/status", kNotOwned, true},
        {"aks-flux", "flux-system", "fluxconfig-agent", "CREATE", "source.toolkit.fluxcd.io/gitrepositories", kNotOwned, false},
        {"aks-flux", "flux-system", "fluxconfig-controller", "CREATE", "source.toolkit.fluxcd.io/gitrepositories", kNotOwned, true},
        {"aks-flux", "flux-system", "fluxconfig-controller", "DELETE", "kustomize.toolkit.fluxcd.io/kustomizations", kNotOwned, true},
        {"aks-flux", "flux-system", "fluxconfig-controller", "UPDATE", "source.toolkit.fluxcd.io/gitrepositories/status", kNotOwned, false},
        {"aks-flux", "flux-system", "fluxconfig-controller", "CREATE", "clusterconfig.azure.com/fluxconfigs", kNotOwned, false},
        {"aks-flux", "flux-system", "fluxconfig-controller", "CREATE", "configmaps", kNotOwned, false},
        {"aks-flux", "flux-system", "fluxconfig-controller", "CREATE", "serviceaccounts", kNotOwned, false},
        {"aks-flux", "flux-system", "fluxconfig-controller", "CREATE", "rbac.authorization.k8s.io/rolebindings", kNotOwned, false},

        {"flux-operator", "flux-system", "flux-operator", "CREATE", "apps/deployments", kNotOwned, true},
        {"flux-operator", "flux-system", "flux-operator", "UPDATE", "fluxcd.controlplane.io/fluxinstances/status", kNotOwned, true},
        {"flux-operator", "flux-system", "flux-operator", "CONNECT", "pods/exec", kNotOwned, false},
        {"flux-operator", "flux-system", "flux-operator", "CREATE", "serviceaccounts/token", kNotOwned, false},
        {"flux-operator", "flux-system", "flux-operator", "UPDATE", "apps/deployments/scale", kNotOwned, false},
        {"flux-operator", "flux-system", "flux-operator", "UPDATE", "source.toolkit.fluxcd.io/gitrepositories/status", kNotOwned, false},

        {"argocd", "argocd", "argocd-application-controller", "DELETE", "apps/deployments", kNotOwned, true},
        {"argocd", "argocd", "argocd-application-controller", "CONNECT", "pods/exec", kNotOwned, false},
        {"argocd", "argocd", "argocd-application-controller", "CREATE", "serviceaccounts/token", kNotOwned, false},
        {"argocd", "argocd", "argocd-application-controller", "CREATE", "pods/eviction", kNotOwned, false},
        {"argocd", "argocd", "argocd-applicationset-controller", "CREATE", "argoproj.io/applications", kNotOwned, true},
        {"argocd", "argocd", "argocd-applicationset-controller", "UPDATE", "argoproj.io/applicationsets/status", kNotOwned, true},
        {"argocd", "argocd", "argocd-applicationset-controller", "CREATE", "argoproj.io/applicationsets", kNotOwned, false},
        {"argocd", "argocd", "argocd-applicationset-controller", "UPDATE", "apps/deployments", kNotOwned, false},
        {"argocd", "argocd", "argocd-notifications-controller", "UPDATE", "argoproj.io/applications", kNotOwned, true},
        {"argocd", "argocd", "argocd-notifications-controller", "DELETE", "argoproj.io/applications", kNotOwned, false},
        {"argocd", "argocd", "argocd-server", "UPDATE", "argoproj.io/applications", kNotOwned, false},

        {"aks", "kube-system", "cloud-node-manager", "UPDATE", "nodes/status", kClusterScoped, true},
        {"aks", "kube-system", "cloud-node-manager", "UPDATE", "services", kNotOwned, false},
        {"aks", "kube-system", "vpa-recommender", "UPDATE", "autoscaling.k8s.io/verticalpodautoscalers/status", kNotOwned, true},
        {"aks", "kube-system", "vpa-recommender", "CREATE", "autoscaling.k8s.io/verticalpodautoscalercheckpoints", kNotOwned, true},
        {"aks", "kube-system", "vpa-recommender", "CREATE", "pods/eviction", kNotOwned, false},
        {"aks", "kube-system", "vpa-updater", "CREATE", "pods/eviction", kNotOwned, true},
        {"aks", "kube-system", "vpa-updater", "UPDATE", "pods/resize", kNotOwned, true},
        {"aks", "kube-system", "vpa-updater", "UPDATE", "pods", kNotOwned, false},
        {"aks", "kube-system", "vpa-updater", "DELETE", "pods", kNotOwned, false},

        {"flagger", "flagger-system", "flagger", "UPDATE", "flagger.app/canaries/status", kNotOwned, true},
        {"flagger", "flagger-system", "flagger", "UPDATE", "apps/deployments", kNotOwned, true},
        {"flagger", "flagger-system", "flagger", "CREATE", "apps/deployments", kOwned, true},
        {"flagger", "flagger-system", "flagger", "CREATE", "services", kOwned, true},
        {"flagger", "flagger-system", "flagger", "UPDATE", "gateway.networking.k8s.io/httproutes", kOwned, true},
        {"flagger", "flagger-system", "flagger", "CREATE", "apps/deployments", kNotOwned, false},
        {"flagger", "flagger-system", "flagger", "DELETE", "apps/deployments", kNotOwned, false},
        {"flagger", "flagger-system", "flagger", "UPDATE", "services", kNotOwned, false},
        {"flagger", "flagger-system", "flagger", "CREATE", "secrets", kOwnedByNoController, false},
        {"flagger", "flagger-system", "flagger", "UPDATE", "apps/statefulsets", kNotOwned, false},
        {"flagger", "flagger-system", "flagger", "CREATE", "flagger.app/canaries", kNotOwned, false},

        {"cert-manager", "cert-manager", "cert-manager", "CREATE", "secrets", kNotOwned, true},
        {"cert-manager", "cert-manager", "cert-manager", "UPDATE", "cert-manager.io/certificates/status", kNotOwned, true},
        {"cert-manager", "cert-manager", "cert-manager", "CREATE", "acme.cert-manager.io/challenges", kNotOwned, true},
        {"cert-manager", "cert-manager", "cert-manager", "CREATE", "pods", kOwned, true},
        {"cert-manager", "cert-manager", "cert-manager", "CREATE", "pods", kNotOwned, false},
        {"cert-manager", "cert-manager", "cert-manager", "UPDATE", "pods", kOwned, false},
        {"cert-manager", "cert-manager", "cert-manager", "UPDATE", "networking.k8s.io/ingresses", kNotOwned, false},
        {"cert-manager", "cert-manager", "cert-manager", "CREATE", "serviceaccounts/token", kNotOwned, false},
        {"cert-manager", "cert-manager", "cert-manager", "CREATE", "cert-manager.io/issuers", kNotOwned, false},
        {"cert-manager", "cert-manager", "cert-manager-cainjector", "UPDATE", "apiextensions.k8s.io/customresourcedefinitions",
         kClusterScoped, true},
        {"cert-manager", "cert-manager", "cert-manager-cainjector", "UPDATE",
         "admissionregistration.k8s.io/validatingwebhookconfigurations", kClusterScoped, true},
        {"cert-manager", "cert-manager", "cert-manager-cainjector", "CREATE", "apiregistration.k8s.io/apiservices", kClusterScoped, false},
        {"cert-manager", "cert-manager", "cert-manager-cainjector", "UPDATE", "secrets", kNotOwned, false},
        {"cert-manager", "cert-manager", "cert-manager-webhook", "UPDATE", "secrets", kNotOwned, false},

        {"keda", "keda", "keda-operator", "UPDATE", "apps/deployments/scale", kNotOwned, true},
        {"keda", "keda", "keda-operator", "CREATE", "autoscaling/horizontalpodautoscalers", kOwned, true},
        {"keda", "keda", "keda-operator", "CREATE", "batch/jobs", kOwned, true},
        {"keda", "keda", "keda-operator", "UPDATE", "keda.sh/scaledobjects/status", kNotOwned, true},
        {"keda", "keda", "keda-operator", "CREATE", "autoscaling/horizontalpodautoscalers", kNotOwned, false},
        {"keda", "keda", "keda-operator", "CREATE", "batch/jobs", kNotOwned, false},
        {"keda", "keda", "keda-operator", "UPDATE", "apps/deployments", kNotOwned, false},
        {"keda", "keda", "keda-operator", "UPDATE", "secrets", kNotOwned, false},
        {"keda", "keda", "keda-operator", "CREATE", "keda.sh/scaledobjects", kNotOwned, false},
        {"keda", "kube-system", "keda-operator", "UPDATE", "apps/deployments/scale", kNotOwned, true},
        {"keda", "kube-system", "keda-operator", "UPDATE", "apps/deployments", kNotOwned, false},
    };
    std::set<std::pair<std::string, std::string>> shown;
    for (const Row& row : rows) {
        INFO(row.profile << " " << row.account << " " << row.operation << " " << row.what);
        const auto request = [&](std::string user) {
            return request_for(row.what, std::string(row.operation), std::move(user), row.object);
        };
        CHECK(passes(row.profile, request(sample::pod_bound(row.namespace_name, row.account))) == row.passes);
        if (row.passes)
            shown.emplace(row.profile, "system:serviceaccount:" + std::string(row.namespace_name) + ":" + std::string(row.account));
        // Never with less proof, never under a name that looks alike, never for Kubernetes' own profile.
        CHECK_FALSE(passes(row.profile, request(sample::token(row.namespace_name, row.account))));
        CHECK_FALSE(passes(row.profile, request(sample::impersonated(row.namespace_name, row.account))));
        const std::string username = "system:serviceaccount:" + std::string(row.namespace_name) + ":" + std::string(row.account);
        CHECK_FALSE(passes(row.profile, request(sample::certificate(username))));
        CHECK_FALSE(passes(row.profile, request(sample::pod_bound("default", row.account))));
        CHECK_FALSE(passes(row.profile, request(sample::pod_bound(std::string(row.namespace_name) + "-2", row.account))));
        CHECK_FALSE(passes(row.profile, request(sample::pod_bound(row.namespace_name, std::string(row.account) + "-2"))));
        CHECK_FALSE(passes("kubernetes", request(sample::pod_bound(row.namespace_name, row.account))));
    }
    // Each of them has a row that passes; users, and accounts held to one namespace, are below.
    for (const WriterProfile& profile : built_in_writers()) {
        if (profile.name == "flux" || profile.name == "kubernetes") continue;
        for (const WriterIdentity& identity : profile.identities) {
            const std::string username = username_of(identity);
            if (!identity.who->namespace_name || username.ends_with(":cert-manager-webhook")) continue;
            INFO(profile.name << " " << username);
            CHECK(shown.contains({profile.name, username}));
        }
    }
}

TEST_CASE("who writes in one namespace only writes in no other") {
    const auto in = [](std::string_view namespace_name, std::string_view account, std::string_view resource) {
        Request request = request_for(resource, "CREATE", sample::pod_bound(namespace_name, account), kClusterScoped);
        request.namespace_name = namespace_name;
        return request;
    };
    CHECK(passes("cert-manager", in("cert-manager", "cert-manager-webhook", "secrets")));
    CHECK_FALSE(passes("cert-manager", in("cert-manager", "cert-manager-webhook", "configmaps")));
    CHECK(passes("aks-flux", in("flux-system", "fluxconfig-controller", "configmaps")));
    CHECK_FALSE(passes("aks-flux", in("flux-system", "fluxconfig-controller", "secrets")));
}

TEST_CASE("AKS drains nodes under names that its certificates prove") {
    struct Row {
        std::string_view name;
        std::string user;
        std::string_view operation;
        std::string_view what;
        bool passes;
    };
    const Row rows[] = {
        {"it evicts", sample::certificate("aksService", "system:masters"), "CREATE", "pods/eviction", true},
        {"it deletes what stays", sample::certificate("aksService", "system:masters"), "DELETE", "pods", true},
        {"the older name", sample::certificate("acsService", "system:masters"), "CREATE", "pods/eviction", true},
        {"it creates no Pods", sample::certificate("aksService", "system:masters"), "CREATE", "pods", false},
        {"it changes no Deployment", sample::certificate("aksService", "system:masters"), "UPDATE", "apps/deployments", false},
        {"it opens no shell", sample::certificate("acsService", "system:masters"), "CONNECT", "pods/exec", false},
        {"--as", R"({"username":"aksService","groups":["system:masters","system:authenticated"]})", "CREATE", "pods/eviction", false},
        {"another case", sample::certificate("aksservice", "system:masters"), "CREATE", "pods/eviction", false},
        {"a name that starts alike", sample::certificate("aksService2", "system:masters"), "CREATE", "pods/eviction", false},
        {"the local administrator", sample::certificate("masterclient", "system:masters"), "CREATE", "pods/eviction", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(passes("aks", request_for(row.what, std::string(row.operation), row.user, kNotOwned)) == row.passes);
    }
}

TEST_CASE("the built-in profiles are found by their names") {
    std::vector<std::string> names;
    for (const WriterProfile& profile : built_in_writers()) names.push_back(profile.name);
    CHECK(names == std::vector<std::string>{"flux", "flux-multitenant", "aks-flux", "flux-operator", "argocd", "kubernetes", "aks",
                                            "flagger", "cert-manager", "keda"});
    for (const std::string& name : names) CHECK(find_built_in_writers(name)->name == name);
    CHECK(find_built_in_writers("Flux") == nullptr);
    CHECK(find_built_in_writers("") == nullptr);
    CHECK(find_built_in_writers("fluxgate") == nullptr);
    CHECK(is_planned_writer("fluxgate"));
    CHECK_FALSE(is_planned_writer("flux"));
}

TEST_CASE("no identity of the built-in profiles is open to everybody, and none accepts impersonation unless a lock names its account") {
    for (const WriterProfile& profile : built_in_writers()) {
        for (const WriterIdentity& identity : profile.identities) {
            INFO(profile.name << " " << username_of(identity));
            CHECK(identity.who.has_value());
            CHECK(identity.assurance != Assurance::none);
            CHECK_FALSE(identity.may.empty());
            CHECK((identity.assurance != Assurance::impersonated || username_of(identity) == "system:apiserver"));
            CHECK(identity.set_right_again == (username_of(identity) == "system:apiserver"));
        }
    }
}
