#include "policy/lock/writers.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "kube/pod_template.hpp"

namespace fluxgate::policy {

namespace {

using kube::Operation;

constexpr Operations kCreate = Operations().with(Operation::create);
constexpr Operations kUpdate = Operations().with(Operation::update);
constexpr Operations kDelete = Operations().with(Operation::remove);
constexpr Operations kCreateUpdate = kCreate.with(Operation::update);
constexpr Operations kUpdateDelete = kUpdate.with(Operation::remove);
constexpr Operations kCreateDelete = kCreate.with(Operation::remove);
constexpr Operations kWrite = kCreateUpdate.with(Operation::remove);

Permission may(std::string_view group, std::initializer_list<const char*> resources, Operations operations) {
    Permission permission;
    permission.rule.api_groups = {std::string(group)};
    permission.rule.resources.assign(resources.begin(), resources.end());
    permission.rule.operations = operations;
    return permission;
}

Permission may_owned(std::string_view group, std::initializer_list<const char*> resources, Operations operations) {
    Permission permission = may(group, resources, operations);
    permission.owned = true;
    return permission;
}

WriterIdentity account(std::string_view namespace_name, std::string_view name, Assurance assurance, std::vector<Permission> permissions) {
    WriterIdentity identity;
    identity.user = "system:serviceaccount:" + std::string(namespace_name) + ":" + std::string(name);
    identity.assurance = assurance;
    identity.may = std::move(permissions);
    return identity;
}

WriterProfile make_flux() {
    const auto controller = [](std::string_view name, std::vector<Permission> permissions) {
        return account("flux-system", name, Assurance::pod_bound, std::move(permissions));
    };
    WriterProfile profile{"flux", {}};
    profile.identities.push_back(controller("kustomize-controller", {may("*", {"*/*"}, Operations::all())}));
    profile.identities.push_back(controller("helm-controller", {may("*", {"*/*"}, Operations::all())}));
    // These write finalizers and status of Flux's objects, and annotate them with requests to reconcile.
    profile.identities.push_back(controller("source-controller", {may("source.toolkit.fluxcd.io", {"*/*"}, kUpdate)}));
    profile.identities.push_back(controller(
        "notification-controller", {may("source.toolkit.fluxcd.io", {"*"}, kUpdate), may("image.toolkit.fluxcd.io", {"*"}, kUpdate),
                                    may("notification.toolkit.fluxcd.io", {"*/*"}, kUpdate)}));
    profile.identities.push_back(controller("image-reflector-controller", {may("image.toolkit.fluxcd.io", {"*/*"}, kUpdate)}));
    profile.identities.push_back(controller("image-automation-controller", {may("image.toolkit.fluxcd.io", {"*/*"}, kUpdate)}));
    return profile;
}

// Source of what each writes: kube-controller-manager's own RBAC (plugin/pkg/auth/authorizer/rbac/bootstrappolicy) and
// tests/cluster, which fails when a controller is refused.
WriterProfile make_kubernetes() {
    const auto controller = [](std::string_view name, std::vector<Permission> permissions) {
        return account("kube-system", name, Assurance::token, std::move(permissions));
    };
    const Permission pods_of_its_own = may_owned("", {"pods"}, kWrite);
    WriterProfile profile{"kubernetes", {}};
    auto& list = profile.identities;

    list.push_back(
        controller("deployment-controller", {may_owned("apps", {"replicasets"}, kWrite), may("apps", {"deployments/status"}, kUpdate)}));
    list.push_back(controller("replicaset-controller", {pods_of_its_own, may("apps", {"replicasets/status"}, kUpdate)}));
    list.push_back(controller("replication-controller", {pods_of_its_own, may("", {"replicationcontrollers/status"}, kUpdate)}));
    list.push_back(
        controller("statefulset-controller", {pods_of_its_own, may_owned("apps", {"controllerrevisions"}, kWrite),
                                              may("apps", {"statefulsets/status"}, kUpdate), may("", {"persistentvolumeclaims"}, kWrite)}));
    list.push_back(controller("daemon-set-controller", {pods_of_its_own, may_owned("apps", {"controllerrevisions"}, kWrite),
                                                        may("apps", {"daemonsets/status"}, kUpdate)}));
    list.push_back(controller("job-controller", {pods_of_its_own, may("batch", {"jobs/status"}, kUpdate)}));
    list.push_back(controller("cronjob-controller", {may_owned("batch", {"jobs"}, kWrite), may("batch", {"cronjobs/status"}, kUpdate)}));
    list.push_back(controller("ttl-after-finished-controller", {may("batch", {"jobs"}, kDelete)}));

    list.push_back(controller("endpoint-controller", {may("", {"endpoints"}, kWrite)}));
    list.push_back(controller("endpointslice-controller", {may_owned("discovery.k8s.io", {"endpointslices"}, kWrite)}));
    list.push_back(controller("endpointslicemirroring-controller", {may_owned("discovery.k8s.io", {"endpointslices"}, kWrite)}));
    list.push_back(controller("service-controller", {may("", {"services", "services/status"}, kUpdate)}));

    list.push_back(controller("horizontal-pod-autoscaler",
                              {may("*", {"*/scale"}, kUpdate), may("autoscaling", {"horizontalpodautoscalers/status"}, kUpdate)}));
    list.push_back(
        controller("disruption-controller", {may("policy", {"poddisruptionbudgets/status"}, kUpdate), may("", {"pods/status"}, kUpdate)}));
    list.push_back(controller("resourcequota-controller", {may("", {"resourcequotas/status"}, kUpdate)}));

    // They act on behalf of owners and namespaces that are themselves guarded when somebody deletes them.
    list.push_back(controller("generic-garbage-collector", {may("*", {"*"}, kUpdateDelete)}));
    list.push_back(
        controller("namespace-controller", {may("*", {"*"}, kDelete), may("", {"namespaces/finalize", "namespaces/status"}, kUpdate)}));
    list.push_back(controller("pod-garbage-collector", {may("", {"pods"}, kDelete), may("", {"pods/status"}, kUpdate)}));
    list.push_back(controller("node-controller", {may("", {"pods"}, kDelete), may("", {"pods/status"}, kUpdate)}));
    list.push_back(controller("taint-eviction-controller", {may("", {"pods"}, kDelete), may("", {"pods/status"}, kUpdate)}));
    list.push_back(controller("device-taint-eviction-controller", {may("", {"pods"}, kDelete), may("", {"pods/status"}, kUpdate)}));

    list.push_back(controller("persistent-volume-binder", {may("", {"persistentvolumeclaims", "persistentvolumeclaims/status"}, kUpdate)}));
    list.push_back(
        controller("pvc-protection-controller", {may("", {"persistentvolumeclaims", "persistentvolumeclaims/status"}, kUpdate)}));
    list.push_back(controller("expand-controller", {may("", {"persistentvolumeclaims/status"}, kUpdate)}));
    list.push_back(controller("ephemeral-volume-controller", {may_owned("", {"persistentvolumeclaims"}, kCreate)}));
    list.push_back(controller("attachdetach-controller", {may("", {"persistentvolumeclaims/status"}, kUpdate)}));
    list.push_back(controller("resource-claim-controller",
                              {may_owned("resource.k8s.io", {"resourceclaims"}, kWrite),
                               may("resource.k8s.io", {"resourceclaims/status"}, kUpdate), may("", {"pods/status"}, kUpdate)}));

    list.push_back(controller("service-account-controller", {may("", {"serviceaccounts"}, kCreate)}));
    list.push_back(controller("root-ca-cert-publisher", {may("", {"configmaps"}, kCreateUpdate)}));
    list.push_back(controller("legacy-service-account-token-cleaner", {may("", {"secrets"}, kUpdateDelete)}));

    // The API server's own quota admission counts before it lets a pod in, and its eviction API counts down a budget. It calls
    // itself over loopback, which leaves no evidence behind its name; the two things it may write are counters that their
    // controllers set right again.
    WriterIdentity api_server;
    api_server.user = "system:apiserver";
    api_server.groups = {"system:masters"};
    api_server.assurance = Assurance::impersonated;
    api_server.may = {may("", {"resourcequotas/status"}, kUpdate), may("policy", {"poddisruptionbudgets/status"}, kUpdate)};
    list.push_back(std::move(api_server));

    // The token controller fills service account token Secrets, and runs under the process's own certificate.
    WriterIdentity controller_manager;
    controller_manager.user = "system:kube-controller-manager";
    controller_manager.assurance = Assurance::certificate;
    controller_manager.may = {may("", {"secrets"}, kUpdateDelete)};
    list.push_back(std::move(controller_manager));

    WriterIdentity scheduler;
    scheduler.user = "system:kube-scheduler";
    scheduler.assurance = Assurance::certificate;
    scheduler.may = {may("", {"pods/binding", "bindings"}, kCreate), may("", {"pods/status"}, kUpdate), may("", {"pods"}, kDelete),
                     may("", {"persistentvolumeclaims"}, kUpdate),
                     may("resource.k8s.io", {"resourceclaims", "resourceclaims/status"}, kUpdate)};
    list.push_back(std::move(scheduler));

    // What a kubelet may do to which pod is NodeRestriction's business: its own pods only. NodeRestriction looks at users of
    // this prefix only, so that a certificate of a person in the group would pass it and must not pass here.
    WriterIdentity kubelet;
    kubelet.user_prefix = "system:node:";
    kubelet.groups = {"system:nodes"};
    kubelet.assurance = Assurance::certificate;
    kubelet.may = {may("", {"pods/status"}, kUpdate), may("", {"pods"}, kCreateDelete), may("", {"pods/eviction"}, kCreate),
                   may("", {"persistentvolumeclaims/status"}, kUpdate)};
    Permission tokens_of_its_pods = may("", {"serviceaccounts/token"}, kCreate);
    tokens_of_its_pods.bound_to_pod = true;
    kubelet.may.push_back(std::move(tokens_of_its_pods));
    list.push_back(std::move(kubelet));
    return profile;
}

}  // namespace

bool Permission::covers(const kube::Review& review) const {
    if (!rule.matches(review)) return false;
    if (bound_to_pod && review.object["spec"]["boundObjectRef"]["kind"].text() != "Pod") return false;
    return !owned || kube::has_controller_owner(review.object["metadata"]) || kube::has_controller_owner(review.old_object["metadata"]);
}

bool WriterIdentity::is(const kube::UserInfo& who) const {
    if (!user.empty() && user != who.username) return false;
    if (!user_prefix.empty() && (!who.username.starts_with(user_prefix) || who.username.size() == user_prefix.size())) return false;
    return std::all_of(groups.begin(), groups.end(), [&](const std::string& group) { return who.in_group(group); });
}

std::span<const WriterProfile> built_in_writers() {
    static const std::array profiles{make_flux(), make_kubernetes()};
    return profiles;
}

const WriterProfile* find_built_in_writers(std::string_view name) {
    const auto profiles = built_in_writers();
    const auto found = std::find_if(profiles.begin(), profiles.end(), [&](const WriterProfile& profile) { return profile.name == name; });
    return found == profiles.end() ? nullptr : &*found;
}

bool is_planned_writer(std::string_view name) {
    constexpr std::array<std::string_view, 9> kPlanned{"flux-multitenant", "aks-flux",     "flux-operator", "argocd",  "aks",
                                                       "flagger",          "cert-manager", "keda",          "fluxgate"};
    return std::find(kPlanned.begin(), kPlanned.end(), name) != kPlanned.end();
}

}  // namespace fluxgate::policy
