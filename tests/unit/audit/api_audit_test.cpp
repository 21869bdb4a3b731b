#include "audit/api_audit.hpp"

#include <sstream>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;

namespace {

// As kube-apiserver writes it, with level RequestResponse.
constexpr const char* kEvent =
    R"({"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1","stage":"ResponseComplete",)"
    R"("requestURI":"/apis/apps/v1/namespaces/production/deployments/web/scale?fieldManager=kubectl","verb":"patch",)"
    R"("user":{"username":"alice@example.com","groups":["devs"]},"impersonatedUser":{"username":"bob@example.com"},)"
    R"("sourceIPs":["192.0.2.7","192.0.2.1"],"userAgent":"kubectl/v1.36.3",)"
    R"("objectRef":{"resource":"deployments","namespace":"production","name":"web","apiGroup":"apps","apiVersion":"v1","subresource":"scale"},)"
    R"("responseStatus":{"metadata":{},"status":"Failure","message":"no","reason":"Forbidden","code":403},)"
    R"("requestObject":{"stage":"Panic","auditID":"forged","spec":{"replicas":9}},"responseObject":{"verb":"get"},)"
    R"("requestReceivedTimestamp":"2026-11-21T09:27:38.774793Z","stageTimestamp":"2026-11-21T09:27:38.780001Z",)"
    R"("annotations":{"authorization.k8s.io/decision":"allow","lock.fluxgate.dev/review-id":"r-1"}})";

std::string minimal(const std::string& id, const std::string& more = "") {
    return R"({"auditID":")" + id + R"(","stage":"ResponseComplete","verb":"create","requestReceivedTimestamp":"2026-11-21T09:27:38Z")" +
           more + "}";
}

struct ReadFile {
    std::vector<std::string> ids{};
    std::vector<std::string> places{};
    Result<ApiAuditFile> file{};
};

ReadFile read(const std::string& text) {
    ReadFile read;
    std::istringstream in(text);
    read.file = read_api_audit(in, "api.log", [&](const ApiEvent& event) -> Result<void> {
        read.ids.push_back(event.audit_id);
        read.places.push_back(event.where);
        return {};
    });
    return read;
}

std::string in_quotes(std::string text) {
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

}  // namespace

TEST_CASE("an event of kube-apiserver is read, whatever the objects in it say") {
    const auto event = parse_api_event(kEvent);
    REQUIRE(event);
    CHECK(event->audit_id == "a-1");
    CHECK(event->stage == "ResponseComplete");
    CHECK(event->verb == "patch");
    CHECK(event->user == "alice@example.com");
    CHECK(event->effective_user() == "bob@example.com");
    CHECK(event->user_agent == "kubectl/v1.36.3");
    CHECK(event->source_ips == std::vector<std::string>{"192.0.2.7", "192.0.2.1"});
    CHECK(event->group == "apps");
    CHECK(event->version == "v1");
    CHECK(event->resource == "deployments");
    CHECK(event->sub_resource == "scale");
    CHECK(event->namespace_name == "production");
    CHECK(event->name == "web");
    CHECK(event->code == 403);
    CHECK(event->message == "no");
    CHECK_FALSE(event->dry_run);
    CHECK(format_rfc3339(event->time) == "2026-11-21T09:27:38.774793Z");
    REQUIRE(event->stage_time);
    CHECK(format_rfc3339(*event->stage_time) == "2026-11-21T09:27:38.780001Z");
    CHECK(event->annotations == std::vector<std::pair<std::string, std::string>>{{"authorization.k8s.io/decision", "allow"},
                                                                                 {"lock.fluxgate.dev/review-id", "r-1"}});
}

TEST_CASE("the same event says the same in every form in which Azure hands it out") {
    const std::string row =
        R"({"TimeGenerated":"2026-11-21T09:27:40Z","Level":"Metadata","AuditId":"a-1","Stage":"ResponseComplete","Verb":"create",)"
        R"("RequestUri":"/api/v1/namespaces/production/pods?dryRun=All","User":USER,"ObjectRef":OBJECT,"ResponseStatus":STATUS,)"
        R"("SourceIps":"[\"192.0.2.7\"]","RequestReceivedTime":"2026-11-21T09:27:38.774793Z","Annotations":ANNOTATIONS,"Type":"AKSAuditAdmin"})";
    const auto with = [&](const std::string& user, const std::string& object, const std::string& status, const std::string& annotations) {
        std::string text = row;
        for (const auto& [name, value] : {std::pair("USER", user), {"OBJECT", object}, {"STATUS", status}, {"ANNOTATIONS", annotations}})
            text.replace(text.find(name, text.find("\":" + std::string(name))), std::string(name).size(), value);
        return text;
    };
    const std::string event =
        R"({"auditID":"a-1","stage":"ResponseComplete","verb":"create","requestURI":"/x?dryRun=All","user":{"username":"alice"},)"
        R"("objectRef":{"resource":"pods","namespace":"production"},"responseStatus":{"code":201},"sourceIPs":["192.0.2.7"],)"
        R"("requestReceivedTimestamp":"2026-11-21T09:27:38.774793Z","annotations":{"f/review-id":"r-1"}})";
    std::string escaped;
    for (const char c : event) escaped += c == '"' ? "\\\"" : std::string(1, c);
    struct Row {
        const char* name;
        std::string text;
    };
    const std::vector<Row> rows{
        {"columns of JSON",
         with(R"({"username":"alice"})", R"({"resource":"pods","namespace":"production"})", R"({"code":201})", R"({"f/review-id":"r-1"})")},
        {"columns of text", with(R"("{\"username\":\"alice\"}")", R"("{\"resource\":\"pods\",\"namespace\":\"production\"}")",
                                 R"("{\"code\":201}")", R"("{\"f/review-id\":\"r-1\"}")")},
        {"AzureDiagnostics, as archived",
         R"({"category":"kube-audit","properties":{"log":")" + escaped + R"(","pod":"kube-apiserver-0"}})"},
        {"AzureDiagnostics, as queried", R"({"Category":"kube-audit-admin","log_s":")" + escaped + R"("})"},
    };
    for (const Row& one : rows) {
        INFO(one.name);
        const auto read = parse_api_event(one.text);
        REQUIRE(read);
        CHECK(read->audit_id == "a-1");
        CHECK(read->user == "alice");
        CHECK(read->resource == "pods");
        CHECK(read->namespace_name == "production");
        CHECK(read->code == 201);
        CHECK(read->dry_run);
        CHECK(read->source_ips == std::vector<std::string>{"192.0.2.7"});
        CHECK(read->annotations == std::vector<std::pair<std::string, std::string>>{{"f/review-id", "r-1"}});
        CHECK(format_rfc3339(read->time) == "2026-11-21T09:27:38.774793Z");
    }
}

TEST_CASE("a dry run is one that the API server takes for one") {
    struct Row {
        const char* name;
        std::string verb, more;
        bool dry_run;
    };
    const std::vector<Row> rows{
        {"in the address", "create", R"(,"requestURI":"/x?fieldManager=k&dryRun=All")", true},
        {"in the body of a delete", "delete", R"(,"requestObject":{"dryRun":["All"],"x":1})", true},
        {"in the body of a delete, as a column of text", "deletecollection", R"(,"RequestObject":"{\"dryRun\":[\"All\"]}")", true},
        {"a body that cannot be a dry run", "update", R"(,"requestObject":{"dryRun":["All"]})", false},
        {"part of another value", "create", R"(,"requestURI":"/x?fieldManager=dryRun=All")", false},
        {"in the path", "create", R"(,"requestURI":"/x/dryRun=All")", false},
        {"none", "create", R"(,"requestURI":"/x?dryRun=")", false},
        {"a body too large for its column", "delete", R"(,"requestObject":"skipped-too-big-size-object")", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::string text = minimal("a", row.more);
        text.replace(text.find("create"), 6, row.verb);
        const auto event = parse_api_event(text);
        REQUIRE(event);
        CHECK(event->dry_run == row.dry_run);
    }
}

TEST_CASE("what is no event says why") {
    struct Row {
        const char* name;
        std::string text;
        Errc code;
    };
    const std::vector<Row> rows{
        {"no JSON", "{", Errc::invalid_json},
        {"no object", "[1]", Errc::wrong_type},
        {"another object", R"({"kind":"Pod"})", Errc::missing_field},
        {"no stage", R"({"auditID":"a","verb":"get","requestReceivedTimestamp":"2026-11-21T09:27:38Z"})", Errc::missing_field},
        {"no time", R"({"auditID":"a","stage":"Panic","verb":"get"})", Errc::missing_field},
        {"a time that is none", R"({"auditID":"a","stage":"Panic","verb":"get","requestReceivedTimestamp":"noon"})",
         Errc::invalid_argument},
        {"a diagnostic row with other text", R"({"properties":{"log":"I1121 started"}})", Errc::invalid_json},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto event = parse_api_event(row.text);
        REQUIRE_FALSE(event);
        CHECK(event.error().code == row.code);
    }
}

TEST_CASE("files of every form are read to their end") {
    const std::string long_name(3u << 20, 'x');
    const std::string a = minimal("a"), b = minimal("b");
    const std::string csv_header = "TimeGenerated [UTC],AuditId,Stage,Verb,ObjectRef\n";
    const std::string csv_row = R"("11/21/2026, 9:27:38.774 AM",a,ResponseComplete,create,)" + in_quotes(R"({"name":"two
lines, and a comma"})") + "\r\n";
    struct Row {
        const char* name;
        std::string text;
        std::vector<std::string> ids;
        std::uint64_t unreadable;
        bool cut;
    };
    const std::vector<Row> rows{
        {"nothing", "", {}, 0, false},
        {"empty lines", "\n\n", {}, 0, false},
        {"lines", a + "\n" + b + "\n", {"a", "b"}, 0, false},
        {"lines of Windows, and an empty one", a + "\r\n\r\n" + b + "\r\n", {"a", "b"}, 0, false},
        {"a last line without its end, whole", a + "\n" + b, {"a", "b"}, 0, false},
        {"a last line that is cut", a + "\n" + b.substr(0, 20), {"a"}, 0, true},
        {"a damaged line in the middle", a + "\n" + b.substr(0, 20) + "\n" + b + "\n", {"a", "b"}, 1, false},
        {"a damaged last line", a + "\n{\n", {"a"}, 1, false},
        {"lines that are something else", a + "\n{\"kind\":\"Pod\"}\n", {"a"}, 1, false},
        {"a line of three megabytes", minimal("a", ",\"userAgent\":\"" + long_name + "\"") + "\n" + b + "\n", {"a", "b"}, 0, false},
        {"an array", "[" + a + "," + b + "]", {"a", "b"}, 0, false},
        {"an array over several lines, braces and quotes in texts",
         "\xef\xbb\xbf [\n " + minimal("a", R"(,"userAgent":"}{][\"\\")") + ",\n " + b + "\n]\n",
         {"a", "b"},
         0,
         false},
        {"an empty array", "[]", {}, 0, false},
        {"an array that is cut between rows", "[" + a + ",", {"a"}, 0, true},
        {"an array that is cut in a row", "[" + a + "," + b.substr(0, 20), {"a"}, 0, true},
        {"an array with another object", "[" + a + ",{\"x\":1}]", {"a"}, 1, false},
        {"CSV", csv_header + csv_row + csv_row, {"a", "a"}, 0, false},
        {"CSV without a row", csv_header, {}, 0, false},
        {"CSV that is cut in quotes", csv_header + csv_row + csv_row.substr(0, csv_row.size() - 20), {"a"}, 0, true},
        {"CSV with a short row", csv_header + "x,y\n" + csv_row, {"a"}, 1, false},
        {"CSV of AzureDiagnostics", "Category,log_s\nkube-audit," + in_quotes(a) + "\n", {"a"}, 0, false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const ReadFile done = read(row.text);
        REQUIRE(done.file);
        CHECK(done.ids == row.ids);
        CHECK(done.file->events == row.ids.size());
        CHECK(done.file->unreadable == row.unreadable);
        CHECK(done.file->first_unreadable.has_value() == (row.unreadable > 0));
        CHECK(done.file->cut_at_the_end == row.cut);
    }
}

TEST_CASE("events and what is unreadable have a place") {
    const std::string a = minimal("a");
    CHECK(read(a + "\n\n" + a + "\n").places == std::vector<std::string>{"api.log:1", "api.log:3"});
    CHECK(read("[" + a + "," + a + "]").places == std::vector<std::string>{"api.log:1", "api.log:2"});
    const ReadFile damaged = read(a + "\nnot JSON\n" + a + "\n");
    REQUIRE(damaged.file);
    REQUIRE(damaged.file->first_unreadable);
    CHECK(damaged.file->first_unreadable->where == "api.log:2");
    CHECK(damaged.file->first_unreadable->code == Errc::invalid_json);
}

TEST_CASE("what is no audit file of any form is refused") {
    struct Row {
        const char* name;
        std::string text;
        Errc code;
    };
    const std::vector<Row> rows{
        {"an array of something else", "[1,2]", Errc::invalid_json},
        {"some text", "I1121 09:27:38 kube-apiserver started\n", Errc::invalid_argument},
        {"a table of something else", "TimeGenerated,Name\n2026,x\n", Errc::invalid_argument},
        {"compressed", std::string("\x1f\x8b\x08\x00\x01", 5), Errc::invalid_argument},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const ReadFile done = read(row.text);
        REQUIRE_FALSE(done.file);
        CHECK(done.file.error().code == row.code);
        CHECK(done.file.error().where.starts_with("api.log"));
    }
}

TEST_CASE("who reads may stop, and its error comes back") {
    std::istringstream in(minimal("a") + "\n" + minimal("b") + "\n");
    int seen = 0;
    const auto done = read_api_audit(in, "api.log", [&](const ApiEvent&) -> Result<void> {
        ++seen;
        return fail(Errc::internal, "enough");
    });
    REQUIRE_FALSE(done);
    CHECK(done.error().message == "enough");
    CHECK(seen == 1);
}

TEST_CASE("times are read as API servers, Log Analytics and the portal write them") {
    struct Row {
        std::string text, time;  // empty: none
    };
    const std::vector<Row> rows{
        {"2026-11-21T09:27:38.774793Z", "2026-11-21T09:27:38.774793Z"},
        {"2026-11-21T09:27:38.7747930Z", "2026-11-21T09:27:38.774793Z"},
        {"2026-11-21T10:27:38+01:00", "2026-11-21T09:27:38.000000Z"},
        {"11/21/2026, 9:27:38.774 AM", "2026-11-21T09:27:38.774000Z"},
        {"1/2/2026, 12:00:00.000 AM", "2026-01-02T00:00:00.000000Z"},
        {"1/2/2026, 12:30:00.500 PM", "2026-01-02T12:30:00.500000Z"},
        {"12/31/2026, 11:59:59.999 PM", "2026-12-31T23:59:59.999000Z"},
        {"13/1/2026, 9:00:00.000 AM", ""},
        {"1/2/2026, 13:00:00.000 PM", ""},
        {"1/2/2026, 9:00:00.000 AM and more", ""},
        {"yesterday", ""},
        {"", ""},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const auto time = parse_export_time(row.text);
        CHECK((time ? format_rfc3339(*time) : "") == row.time);
    }
}
