#include "policy/lock/allowances.hpp"

#include <functional>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using nlohmann::json;
using sample::Read;
using sample::Request;

namespace {

const std::string kActions = "[restart, delete-pod, evict, run-cronjob, port-forward, exec, attach, debug, proxy]";
const std::string kLock =
    sample::rule("lock: {writers: [flux], allowances: [{subjects: [{kind: Group, name: sre}], actions: " + kActions + "}]}");

const std::string kSre = sample::certificate("bob@example.com", "sre");

// --- what they ask ----------------------------------------------------------------------------------------------------

Request about(std::string operation, std::string group, std::string resource, std::string sub_resource, std::string kind) {
    Request request;
    request.operation = std::move(operation);
    request.group = std::move(group);
    request.resource = std::move(resource);
    request.sub_resource = std::move(sub_resource);
    request.kind = std::move(kind);
    request.user = kSre;
    return request;
}

json flux_entry() {
    return json::parse(
        R"({"manager":"kustomize-controller","operation":"Apply","apiVersion":"apps/v1","time":"2026-11-21T05:30:51Z","fieldsType":"FieldsV1",)"
        R"("fieldsV1":{"f:spec":{"f:template":{"f:metadata":{"f:labels":{"f:app":{}}}}}}})");
}
json entry_of(const std::string& manager) {
    return json::parse(
        R"({"manager":")" + manager +
        R"(","operation":"Update","apiVersion":"apps/v1","time":"2026-11-21T06:00:00Z","fieldsType":"FieldsV1",)"
        R"("fieldsV1":{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{"f:kubectl.kubernetes.io/restartedAt":{}}}}}}})");
}

json workload() {
    json object = json::parse(
        R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"production","uid":"u-1","resourceVersion":"7",)"
        R"("generation":1,"labels":{"app":"web"}},"spec":{"replicas":2,"template":{"metadata":{"creationTimestamp":null,"labels":{"app":"web"},)"
        R"("annotations":{"team":"shop"}},"spec":{"containers":[{"name":"web","image":"nginx:1"}]}}},"status":{"replicas":2}})");
    object["metadata"]["managedFields"] = json::array({flux_entry()});
    return object;
}

json& annotations(json& object) { return object["spec"]["template"]["metadata"]["annotations"]; }

// What `kubectl rollout restart --field-manager=flux-client-side-apply` makes of it.
json restarted(json object) {
    annotations(object)["kubectl.kubernetes.io/restartedAt"] = "2026-11-21T16:00:00+01:00";
    object["metadata"]["managedFields"].push_back(entry_of("flux-client-side-apply"));
    object["metadata"]["generation"] = 2;
    return object;
}

Request restart() {
    Request request = about("UPDATE", "apps", "deployments", "", "Deployment");
    request.old_object = workload().dump();
    request.object = restarted(workload()).dump();
    return request;
}

const std::string kOwnedPod =
    R"({"metadata":{"name":"web-1","namespace":"production","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"r-1","controller":true}]}})";
const std::string kBarePod =
    R"({"metadata":{"name":"web-1","namespace":"production","ownerReferences":[{"kind":"X","name":"x","uid":"x"}]}})";

Request delete_pod(const std::string& pod = kOwnedPod, const std::string& name = "web-1") {
    Request request = about("DELETE", "", "pods", "", "Pod");
    request.name = name;
    request.old_object = pod;
    request.object = "null";
    return request;
}

Request connect(const std::string& resource, const std::string& sub_resource) {
    Request request = about("CONNECT", "", resource, sub_resource, "PodExecOptions");
    request.object = R"({"apiVersion":"v1","kind":"PodExecOptions","command":["sh"]})";
    return request;
}

json pod() {
    return json::parse(
        R"({"metadata":{"name":"web","namespace":"production","resourceVersion":"7","labels":{"app":"web"}},)"
        R"("spec":{"containers":[{"name":"web","image":"nginx:1"}],"ephemeralContainers":[{"name":"first","image":"busybox"}]}})");
}

Request debug(const std::function<void(json&)>& also = [](json&) {}) {
    Request request = about("UPDATE", "", "pods", "ephemeralcontainers", "Pod");
    json after = pod();
    after["spec"]["ephemeralContainers"].push_back({{"name", "second"}, {"image", "busybox"}});
    also(after);
    request.old_object = pod().dump();
    request.object = after.dump();
    return request;
}

// --- a CronJob, and the Job that is made of it ------------------------------------------------------------------------

json job_template() {
    return json::parse(
        R"({"metadata":{"labels":{"team":"shop"},"annotations":{"note":"n"}},"spec":{"backoffLimit":2,"template":{"metadata":{"creationTimestamp":null,)"
        R"("labels":{"app":"report"}},"spec":{"containers":[{"name":"report","image":"report:1"}],"restartPolicy":"Never"}}}})");
}

