// The checks themselves. Each object is walked once, its fields are kept as handles, and nothing is built until something is
// wrong: the pod as a whole first, then container by container, each in the order of the checks.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "policy/rules/pod_security.hpp"

namespace fluxgate::policy {

namespace {

using Check = PodSecurityCheck;
using kube::Container;
using kube::Json;

// --- picking fields ---------------------------------------------------------------------------------------------------

struct Pick {
    std::string_view name;
    Json* into;
};

template <std::size_t N>
void pick(Json object, const Pick (&wanted)[N]) {
    object.each_member([&](std::string_view key, Json value) {
        for (const Pick& one : wanted) {
            if (key != one.name) continue;
            *one.into = value;
            return;
        }
    });
}

// What pods and containers both have there.
struct SecurityContext {
    Json run_as_non_root, run_as_user, se_linux_options, seccomp_profile, app_armor_profile, windows_options;
};

struct PodContext : SecurityContext {
    Json sysctls;
    explicit PodContext(Json json) {
        pick(json, {{"runAsNonRoot", &run_as_non_root},
                    {"runAsUser", &run_as_user},
                    {"seLinuxOptions", &se_linux_options},
                    {"seccompProfile", &seccomp_profile},
                    {"appArmorProfile", &app_armor_profile},
                    {"windowsOptions", &windows_options},
                    {"sysctls", &sysctls}});
    }
};

struct ContainerContext : SecurityContext {
    Json privileged, capabilities, proc_mount, allow_privilege_escalation;
    explicit ContainerContext(Json json) {
        pick(json, {{"allowPrivilegeEscalation", &allow_privilege_escalation},
                    {"capabilities", &capabilities},
                    {"runAsNonRoot", &run_as_non_root},
                    {"runAsUser", &run_as_user},
                    {"seccompProfile", &seccomp_profile},
                    {"privileged", &privileged},
                    {"procMount", &proc_mount},
                    {"seLinuxOptions", &se_linux_options},
                    {"appArmorProfile", &app_armor_profile},
                    {"windowsOptions", &windows_options}});
    }
};

struct PodFields {
    Json security_context, volumes, os, host_users, host_network, host_pid, host_ipc;
    explicit PodFields(Json spec) {
        pick(spec, {{"securityContext", &security_context},
                    {"volumes", &volumes},
                    {"os", &os},
                    {"hostUsers", &host_users},
                    {"hostNetwork", &host_network},
                    {"hostPID", &host_pid},
                    {"hostIPC", &host_ipc}});
    }
};

struct ContainerFields {
    Json security_context, ports, liveness_probe, readiness_probe, startup_probe, lifecycle;
    explicit ContainerFields(Json container) {
        pick(container, {{"securityContext", &security_context},
                         {"ports", &ports},
                         {"livenessProbe", &liveness_probe},
                         {"readinessProbe", &readiness_probe},
                         {"startupProbe", &startup_probe},
                         {"lifecycle", &lifecycle}});
    }
};

// --- values -----------------------------------------------------------------------------------------------------------

bool none(Json value) { return value.absent_or_null(); }
// A value of another type counts as the bad one.
bool true_or_odd(Json value) { return !none(value) && value.boolean() != false; }
bool false_or_odd(Json value) { return !none(value) && value.boolean() != true; }
bool zero_or_odd(Json value) { return !none(value) && value.integer().value_or(0) == 0; }
bool text_or_odd(Json value) { return !none(value) && value.string() != ""; }

// Of seccomp and AppArmor: set, and to something else than the runtime's or a local profile. `{}` is set: its type is "".
bool bad_profile(Json profile) {
    if (none(profile)) return false;
    const std::string_view type = profile["type"].text();
    return type != "RuntimeDefault" && type != "Localhost";
}

bool allowed_app_armor_annotation(Json value) {
    if (none(value)) return true;
    const auto text = value.string();
    return text && (text->empty() || *text == "runtime/default" || text->starts_with("localhost/"));
}

bool allowed_seccomp_annotation(Json value) {
    const std::string_view text = value.text();
    return text == "runtime/default" || text == "docker/default" || text.starts_with("localhost/");
}

struct Since {
    std::string_view name;
    int minor;
};

template <std::size_t N>
bool allowed_since(const Since (&names)[N], std::string_view name, int minor) {
    return std::any_of(std::begin(names), std::end(names), [&](const Since& one) { return one.name == name && one.minor <= minor; });
}

constexpr Since kSysctls[] = {
    {"kernel.shm_rmid_forced", 0},
    {"net.ipv4.ip_local_port_range", 0},
    {"net.ipv4.tcp_syncookies", 0},
    {"net.ipv4.ping_group_range", 0},
    {"net.ipv4.ip_unprivileged_port_start", 0},
    {"net.ipv4.ip_local_reserved_ports", 27},
    {"net.ipv4.tcp_keepalive_time", 29},
    {"net.ipv4.tcp_fin_timeout", 29},
    {"net.ipv4.tcp_keepalive_intvl", 29},
    {"net.ipv4.tcp_keepalive_probes", 29},
    {"net.ipv4.tcp_rmem", 32},
    {"net.ipv4.tcp_wmem", 32},
    {"net.ipv4.tcp_slow_start_after_idle", 37},
    {"net.ipv4.tcp_notsent_lowat", 37},
};

constexpr Since kSELinuxTypes[] = {
    {"", 0}, {"container_t", 0}, {"container_init_t", 0}, {"container_kvm_t", 0}, {"container_engine_t", 31}};

constexpr std::string_view kDefaultCapabilities[] = {"AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID",
                                                     "KILL",        "MKNOD",  "NET_BIND_SERVICE", "SETFCAP", "SETGID",
                                                     "SETPCAP",     "SETUID", "SYS_CHROOT"};

// Any of these makes a volume good, whatever else it names: a volume with two sources does not get past the API server.
constexpr std::string_view kGoodVolumes[] = {"configMap", "csi",   "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
                                             "projected", "secret"};

template <std::size_t N>
bool contains(const std::string_view (&words)[N], std::string_view word) {
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool drops_all(Json capabilities) {
    bool all = false;
    capabilities["drop"].each_item([&](Json item) { all = all || item.text() == "ALL"; });
    return all;
}

// What an object said, cut to a length that leaves room for the others.
std::string show(Json value) {
    if (!value.present()) return "(absent)";
    std::string text = value.is_string() ? kube::quoted(value.text()) : value.dump();
    constexpr std::size_t kMax = 120;
    if (text.size() <= kMax) return text;
    std::size_t end = kMax - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) --end;  // not inside a character
    text.resize(end);
    return text + "...";
}

// --- one pod ----------------------------------------------------------------------------------------------------------

class Judge {
public:
    Judge(const PodSecurityRule& rule, const kube::PodTemplate& pod, Findings& findings)
        : rule_(rule), pod_(pod), findings_(findings), fields_(pod.spec), context_(fields_.security_context), checks_(rule.checks) {
        // The API server refuses Windows pods that set what these checks demand (KEP-2802).
        if (rule.minor_version >= 25 && fields_.os["name"].text() == "windows") {
            checks_.remove(Check::allow_privilege_escalation);
            checks_.remove(Check::capabilities_restricted);
            checks_.remove(Check::seccomp_profile_restricted);
        }
        // Root inside a user namespace is nobody outside (KEP-127).
        if (rule.minor_version >= 35 && fields_.host_users.boolean() == false) {
            checks_.remove(Check::proc_mount);
            checks_.remove(Check::run_as_non_root);
            checks_.remove(Check::run_as_user);
        }
        // One of the two is in a level at any time.
        if (asks(Check::seccomp_profile_restricted))
            seccomp_ = Check::seccomp_profile_restricted;
        else if (asks(Check::seccomp_profile_baseline) && rule.minor_version >= 19)
            seccomp_ = Check::seccomp_profile_baseline;
        seccomp_by_annotation_ = asks(Check::seccomp_profile_baseline) && rule.minor_version < 19;
        if (asks(Check::proc_mount)) proc_mount_ = Check::proc_mount;
        if (asks(Check::proc_mount_restricted)) proc_mount_ = Check::proc_mount_restricted;
    }

