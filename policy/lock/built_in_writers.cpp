#include "policy/lock/built_in_writers.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

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

Glob name(std::string_view text) { return Glob::compile(text, Glob::Alphabet::identities).value(); }

Permission in(std::initializer_list<std::string_view> namespaces, Permission permission) {
    for (const std::string_view text : namespaces) permission.namespaces.push_back(name(text));
    return permission;
}

WriterIdentity account(std::string_view namespace_name, std::string_view account_name, Assurance assurance,
                       std::vector<Permission> permissions) {
    WriterIdentity identity;
    identity.who = Subject{Subject::Kind::service_account, name(account_name), name(namespace_name)};
    identity.assurance = assurance;
    identity.may = std::move(permissions);
    return identity;
}

WriterIdentity user(std::string_view username, Assurance assurance, std::vector<Permission> permissions) {
    WriterIdentity identity;
    identity.who = Subject{Subject::Kind::user, name(username), std::nullopt};
    identity.assurance = assurance;
    identity.may = std::move(permissions);
    return identity;
}

// A program in a Pod of its own.
WriterIdentity in_a_pod(std::string_view namespace_name, std::string_view account_name, std::vector<Permission> permissions) {
    return account(namespace_name, account_name, Assurance::pod_bound, std::move(permissions));
}

// Whoever applies manifests writes objects, and no subresources: no tokens, no connections, no scale, no status.
Permission objects() { return may("*", {"*"}, kWrite); }

// These write finalizers and status of Flux's objects, and annotate them with requests to reconcile.
void add_helpers_of_flux(WriterProfile& profile) {
    const auto controller = [&](std::string_view account_name, std::vector<Permission> permissions) {
        profile.identities.push_back(in_a_pod("flux-system", account_name, std::move(permissions)));
    };
    controller("source-controller", {may("source.toolkit.fluxcd.io", {"*/*"}, kUpdate)});
    controller("notification-controller", {may("source.toolkit.fluxcd.io", {"*"}, kUpdate), may("image.toolkit.fluxcd.io", {"*"}, kUpdate),
                                           may("notification.toolkit.fluxcd.io", {"*/*"}, kUpdate)});
    controller("image-reflector-controller", {may("image.toolkit.fluxcd.io", {"*/*"}, kUpdate)});
    controller("image-automation-controller", {may("image.toolkit.fluxcd.io", {"*/*"}, kUpdate)});
    // fluxcd/source-watcher config/rbac: what ArtifactGenerators make are ExternalArtifacts.
    controller("source-watcher",
               {may("source.extensions.fluxcd.io", {"*/*"}, kUpdate), may("source.toolkit.fluxcd.io", {"externalartifacts"}, kWrite),
                may("source.toolkit.fluxcd.io", {"externalartifacts/status"}, kUpdate)});
}

WriterProfile make_flux() {
    WriterProfile profile{.name = "flux"};
    // The group once more by name: the right to write everything is not the right to write the status of Flux's objects (escape.hpp).
    profile.identities.push_back(in_a_pod("flux-system", "kustomize-controller",
                                          {may("*", {"*/*"}, Operations::all()), may("kustomize.toolkit.fluxcd.io", {"*/*"}, kUpdate)}));
    profile.identities.push_back(in_a_pod("flux-system", "helm-controller",
                                          {may("*", {"*/*"}, Operations::all()), may("helm.toolkit.fluxcd.io", {"*/*"}, kUpdate)}));
    add_helpers_of_flux(profile);
    return profile;
}

// With spec.serviceAccountName or --default-service-account everything that Git declares is written as that account, and as
// themselves the controllers write their own objects only (fluxcd/pkg runtime/client/impersonator.go: the name is all that the API
// server gets). helm-controller makes a HelmChart for a HelmRelease.
void add_impersonating_flux(WriterProfile& profile) {
    profile.identities.push_back(in_a_pod("flux-system", "kustomize-controller", {may("kustomize.toolkit.fluxcd.io", {"*/*"}, kUpdate)}));
    profile.identities.push_back(
        in_a_pod("flux-system", "helm-controller",
                 {may("helm.toolkit.fluxcd.io", {"*/*"}, kUpdate), may("source.toolkit.fluxcd.io", {"helmcharts"}, kWrite)}));
    add_helpers_of_flux(profile);
}

WriterProfile make_flux_multitenant() {
    WriterProfile profile{.name = "flux-multitenant", .identities = {}, .accounts = WriterProfile::Accounts::in_their_namespace};
    add_impersonating_flux(profile);
    return profile;
}

