#include "policy/loader.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::problems_of;

namespace {

std::vector<std::string> problems(const std::string& text) { return problems_of({{"p.yaml", text}}); }

bool speaks_of(const std::vector<std::string>& list, std::string_view text) {
    return std::any_of(list.begin(), list.end(), [&](const std::string& problem) { return problem.find(text) != std::string::npos; });
}

std::string joined(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& problem : list) text += problem + "\n";
    return text;
}

// A folder that is gone when the test ends.
struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("fluxgate-loader-test-" + std::to_string(::getpid()));
    Folder() {
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    void write(const std::string& name, const std::string& text) const { std::ofstream(path / name, std::ios::binary) << text; }
};

}  // namespace

TEST_CASE("every problem of every file comes in one run, with its place and the nearest known name") {
    const std::vector<PolicyFile> files{
        {"a.yaml",
         "apiVersion: fluxgate.dev/v1alpha1\n"
         "kind: GuardPolicy\n"
         "metadata: {name: production, naem: x}\n"
         "spec:\n"
         "  descriptoin: typo\n"
         "  compliance: PCI\n"
         "  validationActions: [Denny, Warn]\n"
         "  match:\n"
         "    namespaces: []\n"
         "    names: [\"a b\", 7]\n"
         "    resourceRules:\n"
         "    - {apiGroups: [], resource: [pods], operations: [PATCH]}\n"
         "  rules:\n"
         "  - name: only-git\n"
         "    lock: {writers: [fluxx], scoope: object}\n"
         "  - name: only-git\n"
         "    resources: {requests: [cpu, memroy], max: {memory: 4gb}, containerTypes: []}\n"
         "  - {name: both, probes: {all: [readynessProbe]}, resources: {limits: [cpu]}}\n"
         "  - {name: none}\n"
         "  - {probes: {}}\n"
         "  - just text\n"
         "  - name: security\n"
         "    podSecurity: {level: restrictd, version: 1.30, checks: [runAsNonroot]}\n"},
        {"b.yaml",
         "apiVersion: fluxgate.dev/v1alpha1\n"
         "kind: GuardPolicy\n"
         "metadata: {name: production}\n"
         "spec: {rules: []}\n"
         "---\n"
         "apiVersion: fluxgate.dev/v1\n"
         "kind: GuardPolcy\n"
         "---\n"
         "- a list\n"
         "---\n"
         "kind: GuardPolicy\n"
         "kind: GuardPolicy\n"},
    };
    const std::vector<std::string> wanted{
        "a.yaml:3:30: metadata.naem: unknown field (did you mean \"name\"?)",
        "a.yaml:6:15: spec.compliance: expected a list, have a string",
        "a.yaml:7:23: spec.validationActions[0]: have \"Denny\", expected one of: Deny, Warn, Audit (did you mean \"Deny\"?)",
        "a.yaml:9:17: spec.match.namespaces: is an empty list, which would be no condition; leave it out to match any",
        "a.yaml:10:13: spec.match.names[0]: \"a b\" has a character that no name has",
        "a.yaml:10:20: spec.match.names[1]: expected a string, have an integer",
        "a.yaml:12:19: spec.match.resourceRules[0].apiGroups: names nothing",
        "a.yaml:12:7: spec.match.resourceRules[0].resources is missing",
        "a.yaml:12:54: spec.match.resourceRules[0].operations[0]: have \"PATCH\", expected one of: CREATE, UPDATE, DELETE, CONNECT, *",
        "a.yaml:12:23: spec.match.resourceRules[0].resource: unknown field (did you mean \"resources\"?)",
        "a.yaml:15:22: spec.rules[0].lock.writers[0]: no writer profile is named \"fluxx\" (did you mean \"flux\"?); expected one of: "
        "flux, flux-multitenant, aks-flux",
        "a.yaml:15:30: spec.rules[0].lock.scoope: unknown field (did you mean \"scope\"?)",
        "a.yaml:16:11: spec.rules[1].name: another rule of this policy is named \"only-git\"",
        "a.yaml:17:33: spec.rules[1].resources.requests[1]: no resource is named \"memroy\" (did you mean \"memory\"?)",
        "a.yaml:17:56: spec.rules[1].resources.max.memory: expected a quantity above zero such as \"100m\" or \"4Gi\"",
        "a.yaml:17:78: spec.rules[1].resources.containerTypes: names no container type",
        "a.yaml:18:33: spec.rules[2].probes.all[0]: have \"readynessProbe\"",
        "a.yaml:18:5: spec.rules[2]: expected exactly one of",
        "a.yaml:19:5: spec.rules[3]: expected exactly one of",
        "a.yaml:20:5: spec.rules[4].name is missing: expected a string",
        "a.yaml:20:14: probes: demands nothing",
        "a.yaml:21:5: spec.rules[5]: expected a mapping, have a string",
        "a.yaml:23:26: spec.rules[6].podSecurity.level: have \"restrictd\", expected one of: restricted, baseline, privileged (did you "
        "mean \"restricted\"?)",
        "a.yaml:23:46: spec.rules[6].podSecurity.version: expected a string, have a number",
        "a.yaml:23:61: spec.rules[6].podSecurity.checks[0]: have \"runAsNonroot\"",
        "a.yaml:5:3: spec.descriptoin: unknown field (did you mean \"description\"?)",
        "b.yaml:4:15: spec.rules: must have at least one rule",
        "b.yaml:1:1: metadata.name: another policy named \"production\" is in a.yaml",
        "b.yaml:6:13: apiVersion: expected fluxgate.dev/v1alpha1",
        "b.yaml:7:7: kind: have \"GuardPolcy\", expected one of: GuardPolicy, GuardException, WriterProfile, BreakGlass, PolicyTest (did "
        "you mean \"GuardPolicy\"?)",
        "b.yaml:9:1: expected a GuardPolicy, have a list",
        "b.yaml:12:1:",
    };
    const auto list = problems_of(files);
    std::string missing;
    for (const std::string& want : wanted) {
        if (std::none_of(list.begin(), list.end(), [&](const std::string& problem) { return problem.starts_with(want); }))
            missing += want + "\n";
    }
    INFO(joined(list));
    CHECK(missing == "");
    CHECK(compile(files, CompileOptions{}).set == nullptr);
}

