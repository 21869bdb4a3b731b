#include "policy/resource_rule.hpp"

#include <algorithm>

namespace fluxgate::policy {

bool resource_matches(std::string_view pattern, std::string_view resource, std::string_view sub_resource) {
    const std::size_t slash = pattern.find('/');
    const std::string_view wanted = pattern.substr(0, slash);
    if (wanted != "*" && wanted != resource) return false;
    if (slash == std::string_view::npos) return sub_resource.empty();
    const std::string_view wanted_sub = pattern.substr(slash + 1);
    if (wanted_sub == "*") return wanted == "*" || !sub_resource.empty();
    return wanted_sub == sub_resource;
}

bool ResourceRule::matches(const kube::Review& review) const {
    if (!operations.has(review.operation)) return false;
    const auto names = [](const std::vector<std::string>& list, std::string_view value) {
        return std::any_of(list.begin(), list.end(), [&](const std::string& item) { return item == "*" || item == value; });
    };
    if (!names(api_groups, review.resource.group)) return false;
    if (!api_versions.empty() && !names(api_versions, review.resource.version)) return false;
    return std::any_of(resources.begin(), resources.end(), [&](const std::string& pattern) {
        return resource_matches(pattern, review.resource.resource, review.sub_resource);
    });
}

}  // namespace fluxgate::policy
