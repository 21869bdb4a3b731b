#include "policy/match.hpp"

#include <rapidcheck.h>

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using namespace std::chrono_literals;
using sample::Read;
using sample::Request;

namespace {

// A policy that refuses whatever it matches: a pod without probes.
std::string refusing(std::string_view match, std::string_view name = "p") {
    return sample::policy("  match: {" + std::string(match) + "}\n  rules: [{name: r, probes: {all: [readinessProbe]}}]\n", name);
}

Request pod(std::string metadata = R"("name":"web")") {
    Request request;
    request.object = R"({"metadata":{)" + std::move(metadata) + R"(},"spec":{"containers":[{"name":"web"}]}})";
    return request;
}

std::shared_ptr<const PolicySet> compiled_with_labels(const std::string& text) {
    const auto result = compile({{"p.yaml", text}}, CompileOptions{.namespace_labels = true});
    for (const Problem& problem : result.problems) UNSCOPED_INFO(to_string(problem));
    REQUIRE(result.set != nullptr);
    return result.set;
}

bool matches(std::string_view match, const Request& request, const Context& context = {}) {
    return !evaluate(*Read(request), *compiled_with_labels(refusing(match)), context).violations.empty();
}

}  // namespace

TEST_CASE("subjects choose who is meant, and the excluded are not") {
    struct Row {
        std::string_view match;
        std::string user;
        bool matches;
    };
    const std::string alice = sample::kAlice;
    const std::string flux = sample::kFlux;
    const Row rows[] = {
        {"subjects: []", alice, true},
        {"subjects: [{kind: User, name: alice@example.com}]", alice, true},
        {"subjects: [{kind: User, name: \"*@example.com\"}]", alice, true},
        {"subjects: [{kind: User, name: bob@example.com}]", alice, false},
        {"subjects: [{kind: User, name: bob@example.com}, {kind: Group, name: devs}]", alice, true},
        {"subjects: [{kind: Group, name: \"dev*\"}]", alice, true},
        {"subjects: [{kind: Group, name: dev}]", alice, false},
        {"subjects: [{kind: Group, name: \"*\"}]", R"({"username":"x"})", false},
        {"subjects: [{kind: ServiceAccount, namespace: flux-system, name: \"*\"}]", flux, true},
        {"subjects: [{kind: ServiceAccount, namespace: \"*\", name: kustomize-controller}]", flux, true},
        {"subjects: [{kind: ServiceAccount, namespace: apps, name: kustomize-controller}]", flux, false},
        {"subjects: [{kind: ServiceAccount, namespace: \"*\", name: \"*\"}]", alice, false},
        {"subjects: [{kind: ServiceAccount, namespace: \"*\", name: \"*\"}]", R"({"username":"system:serviceaccount:odd"})", false},
        {"excludeSubjects: [{kind: User, name: alice@example.com}]", alice, false},
        {"excludeSubjects: [{kind: Group, name: \"system:*\"}]", alice, false},
        {"excludeSubjects: [{kind: Group, name: sre}]", alice, true},
        {"subjects: [{kind: Group, name: devs}], excludeSubjects: [{kind: User, name: \"alice*\"}]", alice, false},
        {"subjects: [{kind: User, name: \"https://issuer.example.com#alice smith\"}]",
         R"({"username":"https://issuer.example.com#alice smith"})", true},
    };
    for (const Row& row : rows) {
        INFO(row.match << " " << row.user);
        Request request = pod();
        request.user = row.user;
        CHECK(matches(row.match, request) == row.matches);
    }
}

TEST_CASE("objectSelector asks the old and the new object; what carries no labels counts as matching") {
    constexpr std::string_view kShop = "objectSelector: {matchLabels: {team: shop}}";
    CHECK(matches(kShop, pod(R"("name":"web","labels":{"team":"shop"})")));
    CHECK_FALSE(matches(kShop, pod(R"("name":"web","labels":{"team":"pay"})")));
    CHECK_FALSE(matches(kShop, pod()));
    CHECK(matches("objectSelector: {matchExpressions: [{key: team, operator: DoesNotExist}]}", pod()));

    // Taking the label away is no way out.
    Request update = pod(R"("name":"web","labels":{"team":"pay"})");
    update.operation = "UPDATE";
    update.old_object = R"({"metadata":{"name":"web","labels":{"team":"shop"}},"spec":{"containers":[]}})";
    CHECK(matches(kShop, update));

    const auto lock_free =
        sample::compiled(sample::policy("  match: {" + std::string(kShop) +
                                        ", resourceRules: [{apiGroups: [\"*\"], resources: [\"*/*\"], operations: [\"*\"]}]}\n"
                                        "  rules: [{name: r, probes: {all: [readinessProbe]}}]\n"));
    const auto candidate = [&](const Request& request) { return lock_free->policies[0].match.matches(*Read(request), {}); };
    Request scale;
    scale.sub_resource = "scale";
    CHECK(candidate(scale));
    Request exec;
    exec.operation = "CONNECT";
    exec.sub_resource = "exec";
    CHECK(candidate(exec));
    Request status;
    status.sub_resource = "status";
    CHECK_FALSE(candidate(status));
}

TEST_CASE("an object that an update brings into a selection is judged like a new one") {
    const std::string selected = R"("name":"web","labels":{"team":"shop"})";
    const auto set =
        sample::compiled(sample::policy("  match: {objectSelector: {matchLabels: {team: shop}}}\n"
                                        "  rules: [{name: r, probes: {all: [readinessProbe]}}]\n"));
    for (const std::string_view resource : {"pods", "deployments"}) {
        INFO(resource);
        Request update = pod(selected);
        update.operation = "UPDATE";
        update.old_object = pod().object;
        if (resource == "deployments") {
            update.group = "apps";
            update.resource = "deployments";
            const std::string spec = R"("spec":{"template":{"spec":{"containers":[{"name":"web"}]}}}})";
            update.object = R"({"metadata":{)" + selected + "}," + spec;
            update.old_object = R"({"metadata":{"name":"web"},)" + spec;
        }
        CHECK_FALSE(evaluate(*Read(update), *set, {}).allowed);
        update.old_object = update.object;
        CHECK(evaluate(*Read(update), *set, {}).allowed);
    }
}

TEST_CASE("namespaceSelector asks the namespace's labels; unknown ones count as matching") {
    constexpr std::string_view kProduction = "namespaceSelector: {matchLabels: {env: production}}";
    CHECK(matches(kProduction, pod(), {.namespace_labels = kube::Labels{{"env", "production"}}}));
    CHECK_FALSE(matches(kProduction, pod(), {.namespace_labels = kube::Labels{{"env", "dev"}}}));
    CHECK_FALSE(matches(kProduction, pod(), {.namespace_labels = kube::Labels{}}));
    CHECK(matches(kProduction, pod()));

    // A Namespace is asked itself, before and after.
    const auto set = compiled_with_labels(
        sample::policy("  match: {" + std::string(kProduction) + "}\n  rules: [{name: r, probes: {all: [readinessProbe]}}]\n"));
    const auto selected = [&](std::string object, std::string old_object) {
        Request request;
        request.resource = "namespaces";
        request.kind = "Namespace";
        request.name = "production";
        request.operation = old_object == "null" ? "CREATE" : "UPDATE";
        request.object = std::move(object);
        request.old_object = std::move(old_object);
        return set->policies[0].match.matches(*Read(request), {});
    };
    const std::string production = R"({"metadata":{"name":"production","labels":{"env":"production"}}})";
    const std::string dev = R"({"metadata":{"name":"production","labels":{"env":"dev"}}})";
    CHECK(selected(production, "null"));
    CHECK_FALSE(selected(dev, "null"));
    CHECK(selected(dev, production));
    CHECK(selected(production, dev));
}

TEST_CASE("namespaceSelector is refused where nobody knows the labels") {
    const auto problems = sample::problems_of({{"p.yaml", refusing("namespaceSelector: {matchLabels: {env: production}}")}});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("p.yaml:5:30: spec.match.namespaceSelector: `serve` does not know the labels of namespaces"));
}