// policy-files.md, field by field. What this version does not implement is refused, so that nobody relies on it.
TEST_CASE("each field of the schema that is not implemented is an error of its own when the policy loads") {
    struct Row {
        std::string_view name;
        std::string text;
    };
    const auto spec = [](std::string_view line) {
        return sample::policy("  " + std::string(line) + "\n  rules: [{name: r, lock: {writers: [flux]}}]\n");
    };
    const auto match = [&](std::string_view field) { return spec("match: {" + std::string(field) + "}"); };
    const auto lock = [](std::string_view field) { return sample::rule("lock: {writers: [flux], " + std::string(field) + "}"); };
    const auto writer = [](std::string_view name) { return sample::rule("lock: {writers: [" + std::string(name) + "]}"); };
    const Row rows[] = {
        {"match.namespaceSelector", match("namespaceSelector: {matchLabels: {env: production}}")},
        {"resourceRules.resourceNames",
         match(R"(resourceRules: [{apiGroups: ["*"], resources: ["*"], operations: ["*"], resourceNames: [x]}])")},
        {"resourceRules.scope", match(R"(resourceRules: [{apiGroups: ["*"], resources: ["*"], operations: ["*"], scope: Namespaced}])")},
        {"lock.learnUntil", lock("learnUntil: 2026-12-08T00:00:00Z")},
        {"lock.allowances", lock("allowances: []")},
        {"writer fluxgate", writer("fluxgate")},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto result = compile({{"p.yaml", row.text}}, CompileOptions{});
        CHECK(result.set == nullptr);
        const bool told = std::any_of(result.problems.begin(), result.problems.end(), [](const Problem& problem) {
            return problem.code == Errc::not_implemented && problem.position.line > 0 &&
                   problem.message.find("this version of Fluxgate") != std::string::npos;
        });
        INFO(joined(problems(row.text)));
        CHECK(told);
    }
}

