#include "policy/rules/pod_security.hpp"

#include <set>

#include "policy/evaluate.hpp"
#include "policy/rules/image_pattern.hpp"
#include "policy/rules/pod_security_levels.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

Request pod(std::string_view spec) {
    Request request;
    request.object = R"({"metadata":{"name":"web"},"spec":)" + std::string(spec) + "}";
    return request;
}

using List = std::vector<std::string>;

std::vector<Violation> violations(const Request& request, std::string_view fields) {
    const auto set = sample::compiled(sample::rule("podSecurity: {" + std::string(fields) + "}"));
    return evaluate(*Read(request), *set, {}).violations;
}

// "path have", in order.
List told(const Request& request, std::string_view fields) {
    List list;
    for (const Violation& violation : violations(request, fields)) list.push_back(violation.path + " " + violation.have);
    return list;
}

List found(const Request& request, std::string_view checks, std::string_view version = "latest") {
    return told(request, "level: restricted, version: " + std::string(version) + ", checks: [" + std::string(checks) + "]");
}

// The checks that refuse the pod at a level, as the messages name them.
List refusing(const Request& request, std::string_view level, std::string_view version = "latest") {
    std::set<std::string> ids;
    const std::string level_and_version = std::string(level) + " " + std::string(version);
    for (const Violation& v : violations(request, "level: " + std::string(level) + ", version: " + std::string(version))) {
        const std::size_t open = v.want.rfind('[');
        REQUIRE(open != std::string::npos);
        const std::size_t comma = v.want.find(", ", open);
        CHECK(v.want.substr(comma) == ", " + level_and_version + "]");
        ids.insert(v.want.substr(open + 1, comma - open - 1));
    }
    return {ids.begin(), ids.end()};
}

// A pod that every level and version allows, but for what is given.
struct Clean {
    std::string pod;        // members of the spec
    std::string context;    // … of its securityContext
    std::string container;  // … of the container
    std::string own;        // … of the container's securityContext
    std::string metadata;   // … of the pod's metadata

    Request request() const {
        const auto more = [](const std::string& members) { return members.empty() ? members : "," + members; };
        Request request;
        request.object = R"({"metadata":{"name":"web")" + more(metadata) +
                         R"(},"spec":{"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"})" + more(context) +
                         R"(},"containers":[{"name":"web","image":"myacr.azurecr.io/web:1","securityContext":{)" +
                         (own.find("allowPrivilegeEscalation") == std::string::npos ? R"("allowPrivilegeEscalation":false,)" : "") +
                         (own.find("capabilities") == std::string::npos ? R"("capabilities":{"drop":["ALL"]},)" : "") +
                         R"("readOnlyRootFilesystem":true)" + more(own) + "}" + more(container) + "}]" + more(pod) + "}}";
        return request;
    }
};

}  // namespace