TEST_CASE("a name that is still to be generated is matched with a star in its place") {
    CHECK(matches("names: [\"web-*\"]", [] {
        Request request = pod(R"("generateName":"web-")");
        request.name = "";
        return request;
    }()));
    CHECK_FALSE(matches("names: [web]", [] {
        Request request = pod(R"("generateName":"web-")");
        request.name = "";
        return request;
    }()));
}

TEST_CASE("actions are chosen by namespace, first hit, and by date") {
    const WallTime from = parse_rfc3339("2026-12-01T00:00:00Z").value();
    const auto set =
        sample::compiled(sample::policy("  namespaceActions:\n"
                                        "  - {namespaces: [prod-legacy], validationActions: [Warn, Audit]}\n"
                                        "  - {namespaces: [\"prod-*\"], validationActions: [Audit]}\n"
                                        "  enforceFrom: 2026-12-01T00:00:00Z\n"
                                        "  rules: [{name: r, probes: {all: [readinessProbe]}}]\n"));
    struct Row {
        std::string_view namespace_name;
        WallTime now;
        Actions actions;
    };
    const Actions warn_and_audit{false, true, true};
    const Actions not_yet{false, true, true, true};
    const Row rows[] = {
        {"production", from, {true, false, false}},       {"production", from - 1us, not_yet},
        {"production", from + 24h, {true, false, false}}, {"prod-legacy", from + 1h, warn_and_audit},
        {"prod-legacy", from - 1h, warn_and_audit},       {"prod-x", from + 1h, {false, false, true}},
        {"prod-x", from - 1h, {false, false, true}},  // an audit does not become a warning
    };
    for (const Row& row : rows) {
        INFO(row.namespace_name << " " << format_rfc3339(row.now));
        CHECK(set->policies[0].actions_for(row.namespace_name, row.now) == row.actions);
    }
    Request request = pod();
    CHECK_FALSE(evaluate(*Read(request), *set, {.now = from}).allowed);
    const Verdict before = evaluate(*Read(request), *set, {.now = from - 1us});
    CHECK(before.allowed);
    REQUIRE(before.warnings.size() == 1);
    CHECK(before.warnings[0].starts_with("denied from 2026-12-01: p/r .spec.containers"));
}

