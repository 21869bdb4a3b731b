#pragma once

// The AdmissionReview that the API server would send for a manifest, so that what is not in a cluster yet is read and judged by
// the same code as what is. Pure.

#include <string>
#include <string_view>

#include "kube/admission_review.hpp"

namespace fluxgate::kube {

struct ReviewParts {
    std::string_view uid;
    GroupVersionKind kind;
    GroupVersionResource resource;
    std::string_view sub_resource{};
    std::string_view name{};
    std::string_view namespace_name{};
    Operation operation = Operation::create;
    std::string_view user;          // userInfo as JSON
    std::string_view object{};      // JSON; empty is null
    std::string_view old_object{};  // JSON; empty is null
    bool dry_run = false;
};

// With room for kJsonSlack behind it, ready for a ReviewReader.
std::string write_review(const ReviewParts& parts);

}  // namespace fluxgate::kube
