#include "policy/lock/escape.hpp"

#include <set>

#include "base/base64.hpp"
#include "policy/explain.hpp"
#include "policy/lock/assurance.hpp"
#include "policy/lock/lock.hpp"
#include "policy/lock/signed_grants.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

const std::string kLock = sample::policy(
    "  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [flux, kubernetes, aks, cert-manager], scope: fields}}]\n");

// "CREATE", "serviceaccounts/token", "apps/deployments", "source.toolkit.fluxcd.io/gitrepositories/status".
Request ask(std::string operation, std::string_view what, std::string namespace_name, std::string object, std::string old_object = "null",
            std::string name = "") {
    Request request;
    const auto next = [&] {
        const std::size_t slash = std::min(what.find('/'), what.size());
        const std::string word(what.substr(0, slash));
        what.remove_prefix(std::min(slash + 1, what.size()));
        return word;
    };
    const auto is_group = [](std::string_view word) {
        return word.find('.') != std::string_view::npos || word == "apps" || word == "batch";
    };
    request.resource = next();
    if (is_group(request.resource)) {
        request.group = request.resource;
        request.resource = next();
    }
    request.sub_resource = what;
    request.kind = "Thing";
    request.operation = std::move(operation);
    request.namespace_name = std::move(namespace_name);
    request.name = std::move(name);
    request.object = std::move(object);
    request.old_object = std::move(old_object);
    return request;
}

Request by(std::string user, Request request) {
    request.user = std::move(user);
    return request;
}

std::vector<Violation> escapes(const Verdict& verdict) {
    std::vector<Violation> list;
    for (const Violation& violation : verdict.violations) {
        if (violation.policy == "fluxgate" && violation.rule == "escape") list.push_back(violation);
    }
    return list;
}

Verdict judge(const Request& request, const std::string& policy = kLock, const Context& context = {}) {
    const auto set = sample::compiled(policy);
    Verdict verdict = evaluate(*Read(request), *set, context);
    verdict.writer = {};  // it lives as long as the set
    return verdict;
}

std::set<std::string> paths(const Verdict& verdict) {
    std::set<std::string> list;
    for (const Violation& violation : escapes(verdict)) list.insert(violation.path);
    return list;
}

struct Row {
    std::string_view name;
    Request request;
    std::set<std::string> refused{};  // the paths, besides "."; for what passes, empty
};

// Refused by the rule, with exactly these paths; a dry run is warned of it where it does nothing; Flux may do it.
void expect_refused(const Row& row, bool also_for_flux = false) {
    INFO(row.name);
    const auto set = sample::compiled(kLock);
    const Read review(row.request);
    const Verdict verdict = evaluate(*review, *set, {});
    CHECK_FALSE(verdict.allowed);
    CHECK(verdict.write_class == WriteClass::exceptional);
    std::set<std::string> expected = row.refused;
    expected.insert(".");
    CHECK(paths(verdict) == expected);
    CHECK_FALSE(verdict.guidance.empty());

    Request dry = row.request;
    dry.dry_run = true;
    const Read dry_review(dry);
    const Verdict rehearsed = evaluate(*dry_review, *set, {});
    CHECK(rehearsed.allowed == dry_run_stores_nothing(*dry_review));
    CHECK(escapes(rehearsed).empty() == dry_run_stores_nothing(*dry_review));
    if (rehearsed.allowed) CHECK(rehearsed.warnings.at(0).find("Fluxgate would deny: ") == 0);

    const Request by_flux = by(sample::kFlux, row.request);
    CHECK(escapes(evaluate(*Read(by_flux), *set, {})).empty() != also_for_flux);
    // An account that says it is Flux, and proves too little, is refused like everybody.
    for (const std::string& user :
         {sample::token("flux-system", "kustomize-controller"), sample::impersonated("flux-system", "kustomize-controller")})
        CHECK(paths(evaluate(*Read(by(user, row.request)), *set, {})) == expected);
}

void expect_passed(const Row& row) {
    INFO(row.name);
    const Verdict verdict = judge(row.request);
    for (const Violation& violation : escapes(verdict)) UNSCOPED_INFO(to_string(violation));
    CHECK(escapes(verdict).empty());
}

const std::string kKustomization = "kustomize.toolkit.fluxcd.io/kustomizations";
const std::string kRepository = "source.toolkit.fluxcd.io/gitrepositories";
const std::string kRoles = "rbac.authorization.k8s.io/roles";
const std::string kClusterRoles = "rbac.authorization.k8s.io/clusterroles";
const std::string kBindings = "rbac.authorization.k8s.io/rolebindings";
const std::string kClusterBindings = "rbac.authorization.k8s.io/clusterrolebindings";
const std::string kRequests = "certificates.k8s.io/certificatesigningrequests";
const std::string kDefinitions = "apiextensions.k8s.io/customresourcedefinitions";
const std::string kApiServices = "apiregistration.k8s.io/apiservices";

const std::string kApps = R"({"metadata":{"name":"apps","annotations":{"a":"1"}},"spec":{"path":"./a"}})";

std::string with_key(std::string_view map, std::string_view key, std::string_view value) {
    return R"({"metadata":{"name":"web",")" + std::string(map) + R"(":{")" + std::string(key) + R"(":")" + std::string(value) + R"("}}})";
}
const std::string kPlain = R"({"metadata":{"name":"web"}})";

std::string declared(std::string_view metadata, std::string_view fields = R"({"f:spec":{}})") {
    return R"({"apiVersion":"apps/v1","metadata":{"name":"web",)" + std::string(metadata) +
           R"("managedFields":[{"manager":"kustomize-controller","operation":"Apply","apiVersion":"apps/v1","fieldsType":"FieldsV1","fieldsV1":)" +
           std::string(fields) + "}]}}";
}

// As `declared`, but the entry says that somebody else made it.
std::string renamed_by(std::string_view metadata) {
    std::string text = declared(metadata);
    constexpr std::string_view kManager = "kustomize-controller";
    return text.replace(text.find(kManager), kManager.size(), "somebody");
}

std::string pod_of(std::string_view account) {
    return R"({"spec":{"serviceAccountName":")" + std::string(account) + R"(","containers":[]}})";
}
std::string template_of(std::string_view account) { return R"({"spec":{"template":)" + pod_of(account) + "}}"; }

std::string rules(std::string_view list, std::string_view more = "") {
    return R"({"metadata":{"name":"r"},)" + std::string(more) + R"("rules":[)" + std::string(list) + "]}";
}
std::string rule(std::string_view groups, std::string_view resources, std::string_view verbs, std::string_view more = "") {
    return R"({"apiGroups":[)" + std::string(groups) + R"(],"resources":[)" + std::string(resources) + R"(],"verbs":[)" +
           std::string(verbs) + "]" + std::string(more) + "}";
}
std::string bound_to(std::string_view role, std::string_view subject) {
    return R"({"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":")" + std::string(role) +
           R"("},"subjects":[{"kind":"User","name":")" + std::string(subject) + R"("}]})";
}

std::string pem(std::string_view der) {
    return base64("-----BEGIN CERTIFICATE REQUEST-----\n" + base64(der) + "\n-----END CERTIFICATE REQUEST-----\n");
}
std::string wide(std::string_view text, std::size_t zeros) {
    std::string out;
    for (const char c : text) out.append(zeros, '\0').push_back(c);
    return out;
}
std::string signing(std::string_view request, std::string_view signer = "kubernetes.io/kube-apiserver-client", std::string_view more = "") {
    return R"({"spec":{"request":")" + std::string(request) + R"(","signerName":")" + std::string(signer) + "\"" + std::string(more) + "}}";
}
// As in DER: the length of a string stands before it.
std::string named(std::string_view name) {
    return signing(pem("\x30\x82\x0c" + std::string(1, static_cast<char>(name.size())) + std::string(name) + "\x31"));
}

std::string api_service(std::string_view group, std::string_view service) {
    return R"({"spec":{"group":")" + std::string(group) + R"(","version":"v1","service":)" + std::string(service) + "}}";
}
std::string definition(std::string_view group, std::string_view conversion) {
    return R"({"spec":{"group":")" + std::string(group) + R"(","conversion":)" + std::string(conversion) + "}}";
}
constexpr std::string_view kWebhook =
    R"({"strategy":"Webhook","webhook":{"clientConfig":{"service":{"name":"a","namespace":"b"},"caBundle":"eA=="}}})";

}  // namespace

TEST_CASE("Flux's own objects are written by Flux alone, in every namespace") {
    const Row rows[] = {
        {"a new Kustomization", ask("CREATE", kKustomization, "team-a", kApps)},
        {"a Kustomization removed", ask("DELETE", kKustomization, "flux-system", "null", kApps)},
        {"a collection removed", ask("DELETE", "notification.toolkit.fluxcd.io/alerts", "flux-system", "null", kApps)},
        {"suspended", ask("UPDATE", kKustomization, "flux-system", R"({"spec":{"suspend":true}})", R"({"spec":{}})"), {".spec.suspend"}},
        {"another URL", ask("UPDATE", kRepository, "flux-system", R"({"spec":{"url":"b"}})", R"({"spec":{"url":"a"}})"), {".spec.url"}},
        {"another label", ask("UPDATE", kRepository, "flux-system", with_key("labels", "a", "b"), kPlain), {".metadata.labels"}},
        {"another annotation",
         ask("UPDATE", kRepository, "flux-system", with_key("annotations", "a", "b"), kPlain),
         {".metadata.annotations"}},
        {"a request to reconcile, and something else",
         ask("UPDATE", kKustomization, "flux-system",
             R"({"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"1"}},"spec":{"force":true}})",
             R"({"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"0"}},"spec":{}})"),
         {R"(.metadata.annotations["reconcile.fluxcd.io/requestedAt"])", ".spec.force"}},
        {"a finalizer removed",
         ask("UPDATE", kKustomization, "flux-system", R"({"metadata":{}})", R"({"metadata":{"finalizers":["f"]}})"),
         {".metadata.finalizers"}},
        {"a FluxConfig of Azure", ask("CREATE", "clusterconfig.azure.com/fluxconfigs", "apps", kApps)},
        {"a FluxInstance", ask("CREATE", "fluxcd.controlplane.io/fluxinstances", "flux-system", kApps)},
        {"a HelmRelease by its scale", ask("UPDATE", "helm.toolkit.fluxcd.io/helmreleases/scale", "apps", "{}", "{}")},
        {"a request to reconcile that renames Flux's entry",
         ask("UPDATE", kKustomization, "flux-system", renamed_by(R"("annotations":{"reconcile.fluxcd.io/requestedAt":"1"},)"),
             declared("")),
         {R"(.metadata.annotations)", ".metadata.managedFields"}},
        {"one with nothing but a request to reconcile removed",
         ask("DELETE", kKustomization, "flux-system", "null", R"({"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"1"}}})")},
    };
    for (const Row& row : rows) {
        const bool of_status = !row.request.sub_resource.empty();
        expect_refused(row, of_status);
    }
    const Verdict suspended = judge(rows[3].request);
    CHECK(escapes(suspended).at(1).want.find("a break-glass grant does not open it") != std::string::npos);
    CHECK(escapes(suspended).at(0).have == "UPDATE of kustomizations.kustomize.toolkit.fluxcd.io by alice@example.com (no writer)");
}

