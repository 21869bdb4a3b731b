#include "kube/resource_kinds.hpp"

#include <algorithm>
#include <array>

namespace fluxgate::kube {

namespace {

struct BuiltIn {
    std::string_view group;
    std::string_view kind;
    std::string_view resource;
    bool namespaced;
};

// Kubernetes 1.36 and Flux 2.
constexpr std::array kBuiltIn{
    BuiltIn{"", "Binding", "bindings", true},
    BuiltIn{"", "ConfigMap", "configmaps", true},
    BuiltIn{"", "Endpoints", "endpoints", true},
    BuiltIn{"", "Event", "events", true},
    BuiltIn{"", "LimitRange", "limitranges", true},
    BuiltIn{"", "Namespace", "namespaces", false},
    BuiltIn{"", "Node", "nodes", false},
    BuiltIn{"", "PersistentVolume", "persistentvolumes", false},
    BuiltIn{"", "PersistentVolumeClaim", "persistentvolumeclaims", true},
    BuiltIn{"", "Pod", "pods", true},
    BuiltIn{"", "PodTemplate", "podtemplates", true},
    BuiltIn{"", "ReplicationController", "replicationcontrollers", true},
    BuiltIn{"", "ResourceQuota", "resourcequotas", true},
    BuiltIn{"", "Secret", "secrets", true},
    BuiltIn{"", "Service", "services", true},
    BuiltIn{"", "ServiceAccount", "serviceaccounts", true},
    BuiltIn{"admissionregistration.k8s.io", "MutatingAdmissionPolicy", "mutatingadmissionpolicies", false},
    BuiltIn{"admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", false},
    BuiltIn{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false},
    BuiltIn{"admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", false},
    BuiltIn{"admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", false},
    BuiltIn{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false},
    BuiltIn{"apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", false},
    BuiltIn{"apiregistration.k8s.io", "APIService", "apiservices", false},
    BuiltIn{"apps", "ControllerRevision", "controllerrevisions", true},
    BuiltIn{"apps", "DaemonSet", "daemonsets", true},
    BuiltIn{"apps", "Deployment", "deployments", true},
    BuiltIn{"apps", "ReplicaSet", "replicasets", true},
    BuiltIn{"apps", "StatefulSet", "statefulsets", true},
    BuiltIn{"autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true},
    BuiltIn{"batch", "CronJob", "cronjobs", true},
    BuiltIn{"batch", "Job", "jobs", true},
    BuiltIn{"certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests", false},
    BuiltIn{"certificates.k8s.io", "ClusterTrustBundle", "clustertrustbundles", false},
    BuiltIn{"coordination.k8s.io", "Lease", "leases", true},
    BuiltIn{"discovery.k8s.io", "EndpointSlice", "endpointslices", true},
    BuiltIn{"events.k8s.io", "Event", "events", true},
    BuiltIn{"extensions", "Ingress", "ingresses", true},
    BuiltIn{"flowcontrol.apiserver.k8s.io", "FlowSchema", "flowschemas", false},
    BuiltIn{"flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", "prioritylevelconfigurations", false},
    BuiltIn{"gateway.networking.k8s.io", "Gateway", "gateways", true},
    BuiltIn{"gateway.networking.k8s.io", "GatewayClass", "gatewayclasses", false},
    BuiltIn{"gateway.networking.k8s.io", "GRPCRoute", "grpcroutes", true},
    BuiltIn{"gateway.networking.k8s.io", "HTTPRoute", "httproutes", true},
    BuiltIn{"gateway.networking.k8s.io", "ReferenceGrant", "referencegrants", true},
    BuiltIn{"helm.toolkit.fluxcd.io", "HelmRelease", "helmreleases", true},
    BuiltIn{"image.toolkit.fluxcd.io", "ImagePolicy", "imagepolicies", true},
    BuiltIn{"image.toolkit.fluxcd.io", "ImageRepository", "imagerepositories", true},
    BuiltIn{"image.toolkit.fluxcd.io", "ImageUpdateAutomation", "imageupdateautomations", true},
    BuiltIn{"kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations", true},
    BuiltIn{"networking.k8s.io", "Ingress", "ingresses", true},
    BuiltIn{"networking.k8s.io", "IngressClass", "ingressclasses", false},
    BuiltIn{"networking.k8s.io", "IPAddress", "ipaddresses", false},
    BuiltIn{"networking.k8s.io", "NetworkPolicy", "networkpolicies", true},
    BuiltIn{"networking.k8s.io", "ServiceCIDR", "servicecidrs", false},
    BuiltIn{"node.k8s.io", "RuntimeClass", "runtimeclasses", false},
    BuiltIn{"notification.toolkit.fluxcd.io", "Alert", "alerts", true},
    BuiltIn{"notification.toolkit.fluxcd.io", "Provider", "providers", true},
    BuiltIn{"notification.toolkit.fluxcd.io", "Receiver", "receivers", true},
    BuiltIn{"policy", "PodDisruptionBudget", "poddisruptionbudgets", true},
    BuiltIn{"rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false},
    BuiltIn{"rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", false},
    BuiltIn{"rbac.authorization.k8s.io", "Role", "roles", true},
    BuiltIn{"rbac.authorization.k8s.io", "RoleBinding", "rolebindings", true},
    BuiltIn{"resource.k8s.io", "DeviceClass", "deviceclasses", false},
    BuiltIn{"resource.k8s.io", "ResourceClaim", "resourceclaims", true},
    BuiltIn{"resource.k8s.io", "ResourceClaimTemplate", "resourceclaimtemplates", true},
    BuiltIn{"resource.k8s.io", "ResourceSlice", "resourceslices", false},
    BuiltIn{"scheduling.k8s.io", "PriorityClass", "priorityclasses", false},
    BuiltIn{"source.toolkit.fluxcd.io", "Bucket", "buckets", true},
    BuiltIn{"source.toolkit.fluxcd.io", "ExternalArtifact", "externalartifacts", true},
    BuiltIn{"source.toolkit.fluxcd.io", "GitRepository", "gitrepositories", true},
    BuiltIn{"source.toolkit.fluxcd.io", "HelmChart", "helmcharts", true},
    BuiltIn{"source.toolkit.fluxcd.io", "HelmRepository", "helmrepositories", true},
    BuiltIn{"source.toolkit.fluxcd.io", "OCIRepository", "ocirepositories", true},
    BuiltIn{"storage.k8s.io", "CSIDriver", "csidrivers", false},
    BuiltIn{"storage.k8s.io", "CSINode", "csinodes", false},
    BuiltIn{"storage.k8s.io", "CSIStorageCapacity", "csistoragecapacities", true},
    BuiltIn{"storage.k8s.io", "StorageClass", "storageclasses", false},
    BuiltIn{"storage.k8s.io", "VolumeAttachment", "volumeattachments", false},
    BuiltIn{"storage.k8s.io", "VolumeAttributesClass", "volumeattributesclasses", false},
};

// Lower case, and the plural that English has: policies, ingresses, deployments.
std::string guess_plural(std::string_view kind) {
    std::string plural(kind);
    std::transform(plural.begin(), plural.end(), plural.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (plural.ends_with('s')) return plural + "es";
    if (plural.ends_with('y')) return plural.substr(0, plural.size() - 1) + "ies";
    return plural + "s";
}

}  // namespace

std::pair<std::string_view, std::string_view> split_api_version(std::string_view api_version) {
    const std::size_t slash = api_version.find('/');
    if (slash == std::string_view::npos) return {{}, api_version};
    return {api_version.substr(0, slash), api_version.substr(slash + 1)};
}

bool ResourceKinds::learn(Json object) {
    if (object["kind"].text() != "CustomResourceDefinition" || !object["apiVersion"].text().starts_with("apiextensions.k8s.io/"))
        return false;
    const Json spec = object["spec"];
    const std::string_view kind = spec["names"]["kind"].text();
    const std::string_view plural = spec["names"]["plural"].text();
    if (kind.empty() || plural.empty()) return false;
    learned_[{std::string(spec["group"].text()), std::string(kind)}] = {std::string(plural), spec["scope"].text() != "Cluster", false};
    return true;
}

ResourceKind ResourceKinds::find(std::string_view group, std::string_view kind) const {
    const auto built_in =
        std::find_if(kBuiltIn.begin(), kBuiltIn.end(), [&](const BuiltIn& entry) { return entry.group == group && entry.kind == kind; });
    if (built_in != kBuiltIn.end()) return {std::string(built_in->resource), built_in->namespaced, false};
    const auto learned = learned_.find({std::string(group), std::string(kind)});
    if (learned != learned_.end()) return learned->second;
    return {guess_plural(kind), true, true};
}

}  // namespace fluxgate::kube
