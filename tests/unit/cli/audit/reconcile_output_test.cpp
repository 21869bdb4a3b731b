#include "cli/audit/reconcile_output.hpp"

#include <algorithm>
#include <functional>
#include <sstream>

#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;
using audit::FindingKind;
using audit::ReconcileFinding;
using audit::Reconciliation;

namespace {

const ReconcileFinding kBypassed{.kind = FindingKind::bypassed,
                                 .time = *parse_rfc3339("2026-12-05T02:10:07Z"),
                                 .user = "=alice\x1b[31m",
                                 .impersonated_user = "bob",
                                 .verb = "patch",
                                 .resource = "deployments.apps",
                                 .namespace_name = "production",
                                 .name = "web",
                                 .code = 200,
                                 .audit_id = "9f3c",
                                 .where = "api.log:12"};
const ReconcileFinding kUnknown{.kind = FindingKind::unknown,
                                .time = *parse_rfc3339("2026-12-05T02:11:00Z"),
                                .user = "carol",
                                .verb = "UPDATE",
                                .resource = "pods",
                                .record_id = "r-1",
                                .where = "index 4",
                                .remark = "a remark"};

Reconciliation counted() {
    Reconciliation result;
    result.events = 1'234'567;
    result.writes = 1'000;
    result.judged = 938;
    result.denied = 12;
    result.findings = {{FindingKind::bypassed, 40}, {FindingKind::failed_open, 10}, {FindingKind::unknown, 1}};
    return result;
}

std::string shown(const std::string& format, std::size_t findings) {
    std::ostringstream out;
    const auto output = make_reconcile_output(format, out);
    for (std::size_t i = 0; i < findings; ++i) output->found(i % 2 == 0 ? kBypassed : kUnknown);
    output->finish(counted(), {.guarded = "every write in production", .files = {{"api.log", {.events = 3, .cut_at_the_end = true}}}});
    return out.str();
}

}  // namespace

TEST_CASE("the summary counts what there is and is silent about what there is not") {
    struct Row {
        const char* name;
        std::function<void(Reconciliation&)> change;
        std::string text;
    };
    const std::vector<Row> rows{
        {"as counted", [](Reconciliation&) {},
         "1,000 writes: 950 judged (12 of them denied), 40 bypassed, 10 failed open; records: 1 unknown to the API server"},
        {"all is well",
         [](Reconciliation& result) {
             result = {};
             result.writes = result.judged = 1;
         },
         "1 write: 1 judged"},
        {"nothing", [](Reconciliation& result) { result = {}; }, "0 writes: none"},
        {"everything at once",
         [](Reconciliation& result) {
             result = {};
             result.writes = 7;
             result.refused_elsewhere = 2;
             result.dry_runs = 1;
             result.findings = {{FindingKind::contradicted, 3}, {FindingKind::unproven, 1}, {FindingKind::missing, 4},
                                {FindingKind::unrecorded, 5},   {FindingKind::unknown, 6},  {FindingKind::duplicate, 7}};
         },
         "7 writes: 3 denied and done, 1 unproven, 2 refused without Fluxgate, 1 dry runs; records: 4 missing, 5 could not be written, "
         "6 unknown to the API server, 7 with an id that another has"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Reconciliation result = counted();
        row.change(result);
        CHECK(summary_of(result) == row.text);
    }
}

TEST_CASE("the table shows findings, what they mean and what was compared, and nothing that a terminal acts on") {
    const std::string text = shown("table", 2);
    for (const char* part : {"bypassed", "patch", "deployments.apps production/web", "9f3c", "record r-1", "index 4", "as bob",
                             "bypassed: done, and Fluxgate was not asked.", "unknown: a record of a request", "1,000 writes: 950 judged",
                             "Guarded is every write in production.", "1,234,567 events", "api.log ends within an event."}) {
        INFO(part);
        CHECK(text.find(part) != std::string::npos);
    }
    CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("the table has a bound and says what it leaves out") {
    const std::string text = shown("table", 1'005);
    CHECK(text.find("+5 more; -o json or -o csv has all") != std::string::npos);
    CHECK(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) < 1'020);
}

TEST_CASE("JSON holds every finding whole, and the summary last") {
    for (const std::size_t findings : {0u, 1u, 3u}) {
        const auto json = nlohmann::json::parse(shown("json", findings));
        CHECK(json["findings"].size() == findings);
        CHECK(json["summary"]["writes"] == 1'000);
        CHECK(json["summary"]["findings"]["failed-open"] == 10);
        CHECK(json["summary"]["findings"]["missing"] == 0);
        CHECK(json["summary"]["files"][0]["cutAtTheEnd"] == true);
    }
    const auto json = nlohmann::json::parse(shown("json", 2));
    CHECK(json["findings"][0] == nlohmann::json{{"finding", "bypassed"},
                                                {"time", "2026-12-05T02:10:07.000000Z"},
                                                {"user", "=alice\x1b[31m"},
                                                {"impersonatedUser", "bob"},
                                                {"verb", "patch"},
                                                {"namespace", "production"},
                                                {"resource", "deployments.apps"},
                                                {"name", "web"},
                                                {"code", 200},
                                                {"auditID", "9f3c"},
                                                {"where", "api.log:12"}});
    CHECK(json["findings"][1]["recordId"] == "r-1");
    CHECK(json["findings"][1]["remark"] == "a remark");
    CHECK_FALSE(json["findings"][1].contains("code"));
}

TEST_CASE("CSV has a row for each finding, and no formulas") {
    const std::string text = shown("csv", 2);
    CHECK(text.starts_with("finding,time,user,impersonatedUser,verb,namespace,resource,name,code,auditID,recordId,where,remark\r\n"));
    CHECK(std::count(text.begin(), text.end(), '\n') == 3);
    CHECK(text.find("'=alice") != std::string::npos);
    CHECK(text.find(",=alice") == std::string::npos);
}
