#include "audit/reconcile.hpp"

#include <algorithm>
#include <memory>

#include "audit/record.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;

namespace {

constexpr const char* kLock = "lock.fluxgate.dev";
constexpr const char* kFailedOpen = "failed-open.validating.webhook.admission.k8s.io/round_0_index_3";

// Seconds behind a noon.
WallTime at(double seconds) {
    return *parse_rfc3339("2026-11-21T12:00:00Z") + std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6));
}

// What the API server wrote, with what Fluxgate had it write: alice updates web in the namespace production.
struct Told {
    std::string review_id{};
    std::string record_id{};
    std::string failed_open{};  // the webhook
    bool record_missing = false;
};
ApiEvent write(const std::string& audit_id, double seconds, const Told& told, int code = 200) {
    ApiEvent event{.audit_id = audit_id,
                   .stage = "ResponseComplete",
                   .verb = "update",
                   .request_uri = "/apis/apps/v1/namespaces/production/deployments/web",
                   .user = "alice",
                   .group = "apps",
                   .version = "v1",
                   .resource = "deployments",
                   .namespace_name = "production",
                   .name = "web",
                   .code = code,
                   .time = at(seconds),
                   .stage_time = at(seconds + 0.01),
                   .where = "api.log:" + audit_id};
    const std::string prefix = std::string(kLock) + "/";
    if (!told.review_id.empty()) event.annotations.emplace_back(prefix + "review-id", told.review_id);
    if (!told.record_id.empty()) event.annotations.emplace_back(prefix + "record-id", told.record_id);
    if (told.record_missing) event.annotations.emplace_back(prefix + "record-missing", "the audit log is not available");
    if (!told.failed_open.empty()) event.annotations.emplace_back(kFailedOpen, told.failed_open);
    return event;
}

ApiEvent changed(ApiEvent event, const std::function<void(ApiEvent&)>& change) {
    change(event);
    return event;
}

// What Fluxgate recorded of the same.
Record record(const std::string& id, double seconds, const std::string& decision = "allowed") {
    Record made;
    made.id = id;
    made.time = at(seconds);
    made.decision = decision;
    made.write_class = "exceptional";
    made.operation = "UPDATE";
    made.group = "apps";
    made.version = "v1";
    made.resource = "deployments";
    made.kind = "Deployment";
    made.namespace_name = "production";
    made.name = "web";
    made.username = "alice";
    made.policy_set = "sha256:00";
    return made;
}

Record changed(Record made, const std::function<void(Record&)>& change) {
    change(made);
    return made;
}

Records rows_of(const std::vector<Record>& records) {
    std::vector<std::string> texts;
    std::uint64_t sequence = 0;
    for (const Record& one : records) texts.push_back(encode(one, 48u << 10).text(++sequence));
    return [texts](const UseRecord& use) -> Result<void> {
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const auto more = use({.index = i, .text = texts[i]});
            if (!more) return tl::unexpected(more.error());
            if (!*more) break;
        }
        return {};
    };
}

struct Compared {
    Reconciliation result{};
    std::vector<ReconcileFinding> findings{};
    // "bypassed 7", "unknown r-1": what is said of which event or record, in order.
    std::vector<std::string> told() const {
        std::vector<std::string> list;
        for (const ReconcileFinding& finding : findings)
            list.push_back(std::string(to_string(finding.kind)) + " " + (finding.audit_id.empty() ? finding.record_id : finding.audit_id));
        return list;
    }
};

ReconcileOptions usual_options() {
    ReconcileOptions options;
    options.guarded = [](const ApiEvent& event) {
        if (event.namespace_name != "production") return Guarded::no;
        return event.dry_run ? Guarded::stores_nothing : Guarded::yes;
    };
    options.is_ours = [](std::string_view webhook) { return webhook == kLock; };
    return options;
}

Compared compare(const std::vector<Record>& records, const std::vector<std::vector<ApiEvent>>& files,
                 ReconcileOptions options = usual_options()) {
    Compared compared;
    options.on_finding = [&](const ReconcileFinding& finding) { compared.findings.push_back(finding); };
    auto reconciler = Reconciler::start(rows_of(records), options);
    REQUIRE(reconciler);
    for (const auto& file : files) {
        reconciler->begin_file();
        for (const ApiEvent& event : file) reconciler->add(event);
    }
    auto result = reconciler->finish();
    REQUIRE(result);
    compared.result = *result;
    return compared;
}

