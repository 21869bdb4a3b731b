#pragma once

// Which checks the levels of the Pod Security Standards have, by policy version. Names, beginnings and overrides are those
// of k8s.io/pod-security-admission (policy/registry.go and check_*.go), so that a policy reads like a namespace's label.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace fluxgate::policy {

// `latest`, and what newer versions are judged as.
inline constexpr int kPodSecurityMinorLatest = 37;

enum class PodSecurityLevel : std::uint8_t { privileged, baseline, restricted };
std::string_view to_string(PodSecurityLevel level);

// In the order in which Kubernetes reports them: those of baseline by name, then those of restricted.
enum class PodSecurityCheck : std::uint8_t {
    app_armor_profile,
    capabilities_baseline,
    host_namespaces,
    host_path_volumes,
    host_ports,
    host_probes_and_host_lifecycle,
    privileged,
    proc_mount,
    se_linux_options,
    seccomp_profile_baseline,
    sysctls,
    windows_host_process,
    allow_privilege_escalation,
    capabilities_restricted,
    proc_mount_restricted,
    restricted_volumes,
    run_as_non_root,
    run_as_user,
    seccomp_profile_restricted,
};
inline constexpr std::size_t kPodSecurityChecks = 19;

std::string_view to_string(PodSecurityCheck check);
std::optional<PodSecurityCheck> find_pod_security_check(std::string_view name);

// False for checks that only read fields of the pod: no container, and so no image, can be the cause.
bool looks_at_containers(PodSecurityCheck check);

// A value: a set of checks.
class PodSecurityChecks {
public:
    constexpr bool has(PodSecurityCheck check) const { return (bits_ >> static_cast<unsigned>(check) & 1u) != 0; }
    constexpr void add(PodSecurityCheck check) { bits_ |= 1u << static_cast<unsigned>(check); }
    constexpr void remove(PodSecurityCheck check) { bits_ &= ~(1u << static_cast<unsigned>(check)); }
    constexpr bool empty() const { return bits_ == 0; }
    std::vector<std::string_view> names() const;

    friend bool operator==(PodSecurityChecks, PodSecurityChecks) = default;

private:
    std::uint32_t bits_ = 0;
};

// What the level asks at v1.`minor`. `restricted` is `baseline` and its own checks, without those of baseline that one of
// its own takes the place of.
PodSecurityChecks pod_security_checks(PodSecurityLevel level, int minor);

}  // namespace fluxgate::policy