// As the API server 1.31 stores it.
json job() {
    json made = job_template();
    made["apiVersion"] = "batch/v1";
    made["kind"] = "Job";
    made["status"] = json::object();
    made["metadata"].update(json{{"name", "manual-1"}, {"namespace", "production"}, {"uid", "j-1"}, {"generation", 1}});
    made["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] = "manual";
    made["metadata"]["ownerReferences"] =
        json::array({{{"apiVersion", "batch/v1"}, {"kind", "CronJob"}, {"name", "report"}, {"uid", "c-1"}, {"controller", true}}});
    json& spec = made["spec"];
    spec.update(json{{"parallelism", 1},
                     {"completions", 1},
                     {"completionMode", "NonIndexed"},
                     {"suspend", false},
                     {"manualSelector", false},
                     {"podReplacementPolicy", "TerminatingOrFailed"},
                     {"selector", {{"matchLabels", {{"batch.kubernetes.io/controller-uid", "j-1"}}}}}});
    for (const char* label : {"controller-uid", "batch.kubernetes.io/controller-uid"})
        spec["template"]["metadata"]["labels"][label] = "j-1";
    for (const char* label : {"job-name", "batch.kubernetes.io/job-name"}) spec["template"]["metadata"]["labels"][label] = "manual-1";
    return made;
}

ClusterView cluster_with(const json& wanted, const std::string& uid = "c-1") {
    ClusterView view;
    view.cron_jobs =
        std::make_shared<const ClusterView::CronJobs>(ClusterView::CronJobs{{"production/report", CronJobTemplate{uid, wanted.dump()}}});
    return view;
}

Request run_cronjob(const json& made = job()) {
    Request request = about("CREATE", "batch", "jobs", "", "Job");
    request.name = "manual-1";
    request.object = made.dump();
    return request;
}

// --- the verdict ------------------------------------------------------------------------------------------------------

Verdict judge(const Request& request, const std::string& policy = kLock, std::string_view field_manager = "flux-client-side-apply",
              const ClusterView* cluster = nullptr) {
    std::string review = request.json();
    const std::string_view kOptions = R"("options":{})";
    review.replace(review.rfind(kOptions), kOptions.size(), fmt::format(R"("options":{{"fieldManager":"{}"}})", field_manager));
    Context context;
    context.cluster = cluster;
    return evaluate(*Read(review), *sample::compiled(policy), context);
}

// "allowed as restart", or "denied", with what would have helped behind it.
std::string told(const Verdict& verdict) {
    if (verdict.allowed) return "allowed as " + std::string(verdict.allowance);
    CHECK(verdict.allowance.empty());
    return verdict.guidance.empty() ? "denied" : "denied: " + verdict.guidance;
}

}  // namespace

TEST_CASE("day-2 work passes for those whom the lock allows it, silently, and is recorded before it happens") {
    const ClusterView cluster = cluster_with(job_template());
    Request evict = about("CREATE", "", "pods", "eviction", "Eviction");
    const std::pair<const char*, Request> rows[] = {
        {"restart", restart()},
        {"delete-pod", delete_pod()},
        {"delete-pod", delete_pod(kOwnedPod, "")},  // deletecollection sends no name
        {"evict", evict},
        {"run-cronjob", run_cronjob()},
        {"port-forward", connect("pods", "portforward")},
        {"exec", connect("pods", "exec")},
        {"attach", connect("pods", "attach")},
        {"proxy", connect("pods", "proxy")},
        {"debug", debug()},
    };
    for (const auto& [action, request] : rows) {
        INFO(action);
        const Verdict verdict = judge(request, kLock, "flux-client-side-apply", &cluster);
        CHECK(told(verdict) == std::string("allowed as ") + action);
        CHECK(verdict.write_class == WriteClass::exceptional);
        CHECK(verdict.effective);
        CHECK(verdict.warnings.empty());
        CHECK(verdict.violations.empty());

        Request by_alice = request;
        by_alice.user = sample::kAlice;
        CHECK(told(judge(by_alice, kLock, "flux-client-side-apply", &cluster)) == "denied");

        // The word alone allows it, and it alone.
        std::string others = kActions;
        const std::string word = action;
        const std::size_t at = others.find(word);
        others.replace(at, word.size() + (at + word.size() < others.size() - 1 ? 2 : 0), "");
        if (others.ends_with(", ]")) others = others.substr(0, others.size() - 3) + "]";
        const auto lock = [](const std::string& actions) {
            return sample::rule("lock: {writers: [flux], allowances: [{subjects: [{kind: Group, name: sre}], actions: " + actions + "}]}");
        };
        CHECK(told(judge(request, lock("[" + word + "]"), "flux-client-side-apply", &cluster)) == "allowed as " + word);
        CHECK(told(judge(request, lock(others), "flux-client-side-apply", &cluster)) == "denied");
    }
}

