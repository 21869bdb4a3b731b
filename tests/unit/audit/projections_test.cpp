#include "audit/projections.hpp"

#include <functional>
#include <nlohmann/json.hpp>

#include "base/limits.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using nlohmann::json;

namespace {

Record request(std::string operation = "UPDATE", std::string decision = "denied") {
    Record record;
    record.id = "b855796f-90eb-484e-9c71-41c1647c7102";
    record.time = WallTime{std::chrono::microseconds{1'795'132'800'123'456}};
    record.decision = std::move(decision);
    record.write_class = "exceptional";
    record.operation = std::move(operation);
    record.group = "apps";
    record.version = "v1";
    record.resource = "deployments";
    record.kind = "Deployment";
    record.namespace_name = "production";
    record.name = "web";
    record.username = "alice@example.com";
    record.user_uid = "u-1";
    record.groups = {"devs"};
    record.field_manager = "kubectl";
    record.violations = {{"production", "only-git", ".spec.replicas", "9", "3", "Deny"}};
    record.changes = {{".spec.replicas", "9", "3"}};
    record.policy_set = "sha256:00";
    record.cluster = "prod-we-1";
    record.replica = "fluxgate-0";
    return record;
}

Record event(std::string name) {
    Record record;
    record.id = name + "-1";
    record.time = request().time;
    record.event = std::move(name);
    record.replica = "fluxgate-0";
    return record;
}

Record repeated() {
    Record record = request();
    record.decision.clear();
    record.write_class.clear();
    record.event = "denial-repeated";
    record.facts = {{"first", "uid-1"}, {"firstTime", "2026-11-20T00:00:00Z"}, {"lastTime", "2026-11-20T00:00:58Z"}};
    record.counters = {{"count", 17}};
    return record;
}

Record changed(Record record, const std::function<void(Record&)>& change) {
    change(record);
    return record;
}

json as(Projection projection, const Record& record) {
    const std::string text = encode(record, Limits{}.record_bytes_max).text(3);
    return json::parse(project(projection, {.index = 17, .text = text}, record));
}

std::vector<Record> one_of_each() {
    std::vector<Record> records{request(),          request("CREATE", "allowed"), request("DELETE"),
                                request("CONNECT"), request("unknown"),           repeated()};
    for (const char* name :
         {"started", "stopped", "heartbeat", "policy-set-loaded", "policy-set-refused", "learn-begun", "learn-ended", "audit-mode-begun",
          "audit-mode-ended", "certificate-loaded", "gap", "signing-key-changed", "epoch-begun", "retention-applied"})
        records.push_back(event(name));
    Record nothing;
    nothing.id = "x";
    nothing.decision = "denied";
    records.push_back(nothing);
    return records;
}

}  // namespace

TEST_CASE("a CloudEvent is the stored text, byte for byte") {
    const Record record = request();
    const std::string text = encode(record, Limits{}.record_bytes_max).text(3);
    CHECK(project(Projection::cloudevents, {.index = 17, .text = text}, record) == text);
}

// Required attributes, constraints and enumerations as https://github.com/ocsf/ocsf-schema has them.
TEST_CASE("every record has the attributes that OCSF requires") {
    for (const Record& record : one_of_each()) {
        const json ocsf = as(Projection::ocsf, record);
        INFO(ocsf.dump(1));
        for (const char* name : {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"})
            CHECK(ocsf.contains(name));
        CHECK(ocsf["category_uid"] == 6);
        CHECK(ocsf["type_uid"] == ocsf["class_uid"].get<int>() * 100 + ocsf["activity_id"].get<int>());
        CHECK(ocsf["metadata"]["version"] == "1.6.0");
        CHECK(ocsf["metadata"]["product"]["name"] == "Fluxgate");
        CHECK(ocsf["time"].is_number_integer());
        if (ocsf["class_uid"] == 6003) {
            for (const char* name : {"actor", "api", "src_endpoint"}) CHECK(ocsf.contains(name));
            CHECK(!ocsf["actor"]["user"]["name"].get<std::string>().empty());  // one of account, name, uid
            CHECK(!ocsf["api"]["operation"].get<std::string>().empty());
            CHECK(!ocsf["src_endpoint"]["svc_name"].get<std::string>().empty());
            CHECK(!ocsf["resources"][0]["name"].get<std::string>().empty());
        } else {
            CHECK(ocsf["class_uid"] == 6002);
            CHECK(ocsf["app"]["name"] == "Fluxgate");
        }
    }
}

TEST_CASE("what happened, in the words of OCSF") {
    struct Row {
        const char* name;
        Record record;
        const char* pointer;
        json value;
    };
    const std::vector<Row> rows{
        {"a create", request("CREATE"), "/type_uid", 600301},
        {"an update", request("UPDATE"), "/type_uid", 600303},
        {"a delete", request("DELETE"), "/type_uid", 600304},
        {"a connection has no activity of its own", request("CONNECT"), "/type_uid", 600399},
        {"nor has what could not be read", request("unknown"), "/type_uid", 600300},
        {"a denial was denied", request(), "/action_id", 2},
        {"and blocked", request(), "/disposition_id", 2},
        {"and failed", request(), "/status_id", 2},
        {"what passed was allowed", request("UPDATE", "allowed"), "/action_id", 1},
        {"a write past Git is of medium severity", request("UPDATE", "allowed"), "/severity_id", 3},
        {"a write of Flux is not", changed(request("UPDATE", "allowed"), [](Record& r) { r.write_class = "routine"; }), "/severity_id", 1},
        {"a way around the lock is of high severity",
         changed(request(),
                 [](Record& r) {
                     r.violations = {{"fluxgate", "escape", ".", "", "", "Deny"}};
                 }),
         "/severity_id", 4},
        {"times are milliseconds", request(), "/time", 1'795'132'800'123},
        {"the request's uid is found again", request(), "/api/request/uid", "b855796f-90eb-484e-9c71-41c1647c7102"},
        {"the uid of the record", request(), "/metadata/uid", "b855796f-90eb-484e-9c71-41c1647c7102"},
        {"the log index", request(), "/unmapped/fluxgate/logIndex", 17},
        {"the object", request(), "/resources/0/name", "production/deployments.apps/web"},
        {"a person", request(), "/actor/user/type_id", 1},
        {"a service account", changed(request(), [](Record& r) { r.username = "system:serviceaccount:ci:deployer"; }),
         "/actor/user/type_id", 4},
        {"repeats are counted", repeated(), "/count", 17},
        {"repeats name the first request", repeated(), "/api/request/uid", "uid-1"},
        {"repeats have an end", repeated(), "/end_time", 1'795'132'858'000},
        {"a start", event("started"), "/type_uid", 600203},
        {"a stop", event("stopped"), "/type_uid", 600204},
        {"another event keeps its name", event("heartbeat"), "/activity_name", "heartbeat"},
        {"a gap is of high severity", event("gap"), "/severity_id", 4},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(as(Projection::ocsf, row.record).at(json::json_pointer(row.pointer)) == row.value);
    }
}

TEST_CASE("every record has the columns that ASIM requires, with values it knows") {
    const std::vector<std::string> types{"Set",    "Read",    "Create",     "Delete", "Execute", "Install", "Clear",
                                         "Enable", "Disable", "Initialize", "Start",  "Stop",    "Other"};
    const std::vector<std::string> objects{"Cloud Resource", "Configuration Atom", "Policy Rule"};
    for (const Record& record : one_of_each()) {
        const json asim = as(Projection::asim, record);
        INFO(asim.dump(1));
        for (const char* name : {"EventCount", "EventStartTime", "EventEndTime", "EventType", "EventResult", "EventProduct", "EventVendor",
                                 "EventSchema", "EventSchemaVersion", "Dvc", "Operation", "Object", "ObjectType"}) {
            REQUIRE(asim.contains(name));
            if (asim[name].is_string()) CHECK(!asim[name].get<std::string>().empty());
        }
        CHECK(asim["EventSchema"] == "AuditEvent");
        CHECK(std::count(types.begin(), types.end(), asim["EventType"].get<std::string>()) == 1);
        CHECK(std::count(objects.begin(), objects.end(), asim["ObjectType"].get<std::string>()) == 1);
    }
}

TEST_CASE("what happened, in the words of ASIM") {
    struct Row {
        const char* name;
        Record record;
        const char* column;
        json value;
    };
    const std::vector<Row> rows{
        {"an update sets", request(), "EventType", "Set"},
        {"a connection executes", request("CONNECT"), "EventType", "Execute"},
        {"a denial failed", request(), "EventResult", "Failure"},
        {"a denial was an act of the device", request(), "DvcAction", "Deny"},
        {"what passed succeeded", request("UPDATE", "allowed"), "EventResult", "Success"},
        {"the value that was there", request(), "OldValue", "3"},
        {"the value that was wanted", request(), "NewValue", "9"},
        {"who", request(), "ActorUsername", "alice@example.com"},
        {"repeats are counted", repeated(), "EventCount", 17},
        {"repeats begin with the first", repeated(), "EventStartTime", "2026-11-20T00:00:00Z"},
        {"a policy that was refused failed", event("policy-set-refused"), "EventResult", "Failure"},
        {"a policy is a rule", event("policy-set-loaded"), "ObjectType", "Policy Rule"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(as(Projection::asim, row.record).at(row.column) == row.value);
    }
}

TEST_CASE("hostile names stay inside their strings, and what is no UTF-8 is replaced") {
    for (const char* name : {"\"},{\"admin\":true", "a\nb", "\xff\xfe", "\xe2\x80\xae"}) {
        for (const Projection projection : {Projection::ocsf, Projection::asim}) {
            const Record record = changed(request(), [&](Record& r) { r.username = name; });
            const std::string line = project(projection, {.index = 1}, record);
            CHECK(line.find('\n') == std::string::npos);
            CHECK(json::accept(line));
            CHECK(!json::parse(line).contains("admin"));
        }
    }
}