TEST_CASE("the status of Flux's objects is written by the controller they belong to") {
    struct Case {
        std::string_view account;
        std::string_view what;
        bool passes;
    };
    const Case cases[] = {
        {"source-controller", "source.toolkit.fluxcd.io/gitrepositories/status", true},
        {"kustomize-controller", "source.toolkit.fluxcd.io/gitrepositories/status", false},
        {"helm-controller", "source.toolkit.fluxcd.io/ocirepositories/status", false},
        {"kustomize-controller", "kustomize.toolkit.fluxcd.io/kustomizations/status", true},
        {"helm-controller", "kustomize.toolkit.fluxcd.io/kustomizations/status", false},
        {"source-controller", "kustomize.toolkit.fluxcd.io/kustomizations/status", false},
        {"helm-controller", "helm.toolkit.fluxcd.io/helmreleases/status", true},
        {"notification-controller", "notification.toolkit.fluxcd.io/receivers/status", true},
        {"image-reflector-controller", "image.toolkit.fluxcd.io/imagepolicies/status", true},
        {"image-automation-controller", "image.toolkit.fluxcd.io/imageupdateautomations/status", true},
        {"source-watcher", "source.extensions.fluxcd.io/artifactgenerators/status", true},
        {"source-watcher", "source.toolkit.fluxcd.io/externalartifacts/status", true},
        {"source-watcher", "source.toolkit.fluxcd.io/gitrepositories/status", false},
    };
    for (const Case& one : cases) {
        INFO(one.account << " " << one.what);
        const std::string user = sample::pod_bound("flux-system", one.account);
        const Request request = by(user, ask("UPDATE", one.what, "flux-system", R"({"status":{"a":1}})", "{}"));
        CHECK(judge(request).allowed == one.passes);
        CHECK_FALSE(judge(by(sample::kAlice, request)).allowed);
    }
}

TEST_CASE("what Flux does with its own objects, and a request to reconcile, pass") {
    const auto flux = [](std::string_view account) { return sample::pod_bound("flux-system", account); };
    const std::string requested =
        R"({"metadata":{"name":"apps","resourceVersion":"2","annotations":{"a":"1","reconcile.fluxcd.io/requestedAt":"1","reconcile.fluxcd.io/forceAt":"1"}},"spec":{"path":"./a"}})";
    const Row rows[] = {
        {"alice asks for a reconciliation", ask("UPDATE", kKustomization, "flux-system", requested, kApps)},
        {"and once more", ask("UPDATE", kKustomization, "flux-system", kApps, requested)},
        {"notification-controller annotates a source",
         by(flux("notification-controller"), ask("UPDATE", kRepository, "apps", requested, kApps))},
        {"source-controller adds its finalizer",
         by(flux("source-controller"), ask("UPDATE", kRepository, "apps", R"({"metadata":{"finalizers":["f"]}})", R"({"metadata":{}})"))},
        {"helm-controller makes a HelmChart",
         by(flux("helm-controller"), ask("CREATE", "source.toolkit.fluxcd.io/helmcharts", "apps", kApps))},
        {"helm-controller keeps a release",
         by(flux("helm-controller"),
            ask("CREATE", "secrets", "flux-system", R"({"type":"helm.sh/release.v1","metadata":{"name":"sh.helm.release.v1.a.v1"}})"))},
        {"the garbage collector",
         by(sample::token("kube-system", "generic-garbage-collector"), ask("DELETE", kKustomization, "a", "null", kApps))},
        {"the end of a Namespace",
         by(sample::token("kube-system", "namespace-controller"), ask("DELETE", kKustomization, "a", "null", kApps))},
        {"the end of a deletion",
         ask("DELETE", kKustomization, "a", "null", R"({"metadata":{"deletionTimestamp":"2026-11-21T05:30:48Z"}})")},
        {"an object of somebody else", ask("CREATE", "example.com/kustomizations", "a", kApps)},
        {"a group that ends alike", ask("CREATE", "notfluxcd.io/kustomizations", "a", kApps)},
    };
    for (const Row& row : rows) expect_passed(row);
}

TEST_CASE("what Flux substitutes from is guarded like Flux's objects") {
    ClusterView::Substitutes list{"ConfigMap apps/vars", "Secret apps/values"};
    ClusterView view;
    view.substitutes = std::make_shared<const ClusterView::Substitutes>(list);
    Context known;
    known.cluster = &view;
    struct Case {
        std::string_view what;
        std::string namespace_name;
        std::string_view name;
        bool refused_if_known;
        bool refused_if_not;
    };
    const Case cases[] = {
        {"configmaps", "apps", "vars", true, false},
        {"secrets", "apps", "values", true, false},
        {"configmaps", "apps", "values", false, false},
        {"secrets", "other", "values", false, false},
        // A kind of Flux that is served in another version is an empty list: what it names is guarded where Flux runs.
        {"configmaps", "flux-system", "any", true, true},
        {"secrets", "flux-system", "any", true, true},
        {"widgets", "flux-system", "any", false, false},
        {"configmaps", "cert-manager", "any", false, false},
    };
    for (const Case& one : cases) {
        INFO(one.what << " " << one.namespace_name << "/" << one.name);
        const std::string object = R"({"metadata":{"name":")" + std::string(one.name) + R"("}})";
        for (const char* operation : {"CREATE", "UPDATE", "DELETE"}) {
            const bool removes = std::string_view(operation) == "DELETE";
            const std::string old = std::string_view(operation) == "CREATE" ? "null" : object;
            const Request request = ask(operation, one.what, one.namespace_name, removes ? "null" : object, old);
            CHECK(judge(request, kLock, known).allowed != one.refused_if_known);
            CHECK(judge(request).allowed != one.refused_if_not);
            CHECK(judge(by(sample::kFlux, request), kLock, known).allowed);
        }
    }
    const std::string publisher = sample::token("kube-system", "root-ca-cert-publisher");
    CHECK(judge(by(publisher, ask("CREATE", "configmaps", "flux-system", kPlain))).allowed);
    const std::string dying = R"({"metadata":{"name":"any","deletionTimestamp":"2026-11-21T05:30:48Z"}})";
    CHECK(judge(ask("DELETE", "configmaps", "flux-system", "null", dying)).allowed);
    // Who sees the cluster, and not yet what Flux substitutes from, knows no more than who does not see it.
    const ClusterView blank;
    Context unknown;
    unknown.cluster = &blank;
    CHECK_FALSE(judge(ask("CREATE", "configmaps", "flux-system", kPlain), kLock, unknown).allowed);
    CHECK(judge(ask("CREATE", "configmaps", "apps", kPlain), kLock, unknown).allowed);
}

