#pragma once

// What is kept of a Namespace: its labels, and of kube-system the UID, which is what a cluster is told from others by.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/

#include <cstddef>
#include <memory>
#include <string>

#include "kube/json.hpp"
#include "kube/selector.hpp"
#include "policy/cluster_view.hpp"
#include "snapshots/table.hpp"

namespace fluxgate::snapshots {

struct NamespaceFacts {
    kube::Labels labels;
    std::string uid{};  // of kube-system alone

    std::size_t bytes() const;
    friend bool operator==(const NamespaceFacts&, const NamespaceFacts&) = default;
};

NamespaceFacts read_namespace(kube::Json object);

std::shared_ptr<const policy::ClusterView::NamespaceLabels> labels_by_name(const Table<NamespaceFacts>& namespaces);
// Empty while kube-system is not known.
std::string cluster_uid(const Table<NamespaceFacts>& namespaces);

}  // namespace fluxgate::snapshots