TEST_CASE("every implemented field of the schema is read") {
    const auto set = sample::compiled(
        "apiVersion: fluxgate.dev/v1alpha1\n"
        "kind: GuardPolicy\n"
        "metadata: {name: production, labels: {a: b}, annotations: {c: d}}\n"
        "spec:\n"
        "  description: Only Git changes production.\n"
        "  compliance: [\"PCI-DSS 4.0 6.5.1\", \"SOC 2 CC8.1\"]\n"
        "  guidance: \"Change it in Git, {owner}.\"\n"
        "  validationActions: [Warn, Audit]\n"
        "  match:\n"
        "    namespaces: [production, \"prod-*\"]\n"
        "    excludeNamespaces: [prod-sandbox]\n"
        "    names: [\"*\"]\n"
        "    resourceRules: [{apiGroups: [\"*\"], apiVersions: [\"*\"], resources: [\"*/*\"], operations: [\"*\"]}]\n"
        "    excludeResourceRules: [{apiGroups: [\"\"], resources: [events], operations: [CREATE, UPDATE]}]\n"
        "  rules:\n"
        "  - name: only-git\n"
        "    lock: {writers: [flux, kubernetes], scope: object}\n"
        "  - name: limits\n"
        "    resources: {requests: [cpu, memory], limits: [memory], min: {cpu: 10m}, max: {memory: 4Gi}, maxLimitRequestRatio: {memory: "
        "\"2\"},\n"
        "                containerTypes: [containers, initContainers, sidecars]}\n"
        "  - name: probes\n"
        "    probes: {all: [readinessProbe], any: [livenessProbe, startupProbe], kinds: [Deployment, StatefulSet, DaemonSet]}\n"
        "  - name: hardened\n"
        "    podSecurity: {level: restricted, version: v1.34, checks: [], exclude: [{check: capabilities_restricted, images: "
        "[\"myacr.azurecr.io/net-tool\"]}]}\n");
    REQUIRE(set->policies.size() == 1);
    const Policy& policy = set->policies[0];
    CHECK(policy.name == "production");
    CHECK(policy.compliance.size() == 2);
    CHECK_FALSE(policy.actions.deny);
    CHECK(policy.actions.warn);
    CHECK(policy.actions.audit);
    CHECK(policy.match.namespaces.size() == 2);
    CHECK(policy.match.exclude_resource_rules.size() == 1);
    CHECK(set->rule_count() == 4);
    CHECK(std::get<LockRule>(policy.rules[0].body).writers.size() == 2);
    CHECK(std::get<ResourcesRule>(policy.rules[1].body).max[0].text == "4Gi");
    CHECK(std::get<ProbesRule>(policy.rules[2].body).kinds.size() == 3);
    CHECK(std::get<PodSecurityRule>(policy.rules[3].body).minor_version == 34);
    CHECK(std::get<PodSecurityRule>(policy.rules[3].body).exclusions.size() == 1);
    CHECK(set->digest.starts_with("sha256:"));
    CHECK(set->digest.size() == 71);
}

