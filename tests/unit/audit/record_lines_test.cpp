#include "audit/record.hpp"

#include <functional>
#include <nlohmann/json.hpp>

#include "base/limits.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;
using nlohmann::json;

namespace {

constexpr std::size_t kBytesMax = Limits{}.record_bytes_max;

Record full_record() {
    Record record = record_of("b855796f-90eb-484e-9c71-41c1647c7102");
    record.error = "io";
    record.group = "apps";
    record.version = "v1";
    record.resource = "deployments";
    record.sub_resource = "scale";
    record.kind = "Scale";
    record.namespace_name = "production";
    record.name = "web";
    record.object_uid = "o-1";
    record.dry_run = true;
    record.field_manager = "kubectl";
    record.user_uid = "u-1";
    record.groups = {"devs", "system:authenticated"};
    record.evidence = {{"credential-id", "X509SHA256=ab"}};
    record.assurance = "certificate";
    record.writer = "flux";
    record.owner = "Kustomization flux-system/apps";
    record.violations = {{"production", "only-git", ".", "UPDATE", "a writer", "Deny"}};
    record.violations_omitted = 3;
    record.compliance = {"SOC 2 CC8.1"};
    record.policy_set = "sha256:00";
    record.cluster = "prod";
    record.replica = "fluxgate-0";
    return record;
}

}  // namespace

TEST_CASE("in lines: a record is one line of JSON in the schema that the reference describes") {
    const std::string line = to_json(full_record(), 7);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(
        line ==
        R"({"schema":"fluxgate.dev/record/v1","sequence":7,"id":"b855796f-90eb-484e-9c71-41c1647c7102","time":"2026-12-05T02:10:00.123456Z",)"
        R"("decision":"denied","class":"exceptional","error":"io","request":{"operation":"UPDATE","group":"apps","version":"v1",)"
        R"("resource":"deployments","subResource":"scale","kind":"Scale","namespace":"production","name":"web","objectUid":"o-1","dryRun":true,)"
        R"("fieldManager":"kubectl"},"user":{"username":"alice@example.com","uid":"u-1","groups":["devs","system:authenticated"],)"
        R"("evidence":{"credential-id":"X509SHA256=ab"},"assurance":"certificate","writer":"flux"},"owner":"Kustomization flux-system/apps",)"
        R"("violations":[{"policy":"production","rule":"only-git","path":".","have":"UPDATE","want":"a writer","action":"Deny"}],)"
        R"("violationsOmitted":3,"compliance":["SOC 2 CC8.1"],"policySet":"sha256:00","cluster":"prod","replica":"fluxgate-0"})");
}

TEST_CASE("in lines: what is not known is absent, not empty") {
    Record record;
    record.id = "1";
    record.decision = "denied";
    const json parsed = json::parse(to_json(record, 1));
    for (const char* key :
         {"error", "owner", "violations", "violationsOmitted", "truncated", "compliance", "policySet", "cluster", "replica"}) {
        INFO(key);
        CHECK_FALSE(parsed.contains(key));
    }
    CHECK(parsed["request"].size() == 1);
    CHECK(parsed["user"].size() == 1);
}

TEST_CASE("in lines: whatever the texts hold, a record is one line of valid JSON") {
    struct Row {
        const char* name;
        std::string text;
        std::string read_back;
    };
    const std::vector<Row> rows{
        {"a line feed", "a\nb", "a\nb"},
        {"quotes and backslashes", R"("\)", R"("\)"},
        {"a zero byte", std::string("a\0b", 3), std::string("a\0b", 3)},
        {"several bytes a character", "żółw 🐢", "żółw 🐢"},
        {"a byte that is no UTF-8", "a\xff", "a\xef\xbf\xbd"},
        {"a character cut in half", "a\xc5", "a\xef\xbf\xbd"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Record record = record_of("1");
        record.username = row.text;
        const std::string line = to_json(record, 1);
        CHECK(line.find('\n') == std::string::npos);
        CHECK(json::parse(line)["user"]["username"] == row.read_back);
        CHECK(parse_line(line).has_value());
    }
}

TEST_CASE("in lines: what was written is read back") {
    Record record = full_record();
    record.violations.push_back({"production", "limits", ".spec", "(absent)", "a limit", "Deny"});
    record.violations.push_back({"production", "only-git", ".spec", "1", "2", "Deny"});
    const auto line = parse_line(to_json(record, 42));
    REQUIRE(line.has_value());
    CHECK(*line == RecordLine{42, record.id, "denied", {"only-git", "limits"}});
}

TEST_CASE("in lines: a line that is no record is refused with its reason") {
    struct Row {
        const char* name;
        std::string line;
        Errc code;
    };
    const std::string schema = R"("schema":"fluxgate.dev/record/v1")";
    const std::vector<Row> rows{
        {"nothing", "", Errc::invalid_json},
        {"zeros, as a disk leaves them", std::string(64, '\0'), Errc::invalid_json},
        {"half a record", to_json(full_record(), 1).substr(0, 100), Errc::invalid_json},
        {"two records", to_json(full_record(), 1) + to_json(full_record(), 2), Errc::invalid_json},
        {"an array", "[]", Errc::invalid_json},
        {"another schema", R"({"schema":"fluxgate.dev/record/v2","sequence":1,"id":"a","decision":"denied"})", Errc::unsupported_version},
        {"a schema that is a number", R"({"schema":1,"sequence":1,"id":"a","decision":"denied"})", Errc::unsupported_version},
        {"no sequence", "{" + schema + R"(,"id":"a","decision":"denied"})", Errc::missing_field},
        {"a negative sequence", "{" + schema + R"(,"sequence":-1,"id":"a","decision":"denied"})", Errc::missing_field},
        {"a sequence as text", "{" + schema + R"(,"sequence":"1","id":"a","decision":"denied"})", Errc::missing_field},
        {"no id", "{" + schema + R"(,"sequence":1,"decision":"denied"})", Errc::missing_field},
        {"no decision", "{" + schema + R"(,"sequence":1,"id":"a"})", Errc::missing_field},
        {"violations that are text", "{" + schema + R"(,"sequence":1,"id":"a","decision":"denied","violations":"many"})",
         Errc::missing_field},
        {"a violation without a rule", "{" + schema + R"(,"sequence":1,"id":"a","decision":"denied","violations":[{}]})",
         Errc::missing_field},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto parsed = parse_line(row.line);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == row.code);
    }
}