    void run() {
        if (checks_.empty()) return;
        if (asks(Check::app_armor_profile) || seccomp_by_annotation_) judge_annotations();
        judge_pod();
        pod_.each_container([&](const Container& container) { judge(container); });
    }

private:
    bool asks(Check check) const { return checks_.has(check); }

    // --- the pod ---
    void judge_pod() {
        judge_shared(context_, [&](Check check, std::string_view field, Json have, std::string_view want) {
            add(check, "securityContext." + std::string(field), have, want);
        });
        if (asks(Check::host_namespaces)) {
            if (true_or_odd(fields_.host_network)) add(Check::host_namespaces, "hostNetwork", fields_.host_network, "false");
            if (true_or_odd(fields_.host_pid)) add(Check::host_namespaces, "hostPID", fields_.host_pid, "false");
            if (true_or_odd(fields_.host_ipc)) add(Check::host_namespaces, "hostIPC", fields_.host_ipc, "false");
        }
        if (asks(Check::sysctls)) judge_sysctls();
        if (asks(Check::host_path_volumes) || asks(Check::restricted_volumes)) judge_volumes();
    }

    void judge_sysctls() {
        std::size_t index = 0;
        context_.sysctls.each_item([&](Json item) {
            const Json name = item["name"];
            if (!allowed_since(kSysctls, name.text(), rule_.minor_version)) {
                add(Check::sysctls, fmt::format("securityContext.sysctls[{}].name", index), name, "a sysctl known to be safe");
            }
            ++index;
        });
    }