TEST_CASE("a policy that looks as if it did something and does not is refused") {
    struct Row {
        std::string_view name;
        std::string text;
        std::string_view says;
    };
    const auto lines = [](std::string_view spec) { return sample::policy(spec); };
    const Row rows[] = {
        {"no rules", lines("  description: x\n"), "spec.rules is missing"},
        {"rules null", lines("  rules:\n"), "spec.rules is missing"},
        {"rules of a wrong type", lines("  rules: {name: r}\n"), "expected a list"},
        {"no spec", "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: x}\n", "GuardPolicy.spec is missing"},
        {"no metadata", "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nspec: {rules: [{name: r, lock: {writers: [flux]}}]}\n",
         "GuardPolicy.metadata is missing"},
        {"no apiVersion", "kind: GuardPolicy\nmetadata: {name: x}\nspec: {rules: [{name: r, lock: {writers: [flux]}}]}\n",
         "apiVersion: expected fluxgate.dev/v1alpha1"},
        {"no kind", "apiVersion: fluxgate.dev/v1alpha1\n", "kind is missing"},
        {"a field beside spec",
         "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: x}\nspce: {}\nspec: {rules: [{name: r, lock: {writers: "
         "[flux]}}]}\n",
         "GuardPolicy.spce: unknown field (did you mean \"spec\"?)"},
        {"capitals in the name", sample::rule("lock: {writers: [flux]}", "Production"), "expected lower-case letters"},
        {"a long name", sample::rule("lock: {writers: [flux]}", std::string(64, 'a')), "at most 63 characters"},
        {"a lock without writers", sample::rule("lock: {}"), "lock.writers is missing"},
        {"a lock with an empty list of writers", sample::rule("lock: {writers: []}"), "must name at least one profile"},
        {"a lock with writers null", sample::rule("lock: {writers: null}"), "lock.writers is missing"},
        {"a lock with one writer that is no list", sample::rule("lock: {writers: flux}"), "expected a list"},
        {"a lock null", sample::rule("lock: null"), "expected exactly one of lock"},
        {"an unknown scope", sample::rule("lock: {writers: [flux], scope: objects}"), "did you mean \"object\"?"},
        {"resources that demand nothing", sample::rule("resources: {requests: []}"), "demands nothing"},
        {"a bound of zero", sample::rule("resources: {min: {cpu: 0}}"), "above zero"},
        {"a bound below zero", sample::rule("resources: {max: {cpu: \"-1\"}}"), "above zero"},
        {"a bound that is a word", sample::rule("resources: {max: {memory: lots}}"), "above zero"},
        {"a bound that is a list", sample::rule("resources: {max: {memory: [1]}}"), "above zero"},
        {"bounds that are a list", sample::rule("resources: {max: [memory]}"), "expected a mapping from resource names"},
        {"a bound of a resource nobody has", sample::rule("resources: {max: {mem: 1Gi}}"), "no resource is named \"mem\""},
        {"a resource without a name", sample::rule("resources: {limits: [\"\"]}"), "no resource is named"},
        {"probes that demand nothing", sample::rule("probes: {kinds: [Pod]}"), "demands nothing"},
        {"probes of a kind without pods", sample::rule("probes: {all: [readinessProbe], kinds: [Service]}"), "kinds[0]: have \"Service\""},
        {"an unknown version", sample::rule("podSecurity: {level: restricted, version: v2.0, checks: [runAsUser]}"),
         "expected \"latest\" or \"v1.N\""},
        {"a version with a zero in front", sample::rule("podSecurity: {level: restricted, version: v1.07, checks: [runAsUser]}"),
         "expected \"latest\""},
        {"a version with a sign", sample::rule("podSecurity: {level: restricted, version: v1.-1, checks: [runAsUser]}"),
         "expected \"latest\""},
        {"no level", sample::rule("podSecurity: {checks: [runAsUser]}"), "podSecurity.level is missing"},
        {"no action", lines("  validationActions: []\n  rules: [{name: r, lock: {writers: [flux]}}]\n"), "must name Deny, Warn or Audit"},
        {"Deny and Warn", lines("  validationActions: [Deny, Warn]\n  rules: [{name: r, lock: {writers: [flux]}}]\n"),
         "must not stand together"},
        {"operations missing",
         lines("  match: {resourceRules: [{apiGroups: [\"\"], resources: [pods]}]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n"),
         "operations is missing"},
        {"operations empty",
         lines("  match: {resourceRules: [{apiGroups: [\"\"], resources: [pods], operations: []}]}\n  rules: [{name: r, lock: {writers: "
               "[flux]}}]\n"),
         "operations: names nothing"},
        {"resource rules empty", lines("  match: {resourceRules: []}\n  rules: [{name: r, lock: {writers: [flux]}}]\n"), "resourceRules"},
        {"a kind where a resource belongs",
         lines("  match: {resourceRules: [{apiGroups: [\"\"], resources: [Pod], operations: [CREATE]}]}\n  rules: [{name: r, lock: "
               "{writers: [flux]}}]\n"),
         "\"Pod\" can match nothing"},
        {"a version where a group belongs",
         lines("  match: {resourceRules: [{apiGroups: [apps/v1], resources: [pods], operations: [CREATE]}]}\n  rules: [{name: r, lock: "
               "{writers: [flux]}}]\n"),
         "\"apps/v1\" can match nothing"},
        {"a glob in a resource",
         lines("  match: {resourceRules: [{apiGroups: [\"*\"], resources: [\"pod*\"], operations: [CREATE]}]}\n  rules: [{name: r, lock: "
               "{writers: [flux]}}]\n"),
         "\"pod*\" can match nothing"},
        {"namespaces null", lines("  match: {namespaces: null}\n  rules: [{name: r, lock: {writers: [flux]}}]\n"), "namespaces"},
        {"long guidance", lines("  guidance: " + std::string(301, 'x') + "\n  rules: [{name: r, lock: {writers: [flux]}}]\n"),
         "at most 300"},
        {"a list where a text belongs", lines("  description: [x]\n  rules: [{name: r, lock: {writers: [flux]}}]\n"),
         "spec.description: expected a string, have a list"},
        {"an anchor", sample::rule("lock: &a {writers: [flux]}"), "p.yaml:6:"},
        {"a key twice", lines("  rules: [{name: r, lock: {writers: [flux]}}]\n  rules: [{name: s, lock: {writers: [flux]}}]\n"),
         "p.yaml:6:"},
        {"a boolean of YAML 1.1", lines("  description: yes\n  rules: [{name: r, lock: {writers: [flux]}}]\n"), "p.yaml:5:"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto list = problems(row.text);
        INFO(joined(list));
        CHECK(speaks_of(list, row.says));
        CHECK(compile({{"p.yaml", row.text}}, CompileOptions{}).set == nullptr);
    }
}

TEST_CASE("a set without policies is refused") {
    CHECK(problems_of({}) ==
          std::vector<std::string>{"(policies): no GuardPolicy found: this set would protect nothing; put at least one into the folder"});
    CHECK(speaks_of(problems_of({{"empty.yaml", "# nothing\n---\n"}}), "no GuardPolicy found"));
}

TEST_CASE("more problems than a person reads are counted") {
    Limits limits;
    limits.policy_errors_max = 3;
    std::string spec;
    for (int i = 0; i < 10; ++i) spec += "  field" + std::to_string(i) + ": 1\n";
    const auto result = compile({{"p.yaml", sample::policy(spec)}}, CompileOptions{.limits = limits});
    CHECK(result.set == nullptr);
    CHECK(result.problems.size() == 3);
    CHECK(result.problems_omitted == 8);  // ten fields, and rules is missing
}

TEST_CASE("a set compiles as a whole or not at all") {
    const std::string good = sample::rule("lock: {writers: [flux]}", "good");
    CHECK(compile({{"a.yaml", good}, {"b.yaml", sample::rule("lok: {}", "bad")}}, CompileOptions{}).set == nullptr);
    const auto both = sample::compiled({good, sample::rule("lock: {writers: [flux]}", "second")});
    CHECK(both->policies.size() == 2);
    CHECK(both->policies[0].name == "good");
}

TEST_CASE("the digest of a set follows names and texts") {
    const std::string text = sample::rule("lock: {writers: [flux]}");
    const auto digest = [](const std::vector<PolicyFile>& files) { return compile(files, CompileOptions{}).set->digest; };
    CHECK(digest({{"a", text}}) == digest({{"a", text}}));
    CHECK(digest({{"a", text}}) != digest({{"b", text}}));
    CHECK(digest({{"a", text}}) != digest({{"a", text + "\n"}}));
}

TEST_CASE("a directory is read as Kubernetes mounts it") {
    const Folder folder;
    folder.write("b.yaml", "b");
    folder.write("a.yml", "a");
    folder.write("c.json", "{}");
    folder.write("README.md", "not read");
    folder.write("..data.yaml", "not read");
    folder.write("d.yaml.bak", "not read");
    std::filesystem::create_directories(folder.path / "below.yaml");
    const auto files = read_policy_directory(folder.path, Limits{});
    REQUIRE(files.has_value());
    REQUIRE(files->size() == 3);
    CHECK((*files)[0].name == "a.yml");
    CHECK((*files)[1].text == "b");
    CHECK((*files)[2].name == "c.json");

    const auto missing = read_policy_directory(folder.path / "nothing", Limits{});
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == Errc::io);
    CHECK(missing.error().where == (folder.path / "nothing").string());

    Limits two;
    two.policy_files_max = 2;
    const auto many = read_policy_directory(folder.path, two);
    REQUIRE_FALSE(many.has_value());
    CHECK(many.error().code == Errc::too_large);

    std::filesystem::create_symlink("nowhere", folder.path / "e.yaml");
    const auto broken = read_policy_directory(folder.path, Limits{});
    REQUIRE_FALSE(broken.has_value());
    CHECK(broken.error().code == Errc::io);
}

