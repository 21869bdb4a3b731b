#include "policy/lint.hpp"

#include <rapidcheck.h>

#include "policy/coverage.hpp"
#include "policy/loader.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/lock/grant_sample.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

namespace {

const WallTime kNow = parse_rfc3339("2026-12-05T12:00:00Z").value();

std::vector<PolicyFile> files_of(const std::vector<std::string>& texts) {
    std::vector<PolicyFile> files;
    for (const std::string& text : texts) files.push_back({"p" + std::to_string(files.size()) + ".yaml", text});
    return files;
}

std::vector<Lint> lints(const std::vector<std::string>& texts, const ManifestNames* names = nullptr) {
    const auto files = files_of(texts);
    const auto result = compile(files, CompileOptions{.namespace_labels = true, .now = kNow});
    for (const Problem& problem : result.problems) UNSCOPED_INFO(to_string(problem));
    REQUIRE(result.set != nullptr);
    return lint(*result.set, read_policy_documents(files, Limits{}), kNow, names);
}

// "shadowed-rule p0.yaml:7:11 b/r", in order; without those that every short policy of these tests has.
std::vector<std::string> brief(const std::vector<Lint>& list) {
    std::vector<std::string> lines;
    for (const Lint& lint : list) {
        CHECK_FALSE(lint.message.empty());
        CHECK_FALSE(lint.fix.empty());
        CHECK(lint.position.line > 0);
        if (lint.id == LintId::no_lock || lint.id == LintId::deny_without_guidance) continue;
        lines.push_back(std::string(lint.kind().name) + " " + lint.file + ":" + std::to_string(lint.position.line) + ":" +
                        std::to_string(lint.position.column) + " " + lint.subject);
    }
    return lines;
}

using Lines = std::vector<std::string>;

const std::string kProbes = "  rules: [{name: r, probes: {all: [readinessProbe]}}]\n";

std::string exception(std::string_view match, std::string_view expires_at, std::string_view more = "") {
    return "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardException\nmetadata: {name: legacy}\nspec:\n"
           "  policies: [{name: p, rules: [r]}]\n  match: {" +
           std::string(match) + "}\n" + std::string(more) + "  reason: because\n  ticket: OPS-1\n  expiresAt: " + std::string(expires_at) +
           "\n";
}

Glob glob(std::string_view text) { return Glob::compile(text).value(); }

}  // namespace

TEST_CASE("a sound set has no lints") {
    const std::string sound = sample::policy(
        "  guidance: Ask us.\n  match: {namespaces: [production, \"prod-*\"], excludeNamespaces: [prod-sandbox]}\n"
        "  namespaceActions:\n  - {namespaces: [prod-legacy], validationActions: [Warn]}\n"
        "  enforceFrom: 2027-01-01T00:00:00Z\n"
        "  rules:\n  - {name: r, lock: {writers: [flux, kubernetes]}}\n"
        "  - {name: limits, resources: {min: {cpu: 10m}, max: {cpu: 10m}}}\n"
        "  - {name: images, images: {requireDigest: true, requireTag: true}}\n"
        "  - {name: fill, defaults: {automountServiceAccountToken: false}}\n"
        "  - {name: network, services: {denyTypes: [NodePort]}}\n");
    CHECK(lints({sound}).empty());
    // The policies that `fluxgate demo` and the tests of a real cluster use.
    CHECK(lints({sample::file("cli/demo/policies/production.yaml")}).empty());
}