TEST_CASE("Flux's switches, owner labels and what decides over the life of its objects stay as they are") {
    const std::string owned = R"({"metadata":{"name":"web","labels":{"kustomize.toolkit.fluxcd.io/name":"apps"}}})";
    const std::string kName = R"("kustomize.toolkit.fluxcd.io/name":"apps")";
    const std::string kSpace = R"("kustomize.toolkit.fluxcd.io/namespace":"apps")";
    const std::string kRelease = R"("helm.toolkit.fluxcd.io/name":"apps")";
    const auto labelled = [](const std::string& labels, std::string_view more = "") {
        return R"({"metadata":{"name":"web","labels":{)" + labels + "}" + std::string(more) + "}}";
    };
    const auto entry = [](std::string_view was, std::string_view is) {
        std::string text = declared("");
        return text.replace(text.find(was), was.size(), is);
    };
    const std::string renamed = entry("kustomize-controller", "somebody");
    const std::string dated = entry(R"("operation")", R"("time":"2020-01-01T00:00:00Z","operation")");
    const Row rows[] = {
        {"disabled by a label, in capitals",
         ask("UPDATE", "apps/deployments", "production", with_key("labels", "Kustomize.toolkit.fluxcd.io/Reconcile", "DISABLED"), kPlain),
         {R"(.metadata.labels["Kustomize.toolkit.fluxcd.io/Reconcile"])"}},
        {"ssa by an annotation",
         ask("UPDATE", "services", "production", with_key("annotations", "kustomize.toolkit.fluxcd.io/ssa", "ignore"), kPlain),
         {R"(.metadata.annotations["kustomize.toolkit.fluxcd.io/ssa"])"}},
        {"drift detection",
         ask("UPDATE", "services", "production", with_key("annotations", "helm.toolkit.fluxcd.io/driftDetection", "disabled"), kPlain),
         {R"(.metadata.annotations["helm.toolkit.fluxcd.io/driftDetection"])"}},
        {"an owner label removed",
         ask("UPDATE", "services", "production", kPlain, owned),
         {R"(.metadata.labels["kustomize.toolkit.fluxcd.io/name"])"}},
        {"an owner label changed",
         ask("UPDATE", "services", "production", with_key("labels", "kustomize.toolkit.fluxcd.io/name", "mine"), owned),
         {R"(.metadata.labels["kustomize.toolkit.fluxcd.io/name"])"}},
        {"through the status",
         ask("UPDATE", "pods/status", "production", with_key("labels", "kustomize.toolkit.fluxcd.io/prune", "disabled"), kPlain),
         {R"(.metadata.labels["kustomize.toolkit.fluxcd.io/prune"])"}},
        {"created with a switch",
         ask("CREATE", "services", "production", with_key("labels", "kustomize.toolkit.fluxcd.io/prune", "disabled")),
         {R"(.metadata.labels["kustomize.toolkit.fluxcd.io/prune"])"}},
        {"one owner label of two removed",
         ask("UPDATE", "services", "production", labelled(kSpace), labelled(kName + "," + kSpace)),
         {R"(.metadata.labels["kustomize.toolkit.fluxcd.io/name"])"}},
        {"a second owner label",
         ask("UPDATE", "services", "production", labelled(kName + "," + kSpace), labelled(kSpace)),
         {R"(.metadata.labels["kustomize.toolkit.fluxcd.io/name"])"}},
        {"a finalizer of what a Kustomization owns",
         ask("UPDATE", "services", "production", labelled(kName, R"(,"finalizers":["a"])"), labelled(kName)),
         {".metadata.finalizers"}},
        {"a finalizer of what a HelmRelease owns",
         ask("UPDATE", "services", "production", labelled(kRelease, R"(,"finalizers":["a"])"), labelled(kRelease)),
         {".metadata.finalizers"}},
        {"created with a switch that only looks different",
         ask("CREATE", "services", "production", with_key("annotations", "\u212austomize.toolkit.fluxcd.io/reconcile", "disabled")),
         {".metadata.annotations[\"\u212austomize.toolkit.fluxcd.io/reconcile\"]"}},
        {"created with another key of Flux",
         ask("CREATE", "services", "production", with_key("annotations", "kustomize.toolkit.fluxcd.io/substitute", "disabled")),
         {R"(.metadata.annotations["kustomize.toolkit.fluxcd.io/substitute"])"}},
        {"created with an entry of Flux", ask("CREATE", "apps/deployments", "production", declared("")), {".metadata.managedFields"}},
        {"an owner reference",
         ask("UPDATE", "apps/deployments", "production", declared(R"("ownerReferences":[{"name":"x","uid":"dead"}],)"), declared("")),
         {".metadata.ownerReferences"}},
        {"a finalizer removed",
         ask("UPDATE", "apps/deployments", "production", declared(""), declared(R"("finalizers":["a"],)")),
         {".metadata.finalizers"}},
        {"Flux's entry with a field more",
         ask("UPDATE", "apps/deployments", "production", declared("", R"({"f:spec":{},"f:x":{}})"), declared("")),
         {".metadata.managedFields"}},
        {"Flux's entry renamed", ask("UPDATE", "apps/deployments", "production", renamed, declared("")), {".metadata.managedFields"}},
        {"Flux's entry back-dated", ask("UPDATE", "apps/deployments", "production", dated, declared("")), {".metadata.managedFields"}},
        {"Flux's entry of the object made one of its status",
         ask("UPDATE", "apps/deployments", "production", entry(R"("operation")", R"("subresource":"status","operation")"), declared("")),
         {".metadata.managedFields"}},
        {"Flux's entry, which could not be read, changed",
         ask("UPDATE", "apps/deployments", "production", declared(""), declared("", R"({"z:spec":{}})")),
         {".metadata.managedFields"}},
        {"Flux's entry removed",
         ask("UPDATE", "apps/deployments", "production", R"({"apiVersion":"apps/v1","metadata":{"name":"web"}})", declared("")),
         {".metadata.managedFields"}},
    };
    const auto set = sample::compiled(kLock);
    const auto found = [&](const Request& request, bool enforced) {
        Verdict verdict;
        Findings findings(verdict, "fluxgate", "escape", Action::deny);
        const Read review(request);
        judge_escape(*review, *set, {}, read_assurance(review->user), {.enforced = enforced, .granted = false}, findings);
        return paths(verdict);
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::set<std::string> list;
        for (const std::string& path : found(row.request, true)) list.insert(path.substr(0, path.find("[0]")));
        CHECK(list == row.refused);
        CHECK(found(row.request, false).empty());
        CHECK(found(by(sample::kFlux, row.request), true).empty());
        // A lock that refuses says so itself.
        const Verdict refused = judge(row.request);
        CHECK_FALSE(refused.allowed);
        CHECK(escapes(refused).empty());
        Request elsewhere = row.request;
        elsewhere.namespace_name = "staging";
        CHECK(judge(elsewhere).allowed);
    }
    const Row harmless[] = {
        {"asks for a reconciliation",
         ask("UPDATE", "services", "production", with_key("annotations", "reconcile.fluxcd.io/requestedAt", "1"), kPlain)},
        {"any other label", ask("UPDATE", "services", "production", with_key("labels", "team", "a"), kPlain)},
        {"a finalizer of what Flux does not declare",
         ask("UPDATE", "services", "production", R"({"metadata":{"finalizers":["a"]}})", R"({"metadata":{}})")},
        {"created with copied owner labels", ask("CREATE", "services", "production", owned)},
        {"deleted, switch and all",
         ask("DELETE", "services", "production", "null", with_key("labels", "kustomize.toolkit.fluxcd.io/prune", "disabled"))},
        {"a scale, which has no labels to keep", ask("UPDATE", "apps/deployments/scale", "production", kPlain, owned)},
        {"created by Helm", ask("CREATE", "services", "production", with_key("annotations", "meta.helm.sh/release-name", "a"))},
        {"created with the entry of somebody else", ask("CREATE", "apps/deployments", "production", renamed)},
        {"Flux's entry without a field that a grant let change",
         ask("UPDATE", "apps/deployments", "production", declared("", R"({"f:spec":{}})"), declared("", R"({"f:gone":{},"f:spec":{}})"))},
    };
    for (const Row& row : harmless) {
        INFO(row.name);
        CHECK(found(row.request, true).empty());
    }
    // Flux's own objects are guarded as a whole, and what changes in them is said once.
    Verdict verdict;
    Findings findings(verdict, "fluxgate", "escape", Action::deny);
    const Read own(ask("UPDATE", kKustomization, "production", labelled(kName, R"(,"finalizers":["a"])"), labelled(kName)));
    judge_escape(*own, *set, {}, Assurance::certificate, {.enforced = true, .granted = false}, findings);
    CHECK(escapes(verdict).size() == 2);
    CHECK(paths(verdict) == std::set<std::string>{".", ".metadata.finalizers"});
}

TEST_CASE("within a grant the reconcile switch may be put to disabled and back, and nothing else") {
    struct Case {
        std::string_view name;
        std::string before;
        std::string after;
        bool opened;
    };
    const std::string off = with_key("annotations", "kustomize.toolkit.fluxcd.io/reconcile", "disabled");
    const Case cases[] = {
        {"disabled", kPlain, off, true},
        {"disabled by a label", kPlain, with_key("labels", "kustomize.toolkit.fluxcd.io/reconcile", "Disabled"), true},
        {"and back", off, kPlain, true},
        {"to something else", off, with_key("annotations", "kustomize.toolkit.fluxcd.io/reconcile", "x"), false},
        {"from something else", with_key("annotations", "kustomize.toolkit.fluxcd.io/reconcile", "x"), off, false},
        {"prune", kPlain, with_key("annotations", "kustomize.toolkit.fluxcd.io/prune", "disabled"), false},
        {"ssa", kPlain, with_key("labels", "kustomize.toolkit.fluxcd.io/ssa", "Ignore"), false},
        {"a look-alike key", kPlain, with_key("labels", "x.kustomize.toolkit.fluxcd.io/reconcile", "disabled"), false},
    };
    const auto set = sample::compiled(kLock);
    for (const Case& one : cases) {
        INFO(one.name);
        const Read review(ask("UPDATE", "services", "production", one.after, one.before));
        for (const bool granted : {true, false}) {
            INFO(granted);
            Verdict verdict;
            Findings findings(verdict, "fluxgate", "escape", Action::deny);
            judge_escape(*review, *set, {}, Assurance::certificate, {.enforced = true, .granted = granted}, findings);
            CHECK((findings.count() == 0) == (granted && one.opened));
        }
    }
}