TEST_CASE("a file that is too large is a problem, not a crash") {
    const Folder folder;
    folder.write("a.yaml", "# " + std::string((1u << 20) + 10, 'x'));
    const auto files = read_policy_directory(folder.path, Limits{});
    REQUIRE(files.has_value());
    const auto result = compile(*files, CompileOptions{});
    REQUIRE_FALSE(result.problems.empty());
    CHECK(result.problems[0].code == Errc::too_large);
}

TEST_CASE("the policies of the demo and of the cluster tests load") {
    for (const std::string folder : {"cli/demo/policies", "tests/cluster/policies"}) {
        INFO(folder);
        const auto files = read_policy_directory(std::string(FLUXGATE_SOURCE_DIR) + "/" + folder, Limits{});
        REQUIRE(files.has_value());
        const auto result = compile(*files, CompileOptions{});
        INFO(joined(problems_of(*files)));
        CHECK(result.set != nullptr);
    }
}

TEST_CASE("JSON is a policy file too") {
    const auto set = sample::compiled(
        R"({"apiVersion":"fluxgate.dev/v1alpha1","kind":"GuardPolicy","metadata":{"name":"x"},"spec":{"rules":[{"name":"r","lock":{"writers":["flux"]}}]}})");
    CHECK(set->rule_count() == 1);
}
