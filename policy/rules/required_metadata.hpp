#pragma once

// Rule `requiredMetadata`: labels and annotations that every object must carry, and what their values must look like.
//
// Judged: `metadata` of any object that is created or updated, of the kinds in `kinds` or of all; a pod template's metadata is not
// the object's. A value of "" in the policy asks only that the key is there; any other is a pattern for the whole value
// (policy/pattern.hpp). Keys: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"
#include "policy/pattern.hpp"

namespace fluxgate::policy {

struct RequiredMetadataRule {
    struct Demand {
        std::string key;
        std::optional<Pattern> pattern;  // nullopt: present
    };
    std::vector<Demand> labels;
    std::vector<Demand> annotations;
    std::vector<std::string> kinds;  // empty: every kind

    static RequiredMetadataRule decode(Mapping& fields);
    static bool understands(std::string_view, std::string_view) { return true; }
    void judge(const kube::Review& review, kube::Json object, Findings& findings) const;
    bool same_inputs(const kube::Review& review, kube::Json before, kube::Json after) const;
};

}  // namespace fluxgate::policy