    void judge_volumes() {
        std::size_t index = 0;
        fields_.volumes.each_item([&](Json volume) {
            Json host_path;
            bool good = false;
            std::string_view source;  // the first other one
            volume.each_member([&](std::string_view key, Json value) {
                if (none(value)) return;
                if (key == "hostPath") host_path = value;
                if (contains(kGoodVolumes, key)) good = good || value.is_object();
                if (source.empty() && key != "name") source = key;
            });
            if (asks(Check::host_path_volumes) && host_path.present()) {
                add(Check::host_path_volumes, volume_path(volume, index) + ".hostPath", host_path, "no hostPath volume");
            }
            if (asks(Check::restricted_volumes) && !good) {
                findings_.add(pod_path(volume_path(volume, index)), source.empty() ? "no source" : std::string(source),
                              tagged("configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, projected or secret",
                                     Check::restricted_volumes));
            }
            ++index;
        });
    }

    static std::string volume_path(Json volume, std::size_t index) {
        std::string path = "volumes";
        const std::string_view name = volume["name"].text();
        if (name.empty() || name.size() > 63)  // a DNS label
            kube::append_index(path, index);
        else
            kube::append_key(path, "name", name);
        return path;
    }

    // Annotations name containers: AppArmor's whether they exist or not, seccomp's only those that do.
    void judge_annotations() {
        std::optional<std::vector<Container>> containers;
        const auto bound = [](const Container& container, std::string_view name) { return container.name < name; };
        // f(bool exists, bool all_excluded), found when the first bad annotation turns up.
        const auto look_up = [&](std::string_view name, Check check) {
            if (!containers) {
                containers.emplace();
                pod_.each_container([&](const Container& container) { containers->push_back(container); });
                std::stable_sort(containers->begin(), containers->end(),
                                 [](const Container& one, const Container& other) { return one.name < other.name; });
            }
            auto it = std::lower_bound(containers->begin(), containers->end(), name, bound);
            const bool exists = it != containers->end() && it->name == name;
            bool all_excluded = exists;
            for (; it != containers->end() && it->name == name; ++it) all_excluded = all_excluded && excluded(check, *it);
            return std::pair(exists, all_excluded);
        };
        pod_.metadata["annotations"].each_member([&](std::string_view key, Json value) {
            if (asks(Check::app_armor_profile) && key.starts_with(kAppArmorPrefix) && !allowed_app_armor_annotation(value)) {
                if (look_up(key.substr(kAppArmorPrefix.size()), Check::app_armor_profile).second) return;
                add_annotation(Check::app_armor_profile, key, value, "runtime/default or localhost/*");
            }
            if (!seccomp_by_annotation_ || allowed_seccomp_annotation(value)) return;
            if (key.starts_with(kSeccompPrefix)) {
                const auto [exists, all_excluded] = look_up(key.substr(kSeccompPrefix.size()), Check::seccomp_profile_baseline);
                if (!exists || all_excluded) return;
            } else if (key != kSeccompPodKey) {
                return;
            }
            add_annotation(Check::seccomp_profile_baseline, key, value, "runtime/default, docker/default or localhost/*");
        });
    }

