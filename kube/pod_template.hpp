#pragma once

// Where the built-in kinds keep their pods, and the containers in them.
// Kinds and places: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "kube/admission_review.hpp"
#include "kube/json.hpp"

namespace fluxgate::kube {

enum class ContainerType : std::uint8_t {
    container,
    init_container,  // runs to its end before the others start
    sidecar,         // an init container with restartPolicy Always: runs as long as the pod
    ephemeral,       // added to a running pod for debugging; cannot have resources or probes
};

struct Container {
    ContainerType type = ContainerType::container;
    std::string_view name;
    std::size_t index = 0;  // in its list
    Json json;
};

// Views into a review.
struct PodTemplate {
    Json pod;                    // the object that holds the two below
    Json metadata;               // of the pod: labels, annotations, ownerReferences
    Json spec;                   // PodSpec; absent when the kind allows that (a ReplicationController)
    std::string_view spec_path;  // ".spec.template.spec"
    std::string_view kind;       // "Deployment"

    // `.spec.template.spec.containers[name="web"]`; by index when the name is empty or longer than any name.
    std::string path_of(const Container& container) const;

    // f(const Container&) in the order of Kubernetes' own Pod Security checks: init, ordinary, ephemeral.
    template <class F>
    void each_container(F&& f) const {
        each_in("initContainers", ContainerType::init_container, f);
        each_in("containers", ContainerType::container, f);
        each_in("ephemeralContainers", ContainerType::ephemeral, f);
    }

    // Error wrong_type if spec or a container list has a shape that no API server stores: then nothing can be judged.
    Result<void> check_shape() const;

private:
    template <class F>
    void each_in(std::string_view list, ContainerType type, F& f) const {
        std::size_t index = 0;
        spec[list].each_item([&](Json item) {
            Container container{type, item["name"].text(), index++, item};
            if (type == ContainerType::init_container && item["restartPolicy"].text() == "Always") container.type = ContainerType::sidecar;
            f(container);
        });
    }
};

// The pod or pod template in `object`, an object of that resource; nullopt for resources that hold none.
std::optional<PodTemplate> find_pod_template(const GroupVersionResource& resource, Json object);

// Is it one of the resources that `find_pod_template` knows?
bool holds_pods(std::string_view group, std::string_view resource);

// True if the object has an owner reference with `controller: true`; with `kind`, of that kind and API group. A client writes
// owner references: they excuse from little, and never from the lock.
bool has_controller_owner(Json metadata, std::string_view group = {}, std::string_view kind = {});

}  // namespace fluxgate::kube
