#include "policy/rules/required_metadata.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "kube/selector.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

using Demand = RequiredMetadataRule::Demand;

std::vector<Demand> decode_demands(Mapping& fields, std::string_view field, bool (*is_key)(std::string_view)) {
    std::vector<Demand> demands;
    const kube::Node* map = fields.field(field);
    if (!map) return demands;
    if (map->kind() != kube::Node::Kind::mapping) {
        fields.problems().add(
            Errc::wrong_type, map->position(),
            fmt::format("{}: expected a mapping from keys to patterns, have {}", fields.name_of(field), kube::describe(map->kind())));
        return demands;
    }
    for (const kube::Entry& entry : map->entries()) {
        const std::string what = fields.name_of(field) + "." + entry.key;
        if (!is_key(entry.key))
            fields.problems().add(Errc::invalid_policy, entry.key_position,
                                  what + ": no object can have this key; expected name or domain/name");
        if (entry.value.kind() != kube::Node::Kind::string) {
            fields.problems().add(
                Errc::wrong_type, entry.value.position(),
                fmt::format("{}: expected a pattern in quotes, or \"\" for any value; have {}", what, kube::describe(entry.value.kind())));
            continue;
        }
        if (entry.value.text().empty()) {
            demands.push_back({entry.key, std::nullopt});
            continue;
        }
        if (!fields.problems().may_compile_pattern()) {
            fields.problems().add(Errc::too_large, entry.value.position(),
                                  fmt::format("{}: more than {} patterns in one set of policies", what, Problems::kPatternsMax));
            break;
        }
        auto pattern = Pattern::compile(entry.value.text());
        if (pattern)
            demands.push_back({entry.key, std::move(*pattern)});
        else
            fields.problems().add(Errc::invalid_policy, entry.value.position(), what + ": " + pattern.error().message);
    }
    return demands;
}

// Deployment, not deployments: a kind begins with a capital.
std::vector<std::string> decode_kinds(Mapping& fields) {
    fields.each("kinds", [&](const kube::Node& item, const std::string& what) {
        if (item.kind() != kube::Node::Kind::string) return;
        const std::string& text = item.text();
        const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
        if (text.empty() || text.front() < 'A' || text.front() > 'Z' || !std::all_of(text.begin(), text.end(), good)) {
            fields.problems().add(Errc::invalid_policy, item.position(),
                                  fmt::format("{}: {} is no kind; expected one such as Deployment", what, shown(text)));
        }
    });
    refuse_empty_list(fields, "kinds", "reads as if no kind were meant; leave it out for every kind");
    return fields.strings("kinds");
}

void judge_map(const std::vector<Demand>& demands, std::string_view field, kube::Json map, Findings& findings) {
    for (const Demand& demand : demands) {
        const kube::Json value = map[demand.key];
        if (value.is_string() && (!demand.pattern || demand.pattern->matches(value.text()))) continue;
        std::string path = ".metadata";
        kube::append_field(path, field);
        kube::append_field(path, demand.key);
        findings.add(std::move(path), shown(value), demand.pattern ? "a value that matches " + demand.pattern->text() : "any value");
    }
}

bool same_values(const std::vector<Demand>& demands, kube::Json before, kube::Json after) {
    return std::all_of(demands.begin(), demands.end(),
                       [&](const Demand& demand) { return kube::equal(before[demand.key], after[demand.key]); });
}

}  // namespace

RequiredMetadataRule RequiredMetadataRule::decode(Mapping& fields) {
    RequiredMetadataRule rule;
    const DemandCheck demands(fields);
    rule.labels = decode_demands(fields, "labels", kube::is_label_key);
    rule.annotations = decode_demands(fields, "annotations", kube::is_annotation_key);
    rule.kinds = decode_kinds(fields);
    fields.finish();
    demands.require(!rule.labels.empty() || !rule.annotations.empty(),
                    "requiredMetadata: demands nothing; list keys under labels or annotations");
    return rule;
}

void RequiredMetadataRule::judge(const kube::Review& review, kube::Json object, Findings& findings) const {
    if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), review.kind.kind) == kinds.end()) return;
    judge_map(labels, "labels", object["metadata"]["labels"], findings);
    judge_map(annotations, "annotations", object["metadata"]["annotations"], findings);
}

bool RequiredMetadataRule::same_inputs(const kube::Review&, kube::Json before, kube::Json after) const {
    return same_values(labels, before["metadata"]["labels"], after["metadata"]["labels"]) &&
           same_values(annotations, before["metadata"]["annotations"], after["metadata"]["annotations"]);
}

}  // namespace fluxgate::policy
