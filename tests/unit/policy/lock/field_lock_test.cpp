#include "policy/lock/field_lock.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <set>

#include <rapidcheck.h>

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

// --- a Deployment that Flux applied, and what somebody makes of it ----------------------------------------------------

const std::string kFluxEntry =
    R"({"manager":"kustomize-controller","operation":"Apply","apiVersion":"apps/v1","time":"2026-11-21T05:30:51Z","fieldsType":"FieldsV1","fieldsV1":{)"
    R"("f:metadata":{"f:annotations":{"f:example.com/runbook":{}},"f:labels":{"f:app":{},"f:kustomize.toolkit.fluxcd.io/name":{}}},)"
    R"("f:spec":{"f:selector":{},"f:hosts":{"v:\"a\"":{},"v:\"b\"":{}},"f:template":{"f:spec":{"f:volumes":{"k:{\"name\":\"tmp\"}":{".":{},"f:emptyDir":{},"f:name":{}}},)"
    R"("f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:args":{},)"
    R"("f:env":{"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}},"k:{\"name\":\"B\"}":{".":{},"f:name":{},"f:value":{}}},)"
    R"("f:image":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:protocol":{}}}}}}}}}})";
const std::string kOtherEntry =
    R"({"manager":"kubectl-annotate","operation":"Update","apiVersion":"apps/v1","time":"2026-11-21T05:31:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{"f:note":{}}}}})";
const std::string kDeployment =
    R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"production","uid":"u-1","resourceVersion":"7","generation":1,)"
    R"("creationTimestamp":"2026-11-21T05:30:51Z","labels":{"app":"web","kustomize.toolkit.fluxcd.io/name":"apps"},)"
    R"("annotations":{"example.com/runbook":"r","note":"n"},"finalizers":["example.com/hold"],"ownerReferences":[{"kind":"X","name":"x","uid":"o"}],)"
    R"("managedFields":[)" +
    kFluxEntry + "," + kOtherEntry +
    R"(]},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"hosts":["a","b"],"tolerations":[{"key":"k","effect":"NoExecute"}],"template":{"spec":{)"
    R"("volumes":[{"name":"tmp","emptyDir":{}}],"containers":[{"name":"web","image":"nginx:1","args":["--x"],)"
    R"("env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{"limits":{"cpu":"1"}}},)"
    R"({"name":"sidecar","image":"proxy:1"}],"dnsPolicy":"ClusterFirst"}}},"status":{"replicas":2}})";