TEST_CASE("what only looks like day-2 work is refused") {
    const std::pair<const char*, Request> rows[] = {
        {"a connection to a Service", connect("services", "proxy")},
        {"a connection that this version does not know", connect("pods", "vnc")},
        {"a Pod of another group",
         [] {
             Request request = delete_pod();
             request.group = "example.com";
             return request;
         }()},
        {"a new Pod", about("CREATE", "", "pods", "", "Pod")},
        {"the status of a Pod deleted",
         [] {
             Request request = delete_pod();
             request.sub_resource = "status";
             return request;
         }()},
        {"a binding", about("CREATE", "", "pods", "binding", "Binding")},
        {"a Job of another group",
         [] {
             Request request = run_cronjob();
             request.group = "example.com";
             return request;
         }()},
        {"something else that a CronJob owns",
         [] {
             Request request = run_cronjob();
             request.resource = "reports";
             return request;
         }()},
        {"a Job changed",
         [] {
             Request request = run_cronjob();
             request.operation = "UPDATE";
             request.old_object = request.object;
             return request;
         }()},
        {"the status of a Job",
         [] {
             Request request = run_cronjob();
             request.sub_resource = "status";
             return request;
         }()},
        {"a Job without a CronJob",
         [] {
             json made = job();
             made["metadata"].erase("ownerReferences");
             return run_cronjob(made);
         }()},
        {"a restart of a ReplicaSet",
         [] {
             Request request = restart();
             request.resource = "replicasets";
             return request;
         }()},
        {"a restart by its scale",
         [] {
             Request request = restart();
             request.sub_resource = "scale";
             return request;
         }()},
        {"a restart of another group's Deployment",
         [] {
             Request request = restart();
             request.group = "example.com";
             return request;
         }()},
    };
    for (const auto& [name, request] : rows) {
        INFO(name);
        CHECK(told(judge(request)) == "denied");
    }
    // The rule escape refuses it as well.
    CHECK(told(judge(connect("nodes", "proxy"))) == "denied: Change it in Git: no grant or exception opens the rule escape.");
}

TEST_CASE("a restart is the change of restartedAt, and of nothing else") {
    struct Row {
        const char* name;
        std::function<void(json&)> edit;  // of the restarted object
        std::string expected;
    };
    const std::string kFluxLoses = "denied: A restart must take neither a field nor the name of Flux";
    const Row rows[] = {
        {"restartedAt", [](json&) {}, "allowed as restart"},
        {"without annotations before it",
         [](json& o) {
             annotations(o) = {{"kubectl.kubernetes.io/restartedAt", "now"}, {"team", "shop"}};
         },
         "allowed as restart"},
        {"another annotation of the template", [](json& o) { annotations(o)["a"] = "b"; }, "denied"},
        {"an annotation of the template less", [](json& o) { annotations(o).erase("team"); }, "denied"},
        {"an annotation of the object", [](json& o) { o["metadata"]["annotations"]["a"] = "b"; }, "denied"},
        {"a label of the template", [](json& o) { o["spec"]["template"]["metadata"]["labels"]["a"] = "b"; }, "denied"},
        {"a label of the object", [](json& o) { o["metadata"]["labels"]["a"] = "b"; }, "denied"},
        {"a switch of Flux", [](json& o) { o["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/reconcile"] = "disabled"; }, "denied"},
        {"a finalizer", [](json& o) { o["metadata"]["finalizers"] = {"a.b/c"}; }, "denied"},
        {"the image", [](json& o) { o["spec"]["template"]["spec"]["containers"][0]["image"] = "evil"; }, "denied"},
        {"replicas", [](json& o) { o["spec"]["replicas"] = 0; }, "denied"},
        {"a field of the spec less", [](json& o) { o["spec"].erase("replicas"); }, "denied"},
        {"a field of the spec more", [](json& o) { o["spec"]["paused"] = true; }, "denied"},
        {"status", [](json& o) { o["status"]["replicas"] = 3; }, "denied"},
        {"a spec that is no mapping", [](json& o) { o["spec"] = "x"; }, "denied"},
        {"restartedAt taken away", [](json& o) { annotations(o).erase("kubectl.kubernetes.io/restartedAt"); }, "denied"},
        {"restartedAt that is no text", [](json& o) { annotations(o)["kubectl.kubernetes.io/restartedAt"] = 1; }, "denied"},
        {"restartedAt as a place to hide things",
         [](json& o) { annotations(o)["kubectl.kubernetes.io/restartedAt"] = std::string(65, 'x'); }, "denied"},
        {"Flux's entry gone", [](json& o) { o["metadata"]["managedFields"].erase(0); }, kFluxLoses},
        {"all entries wiped", [](json& o) { o["metadata"]["managedFields"] = json::array({json::object()}); }, kFluxLoses},
        {"a field of Flux less", [](json& o) { o["metadata"]["managedFields"][0]["fieldsV1"] = json::object(); }, kFluxLoses},
        {"an entry in Flux's name", [](json& o) { o["metadata"]["managedFields"].push_back(entry_of("helm-controller")); }, kFluxLoses},
        {"no managedFields", [](json& o) { o["metadata"].erase("managedFields"); }, kFluxLoses},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request = restart();
        json after = restarted(workload());
        row.edit(after);
        request.object = after.dump();
        CHECK(told(judge(request)).starts_with(row.expected));
        if (row.expected == "denied") CHECK(told(judge(request)) == "denied");
    }
    Request same = restart();
    same.old_object = same.object;
    CHECK(told(judge(same)) == "denied");  // nothing is restarted

    Request first = restart();
    json without_annotations = workload();
    without_annotations["spec"]["template"]["metadata"].erase("annotations");
    first.old_object = without_annotations.dump();
    first.object = restarted(without_annotations).dump();
    CHECK(told(judge(first)) == "allowed as restart");

    Request odd = restart();
    json text_for_metadata = workload();
    text_for_metadata["spec"]["template"]["metadata"] = "x";
    odd.old_object = text_for_metadata.dump();
    json replaced = workload();
    replaced["spec"]["template"]["metadata"] = {{"annotations", {{"kubectl.kubernetes.io/restartedAt", "now"}}}};
    odd.object = replaced.dump();
    CHECK(told(judge(odd)) == "denied");
}