TEST_CASE("nobody becomes a writer by a token, a Secret, a Pod or a connection") {
    const std::string token_secret =
        R"({"type":"kubernetes.io/service-account-token","metadata":{"name":"t","annotations":{"kubernetes.io/service-account.name":"kustomize-controller"}}})";
    const std::string annotated = R"(.metadata.annotations["kubernetes.io/service-account.name"])";
    const Row rows[] = {
        {"a token", ask("CREATE", "serviceaccounts/token", "flux-system", R"({"spec":{}})", "null", "kustomize-controller")},
        {"a token that ends with a Pod", ask("CREATE", "serviceaccounts/token", "flux-system",
                                             R"({"spec":{"boundObjectRef":{"kind":"Pod"}}})", "null", "source-controller")},
        {"a token of a controller of Kubernetes",
         ask("CREATE", "serviceaccounts/token", "kube-system", "{}", "null", "deployment-controller")},
        {"a Secret with a token", ask("CREATE", "secrets", "flux-system", token_secret), {annotated}},
        {"a Secret that becomes one", ask("UPDATE", "secrets", "flux-system", token_secret, kPlain), {annotated}},
        {"a Secret with a token in kube-system",
         ask("CREATE", "secrets", "kube-system",
             R"({"type":"kubernetes.io/service-account-token","metadata":{"annotations":{"kubernetes.io/service-account.name":"job-controller"}}})"),
         {annotated}},
        {"a Pod", ask("CREATE", "pods", "flux-system", pod_of("kustomize-controller")), {".spec.serviceAccountName"}},
        {"a Pod by the old field",
         ask("CREATE", "pods", "flux-system", R"({"spec":{"serviceAccount":"helm-controller"}})"),
         {".spec.serviceAccountName"}},
        {"a Pod by the old field, behind another account",
         ask("CREATE", "pods", "flux-system", R"({"spec":{"serviceAccountName":"web","serviceAccount":"helm-controller"}})"),
         {".spec.serviceAccountName"}},
        {"a Pod changed",
         ask("UPDATE", "pods", "flux-system", pod_of("helm-controller"), pod_of("helm-controller")),
         {".spec.serviceAccountName"}},
        {"a Pod debugged",
         ask("UPDATE", "pods/ephemeralcontainers", "flux-system", pod_of("helm-controller"), pod_of("helm-controller")),
         {".spec.serviceAccountName"}},
        {"a Deployment",
         ask("CREATE", "apps/deployments", "flux-system", template_of("kustomize-controller")),
         {".spec.template.spec.serviceAccountName"}},
        {"a DaemonSet",
         ask("UPDATE", "apps/daemonsets", "flux-system", template_of("source-controller"), template_of("")),
         {".spec.template.spec.serviceAccountName"}},
        {"a ControllerRevision",
         ask("CREATE", "apps/controllerrevisions", "flux-system", R"({"data":)" + template_of("kustomize-controller") + "}"),
         {".data.spec.template.spec.serviceAccountName"}},
        {"a ControllerRevision changed",
         ask("UPDATE", "apps/controllerrevisions", "flux-system", R"({"data":)" + template_of("helm-controller") + "}", "{}"),
         {".data.spec.template.spec.serviceAccountName"}},
        {"the revision of a StatefulSet",
         ask("UPDATE", "apps/statefulsets/status", "flux-system", template_of("source-controller"), template_of("source-controller")),
         {".spec.template.spec.serviceAccountName"}},
        {"a CronJob",
         ask("CREATE", "batch/cronjobs", "flux-system", R"({"spec":{"jobTemplate":)" + template_of("helm-controller") + "}}"),
         {".spec.jobTemplate.spec.template.spec.serviceAccountName"}},
        {"a Pod of cert-manager", ask("CREATE", "pods", "cert-manager", pod_of("cert-manager-cainjector")), {".spec.serviceAccountName"}},
        {"a shell", ask("CONNECT", "pods/exec", "flux-system", R"({"command":["sh"]})", "null", "any")},
        {"attached", ask("CONNECT", "pods/attach", "flux-system", "{}", "null", "any")},
        {"a forwarded port", ask("CONNECT", "pods/portforward", "cert-manager", "{}", "null", "any")},
        {"a proxied Service", ask("CONNECT", "services/proxy", "flux-system", "{}", "null", "source-controller")},
        {"a kubelet", ask("CONNECT", "nodes/proxy", "", R"({"path":"exec/flux-system/p/c"})", "null", "node-1")},
        {"a kubelet, disguised", ask("CONNECT", "nodes/proxy", "", R"({"path":"metrics/../run/a"})", "null", "node-1")},
        {"a kubelet as such", ask("CONNECT", "nodes/proxy", "", "{}", "null", "node-1")},
        {"the account itself", ask("DELETE", "serviceaccounts", "flux-system", "null", R"({"metadata":{"name":"kustomize-controller"}})")},
        {"the account changed",
         ask("UPDATE", "serviceaccounts", "flux-system", R"({"metadata":{"name":"kustomize-controller"},"secrets":[]})",
             R"({"metadata":{"name":"kustomize-controller"}})")},
    };
    for (const Row& row : rows) expect_refused(row);
    // Every account of Flux may mint tokens, as far as RBAC goes; none may, as far as we go.
    CHECK_FALSE(judge(by(sample::pod_bound("flux-system", "source-controller"), rows[0].request)).allowed);

    const std::string kubelet = sample::certificate("system:node:aks-1", "system:nodes");
    const std::string managed =
        R"({"metadata":{"ownerReferences":[{"kind":"X","controller":true}]},"spec":{"serviceAccountName":"helm-controller"}})";
    const Row harmless[] = {
        {"a kubelet, for a Pod", by(kubelet, rows[1].request)},
        {"the ReplicaSet controller",
         by(sample::token("kube-system", "replicaset-controller"), ask("CREATE", "pods", "flux-system", managed))},
        {"the Deployment controller",
         by(sample::token("kube-system", "deployment-controller"),
            ask("CREATE", "apps/replicasets", "flux-system",
                R"({"metadata":{"ownerReferences":[{"kind":"X","controller":true}]},"spec":{"template":{"spec":{"serviceAccountName":"helm-controller"}}}})"))},
        {"kube-controller-manager, for its controllers",
         by(sample::certificate("system:kube-controller-manager"),
            ask("CREATE", "serviceaccounts/token", "kube-system", "{}", "null", "deployment-controller"))},
        {"the token controller fills a Secret",
         by(sample::certificate("system:kube-controller-manager"), ask("UPDATE", "secrets", "kube-system", token_secret, kPlain))},
        {"a token of somebody else", ask("CREATE", "serviceaccounts/token", "team-a", "{}", "null", "kustomize-controller")},
        {"a token Secret of somebody else", ask("CREATE", "secrets", "team-a", token_secret)},
        {"a Secret without a token that names a writer",
         ask("CREATE", "secrets", "kube-system",
             R"({"type":"Opaque","metadata":{"annotations":{"kubernetes.io/service-account.name":"job-controller"}}})")},
        {"an account of Kubernetes",
         ask("UPDATE", "serviceaccounts", "kube-system", R"({"metadata":{"name":"job-controller"},"secrets":[]})",
             R"({"metadata":{"name":"job-controller"}})")},
        {"the end of an account's deletion",
         ask("DELETE", "serviceaccounts", "flux-system", "null",
             R"({"metadata":{"name":"kustomize-controller","deletionTimestamp":"2026-11-21T05:30:48Z"}})")},
        {"a Pod of Flux evicted", ask("CREATE", "pods/eviction", "flux-system", kPlain)},
        {"a Pod of Flux deleted", ask("DELETE", "pods", "flux-system", "null", pod_of("helm-controller"))},
        {"the status of a Pod of Flux, by anybody",
         ask("UPDATE", "pods/status", "flux-system", pod_of("helm-controller"), pod_of("helm-controller"))},
        {"a Pod of somebody else", ask("CREATE", "pods", "team-a", pod_of("kustomize-controller"))},
        {"a Pod without an account, beside Flux", ask("CREATE", "pods", "flux-system", R"({"spec":{}})")},
        {"a Deployment in a namespace without a lock", ask("UPDATE", "apps/deployments", "team-a", template_of("web"), template_of("web"))},
        {"a ControllerRevision of somebody else",
         ask("CREATE", "apps/controllerrevisions", "team-a", R"({"data":)" + template_of("kustomize-controller") + "}")},
        {"a ControllerRevision without an account, beside Flux",
         ask("CREATE", "apps/controllerrevisions", "flux-system", R"({"data":{}})")},
        {"the StatefulSet controller",
         by(sample::token("kube-system", "statefulset-controller"),
            ask("CREATE", "apps/controllerrevisions", "flux-system",
                R"({"metadata":{"ownerReferences":[{"kind":"X","controller":true}]},"data":)" + template_of("helm-controller") + "}"))},
        {"and its status", by(sample::token("kube-system", "statefulset-controller"),
                              ask("UPDATE", "apps/statefulsets/status", "flux-system", template_of("helm-controller"), "{}"))},
        {"the status of a Deployment of Flux",
         ask("UPDATE", "apps/deployments/status", "flux-system", template_of("helm-controller"), template_of("helm-controller"))},
        {"the status of a Pod of Flux",
         by(kubelet, ask("UPDATE", "pods/status", "flux-system", pod_of("helm-controller"), pod_of("helm-controller")))},
        {"an add-on in kube-system", ask("UPDATE", "apps/daemonsets", "kube-system", template_of("cloud-node-manager"), template_of(""))},
        {"a shell elsewhere", ask("CONNECT", "pods/exec", "team-a", "{}", "null", "any")},
        {"a shell in kube-system", ask("CONNECT", "pods/exec", "kube-system", "{}", "null", "any")},
        {"monitoring reads from a kubelet", ask("CONNECT", "nodes/proxy", "", R"({"path":"/metrics/cadvisor"})", "null", "node-1")},
        {"the default account of a new Namespace",
         by(sample::token("kube-system", "service-account-controller"), ask("CREATE", "serviceaccounts", "flux-system", kPlain))},
    };
    for (const Row& row : harmless) expect_passed(row);
}

TEST_CASE("a Namespace with a lock keeps its labels and stays") {
    const auto space = [](std::string_view metadata) { return R"({"metadata":{"name":"production",)" + std::string(metadata) + "}}"; };
    const std::string before = space(R"("labels":{"env":"production"})");
    const Row rows[] = {
        {"deleted", ask("DELETE", "namespaces", "production", "null", before, "production")},
        {"a label more",
         ask("UPDATE", "namespaces", "production", space(R"("labels":{"env":"production","control-plane":"true"})"), before, "production"),
         {".metadata.labels.control-plane"}},
        {"a label less",
         ask("UPDATE", "namespaces", "production", space(R"("labels":{})"), before, "production"),
         {".metadata.labels.env"}},
        {"through the status",
         ask("UPDATE", "namespaces/status", "production", space(R"("labels":{"env":"test"})"), before, "production"),
         {".metadata.labels.env"}},
        {"an owner that is dead",
         ask("UPDATE", "namespaces", "production", space(R"("labels":{"env":"production"},"ownerReferences":[{"uid":"dead"}])"), before,
             "production"),
         {".metadata.ownerReferences"}},
        {"finalized", ask("UPDATE", "namespaces/finalize", "production", before, before, "production")},
    };
    for (const Row& row : rows) expect_refused(row);
    const std::string controller = sample::token("kube-system", "namespace-controller");
    const std::string dying = space(R"("deletionTimestamp":"2026-11-21T05:30:48Z")");
    const Row harmless[] = {
        {"an annotation", ask("UPDATE", "namespaces", "production", space(R"("labels":{"env":"production"},"annotations":{"a":"b"})"),
                              before, "production")},
        {"finalized by its controller", by(controller, ask("UPDATE", "namespaces/finalize", "production", before, before, "production"))},
        {"deleted once more", ask("DELETE", "namespaces", "production", "null", dying, "production")},
        {"created", ask("CREATE", "namespaces", "production", before, "null", "production")},
        {"another", ask("DELETE", "namespaces", "staging", "null", R"({"metadata":{"name":"staging"}})", "staging")},
    };
    for (const Row& row : harmless) expect_passed(row);
}