// Something that the API server did long before and long after, so that all between is covered.
std::vector<ApiEvent> in_a_long_file(std::vector<ApiEvent> events) {
    const auto read = [](double seconds) {
        return changed(write("read" + std::to_string(seconds), seconds, {}), [](ApiEvent& event) { event.verb = "get"; });
    };
    events.insert(events.begin(), read(-1'000));
    events.push_back(read(10'000));
    return events;
}

}  // namespace

TEST_CASE("each write is what happened to it") {
    const std::string denial = "admission webhook \"lock.fluxgate.dev\" denied the request: Fluxgate denied UPDATE";
    const auto with_message = [](ApiEvent event, const std::string& message) {
        event.message = message;
        return event;
    };
    struct Row {
        const char* name;
        std::vector<Record> records;
        ApiEvent event;
        std::uint64_t judged, denied, elsewhere, dry_runs;
        std::vector<std::string> told;
    };
    const std::vector<Row> rows{
        {"routine, not recorded", {}, write("1", 0, {.review_id = "r"}), 1, 0, 0, 0, {}},
        {"routine, recorded beside the answer", {record("r", 0)}, write("1", 0, {.review_id = "r"}), 1, 0, 0, 0, {}},
        {"exceptional, recorded first", {record("r", 0)}, write("1", 0, {"r", "r"}), 1, 0, 0, 0, {}},
        {"judged by a version without review-id", {record("r", 0)}, write("1", 0, {.record_id = "r"}), 1, 0, 0, 0, {}},
        {"allowed by us, refused by a quota", {record("r", 0)}, write("1", 0, {"r", "r"}, 403), 1, 0, 0, 0, {}},
        {"denied", {record("r", 0, "denied")}, write("1", 0, {"r", "r"}, 403), 0, 1, 0, 0, {}},
        {"denied again, with the record of the first denial",
         {record("first", -30, "denied")},
         with_message(write("1", 0, {"second", "first"}, 403), denial),
         0,
         1,
         0,
         0,
         {}},
        {"denied on a second look, after a conflict",
         {record("r", 0), record("again", 0.1, "denied")},
         with_message(write("1", 0, {"r", "r"}, 403), denial),
         0,
         1,
         0,
         0,
         {}},
        {"refused because it could not be recorded", {}, with_message(write("1", 0, {.review_id = "r"}, 403), denial), 0, 1, 0, 0, {}},
        {"denied without a record", {}, write("1", 0, {.review_id = "r", .record_missing = true}, 403), 0, 1, 0, 0, {"unrecorded 1"}},
        {"refused by RBAC", {}, write("1", 0, {}, 403), 0, 0, 1, 0, {}},
        {"refused because we did not answer", {}, write("1", 0, {}, 500), 0, 0, 1, 0, {}},
        {"failed open, and a quota refused it", {}, write("1", 0, {.failed_open = kLock}, 403), 0, 0, 1, 0, {}},
        {"a dry run", {}, changed(write("1", 0, {}), [](ApiEvent& event) { event.dry_run = true; }), 0, 0, 0, 1, {}},
        {"nobody asked us", {}, write("1", 0, {}), 0, 0, 0, 0, {"bypassed 1"}},
        {"nobody asked us, and what came of it is not known", {}, write("1", 0, {}, 0), 0, 0, 0, 0, {"bypassed 1"}},
        {"another webhook was asked",
         {},
         changed(write("1", 0, {}), [](ApiEvent& event) { event.annotations.emplace_back("other.example.com/review-id", "r"); }),
         0,
         0,
         0,
         0,
         {"bypassed 1"}},
        {"failed open", {}, write("1", 0, {.failed_open = kLock}), 0, 0, 0, 0, {"failed-open 1"}},
        {"failed open where nobody thought that we guard",
         {},
         changed(write("1", 0, {.failed_open = kLock}), [](ApiEvent& event) { event.namespace_name = "staging"; }),
         0,
         0,
         0,
         0,
         {"failed-open 1"}},
        {"another webhook failed open", {}, write("1", 0, {.review_id = "r", .failed_open = "other.example.com"}), 1, 0, 0, 0, {}},
        {"judged first, and failed open when asked again",
         {record("r", 0)},
         write("1", 0, {"r", "r", kLock}),
         0,
         0,
         0,
         0,
         {"failed-open 1"}},
        {"denied, and done", {record("r", 0, "denied")}, write("1", 0, {"r", "r"}), 0, 0, 0, 0, {"contradicted 1"}},
        {"its record is lost", {}, write("1", 0, {"r", "r"}), 1, 0, 0, 0, {"missing 1"}},
        {"the record of its denial is lost", {}, with_message(write("1", 0, {"r", "r"}, 403), denial), 0, 1, 0, 0, {"missing 1"}},
        {"a namespace ends",
         {},
         changed(write("1", 0, {}),
                 [](ApiEvent& event) {
                     event.verb = "deletecollection";
                     event.user = "system:serviceaccount:kube-system:namespace-controller";
                 }),
         0,
         0,
         0,
         0,
         {"unproven 1"}},
        {"somebody in its name",
         {},
         changed(write("1", 0, {}),
                 [](ApiEvent& event) {
                     event.verb = "deletecollection";
                     event.user = "system:serviceaccount:kube-system:namespace-controller";
                     event.impersonated_user = "alice";
                 }),
         0,
         0,
         0,
         0,
         {"bypassed 1"}},
        {"an object elsewhere", {}, changed(write("1", 0, {}), [](ApiEvent& event) { event.namespace_name = "staging"; }), 0, 0, 0, 0, {}},
        {"an object elsewhere that we were asked about, and its record is lost",
         {},
         changed(write("1", 0, {"r", "r"}), [](ApiEvent& event) { event.namespace_name = "staging"; }),
         0,
         0,
         0,
         0,
         {"missing 1"}},
        {"a look", {}, changed(write("1", 0, {}), [](ApiEvent& event) { event.verb = "get"; }), 0, 0, 0, 0, {}},
        {"the beginning of a write",
         {},
         changed(write("1", 0, {}), [](ApiEvent& event) { event.stage = "RequestReceived"; }),
         0,
         0,
         0,
         0,
         {}},
        {"a write that ended in a panic",
         {},
         changed(write("1", 0, {}, 500), [](ApiEvent& event) { event.stage = "Panic"; }),
         0,
         0,
         1,
         0,
         {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Compared compared = compare(row.records, {in_a_long_file({row.event})});
        CHECK(compared.result.judged == row.judged);
        CHECK(compared.result.denied == row.denied);
        CHECK(compared.result.refused_elsewhere == row.elsewhere);
        CHECK(compared.result.dry_runs == row.dry_runs);
        CHECK(compared.told() == row.told);
    }
}

TEST_CASE("a connection counts once, from its beginning, whatever its verb") {
    struct Row {
        const char* name;
        std::string verb, resource, sub_resource;
        std::uint64_t begun, ended;  // what counts by then
    };
    const std::vector<Row> rows{
        {"exec as a post", "create", "pods", "exec", 1, 1},
        {"exec as a WebSocket", "get", "pods", "exec", 1, 1},
        {"attach", "get", "pods", "attach", 1, 1},
        {"port-forward", "get", "pods", "portforward", 1, 1},
        {"a proxy to a Pod", "get", "pods", "proxy", 1, 1},
        {"a proxy to a Service", "patch", "services", "proxy", 1, 1},
        {"logs", "get", "pods", "log", 0, 0},
        {"a resource with the name of a connection", "get", "widgets", "exec", 0, 0},
        {"a watch", "watch", "pods", "", 0, 0},
        {"an update that is long under way", "update", "pods", "", 0, 1},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const ApiEvent begun = changed(write("1", 0, {}, 101), [&](ApiEvent& event) {
            event.verb = row.verb;
            event.group = "";
            event.resource = row.resource;
            event.sub_resource = row.sub_resource;
            event.stage = "ResponseStarted";
        });
        const ApiEvent ended = changed(begun, [](ApiEvent& event) { event.stage = "ResponseComplete"; });
        CHECK(compare({}, {{begun}}).result.writes == row.begun);
        CHECK(compare({}, {{ended}}).result.writes == row.ended);
        const Compared both = compare({}, {{begun, ended}});
        CHECK(both.result.writes == row.ended);
        CHECK(both.told() == std::vector<std::string>(row.ended, "bypassed 1"));
    }
}

TEST_CASE("an event in two files counts once, and a borrowed auditID hides nothing") {
    const ApiEvent one = write("1", 0, {.review_id = "r"});
    CHECK(compare({}, {{one}, {one}}).result.writes == 1);
    CHECK(compare({}, {{one}, {one}}).result.repeated == 1);
    // The client chooses it: the header Audit-ID.
    struct Row {
        const char* name;
        std::function<void(ApiEvent&)> change;
    };
    const std::vector<Row> rows{
        {"another moment", [](ApiEvent& event) { event.time += std::chrono::microseconds(1); }},
        {"another object", [](ApiEvent& event) { event.request_uri += "2"; }},
        {"another verb", [](ApiEvent& event) { event.verb = "delete"; }},
        {"another user", [](ApiEvent& event) { event.user = "mallory"; }},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const ApiEvent bypass = changed(changed(one, [](ApiEvent& event) { event.annotations.clear(); }), row.change);
        CHECK(compare({}, {{one, bypass}}).told() == std::vector<std::string>{"bypassed 1"});
    }
}

TEST_CASE("a record without an event is a finding where the API server's files cover its time") {
    const auto look = [](const std::string& id, double seconds) {
        return changed(write(id, seconds, {}), [](ApiEvent& event) { event.verb = "list"; });
    };
    struct Row {
        const char* name;
        Record record;
        std::vector<std::vector<ApiEvent>> files;
        std::vector<std::string> told;
        std::uint64_t asked_again = 0;
    };
    const std::vector<ApiEvent> whole{look("a", 0), look("b", 100)};
    const std::vector<Row> rows{
        {"in the middle", record("r", 50), {whole}, {"unknown r"}},
        {"before the file", record("r", -1), {whole}, {}},
        {"behind the file", record("r", 101), {whole}, {}},
        {"as near to its begin as clocks differ", record("r", 4.9), {whole}, {}},
        {"a little later", record("r", 5.1), {whole}, {"unknown r"}},
        {"as near to its end as clocks differ", record("r", 95.5), {whole}, {}},
        {"where rotated files meet", record("r", 50), {{look("a", 0), look("b", 49)}, {look("c", 51), look("d", 100)}}, {"unknown r"}},
        {"where files come in any order", record("r", 50), {{look("c", 51), look("d", 100)}, {look("a", 0), look("b", 49)}}, {"unknown r"}},
        {"where a file is missing between two", record("r", 50), {{look("a", 0), look("b", 30)}, {look("c", 70), look("d", 100)}}, {}},
        {"covered only by the begin of a watch that ends later",
         record("r", -50),
         {{changed(look("a", -100), [](ApiEvent& event) { event.stage_time = at(0); }), look("b", 100)}},
         {}},
        {"without any file", record("r", 50), {}, {}},
        {"of a denial", record("r", 50, "denied"), {whole}, {"unknown r"}},
        {"of a connection, which may be open still",
         changed(record("r", 50),
                 [](Record& one) {
                     one.operation = "CONNECT";
                     one.resource = "pods";
                     one.group = "";
                     one.sub_resource = "exec";
                 }),
         {whole},
         {"unproven r"}},
        {"of something that happened to Fluxgate",
         changed(record("r", 50),
                 [](Record& one) {
                     one.event = "heartbeat";
                     one.decision = "";
                 }),
         {whole},
         {}},
        {"of a request that the API server asked about before",
         record("r", 50),
         {{look("a", 0), write("1", 49, {"first", "first"}), look("b", 100)}},
         {},
         1},
        {"of the same by another user",
         changed(record("r", 50), [](Record& one) { one.username = "mallory"; }),
         {{look("a", 0), write("1", 49, {"first", "first"}), look("b", 100)}},
         {"unknown r"}},
        {"of another object",
         changed(record("r", 50), [](Record& one) { one.name = "api"; }),
         {{look("a", 0), write("1", 49, {"first", "first"}), look("b", 100)}},
         {"unknown r"}},
        {"of the same long after", record("r", 150), {{look("a", 0), write("1", 49, {"first", "first"}), look("b", 1'000)}}, {"unknown r"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Compared compared = compare({record("first", 49), row.record}, row.files);
        std::vector<std::string> told = compared.told();
        told.erase(std::remove(told.begin(), told.end(), "unknown first"), told.end());
        CHECK(told == row.told);
        CHECK(compared.result.asked_again == row.asked_again);
    }
}

TEST_CASE("of a deletecollection one object's record has an event, and the others are of the same request") {
    const auto deletes = [](const std::string& id, double seconds, const std::string& name) {
        return changed(record(id, seconds), [&](Record& one) {
            one.operation = "DELETE";
            one.name = name;
        });
    };
    const ApiEvent event = changed(write("1", 0, {"b", "b"}), [](ApiEvent& one) {
        one.verb = "deletecollection";
        one.name = "";
    });
    const Compared compared =
        compare({deletes("a", 0, "web"), deletes("b", 0.1, "api"), deletes("c", 0.2, "queue")}, {in_a_long_file({event})});
    CHECK(compared.told().empty());
    CHECK(compared.result.asked_again == 2);
    CHECK(compared.result.records_compared == 3);
}

TEST_CASE("an id that two records have is told, with both") {
    const Compared compared =
        compare({record("r", 0), record("s", 1), record("r", 2)}, {in_a_long_file({write("1", 0, {"r", "r"}), write("2", 1, {"s", "s"})})});
    CHECK(compared.told() == std::vector<std::string>{"duplicate r", "duplicate r"});
    CHECK_FALSE(compared.result.has_findings());
}

TEST_CASE("an interval takes its first moment in and leaves its last out") {
    struct Row {
        const char* name;
        double seconds;
        bool inside;
    };
    const std::vector<Row> rows{
        {"before", 9.999, false}, {"the first moment", 10, true}, {"within", 15, true}, {"the last moment", 20, false}};
    for (const Row& row : rows) {
        INFO(row.name);
        ReconcileOptions options = usual_options();
        options.from = at(10);
        options.to = at(20);
        const std::vector<std::string> bypassed = row.inside ? std::vector<std::string>{"bypassed 1"} : std::vector<std::string>{};
        CHECK(compare({}, {in_a_long_file({write("1", row.seconds, {})})}, options).told() == bypassed);
        const std::vector<std::string> unknown = row.inside ? std::vector<std::string>{"unknown r"} : std::vector<std::string>{};
        CHECK(compare({record("r", row.seconds)}, {in_a_long_file({})}, options).told() == unknown);
        // The event of a record may lie on the other side of the edge.
        CHECK(compare({record("r", row.seconds)}, {in_a_long_file({write("1", 25, {"r", "r"})})}, options).told().empty());
    }
}

TEST_CASE("only some namespaces can be compared, in both logs") {
    ReconcileOptions options = usual_options();
    options.guarded = [](const ApiEvent&) { return Guarded::yes; };
    options.namespaces = [](std::string_view name) { return name == "production"; };
    const auto elsewhere = [](auto one) {
        one.namespace_name = "staging";
        return one;
    };
    CHECK(compare({elsewhere(record("r", 0))}, {in_a_long_file({elsewhere(write("1", 0, {}))})}, options).told().empty());
    CHECK(compare({record("r", 0)}, {in_a_long_file({write("1", 0, {})})}, options).told() ==
          std::vector<std::string>{"bypassed 1", "unknown r"});
}

TEST_CASE("a thousand writes, of which some were not seen, are named exactly") {
    std::vector<Record> records;
    std::vector<ApiEvent> events;
    std::vector<std::string> expected;
    for (int i = 0; i < 1'000; ++i) {
        const std::string id = std::to_string(i);
        Told told{.review_id = "r" + id};
        if (i % 25 == 7) told = {};                        // unregistered
        if (i % 100 == 50) told = {.failed_open = kLock};  // stopped
        if (i % 10 == 3 && !told.review_id.empty()) {
            told.record_id = told.review_id;
            records.push_back(record(told.review_id, i));
        }
        if (told.review_id.empty()) expected.push_back((told.failed_open.empty() ? "bypassed " : "failed-open ") + id);
        events.push_back(write(id, i, told));
    }
    const Compared compared = compare(records, {in_a_long_file(events)});
    CHECK(compared.told() == expected);
    CHECK(compared.result.writes == 1'000);
    CHECK(compared.result.judged == 950);
    CHECK(compared.result.count(FindingKind::bypassed) == 40);
    CHECK(compared.result.count(FindingKind::failed_open) == 10);
    CHECK(compared.result.webhooks == std::map<std::string, std::uint64_t>{{kLock, 950}});
    CHECK(compared.result.has_findings());
}

TEST_CASE("a finding says when, who, what, where it stands") {
    const ApiEvent event = changed(write("1", 0, {}), [](ApiEvent& one) {
        one.impersonated_user = "bob";
        one.sub_resource = "scale";
    });
    const Compared compared = compare({record("r", 50)}, {in_a_long_file({event})});
    REQUIRE(compared.findings.size() == 2);
    CHECK(compared.findings[0] == ReconcileFinding{.kind = FindingKind::bypassed,
                                                   .time = at(0),
                                                   .user = "alice",
                                                   .impersonated_user = "bob",
                                                   .verb = "update",
                                                   .resource = "deployments.apps/scale",
                                                   .namespace_name = "production",
                                                   .name = "web",
                                                   .code = 200,
                                                   .audit_id = "1",
                                                   .where = "api.log:1"});
    CHECK(compared.findings[1] == ReconcileFinding{.kind = FindingKind::unknown,
                                                   .time = at(50),
                                                   .user = "alice",
                                                   .verb = "UPDATE",
                                                   .resource = "deployments.apps",
                                                   .namespace_name = "production",
                                                   .name = "web",
                                                   .record_id = "r",
                                                   .where = "index 0"});
}

TEST_CASE("a record that comes while the API server's files are read is there") {
    const std::vector<Record> before{record("a", 0)};
    std::vector<Record> after = before;
    after.push_back(record("b", 20));  // waited for
    after.push_back(record("c", 30));  // recorded beside the answer
    auto asked = std::make_shared<int>(0);
    const Records growing = [asked, first = rows_of(before), later = rows_of(after)](const UseRecord& use) {
        return (++*asked == 1 ? first : later)(use);
    };
    std::vector<std::string> told;
    ReconcileOptions options = usual_options();
    options.on_finding = [&](const ReconcileFinding& finding) {
        told.push_back(std::string(to_string(finding.kind)) + " " + finding.record_id);
    };
    auto reconciler = Reconciler::start(growing, options);
    REQUIRE(reconciler);
    reconciler->begin_file();
    const std::vector<ApiEvent> events =
        in_a_long_file({write("0", -500, {"lost", "lost"}), write("1", 0, {"a", "a"}), write("2", 20, {"b", "b"}),
                        write("3", 30, {.review_id = "c"}), write("4", 40, {"d", "d"})});
    for (const ApiEvent& event : events) reconciler->add(event);
    const auto result = reconciler->finish();
    REQUIRE(result);
    CHECK(told == std::vector<std::string>{"missing lost", "missing d"});
    CHECK(result->records_compared == 3);
    CHECK(result->asked_again == 0);
}

TEST_CASE("a record that cannot be read stops the comparison, with its place") {
    const Records broken = [](const UseRecord& use) -> Result<void> {
        const auto more = use({.index = 4, .text = "{}"});
        return more ? Result<void>() : tl::unexpected(more.error());
    };
    const auto reconciler = Reconciler::start(broken, usual_options());
    REQUIRE_FALSE(reconciler);
    CHECK(reconciler.error().where == "index 4");
}

TEST_CASE("every kind of finding has a name and a sentence") {
    for (const FindingKind kind : {FindingKind::bypassed, FindingKind::failed_open, FindingKind::contradicted, FindingKind::missing,
                                   FindingKind::unrecorded, FindingKind::unknown, FindingKind::duplicate, FindingKind::unproven}) {
        CHECK_FALSE(to_string(kind).empty());
        CHECK_FALSE(meaning_of(kind).empty());
        Reconciliation result;
        result.findings[kind] = 1;
        CHECK(result.has_findings() == (kind != FindingKind::duplicate && kind != FindingKind::unproven));
    }
}
