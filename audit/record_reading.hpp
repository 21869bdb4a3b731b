#pragma once

// What several readers of records ask of one. Pure.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "audit/record.hpp"

namespace fluxgate::audit {

// Of an event; empty if it has no such fact.
inline std::string fact_of(const Record& record, std::string_view name) {
    for (const auto& [key, value] : record.facts) {
        if (key == name) return value;
    }
    return {};
}

// 0 if it has no such counter.
inline std::uint64_t counter_of(const Record& record, std::string_view name) {
    for (const auto& [key, value] : record.counters) {
        if (key == name) return value;
    }
    return 0;
}

// Repeats that were folded into one record have no decision of their own; only denials fold.
inline bool is_repeat(const Record& record) { return record.event == "denial-repeated"; }
inline bool is_denial(const Record& record) { return is_repeat(record) || record.decision == "denied"; }
// How many requests the record stands for.
inline std::uint64_t requests_of(const Record& record) {
    return is_repeat(record) ? std::max<std::uint64_t>(1, counter_of(record, "count")) : 1;
}

// Refused because it would have opened a way around a lock.
inline bool is_escape(const Record& record) {
    return std::any_of(record.violations.begin(), record.violations.end(),
                       [](const RecordedViolation& violation) { return violation.policy == "fluxgate" && violation.rule == "escape"; });
}

// "deployments.apps"
inline std::string kind_of(const Record& record) {
    const std::string& name = record.resource.empty() ? record.kind : record.resource;
    return record.group.empty() ? name : name + "." + record.group;
}

// "deployments.apps/scale"
inline std::string resource_of(const Record& record) {
    return record.sub_resource.empty() ? kind_of(record) : kind_of(record) + "/" + record.sub_resource;
}

// "production/deployments.apps/web", as `fluxgate audit query --object` takes it, and behind it the subresource: " scale". Parts that are
// not known are left out.
inline std::string object_of(const Record& record) {
    std::string text = record.namespace_name.empty() ? "" : record.namespace_name + "/";
    text += kind_of(record);
    if (!record.name.empty()) text += (text.empty() || text.back() == '/' ? "" : "/") + record.name;
    if (!record.sub_resource.empty()) text += " " + record.sub_resource;
    return text;
}

}  // namespace fluxgate::audit