TEST_CASE("no role and no binding opens a way around the lock") {
    const std::string all = R"("*")";
    const std::string impersonates = rule(R"("")", R"("users")", R"("impersonate")");
    const std::string reads = rule(R"("")", R"("pods","secrets")", R"("get","list")");
    const Row rows[] = {
        {"impersonation", ask("CREATE", kClusterRoles, "", rules(impersonates)), {".rules[0]"}},
        {"constrained impersonation",
         ask("CREATE", kClusterRoles, "", rules(reads + "," + rule(R"("")", R"("serviceaccounts")", R"("impersonate:serviceaccount")"))),
         {".rules[1]"}},
        {"impersonation in another's name",
         ask("CREATE", kClusterRoles, "", rules(rule(R"("apps")", R"("deployments")", R"("impersonate-on:serviceaccount:update")"))),
         {".rules[0]"}},
        {"impersonated extras",
         ask("CREATE", kClusterRoles, "", rules(rule(R"("authentication.k8s.io")", R"("userextras/scopes")", R"("impersonate")"))),
         {".rules[0]"}},
        {"every verb on what is impersonated",
         ask("CREATE", kClusterRoles, "", rules(rule(R"("authentication.k8s.io")", R"("users","userextras/a")", all))),
         {".rules[0]"}},
        {"every verb on extras alone",
         ask("CREATE", kClusterRoles, "",
             rules(rule(R"("authentication.k8s.io")", R"("userextras/authentication.kubernetes.io/credential-id")", all))),
         {".rules[0]"}},
        {"every verb on extras of every group",
         ask("CREATE", kClusterRoles, "", rules(rule(all, R"("pods","userextras/a")", all))),
         {".rules[0]"}},
        {"every verb on the whole group",
         ask("CREATE", kClusterRoles, "", rules(rule(R"("authentication.k8s.io")", all, all))),
         {".rules[0]"}},
        {"every verb on accounts of that group",
         ask("CREATE", kRoles, "flux-system", rules(rule(R"("authentication.k8s.io")", R"("serviceaccounts")", all))),
         {".rules[0]"}},
        {"every verb on accounts", ask("CREATE", kRoles, "flux-system", rules(rule(R"("")", R"("serviceaccounts")", all))), {".rules[0]"}},
        {"escalate",
         ask("CREATE", kClusterRoles, "", rules(rule(R"("rbac.authorization.k8s.io")", R"("clusterroles")", R"("escalate")"))),
         {".rules[0]"}},
        {"bind",
         ask("CREATE", kRoles, "production", rules(rule(R"("rbac.authorization.k8s.io")", R"("roles")", R"("bind")"))),
         {".rules[0]"}},
        {"tokens", ask("CREATE", kClusterRoles, "", rules(rule(R"("")", R"("serviceaccounts/token")", R"("create")"))), {".rules[0]"}},
        {"tokens by a pattern", ask("CREATE", kRoles, "flux-system", rules(rule(R"("")", R"("*/token")", R"("create")"))), {".rules[0]"}},
        {"tokens of one writer",
         ask("CREATE", kRoles, "flux-system",
             rules(rule(R"("")", R"("serviceaccounts/token")", R"("create")", R"(,"resourceNames":["helm-controller"])"))),
         {".rules[0]"}},
        {"everything", ask("CREATE", kClusterRoles, "", rules(rule(all, all, all))), {".rules[0]"}},
        {"kubelets", ask("CREATE", kClusterRoles, "", rules(rule(R"("")", R"("nodes/proxy")", R"("get")"))), {".rules[0]"}},
        {"webhooks",
         ask("CREATE", kClusterRoles, "",
             rules(rule(R"("admissionregistration.k8s.io")", R"("validatingwebhookconfigurations")", R"("patch")"))),
         {".rules[0]"}},
        {"a rule more", ask("UPDATE", kClusterRoles, "", rules(reads + "," + impersonates), rules(reads)), {".rules[1]"}},
        {"another subject of the same rule",
         ask("UPDATE", kClusterRoles, "", rules(rule(R"("")", R"("users")", R"("impersonate")", R"(,"resourceNames":["b"])")),
             rules(rule(R"("")", R"("users")", R"("impersonate")", R"(,"resourceNames":["a"])"))),
         {".rules[0]"}},
        {"a label that adds its rules to others",
         ask("UPDATE", kClusterRoles, "",
             R"({"metadata":{"labels":{"rbac.authorization.k8s.io/aggregate-to-edit":"true"}},"rules":[)" + impersonates + "]}",
             rules(impersonates)),
         {".rules[0]"}},
        {"rules of others", ask("CREATE", kClusterRoles, "", R"({"aggregationRule":{"clusterRoleSelectors":[{}]}})"), {".aggregationRule"}},
        {"cluster-admin", ask("CREATE", kClusterBindings, "", bound_to("cluster-admin", "alice")), {".roleRef.name"}},
        {"one more cluster-admin",
         ask("UPDATE", kClusterBindings, "", bound_to("cluster-admin", "alice"), bound_to("cluster-admin", "bob")),
         {".roleRef.name"}},
        {"edit of everything", ask("CREATE", kClusterBindings, "", bound_to("edit", "alice")), {".roleRef.name"}},
        {"a stock role of Flux", ask("CREATE", kClusterBindings, "", bound_to("flux-edit-flux-system", "alice")), {".roleRef.name"}},
        {"the role of Flux's controllers",
         ask("CREATE", kClusterBindings, "", bound_to("crd-controller-flux-system", "alice")),
         {".roleRef.name"}},
        {"edit of Flux's namespace", ask("CREATE", kBindings, "flux-system", bound_to("edit", "alice")), {".roleRef.name"}},
        {"admin of a locked namespace", ask("CREATE", kBindings, "production", bound_to("admin", "alice")), {".roleRef.name"}},
        {"a role whose rules others take over",
         ask("CREATE", kClusterBindings, "", bound_to("system:aggregate-to-admin", "alice")),
         {".roleRef.name"}},
        {"a controller's role",
         ask("CREATE", kClusterBindings, "", bound_to("system:controller:clusterrole-aggregation-controller", "alice")),
         {".roleRef.name"}},
    };
    for (const Row& row : rows) expect_refused(row);
    const std::string api_server = R"({"username":"system:apiserver","groups":["system:masters","system:authenticated"]})";
    const std::string bootstrap =
        R"({"metadata":{"name":"system:controller:x","labels":{"kubernetes.io/bootstrapping":"rbac-defaults"}},"rules":[)" +
        rule(all, all, all) + "]}";
    const Row harmless[] = {
        {"reading", ask("CREATE", kClusterRoles, "", rules(reads))},
        {"every verb on Deployments", ask("CREATE", kClusterRoles, "", rules(rule(R"("apps")", R"("deployments")", all)))},
        {"a dangerous rule that was there", ask("UPDATE", kClusterRoles, "", rules(impersonates + "," + reads), rules(impersonates))},
        {"a dangerous rule removed", ask("UPDATE", kClusterRoles, "", rules(reads), rules(impersonates + "," + reads))},
        {"tokens of others", ask("CREATE", kClusterRoles, "",
                                 rules(rule(R"("")", R"("serviceaccounts/token")", R"("create")", R"(,"resourceNames":["vault"])")))},
        {"bindings to one role",
         ask("CREATE", kClusterRoles, "",
             rules(rule(R"("rbac.authorization.k8s.io")", R"("clusterroles")", R"("bind")", R"(,"resourceNames":["view"])")))},
        {"every verb on reviews of tokens",
         ask("CREATE", kClusterRoles, "", rules(rule(R"("authentication.k8s.io")", R"("tokenreviews","selfsubjectreviews")", all)))},
        {"every verb on Pods of every group", ask("CREATE", kClusterRoles, "", rules(rule(all, R"("pods","*/status")", all)))},
        {"creating what is asked there", ask("CREATE", kClusterRoles, "", rules(rule(R"("authentication.k8s.io")", all, R"("create")")))},
        {"a stock role that reads", ask("CREATE", kClusterBindings, "", bound_to("flux-view-flux-system", "alice"))},
        {"a team's own", ask("CREATE", kRoles, "team-a", rules(rule(R"("")", R"("serviceaccounts/token")", R"("create")")))},
        {"a team's own edit", ask("CREATE", kBindings, "team-a", bound_to("edit", "alice"))},
        {"view of everything", ask("CREATE", kClusterBindings, "", bound_to("view", "alice"))},
        {"a label of a binding",
         ask("UPDATE", kClusterBindings, "", bound_to("cluster-admin", "alice"), bound_to("cluster-admin", "alice"))},
        {"a delegator", ask("CREATE", kClusterBindings, "", bound_to("system:auth-delegator", "alice"))},
        {"the right to ask another API for tokens",
         ask("CREATE", kClusterRoles, "", rules(rule(R"("example.com")", R"("serviceaccounts/token")", R"("create")")))},
        {"another subresource of everything", ask("CREATE", kClusterRoles, "", rules(rule(R"("")", R"("*/scale")", R"("create")")))},
        {"tokens of something else", ask("CREATE", kClusterRoles, "", rules(rule(R"("")", R"("x/token")", R"("create")")))},
        {"impersonation of one account, which is no writer",
         ask("CREATE", kClusterRoles, "",
             rules(rule(R"("")", R"("serviceaccounts")", R"("impersonate")", R"(,"resourceNames":["vault"])")))},
        {"kubelets in a Role, which reaches none",
         ask("CREATE", kRoles, "production", rules(rule(R"("")", R"("nodes/proxy")", R"("get")")))},
        {"a Role of the name of a ClusterRole",
         ask("CREATE", kBindings, "production",
             R"({"roleRef":{"kind":"Role","name":"edit"},"subjects":[{"kind":"User","name":"alice"}]})")},
        {"the last subject taken away", ask("UPDATE", kClusterBindings, "", R"({"roleRef":{"kind":"ClusterRole","name":"cluster-admin"}})",
                                            bound_to("cluster-admin", "alice"))},
        {"a role removed", ask("DELETE", kClusterRoles, "", "null", rules(impersonates))},
        {"a binding removed", ask("DELETE", kClusterBindings, "", "null", bound_to("cluster-admin", "alice"))},
        {"the API server's own cluster-admin",
         by(api_server, ask("CREATE", kClusterRoles, "",
                            R"({"metadata":{"name":"cluster-admin","labels":{"kubernetes.io/bootstrapping":"rbac-defaults"}},"rules":[)" +
                                rule(all, all, all) + "]}"))},
        {"the API server at its start", by(api_server, ask("CREATE", kClusterRoles, "", bootstrap))},
        {"the aggregation controller", by(sample::token("kube-system", "clusterrole-aggregation-controller"),
                                          ask("UPDATE", kClusterRoles, "", rules(rule(all, all, all)), rules("")))},
    };
    for (const Row& row : harmless) expect_passed(row);
    expect_refused(
        {"the API server's name without its object", by(api_server, ask("CREATE", kClusterRoles, "", rules(impersonates))), {".rules[0]"}});
    expect_refused({"its label without its name", ask("CREATE", kClusterRoles, "", bootstrap), {".rules[0]"}});
    expect_refused({"its name without its group",
                    by(R"({"username":"system:apiserver","groups":["system:authenticated"]})", ask("CREATE", kClusterRoles, "", bootstrap)),
                    {".rules[0]"}});
    expect_refused({"its group without its name",
                    by(R"({"username":"mallory","groups":["system:masters"]})", ask("CREATE", kClusterRoles, "", bootstrap)),
                    {".rules[0]"}});
    expect_refused({"one of its roles without its label",
                    by(api_server, ask("CREATE", kClusterRoles, "", R"({"metadata":{"name":"system:x"},"rules":[)" + impersonates + "]}")),
                    {".rules[0]"}});
    std::string of_another = bootstrap;
    of_another.replace(of_another.find("system:controller:x"), 19, "of-another");
    expect_refused({"its name and its label on another role", by(api_server, ask("CREATE", kClusterRoles, "", of_another)), {".rules[0]"}});
    std::string many = reads;
    for (int i = 0; i < 49; ++i) many += "," + reads;
    expect_refused({"a list too long to compare",
                    ask("UPDATE", kClusterRoles, "", rules(many + "," + impersonates), rules(impersonates + "," + many)),
                    {".rules[50]"}});
    expect_refused({"a list that becomes too long to compare",
                    ask("UPDATE", kClusterRoles, "", rules(impersonates + "," + many), rules(impersonates)),
                    {".rules[0]"}});
    expect_refused({"a list that was too long to compare",
                    ask("UPDATE", kClusterRoles, "", rules(impersonates), rules(impersonates + "," + many)),
                    {".rules[0]"}});
    expect_passed(
        {"a long list that stays", ask("UPDATE", kClusterRoles, "", rules(impersonates + "," + many), rules(impersonates + "," + many))});
    const std::string big = rule(R"("")", "\"" + std::string(70'000, 'a') + "\"", R"("get")");
    expect_refused({"rules too big to compare",
                    ask("UPDATE", kClusterRoles, "", rules(impersonates + "," + big), rules(big + "," + impersonates)),
                    {".rules[0]"}});
}

TEST_CASE("no certificate makes somebody a writer") {
    const std::string flux = "system:serviceaccount:flux-system:kustomize-controller";
    const std::set<std::string> path{".spec.request"};
    const std::string node = "system:node:aks-1";
    const std::string client_kubelet = "kubernetes.io/kube-apiserver-client-kubelet";
    const Row rows[] = {
        {"a service account", ask("CREATE", kRequests, "", named(flux)), path},
        {"as a wide string", ask("CREATE", kRequests, "", named(wide(flux, 1))), path},
        {"as a wider string", ask("CREATE", kRequests, "", named(wide(flux, 3))), path},
        {"masters", ask("CREATE", kRequests, "", named("system:masters")), path},
        {"a node", ask("CREATE", kRequests, "", named(node)), path},
        {"the scheduler", ask("CREATE", kRequests, "", named("system:kube-scheduler")), path},
        {"the user of AKS", ask("CREATE", kRequests, "", named("aksService")), path},
        {"approved", ask("UPDATE", kRequests + "/approval", "", named(flux), named(flux)), path},
        {"signed", ask("UPDATE", kRequests + "/status", "", named(flux), named(flux)), path},
        {"no request", ask("CREATE", kRequests, "", "{}"), path},
        {"no base64", ask("CREATE", kRequests, "", signing("%%%")), path},
        {"no PEM", ask("CREATE", kRequests, "", signing(base64("text"))), path},
        {"one too long to look through", ask("CREATE", kRequests, "", signing(pem(std::string(80'000, 'a')))), path},
        {"no beginning", ask("CREATE", kRequests, "", signing(base64(std::string(64, 'A') + "\n-----END CERTIFICATE REQUEST-----"))), path},
        {"no end", ask("CREATE", kRequests, "", signing(base64("-----BEGIN CERTIFICATE REQUEST-----\neA=="))), path},
        {"the end before the beginning",
         ask("CREATE", kRequests, "", signing(base64("-----END CERTIFICATE REQUEST-----\n-----BEGIN CERTIFICATE REQUEST-----\neA=="))),
         path},
        {"one block after the other",
         ask("CREATE", kRequests, "",
             signing(base64("-----BEGIN CERTIFICATE REQUEST-----\neA==\n-----END CERTIFICATE REQUEST-----\n"
                            "-----BEGIN CERTIFICATE REQUEST-----\n" +
                            base64(flux) + "\n-----END CERTIFICATE REQUEST-----\n"))),
         path},
        {"two blocks",
         ask("CREATE", kRequests, "",
             signing(base64("-----BEGIN X-----\n" +
                            std::string("-----BEGIN CERTIFICATE REQUEST-----\neA==\n-----END CERTIFICATE REQUEST-----")))),
         path},
        {"a header within",
         ask("CREATE", kRequests, "",
             signing(base64("-----BEGIN CERTIFICATE REQUEST-----\na: b\n\neA==\n-----END CERTIFICATE REQUEST-----"))),
         path},
        {"another's node", ask("CREATE", kRequests, "", signing(pem(node), client_kubelet)), path},
        {"a node's, approved for another",
         ask("UPDATE", kRequests + "/approval", "", signing(pem(node), client_kubelet, R"(,"username":"alice")"),
             signing(pem(node), client_kubelet, R"(,"username":"alice")")),
         path},
    };
    for (const Row& row : rows) expect_refused(row);
    const std::string kubelet = sample::certificate(node, "system:nodes");
    expect_refused({"a kubelet that asks another signer", by(kubelet, ask("CREATE", kRequests, "", named(node))), path});
    expect_refused({"a kubelet's name without its group",
                    by(sample::certificate(node), ask("CREATE", kRequests, "", signing(pem(node), client_kubelet))), path});
    expect_refused({"a kubelet's group without its name",
                    by(sample::certificate("alice", "system:nodes"), ask("CREATE", kRequests, "", signing(pem(node), client_kubelet))),
                    path});
    const std::string joining = R"({"username":"system:bootstrap:abcdef","groups":["system:bootstrappers","system:authenticated"]})";
    const std::string of_node =
        signing(pem(node), "kubernetes.io/kubelet-serving", R"(,"username":"system:node:aks-1","groups":["system:nodes"])");
    const std::string controller = sample::token("kube-system", "certificate-controller");
    const Row harmless[] = {
        {"a person", ask("CREATE", kRequests, "", named("alice@example.com"))},
        {"a person, in lines as Windows and editors write them",
         ask("CREATE", kRequests, "",
             signing(base64("-----BEGIN CERTIFICATE REQUEST-----\r\n YWxp\tY2U=\r\n-----END CERTIFICATE REQUEST-----\r\n")))},
        {"a bundle of certificates that one trusts",
         ask("CREATE", "certificates.k8s.io/clustertrustbundles", "", R"({"spec":{"trustBundle":"x"}})")},
        {"a kubelet", by(kubelet, ask("CREATE", kRequests, "", signing(pem(node), client_kubelet)))},
        {"a node that joins", by(joining, ask("CREATE", kRequests, "", signing(pem(node), client_kubelet)))},
        {"a kubelet's, approved by a person", ask("UPDATE", kRequests + "/approval", "", of_node, of_node)},
        {"approved by its controller", by(controller, ask("UPDATE", kRequests + "/approval", "", named(node), named(node)))},
        {"signed by its controller", by(controller, ask("UPDATE", kRequests + "/status", "", named(node), named(node)))},
        {"removed", ask("DELETE", kRequests, "", "null", named(flux))},
        {"a label", ask("UPDATE", kRequests, "", named(flux), named(flux))},
    };
    for (const Row& row : harmless) expect_passed(row);
}

TEST_CASE("nobody takes over what serves or converts guarded kinds") {
    const std::string there = R"({"name":"a","namespace":"b"})";
    const Row rows[] = {
        {"Deployments served by another", ask("CREATE", kApiServices, "", api_service("apps", there))},
        {"Flux's objects served by another", ask("CREATE", kApiServices, "", api_service("kustomize.toolkit.fluxcd.io", there))},
        {"a group of others served by another", ask("CREATE", kApiServices, "", api_service("cert-manager.io", there))},
        {"a group of others no longer served", ask("DELETE", kApiServices, "", "null", api_service("example.com", there))},
        {"redirected", ask("UPDATE", kApiServices, "", api_service("batch", there), api_service("batch", "null")), {".spec.service"}},
        {"no longer redirected",
         ask("UPDATE", kApiServices, "", api_service("batch", "null"), api_service("batch", there)),
         {".spec.service"}},
        {"removed", ask("DELETE", kApiServices, "", "null", api_service("rbac.authorization.k8s.io", "null"))},
        {"a definition of Flux",
         ask("UPDATE", kDefinitions, "", definition("source.toolkit.fluxcd.io", "{}"), definition("source.toolkit.fluxcd.io", "{}"))},
        {"a definition of Flux made", ask("CREATE", kDefinitions, "", definition("kustomize.toolkit.fluxcd.io", "{}"))},
        {"converted in another way",
         ask("UPDATE", kDefinitions, "", definition("example.com", R"({"strategy":"Webhook"})"),
             definition("example.com", R"({"strategy":"None"})")),
         {".spec.conversion.strategy"}},
        {"a definition of Flux removed", ask("DELETE", kDefinitions, "", "null", definition("helm.toolkit.fluxcd.io", "{}"))},
        {"the status of a definition of Flux", ask("UPDATE", kDefinitions + "/status", "", definition("helm.toolkit.fluxcd.io", "{}"),
                                                   definition("helm.toolkit.fluxcd.io", "{}"))},
        {"another definition removed", ask("DELETE", kDefinitions, "", "null", definition("cert-manager.io", "{}"))},
        {"a default more",
         ask("UPDATE", kDefinitions, "", R"({"spec":{"group":"a.io","versions":[{"name":"v1","schema":{"a":1}}]}})",
             R"({"spec":{"group":"a.io","versions":[{"name":"v1"}]}})"),
         {".spec.versions[name=\"v1\"].schema"}},
        {"no longer served",
         ask("UPDATE", kDefinitions, "", R"({"spec":{"group":"a.io","versions":[{"name":"v1","served":false}]}})",
             R"({"spec":{"group":"a.io","versions":[{"name":"v1","served":true}]}})"),
         {".spec.versions[name=\"v1\"].served"}},
        {"another scope",
         ask("UPDATE", kDefinitions, "", R"({"spec":{"group":"a.io","scope":"Cluster"}})",
             R"({"spec":{"group":"a.io","scope":"Namespaced"}})"),
         {".spec.scope"}},
        {"other names",
         ask("UPDATE", kDefinitions, "", R"({"spec":{"group":"a.io","names":{"shortNames":["po"]}}})",
             R"({"spec":{"group":"a.io","names":{}}})"),
         {".spec.names.shortNames"}},
        {"unknown fields kept",
         ask("UPDATE", kDefinitions, "", R"({"spec":{"group":"a.io","preserveUnknownFields":true}})", R"({"spec":{"group":"a.io"}})"),
         {".spec.preserveUnknownFields"}},
        {"converted by another",
         ask("UPDATE", kDefinitions, "", definition("example.com", kWebhook), definition("example.com", R"({"strategy":"None"})")),
         {".spec.conversion.strategy", ".spec.conversion.webhook"}},
        {"converted elsewhere",
         ask("UPDATE", kDefinitions, "", definition("example.com", R"({"webhook":{"clientConfig":{"url":"b"}}})"),
             definition("example.com", R"({"webhook":{"clientConfig":{"url":"a"}}})")),
         {".spec.conversion.webhook.clientConfig.url"}},
        {"converted by another Service",
         ask("UPDATE", kDefinitions, "", definition("example.com", R"({"webhook":{"clientConfig":{"service":{"name":"b"}}}})"),
             definition("example.com", R"({"webhook":{"clientConfig":{"service":{"name":"a"}}}})")),
         {".spec.conversion.webhook.clientConfig.service.name"}},
    };
    for (const Row& row : rows) expect_refused(row);
    const std::string api_server = R"({"username":"system:apiserver","groups":["system:masters","system:authenticated"]})";
    std::string renewed(kWebhook);
    renewed.replace(renewed.find("eA=="), 4, "eQ==");
    const Row harmless[] = {
        {"metrics", ask("CREATE", kApiServices, "", api_service("metrics.k8s.io", there))},
        {"metrics for scaling",
         ask("UPDATE", kApiServices, "", api_service("external.metrics.k8s.io", there), api_service("external.metrics.k8s.io", there))},
        {"whether another that serves is there",
         ask("UPDATE", kApiServices + "/status", "", api_service("apps", there), api_service("apps", there))},
        {"the end of a deletion",
         ask("DELETE", kApiServices, "", "null",
             R"({"metadata":{"deletionTimestamp":"2026-11-21T05:30:48Z"},"spec":{"group":"apps","service":{"name":"a"}}})")},
        {"the end of a definition's deletion",
         ask("DELETE", kDefinitions, "", "null",
             R"({"metadata":{"deletionTimestamp":"2026-11-21T05:30:48Z"},"spec":{"group":"helm.toolkit.fluxcd.io"}})")},
        {"served by the API server", by(api_server, ask("CREATE", kApiServices, "", api_service("apps", "null")))},
        {"no longer served by the API server", by(api_server, ask("DELETE", kApiServices, "", "null", api_service("apps", "null")))},
        {"available",
         by(api_server, ask("UPDATE", kApiServices + "/status", "", api_service("apps", "null"), api_service("apps", "null")))},
        {"a definition", ask("CREATE", kDefinitions, "", definition("example.com", kWebhook))},
        {"the status of another definition",
         ask("UPDATE", kDefinitions + "/status", "", definition("example.com", "{}"), definition("example.com", "{}"))},
        {"a label of a definition",
         ask("UPDATE", kDefinitions, "", R"({"metadata":{"labels":{"a":"b"}},"spec":{"group":"a.io","versions":[{"name":"v1"}]}})",
             R"({"metadata":{},"spec":{"group":"a.io","versions":[{"name":"v1"}]}})")},
        {"the end of a definition's deletion",
         ask("DELETE", kDefinitions, "", "null", R"({"metadata":{"deletionTimestamp":"2026-11-21T05:30:48Z"},"spec":{"group":"a.io"}})")},
        {"a certificate renewed", ask("UPDATE", kDefinitions, "", definition("example.com", renewed), definition("example.com", kWebhook))},
        {"a definition of Flux established",
         by(api_server, ask("UPDATE", kDefinitions + "/status", "", definition("helm.toolkit.fluxcd.io", "{}"),
                            definition("helm.toolkit.fluxcd.io", "{}")))},
    };
    for (const Row& row : harmless) expect_passed(row);
}

TEST_CASE("the rule is on where a lock denies, and when it does") {
    const Request request = ask("CREATE", kKustomization, "team-a", kApps);
    const auto with = [](const char* spec) {
        return sample::policy(std::string(spec) + "  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n");
    };
    CHECK_FALSE(judge(request, with("")).allowed);
    CHECK(judge(request, with("  validationActions: [Warn]\n")).allowed);
    CHECK_FALSE(
        judge(request, with("  validationActions: [Warn]\n  namespaceActions: [{namespaces: [x], validationActions: [Deny]}]\n")).allowed);
    CHECK(judge(request, sample::rule("images: {denyTags: [latest]}")).allowed);
    const std::string later = with("  enforceFrom: 2026-12-01T00:00:00Z\n");
    Context context;
    context.now = *parse_rfc3339("2026-11-30T23:59:59Z");
    CHECK(judge(request, later, context).allowed);
    context.now = *parse_rfc3339("2026-12-01T00:00:00Z");
    CHECK_FALSE(judge(request, later, context).allowed);

    // A lock that only warns guards neither switches nor its Namespaces.
    const std::string both = with("  validationActions: [Warn]\n  namespaceActions: [{namespaces: [x], validationActions: [Deny]}]\n");
    CHECK(judge(ask("UPDATE", "services", "production", with_key("labels", "kustomize.toolkit.fluxcd.io/ssa", "ignore"), kPlain), both)
              .allowed);
    CHECK(judge(ask("DELETE", "namespaces", "production", "null", R"({"metadata":{"name":"production"}})", "production"), both).allowed);
}

// Whoever had the token or the certificate of one would pass as it does.
TEST_CASE("controllers of Kubernetes pass even if no lock names them, and nobody becomes one") {
    const std::string only_flux = sample::policy("  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n");
    const Request pod = ask("CREATE", "pods", "flux-system",
                            R"({"metadata":{"ownerReferences":[{"controller":true}]},"spec":{"serviceAccountName":"helm-controller"}})");
    CHECK(judge(by(sample::token("kube-system", "replicaset-controller"), pod), only_flux).allowed);
    CHECK_FALSE(judge(pod, only_flux).allowed);
    const Request token = ask("CREATE", "serviceaccounts/token", "kube-system", "{}", "null", "generic-garbage-collector");
    CHECK_FALSE(judge(token, only_flux).allowed);
    CHECK(judge(by(sample::certificate("system:kube-controller-manager"), token), only_flux).allowed);
    CHECK_FALSE(judge(ask("CREATE", kRequests, "", named("system:kube-controller-manager")), only_flux).allowed);
    CHECK_FALSE(judge(ask("CREATE", kRequests, "", named("system:kube-scheduler")), only_flux).allowed);
    CHECK(judge(ask("CREATE", "pods", "kube-system", pod_of("deployment-controller")), only_flux).allowed);
    // Their rights are guarded only where a lock names them.
    const std::string binding =
        R"({"metadata":{"name":"b"},"subjects":[{"kind":"ServiceAccount","name":"job-controller","namespace":"kube-system"}]})";
    const Request unbound = ask("DELETE", kClusterBindings, "", "null", binding);
    CHECK(judge(unbound, only_flux).allowed);
    CHECK_FALSE(judge(unbound).allowed);
}

TEST_CASE("a writer that a look-alike could be passes, and is recorded where the rule has a word") {
    const std::string tenant = sample::policy(
        "  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [{name: aks-flux, serviceAccounts: "
        "[cluster-config/flux-applier]}]}}]\n");
    const std::string applier = sample::impersonated("cluster-config", "flux-applier");
    const Verdict source = judge(by(applier, ask("CREATE", kRepository, "apps", kApps)), tenant);
    CHECK(source.allowed);
    CHECK(source.write_class == WriteClass::exceptional);
    const Verdict role = judge(by(applier, ask("CREATE", kClusterRoles, "", rules(rule(R"("")", R"("pods")", R"("get")")))), tenant);
    CHECK(role.write_class == WriteClass::unguarded);
    const Verdict dangerous =
        judge(by(applier, ask("CREATE", kClusterRoles, "", rules(rule(R"("")", R"("users")", R"("impersonate")")))), tenant);
    CHECK(dangerous.allowed);
    CHECK(dangerous.write_class == WriteClass::exceptional);
    CHECK_FALSE(judge(ask("CREATE", "serviceaccounts/token", "cluster-config", "{}", "null", "flux-applier"), tenant).allowed);
    // Nothing runs as it: the namespace may be entered.
    CHECK(judge(ask("CONNECT", "pods/exec", "cluster-config", "{}", "null", "any"), tenant).allowed);
}

TEST_CASE("accounts are guarded by name and by pattern, in their namespace, and Flux's namespace is where Flux runs") {
    const auto identity = [](std::string_view namespace_name, std::string_view name) {
        return "  - serviceAccount: {namespace: \"" + std::string(namespace_name) + "\", name: \"" + std::string(name) +
               "\"}\n    assurance: pod-bound\n    may: [{apiGroups: [\"\"], resources: [configmaps], operations: [\"*\"]}]\n";
    };
    const std::string profile = "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: robots}\nspec:\n  identities:\n" +
                                identity("ops", "robot-*") + identity("gate-*", "opener") + identity("gitops", "kustomize-controller") +
                                identity("plain", "default");
    const std::vector<std::string> files{
        profile, sample::policy("  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [robots, flux-operator]}}]\n")};
    const auto set = sample::compiled(files);
    const auto token = [](std::string namespace_name, std::string name) {
        return ask("CREATE", "serviceaccounts/token", std::move(namespace_name), "{}", "null", std::move(name));
    };
    const auto tokens_of = [](std::string_view name) {
        return ask("CREATE", kClusterRoles, "",
                   rules(rule(R"("")", R"("serviceaccounts/token")", R"("create")", R"(,"resourceNames":[")" + std::string(name) + "\"]")));
    };
    struct Case {
        std::string_view name;
        Request request;
        bool refused;
    };
    const Case cases[] = {
        {"a token by a pattern", token("ops", "robot-7"), true},
        {"a token beside the pattern", token("ops", "person"), false},
        {"a token by the pattern, of another namespace", token("team-a", "robot-7"), false},
        {"a token in a namespace by a pattern", token("gate-1", "opener"), true},
        {"a token of another account there", token("gate-1", "visitor"), false},
        {"a token by name", token("gitops", "kustomize-controller"), true},
        {"a token of the same name in another namespace", token("a", "flux-operator"), false},
        {"a role with tokens by a pattern", tokens_of("robot-7"), true},
        {"a role with tokens by name", tokens_of("kustomize-controller"), true},
        {"a role with tokens of others", tokens_of("person"), false},
        {"a Pod by a pattern", ask("CREATE", "pods", "ops", pod_of("robot-1")), true},
        {"a Pod that names no account", ask("CREATE", "pods", "plain", R"({"spec":{"containers":[]}})"), true},
        {"a Pod deleted", ask("DELETE", "pods", "plain", "null", R"({"spec":{"containers":[]}})"), false},
        {"a Pod evicted", ask("CREATE", "pods/eviction", "plain", kPlain), false},
        {"a Deployment without a template", ask("CREATE", "apps/deployments", "plain", R"({"spec":{"replicas":1}})"), false},
        {"a shell", ask("CONNECT", "pods/exec", "ops", "{}", "null", "any"), true},
        {"what a kustomize-controller may substitute from", ask("CREATE", "configmaps", "gitops", kPlain), true},
        {"what a controller of Flux may substitute from", ask("CREATE", "configmaps", "flux-system", kPlain), true},
        {"what nobody substitutes from", ask("CREATE", "configmaps", "ops", kPlain), false},
    };
    for (const Case& one : cases) {
        INFO(one.name);
        CHECK(evaluate(*Read(one.request), *set, {}).allowed != one.refused);
    }
}

TEST_CASE("the writer of a record is the one of the lock, else the one of the rule") {
    const std::string mine =
        "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: mine}\nspec:\n  identities:\n"
        "  - serviceAccount: {namespace: flux-system, name: kustomize-controller}\n    assurance: pod-bound\n"
        "    may: [{apiGroups: [\"*\"], resources: [\"*\"], operations: [\"*\"]}]\n";
    const auto lock = [](const char* name, const char* space, const char* writers) {
        return sample::policy(
            std::string("  match: {namespaces: [") + space + "]}\n  rules: [{name: r, lock: {writers: [" + writers + "]}}]\n", name);
    };
    const auto set = sample::compiled(std::vector<std::string>{mine, lock("a", "staging", "flux"), lock("b", "production", "mine")});
    const auto writer_of = [&](const std::string& namespace_name) {
        return std::string(evaluate(*Read(by(sample::kFlux, ask("CREATE", kKustomization, namespace_name, kApps))), *set, {}).writer);
    };
    CHECK(writer_of("team-a") == "flux");
    CHECK(writer_of("production") == "mine");
}

TEST_CASE("a profile that two locks name is there once") {
    const auto set = sample::compiled(std::vector<std::string>{kLock, sample::rule("lock: {writers: [flux, kubernetes]}", "other")});
    CHECK(set->escape.policies.size() == 2);
    CHECK(set->escape.writers.size() == 4);
}

namespace {

std::vector<std::string> with_profile(std::string_view identity) {
    return {"apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: robots}\nspec:\n  identities:\n  - " +
                std::string(identity) +
                "\n    may: [{apiGroups: [\"*\"], resources: [\"*\"], operations: [\"*\"], namespaces: [production]}]\n",
            sample::policy("  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [robots]}}]\n")};
}

}  // namespace

TEST_CASE("a writer named by groups alone is guarded like one with a name") {
    const auto accounts = sample::compiled(with_profile("groups: [\"system:serviceaccounts:ci\"]\n    assurance: pod-bound"));
    const auto people = sample::compiled(with_profile("groups: [release-managers]\n    assurance: certificate"));
    struct Case {
        std::string_view name;
        Request request;
        bool refused_for_accounts;
        bool refused_for_people;
    };
    const Case cases[] = {
        {"a token", ask("CREATE", "serviceaccounts/token", "ci", "{}", "null", "runner"), true, false},
        {"a Pod", ask("CREATE", "pods", "ci", pod_of("runner")), true, false},
        {"a Pod without an account", ask("CREATE", "pods", "ci", R"({"spec":{}})"), true, false},
        {"a shell", ask("CONNECT", "pods/exec", "ci", "{}", "null", "any"), true, false},
        {"the Namespace", ask("DELETE", "namespaces", "ci", "null", R"({"metadata":{"name":"ci"}})", "ci"), true, false},
        {"a token elsewhere", ask("CREATE", "serviceaccounts/token", "ci-2", "{}", "null", "runner"), false, false},
        {"a certificate in the group", ask("CREATE", kRequests, "", named("release-managers")), false, true},
        {"a certificate in a group with a longer name", ask("CREATE", kRequests, "", named("release-managers-eu")), false, false},
        {"a certificate in a group with another beginning", ask("CREATE", kRequests, "", named("old-release-managers")), false, false},
        {"a certificate in the group of the accounts", ask("CREATE", kRequests, "", named("system:serviceaccounts:ci")), true, true},
    };
    for (const Case& one : cases) {
        INFO(one.name);
        CHECK(evaluate(*Read(one.request), *accounts, {}).allowed != one.refused_for_accounts);
        CHECK(evaluate(*Read(one.request), *people, {}).allowed != one.refused_for_people);
    }
}

TEST_CASE("a user named by a pattern is guarded by the longest part of it") {
    struct Case {
        std::string_view pattern;
        std::string_view name;
        bool refused;
    };
    const Case cases[] = {
        {"*@ci.example.com", "robot@ci.example.com", true},
        {"*@ci.example.com", "alice@example.com", false},
        {"ci-*-eu.example.com", "ci-1-eu.example.com", true},
        {"ci-*-eu.example.com", "ci-1-us.example.com", false},
        {"robot-*", "robot-7", true},
        {"robot-*", "alice", false},
    };
    for (const Case& one : cases) {
        INFO(one.pattern << " " << one.name);
        const auto set = sample::compiled(with_profile("user: \"" + std::string(one.pattern) + "\"\n    assurance: certificate"));
        CHECK(evaluate(*Read(ask("CREATE", kRequests, "", named(one.name))), *set, {}).allowed != one.refused);
    }
}

TEST_CASE("no certificate makes somebody the subject of an allowance or a grant") {
    const auto set = sample::compiled(std::vector<std::string>{
        sample::policy(
            "  match: {namespaces: [production]}\n  rules:\n  - name: r\n    lock:\n      writers: [flux]\n"
            "      allowances: [{subjects: [{kind: Group, name: sre}, {kind: ServiceAccount, name: bot, namespace: ops}], actions: "
            "[restart]}]\n      breakGlass: {maxDuration: 4h}\n"),
        "apiVersion: fluxgate.dev/v1alpha1\nkind: BreakGlass\nmetadata: {name: inc-1}\nspec:\n"
        "  subjects: [{kind: User, name: carol@example.com}]\n"
        "  match: {namespaces: [production], resourceRules: [{apiGroups: [\"*\"], apiVersions: [\"*\"], resources: [\"*\"], operations: "
        "[\"*\"]}]}\n"
        "  ticket: INC-1\n  reason: x\n  requestedBy: dave@example.com\n  approvedBy: bob@example.com\n"
        "  notBefore: 2026-11-21T16:00:00Z\n  expiresAt: 2026-11-21T19:00:00Z\n"});
    SignedGrants offered;
    Grant grant;
    grant.subjects.push_back({Subject::Kind::group, Glob::compile("night-shift", Glob::Alphabet::identities).value(), std::nullopt});
    offered.grants.push_back(grant);
    Context context;
    context.signed_grants = &offered;
    const auto refused = [&](std::string_view name, const Context& known) {
        return !evaluate(*Read(ask("CREATE", kRequests, "", named(name))), *set, known).allowed;
    };
    CHECK(refused("sre", {}));
    CHECK(refused("carol@example.com", {}));
    CHECK_FALSE(refused("night-shift", {}));
    CHECK(refused("night-shift", context));
    for (const std::string_view name : {"presreview", "alice", "bot", "carol@example.com.org", "bob@example.com"}) {
        INFO(name);
        CHECK_FALSE(refused(name, context));
    }
}

TEST_CASE("a Namespace with Flux, with a writer or with objects of Flux stays") {
    ClusterView view;
    view.owners = std::make_shared<const ClusterView::Owners>(ClusterView::Owners{{"HelmRelease team-b/shop", {}},
                                                                                  {"Kustomization apps-config/apps", {}},
                                                                                  {"Kustomization zz/a", {}},
                                                                                  {"OCIRepository team-d/a", {}}});
    Context context;
    context.cluster = &view;
    struct Case {
        std::string_view name;
        bool refused;
        bool refused_if_unknown;
    };
    const Case cases[] = {
        {"flux-system", true, true}, {"cert-manager", true, true}, {"production", true, true}, {"apps-config", true, false},
        {"team-b", true, false},     {"team", false, false},       {"apps", false, false},     {"team-d", false, false},
    };
    for (const Case& one : cases) {
        INFO(one.name);
        const std::string name(one.name);
        const std::string object = R"({"metadata":{"name":")" + name + R"("}})";
        const Request removed = ask("DELETE", "namespaces", name, "null", object, name);
        const Request finalized = ask("UPDATE", "namespaces/finalize", name, object, object, name);
        for (const Request& request : {removed, finalized}) {
            CHECK(judge(request, kLock, context).allowed != one.refused);
            CHECK(judge(request).allowed != one.refused_if_unknown);
            CHECK(judge(by(sample::kFlux, request), kLock, context).allowed);
        }
        const std::string labelled = R"({"metadata":{"name":")" + name + R"(","labels":{"a":"b"}}})";
        CHECK(judge(ask("UPDATE", "namespaces", name, labelled, object, name), kLock, context).allowed == (name != "production"));
    }
}

TEST_CASE("nobody takes the rights of writers away") {
    const auto binding = [](std::string_view subjects) {
        return R"({"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[)" + std::string(subjects) + "]}";
    };
    const std::string flux = R"({"kind":"ServiceAccount","name":"kustomize-controller","namespace":"flux-system"})";
    const std::string as_user = R"({"kind":"User","name":"system:serviceaccount:flux-system:helm-controller"})";
    const std::string as_group = R"({"kind":"Group","name":"system:serviceaccounts:flux-system"})";
    const std::string alice = R"({"kind":"User","name":"alice"})";
    const std::string other = R"({"kind":"ServiceAccount","name":"kustomize-controller","namespace":"team-a"})";
    const auto role = [](std::string_view name, std::string_view list, std::string_view metadata = "") {
        return R"({"metadata":{"name":")" + std::string(name) + "\"" + std::string(metadata) + R"(},"rules":[)" + std::string(list) + "]}";
    };
    const std::string reads = rule(R"("")", R"("pods")", R"("get")");
    const std::string lists = rule(R"("")", R"("pods")", R"("list")");
    const std::string all = rule(R"("*")", R"("*")", R"("*")");
    const std::string bootstrap = R"(,"labels":{"kubernetes.io/bootstrapping":"rbac-defaults"})";
    std::string many = alice;
    for (int i = 0; i < 100; ++i) many += "," + alice;
    const Row rows[] = {
        {"a binding of Flux removed", ask("DELETE", kClusterBindings, "", "null", binding(alice + "," + flux)), {".subjects[1]"}},
        {"a subject removed", ask("UPDATE", kClusterBindings, "", binding(alice), binding(flux + "," + alice)), {".subjects[0]"}},
        {"all subjects removed", ask("UPDATE", kClusterBindings, "", R"({"metadata":{"name":"b"}})", binding(flux)), {".subjects[0]"}},
        {"one by its username", ask("DELETE", kClusterBindings, "", "null", binding(as_user)), {".subjects[0]"}},
        {"its group", ask("DELETE", kClusterBindings, "", "null", binding(as_group)), {".subjects[0]"}},
        {"a RoleBinding in a namespace without a lock", ask("DELETE", kBindings, "team-a", "null", binding(flux)), {".subjects[0]"}},
        {"a list too long to compare",
         ask("UPDATE", kClusterBindings, "", binding(flux + "," + alice), binding(flux + "," + many)),
         {".subjects[0]"}},
        {"a role of Flux removed", ask("DELETE", kClusterRoles, "", "null", role("crd-controller-flux-system", reads))},
        {"a role of Flux with less",
         ask("UPDATE", kClusterRoles, "", role("crd-controller-flux-system", reads),
             role("crd-controller-flux-system", lists + "," + reads)),
         {".rules[0]"}},
        {"cluster-admin with less",
         ask("UPDATE", kClusterRoles, "", role("cluster-admin", reads), role("cluster-admin", all + "," + reads)),
         {".rules[0]"}},
        {"a controller's role removed",
         ask("DELETE", kClusterRoles, "", "null", role("system:controller:job-controller", reads, bootstrap))},
    };
    for (const Row& row : rows) expect_refused(row);
    const Row harmless[] = {
        {"a binding of others removed", ask("DELETE", kClusterBindings, "", "null", binding(alice + "," + other))},
        {"others removed from it", ask("UPDATE", kClusterBindings, "", binding(flux), binding(flux + "," + alice))},
        {"subjects in another order", ask("UPDATE", kClusterBindings, "", binding(alice + "," + flux), binding(flux + "," + alice))},
        {"its labels", ask("UPDATE", kClusterBindings, "", binding(flux), binding(flux))},
        {"an account of the binding's own namespace, by its short name",
         ask("DELETE", kBindings, "team-a", "null", binding(R"({"kind":"ServiceAccount","name":"kustomize-controller"})"))},
        {"a role of others removed", ask("DELETE", kClusterRoles, "", "null", role("reader", reads))},
        {"a role of others with less", ask("UPDATE", kClusterRoles, "", role("reader", ""), role("reader", reads))},
        {"an add-on's role", ask("UPDATE", kClusterRoles, "", role("system:coredns", ""), role("system:coredns", reads))},
        {"a role of Flux with more", ask("UPDATE", kClusterRoles, "", role("crd-controller-flux-system", reads + "," + lists),
                                         role("crd-controller-flux-system", reads))},
        {"the end of a deletion", ask("DELETE", kClusterBindings, "", "null",
                                      R"({"metadata":{"deletionTimestamp":"2026-11-21T05:30:48Z"},"subjects":[)" + flux + "]}")},
        {"the aggregation controller",
         by(sample::token("kube-system", "clusterrole-aggregation-controller"),
            ask("UPDATE", kClusterRoles, "", role("flux-edit-flux-system", ""), role("flux-edit-flux-system", reads)))},
    };
    for (const Row& row : harmless) expect_passed(row);
}

TEST_CASE("an object of another version than Git declares is locked as a whole") {
    const std::string v1 =
        R"({"apiVersion":"autoscaling/v1","metadata":{"name":"web","annotations":{"a":"1"},"managedFields":[{"manager":"kustomize-controller",)"
        R"("operation":"Apply","apiVersion":"autoscaling/v2","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{}}}]}})";
    std::string changed = v1;
    changed.replace(changed.find(R"("1")"), 3, R"("2")");
    const Verdict verdict = judge(ask("UPDATE", "autoscaling.k8s.io/horizontalpodautoscalers", "production", changed, v1));
    CHECK_FALSE(verdict.allowed);
    CHECK(verdict.violations.at(0).have.find("locked as a whole") != std::string::npos);
}

TEST_CASE("explain tells of the rule as a policy of Fluxgate's own") {
    const auto set = sample::compiled(kLock);
    const Read review(ask("CREATE", kKustomization, "team-a", kApps));
    const Explanation told = explain(*review, *set, {});
    REQUIRE(told.policies.size() == 2);
    CHECK(told.policies[1].policy == "fluxgate");
    REQUIRE(told.policies[1].rules.size() == 1);
    CHECK(told.policies[1].rules[0].rule == "escape");
    CHECK(told.policies[1].rules[0].why == "1 violation");
}
