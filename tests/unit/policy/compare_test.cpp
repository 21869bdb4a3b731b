#include "policy/compare.hpp"

#include "policy/loader.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/lock/grant_sample.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

using Lines = std::vector<std::string>;

PolicyDocuments documents(const std::vector<std::string>& texts) {
    std::vector<PolicyFile> files;
    for (const std::string& text : texts) files.push_back({"p" + std::to_string(files.size()) + ".yaml", text});
    for (const Problem& problem : compile(files, {.now = parse_rfc3339("2026-12-01T00:00:00Z").value()}).problems)
        FAIL_CHECK(to_string(problem));
    return read_policy_documents(files, Limits{});
}

// "changed rule p/r p0.yaml:6", and the fields below it.
Lines changes(const std::vector<std::string>& before, const std::vector<std::string>& after) {
    Lines lines;
    for (const SetChange& change : compare(documents(before), documents(after))) {
        lines.push_back(std::string(to_string(change.change)) + " " + change.kind + " " + change.name + " " + change.file + ":" +
                        std::to_string(change.position.line));
        for (const FieldChange& field : change.fields) lines.push_back("  " + field.path + ": " + field.before + " -> " + field.after);
    }
    return lines;
}

std::string exception(std::string_view expires_at) {
    return "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardException\nmetadata: {name: legacy}\nspec:\n"
           "  policies: [{name: p, rules: [r]}]\n  match: {namespaces: [production]}\n  reason: because\n  ticket: OPS-1\n"
           "  expiresAt: " +
           std::string(expires_at) + "\n";
}

Request pod() {
    Request request;
    request.object = R"({"metadata":{"name":"web"},"spec":{"containers":[{"name":"web"}]}})";
    return request;
}

VerdictChange change(const std::string& before, const std::string& after) {
    const Read review(pod());
    return compare(evaluate(*review, *sample::compiled(before), {}), evaluate(*review, *sample::compiled(after), {}));
}

}  // namespace

TEST_CASE("what means the same is no change") {
    const std::string short_one = sample::policy("  match: {namespaces: [production]}\n  rules: [{name: r, resources: {min: {cpu: 1}}}]\n");
    const std::string long_one =
        "# A comment.\nkind: GuardPolicy\napiVersion: \"fluxgate.dev/v1alpha1\"\nmetadata:\n  labels: {a: b}\n  name: p\nspec:\n"
        "  validationActions: [Deny]\n  compliance: []\n  namespaceActions: []\n  enforceFrom:\n"
        "  match: {excludeNamespaces: [], namespaces: [\"production\"], subjects: []}\n"
        "  rules:\n  - resources: {min: {cpu: 1}}\n    name: r\n";
    CHECK(changes({short_one}, {long_one}).empty());
    CHECK(changes({sample::policy("  rules: [{name: r, probes: {all: [readinessProbe]}}]\n", "a"), short_one},
                  {short_one, sample::policy("  rules: [{name: r, probes: {all: [readinessProbe]}}]\n", "a")})
              .empty());
}

TEST_CASE("policies, rules and exceptions that were added, removed or changed are named with their fields") {
    const std::string before = sample::policy(
        "  match: {namespaces: [production]}\n  rules:\n  - {name: r, probes: {all: [readinessProbe]}}\n"
        "  - {name: s, images: {requireTag: true}}\n");
    const std::string after = sample::policy(
        "  validationActions: [Warn]\n  match: {namespaces: [production, \"prod-*\"]}\n  rules:\n"
        "  - {name: r, probes: {all: [readinessProbe], any: [livenessProbe]}}\n"
        "  - {name: t, images: {requireTag: true}}\n");
    CHECK(changes({before}, {after}) ==
          Lines{"changed GuardPolicy p p0.yaml:3", "  .spec.match.namespaces: [\"production\"] -> [\"production\",\"prod-*\"]",
                "  .spec.validationActions:  -> [\"Warn\"]", "changed rule p/r p0.yaml:8", "  .probes.any:  -> [\"livenessProbe\"]",
                "added rule p/t p0.yaml:9", "removed rule p/s p0.yaml:8"});
    const std::string other = sample::policy("  rules: [{name: r, probes: {all: [readinessProbe]}}]\n", "q");
    CHECK(changes({before}, {before, other}) == Lines{"added GuardPolicy q p1.yaml:3"});
    CHECK(changes({before, other}, {before}) == Lines{"removed GuardPolicy q p1.yaml:3"});
    CHECK(changes({before, exception("2027-01-01T00:00:00Z")}, {before, exception("2027-02-01T00:00:00Z")}).size() == 2);
}

TEST_CASE("two verdicts on one review: what becomes denied, allowed or is found otherwise") {
    const std::string probes = sample::rule("probes: {all: [readinessProbe]}");
    const std::string memory = sample::rule("resources: {limits: [memory]}");
    const std::string nothing = sample::rule("services: {denyTypes: [NodePort]}");
    const std::string warning = sample::policy("  validationActions: [Warn]\n  rules: [{name: r, probes: {all: [readinessProbe]}}]\n");

    CHECK(change(probes, probes).outcome == Outcome::same);
    CHECK(change(nothing, probes).outcome == Outcome::denied);
    CHECK(change(nothing, probes).gained.size() == 1);
    CHECK(change(probes, nothing).outcome == Outcome::allowed);
    CHECK(change(probes, nothing).lost.size() == 1);
    CHECK(change(nothing, warning).outcome == Outcome::findings);
    CHECK(change(warning, probes).outcome == Outcome::denied);

    const VerdictChange other = change(probes, memory);
    CHECK(other.outcome == Outcome::findings);
    CHECK(other.gained.size() == 1);
    CHECK(other.lost.size() == 1);
}

TEST_CASE("grants are compared as well") {
    const std::string policy = sample::rule("lock: {writers: [flux], breakGlass: {maxDuration: 4h}}");
    CHECK(changes({policy, sample::grant()}, {policy, sample::grant()}).empty());
    CHECK(changes({policy, sample::grant()}, {policy, sample::grant({{"maxUses", "2"}})}) ==
          Lines{"changed BreakGlass inc-4711 p1.yaml:3", "  .spec.maxUses:  -> 2"});
    CHECK(changes({policy}, {policy, sample::grant()}) == Lines{"added BreakGlass inc-4711 p1.yaml:3"});
    CHECK(changes({policy, sample::grant()}, {policy}) == Lines{"removed BreakGlass inc-4711 p1.yaml:3"});
}

TEST_CASE("writer profiles are compared as well") {
    const std::string policy = sample::rule("lock: {writers: [team]}");
    const auto profile = [](std::string_view assurance) {
        return "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata:\n  name: team\nspec:\n  identities:\n"
               "  - {serviceAccount: {namespace: ci, name: a}, assurance: " +
               std::string(assurance) + ", may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]}\n";
    };
    CHECK(changes({policy, profile("token")}, {policy, profile("token")}).empty());
    const Lines changed = changes({policy, profile("token")}, {policy, profile("pod-bound")});
    REQUIRE(changed.size() == 2);
    CHECK(changed[0] == "changed WriterProfile team p1.yaml:4");
    CHECK(changed[1].starts_with("  .spec.identities: "));
    const std::string flux = sample::rule("lock: {writers: [flux]}");
    CHECK(changes({flux}, {flux, profile("token")}) == Lines{"added WriterProfile team p1.yaml:4"});
    CHECK(changes({flux, profile("token")}, {flux}) == Lines{"removed WriterProfile team p1.yaml:4"});
}