TEST_CASE("a restart must be made under a name whose fields Flux leaves alone; the denial gives the command") {
    struct Row {
        const char* field_manager;
        const char* resource;
        std::string expected;
    };
    const auto command = [](const char* what) {
        return fmt::format("denied: Restart with: kubectl rollout restart {}/web -n production --field-manager=flux-client-side-apply (",
                           what);
    };
    const Row rows[] = {
        {"flux-client-side-apply", "deployments", "allowed as restart"},
        {"flux-client-side-apply", "statefulsets", "allowed as restart"},
        {"flux-client-side-apply", "daemonsets", "allowed as restart"},
        {"k9s", "deployments", "allowed as restart"},
        {"kubectl-rollout", "deployments", command("deployment")},
        {"kubectl", "statefulsets", command("statefulset")},
        {"kubectl-flux-mcp", "daemonsets", command("daemonset")},
        {"before-first-apply", "deployments", command("deployment")},
        {"", "deployments", command("deployment")},
        {"kustomize-controller", "deployments", "denied: A restart must take neither a field nor the name of Flux"},
        {"Kustomize-Controller", "deployments", "denied: A restart must take neither a field nor the name of Flux"},
    };
    for (const Row& row : rows) {
        INFO(row.field_manager << " " << row.resource);
        Request request = restart();
        request.resource = row.resource;
        CHECK(told(judge(request, kLock, row.field_manager)).starts_with(row.expected));
        request.user = sample::kAlice;
        CHECK(told(judge(request, kLock, row.field_manager)) == "denied");  // no advice for whoever may not
    }
    const Verdict advised =
        judge(restart(),
              sample::policy(
                  "  guidance: Ask the platform team.\n  rules:\n  - {name: r, lock: {writers: [flux], allowances: [{subjects: [{kind: "
                  "Group, name: sre}], actions: [restart]}]}}\n"),
              "kubectl-rollout");
    CHECK(advised.guidance.starts_with("Restart with: kubectl rollout restart deployment/web"));
    CHECK(advised.guidance.ends_with("Ask the platform team."));
}

TEST_CASE("only a Pod that a controller makes again may be deleted") {
    CHECK(told(judge(delete_pod(kBarePod))) ==
          "denied: delete-pod is for Pods that a controller makes again; nothing would bring this one back.");
    CHECK(told(judge(delete_pod(kBarePod, ""))).starts_with("denied: delete-pod is for Pods"));
}

