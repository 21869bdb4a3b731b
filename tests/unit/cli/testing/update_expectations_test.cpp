#include "cli/testing/update_expectations.hpp"

#include "cli/testing/policy_tests.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;

namespace {

const std::string kHead =
    "apiVersion: fluxgate.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: t}\nspec:\n  policies: [p.yaml]\n  cases:\n";
const std::string kNext = "  - {name: next, object: o.yaml, expect: {allowed: true}}\n";

// The text with `allowed: true` for the first case.
std::optional<std::string> updated(const std::string& text) {
    std::vector<std::string> problems;
    const TestFile file = read_policy_tests("t.yaml", text, Limits{}, problems);
    REQUIRE(problems == std::vector<std::string>{});
    policy::Expectation expect;
    expect.allowed = true;
    return update_expectations(text, {{file.tests.at(0).cases.at(0).place, expect}}, Limits{});
}

}  // namespace

TEST_CASE("an expectation ends where YAML says, whatever stands in its texts") {
    struct Row {
        const char* name;
        std::string expect;
    };
    const std::vector<Row> rows{
        {"a quote within a plain text", "{allowed: false, message: 12\" pipe}"},
        {"an apostrophe within a plain text", "{allowed: false, message: it is Bob's}"},
        {"a quoted text after a plain one's blank", "{allowed: false, message: a \"b, warnings: [c]}"},
        {"a text with a bracket right after a quoted key", "{allowed: false, \"message\":'a } b'}"},
        {"the same in double quotes", "{\"allowed\":false,\"message\":\"a \\\" } b\"}"},
        {"two apostrophes", "{allowed: false, message: 'it''s } }'}"},
        {"a comment with a quote and a bracket", "{allowed: false, # it's \" }\n      message: a}"},
        {"a text over two lines", "{allowed: false, message: \"a }\n      b\"}"},
        {"a list of quoted texts", "{allowed: false, warnings: ['}', \"]\", a\"]}"},
        {"a hash within a plain text", "{allowed: false, message: a#b}"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string before = kHead + "  - name: first\n    object: o.yaml\n    expect: ";
        CHECK(updated(before + row.expect + "   # why\n" + kNext) == before + "{allowed: true}   # why\n" + kNext);
    }
}

TEST_CASE("a block ends before the next case") {
    struct Row {
        const char* name;
        std::string expect;
    };
    const std::vector<Row> rows{
        {"lists in the column of their key", "allowed: false\n      warnings:\n      - a\n"},
        {"a block text with a hash and blank lines", "allowed: false\n      message: |\n        # a\n\n        b\n"},
        {"a quote within a plain text", "allowed: false\n      message: 12\" pipe\n"},
        {"a comment less far to the right", "allowed: false\n  # it's \"\n      message: a\n"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string before = kHead + "  - name: first\n    object: o.yaml\n    expect:\n      ";
        CHECK(updated(before + row.expect + kNext) == before + "allowed: true\n" + kNext);
    }
}

TEST_CASE("a text that says anything else than before, but for the expectations, is seen") {
    const std::string first = "  - {name: first, object: o.yaml, expect: {allowed: false}}\n";
    const std::string good = "  - {name: first, object: o.yaml, expect: {allowed: true}}\n";
    const std::string other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    const std::string before = kHead + first + kNext + other;
    std::vector<std::string> problems;
    const TestFile file = read_policy_tests("t.yaml", before, Limits{}, problems);
    REQUIRE(problems.empty());
    policy::Expectation expect;
    expect.allowed = true;
    const std::vector<ExpectationUpdate> updates{{file.tests.at(0).cases.at(0).place, expect}};
    struct Row {
        const char* name;
        std::string after;
        bool same;
    };
    const std::vector<Row> rows{
        {"only the expectation", kHead + good + kNext + other, true},
        {"another layout", kHead + "  # a comment\n" + good + kNext + other, true},
        {"the expectation is as it was", before, false},
        {"the next case is gone", kHead + good + other, false},
        {"a case too many", kHead + good + kNext + kNext + other, false},
        {"the next case has another name", kHead + good + "  - {name: nexT, object: o.yaml, expect: {allowed: true}}\n" + other, false},
        {"the next case expects something else", kHead + good + "  - {name: next, object: o.yaml, expect: {allowed: false}}\n" + other,
         false},
        {"a text became a boolean", kHead + good + "  - {name: next, object: o.yaml, expect: {allowed: \"true\"}}\n" + other, false},
        {"the other document is gone", kHead + good + kNext, false},
        {"the other document is another", kHead + good + kNext + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\n", false},
        {"it cannot be read", kHead + good + kNext + other + "}\n", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(only_expectations_differ(before, row.after, updates, Limits{}) == row.same);
    }
}
