#include "policy/context.hpp"

namespace fluxgate::policy {

const kube::Labels* Context::labels_of(std::string_view namespace_name) const {
    if (cluster && cluster->namespaces) {
        const auto found = cluster->namespaces->find(namespace_name);
        if (found != cluster->namespaces->end()) return &found->second;
    }
    return namespace_labels ? &*namespace_labels : nullptr;
}

}  // namespace fluxgate::policy