TEST_CASE("runAsNonRoot is true at the pod or at every container, and false nowhere") {
    const std::string web = R"(.spec.containers[name="web"].securityContext.runAsNonRoot )";
    const std::string of_pod = ".spec.securityContext.runAsNonRoot ";
    struct Row {
        std::string_view name;
        std::string_view spec;
        List found;
    };
    const Row rows[] = {
        {"nothing said", R"({"containers":[{"name":"web"}]})", {web + "(absent)"}},
        {"null and {} are nothing",
         R"({"securityContext":null,"containers":[{"name":"web","securityContext":{"runAsNonRoot":null}}]})",
         {web + "(absent)"}},
        {"true at the pod", R"({"securityContext":{"runAsNonRoot":true},"containers":[{"name":"web"}]})", {}},
        {"true at the container", R"({"containers":[{"name":"web","securityContext":{"runAsNonRoot":true}}]})", {}},
        {"true at one of two",
         R"({"containers":[{"name":"web"},{"name":"b","securityContext":{"runAsNonRoot":true}}]})",
         {web + "(absent)"}},
        {"false at the container, true at the pod",
         R"({"securityContext":{"runAsNonRoot":true},"containers":[{"name":"web","securityContext":{"runAsNonRoot":false}}]})",
         {web + "false"}},
        {"false at the pod, true at every container",
         R"({"securityContext":{"runAsNonRoot":false},"containers":[{"name":"web","securityContext":{"runAsNonRoot":true}}]})",
         {of_pod + "false"}},
        {"a text at the pod",
         R"({"securityContext":{"runAsNonRoot":"true"},"containers":[{"name":"web","securityContext":{"runAsNonRoot":true}}]})",
         {of_pod + "\"true\""}},
        {"a number at the container",
         R"({"securityContext":{"runAsNonRoot":true},"containers":[{"name":"web","securityContext":{"runAsNonRoot":1}}]})",
         {web + "1"}},
        {"a user id does not stand in", R"({"containers":[{"name":"web","securityContext":{"runAsUser":1000}}]})", {web + "(absent)"}},
        {"no containers", R"({"containers":[]})", {}},
        {"windows is asked too", R"({"os":{"name":"windows"},"containers":[{"name":"web"}]})", {web + "(absent)"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(pod(row.spec), "runAsNonRoot") == row.found);
    }
}

TEST_CASE("runAsUser is not 0 anywhere") {
    const std::string web = R"(.spec.containers[name="web"].securityContext.runAsUser )";
    struct Row {
        std::string_view name;
        std::string_view spec;
        List found;
    };
    const Row rows[] = {
        {"nothing said", R"({"containers":[{"name":"web"}]})", {}},
        {"null", R"({"containers":[{"name":"web","securityContext":{"runAsUser":null}}]})", {}},
        {"somebody", R"({"securityContext":{"runAsUser":1},"containers":[{"name":"web","securityContext":{"runAsUser":1000}}]})", {}},
        {"root at the pod",
         R"({"securityContext":{"runAsUser":0},"containers":[{"name":"web","securityContext":{"runAsUser":1000}}]})",
         {".spec.securityContext.runAsUser 0"}},
        {"root at the container",
         R"({"securityContext":{"runAsUser":1},"containers":[{"name":"web","securityContext":{"runAsUser":0}}]})",
         {web + "0"}},
        {"minus zero", R"({"containers":[{"name":"web","securityContext":{"runAsUser":-0}}]})", {web + "0"}},
        {"zero as a fraction", R"({"containers":[{"name":"web","securityContext":{"runAsUser":0.0}}]})", {web + "0.0"}},
        {"zero as a text", R"({"containers":[{"name":"web","securityContext":{"runAsUser":"0"}}]})", {web + "\"0\""}},
        {"false", R"({"containers":[{"name":"web","securityContext":{"runAsUser":false}}]})", {web + "false"}},
        {"beyond 64 bits",
         R"({"containers":[{"name":"web","securityContext":{"runAsUser":18446744073709551615}}]})",
         {web + "18446744073709551615"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(pod(row.spec), "runAsUser") == row.found);
    }
}

TEST_CASE("every container is judged, also one that is added to a running pod") {
    Request request = pod(
        R"({"initContainers":[{"name":"i","securityContext":{"runAsUser":0}},{"name":"s","restartPolicy":"Always","securityContext":{"runAsUser":0}}],)"
        R"("containers":[{"name":"web","securityContext":{"runAsUser":0}}],"ephemeralContainers":[{"name":"e","securityContext":{"runAsUser":0}}]})");
    CHECK(found(request, "runAsUser") == List{R"(.spec.initContainers[name="i"].securityContext.runAsUser 0)",
                                              R"(.spec.initContainers[name="s"].securityContext.runAsUser 0)",
                                              R"(.spec.containers[name="web"].securityContext.runAsUser 0)",
                                              R"(.spec.ephemeralContainers[name="e"].securityContext.runAsUser 0)"});

    request.operation = "UPDATE";
    request.sub_resource = "ephemeralcontainers";
    request.old_object = pod(R"({"containers":[{"name":"web"}]})").object;
    CHECK(found(request, "runAsUser").size() == 4);
    request.sub_resource = "status";
    CHECK(found(request, "runAsUser").empty());
}

TEST_CASE("a check begins and is relaxed with the version that Kubernetes says") {
    const Request root = pod(R"({"containers":[{"name":"web","securityContext":{"runAsUser":0}}]})");
    const Request in_a_user_namespace = pod(R"({"hostUsers":false,"containers":[{"name":"web","securityContext":{"runAsUser":0}}]})");
    const Request outside = pod(R"({"hostUsers":true,"containers":[{"name":"web","securityContext":{"runAsUser":0}}]})");
    const Request odd = pod(R"({"hostUsers":"false","containers":[{"name":"web","securityContext":{"runAsUser":0}}]})");
    struct Row {
        std::string_view name;
        std::string_view version;
        const Request& request;
        std::size_t found;  // runAsNonRoot and runAsUser
    };
    const Row rows[] = {
        {"runAsUser", "v1.23", root, 2},
        {"latest", "latest", root, 2},
        {"newer than we know", "v1.99", root, 2},
        {"hostUsers false before 1.35", "v1.34", in_a_user_namespace, 2},
        {"hostUsers false", "v1.35", in_a_user_namespace, 0},
        {"hostUsers false, latest", "latest", in_a_user_namespace, 0},
        {"hostUsers true", "v1.35", outside, 2},
        {"hostUsers of a wrong type", "v1.35", odd, 2},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.request, "runAsNonRoot, runAsUser", row.version).size() == row.found);
    }
    CHECK(found(root, "runAsNonRoot", "v1.0").size() == 1);
    CHECK(refusing(root, "restricted", "v1.22") ==
          List{"allowPrivilegeEscalation", "capabilities_restricted", "runAsNonRoot", "seccompProfile_restricted"});
}

