#include "policy/lock/questions.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace fluxgate::policy {

bool only_asks(const kube::Review& review) {
    constexpr std::array<std::string_view, 4> kOfAccess{"localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews",
                                                        "subjectaccessreviews"};
    constexpr std::array<std::string_view, 2> kOfIdentity{"selfsubjectreviews", "tokenreviews"};
    const auto in = [&](const auto& list) { return std::find(list.begin(), list.end(), review.resource.resource) != list.end(); };
    if (review.operation != kube::Operation::create || !review.sub_resource.empty()) return false;
    return (review.resource.group == "authorization.k8s.io" && in(kOfAccess)) ||
           (review.resource.group == "authentication.k8s.io" && in(kOfIdentity));
}

}  // namespace fluxgate::policy
