#include "policy/lock/subresources.hpp"

#include <algorithm>
#include <array>

namespace fluxgate::policy {

namespace {

// `deletecollection` is none of them: it is one DELETE for each object, with an empty name, and is judged by the old object.
constexpr std::array kSubResources{
    SubResource{.name = "status", .shows = "the object", .dry_run_stores_nothing = true},
    SubResource{.name = "scale", .shows = "a Scale", .dry_run_stores_nothing = true},
    SubResource{.name = "ephemeralcontainers", .shows = "the Pod", .dry_run_stores_nothing = true, .opened_by = DayTwoAction::debug},
    SubResource{.name = "resize", .shows = "the Pod", .dry_run_stores_nothing = true},
    SubResource{.name = "eviction", .shows = "an Eviction", .opened_by = DayTwoAction::evict},
    SubResource{.name = "binding", .shows = "a Binding"},
    SubResource{.name = "exec", .shows = "PodExecOptions", .opened_by = DayTwoAction::exec},
    SubResource{.name = "attach", .shows = "PodAttachOptions", .opened_by = DayTwoAction::attach},
    SubResource{.name = "portforward", .shows = "PodPortForwardOptions", .opened_by = DayTwoAction::port_forward},
    SubResource{.name = "proxy", .shows = "PodProxyOptions, ServiceProxyOptions, NodeProxyOptions", .opened_by = DayTwoAction::proxy},
    SubResource{.name = "token", .shows = "a TokenRequest"},
    SubResource{.name = "approval", .shows = "the CertificateSigningRequest"},
    SubResource{.name = "finalize", .shows = "the Namespace"},
};

}  // namespace

std::span<const SubResource> sub_resources() { return kSubResources; }

const SubResource* find_sub_resource(std::string_view name) {
    const auto found =
        std::find_if(kSubResources.begin(), kSubResources.end(), [&](const SubResource& known) { return known.name == name; });
    return found == kSubResources.end() ? nullptr : &*found;
}

}  // namespace fluxgate::policy