TEST_CASE("each check of baseline refuses what it is about, and nothing else") {
    const std::string web = R"(.spec.containers[name="web"])";
    struct Row {
        std::string_view name;
        std::string_view check;
        Clean pod;
        List found;
    };
    const std::string app_armor = "container.apparmor.security.beta.kubernetes.io/";
    const auto annotation = [](const std::string& key, const std::string& value) {
        return Clean{.pod = {}, .context = {}, .container = {}, .own = {}, .metadata = R"("annotations":{")" + key + "\":" + value + "}"};
    };
    const auto in_pod = [](std::string members) {
        return Clean{.pod = std::move(members), .context = {}, .container = {}, .own = {}, .metadata = {}};
    };
    const auto in_context = [](std::string members) {
        return Clean{.pod = {}, .context = std::move(members), .container = {}, .own = {}, .metadata = {}};
    };
    const auto in_container = [](std::string members) {
        return Clean{.pod = {}, .context = {}, .container = std::move(members), .own = {}, .metadata = {}};
    };
    const auto in_own = [](std::string members) {
        return Clean{.pod = {}, .context = {}, .container = {}, .own = std::move(members), .metadata = {}};
    };
    const Row rows[] = {
        {"nothing wrong", "privileged", {}, {}},
        // appArmorProfile
        {"AppArmor of the pod",
         "appArmorProfile",
         in_context(R"("appArmorProfile":{"type":"Unconfined"})"),
         {".spec.securityContext.appArmorProfile.type \"Unconfined\""}},
        {"AppArmor, a local profile", "appArmorProfile", in_own(R"("appArmorProfile":{"type":"Localhost"})"), {}},
        {"AppArmor {} has the type \"\"",
         "appArmorProfile",
         in_own(R"("appArmorProfile":{})"),
         {web + ".securityContext.appArmorProfile.type (absent)"}},
        {"AppArmor null", "appArmorProfile", in_own(R"("appArmorProfile":null)"), {}},
        {"AppArmor annotation",
         "appArmorProfile",
         annotation(app_armor + "web", "\"unconfined\""),
         {".metadata.annotations[\"" + app_armor + "web\"] \"unconfined\""}},
        {"AppArmor annotation of nobody",
         "appArmorProfile",
         annotation(app_armor + "ghost", "\"unconfined\""),
         {".metadata.annotations[\"" + app_armor + "ghost\"] \"unconfined\""}},
        {"AppArmor annotation, local", "appArmorProfile", annotation(app_armor + "web", "\"localhost/x\""), {}},
        {"AppArmor annotation, empty", "appArmorProfile", annotation(app_armor + "web", "\"\""), {}},
        {"AppArmor annotation null is empty", "appArmorProfile", annotation(app_armor + "web", "null"), {}},
        {"AppArmor annotation of a wrong type",
         "appArmorProfile",
         annotation(app_armor + "web", "1"),
         {".metadata.annotations[\"" + app_armor + "web\"] 1"}},
        // capabilities_baseline
        {"a default capability", "capabilities_baseline", in_own(R"("capabilities":{"add":["CHOWN","SYS_CHROOT"]})"), {}},
        {"others",
         "capabilities_baseline",
         in_own(R"("capabilities":{"add":["CHOWN","NET_RAW","chown"]})"),
         {web + ".securityContext.capabilities.add[1] \"NET_RAW\"", web + ".securityContext.capabilities.add[2] \"chown\""}},
        {"a null capability is \"\"",
         "capabilities_baseline",
         in_own(R"("capabilities":{"add":[null]})"),
         {web + ".securityContext.capabilities.add[0] null"}},
        {"no capabilities", "capabilities_baseline", in_own(R"("capabilities":null)"), {}},
        // hostNamespaces
        {"host namespaces",
         "hostNamespaces",
         in_pod(R"("hostNetwork":true,"hostPID":true,"hostIPC":true)"),
         {".spec.hostNetwork true", ".spec.hostPID true", ".spec.hostIPC true"}},
        {"host namespaces, said no", "hostNamespaces", in_pod(R"("hostNetwork":false,"hostPID":null)"), {}},
        {"host namespaces, a text", "hostNamespaces", in_pod(R"("hostNetwork":"false")"), {".spec.hostNetwork \"false\""}},
        {"another spelling is another field", "hostNamespaces", in_pod(R"("HostNetwork":true)"), {}},
        // hostPathVolumes
        {"hostPath",
         "hostPathVolumes",
         in_pod(R"("volumes":[{"name":"a","emptyDir":{}},{"name":"b","hostPath":{"path":"/"}}])"),
         {R"(.spec.volumes[name="b"].hostPath {"path":"/"})"}},
        {"hostPath null", "hostPathVolumes", in_pod(R"("volumes":[{"name":"b","hostPath":null}])"), {}},
        {"hostPath {}", "hostPathVolumes", in_pod(R"("volumes":[{"hostPath":{}}])"), {".spec.volumes[0].hostPath {}"}},
        // hostPorts
        {"host port",
         "hostPorts",
         in_container(R"("ports":[{"containerPort":80},{"containerPort":81,"hostPort":81}])"),
         {web + ".ports[1].hostPort 81"}},
        {"host port 0", "hostPorts", in_container(R"("ports":[{"hostPort":0},{"hostPort":null},null])"), {}},
        {"host port of a wrong type", "hostPorts", in_container(R"("ports":[{"hostPort":"0"}])"), {web + ".ports[0].hostPort \"0\""}},
        // hostProbesAndHostLifecycle
        {"probe host",
         "hostProbesAndHostLifecycle",
         in_container(R"("livenessProbe":{"httpGet":{"host":"10.0.0.1"}},"startupProbe":{"tcpSocket":{"host":"x"}})"),
         {web + ".livenessProbe.httpGet.host \"10.0.0.1\"", web + ".startupProbe.tcpSocket.host \"x\""}},
        {"lifecycle host",
         "hostProbesAndHostLifecycle",
         in_container(R"("lifecycle":{"postStart":{"tcpSocket":{"host":"x"}},"preStop":{"httpGet":{"host":"y"}}})"),
         {web + ".lifecycle.postStart.tcpSocket.host \"x\"", web + ".lifecycle.preStop.httpGet.host \"y\""}},
        {"empty hosts",
         "hostProbesAndHostLifecycle",
         in_container(R"("readinessProbe":{"httpGet":{"host":""},"tcpSocket":{"host":null}},"lifecycle":{"preStop":null})"),
         {}},
        // privileged
        {"privileged", "privileged", in_own(R"("privileged":true)"), {web + ".securityContext.privileged true"}},
        {"privileged null", "privileged", in_own(R"("privileged":null)"), {}},
        {"privileged false", "privileged", in_own(R"("privileged":false)"), {}},
        {"privileged 1", "privileged", in_own(R"("privileged":1)"), {web + ".securityContext.privileged 1"}},
        // procMount
        {"procMount", "procMount", in_own(R"("procMount":"Unmasked")"), {web + ".securityContext.procMount \"Unmasked\""}},
        {"procMount Default", "procMount", in_own(R"("procMount":"Default")"), {}},
        {"procMount empty is not Default", "procMount", in_own(R"("procMount":"")"), {web + ".securityContext.procMount \"\""}},
        {"procMount null", "procMount", in_own(R"("procMount":null)"), {}},
        // seLinuxOptions
        {"SELinux type",
         "seLinuxOptions",
         in_context(R"("seLinuxOptions":{"type":"spc_t"})"),
         {".spec.securityContext.seLinuxOptions.type \"spc_t\""}},
        {"SELinux user and role",
         "seLinuxOptions",
         in_own(R"("seLinuxOptions":{"type":"container_t","user":"u","role":"r","level":"s0"})"),
         {web + ".securityContext.seLinuxOptions.user \"u\"", web + ".securityContext.seLinuxOptions.role \"r\""}},
        {"SELinux, empty", "seLinuxOptions", in_own(R"("seLinuxOptions":{"type":"","user":"","role":null})"), {}},
        // seccompProfile_baseline
        {"seccomp of the pod",
         "seccompProfile_baseline",
         {R"("securityContext2":0)", R"("x":0)", {}, R"("seccompProfile":{"type":"Unconfined"})", {}},
         {web + ".securityContext.seccompProfile.type \"Unconfined\""}},
        {"seccomp {}",
         "seccompProfile_baseline",
         in_own(R"("seccompProfile":{})"),
         {web + ".securityContext.seccompProfile.type (absent)"}},
        {"seccomp null", "seccompProfile_baseline", in_own(R"("seccompProfile":null)"), {}},
        // sysctls
        {"sysctls",
         "sysctls",
         in_context(R"("sysctls":[{"name":"kernel.shm_rmid_forced"},{"name":"kernel.msgmax"},null])"),
         {".spec.securityContext.sysctls[1].name \"kernel.msgmax\"", ".spec.securityContext.sysctls[2].name (absent)"}},
        {"no sysctls", "sysctls", in_context(R"("sysctls":null)"), {}},
        // windowsHostProcess
        {"host process",
         "windowsHostProcess",
         in_context(R"("windowsOptions":{"hostProcess":true})"),
         {".spec.securityContext.windowsOptions.hostProcess true"}},
        {"host process of a container",
         "windowsHostProcess",
         in_own(R"("windowsOptions":{"hostProcess":true})"),
         {web + ".securityContext.windowsOptions.hostProcess true"}},
        {"no host process", "windowsHostProcess", in_own(R"("windowsOptions":{"hostProcess":false})"), {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(told(row.pod.request(), "level: baseline, checks: [" + std::string(row.check) + "]") == row.found);
        CHECK(refusing(row.pod.request(), "baseline") == (row.found.empty() ? List{} : List{std::string(row.check)}));
        CHECK(refusing(row.pod.request(), "privileged").empty());
    }
}

TEST_CASE("each check of restricted refuses what it is about") {
    const std::string web = R"(.spec.containers[name="web"].securityContext.)";
    struct Row {
        std::string_view name;
        std::string_view check;
        std::string_view spec;
        List found;
    };
    const Row rows[] = {
        {"escalation absent",
         "allowPrivilegeEscalation",
         R"({"containers":[{"name":"web","securityContext":{}}]})",
         {web + "allowPrivilegeEscalation (absent)"}},
        {"escalation true",
         "allowPrivilegeEscalation",
         R"({"containers":[{"name":"web","securityContext":{"allowPrivilegeEscalation":true}}]})",
         {web + "allowPrivilegeEscalation true"}},
        {"escalation false",
         "allowPrivilegeEscalation",
         R"({"containers":[{"name":"web","securityContext":{"allowPrivilegeEscalation":false}}]})",
         {}},
        {"no securityContext",
         "capabilities_restricted",
         R"({"containers":[{"name":"web","securityContext":null}]})",
         {web + "capabilities.drop (absent)"}},
        {"drops ALL among others",
         "capabilities_restricted",
         R"({"containers":[{"name":"web","securityContext":{"capabilities":{"drop":["NET_RAW","ALL"],"add":["NET_BIND_SERVICE"]}}}]})",
         {}},
        {"all is not ALL",
         "capabilities_restricted",
         R"({"containers":[{"name":"web","securityContext":{"capabilities":{"drop":["all"]}}}]})",
         {web + R"(capabilities.drop ["all"])"}},
        {"adds a default one",
         "capabilities_restricted",
         R"({"containers":[{"name":"web","securityContext":{"capabilities":{"drop":["ALL"],"add":["CHOWN"]}}}]})",
         {web + R"(capabilities.add[0] "CHOWN")"}},
        {"procMount in a user namespace",
         "procMount_restricted",
         R"({"hostUsers":false,"containers":[{"name":"web","securityContext":{"procMount":"Unmasked"}}]})",
         {web + R"(procMount "Unmasked")"}},
        {"known volumes",
         "restrictedVolumes",
         R"({"containers":[],"volumes":[{"name":"a","configMap":{}},{"name":"b","image":{}},{"name":"c","csi":{}},{"name":"d","ephemeral":{}}]})",
         {}},
        {"other volumes",
         "restrictedVolumes",
         R"({"containers":[],"volumes":[{"name":"a","nfs":{}},{"name":"b","futureVolume":{}},{"name":"c"},{"name":"d","emptyDir":null},null]})",
         {R"(.spec.volumes[name="a"] nfs)", R"(.spec.volumes[name="b"] futureVolume)", R"(.spec.volumes[name="c"] no source)",
          R"(.spec.volumes[name="d"] no source)", ".spec.volumes[4] no source"}},
        {"two sources, one good", "restrictedVolumes", R"({"containers":[],"volumes":[{"name":"a","hostPath":{},"emptyDir":{}}]})", {}},
        {"seccomp absent", "seccompProfile_restricted", R"({"containers":[{"name":"web"}]})", {web + "seccompProfile.type (absent)"}},
        {"seccomp of the pod",
         "seccompProfile_restricted",
         R"({"securityContext":{"seccompProfile":{"type":"Localhost"}},"containers":[{"name":"web"}]})",
         {}},
        {"seccomp bad at the pod, good at the container",
         "seccompProfile_restricted",
         R"({"securityContext":{"seccompProfile":{"type":"Unconfined"}},"containers":[{"name":"web","securityContext":{"seccompProfile":{"type":"RuntimeDefault"}}}]})",
         {R"(.spec.securityContext.seccompProfile.type "Unconfined")"}},
        {"seccomp bad at the container",
         "seccompProfile_restricted",
         R"({"securityContext":{"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"web","securityContext":{"seccompProfile":{}}}]})",
         {web + "seccompProfile.type (absent)"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(pod(row.spec), row.check) == row.found);
    }
}