// https://learn.microsoft.com/azure/azure-arc/kubernetes/conceptual-gitops-flux2: fluxconfig-agent brings FluxConfigs from Azure and
// reports their status; fluxconfig-controller makes sources and Kustomizations of them. A ConfigMap in flux-system: Azure/AKS#5645.
// The accounts and role bindings that it makes for a new FluxConfig are not in here: whoever may write those may write everything.
WriterProfile make_aks_flux() {
    WriterProfile profile{.name = "aks-flux", .identities = {}, .accounts = WriterProfile::Accounts::anywhere};
    add_impersonating_flux(profile);
    profile.identities.push_back(in_a_pod(
        "flux-system", "fluxconfig-agent",
        {may("clusterconfig.azure.com", {"fluxconfigs"}, kWrite), may("clusterconfig.azure.com", {"fluxconfigs/status"}, kUpdate)}));
    profile.identities.push_back(in_a_pod(
        "flux-system", "fluxconfig-controller",
        {may("clusterconfig.azure.com", {"fluxconfigs", "fluxconfigs/status"}, kUpdate),
         may("source.toolkit.fluxcd.io", {"gitrepositories", "buckets", "ocirepositories"}, kWrite),
         may("kustomize.toolkit.fluxcd.io", {"kustomizations"}, kWrite), in({"flux-system"}, may("", {"configmaps"}, kCreateUpdate))}));
    return profile;
}

// controlplaneio-fluxcd/flux-operator, charts/flux-operator: account flux-operator, cluster-admin; it applies what FluxInstances and
// ResourceSets hold. Its web UI with `access: FineGrained` writes as this account for people: then this is the wrong profile.
WriterProfile make_flux_operator() {
    WriterProfile profile{.name = "flux-operator"};
    profile.identities.push_back(
        in_a_pod("flux-system", "flux-operator", {objects(), may("fluxcd.controlplane.io", {"*/status"}, kUpdate)}));
    return profile;
}

// argoproj/argo-cd manifests/cluster-rbac. argocd-server is left out: people stand behind it. The status of an Application is no
// subresource.
WriterProfile make_argocd() {
    WriterProfile profile{.name = "argocd"};
    profile.identities.push_back(in_a_pod("argocd", "argocd-application-controller", {objects()}));
    profile.identities.push_back(in_a_pod(
        "argocd", "argocd-applicationset-controller",
        {may("argoproj.io", {"applications"}, kWrite), may("argoproj.io", {"applicationsets", "applicationsets/status"}, kUpdate)}));
    profile.identities.push_back(in_a_pod("argocd", "argocd-notifications-controller", {may("argoproj.io", {"applications"}, kUpdate)}));
    return profile;
}

