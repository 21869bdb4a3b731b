#include "policy/evaluate.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <new>

#include "policy/findings.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

// --- counting allocations of this program -----------------------------------------------------------------------------

// AddressSanitizer brings operators of its own.
#if !defined(__SANITIZE_ADDRESS__)
namespace {
std::atomic<std::size_t> allocations{0};
void* counted(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
#endif

namespace {

std::string bad_pod() { return R"({"metadata":{"name":"web"},"spec":{"containers":[{"name":"web"}]}})"; }

Request bad(std::string operation = "CREATE") {
    Request request;
    request.object = bad_pod();
    return sample::with_operation(request, std::move(operation));
}

std::string with_actions(std::string_view actions, std::string_view rules, std::string_view name = "p") {
    return sample::policy("  validationActions: [" + std::string(actions) + "]\n  rules: [" + std::string(rules) + "]\n", name);
}

constexpr std::string_view kProbe = "{name: probes, probes: {all: [readinessProbe]}}";
constexpr std::string_view kLimit = "{name: limits, resources: {limits: [memory]}}";
constexpr std::string_view kLockRule = "{name: lock, lock: {writers: [flux]}}";

std::vector<std::string> names_of(const Verdict& verdict) {
    std::vector<std::string> names;
    for (const Violation& violation : verdict.violations) names.push_back(violation.policy + "/" + violation.rule);
    return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("all violations of all policies are found, in the order of policies and rules") {
    const auto set = sample::compiled({with_actions("Deny", std::string(kLockRule) + "," + std::string(kLimit), "a"),
                                       with_actions("Warn", kProbe, "b"), with_actions("Deny", kProbe, "c")});
    const Verdict verdict = evaluate(*Read(bad()), *set, {});
    CHECK_FALSE(verdict.allowed);
    CHECK(names_of(verdict) == Names{"a/lock", "a/limits", "b/probes", "c/probes"});
    CHECK(verdict.violations[2].action == Action::warn);
    CHECK(verdict.warnings == std::vector<std::string>{to_string(verdict.violations[2])});
}

TEST_CASE("what a violation does depends on the actions of its policy") {
    struct Row {
        std::string_view actions;
        bool allowed;
        std::size_t warnings;
        Action action;
    };
    const Row rows[] = {
        {"Deny", false, 0, Action::deny},  {"Deny, Audit", false, 0, Action::deny}, {"Audit, Deny", false, 0, Action::deny},
        {"Warn", true, 1, Action::warn},   {"Warn, Audit", true, 1, Action::warn},  {"Audit, Warn", true, 1, Action::warn},
        {"Audit", true, 0, Action::audit},
    };
    for (const Row& row : rows) {
        for (const std::string_view rule : {kLockRule, kProbe}) {
            INFO(row.actions << " " << rule);
            const Verdict verdict = evaluate(*Read(bad()), *sample::compiled(with_actions(row.actions, rule)), {});
            CHECK(verdict.allowed == row.allowed);
            CHECK(verdict.warnings.size() == row.warnings);
            REQUIRE(verdict.violations.size() == 1);
            CHECK(verdict.violations[0].action == row.action);
            CHECK(verdict.write_class == (rule == kLockRule ? WriteClass::exceptional : WriteClass::unguarded));
        }
    }
}

TEST_CASE("the class of a write says what the log must promise") {
    struct Row {
        std::string_view name;
        std::vector<std::string> policies;
        std::string user;
        std::string object;
        WriteClass write_class;
        bool allowed;
    };
    const std::string good = R"({"metadata":{"name":"web"},"spec":{"containers":[{"name":"web","readinessProbe":{"exec":{}}}]}})";
    const std::string elsewhere = sample::policy("  match: {namespaces: [staging]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n");
    const Row rows[] = {
        {"nobody asked", {elsewhere}, sample::kAlice, good, WriteClass::unguarded, true},
        {"a workload rule and nothing found", {with_actions("Deny", kProbe)}, sample::kAlice, good, WriteClass::unguarded, true},
        {"a workload rule warns", {with_actions("Warn", kProbe)}, sample::kAlice, bad_pod(), WriteClass::unguarded, true},
        {"a writer", {with_actions("Deny", kLockRule)}, sample::kFlux, good, WriteClass::routine, true},
        {"a writer whose object is only warned about",
         {with_actions("Deny", kLockRule), with_actions("Warn", kProbe, "q")},
         sample::kFlux,
         bad_pod(),
         WriteClass::routine,
         true},
        {"a writer whose object is denied",
         {with_actions("Deny", kLockRule), with_actions("Deny", kProbe, "q")},
         sample::kFlux,
         bad_pod(),
         WriteClass::routine,
         false},
        {"a person, audited", {with_actions("Audit", kLockRule)}, sample::kAlice, good, WriteClass::exceptional, true},
        {"a person, denied", {with_actions("Deny", kLockRule)}, sample::kAlice, good, WriteClass::exceptional, false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request;
        request.user = row.user;
        request.object = row.object;
        const Verdict verdict = evaluate(*Read(request), *sample::compiled(row.policies), {});
        CHECK(verdict.write_class == row.write_class);
        CHECK(verdict.allowed == row.allowed);
        CHECK(verdict.effective);
    }
}

TEST_CASE("a dry run is relaxed by the lock, not by workload rules") {
    Request request = bad();
    request.dry_run = true;
    const auto set = sample::compiled(with_actions("Deny", std::string(kLockRule) + "," + std::string(kProbe)));
    const Verdict verdict = evaluate(*Read(request), *set, {});
    CHECK_FALSE(verdict.allowed);
    CHECK_FALSE(verdict.effective);
    CHECK(names_of(verdict) == Names{"p/probes"});
}

TEST_CASE("a match narrows a policy by namespace, name and resource") {
    const auto applies = [](std::string_view match, Request request) {
        return !evaluate(*Read(request),
                         *sample::compiled(
                             sample::policy("  match: {" + std::string(match) + "}\n  rules: [{name: r, lock: {writers: [flux]}}]\n")),
                         {})
                    .allowed;
    };
    const auto in = [](std::string name_space, std::string name = "web") {
        Request request;
        request.namespace_name = std::move(name_space);
        request.name = std::move(name);
        request.object = "{}";
        return request;
    };
    CHECK(applies("", in("anything")));
    CHECK(applies("namespaces: [production]", in("production")));
    CHECK_FALSE(applies("namespaces: [production]", in("production-2")));
    CHECK(applies("namespaces: [a, \"prod-*\"]", in("prod-eu")));
    CHECK_FALSE(applies("namespaces: [production]", in("")));
    CHECK_FALSE(applies("namespaces: [\"prod-*\"], excludeNamespaces: [prod-sandbox]", in("prod-sandbox")));
    CHECK(applies("excludeNamespaces: [dev]", in("production")));
    CHECK(applies("names: [\"web*\"]", in("production", "web-2")));
    CHECK_FALSE(applies("names: [\"web*\"]", in("production", "api")));
    const std::string pods = R"({apiGroups: [""], resources: [pods], operations: [CREATE]})";
    CHECK(applies("resourceRules: [" + pods + "]", in("production")));
    CHECK_FALSE(applies("resourceRules: [" + pods + "]", sample::with_operation(in("production"), "DELETE")));
    CHECK_FALSE(applies("excludeResourceRules: [" + pods + "]", in("production")));
    CHECK(applies("excludeResourceRules: [" + pods + "]", sample::with_operation(in("production"), "DELETE")));

    // Its generated name is not known yet: what it will start with is.
    Request generated = in("production", "");
    generated.object = R"({"metadata":{"generateName":"web-"}})";
    CHECK(applies("names: [\"web-*\"]", generated));
    CHECK_FALSE(applies("names: [\"api-*\"]", generated));
}

TEST_CASE("a namespace is in itself, so that a lock covers its Namespace object") {
    Request request;
    request.resource = "namespaces";
    request.kind = "Namespace";
    request.name = "production";
    request.object = R"({"metadata":{"name":"production"}})";
    const auto set =
        sample::compiled(sample::policy("  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n"));
    for (const std::string name_space : {"production", ""}) {
        INFO(name_space);
        request.namespace_name = name_space;
        CHECK_FALSE(evaluate(*Read(sample::with_operation(request, "DELETE")), *set, {}).allowed);
        CHECK_FALSE(evaluate(*Read(sample::with_operation(request, "UPDATE")), *set, {}).allowed);
    }
}

TEST_CASE("workload rules find the pods of every kind that has some") {
    const std::string spec = R"({"containers":[{"name":"web"}]})";
    struct Row {
        std::string group;
        std::string resource;
        std::string object;
        std::string path;
    };
    const std::string in_template = R"({"spec":{"template":{"spec":)" + spec + "}}}";
    const Row rows[] = {
        {"", "pods", R"({"spec":)" + spec + "}", ".spec"},
        {"", "podtemplates", R"({"template":{"spec":)" + spec + "}}", ".template.spec"},
        {"", "replicationcontrollers", in_template, ".spec.template.spec"},
        {"apps", "deployments", in_template, ".spec.template.spec"},
        {"apps", "replicasets", in_template, ".spec.template.spec"},
        {"apps", "statefulsets", in_template, ".spec.template.spec"},
        {"apps", "daemonsets", in_template, ".spec.template.spec"},
        {"batch", "jobs", in_template, ".spec.template.spec"},
        {"batch", "cronjobs", R"({"spec":{"jobTemplate":{"spec":{"template":{"spec":)" + spec + "}}}}}",
         ".spec.jobTemplate.spec.template.spec"},
    };
    const auto set = sample::compiled(with_actions("Deny", kLimit));
    for (const Row& row : rows) {
        INFO(row.group << "/" << row.resource);
        Request request;
        request.group = row.group;
        request.resource = row.resource;
        request.object = row.object;
        const Verdict verdict = evaluate(*Read(request), *set, {});
        REQUIRE(verdict.violations.size() == 1);
        CHECK(verdict.violations[0].path == row.path + R"(.containers[name="web"].resources.limits.memory)");
        request.group = "example.com";  // the same name in another group holds no pods that we know
        CHECK(evaluate(*Read(request), *set, {}).violations.empty());
    }
}

TEST_CASE("an update is judged by the rules whose inputs it changes, and by no other") {
    const auto set = sample::compiled(with_actions("Deny", kLimit));
    Request request = bad("UPDATE");
    CHECK(evaluate(*Read(request), *set, {}).allowed);
    // A label and a finalizer; members in another order.
    request.object = R"({"metadata":{"name":"web","labels":{"a":"b"},"finalizers":[]},"spec":{"containers":[{"image":"x","name":"web"}]}})";
    request.old_object = R"({"metadata":{"name":"web","finalizers":["x"]},"spec":{"containers":[{"name":"web","image":"x"}]}})";
    CHECK(evaluate(*Read(request), *set, {}).allowed);
    // Another image: no input of the limits of a Pod.
    request.object = R"({"metadata":{"name":"web"},"spec":{"containers":[{"name":"web","image":"y"}]}})";
    CHECK(evaluate(*Read(request), *set, {}).allowed);
    CHECK(names_of(evaluate(
              *Read(request),
              *sample::compiled({with_actions("Deny", kLimit, "a"),
                                 with_actions("Deny", "{name: user, podSecurity: {level: restricted, checks: [runAsNonRoot]}}", "b")}),
              {})) == Names{"b/user"});
    // A request beside the missing limit, another name, one container more: inputs.
    for (const std::string_view containers :
         {R"([{"name":"web","image":"x","resources":{"requests":{"memory":"1Mi"}}}])", R"([{"name":"wep","image":"x"}])",
          R"([{"name":"web","image":"x"},{"name":"more","image":"x"}])"}) {
        INFO(containers);
        request.object = R"({"metadata":{"name":"web"},"spec":{"containers":)" + std::string(containers) + "}}";
        CHECK_FALSE(evaluate(*Read(request), *set, {}).allowed);
    }
    request.old_object = R"({"metadata":{"name":"web"},"spec":null})";
    CHECK_FALSE(evaluate(*Read(request), *set, {}).allowed);
}

TEST_CASE("a template that changes in anything is judged by every rule: its new pods will be") {
    const auto set = sample::compiled(with_actions("Deny", kLimit));
    const auto deployment = [](std::string_view image, std::string_view metadata, std::string_view template_metadata = "{}") {
        return R"({"metadata":)" + std::string(metadata) + R"(,"spec":{"template":{"metadata":)" + std::string(template_metadata) +
               R"(,"spec":{"containers":[{"name":"web","image":")" + std::string(image) + R"("}]}}}})";
    };
    Request request;
    request.operation = "UPDATE";
    request.group = "apps";
    request.resource = "statefulsets";
    request.old_object = deployment("x", "{}");
    struct Row {
        std::string_view name;
        std::string object;
        bool allowed;
    };
    const Row rows[] = {
        {"nothing", deployment("x", "{}"), true},
        {"a label and a finalizer of the workload", deployment("x", R"({"labels":{"a":"b"},"finalizers":["c"]})"), true},
        {"an image, which is no input of the rule", deployment("y", "{}"), false},
        {"an annotation of the template: a restart", deployment("x", "{}", R"({"annotations":{"restartedAt":"now"}})"), false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        request.object = row.object;
        CHECK(evaluate(*Read(request), *set, {}).allowed == row.allowed);
    }
}

TEST_CASE("deletes and connections have no pods to judge") {
    const auto set = sample::compiled(with_actions("Deny", kLimit));
    CHECK(evaluate(*Read(bad("DELETE")), *set, {}).allowed);
    Request exec = bad("CONNECT");
    exec.sub_resource = "exec";
    CHECK(evaluate(*Read(exec), *set, {}).allowed);
}

TEST_CASE("pods of a shape that no API server stores are refused, not skipped") {
    const auto set = sample::compiled(with_actions("Deny", std::string(kLimit)));
    for (const std::string_view spec : {R"("text")", "[]", "7", R"({"containers":{}})", R"({"containers":["web"]})",
                                        R"({"initContainers":"x"})", R"({"ephemeralContainers":[null]})"}) {
        INFO(spec);
        Request request;
        request.object = R"({"spec":)" + std::string(spec) + "}";
        const Verdict verdict = evaluate(*Read(request), *set, {});
        CHECK_FALSE(verdict.allowed);
        CHECK(verdict.violations.size() == 1);
    }
    Request empty;
    empty.resource = "replicationcontrollers";
    empty.object = R"({"spec":{"template":null}})";
    CHECK(evaluate(*Read(empty), *set, {}).allowed);
}

TEST_CASE("more violations than the log takes are counted, and never turn a denial into an allow") {
    std::string containers;
    for (int i = 0; i < 6'000; ++i) containers += std::string(i ? "," : "") + R"({"name":"c)" + std::to_string(i) + R"("})";
    Request request;
    request.object = R"({"metadata":{"name":"web"},"spec":{"containers":[)" + containers + "]}}";
    const std::string all_probes = "{name: probes, probes: {all: [readinessProbe, livenessProbe, startupProbe]}}";

    // The first policy only audits and fills the list; the second denies.
    const auto set = sample::compiled({with_actions("Audit", all_probes, "a"), with_actions("Deny", kLockRule, "b")});
    const Verdict verdict = evaluate(*Read(request), *set, {});
    CHECK_FALSE(verdict.allowed);
    CHECK(verdict.violations.size() <= kViolationsMax);
    CHECK(verdict.violations.size() + verdict.violations_omitted == 18'001);
    // … and the person who is denied is told why.
    REQUIRE_FALSE(verdict.violations.empty());
    CHECK(verdict.violations.back().policy == "b");

    const auto all_deny = sample::compiled({with_actions("Deny", all_probes, "a"), with_actions("Deny", kLimit, "b")});
    const Verdict full = evaluate(*Read(request), *all_deny, {});
    CHECK_FALSE(full.allowed);
    CHECK(full.violations.size() == kViolationsMax);
    CHECK(full.violations_omitted == 24'000 - kViolationsMax);

    // Only warnings: allowed, but remembered.
    const Verdict warned = evaluate(*Read(request), *sample::compiled(with_actions("Warn", all_probes)), {});
    CHECK(warned.allowed);
    CHECK(warned.write_class == WriteClass::unguarded);
}

TEST_CASE("findings count what they cannot keep") {
    Verdict verdict;
    Findings findings(verdict, "p", "r", Action::deny);
    findings.omit(3);
    CHECK(findings.count() == 3);
    CHECK(verdict.violations_omitted == 3);
    findings.add(".", "a", "b");
    CHECK(findings.count() == 4);
    CHECK(verdict.violations.size() == 1);
}

TEST_CASE("a denial names owner, guidance and what it is about") {
    const auto set = sample::compiled({
        sample::policy(
            "  guidance: \"Ask {owner}, really {owner}.\"\n  compliance: [one, two]\n  rules: [{name: r, lock: {writers: [flux]}}]\n", "a"),
        sample::policy("  guidance: \"second\"\n  compliance: [two, three]\n  rules: [{name: r, lock: {writers: [flux]}}]\n", "b"),
        sample::policy("  compliance: [four]\n  rules: [{name: r, probes: {all: [readinessProbe]}}]\n", "c"),
    });
    Request request = sample::with_operation(Request{}, "UPDATE");
    request.old_object =
        R"({"metadata":{"name":"web","labels":{"kustomize.toolkit.fluxcd.io/name":"apps","kustomize.toolkit.fluxcd.io/namespace":"flux-system"}}})";
    const Verdict verdict = evaluate(*Read(request), *set, {});
    CHECK(verdict.owner == "Kustomization flux-system/apps");
    CHECK(verdict.guidance == "Ask Kustomization flux-system/apps, really Kustomization flux-system/apps.");
    CHECK(verdict.compliance == std::vector<std::string>{"one", "two", "three"});

    request.old_object =
        R"({"metadata":{"name":"web","labels":{"helm.toolkit.fluxcd.io/name":"shop","helm.toolkit.fluxcd.io/namespace":"{owner}"}}})";
    const Verdict odd = evaluate(*Read(request), *set, {});
    CHECK(odd.owner == "HelmRelease {owner}/shop");
    CHECK(odd.guidance == "Ask HelmRelease {owner}/shop, really HelmRelease {owner}/shop.");

    request.sub_resource = "scale";
    request.resource = "deployments";
    request.group = "apps";
    request.old_object = request.object;
    CHECK(evaluate(*Read(request), *set, {}).owner == "unknown (deployments.apps/scale carries no labels)");
}

TEST_CASE("an error is a denial") {
    const Verdict verdict = Verdict::undecided({Errc::internal, "why", "where"});
    CHECK_FALSE(verdict.allowed);
    REQUIRE(verdict.error.has_value());
    CHECK(verdict.error->message == "why");
}

TEST_CASE("judging an allowed write allocates nothing") {
#if defined(__SANITIZE_ADDRESS__)
    WARN("not counted under AddressSanitizer");
#else
    const auto set = sample::compiled(
        {sample::file("cli/demo/policies/production.yaml").substr(0, sample::file("cli/demo/policies/production.yaml").find("\n---")),
         sample::policy("  match: {namespaces: [production], names: [\"*\"]}\n  rules:\n"
                        "  - {name: bounds, resources: {min: {cpu: 1m}, max: {memory: 64Gi}, maxLimitRequestRatio: {memory: \"100\"}}}\n"
                        "  - {name: hardened, podSecurity: {level: baseline}}\n",
                        "more"),
         // Writers of files are asked first.
         sample::policy(
             "  match: {namespaces: [production]}\n  rules:\n"
             "  - {name: r, lock: {writers: [team, {name: aks-flux, serviceAccounts: [cluster-config/flux-applier]}, flux, kubernetes]}}\n",
             "files"),
         "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: team}\nspec:\n  identities:\n"
         "  - {serviceAccount: {namespace: \"flux-*\", name: \"*-controller\"}, assurance: token, may: [{apiGroups: [apps], resources: "
         "[deployments], operations: [\"*\"], namespaces: [staging, \"team-*\"]}]}\n"
         "  - {groups: [\"system:serviceaccounts:flux-system\"], assurance: pod-bound, may: [{apiGroups: [\"\"], resources: [pods], "
         "operations: [\"*\"], owned: true}]}\n"});
    const std::size_t before_one = allocations;
    const auto one = std::make_unique<std::string>(100, 'x');
    REQUIRE(allocations - before_one == 2);  // they are counted
    for (const std::string name : {"flux-applies", "update-18k"}) {
        INFO(name);
        const std::string text = kube::with_slack(sample::recording(name));
        kube::ReviewReader reader{Limits{}};
        REQUIRE(reader.read(text).has_value());  // grows the parser's buffers
        std::size_t before = allocations;
        const auto review = reader.read(text);
        const std::size_t for_reading = allocations - before;
        REQUIRE(review.has_value());
        before = allocations;
        const Verdict verdict = evaluate(*review, *set, {});
        const std::size_t for_judging = allocations - before;
        std::cout << name << ".json: " << for_reading << " allocations to read, " << for_judging << " to judge\n";
        CHECK(for_judging == 0);
        CHECK(for_reading <= 1);
        for (const Violation& violation : verdict.violations) UNSCOPED_INFO(to_string(violation));
        CHECK(verdict.allowed);
        CHECK(verdict.violations.empty());
        CHECK(verdict.write_class == WriteClass::routine);
    }
#endif
}

TEST_CASE("a thousand policies about other namespaces cost little") {
    std::vector<std::string> texts;
    for (int i = 0; i < 1'000; ++i) {
        texts.push_back(
            sample::policy("  match: {namespaces: [\"team-" + std::to_string(i) + "-*\"]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n",
                           "p" + std::to_string(i)));
    }
    const auto set = sample::compiled(texts);
    CHECK(set->policies.size() == 1'000);
    Request request;
    request.namespace_name = "team-777-eu";
    request.object = "{}";
    const Verdict verdict = evaluate(*Read(request), *set, {});
    CHECK(names_of(verdict) == Names{"p777/r"});
}
