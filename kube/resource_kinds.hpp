#pragma once

// From the apiVersion and kind of a manifest to the resource it is stored as: what an API server knows by discovery, and a check
// before the merge must know by itself. Built-in kinds of Kubernetes and Flux; others are learned from CustomResourceDefinitions,
// or named as Kubernetes' own tools guess (k8s.io/apimachinery pkg/api/meta UnsafeGuessKindToResource).

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "kube/json.hpp"

namespace fluxgate::kube {

struct ResourceKind {
    std::string resource;  // plural: "deployments"
    bool namespaced = true;
    bool guessed = false;  // by its name only; whether it is namespaced is then not known
};

// "apps/v1" → {"apps", "v1"}; "v1" → {"", "v1"}. Views into the argument.
std::pair<std::string_view, std::string_view> split_api_version(std::string_view api_version);

class ResourceKinds {
public:
    // If `object` is a CustomResourceDefinition, its kind is known from now on; true if so.
    bool learn(Json object);
    ResourceKind find(std::string_view group, std::string_view kind) const;

private:
    std::map<std::pair<std::string, std::string>, ResourceKind> learned_;  // group, kind
};

}  // namespace fluxgate::kube