// Source of what each writes: kube-controller-manager's own RBAC (plugin/pkg/auth/authorizer/rbac/bootstrappolicy) and
// tests/cluster, which fails when a controller is refused.
WriterProfile make_kubernetes() {
    const auto controller = [](std::string_view account_name, std::vector<Permission> permissions) {
        return account("kube-system", account_name, Assurance::token, std::move(permissions));
    };
    const Permission pods_of_its_own = may_owned("", {"pods"}, kWrite);
    WriterProfile profile{.name = "kubernetes"};
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
    // It takes its finalizer off Pods, too, that a Job has let go of.
    list.push_back(controller("job-controller", {pods_of_its_own, may("", {"pods"}, kUpdate), may("batch", {"jobs/status"}, kUpdate)}));
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

    // It copies rules of other ClusterRoles, `*` among them. bootstrappolicy/controller_policy.go.
    list.push_back(controller("clusterrole-aggregation-controller", {may("rbac.authorization.k8s.io", {"clusterroles"}, kUpdate)}));
    // It approves what kubelets ask for, signs what is approved, and removes what is old.
    list.push_back(
        controller("certificate-controller",
                   {may("certificates.k8s.io", {"certificatesigningrequests/approval", "certificatesigningrequests/status"}, kUpdate),
                    may("certificates.k8s.io", {"certificatesigningrequests"}, kDelete)}));
    list.push_back(controller("podcertificaterequestcleaner", {may("certificates.k8s.io", {"podcertificaterequests"}, kDelete)}));
    // It writes every object once more as it is, so that it is stored in another version.
    list.push_back(controller("storage-version-migrator-controller", {may("*", {"*"}, kUpdate)}));

    // The API server's own quota admission counts before it lets a pod in, and its eviction API counts down a budget. It calls
    // itself over loopback, which leaves no evidence behind its name; the two things it may write are counters that their
    // controllers set right again.
    WriterIdentity api_server =
        user("system:apiserver", Assurance::impersonated,
             {in({"*"}, may("", {"resourcequotas/status"}, kUpdate)), in({"*"}, may("policy", {"poddisruptionbudgets/status"}, kUpdate))});
    api_server.groups = {"system:masters"};
    api_server.set_right_again = true;
    list.push_back(std::move(api_server));

    // The token controller fills service account token Secrets, and runs under the process's own certificate. So does what makes an
    // account and a token for each controller (bootstrappolicy/policy.go: system:kube-controller-manager).
    list.push_back(
        user("system:kube-controller-manager", Assurance::certificate,
             {may("", {"secrets"}, kUpdateDelete), in({"kube-system"}, may("", {"serviceaccounts", "serviceaccounts/token"}, kCreate))}));

    list.push_back(
        user("system:kube-scheduler", Assurance::certificate,
             {may("", {"pods/binding", "bindings"}, kCreate), may("", {"pods/status"}, kUpdate), may("", {"pods"}, kDelete),
              may("", {"persistentvolumeclaims"}, kUpdate), may("resource.k8s.io", {"resourceclaims", "resourceclaims/status"}, kUpdate)}));

    // What a kubelet may do to which pod is NodeRestriction's business: its own pods only. NodeRestriction looks at users of
    // this prefix only, so that a certificate of a person in the group would pass it and must not pass here.
    WriterIdentity kubelet = user("system:node:*", Assurance::certificate,
                                  {may("", {"pods/status"}, kUpdate), may("", {"pods"}, kCreateDelete), may("", {"pods/eviction"}, kCreate),
                                   may("", {"persistentvolumeclaims/status"}, kUpdate)});
    kubelet.groups = {"system:nodes"};
    Permission tokens_of_its_pods = may("", {"serviceaccounts/token"}, kCreate);
    tokens_of_its_pods.bound_to_pod = true;
    kubelet.may.push_back(std::move(tokens_of_its_pods));
    kubelet.may.push_back(may("certificates.k8s.io", {"podcertificaterequests"}, kCreate));
    list.push_back(std::move(kubelet));
    return profile;
}

// The users are those that AKS Automatic's own lock lets pass; drains and upgrades of node pools evict and delete Pods as they. The
// accounts are of cloud-provider-azure (helm/cloud-provider-azure) and of the VPA add-on (kubernetes/autoscaler
// vertical-pod-autoscaler/deploy/vpa-rbac.yaml). Under which name AKS's hidden cloud-controller-manager, CSI controllers and
// cluster-autoscaler write is not published: what is not in here shows in the records of a lock that only audits.
WriterProfile make_aks() {
    WriterProfile profile{.name = "aks"};
    auto& list = profile.identities;
    for (const std::string_view username : {"aksService", "acsService"}) {
        list.push_back(user(username, Assurance::certificate, {may("", {"pods/eviction"}, kCreate), may("", {"pods"}, kDelete)}));
    }
    list.push_back(in_a_pod("kube-system", "cloud-node-manager", {may("", {"nodes", "nodes/status"}, kUpdate)}));
    list.push_back(in_a_pod("kube-system", "vpa-recommender",
                            {may("autoscaling.k8s.io", {"verticalpodautoscalers", "verticalpodautoscalers/status"}, kUpdate),
                             may("autoscaling.k8s.io", {"verticalpodautoscalercheckpoints"}, kWrite)}));
    list.push_back(in_a_pod("kube-system", "vpa-updater",
                            {may("", {"pods/eviction"}, kCreate), may("", {"pods/resize"}, kUpdate),
                             may("autoscaling.k8s.io", {"verticalpodautoscalers/status"}, kUpdate)}));
    return profile;
}

// fluxcd/flagger kustomize/base/flagger: account and rbac.yaml. What it makes for a Canary has the Canary as its controller
// (pkg/canary, pkg/router); of what is not its own it changes the workload it scales to zero, and weights.
WriterProfile make_flagger() {
    WriterProfile profile{.name = "flagger"};
    profile.identities.push_back(
        in_a_pod("flagger-system", "flagger",
                 {may("flagger.app", {"canaries", "canaries/status"}, kUpdate), may("apps", {"deployments", "daemonsets"}, kUpdate),
                  may_owned("apps", {"deployments", "daemonsets"}, kWrite), may_owned("", {"configmaps", "secrets", "services"}, kWrite),
                  may_owned("autoscaling", {"horizontalpodautoscalers"}, kWrite), may_owned("networking.k8s.io", {"ingresses"}, kWrite),
                  may_owned("gateway.networking.k8s.io", {"httproutes"}, kWrite),
                  may_owned("networking.istio.io", {"virtualservices", "destinationrules"}, kWrite),
                  may_owned("split.smi-spec.io", {"trafficsplits"}, kWrite), may_owned("projectcontour.io", {"httpproxies"}, kWrite)}));
    return profile;
}

