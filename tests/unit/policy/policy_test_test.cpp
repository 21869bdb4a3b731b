#include "policy/policy_test.hpp"

#include "policy/expectation.hpp"
#include "policy/identities.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

namespace {

std::string test_with(std::string_view cases, std::string_view policies = "[../p.yaml]") {
    return "apiVersion: fluxgate.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: t}\nspec:\n  policies: " + std::string(policies) + "\n" +
           std::string(cases);
}
std::string case_with(std::string_view fields) { return test_with("  cases:\n  - {" + std::string(fields) + "}\n"); }

struct Decoded {
    PolicyTest test;
    std::string problems;  // with '|' between them, without "t.yaml:"
};
Decoded decoded(const std::string& text) {
    Problems problems(100);
    problems.in_file("t.yaml");
    const kube::ReadResult read = kube::read_manifests(text, Limits{});
    INFO(text);
    REQUIRE(read.problems.empty());
    REQUIRE(read.documents.size() == 1);
    Decoded decoded{decode_policy_test(read.documents[0].root, problems), {}};
    for (const Problem& problem : problems.list())
        decoded.problems += (decoded.problems.empty() ? "" : "|") + to_string(problem).substr(std::string_view("t.yaml:").size());
    return decoded;
}

constexpr std::string_view kPod = "object: {apiVersion: v1, kind: Pod, metadata: {name: web}}";

Verdict denied(const std::vector<Violation>& violations) {
    Verdict verdict;
    verdict.allowed = false;
    verdict.violations = violations;
    return verdict;
}
Violation violation(std::string policy, std::string rule, std::string path, Action action = Action::deny) {
    return {std::move(policy), std::move(rule), std::move(path), "this", "that", action};
}

std::string text_of(const std::vector<DiffLine>& lines) {
    std::string text;
    for (const DiffLine& line : lines)
        text += (line.side == DiffLine::Side::both ? "  " : line.side == DiffLine::Side::expected ? "- " : "+ ") + line.text + "\n";
    return text;
}

}  // namespace

TEST_CASE("a policy test is read with every field") {
    const auto [test, problems] =
        decoded(test_with("  cases:\n"
                          "  - name: a person\n"
                          "    operation: UPDATE\n"
                          "    user: {username: alice@example.com, groups: [devs]}\n"
                          "    object: web-edited.yaml\n"
                          "    oldObject: {apiVersion: v1, kind: Pod}\n"
                          "    dryRun: true\n"
                          "    namespaceLabels: {env: production}\n"
                          "    time: 2026-12-05T02:30:00Z\n"
                          "    expect:\n"
                          "      allowed: false\n"
                          "      violations: [{policy: p, rule: r, path: .spec, action: Warn}]\n"
                          "      warnings: [soon]\n"
                          "      message: Change it in\n"
                          "  - {name: recorded, review: r.json, expect: {allowed: true}}\n"
                          "  - {name: by default, object: web.yaml, expect: {allowed: true}}\n",
                          "[../p.yaml, folder]"));
    CHECK(problems.empty());
    CHECK(test.name == "t");
    REQUIRE(test.policies.size() == 2);
    CHECK(test.policies[1].path == "folder");
    CHECK(test.policies[1].position == kube::Position{5, 25});
    REQUIRE(test.cases.size() == 3);

    const PolicyTestCase& person = test.cases[0];
    CHECK(person.operation == kube::Operation::update);
    CHECK(person.user == *user_info("alice@example.com", {"devs"}));
    CHECK(person.object.file == "web-edited.yaml");
    CHECK(person.old_object.json == R"({"apiVersion":"v1","kind":"Pod"})");
    CHECK(person.dry_run);
    CHECK(person.namespace_labels == kube::Labels{{"env", "production"}});
    CHECK(person.time == *parse_rfc3339("2026-12-05T02:30:00Z"));
    CHECK_FALSE(person.expect.allowed);
    REQUIRE(person.expect.violations);
    REQUIRE(person.expect.violations->size() == 1);
    CHECK(to_yaml(person.expect.violations->front()) == "{policy: p, rule: r, path: .spec, action: Warn}");
    CHECK(person.expect.warnings == std::vector<std::string>{"soon"});
    CHECK(person.expect.message == "Change it in");
    CHECK(person.place.key == kube::Position{15, 5});
    CHECK(person.place.mapping == kube::Position{16, 7});

    CHECK(test.cases[1].review.file == "r.json");
    CHECK(test.cases[2].user == *user_info("flux", {}));
    CHECK(test.cases[2].operation == kube::Operation::create);
    CHECK_FALSE(test.cases[2].expect.violations);
    CHECK_FALSE(test.cases[2].time);
}