TEST_CASE("a restricted level takes the place of checks of baseline that are weaker, from the version that it has its own") {
    struct Row {
        std::string_view check;
        std::string_view level;
        int first;  // minor version
        int last;
    };
    const Row rows[] = {
        {"appArmorProfile", "baseline", 0, 37},
        {"appArmorProfile", "restricted", 0, 37},
        {"capabilities_baseline", "baseline", 0, 37},
        {"capabilities_baseline", "restricted", 0, 21},
        {"capabilities_restricted", "restricted", 22, 37},
        {"hostPathVolumes", "baseline", 0, 37},
        {"hostPathVolumes", "restricted", 1, 0},  // never
        {"restrictedVolumes", "restricted", 0, 37},
        {"hostProbesAndHostLifecycle", "baseline", 34, 37},
        {"hostProbesAndHostLifecycle", "restricted", 34, 37},
        {"procMount", "baseline", 0, 37},
        {"procMount", "restricted", 0, 34},
        {"procMount_restricted", "restricted", 35, 37},
        {"seccompProfile_baseline", "baseline", 0, 37},
        {"seccompProfile_baseline", "restricted", 0, 18},
        {"seccompProfile_restricted", "restricted", 19, 37},
        {"allowPrivilegeEscalation", "restricted", 8, 37},
        {"runAsUser", "restricted", 23, 37},
        {"runAsNonRoot", "restricted", 0, 37},
        {"runAsNonRoot", "baseline", 1, 0},
    };
    for (const Row& row : rows) {
        const auto check = find_pod_security_check(row.check);
        REQUIRE(check.has_value());
        CHECK(to_string(*check) == row.check);
        const auto level = row.level == "baseline" ? PodSecurityLevel::baseline : PodSecurityLevel::restricted;
        for (int minor = 0; minor <= kPodSecurityMinorLatest; ++minor) {
            INFO(row.check << " of " << row.level << " v1." << minor);
            CHECK(pod_security_checks(level, minor).has(*check) == (minor >= row.first && minor <= row.last));
        }
    }
    CHECK(pod_security_checks(PodSecurityLevel::privileged, 37).empty());
    CHECK_FALSE(find_pod_security_check("runasuser").has_value());
}