TEST_CASE("conditions that mean nothing or cannot be are errors with their place") {
    struct Row {
        std::string_view match;
        std::string_view says;
    };
    const Row rows[] = {
        {"objectSelector: {}", "selects everything"},
        {"objectSelector: {matchLabels: {\"a b\": c}}", "is no label key"},
        {"objectSelector: {matchLabels: {a: \"b c\"}}", "is no label value"},
        {"objectSelector: {matchLabels: {a: 1}}", "expected a string, have an integer"},
        {"objectSelector: {matchExpressions: [{key: a}]}", "operator is missing"},
        {"objectSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}", "did you mean \"In\"?"},
        {"objectSelector: {matchExpressions: [{key: a, operator: In}]}", "must name at least one value"},
        {"objectSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}", "must be left out"},
        {"objectSelector: {matchLabel: {a: b}}", "did you mean \"matchLabels\"?"},
        {"subjects: [{kind: Person, name: x}]", "expected one of: User, Group, ServiceAccount"},
        {"subjects: [{kind: User}]", "name is missing"},
        {"subjects: [{kind: ServiceAccount, name: x}]", "namespace is missing"},
        {"subjects: [{kind: User, name: x, namespace: y}]", "only a ServiceAccount is in a namespace"},
        {"subjects: [alice]", "expected a mapping"},
    };
    for (const Row& row : rows) {
        INFO(row.match);
        const auto problems = sample::problems_of({{"p.yaml", refusing(row.match)}});
        std::string all;
        for (const std::string& problem : problems) all += problem + "\n";
        INFO(all);
        CHECK(all.find(row.says) != std::string::npos);
        CHECK(all.starts_with("p.yaml:5:"));
    }
}

TEST_CASE("a lock takes no subjects and no objectSelector, which would be ways around it") {
    for (const std::string_view match : {"subjects: [{kind: Group, name: devs}]", "excludeSubjects: [{kind: Group, name: sre}]",
                                         "objectSelector: {matchLabels: {a: b}}"}) {
        INFO(match);
        const std::string text = sample::policy("  match: {" + std::string(match) + "}\n  rules: [{name: r, lock: {writers: [flux]}}]\n");
        const auto problems = sample::problems_of({{"p.yaml", text}});
        REQUIRE(problems.size() == 1);
        CHECK(problems[0].find("a way around the lock") != std::string::npos);
    }
    sample::compiled(sample::policy("  match: {subjects: [], excludeSubjects: []}\n  rules: [{name: r, lock: {writers: [flux]}}]\n"));
}