TEST_CASE("a user is as written with uid or extra, and proves who he is without them") {
    const auto user = [](std::string_view fields) {
        return decoded(case_with("name: a, user: {" + std::string(fields) + "}, " + std::string(kPod) + ", expect: {allowed: true}"))
            .test.cases.at(0)
            .user;
    };
    CHECK(user("username: alice") == *user_info("alice", {}));
    CHECK(user("username: system:serviceaccount:a:b") == *user_info("system:serviceaccount:a:b", {}));
    CHECK(user("username: alice, uid: \"7\"") == R"({"username":"alice","uid":"7","groups":[],"extra":{}})");
    CHECK(user("username: alice, groups: [g], extra: {k: [v, w]}") ==
          R"({"username":"alice","uid":"","groups":["g"],"extra":{"k":["v","w"]}})");
}

TEST_CASE("every mistake in a policy test has its place and says what was expected") {
    const std::string expect = "expect: {allowed: true}";
    const std::string pod(kPod);
    struct Row {
        const char* name;
        std::string text;
        std::string problems;
    };
    const std::vector<Row> rows{
        {"nothing", test_with("  cases: []\n", "[]"),
         "5:13: spec.policies: is an empty list, which tests nothing|6:10: spec.cases: is an empty list, which tests nothing"},
        {"no cases", test_with(""), "5:3: spec.cases is missing: expected a list of cases"},
        {"a policy that is no path", test_with("  cases: [{name: a, " + pod + ", " + expect + "}]\n", "[7, \"\"]"),
         "5:14: spec.policies[0]: expected a file or a folder, have an integer|5:17: spec.policies[1]: expected a file or a folder, have "
         "an empty text"},
        {"no name", case_with(pod + ", " + expect), "7:5: spec.cases[0].name is missing: expected a string"},
        {"two of a name", test_with("  cases:\n  - {name: a, " + pod + ", " + expect + "}\n  - {name: a, " + pod + ", " + expect + "}\n"),
         "8:12: spec.cases[1].name: another case of this test is named \"a\""},
        {"no expectation", case_with("name: a, " + pod), "7:5: spec.cases[0].expect is missing: expected a mapping with allowed"},
        {"no verdict", case_with("name: a, " + pod + ", expect: {}"), "spec.cases[0].expect.allowed is missing: expected true or false"},
        {"a word for a verdict", case_with("name: a, " + pod + ", expect: {allowed: deny}"),
         "expect.allowed: expected true or false, have a string"},
        {"a message of what passes", case_with("name: a, " + pod + ", expect: {allowed: true, message: x}"),
         "is the text of a denial; an allowed request has none"},
        {"a violation without a rule", case_with("name: a, " + pod + ", expect: {allowed: false, violations: [{path: .x}]}"),
         "violations[0].rule is missing: expected a string"},
        {"an unknown action", case_with("name: a, " + pod + ", expect: {allowed: false, violations: [{rule: r, action: Denied}]}"),
         "(did you mean \"Deny\"?)"},
        {"CONNECT", case_with("name: a, operation: CONNECT, " + pod + ", " + expect),
         "give a CONNECT as a recorded review (review: file.json)"},
        {"an unknown operation", case_with("name: a, operation: PATCH, " + pod + ", " + expect),
         "have \"PATCH\", expected one of: CREATE, UPDATE, DELETE"},
        {"nobody knows the account", case_with("name: a, as: flux/helm-controler, " + pod + ", " + expect),
         "(did you mean \"helm-controller\"?)"},
        {"user and as", case_with("name: a, as: flux, user: {username: alice}, " + pod + ", " + expect),
         "spec.cases[0].as: must not stand beside user"},
        {"an account with groups",
         case_with("name: a, user: {username: \"system:serviceaccount:a:b\", groups: [g]}, " + pod + ", " + expect), "leave groups out"},
        {"extra that is no list", case_with("name: a, user: {username: x, extra: {k: v}}, " + pod + ", " + expect),
         "extra.k: expected a list, have a string"},
        {"no object", case_with("name: a, " + expect), "spec.cases[0].object is missing: expected what is created"},
        {"an object that is a list", case_with("name: a, object: [], " + expect),
         "expected an object, or the name of a file that holds one; have a list"},
        {"an old object of a CREATE", case_with("name: a, oldObject: x.yaml, " + pod + ", " + expect),
         "oldObject: there is none before a CREATE"},
        {"an UPDATE from nothing", case_with("name: a, operation: UPDATE, " + pod + ", " + expect),
         "oldObject is missing: expected the object before the update"},
        {"a DELETE of nothing", case_with("name: a, operation: DELETE, " + expect),
         "oldObject is missing: expected the object that is deleted"},
        {"a DELETE of two", case_with("name: a, operation: DELETE, oldObject: x.yaml, " + pod + ", " + expect), "a DELETE has one object"},
        {"a review and an object", case_with("name: a, review: r.json, " + pod + ", " + expect),
         "spec.cases[0].object: must not stand beside review, which says it"},
        {"a time without a zone", case_with("name: a, time: 2026-12-05T02:30:00, " + pod + ", " + expect), "spec.cases[0].time: "},
        {"an empty time", case_with("name: a, time: \"\", " + pod + ", " + expect), "spec.cases[0].time: "},
        {"labels that are numbers", case_with("name: a, namespaceLabels: {a: 1}, " + pod + ", " + expect),
         "namespaceLabels.a: expected a string, have an integer"},
        {"an unknown field", case_with("name: a, expects: 1, " + pod + ", " + expect),
         "spec.cases[0].expects: unknown field (did you mean \"expect\"?)"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string problems = decoded(row.text).problems;
        INFO(problems);
        CHECK(problems.find(row.problems) != std::string::npos);
        CHECK((problems.find('|') == std::string::npos) == (row.problems.find('|') == std::string::npos));
    }
}

TEST_CASE("a set is loaded without its tests, and is not loaded with broken ones") {
    const std::string policy = sample::rule("probes: {all: [readinessProbe]}");
    const std::string test = case_with("name: a, " + std::string(kPod) + ", expect: {allowed: true}");
    const auto with = compile({{"p.yaml", policy}, {"t.yaml", test}}, {});
    REQUIRE(with.set);
    CHECK(with.set->policies.size() == 1);
    CHECK(sample::problems_of({{"t.yaml", test}}) ==
          std::vector<std::string>{"(policies): no GuardPolicy found: this set would protect nothing; put at least one into the folder"});
    CHECK(sample::problems_of({{"p.yaml", policy}, {"t.yaml", case_with("name: a")}}).size() == 2);
}

TEST_CASE("a JSON Schema beside the policies is passed over, and nothing else that has a $schema") {
    const std::string policy = sample::rule("probes: {all: [readinessProbe]}");
    CHECK(compile({{"p.yaml", policy}, {"schema.json", R"({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"})"}}, {})
              .set);
    CHECK_FALSE(compile({{"p.yaml", policy}, {"q.yaml", "$schema: x\n" + sample::rule("probes: {all: [readinessProbe]}", "q")}}, {}).set);
    CHECK(sample::problems_of({{"schema.json", R"({"$schema": "x"})"}}).size() == 1);
}

TEST_CASE("a verdict is compared with what is expected") {
    const Verdict two =
        denied({violation("p", "limits", ".a"), violation("p", "limits", ".b"), violation("q", "probes", ".c", Action::warn)});
    const Verdict locked = denied({violation("p", "only-git", "."), violation("p", "only-git", ".spec.x")});
    Verdict warned;
    warned.warnings = {"denied from 2026-12-01: p/limits", "p/probes"};
    const auto expecting = [](bool allowed, std::vector<ExpectedViolation> violations) {
        Expectation expect;
        expect.allowed = allowed;
        expect.violations = std::move(violations);
        return expect;
    };
    const auto only = [](bool allowed) {
        Expectation expect;
        expect.allowed = allowed;
        return expect;
    };
    const auto warnings = [](std::vector<std::string> list) {
        Expectation expect;
        expect.allowed = true;
        expect.warnings = std::move(list);
        return expect;
    };
    const auto message = [](std::string text) {
        Expectation expect;
        expect.message = std::move(text);
        return expect;
    };
    struct Row {
        const char* name;
        Expectation expect;
        const Verdict& verdict;
        std::string differences;
    };
    const std::vector<Row> rows{
        {"violations that nobody asked for are not compared", only(false), two, ""},
        {"one entry for all of a rule", expecting(false, {{"", "limits", "", {}}, {"", "probes", "", {}}}), two, ""},
        {"in any order, with every field",
         expecting(false, {{"q", "probes", ".c", Action::warn}, {"p", "limits", ".b", {}}, {"", "limits", ".a", Action::deny}}), two, ""},
        {"the wrong verdict says why", only(true), locked,
         "- allowed: true\n+ allowed: false\n  # p/only-git: have this, want that\n  # p/only-git .spec.x: have this, want that\n"},
        {"one too many", expecting(false, {{"", "limits", "", {}}}), two,
         "  allowed: false\n  violations:\n  - {rule: limits}\n+ - {rule: probes, path: .c}  # have this, want that\n"},
        {"one too few", expecting(false, {{"", "limits", "", {}}, {"", "probes", "", {}}, {"", "images", "", {}}}), two,
         "  allowed: false\n  violations:\n  - {rule: limits}\n  - {rule: probes}\n- - {rule: images}\n"},
        {"of another policy", expecting(false, {{"q", "limits", "", {}}, {"q", "probes", "", {}}}), two,
         "  allowed: false\n  violations:\n- - {policy: q, rule: limits}\n  - {policy: q, rule: probes}\n+ - {policy: p, rule: limits, "
         "path: .a}  # have "
         "this, want that\n+ - {policy: p, rule: limits, path: .b}  # have this, want that\n"},
        {"of another action", expecting(false, {{"", "limits", "", {}}, {"", "probes", "", Action::deny}}), two,
         "  allowed: false\n  violations:\n  - {rule: limits}\n- - {rule: probes, action: Deny}\n+ - {rule: probes, path: .c, action: "
         "Warn}  # have "
         "this, want that\n"},
        {"none at all", expecting(true, {}), warned, ""},
        {"who wrote needs no entry beside the fields", expecting(false, {{"", "only-git", ".spec.x", {}}}), locked, ""},
        {"but it does where nothing else is named", expecting(false, {}), locked,
         "  allowed: false\n  violations: []\n+ - {rule: only-git}  # have this, want that\n+ - {rule: only-git, path: .spec.x}  # have "
         "this, want "
         "that\n"},
        {"warnings by a part of each", warnings({"2026-12-01", "probes"}), warned, ""},
        {"a warning too many", warnings({"2026-12-01"}), warned, "  allowed: true\n  warnings:\n  - \"2026-12-01\"\n+ - p/probes\n"},
        {"a warning that did not come", warnings({"p/", "images"}), warned, "  allowed: true\n  warnings:\n  - p/\n- - images\n"},
        {"a part of the message", message("Change it"), locked, ""},
        {"another message", message("Ask us"), locked,
         "  allowed: false\n- message: Ask us\n+ message: |\n+   Fluxgate denied\n+   Change it in Git.\n"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(text_of(differences(row.expect, row.verdict, row.verdict.allowed ? "" : "Fluxgate denied\nChange it in Git.")) ==
              row.differences);
    }
}

TEST_CASE("what an update writes is met by the verdict it was made from") {
    const std::string message = "Fluxgate denied\n- p/limits .a: …\nChange it in Git.";
    const Verdict verdict = denied({violation("p", "only-git", "."), violation("p", "only-git", ".a"), violation("p", "limits", ".b")});
    Verdict allowed;
    allowed.warnings = {"p/limits"};
    struct Row {
        const char* name;
        Expectation before;
        const Verdict& verdict;
        std::string violations;
        std::string message;
    };
    Expectation with_message;
    with_message.message = "Ask us";
    Expectation kept;
    kept.message = "p/limits";
    Expectation with_policy;
    with_policy.violations = {{"q", "r", "", {}}};
    Expectation none;
    none.allowed = true;
    none.warnings = std::vector<std::string>{};
    const std::vector<Row> rows{
        {"another message", with_message, verdict, "{rule: only-git, path: .a}{rule: limits, path: .b}", "Change it in Git."},
        {"a message that is still there", kept, verdict, "{rule: only-git, path: .a}{rule: limits, path: .b}", "p/limits"},
        {"policies where there were some", with_policy, verdict, "{policy: p, rule: only-git, path: .a}{policy: p, rule: limits, path: .b}",
         ""},
        {"what passes", none, allowed, "", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string told = row.verdict.allowed ? "" : message;
        const Expectation after = expectation_of(row.verdict, told, row.before);
        CHECK(differences(after, row.verdict, told).empty());
        std::string violations;
        for (const ExpectedViolation& one : after.violations.value_or(std::vector<ExpectedViolation>{})) violations += to_yaml(one);
        CHECK(violations == row.violations);
        CHECK(after.message == row.message);
    }
}

TEST_CASE("texts are quoted so that the strict reader reads them back") {
    for (const std::string text : {"plain",     "Change it in Git.",
                                   ".spec.x",   R"(.spec.containers[name="web"].image)",
                                   "it's {x}",  "yes",
                                   "~",         "7",
                                   "1e3",       "2026-12-01",
                                   "a: b",      "- a",
                                   "#x",        "",
                                   " a",        "a ",
                                   "tab\there", "line\nend",
                                   "ä",         "true",
                                   "null",      "*",
                                   "a,b",       "\"",
                                   "'",         "\\",
                                   "@",         "0x10",
                                   ".5"}) {
        INFO(text);
        const kube::ReadResult read = kube::read_manifests("{a: [" + to_yaml(text) + "]}", Limits{});
        REQUIRE(read.problems.empty());
        const kube::Node& item = read.documents.at(0).root.find("a")->items().at(0);
        CHECK(item.kind() == kube::Node::Kind::string);
        CHECK(item.text() == text);
    }
}