    // --- one container ---
    void judge(const Container& container) {
        const ContainerFields fields(container.json);
        const ContainerContext context(fields.security_context);
        const auto add_here = [&](Check check, std::string_view field, Json have, std::string_view want) {
            add(check, container, "securityContext." + std::string(field), have, want);
        };
        judge_shared(context, add_here);
        judge_capabilities(container, context.capabilities);
        if (asks(Check::privileged) && true_or_odd(context.privileged))
            add_here(Check::privileged, "privileged", context.privileged, "false");
        if (proc_mount_ && !none(context.proc_mount) && context.proc_mount.text() != "Default") {
            add_here(*proc_mount_, "procMount", context.proc_mount, "Default");
        }
        if (asks(Check::allow_privilege_escalation) && context.allow_privilege_escalation.boolean() != false) {
            add_here(Check::allow_privilege_escalation, "allowPrivilegeEscalation", context.allow_privilege_escalation, "false");
        }
        if (asks(Check::run_as_non_root) && none(context.run_as_non_root) && !context_.run_as_non_root.is_true()) {
            add_here(Check::run_as_non_root, "runAsNonRoot", Json(), "true, here or in the pod's securityContext");
        }
        if (asks(Check::seccomp_profile_restricted) && none(context.seccomp_profile) &&
            (none(context_.seccomp_profile) || bad_profile(context_.seccomp_profile))) {
            add_here(Check::seccomp_profile_restricted, "seccompProfile.type", Json(),
                     "RuntimeDefault or Localhost, here or in the pod's securityContext");
        }
        if (asks(Check::host_ports)) judge_ports(container, fields.ports);
        if (asks(Check::host_probes_and_host_lifecycle)) {
            judge_hosts(container, "livenessProbe", fields.liveness_probe);
            judge_hosts(container, "readinessProbe", fields.readiness_probe);
            judge_hosts(container, "startupProbe", fields.startup_probe);
            if (!none(fields.lifecycle)) {
                judge_hosts(container, "lifecycle.postStart", fields.lifecycle["postStart"]);
                judge_hosts(container, "lifecycle.preStop", fields.lifecycle["preStop"]);
            }
        }
    }

    void judge_capabilities(const Container& container, Json capabilities) {
        const auto judge_added = [&](Check check, auto&& allowed, std::string_view want) {
            std::size_t index = 0;
            capabilities["add"].each_item([&](Json item) {
                if (!allowed(item.text())) add(check, container, fmt::format("securityContext.capabilities.add[{}]", index), item, want);
                ++index;
            });
        };
        if (asks(Check::capabilities_baseline) && !none(capabilities)) {
            judge_added(
                Check::capabilities_baseline, [](std::string_view name) { return contains(kDefaultCapabilities, name); },
                "a capability that containers have by default");
        }
        if (!asks(Check::capabilities_restricted)) return;
        if (!none(capabilities)) {
            judge_added(
                Check::capabilities_restricted, [](std::string_view name) { return name == "NET_BIND_SERVICE"; },
                "NET_BIND_SERVICE or nothing");
        }
        if (!drops_all(capabilities))
            add(Check::capabilities_restricted, container, "securityContext.capabilities.drop", capabilities["drop"],
                "a list with \"ALL\"");
    }

    void judge_ports(const Container& container, Json ports) {
        std::size_t index = 0;
        ports.each_item([&](Json port) {
            const Json host_port = port["hostPort"];
            if (!none(host_port) && host_port.integer() != 0) {
                add(Check::host_ports, container, fmt::format("ports[{}].hostPort", index), host_port, "no host port");
            }
            ++index;
        });
    }