TEST_CASE("in lines: a record is made to fit its limit by leaving out, never by dropping it") {
    const auto many_violations = [](const std::string& text) {
        return [text](Record& record) {
            for (int i = 0; i < 10'000; ++i)
                record.violations.push_back({"production", "limits", "." + text + std::to_string(i), text, text, "Deny"});
        };
    };
    struct Row {
        const char* name;
        std::function<void(Record&)> inflate;
        bool truncated;
    };
    const std::vector<Row> rows{
        {"an ordinary one", [](Record&) {}, false},
        {"thousands of violations", many_violations("abcdefghij"), false},
        {"thousands of violations that JSON makes longer", many_violations(std::string(20, '\1')), false},
        {"thousands of violations that are no UTF-8", many_violations(std::string(20, '\xff')), false},
        {"one violation that is too long",
         [](Record& record) {
             record.violations.push_back({"p", "r", ".", std::string(100'000, 'x'), "", "Deny"});
         },
         false},
        {"thousands of groups", [](Record& record) { record.groups.assign(10'000, "a-group-of-somebody"); }, true},
        {"endless evidence", [](Record& record) { record.evidence.emplace_back("credential-id", std::string(1'000'000, 'x')); }, true},
        {"an endless user name", [](Record& record) { record.username = std::string(1'000'000, 'x'); }, true},
        {"everything endless and escaped",
         [](Record& record) {
             for (std::string* text :
                  {&record.username, &record.user_uid, &record.name, &record.namespace_name, &record.object_uid, &record.field_manager,
                   &record.owner, &record.kind, &record.group, &record.version, &record.resource, &record.sub_resource}) {
                 *text = std::string(100'000, '\1');
             }
         },
         true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Record record = record_of("b855796f-90eb-484e-9c71-41c1647c7102");
        row.inflate(record);
        const std::size_t violations = record.violations.size();
        fit(record, kBytesMax);
        CHECK(to_json(record, std::numeric_limits<std::uint64_t>::max()).size() <= kBytesMax);
        CHECK(record.violations.size() + record.violations_omitted == violations);
        CHECK(record.truncated == row.truncated);
        CHECK(record.id == "b855796f-90eb-484e-9c71-41c1647c7102");
        CHECK_FALSE(record.username.empty());
    }
}

TEST_CASE("in lines: making it fit uses the room there is") {
    Record record = record_of("1");
    for (int i = 0; i < 10'000; ++i) record.violations.push_back({"production", "limits", ".spec", "(absent)", "a limit", "Deny"});
    fit(record, kBytesMax);
    CHECK(to_json(record, 1).size() > kBytesMax * 9 / 10);
}

TEST_CASE("in lines: an event is a record without a request, and a reader takes it") {
    Record event;
    event.id = "policy-set-refused-17";
    event.event = "policy-set-refused";
    event.details = {"a.yaml:1:2: unknown field"};
    event.policy_set = "sha256:00";
    event.replica = "fluxgate-0";
    CHECK(to_json(event, 7) ==
          R"({"schema":"fluxgate.dev/record/v1","sequence":7,"id":"policy-set-refused-17","time":"1970-01-01T00:00:00.000000Z",)"
          R"("event":"policy-set-refused","details":["a.yaml:1:2: unknown field"],"policySet":"sha256:00","replica":"fluxgate-0"})");
    const auto line = parse_line(to_json(event, 7));
    REQUIRE(line.has_value());
    CHECK(line->sequence == 7);
    CHECK(line->decision.empty());

    event.details.assign(10'000, std::string(500, 'x'));
    fit(event, 48u << 10);
    CHECK(event.truncated);
    CHECK(to_json(event, 7).size() <= 48u << 10);
}

TEST_CASE("in lines: the exceptions that a write passed by are in its record") {
    Record record;
    record.id = "1";
    record.decision = "allowed";
    record.exceptions = {"legacy-report"};
    CHECK(to_json(record, 1).find(R"("exceptions":["legacy-report"])") != std::string::npos);
}
