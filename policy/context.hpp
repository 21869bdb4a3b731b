#pragma once

// What a verdict depends on besides the review and the policy set: values, prepared before the request, so that the same
// question always has the same answer.

#include <optional>

#include "base/clock.hpp"
#include "kube/selector.hpp"

namespace fluxgate::policy {

struct Context {
    WallTime now{};                                  // decides about expiry and enforceFrom
    std::optional<kube::Labels> namespace_labels{};  // of the review's namespace; absent when nobody knows them
};

}  // namespace fluxgate::policy