TEST_CASE("what a check allows grows with versions") {
    const auto sysctl = [](std::string_view name) {
        return Clean{{}, R"("sysctls":[{"name":")" + std::string(name) + R"("}])", {}, {}, {}}.request();
    };
    const auto annotated = [](std::string_view key, std::string_view value) {
        return Clean{{}, {}, {}, {}, R"("annotations":{")" + std::string(key) + R"(":")" + std::string(value) + R"("})"}.request();
    };
    const std::string seccomp = "container.seccomp.security.alpha.kubernetes.io/";
    const Request container_engine = Clean{{}, R"("seLinuxOptions":{"type":"container_engine_t"})", {}, {}, {}}.request();
    const Request unconfined = Clean{{}, {}, {}, R"("seccompProfile":{"type":"Unconfined"})", {}}.request();
    const Request unmasked = Clean{R"("hostUsers":false)", {}, {}, R"("procMount":"Unmasked")", {}}.request();
    const Request probe = Clean{{}, {}, R"("livenessProbe":{"httpGet":{"host":"x"}})", {}, {}}.request();
    const Request escalates = Clean{{}, {}, {}, R"("allowPrivilegeEscalation":true)", {}}.request();
    const Request adds = Clean{{}, {}, {}, R"("capabilities":{"add":["CHOWN"]})", {}}.request();
    struct Row {
        std::string_view name;
        const Request request;
        std::string_view level;
        std::string_view before;  // version
        List then;
        std::string_view since;
        List now;
    };
    const Row rows[] = {
        {"local reserved ports", sysctl("net.ipv4.ip_local_reserved_ports"), "baseline", "v1.26", {"sysctls"}, "v1.27", {}},
        {"keepalive", sysctl("net.ipv4.tcp_fin_timeout"), "baseline", "v1.28", {"sysctls"}, "v1.29", {}},
        {"rmem", sysctl("net.ipv4.tcp_rmem"), "restricted", "v1.31", {"sysctls"}, "v1.32", {}},
        {"notsent", sysctl("net.ipv4.tcp_notsent_lowat"), "baseline", "v1.36", {"sysctls"}, "v1.37", {}},
        {"container_engine_t", container_engine, "baseline", "v1.30", {"seLinuxOptions"}, "v1.31", {}},
        {"seccomp annotation of the pod",
         annotated("seccomp.security.alpha.kubernetes.io/pod", "unconfined"),
         "baseline",
         "v1.18",
         {"seccompProfile_baseline"},
         "v1.19",
         {}},
        {"seccomp annotation of a container",
         annotated(seccomp + "web", "unconfined"),
         "restricted",
         "v1.18",
         {"seccompProfile_baseline"},
         "v1.19",
         {}},
        {"seccomp annotation of nobody", annotated(seccomp + "ghost", "unconfined"), "baseline", "v1.18", {}, "v1.19", {}},
        {"seccomp annotation docker/default", annotated(seccomp + "web", "docker/default"), "baseline", "v1.18", {}, "v1.19", {}},
        {"seccomp annotation, empty", annotated(seccomp + "web", ""), "baseline", "v1.18", {"seccompProfile_baseline"}, "v1.19", {}},
        {"seccomp field", unconfined, "baseline", "v1.18", {}, "v1.19", {"seccompProfile_baseline"}},
        {"seccomp field, restricted", unconfined, "restricted", "v1.18", {}, "v1.19", {"seccompProfile_restricted"}},
        {"procMount in a user namespace", unmasked, "baseline", "v1.34", {"procMount"}, "v1.35", {}},
        {"procMount in a user namespace, restricted", unmasked, "restricted", "v1.34", {"procMount"}, "v1.35", {"procMount_restricted"}},
        {"probe host", probe, "baseline", "v1.33", {}, "v1.34", {"hostProbesAndHostLifecycle"}},
        {"escalation", escalates, "restricted", "v1.7", {}, "v1.8", {"allowPrivilegeEscalation"}},
        {"capabilities", adds, "restricted", "v1.21", {}, "v1.22", {"capabilities_restricted"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(refusing(row.request, row.level, row.before) == row.then);
        CHECK(refusing(row.request, row.level, row.since) == row.now);
    }
}

TEST_CASE("Windows pods need not say what they cannot, from v1.25") {
    const auto bare = [](std::string_view os) { return pod(R"({"os":)" + std::string(os) + R"(,"containers":[{"name":"web"}]})"); };
    const List linux{"allowPrivilegeEscalation", "capabilities_restricted", "runAsNonRoot", "seccompProfile_restricted"};
    CHECK(refusing(bare(R"({"name":"windows"})"), "restricted", "v1.24") == linux);
    CHECK(refusing(bare(R"({"name":"windows"})"), "restricted", "v1.25") == List{"runAsNonRoot"});
    CHECK(refusing(bare(R"({"name":"Windows"})"), "restricted", "v1.25") == linux);
    CHECK(refusing(bare(R"({"name":"linux"})"), "restricted") == linux);
    CHECK(refusing(bare("{}"), "restricted") == linux);
    CHECK(refusing(bare("null"), "restricted") == linux);
}

TEST_CASE("a newer version is judged, and called, as the newest known") {
    const Request root = Clean{{}, {}, {}, R"("runAsUser":0)", {}}.request();
    for (const std::string_view version : {"v1.38", "v1.99", "v1.1000", "v1.99999999999999999999"}) {
        INFO(version);
        const auto list = violations(root, "level: restricted, version: " + std::string(version));
        REQUIRE(list.size() == 1);
        CHECK(list[0].want == "a user id other than 0 [runAsUser, restricted v1.37]");
    }
    CHECK(violations(root, "level: restricted")[0].want == "a user id other than 0 [runAsUser, restricted latest]");
    CHECK(violations(root, "level: restricted, version: latest, checks: [], exclude: []").size() == 1);
}

TEST_CASE("an exclusion lifts a check for the containers with its images only") {
    Request request;
    request.object =
        R"({"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/tool":"unconfined","container.apparmor.security.beta.kubernetes.io/web":"unconfined"}},)"
        R"("spec":{"securityContext":{"runAsNonRoot":false,"seccompProfile":{"type":"Unconfined"}},)"
        R"("initContainers":[{"name":"tool","image":"myacr.azurecr.io/net-tool:1"}],"containers":[{"name":"web","image":"myacr.azurecr.io/net-tool2:1"}]}})";
    const std::string tool = R"(.spec.initContainers[name="tool"].securityContext.)";
    const std::string web = R"(.spec.containers[name="web"].securityContext.)";
    const auto with = [&](const std::string& check, const std::string& images) {
        return told(request, "level: restricted, version: v1.34, checks: [" + check + "], exclude: [{check: " + check + ", images: [" +
                                 images + "]}]");
    };
    const std::string net_tool = "myacr.azurecr.io/net-tool";
    CHECK(with("capabilities_restricted", net_tool) == List{web + "capabilities.drop (absent)"});
    CHECK(with("capabilities_restricted", "\"myacr.azurecr.io/net-*\"").empty());
    CHECK(with("capabilities_restricted", "other.example.com/x, " + net_tool) == List{web + "capabilities.drop (absent)"});
    // What the pod itself says stays.
    CHECK(with("runAsNonRoot", net_tool) == List{".spec.securityContext.runAsNonRoot false", web + "runAsNonRoot (absent)"});
    CHECK(with("seccompProfile_restricted", net_tool) ==
          List{".spec.securityContext.seccompProfile.type \"Unconfined\"", web + "seccompProfile.type (absent)"});
    CHECK(with("appArmorProfile", net_tool) ==
          List{R"(.metadata.annotations["container.apparmor.security.beta.kubernetes.io/web"] "unconfined")"});
    // Of another check.
    CHECK(
        told(request, "level: restricted, checks: [allowPrivilegeEscalation], exclude: [{check: runAsNonRoot, images: [" + net_tool + "]}]")
            .size() == 2);
}

TEST_CASE("an image pattern is a repository, with any tag and digest") {
    struct Row {
        std::string_view pattern;
        std::string_view image;
        bool matches;
    };
    const std::string digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const std::string with_digest = "myacr.azurecr.io/net-tool" + digest;
    const std::string with_both = "myacr.azurecr.io/net-tool:1" + digest;
    const Row rows[] = {
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io/net-tool", true},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io/net-tool:1", true},
        {"myacr.azurecr.io/net-tool", with_digest, true},
        {"myacr.azurecr.io/net-tool", with_both, true},
        {"myacr.azurecr.io/net-tool", "MyACR.azurecr.io/net-tool:1", true},
        {"MYACR.azurecr.io/net-tool", "myacr.azurecr.io/net-tool:1", true},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io/Net-tool:1", false},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io/net-tool2", false},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io/net-tool/x", false},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io/x/net-tool", false},
        {"myacr.azurecr.io/net-tool", "xmyacr.azurecr.io/net-tool", false},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io.example.com/net-tool", false},
        {"myacr.azurecr.io/net-tool", "example.com/myacr.azurecr.io/net-tool", false},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io:443/net-tool", false},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io/net-tool@x/y", false},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io/net-tool:1/x", false},
        {"myacr.azurecr.io/net-tool", "myacr.azurecr.io", false},
        {"myacr.azurecr.io/net-tool", "", false},
        {"myacr.azurecr.io/net-tool", "@", false},
        {"localhost:5000/tool", "localhost:5000/tool:1", true},
        {"localhost:5000/tool", "localhost:5001/tool:1", false},
        {"myacr.azurecr.io/tools/*", "myacr.azurecr.io/tools/dig:1", true},
        {"myacr.azurecr.io/tools/*", "myacr.azurecr.io/tools/a/b:1", false},
        {"myacr.azurecr.io/tools/*", "myacr.azurecr.io/tools", false},
        {"*.azurecr.io/tool", "a.azurecr.io/tool", true},
        {"*.azurecr.io/tool", "a.azurecr.io.example.com/tool", false},
        {"nginx", "nginx:1", true},
        {"nginx", "docker.io/library/nginx", true},
        {"nginx", "index.docker.io/nginx:1", true},
        {"nginx", "example.com/nginx", false},
        {"nginx", "nginx/nginx", false},
        {"docker.io/nginx", "nginx", true},
        {"docker.io/library/nginx", "nginx", true},
        {"shop/web", "docker.io/shop/web:1", true},
        {"shop/web", "shop/web", true},
        {"shop/*", "shop/web", true},
    };
    for (const Row& row : rows) {
        INFO(row.pattern << " and " << row.image);
        const auto pattern = ImagePattern::compile(row.pattern);
        REQUIRE(pattern.has_value());
        CHECK(pattern->matches(row.image) == row.matches);
    }
    for (const std::string_view pattern : {"", "/", "a//b", "myacr.azurecr.io/", "/tool", "myacr.azurecr.io/tool:1", "tool@sha256:00",
                                           "tool:1", "*", "*/tool", "team*/tool", "a b", "myacr.azurecr.io/t[ab]", "localhost:5000"}) {
        INFO(pattern);
        CHECK_FALSE(ImagePattern::compile(pattern).has_value());
    }
}

