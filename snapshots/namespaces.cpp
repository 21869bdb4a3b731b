#include "snapshots/namespaces.hpp"

namespace fluxgate::snapshots {

namespace {

constexpr std::string_view kSystemNamespace = "kube-system";

}  // namespace

std::size_t NamespaceFacts::bytes() const {
    std::size_t sum = sizeof(NamespaceFacts) + uid.size();
    for (const auto& [key, value] : labels) sum += sizeof(kube::Labels::value_type) + key.size() + value.size();
    return sum;
}

NamespaceFacts read_namespace(kube::Json object) {
    NamespaceFacts facts;
    object["metadata"]["labels"].each_member(
        [&](std::string_view key, kube::Json value) { facts.labels.emplace_back(std::string(key), std::string(value.text())); });
    if (object["metadata"]["name"].text() == kSystemNamespace) facts.uid = object["metadata"]["uid"].text();
    return facts;
}

std::shared_ptr<const policy::ClusterView::NamespaceLabels> labels_by_name(const Table<NamespaceFacts>& namespaces) {
    policy::ClusterView::NamespaceLabels labels;
    namespaces.each([&](const std::string& name, const NamespaceFacts& facts) { labels.emplace_hint(labels.end(), name, facts.labels); });
    return std::make_shared<const policy::ClusterView::NamespaceLabels>(std::move(labels));
}

std::string cluster_uid(const Table<NamespaceFacts>& namespaces) {
    const NamespaceFacts* system = namespaces.find(kSystemNamespace);
    return system ? system->uid : std::string();
}

}  // namespace fluxgate::snapshots
