#include "webhook/readiness.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/webhook/support.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace fluxgate::webhook::testing;
using namespace std::chrono_literals;

TEST_CASE("ready means: policies, a log that records or is degraded, a valid certificate, not draining") {
    struct Row {
        const char* name;
        bool policies;
        AuditState audit;
        std::chrono::hours not_before;  // from now
        std::chrono::hours not_after;
        bool draining;
        bool ready;
        std::string line;
    };
    const std::vector<Row> rows{
        {"all well", true, AuditState::recording, -1h, 1h, false, true, "[+]audit ok\n"},
        {"no policies", false, AuditState::recording, -1h, 1h, false, false, "[-]policies failed: no set\n"},
        {"degraded is ready, and says so", true, AuditState::degraded, -1h, 1h, false, true,
         "[+]audit degraded: records cannot be written; exceptional writes are refused\n"},
        {"broken is not ready", true, AuditState::broken, -1h, 1h, false, false, "[-]audit failed: the log broke, a restart follows\n"},
        {"the certificate is not valid yet", true, AuditState::recording, 1h, 2h, false, false,
         "[-]certificate failed: valid only from 2026-12-05T03:10:00.000000Z\n"},
        {"the certificate has ended", true, AuditState::recording, -2h, -1h, false, false,
         "[-]certificate failed: ended 2026-12-05T01:10:00.000000Z\n"},
        {"the certificate ends now", true, AuditState::recording, -2h, 0h, false, false,
         "[-]certificate failed: ended 2026-12-05T02:10:00.000000Z\n"},
        {"the certificate begins now", true, AuditState::recording, 0h, 1h, false, true,
         "[+]certificate ok: until 2026-12-05T03:10:00.000000Z\n"},
        {"draining", true, AuditState::recording, -1h, 1h, true, false, "[-]shutdown failed: draining\n"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const SnapshotCell<policy::PolicySet> policies(row.policies ? demo_policies() : nullptr);
        const FixedClock clock;
        Readiness readiness(policies, clock);
        readiness.set_audit(row.audit);
        readiness.set_certificate(kNow + row.not_before, kNow + row.not_after);
        if (row.draining) readiness.set_draining();
        const auto report = readiness.report();
        CHECK(report.ready == row.ready);
        CHECK(report.text.find(row.line) != std::string::npos);
        CHECK(report.text.ends_with(row.ready ? "readyz check passed\n" : "readyz check failed\n"));
    }
}

TEST_CASE("without a certificate nothing is ready") {
    const SnapshotCell<policy::PolicySet> policies(demo_policies());
    const FixedClock clock;
    CHECK_FALSE(Readiness(policies, clock).report().ready);
}

TEST_CASE("with access to an API server ready means fresh snapshots as well") {
    struct Row {
        const char* name;
        bool access;
        std::optional<std::string> trouble;
        bool ready;
        std::string line;
        std::string absent = "";
    };
    const std::vector<Row> rows{
        {"no access", false, std::nullopt, true, "[+]snapshots none: no access to an API server\n"},
        {"fresh", true, std::nullopt, true, "[+]snapshots ok\n"},
        {"fresh, and a kind is not served", true, std::nullopt, true, "[+]snapshots ok: not served by the API server: buckets\n",
         "buckets"},
        {"not fresh", true, "no answer of the API server for 17 s", false, "[-]snapshots failed: no answer of the API server for 17 s\n"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const SnapshotCell<policy::PolicySet> policies(demo_policies());
        const FixedClock clock;
        Readiness readiness(policies, clock);
        readiness.set_certificate(kNow - 1h, kNow + 1h);
        if (row.access) readiness.set_snapshots([&] { return row.trouble; }, [&] { return row.absent; });
        CHECK(readiness.report().ready == row.ready);
        CHECK(readiness.report().text.find(row.line) != std::string::npos);
    }
}

TEST_CASE("a policy folder that does not compile is told, and does not make it unready") {
    const SnapshotCell<policy::PolicySet> policies(demo_policies());
    const FixedClock clock;
    Readiness readiness(policies, clock);
    readiness.set_certificate(kNow - 1h, kNow + 1h);
    readiness.set_policy_trouble("production.yaml:3:5: unknown field");
    CHECK(readiness.report().ready);
    CHECK(readiness.report().text.find("[+]policy-folder last good set kept: production.yaml:3:5: unknown field\n") != std::string::npos);
    readiness.set_policy_trouble({});
    CHECK(readiness.report().text.find("policy-folder") == std::string::npos);
}

TEST_CASE("a log without room, or without checkpoints, leaves the replica ready, and says why") {
    const SnapshotCell<policy::PolicySet> policies(demo_policies());
    const FixedClock clock;
    Readiness readiness(policies, clock);
    readiness.set_certificate(kNow - 1h, kNow + 1h);
    readiness.set_audit(AuditState::degraded, "the disk budget is used up");
    readiness.set_checkpoint_trouble("the key is another");
    auto report = readiness.report();
    CHECK(report.ready);
    CHECK(report.text.find("exceptional writes are refused: the disk budget is used up\n") != std::string::npos);
    CHECK(report.text.find("[+]audit-checkpoint not published: the key is another\n") != std::string::npos);

    readiness.set_audit(AuditState::recording);
    readiness.set_checkpoint_trouble("");
    report = readiness.report();
    CHECK(report.text.find("[+]audit ok\n") != std::string::npos);
    CHECK(report.text.find("audit-checkpoint") == std::string::npos);
}