TEST_CASE("debugging adds ephemeral containers, and changes nothing else") {
    struct Row {
        const char* name;
        std::function<void(json&)> edit;
    };
    const Row rows[] = {
        {"the image of a container", [](json& o) { o["spec"]["containers"][0]["image"] = "evil"; }},
        {"a label", [](json& o) { o["metadata"]["labels"]["a"] = "b"; }},
        {"an ephemeral container changed", [](json& o) { o["spec"]["ephemeralContainers"][0]["image"] = "evil"; }},
        {"an ephemeral container replaced", [](json& o) { o["spec"]["ephemeralContainers"].erase(0); }},
        {"all of them gone", [](json& o) { o["spec"].erase("ephemeralContainers"); }},
        {"a spec that is no mapping", [](json& o) { o["spec"] = 1; }},
        {"nothing", [](json& o) { o["spec"]["ephemeralContainers"].erase(1); }},
        {"ephemeral containers that are no list",
         [](json& o) {
             o["spec"]["ephemeralContainers"] = {{"a", 1}, {"b", 2}};
         }},
        {"the status", [](json& o) { o["status"]["phase"] = "Failed"; }},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(told(judge(debug(row.edit))) == "denied: debug may add ephemeral containers, and change nothing else.");
    }
    CHECK(told(judge(debug(), kLock, "kustomize-controller")).starts_with("denied: debug may add"));
}

TEST_CASE("a Job that a CronJob would make may be run now") {
    struct Row {
        const char* name;
        std::function<void(json& wanted, json& made)> edit;
    };
    const Row rows[] = {
        {"as the newest API servers store it", [](json&, json&) {}},
        {"as older API servers store it",
         [](json&, json& made) {
             made["spec"].erase("podReplacementPolicy");
             made["spec"].erase("manualSelector");
             made["spec"]["template"]["metadata"]["labels"].erase("batch.kubernetes.io/job-name");
         }},
        {"with the default of backoffLimit",
         [](json& wanted, json& made) {
             wanted["spec"].erase("backoffLimit");
             made["spec"]["backoffLimit"] = 6;
         }},
        {"with the default of backoffLimit by index",
         [](json& wanted, json& made) {
             wanted["spec"].erase("backoffLimit");
             wanted["spec"]["backoffLimitPerIndex"] = made["spec"]["backoffLimitPerIndex"] = 1;
             made["spec"]["backoffLimit"] = 2147483647;
         }},
        {"in parallel, without completions",
         [](json& wanted, json& made) {
             wanted["spec"]["parallelism"] = made["spec"]["parallelism"] = 3;
             made["spec"].erase("completions");
         }},
        {"with the labels of its pods, if the CronJob gives it none",
         [](json& wanted, json& made) {
             wanted["metadata"].erase("labels");
             made["metadata"]["labels"] = made["spec"]["template"]["metadata"]["labels"];
         }},
        {"of a CronJob without metadata for its Jobs",
         [](json& wanted, json& made) {
             wanted.erase("metadata");
             made["metadata"]["labels"] = {{"app", "report"}};
             made["metadata"]["annotations"] = {{"cronjob.kubernetes.io/instantiate", "manual"}};
         }},
        {"of a CronJob without labels for its pods", [](json& wanted, json&) { wanted["spec"]["template"].erase("metadata"); }},
        {"with a list of finalizers in which there is none", [](json&, json& made) { made["metadata"]["finalizers"] = json::array(); }},
        {"with a failure policy",
         [](json& wanted, json& made) {
             wanted["spec"]["podFailurePolicy"] = made["spec"]["podFailurePolicy"] = {{"rules", json::array()}};
             made["spec"]["podReplacementPolicy"] = "Failed";
         }},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        json wanted = job_template();
        json made = job();
        row.edit(wanted, made);
        if (!wanted["spec"]["template"].contains("metadata")) made["spec"]["template"]["metadata"]["labels"].erase("app");
        const ClusterView cluster = cluster_with(wanted);
        CHECK(told(judge(run_cronjob(made), kLock, "kubectl-create", &cluster)) == "allowed as run-cronjob");
    }
}

