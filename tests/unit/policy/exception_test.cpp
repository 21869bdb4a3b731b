#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using namespace std::chrono_literals;
using sample::Read;
using sample::Request;

namespace {

const WallTime kEnd = parse_rfc3339("2027-03-31T00:00:00Z").value();

std::string exception(std::string_view lines, std::string_view name = "legacy") {
    return "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardException\nmetadata: {name: " + std::string(name) + "}\nspec:\n" +
           std::string(lines);
}

const std::string kUsual =
    "  policies: [{name: p, rules: [probes]}]\n"
    "  match: {namespaces: [production], names: [\"legacy*\"]}\n"
    "  reason: No HTTP endpoint; replaced in March.\n"
    "  ticket: OPS-1234\n"
    "  expiresAt: 2027-03-31T00:00:00Z\n";

const std::string kPolicy = sample::policy(
    "  rules:\n"
    "  - {name: only-git, lock: {writers: [flux]}}\n"
    "  - {name: probes, probes: {all: [readinessProbe]}}\n"
    "  - {name: limits, resources: {limits: [memory]}}\n"
    "  - {name: labels, requiredMetadata: {labels: {team: \"\"}, kinds: [Deployment]}}\n"
    "  - {name: fill, defaults: {automountServiceAccountToken: true}}\n");

std::vector<PolicyFile> files(const std::string& text) { return {{"a.yaml", kPolicy}, {"b.yaml", text}}; }

CompileOptions options() { return {.now = kEnd - std::chrono::days(120)}; }

std::shared_ptr<const PolicySet> compiled(const std::string& text) {
    const auto result = compile(files(text), options());
    for (const Problem& problem : result.problems) UNSCOPED_INFO(to_string(problem));
    REQUIRE(result.set != nullptr);
    return result.set;
}

Request by_flux(std::string name, std::string_view containers = R"([{"name":"report"},{"name":"proxy"}])") {
    Request request;
    request.user = sample::kFlux;
    request.object = R"({"metadata":{"name":")" + name + R"("},"spec":{"containers":)" + std::string(containers) + "}}";
    request.name = std::move(name);
    return request;
}

std::vector<std::string> rules_of(const Verdict& verdict) {
    std::vector<std::string> names;
    for (const Violation& violation : verdict.violations) names.push_back(violation.rule + " " + violation.container);
    return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("an exception takes back what its rules find, until it expires") {
    const auto set = compiled(exception(kUsual));
    const Verdict excused = evaluate(*Read(by_flux("legacy-report")), *set, {.now = kEnd - 1us});
    CHECK(rules_of(excused) == Names{"limits report", "limits proxy"});
    CHECK(excused.exceptions == Names{"legacy"});
    CHECK(excused.owner == "none (no labels of Flux)");

    const Names all{"probes report", "probes proxy", "limits report", "limits proxy"};
    const Verdict expired = evaluate(*Read(by_flux("legacy-report")), *set, {.now = kEnd});
    CHECK(rules_of(expired) == all);
    CHECK(expired.exceptions.empty());
    CHECK(rules_of(evaluate(*Read(by_flux("web")), *set, {.now = kEnd - 1us})) == all);
    Request elsewhere = by_flux("legacy-report");
    elsewhere.namespace_name = "staging";
    elsewhere.object = R"({"metadata":{"name":"legacy-report"},"spec":{"containers":[{"name":"report"}]}})";
    CHECK(rules_of(evaluate(*Read(elsewhere), *set, {.now = kEnd - 1us})) == Names{"probes report", "limits report"});
}

TEST_CASE("an exception for containers leaves the others and the pod as they are") {
    const auto set = compiled(exception(kUsual + "  containers: [\"rep*\"]\n"));
    const Verdict verdict = evaluate(*Read(by_flux("legacy-report")), *set, {.now = kEnd - 1us});
    CHECK(rules_of(verdict) == Names{"probes proxy", "limits report", "limits proxy"});
    CHECK(verdict.exceptions == Names{"legacy"});
    // One that excuses nothing has not been used.
    const auto of_another = compiled(exception(kUsual + "  containers: [other]\n"));
    CHECK(evaluate(*Read(by_flux("legacy-report")), *of_another, {.now = kEnd - 1us}).exceptions.empty());
    // An ill-shaped pod is not a matter of one container.
    const Verdict odd = evaluate(*Read(by_flux("legacy-report", R"("text")")), *set, {.now = kEnd - 1us});
    CHECK_FALSE(odd.allowed);
}

TEST_CASE("what passes by an exception is remembered, and a writer is still a writer") {
    const auto set = compiled(exception(
        "  policies: [{name: p, rules: [probes, limits]}]\n  match: {namespaces: [production]}\n  reason: r\n  ticket: t\n  expiresAt: "
        "2027-03-31T00:00:00Z\n"));
    const Verdict verdict = evaluate(*Read(by_flux("web")), *set, {.now = kEnd - 1us});
    CHECK(verdict.allowed);
    CHECK(verdict.violations.empty());
    CHECK(verdict.exceptions == Names{"legacy"});
    CHECK(verdict.write_class == WriteClass::routine);
    // Nobody else gets past the lock with it.
    Request person = by_flux("web");
    person.user = sample::kAlice;
    const Verdict denied = evaluate(*Read(person), *set, {.now = kEnd - 1us});
    CHECK_FALSE(denied.allowed);
    CHECK(denied.violations[0].rule == "only-git");
    // More than can be named is excused as well.
    std::string containers;
    for (int i = 0; i < 12'000; ++i) containers += std::string(i ? "," : "[") + R"({"name":"c)" + std::to_string(i) + R"("})";
    const Verdict many = evaluate(*Read(by_flux("web", containers + "]")), *set, {.now = kEnd - 1us});
    CHECK(many.allowed);
    CHECK(many.violations_omitted == 0);
}

TEST_CASE("two exceptions together excuse what either does, and not more") {
    const auto set =
        compiled(exception(kUsual + "  containers: [report]\n", "one") + "---\n" + exception(kUsual + "  containers: [proxy]\n", "two"));
    const Verdict verdict =
        evaluate(*Read(by_flux("legacy-report", R"([{"name":"report"},{"name":"proxy"},{"name":"third"}])")), *set, {.now = kEnd - 1us});
    CHECK(rules_of(verdict) == Names{"probes third", "limits report", "limits proxy", "limits third"});
    CHECK(verdict.exceptions == Names{"one", "two"});
}

TEST_CASE("an exception that is not dated, reasoned and aimed is a load error with its place") {
    const auto without = [](std::string_view key) {
        std::string text;
        std::istringstream lines(kUsual);
        for (std::string line; std::getline(lines, line);) {
            if (line.find(key) == std::string::npos) text += line + "\n";
        }
        return exception(text);
    };
    const auto with = [](std::string_view from, std::string_view to) {
        std::string text = kUsual;
        text.replace(text.find(from), from.size(), to);
        return exception(text);
    };
    struct Row {
        std::string_view name;
        std::string text;
        std::string_view says;
    };
    const Row rows[] = {
        {"no end", without("expiresAt"), "b.yaml:5:3: spec.expiresAt is missing"},
        {"an end that is no time", with("2027-03-31T00:00:00Z", "2027-03-31"), "\"2027-03-31\" is no time"},
        {"too far ahead", with("2027-03-31", "2027-09-30"), "is more than 180 days ahead (--exception-horizon); at the latest 2027-05-30"},
        {"no reason", without("reason"), "spec.reason is missing"},
        {"an empty ticket", with("OPS-1234", "\"\""), "spec.ticket: must not be empty"},
        {"no match", without("match"), "spec.match is missing"},
        {"no namespaces", with("namespaces: [production], ", ""), "namespaces is missing"},
        {"no namespace", with("[production]", "[]"), "spec.match.namespaces: is an empty list"},
        {"another condition", with("names:", "subjects:"), "spec.match.subjects: unknown field"},
        {"no policies", without("policies"), "spec.policies is missing"},
        {"an empty list of policies", with("[{name: p, rules: [probes]}]", "[]"), "spec.policies: names nothing"},
        {"no rules", with(", rules: [probes]", ""), "rules is missing"},
        {"a rule nobody has", with("[probes]", "[probe]"),
         "b.yaml:5:32: spec.policies[0].rules[0]: policy \"p\" has no rule \"probe\" (did you mean \"probes\"?)"},
        {"a policy nobody has", with("name: p", "name: q"), "no policy is named \"q\" (did you mean \"p\"?)"},
        {"a rule twice", with("[probes]", "[probes, probes]"), "spec.policies[0].rules[1]: names the same rule again"},
        {"a lock", with("[probes]", "[only-git]"), "\"only-git\" is a lock; exceptions are for workload rules"},
        {"a rule that fills in defaults", with("[probes]", "[fill]"), "\"fill\" fills in defaults and refuses nothing"},
        {"containers, for a rule about the object",
         exception(kUsual + "  containers: [report]\n").replace(exception(kUsual).find("[probes]"), 8, "[labels]"),
         "\"labels\" is not about containers"},
        {"containers that name none", exception(kUsual + "  containers: []\n"), "spec.containers: is an empty list"},
        {"the same name twice", exception(kUsual) + "---\n" + exception(kUsual), "another exception named \"legacy\" is in b.yaml"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::string all;
        for (const std::string& problem : sample::problems_of(files(row.text), options())) all += problem + "\n";
        INFO(all);
        CHECK(all.find(row.says) != std::string::npos);
    }
}

TEST_CASE("an exception that has ended is no error: a set that was good yesterday loads today") {
    CHECK(compile(files(exception(kUsual)), {.now = kEnd + std::chrono::days(400)}).set != nullptr);
}

TEST_CASE("exceptions are listed by what is left of them") {
    const auto set = compiled(exception(kUsual, "ends-later") + "---\n" + exception(kUsual, "ends-too"));
    const auto at = [&](WallTime now) { return count_exceptions(*set, now, std::chrono::days(14)); };
    CHECK(at(kEnd - std::chrono::days(15)) == ExceptionCounts{.active = 2, .expiring = 0, .expired = 0});
    CHECK(at(kEnd - std::chrono::days(14)) == ExceptionCounts{.active = 2, .expiring = 2, .expired = 0});
    CHECK(at(kEnd) == ExceptionCounts{.active = 0, .expiring = 0, .expired = 2});
}