const std::string kAllow =
    R"(['.metadata.annotations["team.example.com/*"]', '.metadata.labels["*"]', .spec.replicas, '.spec.tolerations[*].effect', '.spec.pairs[key="x"]', .spec.extra.deep, '.spec.many[*]', )"
    R"('.spec.template.spec.containers[*].resources', '.spec.template.spec.containers[name="sidecar"].image'])";
const std::string kFieldLock =
    sample::rule("lock: {writers: [flux, kubernetes], scope: fields, additions: {action: Deny, allow: " + kAllow + "}}");
const std::string kWarnLock =
    sample::rule("lock: {writers: [flux, kubernetes], scope: fields, additions: {action: Warn, allow: " + kAllow + "}}");

// With the first `from` replaced.
std::string edited(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    INFO(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

// The entry of somebody who applied these fields server-side.
std::string applied(std::string_view manager, std::string_view fields) {
    return edited(edited(kOtherEntry, R"("f:metadata":{"f:annotations":{"f:note":{}}})", fields),
                  R"("kubectl-annotate","operation":"Update")", "\"" + std::string(manager) + R"(","operation":"Apply")");
}

Request update(std::string before, std::string after) {
    Request request;
    request.operation = "UPDATE";
    request.group = "apps";
    request.resource = "deployments";
    request.kind = "Deployment";
    request.old_object = std::move(before);
    request.object = std::move(after);
    return request;
}

Verdict judge(const Request& request, const std::string& policy = kFieldLock, std::string_view field_manager = "kubectl-edit") {
    static std::map<std::string, std::shared_ptr<const PolicySet>> sets;
    auto& set = sets[policy];
    if (!set) set = sample::compiled(policy);
    const std::string review =
        edited(request.json(), R"("options":{})", R"("options":{"fieldManager":")" + std::string(field_manager) + R"("})");
    return evaluate(*Read(review), *set, {});
}

// The paths behind the first violation, which says who was refused; "passes" if nothing was.
std::string paths_of(const Verdict& verdict) {
    if (verdict.violations.empty()) return verdict.allowed ? "passes" : "denied without a word";
    std::string paths;
    for (const Violation& violation : verdict.violations) {
        if (&violation == &verdict.violations.front() && violation.path == ".") continue;
        paths += (paths.empty() ? "" : " ") + violation.path;
    }
    return (verdict.allowed ? "allowed: " : "") + paths;
}

struct Edit {
    std::string_view name;
    std::string from;
    std::string to;
    std::string paths;
};

void check(const std::vector<Edit>& rows, const std::string& policy = kFieldLock) {
    for (const Edit& row : rows) {
        INFO(row.name);
        const Verdict verdict = judge(update(kDeployment, edited(kDeployment, row.from, row.to)), policy);
        CHECK(paths_of(verdict) == row.paths);
        CHECK(verdict.allowed == (row.paths == "passes"));
        CHECK(verdict.write_class == WriteClass::exceptional);
    }
}

const std::string kWeb = R"(.spec.template.spec.containers[name="web"])";

}  // namespace

TEST_CASE("a change of what Git declares is refused, and the path says where") {
    const std::string image = kWeb + ".image", args = kWeb + ".args[0]", env = kWeb + R"(.env[name="A"])", env_value = env + ".value",
                      env_list = kWeb + ".env", port = kWeb + ".ports[0].containerPort", protocol = kWeb + ".ports[0].protocol";
    check({
        {"a value", "nginx:1", "evil", image},
        {"a value that is removed", R"("image":"nginx:1",)", "", image},
        {"another type", R"("image":"nginx:1")", R"("image":{"x":1})", image},
        {"a value that becomes null", R"("nginx:1")", "null", image},
        {"in an atomic list", "--x", "--y", args},
        {"an item of an atomic list", R"(["--x"])", R"(["--x","--y"])", kWeb + ".args[1]"},
        {"beneath an atomic leaf", R"("matchLabels":{"app":"web"})", R"("matchLabels":{"app":"web","x":"y"})",
         ".spec.selector.matchLabels.x"},
        {"beneath an empty leaf", R"("emptyDir":{})", R"("emptyDir":{"medium":"Memory"})",
         R"(.spec.template.spec.volumes[name="tmp"].emptyDir.medium)"},
        {"a declared label", R"("labels":{"app":"web")", R"("labels":{"app":"evil")", ".metadata.labels.app"},
        {"a declared label that goes, though labels are allowed", R"("app":"web",)", "", ".metadata.labels.app"},
        {"a declared annotation", R"("example.com/runbook":"r")", R"("example.com/runbook":"s")",
         R"(.metadata.annotations["example.com/runbook"])"},
        {"an item of a keyed list", R"("value":"1")", R"("value":"3")", env_value},
        {"an item added to a keyed list", R"({"name":"B","value":"2"})", R"({"name":"B","value":"2"},{"name":"C","value":"3"})",
         kWeb + R"(.env[name="C"])"},
        {"an item added to the containers", R"({"name":"sidecar")", R"({"name":"evil"},{"name":"sidecar")",
         R"(.spec.template.spec.containers[name="evil"])"},
        {"an undeclared item removed from a declared list", R"(,{"name":"sidecar","image":"proxy:1"})", "",
         R"(.spec.template.spec.containers[name="sidecar"])"},
        {"an undeclared item that takes another name", R"("name":"sidecar")", R"("name":"debug")",
         R"(.spec.template.spec.containers[name="sidecar"] .spec.template.spec.containers[name="debug"])"},
        {"an item removed from a keyed list", R"({"name":"A","value":"1"},)", "", env},
        {"a keyed list in another order", R"({"name":"A","value":"1"},{"name":"B","value":"2"})",
         R"({"name":"B","value":"2"},{"name":"A","value":"1"})", env_list},
        {"a key twice", R"({"name":"B","value":"2"}])", R"({"name":"B","value":"2"},{"name":"A","value":"evil"}])", kWeb + ".env[2]"},
        {"a key twice instead of another", R"({"name":"B","value":"2"})", R"({"name":"A","value":"evil"})",
         kWeb + ".env[1].name " + kWeb + ".env[1].value"},
        {"one key of two", R"("containerPort":80)", R"("containerPort":81)", port},
        {"the other key of two", R"("protocol":"TCP")", R"("protocol":"UDP")", protocol},
        {"an item added to a set", R"(["a","b"])", R"(["a","b","c"])", ".spec.hosts[2]"},
        {"an item removed from a set", R"(["a","b"])", R"(["a"])", ".spec.hosts[1]"},
        {"a set in another order", R"(["a","b"])", R"(["b","a"])", ".spec.hosts[0] .spec.hosts[1]"},
        {"an item twice in a set", R"(["a","b"])", R"(["a","b","a"])", ".spec.hosts[2]"},
        {"a parent that goes", R"("ports":[{"containerPort":80,"protocol":"TCP"}],)", "", kWeb + ".ports"},
        {"a parent of all that goes", R"("volumes":[{"name":"tmp","emptyDir":{}}],)", "", ".spec.template.spec.volumes"},
        {"a parent that becomes another type", R"("ports":[{"containerPort":80,"protocol":"TCP"}])", R"("ports":{})", kWeb + ".ports"},
        {"an undeclared field of an item with two keys", R"("protocol":"TCP")", R"("protocol":"TCP","hostPort":80)",
         kWeb + R"(.ports[containerPort=80,protocol="TCP"].hostPort)"},
        {"labels that go", R"("labels":{"app":"web","kustomize.toolkit.fluxcd.io/name":"apps"},)", "", ".metadata.labels"},
        {"labels that become a list", R"("labels":{"app":"web","kustomize.toolkit.fluxcd.io/name":"apps"})", R"("labels":[])",
         ".metadata.labels"},
    });
}

TEST_CASE("of what Git does not declare only the allowed additions pass") {
    const std::string resources = kWeb + ".resources.limits.memory";
    check({
        {"nothing changes", "n", "n", "passes"},
        {"keys in another order", R"("replicas":2,"selector":{"matchLabels":{"app":"web"}})",
         R"("selector":{"matchLabels":{"app":"web"}},"replicas":2)", "passes"},
        {"what the server writes", R"("uid":"u-1","resourceVersion":"7","generation":1)",
         R"("uid":"u-1","resourceVersion":"8","generation":2)", "passes"},
        {"an allowed field", R"("replicas":2,"s)", R"("replicas":5,"s)", "passes"},
        {"an allowed field that goes", R"("replicas":2,"s)", R"("s)", "passes"},
        {"an allowed annotation", R"("note":"n")", R"("note":"n","team.example.com/x":"1")", "passes"},
        {"an annotation like the allowed ones", R"("note":"n")", R"("note":"n","team.example.com.evil/x":"1")",
         R"(.metadata.annotations["team.example.com.evil/x"])"},
        {"an undeclared annotation that is there", R"("note":"n")", R"("note":"m")", ".metadata.annotations.note"},
        {"an undeclared annotation that goes", R"(,"note":"n")", "", ".metadata.annotations.note"},
        {"an allowed label", R"("labels":{)", R"("labels":{"x":"y",)", "passes"},
        {"a field beneath any item", R"("limits":{"cpu":"1"})", R"("limits":{"cpu":"2","memory":"1Gi"})", "passes"},
        {"a field beneath the item that is named", "proxy:1", "proxy:2", "passes"},
        {"another field of that item", R"("image":"proxy:1")", R"("image":"proxy:1","tty":true)",
         R"(.spec.template.spec.containers[name="sidecar"].tty)"},
        {"a field of any item of an undeclared list", "NoExecute", "NoSchedule", "passes"},
        {"another field of such an item", R"("key":"k")", R"("key":"l")", ".spec.tolerations[0].key"},
        {"an item more in such a list", R"([{"key":"k","effect":"NoExecute"}])", R"([{"key":"k","effect":"NoExecute"},{"effect":"x"}])",
         ".spec.tolerations[1]"},
        {"a list of which any item is allowed", R"("replicas":2,"s)", R"("replicas":2,"many":[1,2],"s)", "passes"},
        {"an empty list of which any item is allowed", R"("replicas":2,"s)", R"("replicas":2,"many":[],"s)", ".spec.many"},
        {"the map around an allowed field", R"("replicas":2,"s)", R"("replicas":2,"extra":{"deep":1},"s)", "passes"},
        {"that map with something beside it", R"("replicas":2,"s)", R"("replicas":2,"extra":{"deep":1,"x":1},"s)", ".spec.extra.x"},
        {"that map alone", R"("replicas":2,"s)", R"("replicas":2,"extra":{},"s)", ".spec.extra"},
        {"that map as another type", R"("replicas":2,"s)", R"("replicas":2,"extra":1,"s)", ".spec.extra"},
        {"an undeclared field", R"("dnsPolicy")", R"("hostNetwork":true,"dnsPolicy")", ".spec.template.spec.hostNetwork"},
        {"an undeclared field that is there", "ClusterFirst", "Default", ".spec.template.spec.dnsPolicy"},
        {"an undeclared field of a declared item", R"("image":"nginx:1")", R"("image":"nginx:1","tty":true)", kWeb + ".tty"},
        {"status, of a kind without such a subresource", R"("status":{"replicas":2})", R"("status":{"replicas":3})", ".status.replicas"},
        {"a field at the top", R"("status")", R"("extra":1,"status")", ".extra"},
        {"what the server writes, in the metadata of pods", R"("template":{)", R"("template":{"metadata":{"uid":"x"},)",
         ".spec.template.metadata"},
    });
}

TEST_CASE("with additions Warn what is not declared passes with a warning, and the rest is refused as ever") {
    const Verdict passed =
        judge(update(kDeployment, edited(kDeployment, R"("dnsPolicy")", R"("hostNetwork":true,"dnsPolicy")")), kWarnLock);
    CHECK(passed.allowed);
    CHECK(passed.write_class == WriteClass::exceptional);
    REQUIRE(passed.violations.size() == 1);
    CHECK(passed.violations[0].action == Action::warn);
    CHECK(passed.violations[0].path == ".spec.template.spec.hostNetwork");
    CHECK(passed.violations[0].want == "(absent) (no undeclared addition)");
    CHECK(passed.warnings.size() == 1);

    const std::string labels = R"(.metadata.labels["kustomize.toolkit.fluxcd.io/ssa"])";
    const std::vector<Edit> rows = {
        {"a declared field", "nginx:1", "evil", kWeb + ".image"},
        {"a switch", R"("labels":{)", R"("labels":{"kustomize.toolkit.fluxcd.io/ssa":"Ignore",)", labels},
        {"a finalizer", R"(["example.com/hold"])", "[]", ".metadata.finalizers[0]"},
        {"an item more in a declared list", R"(["a","b"])", R"(["a","b","c"])", ".spec.hosts[2]"},
    };
    check(rows, kWarnLock);
}

TEST_CASE("what steers Flux or says whose an object is, is never an addition, whatever is allowed") {
    const std::string all = sample::rule(
        "lock: {writers: [flux], scope: fields, additions: {action: Warn, allow: [.metadata.labels, .metadata.annotations, .spec, "
        ".status]}}");
    const auto label = [](std::string_view key) { return R"(.metadata.labels[")" + std::string(key) + R"("])"; };
    for (const std::string_view key :
         {"kustomize.toolkit.fluxcd.io/reconcile", "kustomize.toolkit.fluxcd.io/prune", "kustomize.toolkit.fluxcd.io/ssa",
          "kustomize.toolkit.fluxcd.io/force", "kustomize.toolkit.fluxcd.io/namespace", "helm.toolkit.fluxcd.io/driftDetection",
          "helm.toolkit.fluxcd.io/name", "Kustomize.Toolkit.FluxCD.io/RECONCILE", "fluxcd.controlplane.io/reconcile",
          "meta.helm.sh/release-name", "\u212austomize.toolkit.fluxcd.io/reconcile"}) {
        INFO(key);
        const std::string member = "\"" + std::string(key) + R"(":"disabled",)";
        CHECK(paths_of(judge(update(kDeployment, edited(kDeployment, R"("labels":{)", R"("labels":{)" + member)), all)) == label(key));
        CHECK(paths_of(judge(update(kDeployment, edited(kDeployment, R"("annotations":{)", R"("annotations":{)" + member)), all)) ==
              R"(.metadata.annotations[")" + std::string(key) + R"("])");
        const std::string with = edited(kDeployment, R"("annotations":{)", R"("annotations":{)" + member);
        CHECK(paths_of(judge(update(with, kDeployment), all)) == R"(.metadata.annotations[")" + std::string(key) + R"("])");
        CHECK(paths_of(judge(update(with, edited(with, "disabled", "enabled")), all)) ==
              R"(.metadata.annotations[")" + std::string(key) + R"("])");
    }
    const std::vector<Edit> rows = {
        {"the owner's label goes", R"(,"kustomize.toolkit.fluxcd.io/name":"apps")", "", label("kustomize.toolkit.fluxcd.io/name")},
        {"the owner's label changes", R"(io/name":"apps")", R"(io/name":"evil")", label("kustomize.toolkit.fluxcd.io/name")},
        {"an owner more", R"({"kind":"X","name":"x","uid":"o"})",
         R"({"kind":"X","name":"x","uid":"o"},{"kind":"Y","name":"y","uid":"dead"})", ".metadata.ownerReferences[name=\"y\"]"},
        {"no owners", R"("ownerReferences":[{"kind":"X","name":"x","uid":"o"}],)", "", ".metadata.ownerReferences"},
        {"a finalizer more", R"("finalizers":[)", R"("finalizers":["x",)", ".metadata.finalizers[0] .metadata.finalizers[1]"},
        {"no finalizer", R"("finalizers":["example.com/hold"],)", "", ".metadata.finalizers"},
        {"a deletion", R"("generation":1,)", R"("generation":1,"deletionTimestamp":"2026-11-21T05:30:51Z",)",
         ".metadata.deletionTimestamp"},
        {"another generateName", R"("generation":1,)", R"("generation":1,"generateName":"x",)", ".metadata.generateName"},
        {"another version", R"("apiVersion":"apps/v1","kind")", R"("apiVersion":"apps/v2","kind")", ".apiVersion"},
    };
    check(rows, all);
    check({{"a request to reconcile only asks", R"("note":"n")", R"("note":"n","reconcile.fluxcd.io/requestedAt":"now")", "passes"}}, all);
}

TEST_CASE("any difference in Flux's own entries is refused, though no value changes") {
    const std::string of_flux = kFluxEntry + ",";
    const std::string copy = edited(kFluxEntry, "kustomize-controller", "helm-controller");
    const std::string entries = ".metadata.managedFields";
    check({
        {"removed", of_flux, "", entries},
        {"renamed", "kustomize-controller", "x", entries},
        {"in another case", "kustomize-controller", "Kustomize-controller", entries},
        {"back-dated", "05:30:51Z\",\"fieldsType", "05:30:50Z\",\"fieldsType", entries},
        {"dated forward", "05:30:51Z\",\"fieldsType", "05:30:52Z\",\"fieldsType", entries},
        {"a field lost", R"("f:image":{},)", "", entries},
        {"a field gained", R"("f:image":{},)", R"("f:image":{},"f:tty":{},)", entries},
        {"another operation", "Apply", "Update", entries},
        {"another version", R"("operation":"Apply","apiVersion":"apps/v1")", R"("operation":"Apply","apiVersion":"apps/v2")", entries},
        {"a subresource", R"("operation":"Apply")", R"("operation":"Apply","subresource":"status")", entries},
        {"another one of Flux", of_flux, of_flux + copy + ",", entries},
        {"another one of Flux in another case", of_flux, of_flux + edited(copy, "helm-controller", "HELM-controller") + ",", entries},
        {"one of Flux's status", of_flux, of_flux + edited(copy, "helm-controller", "gotk-helm-controller") + ",", entries},
        {"twice", of_flux, of_flux + of_flux, entries},
        {"wiped", of_flux + kOtherEntry, "{}", entries},
        {"emptied", of_flux + kOtherEntry, "", entries},
        {"absent", R"("managedFields":[)" + of_flux + kOtherEntry + "]", R"("x":1)", entries + " .metadata.x"},
        {"null", "[" + of_flux + kOtherEntry + "]", "null", entries},
        {"no list", "[" + of_flux + kOtherEntry + "]", "{}", entries},
        {"an unreadable entry beside it", kOtherEntry, "{}", entries},
        {"a second owner of a declared field, with the value it has", kOtherEntry,
         kOtherEntry + "," + applied("team", R"("f:metadata":{"f:labels":{"f:app":{}}})"), ".metadata.labels.app"},
        {"a second owner of what is declared as a whole", kOtherEntry,
         kOtherEntry + "," + applied("team", R"("f:spec":{"f:selector":{"f:matchLabels":{}}})"), ".spec.selector"},
        {"a second owner of an item's field", kOtherEntry,
         kOtherEntry + "," +
             applied("team",
                     R"("f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:name":{},"f:image":{}}}}}})"),
         kWeb + ".image"},
        {"another who applies only what Git leaves open", kOtherEntry,
         kOtherEntry + "," +
             applied(
                 "team",
                 R"("f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:name":{},"f:resources":{}}}}}})"),
         "passes"},
        {"a second owner by an entry of operation Update, which nobody but he himself has written", kOtherEntry,
         kOtherEntry + "," + edited(applied("team", R"("f:metadata":{"f:labels":{"f:app":{}}})"), "Apply", "Update"),
         ".metadata.labels.app"},
        {"a second owner by an entry of a subresource", kOtherEntry,
         kOtherEntry + "," +
             edited(applied("team", R"("f:metadata":{"f:labels":{"f:app":{}}})"), R"("Apply")", R"("Apply","subresource":"scale")"),
         ".metadata.labels.app"},
        {"a second owner by more in an entry that was there", R"("f:annotations":{"f:note":{}})",
         R"("f:annotations":{"f:note":{},"f:example.com/runbook":{}})", R"(.metadata.annotations["example.com/runbook"])"},
        {"another whose fields cannot be read", kOtherEntry, kOtherEntry + "," + applied("team", R"("z:spec":{})"), entries},
        {"an entry of another, changed", "05:31:00Z", "05:32:00Z", "passes"},
        {"an entry of another, removed", "," + kOtherEntry, "", "passes"},
        {"an entry of another, added", kOtherEntry, kOtherEntry + "," + edited(kOtherEntry, "kubectl-annotate", "flux-client-side-apply"),
         "passes"},
        {"members of the entry in another order", R"("manager":"kustomize-controller","operation":"Apply")",
         R"("operation":"Apply","manager":"kustomize-controller")", "passes"},
    });
}

TEST_CASE("where a lock opens, Flux's entry may lose what is gone or has another owner, and nothing else") {
    const std::string image = R"("f:image":{},)";
    const std::string owner =
        applied("alice", R"("f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{"f:image":{}}}}}})");
    const std::string without = edited(kDeployment, image, "");
    struct Row {
        std::string_view name;
        std::string after;
        bool passes;
    };
    const Row rows[] = {
        {"a field that has another owner now", edited(without, kOtherEntry, kOtherEntry + "," + owner), true},
        {"a field that is gone", edited(without, R"("image":"nginx:1",)", ""), true},
        {"an item that is gone",
         edited(edited(kDeployment, R"("f:volumes":{"k:{\"name\":\"tmp\"}":{".":{},"f:emptyDir":{},"f:name":{}}},)", ""),
                R"({"name":"tmp","emptyDir":{}})", ""),
         true},
        {"a field that nobody owns now", without, false},
        {"a field that nobody owns now, though its value changes", edited(without, "nginx:1", "nginx:2"), false},
        {"an item that nobody owns now",
         edited(kDeployment, R"("f:volumes":{"k:{\"name\":\"tmp\"}":{".":{},"f:emptyDir":{},"f:name":{}}},)", ""), false},
        {"a value of a set that nobody owns now", edited(kDeployment, R"(,"v:\"b\"":{})", ""), false},
        {"a value of a set that is gone", edited(edited(kDeployment, R"(,"v:\"b\"":{})", ""), R"(["a","b"])", R"(["a"])"), true},
        {"a field more", edited(kDeployment, image, image + R"("f:tty":{},)"), false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string review = update(kDeployment, row.after).json();
        CHECK(find_flux_entry_changes(*Read(review), FluxEntries::may_shrink, Limits{}).empty() == row.passes);
        CHECK_FALSE(find_flux_entry_changes(*Read(review), FluxEntries::stay, Limits{}).empty());
    }
}

TEST_CASE("a field manager that takes Flux's name is refused") {
    const std::pair<std::string_view, bool> rows[] = {
        {"kustomize-controller", false},
        {"helm-controller", false},
        {"flux-operator", false},
        {"gotk-kustomize-controller", false},
        {"Kustomize-Controller", false},
        {"kubectl-edit", true},
        {"flux-client-side-apply", true},
        {"kustomize-controller2", true},
        {"flux", true},
        {"", true},
    };
    for (const auto& [manager, passes] : rows) {
        INFO(manager);
        const Verdict verdict =
            judge(update(kDeployment, edited(kDeployment, R"("replicas":2,"s)", R"("replicas":5,"s)")), kFieldLock, manager);
        CHECK(verdict.allowed == passes);
        if (!passes) CHECK(verdict.violations.back().have == "field manager \"" + std::string(manager) + "\"");
    }
}

TEST_CASE("an object whose declared fields cannot be told apart is locked as a whole") {
    const auto text = [](std::string_view what) {
        return "UPDATE by alice@example.com (no writer; locked as a whole: " + std::string(what);
    };
    std::string many;
    for (int i = 0; i < 20; ++i) many += edited(kFluxEntry, "05:30:51Z", "05:30:" + std::to_string(10 + i) + "Z") + ",";
    std::string deep;
    for (int i = 0; i < 300; ++i) deep += R"({"f:a":)";
    struct Row {
        std::string_view name;
        std::string from;
        std::string to;
        std::string why;
    };
    const Row rows[] = {
        {"no entry of Flux", "kustomize-controller", "kubectl", text("no field of it is declared by Flux)")},
        {"an entry that looks like Flux's", "kustomize-controller", "Kustomize-Controller", text("no field of it is declared by Flux)")},
        {"an entry of the command line", "kustomize-controller", "flux", text("no field of it is declared by Flux)")},
        {"an entry for people", "kustomize-controller", "flux-client-side-apply", text("no field of it is declared by Flux)")},
        {"an entry for a subresource", R"("operation":"Apply")", R"("operation":"Apply","subresource":"status")", text("no field of it")},
        {"an entry of Flux's status", "kustomize-controller", "gotk-kustomize-controller", text("no field of it")},
        {"no managedFields", R"("managedFields")", R"("x")", text("no field of it is declared by Flux)")},
        {"another version", R"("operation":"Apply","apiVersion":"apps/v1")", R"("operation":"Apply","apiVersion":"apps/v1beta1")",
         text("kustomize-controller declares fields of apps/v1beta1, the object is apps/v1)")},
        {"a second entry of another version", kFluxEntry,
         kFluxEntry + "," + edited(edited(kFluxEntry, "kustomize-c", "helm-c"), "apps/v1", "apps/v2"),
         text("helm-controller declares fields of apps/v2, the object is apps/v1)")},
        {"managedFields that are no list", "[" + kFluxEntry + "," + kOtherEntry + "]", "{}", text("managedFields cannot be read")},
        {"an entry that is no object", kOtherEntry, "1", text("managedFields cannot be read")},
        {"an entry without operation", R"("operation":"Update",)", "", text("managedFields cannot be read")},
        {"a manager that is no name", "\"kustomize-controller\"", "[]", text("managedFields cannot be read")},
        {"fields of another type", R"("fieldsType":"FieldsV1")", R"("fieldsType":"FieldsV2")", text("managedFields cannot be read")},
        {"fields that are no object", R"("fieldsV1":{"f:metadata":{"f:annotations":{"f:note":{}}}})", R"("fieldsV1":[])",
         text("managedFields cannot be read")},
        {"an unknown element", R"("f:selector")", R"("z:selector")", text("the fields of kustomize-controller cannot be read")},
        {"an element twice", R"("f:selector":{})", R"("k:{\"a\":1}":{},"k:{\"a\": 1}":{})",
         text("the fields of kustomize-controller cannot be read")},
        {"more entries than Flux writes", kFluxEntry + ",", many, text("more entries of Flux")},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string before = edited(kDeployment, row.from, row.to);
        // An addition that is allowed.
        const Verdict verdict = judge(update(before, edited(before, R"("replicas":2,"s)", R"("replicas":5,"s)")));
        CHECK_FALSE(verdict.allowed);
        REQUIRE(verdict.violations.size() > 1);
        CHECK(verdict.violations[0].have.substr(0, row.why.size()) == row.why);
        CHECK(verdict.violations[1].path == ".spec.replicas");
        CHECK_FALSE(judge(update(before, edited(before, R"("replicas":2,"s)", R"("replicas":5,"s)")), kWarnLock).allowed);
    }
}

TEST_CASE("what cannot be read of a part that does not change is no matter") {
    // The spec stays as it is: what of it Git declares need not be known.
    const std::string before = edited(kDeployment, R"("f:selector")", R"("z:selector")");
    const std::string annotation = R"("team.example.com/a":"b",)";
    const std::string after = edited(before, R"("annotations":{)", R"("annotations":{)" + annotation);
    CHECK(judge(update(before, after)).allowed);
    const std::string both = edited(after, R"("replicas":2,"s)", R"("replicas":5,"s)");
    CHECK_FALSE(judge(update(before, both)).allowed);
}

TEST_CASE("what Flux declares in more than one entry, or in a way that does not fit the object, is declared") {
    const auto second = [](std::string_view fields) {
        return R"({"manager":"helm-controller","operation":"Update","apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{)" +
               std::string(fields) + "}}}";
    };
    struct Row {
        std::string_view name;
        std::string entry;
        std::string from;
        std::string to;
        std::string paths;
    };
    const std::string extra = R"("extra":{"deep":1},"replicas":2,"s)";
    const Row rows[] = {
        {"of both, the second", second(R"("f:replicas":{})"), R"("replicas":2,"s)", R"("replicas":5,"s)", ".spec.replicas"},
        {"of both, the first", second(R"("f:replicas":{})"), "nginx:1", "evil", kWeb + ".image"},
        {"of both, none", second(R"("f:other":{})"), R"("replicas":2,"s)", R"("replicas":5,"s)", "passes"},
        {"a leaf in one, more in the other", second(R"("f:template":{})"), R"("cpu":"1")", R"("cpu":"2")", kWeb + ".resources.limits.cpu"},
        {"an item of what is a map", second(R"("f:extra":{"k:{\"name\":\"a\"}":{"f:x":{}}})"), R"({"deep":1})", R"({"deep":2})",
         ".spec.extra.deep"},
        {"a field of what is a list", second(R"("f:tolerations":{"f:x":{}})"), "NoExecute", "NoSchedule", ".spec.tolerations[0].effect"},
        {"an item that is not there", second(R"("f:tolerations":{"k:{\"key\":\"gone\"}":{".":{}}})"), "NoExecute", "NoSchedule",
         ".spec.tolerations[0].effect"},
        {"an item by position", second(R"("f:tolerations":{"i:7":{}})"), "NoExecute", "NoSchedule", ".spec.tolerations[0].effect"},
        {"items with other keys", second(R"("f:tolerations":{"k:{\"key\":\"k\"}":{".":{}},"k:{\"other\":\"k\"}":{".":{}}})"), "NoExecute",
         "NoSchedule", ".spec.tolerations[0].effect"},
        {"an item that is there", second(R"("f:tolerations":{"k:{\"key\":\"k\"}":{".":{},"f:key":{}}})"), "NoExecute", "NoSchedule",
         "passes"},
        {"an item without a key", second(R"("f:tolerations":{"k:{}":{".":{}}})"), "NoExecute", "NoSchedule", ".spec.tolerations[0].effect"},
        {"a field that reads like an item", second(R"("f:tolerations":{"f:{\"key\":\"k\"}":{"f:key":{}}})"), "NoExecute", "NoSchedule",
         ".spec.tolerations[0].effect"},
        {"of the status, nothing",
         edited(second(R"("f:replicas":{})"), R"("operation":"Update")", R"("operation":"Update","subresource":"status")"),
         R"("replicas":2,"s)", R"("replicas":5,"s)", "passes"},
        {"a map that comes", second(R"("f:gone":{"f:x":{}})"), R"("replicas":2,"s)", R"("replicas":2,"gone":{"x":1},"s)", ".spec.gone"},
        {"a map that goes", second(R"("f:extra":{"f:deep":{}})"), R"("extra":{"deep":1},)", "", ".spec.extra"},
        {"a map that becomes a number", second(R"("f:extra":{"f:deep":{}})"), R"({"deep":1})", "1", ".spec.extra"},
        {"a list that comes", second(R"("f:gone":{"k:{\"name\":\"a\"}":{".":{}}})"), R"("replicas":2,"s)",
         R"("replicas":2,"gone":[{"name":"a"}],"s)", ".spec.gone"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string before = edited(edited(kDeployment, kOtherEntry, row.entry + "," + kOtherEntry), R"("replicas":2,"s)", extra);
        CHECK(paths_of(judge(update(before, edited(before, row.from, row.to)))) == row.paths);
    }
}

TEST_CASE("an item that is allowed by its name is the one that has the name before and after") {
    const std::string before = edited(kDeployment, R"("replicas":2,"s)", R"("pairs":[{"key":"x","v":1},{"key":"y","v":1}],"s)");
    CHECK(judge(update(before, edited(before, R"("key":"x","v":1)", R"("key":"x","v":2)"))).allowed);
    CHECK_FALSE(judge(update(before, edited(before, R"("key":"y","v":1)", R"("key":"y","v":2)"))).allowed);
    CHECK_FALSE(judge(update(before, edited(before, R"("key":"x","v":1)", R"("key":"z","v":1)"))).allowed);
    CHECK_FALSE(judge(update(before, edited(before, R"("key":"y","v":1)", R"("key":"x","v":1)"))).allowed);
}

TEST_CASE("lists and maps that Git does not declare are judged as what they are") {
    const auto with = [](std::string_view spec) {
        return edited(kDeployment, R"("replicas":2,"s)", std::string(spec) + R"(,"replicas":2,"s)");
    };
    struct Row {
        std::string_view name;
        std::string before;
        std::string after;
        std::string paths;
    };
    const std::string bare = edited(edited(kDeployment, R"("f:annotations":{"f:example.com/runbook":{}},)", ""),
                                    R"("annotations":{"example.com/runbook":"r","note":"n"},)", "");
    const std::string named = edited(kDeployment, R"({"key":"k",)", R"({"key":"k","name":"a",)");
    const std::string nine_keys = edited(
        edited(kDeployment, R"({"key":"k",)", R"({"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,)"), R"("f:selector":{})",
        R"("f:selector":{},"f:tolerations":{"k:{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}":{".":{}}})");
    const std::string as_a_whole = edited(
        kDeployment,
        R"("f:metadata":{"f:annotations":{"f:example.com/runbook":{}},"f:labels":{"f:app":{},"f:kustomize.toolkit.fluxcd.io/name":{}}})",
        R"("f:metadata":{})");
    const Row rows[] = {
        {"a number that becomes a list of which any item is allowed", with(R"("many":1)"), with(R"("many":[1])"), ".spec.many"},
        {"such a list that becomes a number", with(R"("many":[1])"), with(R"("many":1)"), ".spec.many"},
        {"named items in another order", with(R"("things":[{"name":"a"},{"name":"b"}])"), with(R"("things":[{"name":"b"},{"name":"a"}])"),
         ".spec.things"},
        {"an item of such a list that takes another name", named, edited(named, R"("name":"a")", R"("name":"b")"),
         ".spec.tolerations[0].name"},
        {"an item whose key has more parts than any real one", nine_keys, edited(nine_keys, "NoExecute", "NoSchedule"),
         ".spec.tolerations[0].effect"},
        {"the first annotations, which are allowed", bare,
         edited(bare, R"("labels":{)", R"("annotations":{"team.example.com/x":"1"},"labels":{)"), "passes"},
        {"what the server writes, where Git declares the metadata as a whole", as_a_whole,
         edited(as_a_whole, R"("resourceVersion":"7")", R"("resourceVersion":"8")"), ".metadata"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(paths_of(judge(update(row.before, row.after))) == row.paths);
    }
}

TEST_CASE("values that may be secrets are not shown, long keys are not repeated, and there is a bound to what is named") {
    CHECK(judge(update(kDeployment, edited(kDeployment, R"("value":"1")", R"("value":"3")"))).violations.back().have == "(not shown)");

    const std::string long_name(1'100, 'x');
    const std::string named = edited(edited(kDeployment, R"({\"name\":\"tmp\"})", R"({\"name\":\")" + long_name + R"(\"})"),
                                     R"("name":"tmp")", R"("name":")" + long_name + "\"");
    CHECK(paths_of(judge(update(named, edited(named, R"("emptyDir":{})", R"("emptyDir":{"medium":"Memory"})")))) ==
          ".spec.template.spec.volumes[0].emptyDir.medium");

    std::string fields;
    for (int i = 0; i < 201; ++i) fields += "\"f" + std::to_string(i) + "\":1,";
    const std::string before = edited(kDeployment, R"("replicas":2,"s)", R"("zones":{"a":1,"b":1},"replicas":2,"s)");
    const Verdict verdict = judge(update(before, edited(before, R"("zones":{"a":1,"b":1})", fields + R"("zones":{"a":2,"b":2})")));
    CHECK(verdict.violations.size() == 201);  // who was refused, and 200
    CHECK(verdict.violations_omitted == 2);   // f99 and zones
}

TEST_CASE("all but an update of the object itself is locked as with scope object") {
    const std::string after = edited(kDeployment, R"("replicas":2,"s)", R"("replicas":5,"s)");
    Request request = update(kDeployment, after);
    CHECK(judge(request).allowed);
    for (const std::string_view sub_resource : {"status", "scale", "anything"}) {
        request.sub_resource = sub_resource;
        CHECK_FALSE(judge(request).allowed);
    }
    request.sub_resource = "";
    request.operation = "CREATE";
    request.old_object = "null";
    CHECK_FALSE(judge(request).allowed);
    request.operation = "DELETE";
    std::swap(request.object, request.old_object);
    request.old_object = kDeployment;
    CHECK_FALSE(judge(request).allowed);
}

TEST_CASE("writers change what they like, and a dry run changes nothing") {
    Request request = update(kDeployment, edited(kDeployment, "nginx:1", "nginx:2"));
    request.dry_run = true;
    const Verdict dry = judge(request);
    CHECK(dry.allowed);
    CHECK_FALSE(dry.effective);
    REQUIRE(dry.warnings.size() == 2);
    CHECK(dry.warnings[1] == "Fluxgate would deny: p/r " + kWeb + ".image: have \"nginx:2\", want \"nginx:1\" (declared in Git)");

    request.object = edited(kDeployment, R"("dnsPolicy")", R"("hostNetwork":true,"dnsPolicy")");
    const Verdict warned = judge(request, kWarnLock);
    CHECK(warned.allowed);
    REQUIRE(warned.warnings.size() == 1);
    CHECK(warned.warnings[0].find("hostNetwork") != std::string::npos);

    request.dry_run = false;
    request.user = sample::kFlux;
    request.object = edited(kDeployment, kFluxEntry + ",", "");
    const Verdict by_flux = judge(request, kFieldLock, "kustomize-controller");
    CHECK(by_flux.allowed);
    CHECK(by_flux.write_class == WriteClass::routine);
}

TEST_CASE("on Flux's own objects and on Namespaces only allowed annotations pass") {
    const std::string all = sample::rule(
        "lock: {writers: [flux], scope: fields, additions: {action: Warn, allow: [.metadata.labels, .metadata.annotations, .spec]}}");
    struct Row {
        std::string_view group;
        std::string_view resource;
        bool guarded;
    };
    const Row rows[] = {{"kustomize.toolkit.fluxcd.io", "kustomizations", true},
                        {"clusterconfig.azure.com", "fluxconfigs", true},
                        {"fluxcd.controlplane.io", "fluxinstances", true},
                        {"", "namespaces", true},
                        {"example.com", "namespaces", false},
                        {"notfluxcd.io", "things", false}};
    for (const Row& row : rows) {
        INFO(row.group << "/" << row.resource);
        const auto passes = [&](std::string_view from, std::string_view to) {
            Request request = update(kDeployment, edited(kDeployment, from, to));
            request.group = row.group;
            request.resource = row.resource;
            request.name = "web";
            return judge(request, all).allowed;
        };
        // The rule escape leaves people requests to reconcile, and nothing else, on Flux's own objects.
        CHECK(passes(R"("note":"n")", R"("note":"m")") == !is_flux_group(row.group));
        CHECK(passes(R"("note":"n")", R"("note":"n","reconcile.fluxcd.io/requestedAt":"1")"));
        CHECK(passes(R"("replicas":2,"s)", R"("replicas":2,"suspend":true,"s)") == !row.guarded);
        CHECK(passes(R"("labels":{)", R"("labels":{"control-plane":"true",)") == !row.guarded);
        Request labelled = update(kDeployment, edited(kDeployment, R"("labels":{)", R"("labels":{"control-plane":"true",)"));
        labelled.group = row.group;
        labelled.resource = row.resource;
        const Verdict verdict = judge(labelled, all);
        const auto by_the_lock = [](const Violation& violation) { return violation.policy == "p" && violation.action == Action::deny; };
        CHECK(std::any_of(verdict.violations.begin(), verdict.violations.end(), by_the_lock) == row.guarded);
        CHECK(passes(R"("status":{"replicas":2})", R"("status":{"replicas":3})") == !row.guarded);
    }
}

TEST_CASE("a recorded edit of a person is refused by its path, and nothing else of the review is blamed") {
    const auto set = sample::compiled(kFieldLock);
    const Verdict verdict = evaluate(*Read(sample::recording("person-edits-image")), *set, {});
    CHECK_FALSE(verdict.allowed);
    CHECK(paths_of(verdict) == ".metadata.managedFields " + kWeb + ".image");
    CHECK(evaluate(*Read(sample::recording("update-18k")), *set, {}).write_class == WriteClass::routine);
}

// --- any object -------------------------------------------------------------------------------------------------------

namespace {

// A custom resource with two levels of fields and a list by name, all or some of it declared.
struct Sample {
    std::map<std::string, std::map<std::string, int>> fields{};
    std::map<std::string, int> items{};
    std::set<std::string> declared{};  // "a/x" of the fields, "item" of the items
    bool reversed = false;

    template <class Map, class F>
    std::string joined(const Map& map, F&& text) const {
        std::string out;
        for (const auto& entry : map) {
            const std::string one = text(entry);
            if (one.empty()) continue;
            out = out.empty() ? one : reversed ? one + "," + out : out + "," + one;
        }
        return out;
    }
    static std::string quoted(const std::string& text) { return "\"" + text + "\""; }

    std::string declared_json() const {
        std::string out = joined(fields, [&](const auto& field) {
            const std::string below = joined(field.second, [&](const auto& leaf) {
                return declared.contains(field.first + "/" + leaf.first) ? quoted("f:" + leaf.first) + ":{}" : std::string();
            });
            return below.empty() ? below : quoted("f:" + field.first) + ":{" + below + "}";
        });
        const std::string list = joined(items, [&](const auto& item) {
            return declared.contains(item.first) ? R"("k:{\"name\":\")" + item.first + R"(\"}":{".":{},"f:name":{},"f:n":{}})"
                                                 : std::string();
        });
        if (!list.empty()) out += (out.empty() ? "" : ",") + ("\"f:list\":{" + list + "}");
        return out;
    }
    std::string json(const std::string& entry_fields) const {
        // The order of a list is part of its value.
        std::string list;
        for (const auto& [name, n] : items)
            list += (list.empty() ? "" : ",") + (reversed ? R"({"n":)" + std::to_string(n) + R"(,"name":")" + name + "\"}"
                                                          : R"({"name":")" + name + R"(","n":)" + std::to_string(n) + "}");
        const std::string spec = joined(fields, [&](const auto& field) {
            return quoted(field.first) + ":{" +
                   joined(field.second, [&](const auto& leaf) { return quoted(leaf.first) + ":" + std::to_string(leaf.second); }) + "}";
        });
        return R"({"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"web","namespace":"production","managedFields":[)"
               R"({"manager":"kustomize-controller","operation":"Apply","apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{)" +
               entry_fields + R"(}}}]},"spec":{)" + spec + (spec.empty() ? "" : ",") + R"("list":[)" + list + "]}}";
    }
};

Sample any_sample() {
    const auto name = rc::gen::resize(100, rc::gen::map(rc::gen::inRange(0, 1'000), [](int n) { return "f" + std::to_string(n); }));
    Sample sample;
    const auto leaves_of = rc::gen::container<std::map<std::string, int>>(name, rc::gen::arbitrary<int>());
    sample.fields = *rc::gen::resize(5, rc::gen::container<std::map<std::string, std::map<std::string, int>>>(name, leaves_of));
    std::erase_if(sample.fields, [](const auto& field) { return field.second.empty(); });
    sample.items = *rc::gen::resize(5, leaves_of);
    sample.fields["f0"]["f0"] = 0;
    sample.declared.insert("f0/f0");
    for (const auto& [field, leaves] : sample.fields) {
        for (const auto& [leaf, value] : leaves) {
            if (*rc::gen::arbitrary<bool>()) sample.declared.insert(field + "/" + leaf);
        }
    }
    for (const auto& [item, value] : sample.items) {
        if (*rc::gen::arbitrary<bool>()) sample.declared.insert(item);
    }
    return sample;
}

Verdict judge_sample(const std::string& before, const std::string& after) {
    Request request = update(before, after);
    request.group = "example.com";
    request.resource = "things";
    request.kind = "Thing";
    return judge(request, sample::rule("lock: {writers: [flux], scope: fields, additions: {allow: [.spec]}}"));
}

}  // namespace

TEST_CASE("of any object, what is declared is locked and nothing else") {
    CHECK(rc::check("declared fields, with all of .spec allowed", [] {
        const Sample before = any_sample();
        const std::string entry = before.declared_json();
        const std::string old_object = before.json(entry);
        for (const auto& [field, leaves] : before.fields) {
            for (const auto& [leaf, value] : leaves) {
                Sample after = before;
                after.reversed = true;
                after.fields[field][leaf] = value == 1 ? 2 : 1;
                const Verdict verdict = judge_sample(old_object, after.json(entry));
                const bool declared = before.declared.contains(field + "/" + leaf);
                RC_ASSERT(verdict.allowed == !declared);
                RC_ASSERT(!declared || paths_of(verdict) == ".spec." + field + "." + leaf);
                after.fields[field].erase(leaf);
                RC_ASSERT(judge_sample(old_object, after.json(entry)).allowed == !declared);
            }
        }
        for (const auto& [item, n] : before.items) {
            Sample after = before;
            after.items[item] = n == 1 ? 2 : 1;
            const Verdict verdict = judge_sample(old_object, after.json(entry));
            RC_ASSERT(verdict.allowed == !before.declared.contains(item));
            RC_ASSERT(verdict.allowed || paths_of(verdict) == ".spec.list[name=\"" + item + "\"].n");
        }
        Sample reversed = before;
        reversed.reversed = true;
        RC_ASSERT(judge_sample(old_object, reversed.json(entry)).allowed);
        RC_ASSERT(judge_sample(old_object, reversed.json(reversed.declared_json())).allowed);

        Sample added = before;
        added.fields["new"]["x"] = 1;
        RC_ASSERT(judge_sample(old_object, added.json(entry)).allowed);
    }));
    CHECK(rc::check("Flux's entry", [] {
        const Sample before = any_sample();
        const std::string old_object = before.json(before.declared_json());
        Sample other = before;
        if (*rc::gen::arbitrary<bool>())
            other.declared.erase("f0/f0");
        else
            other.fields["extra"]["x"] = 1, other.declared.insert("extra/x");
        const Verdict verdict = judge_sample(old_object, before.json(other.declared_json()));
        RC_ASSERT(!verdict.allowed);
        RC_ASSERT(paths_of(verdict) == ".metadata.managedFields");
    }));
}

TEST_CASE("ten times the object costs about ten times the time, whatever it is made of") {
    const auto many = [](std::size_t count, auto&& text) {
        std::string out;
        for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "" : ",") + text(std::to_string(i));
        return out;
    };
    const auto object = [](const std::string& declared, const std::string& spec) {
        return R"({"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"web","namespace":"production","managedFields":[)"
               R"({"manager":"kustomize-controller","operation":"Apply","apiVersion":"example.com/v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{)" +
               declared + R"(}}}]},"spec":{)" + spec + "}}";
    };
    struct Shape {
        std::string_view name;
        std::function<std::pair<std::string, std::string>(std::size_t)> make;
    };
    const auto backwards = [](std::string n) { return std::to_string(1'000'000 - std::stoul(n)); };
    const Shape shapes[] = {
        {"a declared list",
         [&](std::size_t n) {
             const std::string declared =
                 R"("f:list":{)" + many(n, [](const std::string& i) { return R"("k:{\"name\":\")" + i + R"(\"}":{".":{},"f:v":{}})"; }) +
                 "}";
             const auto list = [&](std::string_view value) {
                 return R"("list":[)" +
                        many(n, [&](const std::string& i) { return R"({"v":)" + std::string(value) + R"(,"name":")" + i + "\"}"; }) + "]";
             };
             return std::pair(object(declared, list("1")), object(declared, list("2")));
         }},
        {"a map in two orders",
         [&](std::size_t n) {
             const std::string declared = R"("f:map":{)" + many(n, [](const std::string& i) { return "\"f:" + i + "\":{}"; }) + "}";
             return std::pair(
                 object(declared, R"("map":{)" + many(n, [](const std::string& i) { return "\"" + i + "\":1"; }) + "}"),
                 object(declared, R"("map":{)" + many(n, [&](const std::string& i) { return "\"" + backwards(i) + "\":2"; }) + "}"));
         }},
    };
    const auto set = sample::compiled(
        sample::rule("lock: {writers: [flux], scope: fields, additions: {allow: ['.spec.list[*].x', '.spec.map[\"x*\"]']}}"));
    for (const Shape& shape : shapes) {
        INFO(shape.name);
        std::vector<double> seconds;
        for (const std::size_t count : {1'000u, 10'000u}) {
            const auto [before, after] = shape.make(count);
            Request request = update(before, after);
            request.group = "example.com";
            request.resource = "things";
            request.kind = "Thing";
            const Read review(request);
            double best = 1e9;
            for (int round = 0; round < 3; ++round) {
                const auto start = std::chrono::steady_clock::now();
                CHECK_FALSE(evaluate(*review, *set, {}).allowed);
                best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
            }
            seconds.push_back(best);
        }
        // n squared would be 100.
        CHECK(seconds[1] / seconds[0] < 50);
    }
}
