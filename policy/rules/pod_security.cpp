#include "policy/rules/pod_security.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace fluxgate::policy {

namespace {

// "v1.N"
std::optional<int> parse_minor(std::string_view text) {
    if (text.substr(0, 3) != "v1." || text.size() < 4 || text.size() > 6) return std::nullopt;
    const std::string_view digits = text.substr(3);
    if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
    int minor = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), minor);
    if (error != std::errc() || end != digits.data() + digits.size() || digits.front() == '-') return std::nullopt;
    return std::min(minor, kPodSecurityMinorLatest);
}

std::string pod_path(const kube::PodTemplate& pod, std::string_view field) {
    return fmt::format("{}.securityContext.{}", pod.spec_path, field);
}

std::string container_path(const kube::PodTemplate& pod, const kube::Container& container, std::string_view field) {
    return fmt::format("{}.securityContext.{}", pod.path_of(container), field);
}

// Said, but not `true`; a value of another type counts as said.
bool says_otherwise(kube::Json run_as_non_root) { return !run_as_non_root.absent_or_null() && !run_as_non_root.is_true(); }
bool says_root(kube::Json run_as_user) { return !run_as_user.absent_or_null() && run_as_user.integer().value_or(0) == 0; }

void judge_run_as_non_root(const kube::PodTemplate& pod, Findings& findings) {
    const kube::Json of_pod = pod.spec["securityContext"]["runAsNonRoot"];
    if (says_otherwise(of_pod)) findings.add(pod_path(pod, "runAsNonRoot"), of_pod.dump(), "true");
    pod.each_container([&](const kube::Container& container) {
        const kube::Json own = container.json["securityContext"]["runAsNonRoot"];
        if (says_otherwise(own))
            findings.add(container_path(pod, container, "runAsNonRoot"), own.dump(), "true");
        else if (own.absent_or_null() && !of_pod.is_true()) {
            findings.add(container_path(pod, container, "runAsNonRoot"), "(absent)", "true, here or in the pod's securityContext");
        }
    });
}

void judge_run_as_user(const kube::PodTemplate& pod, Findings& findings) {
    const kube::Json of_pod = pod.spec["securityContext"]["runAsUser"];
    if (says_root(of_pod)) findings.add(pod_path(pod, "runAsUser"), of_pod.dump(), "a user id other than 0");
    pod.each_container([&](const kube::Container& container) {
        const kube::Json own = container.json["securityContext"]["runAsUser"];
        if (says_root(own)) findings.add(container_path(pod, container, "runAsUser"), own.dump(), "a user id other than 0");
    });
}

}  // namespace

PodSecurityRule PodSecurityRule::decode(Mapping& fields) {
    PodSecurityRule rule;
    if (const kube::Node* level = fields.required("level", "restricted")) {
        const auto index = one_of(*level, fields.name_of("level"), {"restricted", "baseline", "privileged"}, fields.problems());
        if (index && *index != 0) {
            fields.problems().add(
                Errc::not_implemented, level->position(),
                fields.name_of("level") + ": this version of Fluxgate implements runAsNonRoot and runAsUser of the level restricted only");
        }
    }
    rule.minor_version = kPodSecurityMinorLatest;
    const std::string version = fields.string("version");
    if (!version.empty() && version != "latest") {
        const auto minor = parse_minor(version);
        if (!minor) fields.problem("version", "expected \"latest\" or \"v1.N\"");
        rule.minor_version = minor.value_or(kPodSecurityMinorLatest);
    }
    fields.each("checks", [&](const kube::Node& item, const std::string& what) {
        // The names of all published checks, so that a mistyped one and a missing one get different answers.
        static const std::vector<std::string_view> names{"runAsNonRoot",
                                                         "runAsUser",
                                                         "allowPrivilegeEscalation",
                                                         "appArmorProfile",
                                                         "capabilities_baseline",
                                                         "capabilities_restricted",
                                                         "hostNamespaces",
                                                         "hostPathVolumes",
                                                         "hostPorts",
                                                         "hostProbesAndHostLifecycle",
                                                         "privileged",
                                                         "procMount",
                                                         "procMount_restricted",
                                                         "restrictedVolumes",
                                                         "seLinuxOptions",
                                                         "seccompProfile_baseline",
                                                         "seccompProfile_restricted",
                                                         "sysctls",
                                                         "windowsHostProcess"};
        const auto index = one_of(item, what, names, fields.problems());
        if (index == 0) rule.run_as_non_root = true;
        if (index == 1) rule.run_as_user = true;
        if (index && *index > 1) {
            fields.problems().add(
                Errc::not_implemented, item.position(),
                fmt::format("{}: the check {} is not implemented in this version of Fluxgate; implemented: runAsNonRoot, runAsUser", what,
                            names[*index]));
        }
    });
    const kube::Node* checks = fields.field("checks");
    if (!checks || (checks->kind() == kube::Node::Kind::sequence && checks->items().empty())) {
        fields.problems().add(
            Errc::not_implemented, checks ? checks->position() : fields.position(),
            fields.name_of("checks") +
                ": all checks of the level are not implemented in this version of Fluxgate; give checks: [runAsNonRoot, runAsUser]");
    }
    const kube::Node* exclude = fields.field("exclude");
    if (exclude && (exclude->kind() != kube::Node::Kind::sequence || !exclude->items().empty())) fields.not_implemented("exclude");
    fields.finish();
    return rule;
}

void PodSecurityRule::judge(const kube::PodTemplate& pod, Findings& findings) const {
    // KEP-127: root inside a user namespace is nobody outside.
    if (minor_version >= 35 && pod.spec["hostUsers"].boolean() == false) return;
    if (run_as_non_root) judge_run_as_non_root(pod, findings);
    if (run_as_user && minor_version >= 23) judge_run_as_user(pod, findings);
}

bool PodSecurityRule::same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const {
    return kube::equal(before.spec, after.spec);
}

}  // namespace fluxgate::policy
