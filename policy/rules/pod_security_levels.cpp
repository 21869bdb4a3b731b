#include "policy/rules/pod_security_levels.hpp"

namespace fluxgate::policy {

namespace {

using Check = PodSecurityCheck;
using Level = PodSecurityLevel;

struct Facts {
    Check check;
    std::string_view name;
    Level level;
    int since_minor;
    bool looks_at_containers;
    std::optional<Check> replaces = std::nullopt;
};

constexpr std::array<Facts, kPodSecurityChecks> kFacts{{
    {Check::app_armor_profile, "appArmorProfile", Level::baseline, 0, true},
    {Check::capabilities_baseline, "capabilities_baseline", Level::baseline, 0, true},
    {Check::host_namespaces, "hostNamespaces", Level::baseline, 0, false},
    {Check::host_path_volumes, "hostPathVolumes", Level::baseline, 0, false},
    {Check::host_ports, "hostPorts", Level::baseline, 0, true},
    {Check::host_probes_and_host_lifecycle, "hostProbesAndHostLifecycle", Level::baseline, 34, true},
    {Check::privileged, "privileged", Level::baseline, 0, true},
    {Check::proc_mount, "procMount", Level::baseline, 0, true},
    {Check::se_linux_options, "seLinuxOptions", Level::baseline, 0, true},
    {Check::seccomp_profile_baseline, "seccompProfile_baseline", Level::baseline, 0, true},
    {Check::sysctls, "sysctls", Level::baseline, 0, false},
    {Check::windows_host_process, "windowsHostProcess", Level::baseline, 0, true},
    {Check::allow_privilege_escalation, "allowPrivilegeEscalation", Level::restricted, 8, true},
    {Check::capabilities_restricted, "capabilities_restricted", Level::restricted, 22, true, Check::capabilities_baseline},
    {Check::proc_mount_restricted, "procMount_restricted", Level::restricted, 35, true, Check::proc_mount},
    {Check::restricted_volumes, "restrictedVolumes", Level::restricted, 0, false, Check::host_path_volumes},
    {Check::run_as_non_root, "runAsNonRoot", Level::restricted, 0, true},
    {Check::run_as_user, "runAsUser", Level::restricted, 23, true},
    {Check::seccomp_profile_restricted, "seccompProfile_restricted", Level::restricted, 19, true, Check::seccomp_profile_baseline},
}};

// `facts_of` finds by place.
constexpr bool in_order() {
    for (std::size_t i = 0; i < kFacts.size(); ++i) {
        if (static_cast<std::size_t>(kFacts[i].check) != i) return false;
    }
    return true;
}
static_assert(in_order());

constexpr const Facts& facts_of(Check check) { return kFacts[static_cast<std::size_t>(check)]; }

}  // namespace

std::string_view to_string(PodSecurityLevel level) {
    switch (level) {
        case Level::privileged: return "privileged";
        case Level::baseline: return "baseline";
        case Level::restricted: return "restricted";
    }
    return "restricted";
}

std::string_view to_string(PodSecurityCheck check) { return facts_of(check).name; }

std::optional<PodSecurityCheck> find_pod_security_check(std::string_view name) {
    for (const Facts& facts : kFacts) {
        if (facts.name == name) return facts.check;
    }
    return std::nullopt;
}

bool looks_at_containers(PodSecurityCheck check) { return facts_of(check).looks_at_containers; }

std::vector<std::string_view> PodSecurityChecks::names() const {
    std::vector<std::string_view> list;
    for (const Facts& facts : kFacts) {
        if (has(facts.check)) list.push_back(facts.name);
    }
    return list;
}

PodSecurityChecks pod_security_checks(PodSecurityLevel level, int minor) {
    PodSecurityChecks checks;
    for (const Facts& facts : kFacts) {
        if (facts.level > level || facts.since_minor > minor) continue;
        checks.add(facts.check);
        if (facts.replaces) checks.remove(*facts.replaces);
    }
    return checks;
}

}  // namespace fluxgate::policy
