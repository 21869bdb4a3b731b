#pragma once

// What the readers of this folder share: how an object, and what it refers to, is called.

#include <string>
#include <string_view>

#include "kube/json.hpp"

namespace fluxgate::snapshots {

// "namespace/name"; the name alone if the object has no namespace. Empty if it has no name.
inline std::string key_of(kube::Json object) {
    const std::string_view name = object["metadata"]["name"].text();
    const std::string_view own = object["metadata"]["namespace"].text();
    if (name.empty() || own.empty()) return std::string(name);
    return std::string(own).append("/").append(name);
}

// A reference as Flux's objects have them, {kind, name, namespace}: "GitRepository flux-system/shop". Empty without kind or name.
inline std::string referred(std::string_view kind, std::string_view name, std::string_view namespace_name) {
    if (kind.empty() || name.empty()) return {};
    return std::string(kind).append(" ").append(namespace_name).append("/").append(name);
}

}  // namespace fluxgate::snapshots
