#include "kube/selector.hpp"

#include <algorithm>

namespace fluxgate::kube {

namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Begins and ends with a letter or digit; between them also '-', '_' and '.'.
bool is_qualified_part(std::string_view text) {
    return !text.empty() && text.size() <= 63 && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

// DNS subdomain: lower-case labels between dots.
bool is_subdomain(std::string_view text) {
    if (text.empty() || text.size() > 253) return false;
    while (true) {
        const std::size_t dot = text.find('.');
        const std::string_view label = text.substr(0, dot);
        const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
        if (label.empty() || label.front() == '-' || label.back() == '-' || !std::all_of(label.begin(), label.end(), good)) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

}  // namespace

bool Requirement::holds(std::optional<std::string_view> value) const {
    const auto listed = [&] { return std::find(values.begin(), values.end(), *value) != values.end(); };
    switch (op) {
        case Operator::in: return value && listed();
        case Operator::not_in: return !value || !listed();
        case Operator::exists: return value.has_value();
        case Operator::does_not_exist: return !value;
    }
    return false;
}

bool LabelSelector::matches(const Labels& labels) const {
    return std::all_of(requirements.begin(), requirements.end(), [&](const Requirement& requirement) {
        const auto found = std::find_if(labels.begin(), labels.end(), [&](const auto& label) { return label.first == requirement.key; });
        return requirement.holds(found == labels.end() ? std::nullopt : std::optional<std::string_view>(found->second));
    });
}

bool LabelSelector::matches(Json labels) const {
    return std::all_of(requirements.begin(), requirements.end(), [&](const Requirement& requirement) {
        const Json value = labels[requirement.key];
        // Kubernetes stores strings only; a null is an empty one there.
        return requirement.holds(value.present() ? std::optional<std::string_view>(value.text()) : std::nullopt);
    });
}

bool is_label_key(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return is_qualified_part(text);
    return is_subdomain(text.substr(0, slash)) && is_qualified_part(text.substr(slash + 1));
}

bool is_annotation_key(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return is_label_key(lower);
}

bool is_label_value(std::string_view text) { return text.empty() || is_qualified_part(text); }

std::optional<LabelSelector> read_selector(Json selector) {
    if (!selector.is_object()) return std::nullopt;
    LabelSelector read;
    selector["matchLabels"].each_member([&](std::string_view key, Json value) {
        read.requirements.push_back({std::string(key), Requirement::Operator::in, {std::string(value.text())}});
    });
    bool good = true;
    selector["matchExpressions"].each_item([&](Json item) {
        Requirement requirement{std::string(item["key"].text()), Requirement::Operator::exists, {}};
        const std::string_view op = item["operator"].text();
        if (op == "In")
            requirement.op = Requirement::Operator::in;
        else if (op == "NotIn")
            requirement.op = Requirement::Operator::not_in;
        else if (op == "DoesNotExist")
            requirement.op = Requirement::Operator::does_not_exist;
        else
            good = good && op == "Exists";
        item["values"].each_item([&](Json value) { requirement.values.emplace_back(value.text()); });
        read.requirements.push_back(std::move(requirement));
    });
    if (!good) return std::nullopt;
    return read;
}

}  // namespace fluxgate::kube