TEST_CASE("a Job that differs from its CronJob is refused, and the denial says in what") {
    struct Row {
        const char* name;
        std::function<void(json& made)> edit;
        const char* expected;
    };
    const char* const kUnknown = "denied: run-cronjob: no CronJob production/";
    const Row rows[] = {
        {"another image", [](json& o) { o["spec"]["template"]["spec"]["containers"][0]["image"] = "evil"; },
         "denied: run-cronjob: spec of"},
        {"another command", [](json& o) { o["spec"]["template"]["spec"]["containers"][0]["command"] = {"sh"}; },
         "denied: run-cronjob: spec of"},
        {"another account", [](json& o) { o["spec"]["template"]["spec"]["serviceAccountName"] = "admin"; }, "denied: run-cronjob: spec of"},
        {"a label of its pods, which a Service selects", [](json& o) { o["spec"]["template"]["metadata"]["labels"]["app"] = "web"; },
         "denied: run-cronjob: spec of"},
        {"an annotation of its pods", [](json& o) { o["spec"]["template"]["metadata"]["annotations"]["a"] = "b"; },
         "denied: run-cronjob: spec of"},
        {"more than one at a time", [](json& o) { o["spec"]["parallelism"] = 2; }, "denied: run-cronjob: spec of"},
        {"a selector by hand", [](json& o) { o["spec"]["manualSelector"] = true; }, "denied: run-cronjob: spec of"},
        {"another backoffLimit", [](json& o) { o["spec"]["backoffLimit"] = 6; }, "denied: run-cronjob: spec of"},
        {"suspended", [](json& o) { o["spec"]["suspend"] = true; }, "denied: run-cronjob: spec of"},
        {"no spec", [](json& o) { o.erase("spec"); }, "denied: run-cronjob: spec of"},
        {"no template", [](json& o) { o["spec"].erase("template"); }, "denied: run-cronjob: spec of"},
        {"a template that is no mapping", [](json& o) { o["spec"]["template"] = "x"; }, "denied: run-cronjob: spec of"},
        {"metadata of its pods that are no mapping", [](json& o) { o["spec"]["template"]["metadata"] = "x"; },
         "denied: run-cronjob: spec of"},
        {"a time for its pods", [](json& o) { o["spec"]["template"]["metadata"]["creationTimestamp"] = "2026-11-21T05:30:48Z"; },
         "denied: run-cronjob: spec of"},
        {"another label", [](json& o) { o["metadata"]["labels"]["a"] = "b"; }, "denied: run-cronjob: labels of"},
        {"a label of Flux", [](json& o) { o["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "apps"; },
         "denied: run-cronjob: labels of"},
        {"a label less", [](json& o) { o["metadata"].erase("labels"); }, "denied: run-cronjob: labels of"},
        {"an annotation more", [](json& o) { o["metadata"]["annotations"]["a"] = "b"; }, "denied: run-cronjob: annotations of"},
        {"an annotation less", [](json& o) { o["metadata"]["annotations"].erase("note"); }, "denied: run-cronjob: annotations of"},
        {"not by hand", [](json& o) { o["metadata"]["annotations"].erase("cronjob.kubernetes.io/instantiate"); },
         "denied: run-cronjob: annotations of"},
        {"a finalizer", [](json& o) { o["metadata"]["finalizers"] = {"a.b/c"}; }, "denied: run-cronjob: metadata of"},
        {"another uid of the CronJob", [](json& o) { o["metadata"]["ownerReferences"][0]["uid"] = "c-2"; }, kUnknown},
        {"another CronJob", [](json& o) { o["metadata"]["ownerReferences"][0]["name"] = "other"; }, kUnknown},
        {"no uid", [](json& o) { o["metadata"]["ownerReferences"][0].erase("uid"); }, kUnknown},
        {"a second owner",
         [](json& o) {
             o["metadata"]["ownerReferences"].push_back({{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", "p"}, {"uid", "p"}});
         },
         "denied"},
        {"an owner that is no controller", [](json& o) { o["metadata"]["ownerReferences"][0]["controller"] = false; }, "denied"},
        {"a CronJob of another group", [](json& o) { o["metadata"]["ownerReferences"][0]["apiVersion"] = "example.com/v1"; }, "denied"},
        {"an owner that is no CronJob", [](json& o) { o["metadata"]["ownerReferences"][0]["kind"] = "Job"; }, "denied"},
    };
    const ClusterView cluster = cluster_with(job_template());
    for (const Row& row : rows) {
        INFO(row.name);
        json made = job();
        row.edit(made);
        const std::string said = told(judge(run_cronjob(made), kLock, "kubectl-create", &cluster));
        CHECK(said.starts_with(row.expected));
        if (row.expected == std::string("denied")) CHECK(said == "denied");
    }
}

TEST_CASE("a Job is compared with what is known of the CronJob in its own namespace, or refused") {
    const std::string kNoAccess = "denied: run-cronjob compares the Job with its CronJob, so `serve` needs access to the API server.";
    CHECK(told(judge(run_cronjob())) == kNoAccess);
    const ClusterView empty;
    CHECK(told(judge(run_cronjob(), kLock, "kubectl", &empty)) == kNoAccess);

    const ClusterView cluster = cluster_with(job_template());
    Request elsewhere = run_cronjob();
    elsewhere.namespace_name = "staging";
    json made = job();
    made["metadata"]["namespace"] = "staging";
    elsewhere.object = made.dump();
    CHECK(told(judge(elsewhere, kLock, "kubectl", &cluster)).starts_with("denied: run-cronjob: no CronJob staging/report"));

    // Without uids nothing is the same as anything.
    const ClusterView without_uid = cluster_with(job_template(), "");
    made = job();
    made["metadata"]["ownerReferences"][0]["uid"] = "";
    CHECK(told(judge(run_cronjob(made), kLock, "kubectl", &without_uid)).starts_with("denied: run-cronjob: no CronJob"));

    ClusterView broken = cluster_with(job_template());
    json without_spec = job_template();
    without_spec["spec"] = 1;
    json without_template = job_template();
    without_template["metadata"].erase("labels");
    without_template["spec"]["template"] = "x";
    for (const std::string& text :
         {std::string(), std::string("{"), std::string("[]"), std::string("null"), without_spec.dump(), without_template.dump()}) {
        INFO(text);
        broken.cron_jobs = std::make_shared<const ClusterView::CronJobs>(ClusterView::CronJobs{{"production/report", {"c-1", text}}});
        CHECK(told(judge(run_cronjob(), kLock, "kubectl", &broken)).starts_with("denied: run-cronjob: "));
    }
}

TEST_CASE("an allowance names people, groups or accounts; an account must prove that it is one") {
    struct Row {
        const char* name;
        std::string subject;
        std::string user;
        bool allowed;
    };
    const std::string account = "{kind: ServiceAccount, namespace: ops, name: runner}";
    const std::string certified_account =
        R"({"username":"system:serviceaccount:ops:runner","groups":["system:serviceaccounts","system:serviceaccounts:ops"],)"
        R"("extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=1"]}})";
    const Row rows[] = {
        {"a user", "{kind: User, name: bob@example.com}", kSre, true},
        {"another user", "{kind: User, name: eve@example.com}", kSre, false},
        {"a user without a certificate, as from an identity provider", "{kind: User, name: bob@example.com}",
         R"({"username":"bob@example.com","groups":["sre"]})", true},
        {"a group", "{kind: Group, name: sre}", kSre, true},
        {"an account with a token", account, sample::token("ops", "runner"), true},
        {"an account in its Pod", account, sample::pod_bound("ops", "runner"), true},
        {"an account of another namespace", account, sample::pod_bound("default", "runner"), false},
        {"an account by --as", account, sample::impersonated("ops", "runner"), false},
        {"an account by certificate", account, certified_account, false},
        {"an account by --as, named as a user", "{kind: User, name: 'system:serviceaccount:ops:runner'}",
         sample::impersonated("ops", "runner"), false},
        {"an account by --as, by its group", "{kind: Group, name: 'system:serviceaccounts:ops'}", sample::impersonated("ops", "runner"),
         false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request = delete_pod();
        request.user = row.user;
        const std::string lock =
            sample::rule("lock: {writers: [flux], allowances: [{subjects: [" + row.subject + "], actions: [delete-pod]}]}");
        CHECK(told(judge(request, lock)) == (row.allowed ? "allowed as delete-pod" : "denied"));
    }
}

TEST_CASE("an allowance opens the lock that has it, and no other rule") {
    const std::string other_lock = sample::rule("lock: {writers: [flux]}", "q");
    const auto both = sample::compiled(std::vector<std::string>{kLock, other_lock});
    const Verdict refused = evaluate(*Read(delete_pod()), *both, {});
    CHECK_FALSE(refused.allowed);
    CHECK(refused.allowance.empty());
    CHECK(refused.violations.at(0).policy == "q");

    // It is asked only of what would be refused.
    const std::string audits = sample::policy(
        "  validationActions: [Audit]\n  rules:\n  - {name: r, lock: {writers: [flux], allowances: [{subjects: [{kind: Group, name: sre}], "
        "actions: [delete-pod]}]}}\n");
    const Verdict audited = judge(delete_pod(), audits);
    CHECK(audited.allowed);
    CHECK(audited.allowance.empty());
    CHECK(audited.violations.size() == 1);

    // What changes no field that Git declares needs none.
    const std::string fields = sample::rule(
        "lock: {writers: [flux], scope: fields, additions: {action: Warn}, allowances: [{subjects: [{kind: Group, name: sre}], actions: "
        "[restart]}]}");
    const Verdict undeclared = judge(restart(), fields);
    CHECK(undeclared.allowed);
    CHECK(undeclared.allowance.empty());

    // What two locks say alike is said once.
    const auto twice = sample::compiled(std::vector<std::string>{kLock, sample::rule("lock: {writers: [flux], allowances: [{subjects: "
                                                                                     "[{kind: Group, name: sre}], actions: [delete-pod]}]}",
                                                                                     "q")});
    CHECK(evaluate(*Read(delete_pod(kBarePod)), *twice, {}).guidance ==
          "delete-pod is for Pods that a controller makes again; nothing would bring this one back.");
}

TEST_CASE("a dry run of day-2 work passes without a warning, and nothing is allowed by it") {
    struct Row {
        const char* name;
        Request request;
        bool real;  // a dry run of it does the real thing
    };
    const ClusterView cluster = cluster_with(job_template());
    const Row rows[] = {
        {"restart", restart(), false},
        {"delete-pod", delete_pod(), false},
        {"run-cronjob", run_cronjob(), false},
        {"debug", debug(), false},
        {"evict", about("CREATE", "", "pods", "eviction", "Eviction"), true},
        {"exec", connect("pods", "exec"), true},
        {"port-forward", connect("pods", "portforward"), true},
    };
    for (Row row : rows) {
        INFO(row.name);
        row.request.dry_run = true;
        const Verdict verdict = judge(row.request, kLock, "flux-client-side-apply", &cluster);
        CHECK(verdict.allowed);
        CHECK(verdict.warnings.empty());
        CHECK(verdict.effective == row.real);
        CHECK(verdict.allowance == (row.real ? row.name : ""));

        row.request.user = sample::kAlice;
        const Verdict by_alice = judge(row.request, kLock, "flux-client-side-apply", &cluster);
        CHECK(by_alice.allowed != row.real);
        CHECK(by_alice.warnings.empty() == row.real);
    }
}

TEST_CASE("allowances are decoded whole or not at all") {
    struct Row {
        const char* name;
        const char* body;
        const char* problem;
    };
    const Row rows[] = {
        {"no subjects", "{actions: [exec]}", "allowances[0].subjects is missing"},
        {"nobody", "{subjects: [], actions: [exec]}", "subjects: is an empty list, which is nobody"},
        {"no actions", "{subjects: [{kind: Group, name: sre}]}", "allowances[0].actions is missing"},
        {"nothing", "{subjects: [{kind: Group, name: sre}], actions: []}", "actions: is an empty list, which allows nothing"},
        {"an unknown action", "{subjects: [{kind: Group, name: sre}], actions: [reboot]}", "actions[0]: have \"reboot\", expected one of"},
        {"an action twice", "{subjects: [{kind: Group, name: sre}], actions: [exec, exec]}", "actions[1]: names exec again"},
        {"a pattern", "{subjects: [{kind: Group, name: 'sre-*'}], actions: [exec]}", "subjects[0].name: is a pattern"},
        {"a star", "{subjects: [{kind: Group, name: '*'}], actions: [exec]}", "subjects[0].name: is a pattern"},
        {"a pattern of namespaces", "{subjects: [{kind: ServiceAccount, namespace: 'a*', name: b}], actions: [exec]}", "is a pattern"},
        {"everybody", "{subjects: [{kind: Group, name: 'system:authenticated'}], actions: [exec]}", "system:authenticated means everybody"},
        {"everybody else", "{subjects: [{kind: Group, name: 'system:unauthenticated'}], actions: [exec]}", "means everybody"},
        {"all accounts", "{subjects: [{kind: Group, name: 'system:serviceaccounts'}], actions: [exec]}", "means everybody"},
        {"the nameless", "{subjects: [{kind: User, name: 'system:anonymous'}], actions: [exec]}", "means everybody"},
        {"another field", "{subjects: [{kind: Group, name: sre}], actions: [exec], namespaces: [a]}",
         "allowances[0].namespaces: unknown field"},
        {"no mapping", "exec", "allowances[0]: expected a mapping"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string problems = sample::problems_of_rule("lock", "{writers: [flux], allowances: [" + std::string(row.body) + "]}");
        INFO(problems);
        CHECK(problems.find(row.problem) != std::string::npos);
    }
    std::string many;
    for (int i = 0; i < 101; ++i) many += (i > 0 ? ", " : "") + std::string("{kind: Group, name: g") + std::to_string(i) + "}";
    CHECK(sample::problems_of_rule("lock", "{writers: [flux], allowances: [{subjects: [" + many + "], actions: [exec]}]}")
              .find("has 101 items; at most 100 are read") != std::string::npos);
    std::string allowances;
    for (int i = 0; i < 101; ++i)
        allowances += (i > 0 ? ", " : "") + std::string("{subjects: [{kind: Group, name: sre}], actions: [exec]}");
    CHECK(sample::problems_of_rule("lock", "{writers: [flux], allowances: [" + allowances + "]}").find("allowances: has 101 items") !=
          std::string::npos);

    const auto set = sample::compiled(kLock);
    const auto& lock = std::get<LockRule>(set->policies[0].rules[0].body);
    REQUIRE(lock.allowances.size() == 1);
    CHECK(lock.allowances[0].actions.size() == kDayTwoActions.size());
}