    void judge_hosts(const Container& container, std::string_view field, Json handler) {
        if (none(handler)) return;
        for (const std::string_view by : {"httpGet", "tcpSocket"}) {
            const Json host = handler[by]["host"];
            if (!text_or_odd(host)) continue;
            add(Check::host_probes_and_host_lifecycle, container, fmt::format("{}.{}.host", field, by), host,
                "no host, which means the pod");
        }
    }

    // --- what the securityContext of pods and of containers both hold ---
    template <class Add>
    void judge_shared(const SecurityContext& context, Add&& add_here) {
        if (asks(Check::app_armor_profile) && bad_profile(context.app_armor_profile)) {
            add_here(Check::app_armor_profile, "appArmorProfile.type", context.app_armor_profile["type"], "RuntimeDefault or Localhost");
        }
        if (asks(Check::se_linux_options) && !none(context.se_linux_options)) {
            const Json type = context.se_linux_options["type"];
            const Json user = context.se_linux_options["user"];
            const Json role = context.se_linux_options["role"];
            if (!none(type) && !(type.is_string() && allowed_since(kSELinuxTypes, type.text(), rule_.minor_version))) {
                add_here(Check::se_linux_options, "seLinuxOptions.type", type, "a type that confines containers");
            }
            if (text_or_odd(user)) add_here(Check::se_linux_options, "seLinuxOptions.user", user, "no user");
            if (text_or_odd(role)) add_here(Check::se_linux_options, "seLinuxOptions.role", role, "no role");
        }
        if (seccomp_ && bad_profile(context.seccomp_profile)) {
            add_here(*seccomp_, "seccompProfile.type", context.seccomp_profile["type"], "RuntimeDefault or Localhost");
        }
        if (asks(Check::windows_host_process) && !none(context.windows_options)) {
            const Json host_process = context.windows_options["hostProcess"];
            if (true_or_odd(host_process)) add_here(Check::windows_host_process, "windowsOptions.hostProcess", host_process, "false");
        }
        if (asks(Check::run_as_non_root) && false_or_odd(context.run_as_non_root)) {
            add_here(Check::run_as_non_root, "runAsNonRoot", context.run_as_non_root, "true");
        }
        if (asks(Check::run_as_user) && zero_or_odd(context.run_as_user)) {
            add_here(Check::run_as_user, "runAsUser", context.run_as_user, "a user id other than 0");
        }
    }

    // --- reporting ---
    bool excluded(Check check, const Container& container) const {
        return std::any_of(rule_.exclusions.begin(), rule_.exclusions.end(), [&](const PodSecurityRule::Exclusion& exclusion) {
            if (exclusion.check != check) return false;
            const std::string_view image = container.json["image"].text();
            return std::any_of(exclusion.images.begin(), exclusion.images.end(), [&](const ImagePattern& p) { return p.matches(image); });
        });
    }

    std::string tagged(std::string_view want, Check check) const {
        return fmt::format("{} [{}, {}]", want, to_string(check), rule_.level_and_version);
    }
    std::string pod_path(std::string_view field) const { return fmt::format("{}.{}", pod_.spec_path, field); }

    void add(Check check, std::string_view field, Json have, std::string_view want) {
        findings_.add(pod_path(field), show(have), tagged(want, check));
    }
    void add(Check check, const Container& container, std::string_view field, Json have, std::string_view want) {
        if (!excluded(check, container)) findings_.add(pod_, container, field, show(have), tagged(want, check));
    }
    void add_annotation(Check check, std::string_view key, Json have, std::string_view want) {
        std::string path(pod_.spec_path.substr(0, pod_.spec_path.rfind('.')));
        path += ".metadata.annotations";
        kube::append_field(path, key);
        findings_.add(std::move(path), show(have), tagged(want, check));
    }

    const PodSecurityRule& rule_;
    const kube::PodTemplate& pod_;
    Findings& findings_;
    PodFields fields_;
    PodContext context_;
    PodSecurityChecks checks_;  // asked of this pod
    std::optional<Check> seccomp_;
    std::optional<Check> proc_mount_;
    bool seccomp_by_annotation_ = false;
};

}  // namespace

void PodSecurityRule::judge(const kube::PodTemplate& pod, Findings& findings) const { Judge(*this, pod, findings).run(); }

}  // namespace fluxgate::policy