TEST_CASE("an update is judged again when something changed that a check may read, and the image is such a thing") {
    const std::string spec =
        R"({"containers":[{"name":"web","image":"a:1","env":[],"securityContext":{"runAsUser":0}}],"nodeSelector":{"a":"b"},"volumes":[]})";
    struct Row {
        std::string_view name;
        std::string before;
        std::string after;
        bool judged;
    };
    const auto of = [](std::string_view metadata, std::string_view text) {
        return R"({"metadata":{)" + std::string(metadata) + R"(},"spec":)" + std::string(text) + "}";
    };
    const auto container = [](std::string_view fields) {
        return R"({"metadata":{},"spec":{"containers":[{"name":"web","securityContext":{"runAsUser":0})" + std::string(fields) + "}]}}";
    };
    const auto in_spec = [](std::string_view fields) {
        return R"({"metadata":{},"spec":{"containers":[{"name":"web","securityContext":{"runAsUser":0}}])" + std::string(fields) + "}}";
    };
    const std::string same = of("", spec);
    const Row rows[] = {
        {"nothing", same, same, false},
        {"labels", same, of(R"("labels":{"a":"b"})", spec), false},
        {"an annotation that no check reads", same, of(R"("annotations":{"a":"b"})", spec), false},
        {"an AppArmor annotation", same, of(R"("annotations":{"container.apparmor.security.beta.kubernetes.io/web":"x"})", spec), true},
        {"a seccomp annotation", of(R"("annotations":{"seccomp.security.alpha.kubernetes.io/pod":"x"})", spec), same, true},
        {"a seccomp annotation of a container", same,
         of(R"("annotations":{"container.seccomp.security.alpha.kubernetes.io/web":"x"})", spec), true},
        {"members in another order", container(R"(,"image":"a","ports":[])"), container(R"(,"ports":[],"image":"a")"), false},
        {"the image", container(R"(,"image":"a:1")"), container(R"(,"image":"a:2")"), true},
        {"env", container(R"(,"env":[])"), container(R"(,"env":[{"name":"A"}])"), false},
        {"envFrom, command, args, workingDir", container(""), container(R"(,"envFrom":[],"command":["x"],"args":["y"],"workingDir":"/")"),
         false},
        {"resources and resizePolicy", container(""), container(R"(,"resources":{"limits":{}},"resizePolicy":[])"), false},
        {"terminal", container(""), container(R"(,"stdin":true,"stdinOnce":true,"tty":true)"), false},
        {"messages, pulling, mounts", container(""),
         container(
             R"(,"terminationMessagePath":"/x","terminationMessagePolicy":"File","imagePullPolicy":"Always","volumeMounts":[{"name":"a"}])"),
         false},
        {"ports", container(""), container(R"(,"ports":[{"containerPort":1}])"), true},
        {"a probe", container(""), container(R"(,"livenessProbe":{})"), true},
        {"a field that nobody knows", container(""), container(R"(,"future":1)"), true},
        {"restartPolicy of the container", container(""), container(R"(,"restartPolicy":"Always")"), true},
        {"scheduling", in_spec(""),
         in_spec(
             R"(,"nodeSelector":{},"affinity":{},"tolerations":[],"schedulingGates":[],"topologySpreadConstraints":[],"nodeName":"n","schedulerName":"s")"),
         false},
        {"times and priority", in_spec(""),
         in_spec(R"(,"activeDeadlineSeconds":1,"terminationGracePeriodSeconds":1,"priority":1,"priorityClassName":"p")"), false},
        {"volumes", in_spec(""), in_spec(R"(,"volumes":[{"name":"a","emptyDir":{}}])"), true},
        {"hostUsers", in_spec(""), in_spec(R"(,"hostUsers":true)"), true},
        {"the pod's securityContext", in_spec(""), in_spec(R"(,"securityContext":{})"), true},
        {"a field of the pod that nobody knows", in_spec(""), in_spec(R"(,"future":1)"), true},
        {"another container", in_spec(""), in_spec(R"(,"initContainers":[{"name":"i"}])"), true},
        {"an ephemeral container", in_spec(""), in_spec(R"(,"ephemeralContainers":[{"name":"e"}])"), true},
        {"the same count under another name", container(""),
         R"({"metadata":{},"spec":{"containers":[{"name":"w","securityContext":{"runAsUser":0}}]}})", true},
        {"it was no pod before", R"({"metadata":{},"spec":null})", same, true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request;
        request.operation = "UPDATE";
        request.old_object = row.before;
        request.object = row.after;
        CHECK(!found(request, "runAsUser").empty() == row.judged);
    }
}

TEST_CASE("a policy that asks for what the level does not have does not load") {
    struct Row {
        std::string_view name;
        std::string_view fields;
        std::string_view message;
    };
    const Row rows[] = {
        {"of the other level", "level: baseline, checks: [runAsNonRoot]",
         "checks[0]: runAsNonRoot is no check of baseline latest; its checks are: appArmorProfile, capabilities_baseline, hostNamespaces, "
         "hostPathVolumes, hostPorts, hostProbesAndHostLifecycle, privileged, procMount, seLinuxOptions, seccompProfile_baseline, sysctls, "
         "windowsHostProcess"},
        {"replaced by a stronger one", "level: restricted, checks: [capabilities_baseline]",
         "capabilities_baseline is no check of restricted latest"},
        {"not yet there", "level: restricted, version: v1.22, checks: [runAsUser]", "runAsUser is no check of restricted v1.22"},
        {"none at all", "level: privileged, checks: [privileged]",
         "checks[0]: privileged is no check of privileged latest, which has none"},
        {"unknown", "level: restricted, checks: [runAsNonroot]", "(did you mean \"runAsNonRoot\"?)"},
        {"no text", "level: restricted, checks: [1]", "checks[0]: have"},
        {"no list", "level: restricted, checks: runAsUser", "checks: expected a list"},
        {"exclude of an unknown check", "level: restricted, exclude: [{check: caps, images: [a]}]", "exclude[0].check: have \"caps\""},
        {"exclude of another level", "level: baseline, exclude: [{check: runAsUser, images: [a]}]",
         "exclude[0].check: runAsUser is no check of baseline"},
        {"exclude without a check", "level: restricted, exclude: [{images: [a]}]", "exclude[0].check is missing"},
        {"exclude without images", "level: restricted, exclude: [{check: runAsUser}]", "exclude[0].images: must name at least one image"},
        {"exclude with no images", "level: restricted, exclude: [{check: runAsUser, images: []}]", "images: must name at least one image"},
        {"exclude with a tag", "level: restricted, exclude: [{check: runAsUser, images: [\"a:1\"]}]",
         "exclude[0].images[0]: \"a:1\" has a tag or a digest"},
        {"exclude with a number", "level: restricted, exclude: [{check: runAsUser, images: [1]}]",
         "images[0]: expected a string, have an integer"},
        {"exclude of what is about the pod", "level: restricted, exclude: [{check: sysctls, images: [a]}]", "sysctls looks at the pod"},
        {"exclude with another field", "level: restricted, exclude: [{check: runAsUser, images: [a], namespaces: [b]}]",
         "namespaces: unknown field"},
        {"exclude no list", "level: restricted, exclude: {check: runAsUser}", "exclude: expected a list"},
        {"an empty version", "level: restricted, version: \"\"", "expected \"latest\" or \"v1.N\""},
        {"a version without a minor", "level: restricted, version: v1.", "expected \"latest\" or \"v1.N\""},
        {"a patch version", "level: restricted, version: v1.30.1", "expected \"latest\" or \"v1.N\""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto list = sample::problems_of({{"p.yaml", sample::rule("podSecurity: {" + std::string(row.fields) + "}")}});
        for (const std::string& problem : list) UNSCOPED_INFO(problem);
        CHECK(list.size() == 1);
        CHECK(std::any_of(list.begin(), list.end(),
                          [&](const std::string& problem) { return problem.find(row.message) != std::string::npos; }));
    }
}
