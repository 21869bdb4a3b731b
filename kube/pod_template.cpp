#include "kube/pod_template.hpp"

#include <algorithm>
#include <array>

#include "kube/path.hpp"

namespace fluxgate::kube {

namespace {

struct Place {
    std::string_view group;
    std::string_view resource;
    std::string_view kind;
    std::array<std::string_view, 4> to_template;  // steps from the object to the template; "" ends
    std::string_view spec_path;
};

constexpr std::array kPlaces{
    Place{"", "pods", "Pod", {}, ".spec"},
    Place{"", "podtemplates", "PodTemplate", {"template"}, ".template.spec"},
    Place{"", "replicationcontrollers", "ReplicationController", {"spec", "template"}, ".spec.template.spec"},
    Place{"apps", "deployments", "Deployment", {"spec", "template"}, ".spec.template.spec"},
    Place{"apps", "replicasets", "ReplicaSet", {"spec", "template"}, ".spec.template.spec"},
    Place{"apps", "statefulsets", "StatefulSet", {"spec", "template"}, ".spec.template.spec"},
    Place{"apps", "daemonsets", "DaemonSet", {"spec", "template"}, ".spec.template.spec"},
    Place{"batch", "jobs", "Job", {"spec", "template"}, ".spec.template.spec"},
    Place{"batch", "cronjobs", "CronJob", {"spec", "jobTemplate", "spec", "template"}, ".spec.jobTemplate.spec.template.spec"},
};

// Longer than any name in Kubernetes. A forged review may hold longer ones, and each violation repeats it.
constexpr std::size_t kNameBytesMax = 253;

constexpr std::string_view list_name(ContainerType type) {
    switch (type) {
        case ContainerType::container: return "containers";
        case ContainerType::init_container:
        case ContainerType::sidecar: return "initContainers";
        case ContainerType::ephemeral: return "ephemeralContainers";
    }
    return "containers";
}

}  // namespace

std::string PodTemplate::path_of(const Container& container) const {
    std::string path(spec_path);
    append_field(path, list_name(container.type));
    if (container.name.empty() || container.name.size() > kNameBytesMax)
        append_index(path, container.index);
    else
        append_key(path, "name", container.name);
    return path;
}

Result<void> PodTemplate::check_shape() const {
    if (spec.absent_or_null()) return {};
    if (!spec.is_object()) return fail(Errc::wrong_type, "must be an object, is " + std::string(spec.type_name()), std::string(spec_path));
    for (const auto type : {ContainerType::container, ContainerType::init_container, ContainerType::ephemeral}) {
        const Json list = spec[list_name(type)];
        if (list.absent_or_null()) continue;
        bool good = list.is_array();
        list.each_item([&](Json item) { good = good && item.is_object(); });
        if (!good) return fail(Errc::wrong_type, "must be a list of objects", std::string(spec_path) + "." + std::string(list_name(type)));
    }
    return {};
}

std::optional<PodTemplate> find_pod_template(const GroupVersionResource& resource, Json object) {
    for (const Place& place : kPlaces) {
        if (place.resource != resource.resource || place.group != resource.group) continue;
        Json holder = object;
        for (const std::string_view step : place.to_template) {
            if (step.empty()) break;
            holder = holder[step];
        }
        return PodTemplate{holder, holder["metadata"], holder["spec"], place.spec_path, place.kind};
    }
    return std::nullopt;
}

bool holds_pods(std::string_view group, std::string_view resource) {
    return std::any_of(kPlaces.begin(), kPlaces.end(),
                       [&](const Place& place) { return place.resource == resource && place.group == group; });
}

bool has_controller_owner(Json metadata, std::string_view group, std::string_view kind) {
    const auto is_of_kind = [&](Json owner) {
        const std::string_view api_version = owner["apiVersion"].text();
        return owner["kind"].text() == kind && api_version.substr(0, api_version.find('/')) == group;
    };
    bool found = false;
    metadata["ownerReferences"].each_item(
        [&](Json owner) { found = found || (owner["controller"].is_true() && (kind.empty() || is_of_kind(owner))); });
    return found;
}

}  // namespace fluxgate::kube