TEST_CASE("the index leaves out no policy that matches") {
    const std::vector<std::string> globs{"production", "prod-*", "prod-a*", "*", "*-eu", "p*d", "team-a", "team-*"};
    const std::vector<std::string> resources{R"({apiGroups: [""], resources: [pods], operations: ["*"]})",
                                             R"({apiGroups: ["*"], resources: ["*"], operations: ["*"]})",
                                             R"({apiGroups: [apps], resources: ["*/scale"], operations: ["*"]})",
                                             R"({apiGroups: ["*"], resources: [widgets], operations: ["*"]})",
                                             R"({apiGroups: [example.com], resources: ["*"], operations: ["*"]})",
                                             R"({apiGroups: [""], resources: ["*/*"], operations: ["*"]})",
                                             R"({apiGroups: [""], resources: [pods/exec, configmaps], operations: ["*"]})"};
    const std::vector<std::string> bodies{"lock: {writers: [flux]}", "probes: {all: [readinessProbe]}"};
    const std::vector<std::string> namespaces{"production", "prod-abc", "prod-x-eu", "team-a",
                                              "team-b",     "other",    "",          std::string(300, 'p')};
    const std::vector<std::pair<std::string, std::string>> kinds{{"", "pods"},       {"apps", "deployments"},    {"example.com", "widgets"},
                                                                 {"", "configmaps"}, {"example.com", "gadgets"}, {"", "services"}};
    rc::check("candidates contain the matching", [&](const std::vector<std::uint8_t>& seeds) {
        std::vector<std::string> texts;
        for (std::size_t i = 0; i < seeds.size() && i < 100; ++i) {
            const std::size_t seed = seeds[i] + 256 * (i + 1);
            std::string match;
            if (seed % 3) match += "namespaces: [\"" + globs[seed % globs.size()] + "\", \"" + globs[seed / 3 % globs.size()] + "\"],";
            if (seed % 5) match += "resourceRules: [" + resources[seed % resources.size()] + "]";
            texts.push_back(sample::policy("  match: {" + match + "}\n  rules: [{name: r, " + bodies[seed % bodies.size()] + "}]\n",
                                           "p" + std::to_string(i)));
        }
        if (texts.empty()) return;
        const auto set = sample::compiled(texts);
        for (const auto& [group, resource] : kinds) {
            for (const std::string& sub_resource : {std::string(), std::string("scale"), std::string("exec")}) {
                for (const std::string& namespace_name : namespaces) {
                    Request request;
                    request.group = group;
                    request.resource = resource;
                    request.sub_resource = sub_resource;
                    request.namespace_name = namespace_name;
                    request.object = "{}";
                    const Read review(request);
                    std::vector<std::size_t> candidates;
                    set->index.each_candidate(*review, [&](std::size_t i) { candidates.push_back(i); });
                    RC_ASSERT(std::is_sorted(candidates.begin(), candidates.end()));
                    for (std::size_t i = 0; i < set->policies.size(); ++i) {
                        const bool understood = std::any_of(
                            set->policies[i].rules.begin(), set->policies[i].rules.end(),
                            [&](const Rule& rule) { return understands(rule.body, review->resource.group, review->resource.resource); });
                        if (!understood || !set->policies[i].match.matches(*review, {})) continue;
                        RC_ASSERT(std::binary_search(candidates.begin(), candidates.end(), i));
                    }
                }
            }
        }
    });
}

TEST_CASE("a resource whose name looks like a resource and a group hides no other policy") {
    const auto other = [](std::string_view groups, std::string_view resources, std::string_view name) {
        return sample::policy("  match: {resourceRules: [{apiGroups: [" + std::string(groups) + "], resources: [" + std::string(resources) +
                                  "], operations: [\"*\"]}]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n",
                              name);
    };
    Request request;
    request.group = "networking.istio.io";
    request.resource = "gateways";
    request.kind = "Gateway";
    const std::string lock = other("networking.istio.io", "\"*\"", "lock");
    CHECK_FALSE(evaluate(*Read(request), *sample::compiled({other("io", "gateways", "odd"), lock}), {}).allowed);
    CHECK(sample::problems_of({{"p.yaml", other("io", "gateways.networking.istio", "odd")}}).at(0).find("can match nothing") !=
          std::string::npos);
}

TEST_CASE("a policy that names more pairs of groups and resources than an index is worth is judged without one") {
    std::string groups = "example.com";
    std::string resources = "widgets";
    for (int i = 0; i < 5'000; ++i) {
        groups += ", g" + std::to_string(i);
        resources += ", r" + std::to_string(i);
    }
    const auto set = sample::compiled(sample::policy("  match: {resourceRules: [{apiGroups: [" + groups + "], resources: [" + resources +
                                                     "], operations: [\"*\"]}]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n"));
    Request request;
    request.group = "example.com";
    request.resource = "widgets";
    CHECK_FALSE(evaluate(*Read(request), *set, {}).allowed);
    request.resource = "gadgets";
    CHECK(evaluate(*Read(request), *set, {}).allowed);
}

TEST_CASE("policies for other namespaces and kinds are not even candidates") {
    std::vector<std::string> texts;
    for (int i = 0; i < 300; ++i) texts.push_back(refusing("namespaces: [team-" + std::to_string(i) + "]", "a" + std::to_string(i)));
    for (int i = 0; i < 300; ++i) texts.push_back(refusing("namespaces: [\"squad-" + std::to_string(i) + "-*\"]", "b" + std::to_string(i)));
    for (int i = 0; i < 300; ++i) {
        texts.push_back(
            sample::policy("  match: {resourceRules: [{apiGroups: [g" + std::to_string(i) +
                               ".io], resources: [things], operations: [\"*\"]}]}\n  rules: [{name: r, lock: {writers: [flux]}}]\n",
                           "c" + std::to_string(i)));
    }
    const auto set = sample::compiled(texts);
    Request request = pod();
    request.namespace_name = "squad-7-eu";
    std::vector<std::size_t> candidates;
    const Read review(request);
    set->index.each_candidate(*review, [&](std::size_t i) { candidates.push_back(i); });
    CHECK(candidates == std::vector<std::size_t>{307});
}
