#pragma once

// Label selectors with Kubernetes' meaning (apimachinery pkg/apis/meta/v1 LabelSelector): every requirement must hold; NotIn and
// DoesNotExist hold for an absent key; a selector without requirements matches everything.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
//
// Values; any number of threads may share them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/json.hpp"

namespace fluxgate::kube {

// The labels of one object, each key once.
using Labels = std::vector<std::pair<std::string, std::string>>;

struct Requirement {
    enum class Operator : std::uint8_t { in, not_in, exists, does_not_exist };
    std::string key;
    Operator op = Operator::exists;
    std::vector<std::string> values;  // of in and not_in

    // `value` of the key; nullopt if the object does not have it.
    bool holds(std::optional<std::string_view> value) const;
};

struct LabelSelector {
    std::vector<Requirement> requirements;

    bool matches(const Labels& labels) const;
    // `labels` as in metadata.labels: an object of strings, or absent.
    bool matches(Json labels) const;
};

// A selector as an object of Kubernetes carries it. Nothing when it is absent or has a shape no API server stores: such a one
// selects nothing.
std::optional<LabelSelector> read_selector(Json selector);

// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
bool is_label_key(std::string_view text);
bool is_label_value(std::string_view text);
// As a label's, but the domain may have capitals (apimachinery pkg/api/validation ValidateAnnotations).
bool is_annotation_key(std::string_view text);

}  // namespace fluxgate::kube
