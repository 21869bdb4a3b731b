#include "cli/manifest_reviews.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/digest.hpp"

namespace fluxgate::cli {

namespace {

// The same manifest has the same uid in every run.
std::string uid_of(std::string_view text) {
    const std::string hex = sha256_hex(text);
    return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4), hex.substr(20, 12));
}

// The API server clears the namespace of objects that have none (apiserver pkg/registry/rest EnsureObjectNamespaceMatchesRequestNamespace).
std::string without_namespace(std::string_view text) {
    auto object = nlohmann::json::parse(text);
    object["metadata"].erase("namespace");
    return object.dump();
}

}  // namespace

bool ClusterFacts::may_learn_from(std::string_view document) {
    const auto names = [&](std::string_view kind) { return document.find(kind) != std::string_view::npos; };
    return names("Namespace") || names("CustomResourceDefinition") || names("PodDisruptionBudget");
}

void ClusterFacts::learn(kube::Json object) {
    if (kinds_.learn(object)) return;
    const auto [group, version] = kube::split_api_version(object["apiVersion"].text());
    const std::string_view kind = object["kind"].text();
    if (group.empty() && kind == "Namespace") {
        kube::Labels labels;
        object["metadata"]["labels"].each_member([&](std::string_view key, kube::Json value) { labels.emplace_back(key, value.text()); });
        set_labels(object["metadata"]["name"].text(), std::move(labels));
    }
    if (group == "policy" && kind == "PodDisruptionBudget") {
        const std::string_view in = object["metadata"]["namespace"].text();
        auto& selectors = budgets_[in.empty() ? namespace_name_ : std::string(in)];
        if (auto selector = kube::read_selector(object["spec"]["selector"])) selectors.push_back(std::move(*selector));
    }
}

void ClusterFacts::set_labels(std::string_view namespace_name, kube::Labels labels) {
    if (namespace_name.empty()) return;
    // The API server sets this one on every Namespace.
    constexpr std::string_view kName = "kubernetes.io/metadata.name";
    std::erase_if(labels, [&](const auto& label) { return label.first == kName; });
    labels.emplace_back(kName, namespace_name);
    labels_[std::string(namespace_name)] = std::move(labels);
}

std::optional<kube::Labels> ClusterFacts::labels_of(std::string_view namespace_name) const {
    const auto found = labels_.find(namespace_name);
    return found == labels_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::string> review_of(kube::Json object, std::string_view text, std::optional<std::string_view> old_text, const ClusterFacts& facts,
                              const RequestOptions& options) {
    if (!object.is_object()) return fail(Errc::wrong_type, fmt::format("expected a Kubernetes object, have {}", object.type_name()));
    const std::string_view api_version = object["apiVersion"].text();
    const std::string_view kind = object["kind"].text();
    if (api_version.empty() || kind.empty())
        return fail(Errc::missing_field, fmt::format("has no {}: no Kubernetes object", api_version.empty() ? "apiVersion" : "kind"));
    const kube::Json metadata = object["metadata"];
    for (const std::string_view field : {"name", "namespace"}) {
        if (!metadata[field].absent_or_null() && !metadata[field].is_string())
            return fail(Errc::wrong_type, fmt::format("metadata.{} is no text: quote it", field), fmt::format(".metadata.{}", field));
    }
    const std::string_view name = metadata["name"].text();
    if (name.empty() && metadata["generateName"].text().empty()) return fail(Errc::missing_field, "has no metadata.name", ".metadata");

    const auto [group, version] = kube::split_api_version(api_version);
    const kube::ResourceKind resource = facts.kinds().find(group, kind);
    std::string_view namespace_name = metadata["namespace"].text();
    const bool is_namespace = group.empty() && kind == "Namespace";
    if (is_namespace)
        namespace_name = name;
    else if (!resource.namespaced)
        namespace_name = {};
    else if (namespace_name.empty() && !resource.guessed)
        namespace_name = options.namespace_name;

    std::string cleared;
    std::string old_cleared;
    if (!resource.namespaced && !metadata["namespace"].text().empty()) {
        text = cleared = without_namespace(text);
        if (old_text) old_text = old_cleared = without_namespace(*old_text);
    }
    const bool has_object = options.operation != kube::Operation::remove;
    const bool has_old = options.operation == kube::Operation::update || options.operation == kube::Operation::remove;
    const std::string uid = options.uid.empty() ? uid_of(text) : options.uid;
    return kube::write_review({.uid = uid,
                               .kind = {group, version, kind},
                               .resource = {group, version, resource.resource},
                               .name = name,
                               .namespace_name = namespace_name,
                               .operation = options.operation,
                               .user = options.user,
                               .object = has_object ? text : std::string_view{},
                               .old_object = has_old ? old_text.value_or(text) : std::string_view{},
                               .dry_run = options.dry_run});
}

}  // namespace fluxgate::cli