// cert-manager/cert-manager deploy/charts/cert-manager/templates: rbac.yaml, cainjector-rbac.yaml, webhook-rbac.yaml. Secrets of
// Certificates have no owner. What solves an HTTP-01 challenge is owned by the Challenge; changing an Ingress that Git declares
// (http01-edit-in-place) is not in here.
WriterProfile make_cert_manager() {
    WriterProfile profile{.name = "cert-manager"};
    auto& list = profile.identities;
    list.push_back(in_a_pod("cert-manager", "cert-manager",
                            {may("cert-manager.io", {"certificates", "certificaterequests"}, kWrite),
                             may("cert-manager.io", {"certificates/status", "certificaterequests/status"}, kUpdate),
                             may("cert-manager.io", {"issuers", "issuers/status", "clusterissuers", "clusterissuers/status"}, kUpdate),
                             may("acme.cert-manager.io", {"orders", "challenges"}, kWrite),
                             may("acme.cert-manager.io", {"orders/status", "challenges/status"}, kUpdate), may("", {"secrets"}, kWrite),
                             may_owned("", {"pods", "services"}, kCreateDelete), may_owned("networking.k8s.io", {"ingresses"}, kWrite),
                             may_owned("gateway.networking.k8s.io", {"httproutes"}, kWrite)}));
    list.push_back(in_a_pod(
        "cert-manager", "cert-manager-cainjector",
        {may("admissionregistration.k8s.io", {"validatingwebhookconfigurations", "mutatingwebhookconfigurations"}, kUpdate),
         may("apiregistration.k8s.io", {"apiservices"}, kUpdate), may("apiextensions.k8s.io", {"customresourcedefinitions"}, kUpdate)}));
    list.push_back(in_a_pod("cert-manager", "cert-manager-webhook", {in({"cert-manager"}, may("", {"secrets"}, kCreateUpdate))}));
    return profile;
}

// kedacore/charts keda/templates/manager/clusterrole.yaml; in kube-system as AKS's add-on. HPAs and Jobs have the ScaledObject or
// ScaledJob as their controller.
WriterProfile make_keda() {
    WriterProfile profile{.name = "keda"};
    for (const std::string_view namespace_name : {"keda", "kube-system"}) {
        profile.identities.push_back(
            in_a_pod(namespace_name, "keda-operator",
                     {may("keda.sh", {"scaledobjects", "scaledjobs", "triggerauthentications"}, kUpdate),
                      may("keda.sh", {"scaledobjects/status", "scaledjobs/status", "triggerauthentications/status"}, kUpdate),
                      may_owned("autoscaling", {"horizontalpodautoscalers"}, kWrite), may_owned("batch", {"jobs"}, kWrite),
                      may("*", {"*/scale"}, kUpdate)}));
    }
    return profile;
}

}  // namespace

std::span<const WriterProfile> built_in_writers() {
    static const std::array profiles{
        make_flux(), make_flux_multitenant(), make_aks_flux(),     make_flux_operator(), make_argocd(), make_kubernetes(),
        make_aks(),  make_flagger(),          make_cert_manager(), make_keda()};
    return profiles;
}

const WriterProfile* find_built_in_writers(std::string_view name) {
    const auto profiles = built_in_writers();
    const auto found = std::find_if(profiles.begin(), profiles.end(), [&](const WriterProfile& profile) { return profile.name == name; });
    return found == profiles.end() ? nullptr : &*found;
}

WriterProfile with_accounts(const WriterProfile& profile, const std::vector<WriterAccount>& accounts) {
    WriterProfile extended = profile;
    extended.accounts = WriterProfile::Accounts::none;
    const bool anywhere = profile.accounts == WriterProfile::Accounts::anywhere;
    for (const WriterAccount& one : accounts) {
        extended.identities.push_back(account(one.namespace_name, one.name, Assurance::impersonated,
                                              {in({anywhere ? std::string_view("*") : std::string_view(one.namespace_name)}, objects())}));
    }
    return extended;
}

bool is_planned_writer(std::string_view name) { return name == "fluxgate"; }

}  // namespace fluxgate::policy
