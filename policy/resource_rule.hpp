#pragma once

// Which requests something is about: groups, versions, resources and operations, with the meaning they have in
// ValidatingAdmissionPolicy and in webhook rules: "*" is any, but as a resource it covers no subresource; "pods/*" is every
// subresource of pods, "*/scale" that subresource of everything, "*/*" all there is.
// https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/validating-admission-policy-v1/

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"

namespace fluxgate::policy {

// A set of operations.
class Operations {
public:
    static constexpr Operations all() { return Operations(0x0f); }
    constexpr Operations() = default;
    constexpr Operations with(kube::Operation operation) const { return Operations(static_cast<std::uint8_t>(bits_ | bit(operation))); }
    constexpr bool has(kube::Operation operation) const { return (bits_ & bit(operation)) != 0; }

private:
    constexpr explicit Operations(std::uint8_t bits) : bits_(bits) {}
    static constexpr std::uint8_t bit(kube::Operation operation) {
        return static_cast<std::uint8_t>(1u << static_cast<unsigned>(operation));
    }
    std::uint8_t bits_ = 0;
};

struct ResourceRule {
    std::vector<std::string> api_groups;    // "" is the core group
    std::vector<std::string> api_versions;  // empty: any
    std::vector<std::string> resources;
    Operations operations;

    bool matches(const kube::Review& review) const;
};

// "pods", "pods/status", "*/scale", "*", "*/*" against a resource and a subresource ("" for none).
bool resource_matches(std::string_view pattern, std::string_view resource, std::string_view sub_resource);

}  // namespace fluxgate::policy
