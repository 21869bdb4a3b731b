#include "policy/policy_documents.hpp"

#include <algorithm>

namespace fluxgate::policy {

namespace {

// Walks as far as it can; null when the path ends in nothing, and `position` is of the last step that is there.
const kube::Node* walk(const kube::Node& root, std::initializer_list<DocumentStep> path, kube::Position& position) {
    const kube::Node* node = &root;
    position = root.position();
    for (const DocumentStep& step : path) {
        if (step.key.empty()) {
            if (step.index >= node->items().size()) return nullptr;
            node = &node->items()[step.index];
            position = node->position();
            continue;
        }
        const auto& entries = node->entries();
        const auto found = std::find_if(entries.begin(), entries.end(), [&](const kube::Entry& entry) { return entry.key == step.key; });
        if (found == entries.end()) return nullptr;
        node = &found->value;
        position = found->key_position;
    }
    return node;
}

}  // namespace

PolicyDocuments read_policy_documents(const std::vector<PolicyFile>& files, const Limits& limits) {
    PolicyDocuments documents;
    for (const PolicyFile& file : files) {
        kube::ReadResult read = kube::read_manifests(file.text, limits);
        for (kube::Document& document : read.documents) {
            const kube::Node* kind = document.root.find("kind");
            if (!kind) continue;
            if (kind->text() == "GuardPolicy")
                documents.policies.push_back({file.name, std::move(document.root)});
            else if (kind->text() == "GuardException")
                documents.exceptions.push_back({file.name, std::move(document.root)});
            else if (kind->text() == "WriterProfile")
                documents.writers.push_back({file.name, std::move(document.root)});
            else if (kind->text() == "BreakGlass")
                documents.grants.push_back({file.name, std::move(document.root)});
        }
    }
    return documents;
}

const kube::Node* find_in(const kube::Node& root, std::initializer_list<DocumentStep> path) {
    kube::Position position;
    return walk(root, path, position);
}

kube::Position position_of(const kube::Node& root, std::initializer_list<DocumentStep> path) {
    kube::Position position;
    walk(root, path, position);
    return position;
}

}  // namespace fluxgate::policy