TEST_CASE("each oddity of one policy has its lint, at its line") {
    struct Row {
        std::string_view name;
        std::string text;
        Lines lints;
    };
    const Row rows[] = {
        {"a lock whose writers apply nothing",
         sample::rule("lock: {writers: [kubernetes]}"),
         {"lock-on-kube-system p0.yaml:4:1 p/r", "lock-without-flux p0.yaml:6:22 p/r"}},
        {"a lock without controllers",
         sample::rule("lock: {writers: [flux]}"),
         {"lock-on-kube-system p0.yaml:4:1 p/r", "lock-without-kubernetes p0.yaml:6:22 p/r"}},
        {"a lock for another who applies what Git says",
         sample::policy("  match: {namespaces: [a]}\n  rules: [{name: r, lock: {writers: [argocd, kubernetes]}}]\n"),
         {}},
        {"a lock for Flux Operator",
         sample::policy("  match: {namespaces: [a]}\n  rules: [{name: r, lock: {writers: [flux-operator, kubernetes]}}]\n"),
         {}},
        {"a lock for the Flux of AKS",
         sample::policy("  match: {namespaces: [a]}\n"
                        "  rules: [{name: r, lock: {writers: [{name: aks-flux, serviceAccounts: [b/c]}, kubernetes]}}]\n"),
         {}},
        {"a lock for programs that apply nothing",
         sample::policy(
             "  match: {namespaces: [a]}\n  rules: [{name: r, lock: {writers: [kubernetes, aks, keda, flagger, cert-manager]}}]\n"),
         {"lock-without-flux p0.yaml:6:28 p/r"}},
        {"others who create Pods are no controllers",
         sample::policy("  match: {namespaces: [a]}\n  rules: [{name: r, lock: {writers: [flux, cert-manager, keda]}}]\n"),
         {"lock-without-kubernetes p0.yaml:6:28 p/r"}},
        {"a lock of config maps needs no controllers",
         sample::policy("  match: {namespaces: [a], resourceRules: [{apiGroups: [\"\"], resources: [configmaps], operations: [\"*\"]}]}\n"
                        "  rules: [{name: r, lock: {writers: [flux]}}]\n"),
         {}},
        {"a lock everywhere",
         sample::policy("  match: {namespaces: [\"*\"]}\n  rules: [{name: r, lock: {writers: [flux, kubernetes]}}]\n"),
         {"lock-on-kube-system p0.yaml:5:11 p/r"}},
        {"a lock that warns everywhere refuses nothing",
         sample::policy("  validationActions: [Warn]\n  rules: [{name: r, lock: {writers: [flux, kubernetes]}}]\n"),
         {"lock-refuses-nothing p0.yaml:6:21 p/r"}},
        {"enforceFrom in the past", sample::policy("  enforceFrom: 2026-12-05T12:00:00Z\n" + kProbes), {"enforce-from-past p0.yaml:5:3 p"}},
        {"enforceFrom to come", sample::policy("  enforceFrom: 2026-12-05T12:00:01Z\n" + kProbes), {}},
        {"enforceFrom of nothing",
         sample::policy("  enforceFrom: 2027-12-05T00:00:00Z\n  validationActions: [Warn]\n" + kProbes),
         {"enforce-from-without-deny p0.yaml:5:3 p"}},
        {"enforceFrom of an entry of namespaceActions",
         sample::policy("  enforceFrom: 2027-12-05T00:00:00Z\n  validationActions: [Warn]\n"
                        "  namespaceActions: [{namespaces: [a], validationActions: [Deny]}]\n" +
                        kProbes),
         {}},
        {"min above max",
         sample::rule("resources: {min: {memory: 1Gi, cpu: 1}, max: {memory: 1G, cpu: 1000m}}"),
         {"min-above-max p0.yaml:6:33 p/r"}},
        {"defaults without Deny",
         sample::policy("  validationActions: [Audit]\n  rules: [{name: r, defaults: {automountServiceAccountToken: false}}]\n"),
         {"defaults-without-deny p0.yaml:6:21 p/r"}},
        {"images by tag", sample::rule("images: {denyTags: [latest]}"), {"images-by-tag p0.yaml:6:15 p/r"}},
        {"images by registry", sample::rule("images: {registries: [acr.example.com]}"), {}},
        {"all excluded",
         sample::policy("  match: {namespaces: [prod-a, \"prod-b*\"], excludeNamespaces: [\"prod-*\"]}\n" + kProbes),
         {"namespaces-all-excluded p0.yaml:5:44 p"}},
        {"some excluded", sample::policy("  match: {namespaces: [\"prod-*\"], excludeNamespaces: [\"prod-a*\"]}\n" + kProbes), {}},
        {"a wide entry before a narrow one",
         sample::policy(
             "  namespaceActions:\n  - {namespaces: [\"prod-*\"], validationActions: [Warn]}\n"
             "  - {namespaces: [prod-a], validationActions: [Audit]}\n  - {namespaces: [prod-a, stage], validationActions: [Warn]}\n" +
             kProbes),
         {"unreachable-namespace-actions p0.yaml:7:5 p"}},
        {"an entry that the policy does not match",
         sample::policy(
             "  match: {namespaces: [\"prod-*\"], excludeNamespaces: [prod-x]}\n  namespaceActions:\n"
             "  - {namespaces: [production], validationActions: [Warn]}\n  - {namespaces: [\"*-x\"], validationActions: [Warn]}\n"
             "  - {namespaces: [prod-x], validationActions: [Warn]}\n" +
             kProbes),
         {"unreachable-namespace-actions p0.yaml:7:5 p", "unreachable-namespace-actions p0.yaml:9:5 p"}},
        {"a rule that no request reaches",
         sample::policy("  match: {resourceRules: [{apiGroups: [\"\"], resources: [services], operations: [\"*\"]}]}\n"
                        "  rules:\n  - {name: r, probes: {all: [readinessProbe]}}\n  - {name: s, services: {denyTypes: [NodePort]}}\n"
                        "  - {name: t, requiredMetadata: {labels: {team: \"\"}}}\n"),
         {"rule-without-objects p0.yaml:7:5 p/r"}},
        {"a rule for deletions",
         sample::policy("  match: {resourceRules: [{apiGroups: [\"*\"], resources: [\"*\"], operations: [DELETE]}]}\n" + kProbes),
         {"rule-without-objects p0.yaml:6:11 p/r"}},
        {"a rule for a subresource that it does not read",
         sample::policy("  match: {resourceRules: [{apiGroups: [\"*\"], resources: [\"*/scale\"], operations: [\"*\"]}]}\n" + kProbes),
         {"rule-without-objects p0.yaml:6:11 p/r"}},
        {"a rule for a subresource that it reads",
         sample::policy("  match: {resourceRules: [{apiGroups: [\"*\"], resources: [pods/resize], operations: [\"*\"]}]}\n"
                        "  rules: [{name: r, resources: {limits: [memory]}}]\n"),
         {}},
        {"what the rule reads is excluded",
         sample::policy(
             "  match: {resourceRules: [{apiGroups: [apps], resources: [deployments], operations: [\"*\"]}], excludeResourceRules: "
             "[{apiGroups: [apps], resources: [\"*\"], operations: [CREATE, UPDATE]}]}\n" +
             kProbes),
         {"rule-without-objects p0.yaml:6:11 p/r"}},
        {"a rule for a version",
         sample::policy(
             "  match: {resourceRules: [{apiGroups: [apps], apiVersions: [v1beta2], resources: [deployments], operations: [\"*\"]}]}\n" +
             kProbes),
         {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(brief(lints({row.text})) == row.lints);
    }
}

TEST_CASE("a writer profile that no lock names is noted, one that stands for Kubernetes' own counts as it") {
    const std::string locks = sample::policy("  match: {namespaces: [a]}\n  rules: [{name: r, lock: {writers: [flux, own]}}]\n");
    const auto profile = [](std::string_view name, std::string_view identities) {
        return "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata:\n  name: " + std::string(name) +
               "\nspec:\n  identities:\n" + std::string(identities);
    };
    const std::string ci = "  - {user: ci, assurance: certificate, may: [{apiGroups: [\"\"], resources: [pods], operations: [CREATE]}]}\n";
    const std::string controller =
        "  - {serviceAccount: {namespace: kube-system, name: replicaset-controller}, assurance: token, may: [{apiGroups: [\"\"], "
        "resources: "
        "[pods], operations: [CREATE]}]}\n";
    CHECK(brief(lints({locks, profile("own", controller)})).empty());
    CHECK(brief(lints({locks, profile("own", ci)})) == Lines{"lock-without-kubernetes p0.yaml:6:28 p/r"});
    CHECK(brief(lints({locks, profile("own", controller), profile("other", ci)})) == Lines{"writer-without-lock p2.yaml:4:3 other"});
}

TEST_CASE("grants that open nothing are told") {
    const auto lock = [](std::string_view terms) {
        return sample::policy("  match: {namespaces: [production]}\n  rules: [{name: r, lock: {writers: [flux, kubernetes]" +
                              std::string(terms) + "}}]\n");
    };
    const sample::GrantLines times{{"notBefore", "2027-12-05T02:10:00Z"}, {"expiresAt", "2027-12-05T04:10:00Z"}};
    sample::GrantLines elsewhere = times;
    elsewhere["match"] = "{namespaces: [payments], resourceRules: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]}";
    const sample::GrantLines past{{"notBefore", "2020-12-05T02:10:00Z"}, {"expiresAt", "2020-12-05T04:10:00Z"}};
    const Lines nothing{"grant-opens-nothing p1.yaml:3:12 inc-4711"};
    struct Row {
        std::string_view name;
        std::string_view terms;
        sample::GrantLines lines;
        Lines lints;
    };
    const Row rows[] = {
        {"accepted", ", breakGlass: {maxDuration: 2h}", times, {}},
        {"too long", ", breakGlass: {maxDuration: 1h59m}", times, nothing},
        {"no lock accepts any", "", times, nothing},
        {"no lock there", ", breakGlass: {maxDuration: 2h}", elsewhere, nothing},
        {"ended", ", breakGlass: {maxDuration: 2h}", past, {"grant-expired p1.yaml:9:14 inc-4711"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(brief(lints({lock(row.terms), sample::grant(row.lines)})) == row.lints);
    }
}

TEST_CASE("a policy that refuses says where to turn, and a set has a lock") {
    const auto ids = [](const std::string& text) {
        std::vector<LintId> list;
        for (const Lint& lint : lints({text})) list.push_back(lint.id);
        return list;
    };
    CHECK(ids(sample::policy(kProbes)) == std::vector<LintId>{LintId::no_lock, LintId::deny_without_guidance});
    CHECK(ids(sample::policy("  validationActions: [Warn]\n" + kProbes)) == std::vector<LintId>{LintId::no_lock});
    CHECK(ids(sample::policy("  rules: [{name: r, defaults: {automountServiceAccountToken: false}}]\n")) ==
          std::vector<LintId>{LintId::no_lock});
}

TEST_CASE("a rule or policy behind another is found, and only then") {
    struct Row {
        std::string_view name;
        std::string_view first;
        std::string_view second;
        Lines lints;
    };
    const Lines second{"shadowed-policy p1.yaml:3:12 b"};
    const Lines first{"shadowed-policy p0.yaml:3:12 a"};
    const Row rows[] = {
        {"twice the same", "", "", second},
        {"a wider one behind", "  match: {namespaces: [prod-a]}\n", "  match: {namespaces: [\"prod-*\"]}\n", first},
        {"a wider one before", "  match: {namespaces: [\"prod-*\"]}\n", "  match: {namespaces: [prod-a, \"prod-b*\"]}\n", second},
        {"neither is wider", "  match: {namespaces: [prod-a, stage]}\n", "  match: {namespaces: [\"prod-*\"]}\n", {}},
        {"the wider one excludes it", "  match: {excludeNamespaces: [\"prod-*\"]}\n", "  match: {namespaces: [prod-a]}\n", {}},
        {"the wider one excludes others", "  match: {excludeNamespaces: [stage]}\n", "  match: {namespaces: [prod-a]}\n", second},
        {"both exclude it", "  match: {excludeNamespaces: [a]}\n", "  match: {excludeNamespaces: [\"a*\"]}\n", second},
        {"the wider one only warns", "  validationActions: [Warn]\n", "  match: {namespaces: [a]}\n", {}},
        {"the narrower one warns", "", "  match: {namespaces: [a]}\n  validationActions: [Warn]\n", second},
        {"the wider one denies later", "  enforceFrom: 2027-01-01T00:00:00Z\n", "  match: {namespaces: [a]}\n", {}},
        {"both deny at that time", "  enforceFrom: 2027-01-01T00:00:00Z\n", "  enforceFrom: 2027-01-01T00:00:00Z\n", second},
        {"the wider one warns somewhere",
         "  namespaceActions: [{namespaces: [a], validationActions: [Warn]}]\n",
         "  match: {namespaces: [b]}\n",
         {}},
        {"names", "  match: {names: [\"web*\"]}\n", "  match: {names: [web-1]}\n", second},
        {"names of one only", "  match: {names: [\"web*\"]}\n", "", first},
        {"resource rules", "  match: {resourceRules: [{apiGroups: [\"*\"], resources: [\"*\"], operations: [\"*\"]}]}\n",
         "  match: {resourceRules: [{apiGroups: [apps], resources: [deployments], operations: [CREATE]}]}\n", second},
        {"resource rules without its subresource",
         "  match: {resourceRules: [{apiGroups: [\"*\"], resources: [\"*\"], operations: [\"*\"]}]}\n",
         "  match: {resourceRules: [{apiGroups: [\"\"], resources: [pods, pods/resize], operations: [CREATE]}]}\n",
         {}},
        {"a selector of one", "  match: {objectSelector: {matchLabels: {a: b}}}\n", "", first},
        {"two selectors", "  match: {objectSelector: {matchLabels: {a: b}}}\n", "  match: {objectSelector: {matchLabels: {a: c}}}\n", {}},
        {"a subject of one", "  match: {subjects: [{kind: User, name: \"*\"}]}\n", "  match: {subjects: [{kind: User, name: alice}]}\n",
         second},
        {"excluded subjects", "  match: {excludeSubjects: [{kind: User, name: alice}]}\n", "", first},
        {"a criterion of its own", "", "  compliance: [SOC 2]\n", first},
    };
    const std::string rules = "  rules: [{name: r, resources: {limits: [memory]}}]\n";
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(brief(lints({sample::policy(std::string(row.first) + rules, "a"), sample::policy(std::string(row.second) + rules, "b")})) ==
              row.lints);
    }
}

TEST_CASE("a rule behind another of the same policy, or of a policy with more, is named itself") {
    CHECK(brief(lints(
              {sample::policy("  rules:\n  - {name: a, probes: {all: [readinessProbe]}}\n  - {name: b, probes: {all: [readinessProbe]}}\n"
                              "  - {name: c, probes: {any: [readinessProbe]}}\n")})) == Lines{"shadowed-rule p0.yaml:7:6 p/b"});
    CHECK(brief(lints({sample::policy(kProbes, "a"), sample::policy("  rules:\n  - {name: x, probes: {any: [readinessProbe]}}\n"
                                                                    "  - {name: z, probes: {all: [readinessProbe]}}\n",
                                                                    "b")})) == Lines{"shadowed-rule p1.yaml:7:6 b/z"});
}

TEST_CASE("an exception of the rule in front is one of the rule behind, or it is not behind") {
    const std::string excepted = exception("namespaces: [x]", "2027-03-01T00:00:00Z");
    CHECK(brief(lints({sample::policy(kProbes), sample::policy(kProbes, "q"), excepted})) == Lines{"shadowed-policy p0.yaml:3:12 p"});
}

TEST_CASE("exceptions that end, have ended or excuse nothing") {
    struct Row {
        std::string_view policy;
        std::string_view match;
        std::string_view expires_at;
        Lines lints;
    };
    const Lines never{"exception-never-applies p1.yaml:5:14 legacy"};
    const Row rows[] = {
        {"", "namespaces: [a]", "2026-12-19T12:00:01Z", {}},
        {"", "namespaces: [a]", "2026-12-19T12:00:00Z", {"exception-expires-soon p1.yaml:9:3 legacy"}},
        {"", "namespaces: [a]", "2026-12-05T12:00:01Z", {"exception-expires-soon p1.yaml:9:3 legacy"}},
        {"", "namespaces: [a]", "2026-12-05T12:00:00Z", {"exception-expired p1.yaml:9:3 legacy"}},
        {"namespaces: [b]", "namespaces: [a]", "2027-03-01T00:00:00Z", never},
        {"namespaces: [\"a-*\"]", "namespaces: [\"*-b\"]", "2027-03-01T00:00:00Z", {}},
        {"namespaces: [\"a-*\"]", "namespaces: [\"b-*\"]", "2027-03-01T00:00:00Z", never},
        {"excludeNamespaces: [\"a*\"]", "namespaces: [a]", "2027-03-01T00:00:00Z", never},
        {"names: [web]", "namespaces: [a], names: [api]", "2027-03-01T00:00:00Z", never},
        {"names: [web]", "namespaces: [a]", "2027-03-01T00:00:00Z", {}},
    };
    for (const Row& row : rows) {
        INFO(row.policy << " / " << row.match << " / " << row.expires_at);
        CHECK(brief(lints({sample::policy("  match: {" + std::string(row.policy) + "}\n" + kProbes),
                           exception(row.match, row.expires_at)})) == row.lints);
    }
}

TEST_CASE("patterns are tried on the manifests that are given, and only on those") {
    const std::string policy = sample::policy(
        "  match: {namespaces: [production, \"prod-*\"], excludeNamespaces: [prod-x], names: [\"web*\", api]}\n"
        "  namespaceActions:\n  - {namespaces: [prod-y], validationActions: [Warn]}\n" +
        kProbes);
    const std::string excepted =
        exception("namespaces: [production, prod-z], names: [\"web-*\"]", "2027-03-01T00:00:00Z", "  containers: [web, sidecar]\n");
    CHECK(brief(lints({policy, excepted})).empty());
    ManifestNames names;
    names.namespaces = {"production", "staging"};
    names.objects = {"web", "db"};
    names.containers = {"web"};
    CHECK(brief(lints({policy, excepted}, &names)) ==
          Lines{"pattern-matches-nothing p0.yaml:5:36 p", "pattern-matches-nothing p0.yaml:5:67 p",
                "pattern-matches-nothing p0.yaml:5:92 p", "pattern-matches-nothing p0.yaml:7:19 p",
                "name-matches-nothing p1.yaml:6:36 legacy", "pattern-matches-nothing p1.yaml:6:53 legacy",
                "name-matches-nothing p1.yaml:7:21 legacy"});
    names.namespaces = {"production", "prod-x", "prod-y", "prod-z"};
    names.objects = {"web", "web-1", "api"};
    names.containers = {"web", "sidecar"};
    CHECK(brief(lints({policy, excepted}, &names)).empty());
}

TEST_CASE("one pattern covers another, or meets it") {
    struct Row {
        std::string_view left;
        std::string_view right;
        bool covers;
        bool meets;
    };
    const Row rows[] = {
        {"*", "a", true, true},
        {"a", "*", false, true},
        {"a*", "a", true, true},
        {"prod-*", "prod-*-x", true, true},
        {"prod-*-x", "prod-*", false, true},
        {"*-x", "*", false, true},
        {"a*", "b*", false, false},
        {"a*", "*b", false, true},
        {"*a*", "bac*", true, true},
        {"*a*", "b*", false, true},
        {"a*a", "a", false, false},
        {"a*a", "aa", true, true},
        {"ab*", "*bc", false, true},
        {"a*b", "a*c", false, false},
        {"**", "*", true, true},
    };
    for (const Row& row : rows) {
        INFO(row.left << " and " << row.right);
        CHECK(covers(glob(row.left), glob(row.right)) == row.covers);
        CHECK(can_meet(glob(row.left), glob(row.right)) == row.meets);
        CHECK(can_meet(glob(row.right), glob(row.left)) == row.meets);
    }
}

TEST_CASE("what a pattern covers and meets is what names show") {
    const auto text = [](bool stars) {
        const auto letter = stars ? rc::gen::element('a', 'b', '*') : rc::gen::element('a', 'b');
        return rc::gen::nonEmpty(rc::gen::container<std::string>(letter));
    };
    const bool held = rc::check("patterns against names", [&] {
        const Glob left = glob(*text(true));
        const Glob right = glob(*text(true));
        const std::string name = *text(false);
        if (left.matches(name) && right.matches(name)) RC_ASSERT(can_meet(left, right));
        if (covers(left, right) && right.matches(name)) RC_ASSERT(left.matches(name));
        RC_ASSERT(can_meet(left, glob(name)) == left.matches(name));
        RC_ASSERT(covers(left, glob(name)) == left.matches(name));
    });
    CHECK(held);
}

TEST_CASE("the table of lints has a name, a meaning and a fixed order") {
    std::set<std::string_view> names;
    for (const LintKind& kind : kLintKinds) {
        CHECK(names.insert(kind.name).second);
        CHECK_FALSE(kind.meaning.empty());
        CHECK(kind_of(kind.id).name == kind.name);
    }
}

TEST_CASE("the reference names every lint with its severity") {
    const std::string page = sample::file("docs/reference/policy-commands.md");
    for (const LintKind& kind : kLintKinds) {
        INFO(kind.name);
        const std::string row = "| `" + std::string(kind.name) + "` | " + std::string(to_string(kind.severity)) + " |";
        CHECK(page.find(row) != std::string::npos);
    }
}
