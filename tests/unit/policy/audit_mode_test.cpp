#include "policy/audit_mode.hpp"

#include "base/digest.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

TEST_CASE("where policies look on is told by rule and namespaces, with what they do instead") {
    struct Row {
        const char* name;
        const char* spec;
        WallTime now;
        std::vector<std::string> modes;
    };
    const WallTime before = *parse_rfc3339("2026-11-30T23:59:59Z");
    const WallTime from = *parse_rfc3339("2026-12-01T00:00:00Z");
    const Row rows[] = {
        {"a policy that denies", "", before, {}},
        {"one that says so", "  validationActions: [Deny, Audit]\n", before, {}},
        {"one that warns", "  validationActions: [Warn]\n", before, {"*: p/r Warn"}},
        {"one that only records",
         "  validationActions: [Audit]\n  match: {namespaces: [production, \"prod-*\"]}\n",
         before,
         {"production, prod-*: p/r Audit"}},
        {"some of its namespaces",
         "  namespaceActions: [{namespaces: [prod-legacy], validationActions: [Warn, Audit]}]\n",
         before,
         {"prod-legacy: p/r Warn, Audit"}},
        {"before its date", "  enforceFrom: 2026-12-01T00:00:00Z\n", before, {"*: p/r Warn, Audit until 2026-12-01T00:00:00.000000Z"}},
        {"from its date on", "  enforceFrom: 2026-12-01T00:00:00Z\n", from, {}},
        {"a date for what never denies", "  validationActions: [Warn]\n  enforceFrom: 2026-12-01T00:00:00Z\n", before, {"*: p/r Warn"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto set =
            sample::compiled(sample::policy(std::string(row.spec) + "  rules:\n  - {name: r, probes: {all: [readinessProbe]}}\n"));
        CHECK(audit_modes_at(*set, row.now) == row.modes);
    }
}

TEST_CASE("the digest of a set is that of its archive") {
    const std::vector<PolicyFile> files{{"a.yaml", sample::rule("probes: {all: [readinessProbe]}", "a")},
                                        {"b.yaml", sample::rule("probes: {all: [readinessProbe]}", "b")}};
    const auto compiled = compile(files, {});
    REQUIRE(compiled.set);
    CHECK(compiled.set->digest == "sha256:" + sha256_hex(archive_of(files)));
    CHECK(archive_of(files).starts_with("a.yaml\n" + std::to_string(files[0].text.size()) + "\n" + files[0].text + "b.yaml\n"));
}
