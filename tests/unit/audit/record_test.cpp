#include "audit/record.hpp"

#include <cstdio>
#include <functional>
#include <limits>
#include <random>

#include "audit/canonical_json.hpp"
#include "base/digest.hpp"
#include "base/limits.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace fluxgate::audit::testing;

namespace {

constexpr std::size_t kBytesMax = Limits{}.record_bytes_max;

// Every field of a review has a value.
Record full_record() {
    Record record = record_of("b855796f-90eb-484e-9c71-41c1647c7102");
    record.sequence = 7;
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
    record.command = "sh -c";
    record.user_uid = "u-1";
    record.groups = {"devs", "system:authenticated"};
    record.evidence = {{"credential-id", "X509SHA256=ab"}};
    record.assurance = "certificate";
    record.writer = "flux";
    record.extra = {{"oid", "e-1"}};
    record.owner = "Kustomization flux-system/apps";
    record.owner_source = "https://git.example.com/shop, ./apps at main@sha1:4f0c";
    record.drift_case = "c-1";
    record.changes = {{".spec.replicas", "9", "3"}};
    record.changes_omitted = 2;
    record.violations = {{"production", "only-git", ".", "UPDATE", "a writer", "Deny"}};
    record.violations_omitted = 3;
    record.compliance = {"SOC 2 CC8.1"};
    record.exceptions = {"legacy-report"};
    record.grants = {{"inc-4711", "sha256:01", "INC-4711", "bob", "git"}};
    record.allowance = "restart";
    record.learned = true;
    record.policy_set = "sha256:00";
    record.cluster = "prod we";
    record.replica = "fluxgate-0";
    return record;
}

Record full_event() {
    Record event;
    event.sequence = 8;
    event.id = "heartbeat-1796436600123456";
    event.time = WallTime{std::chrono::microseconds{1'796'436'600'123'456}};
    event.event = "heartbeat";
    event.details = {"a detail"};
    event.facts = {{"since", "2026-12-05T02:09:00.000000Z"}};
    event.counters = {{"denied", 17}, {"seen", 0}};
    event.policy_set = "sha256:00";
    event.cluster = "prod";
    event.replica = "fluxgate-0";
    return event;
}

std::string text_of(const Record& record) { return encode(record, kBytesMax).text(record.sequence); }

// Texts as strangers choose them: quotes, control characters, characters of all lengths.
std::string random_text(std::mt19937_64& random) {
    static const std::vector<std::string> kPieces{"a",
                                                  "Z",
                                                  "0",
                                                  " ",
                                                  "\"",
                                                  "\\",
                                                  "/",
                                                  "\n",
                                                  "\t",
                                                  "\x01",
                                                  "\x1f",
                                                  "\x7f",
                                                  "ż",
                                                  "€",
                                                  "\u2028",
                                                  "🐢",
                                                  "\ue000",
                                                  "\U0010ffff",
                                                  std::string(1, '\0'),
                                                  "fluxgate.dev/x"};
    std::string text;
    for (std::uint64_t left = random() % 6; left > 0; --left) text += kPieces[random() % kPieces.size()];
    return text;
}

template <class T>
void sort_names(std::vector<std::pair<std::string, T>>& members) {
    std::sort(members.begin(), members.end(), [](const auto& left, const auto& right) { return Utf16Less{}(left.first, right.first); });
    const auto same_name = [](const auto& left, const auto& right) { return left.first == right.first; };
    members.erase(std::unique(members.begin(), members.end(), same_name), members.end());
}

Record random_record(std::mt19937_64& random) {
    const auto text = [&] { return random_text(random); };
    const auto chance = [&] { return random() % 2 == 0; };
    const auto names = [&](auto& members, auto&& value) {
        while (chance()) members.emplace_back(random_text(random), value());
        sort_names(members);
    };
    const auto number = [&] { return random() % 1'000; };
    Record record;
    for (std::string* field :
         {&record.write_class,  &record.error,      &record.operation,      &record.group,      &record.version,    &record.resource,
          &record.sub_resource, &record.kind,       &record.namespace_name, &record.name,       &record.object_uid, &record.field_manager,
          &record.command,      &record.username,   &record.user_uid,       &record.assurance,  &record.writer,     &record.owner,
          &record.owner_source, &record.drift_case, &record.allowance,      &record.policy_set, &record.cluster,    &record.replica}) {
        if (chance()) *field = text();
    }
    (chance() ? record.decision : record.event) = text() + "x";
    record.id = text() + "x";
    record.time = WallTime{std::chrono::microseconds{random() % 4'000'000'000'000'000}};
    record.sequence = random() % 1'000'000;
    record.dry_run = chance();
    record.learned = chance();
    record.changes_omitted = number();
    record.violations_omitted = number();
    for (auto* list : {&record.groups, &record.details, &record.compliance, &record.exceptions}) {
        while (chance()) list->push_back(text());
    }
    names(record.evidence, text);
    names(record.extra, text);
    names(record.facts, text);
    names(record.counters, number);
    while (chance()) record.changes.push_back({text(), text(), text()});
    while (chance()) record.violations.push_back({text(), text(), text(), text(), text(), text()});
    while (chance()) record.grants.push_back({text(), text(), text(), text(), text()});
    return record;
}

struct Program {
    explicit Program(const std::string& command) : pipe(::popen(command.c_str(), "w")) {}
    int end() { return ::pclose(std::exchange(pipe, nullptr)); }
    std::FILE* pipe;
};

}  // namespace

TEST_CASE("a record is the canonical JSON of a CloudEvent, as the reference describes it") {
    CHECK(text_of(full_record()) ==
          R"({"data":{"allowance":"restart","changes":[{"have":"9","path":".spec.replicas","want":"3"}],"changesOmitted":2,)"
          R"("class":"exceptional","cluster":"prod we","compliance":["SOC 2 CC8.1"],"decision":"denied","driftCase":"c-1","error":"io",)"
          R"("exceptions":["legacy-report"],"grants":[{"approvedBy":"bob","digest":"sha256:01","name":"inc-4711","ticket":"INC-4711",)"
          R"("vouchedBy":"git"}],"learned":true,"owner":"Kustomization flux-system/apps",)"
          R"("ownerSource":"https://git.example.com/shop, ./apps at main@sha1:4f0c","policySet":"sha256:00","replica":"fluxgate-0",)"
          R"("request":{"command":"sh -c","dryRun":true,"fieldManager":"kubectl","group":"apps","kind":"Scale","name":"web",)"
          R"("namespace":"production","objectUid":"o-1","operation":"UPDATE","resource":"deployments","subResource":"scale",)"
          R"("version":"v1"},"schema":"fluxgate.dev/record/v2","sequence":7,"user":{"assurance":"certificate",)"
          R"("evidence":{"credential-id":"X509SHA256=ab"},"extra":{"oid":"e-1"},"groups":["devs","system:authenticated"],"uid":"u-1",)"
          R"("username":"alice@example.com","writer":"flux"},"violations":[{"action":"Deny","have":"UPDATE","path":".",)"
          R"("policy":"production","rule":"only-git","want":"a writer"}],"violationsOmitted":3},"datacontenttype":"application/json",)"
          R"("id":"b855796f-90eb-484e-9c71-41c1647c7102","source":"fluxgate/prod%20we/fluxgate-0","specversion":"1.0",)"
          R"("subject":"production/deployments.apps/web","time":"2026-12-05T02:10:00.123456Z","type":"dev.fluxgate.review.denied"})");
    CHECK(text_of(full_event()) ==
          R"({"data":{"cluster":"prod","counters":{"denied":17,"seen":0},"details":["a detail"],"event":"heartbeat",)"
          R"("facts":{"since":"2026-12-05T02:09:00.000000Z"},"policySet":"sha256:00","replica":"fluxgate-0",)"
          R"("schema":"fluxgate.dev/record/v2","sequence":8},"datacontenttype":"application/json","id":"heartbeat-1796436600123456",)"
          R"("source":"fluxgate/prod/fluxgate-0","specversion":"1.0","subject":"heartbeat","time":"2026-12-05T02:10:00.123456Z",)"
          R"("type":"dev.fluxgate.event.heartbeat"})");
}

TEST_CASE("what is not known is absent, not empty") {
    Record record;
    record.id = "1";
    record.decision = "denied";
    CHECK(text_of(record) ==
          R"({"data":{"decision":"denied","schema":"fluxgate.dev/record/v2","sequence":0},"datacontenttype":"application/json",)"
          R"("id":"1","source":"fluxgate","specversion":"1.0","time":"1970-01-01T00:00:00.000000Z","type":"dev.fluxgate.review.denied"})");
}

TEST_CASE("the subject is the object, with its namespace if it is in one") {
    struct Row {
        const char* name;
        std::string space, resource, group, object, subject;
    };
    const std::vector<Row> rows{
        {"an object of the core group", "production", "pods", "", "web-0", "production/pods/web-0"},
        {"an object of another group", "production", "deployments", "apps", "web", "production/deployments.apps/web"},
        {"one without a namespace", "", "nodes", "", "n1", "nodes/n1"},
        {"a namespace, which is said to be in itself", "production", "namespaces", "", "production", "namespaces/production"},
        {"all of a kind", "production", "pods", "", "", "production/pods"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Record record = record_of("1");
        record.namespace_name = row.space;
        record.resource = row.resource;
        record.group = row.group;
        record.name = row.object;
        CHECK(text_of(record).find("\"subject\":\"" + row.subject + "\"") != std::string::npos);
    }
}

TEST_CASE("what was encoded is parsed, whatever its texts hold, and another program finds it canonical") {
    const std::uint64_t seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    Program python("python3 " FLUXGATE_SOURCE_DIR "/tests/unit/audit/canonical_json_check.py >/dev/null");
    REQUIRE(python.pipe);
    for (int i = 0; i < 2'000; ++i) {
        const Record record = i == 0 ? full_record() : i == 1 ? full_event() : random_record(random);
        const std::string text = text_of(record);
        const auto parsed = parse_record(text);
        INFO(text);
        REQUIRE(parsed.has_value());
        REQUIRE(*parsed == record);
        REQUIRE(text.find('\n') == std::string::npos);
        std::fwrite((text + "\n").data(), 1, text.size() + 1, python.pipe);
    }
    CHECK(python.end() == 0);
}

TEST_CASE("bytes that are no UTF-8 are replaced, so that a record can always be read") {
    struct Row {
        const char* name;
        std::string text;
        std::string read_back;
    };
    const std::vector<Row> rows{
        {"a byte that begins nothing", "a\xff", "a\xef\xbf\xbd"},
        {"a character cut in half", "a\xc5", "a\xef\xbf\xbd"},
        {"half a surrogate pair", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"an overlong slash", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Record record = record_of("1");
        record.username = row.text;
        record.extra = {{row.text, row.text}};
        const auto parsed = parse_record(text_of(record));
        REQUIRE(parsed.has_value());
        CHECK(parsed->username == row.read_back);
        CHECK(parsed->extra == std::vector<std::pair<std::string, std::string>>{{row.read_back, row.read_back}});
    }
}

TEST_CASE("members are in the order of RFC 8785, each name once") {
    Record record = record_of("1");
    record.extra = {
        {"\U0001f422", "a turtle, which UTF-16 sorts before"}, {"\ufb33", "this letter"}, {"b", "2"}, {"b", "a second one"}, {"a", "1"}};
    const auto parsed = parse_record(text_of(record));
    REQUIRE(parsed.has_value());
    CHECK(parsed->extra == std::vector<std::pair<std::string, std::string>>{
                               {"a", "1"}, {"b", "2"}, {"\U0001f422", "a turtle, which UTF-16 sorts before"}, {"\ufb33", "this letter"}});
}

TEST_CASE("a counter is an integer that every reader of JSON holds exactly") {
    Record event = full_event();
    event.counters = {{"all", std::numeric_limits<std::uint64_t>::max()}};
    const auto parsed = parse_record(text_of(event));
    REQUIRE(parsed.has_value());
    CHECK(parsed->counters.front().second == kJsonIntegerMax);
}

TEST_CASE("a text that is no record is refused with its reason") {
    struct Row {
        const char* name;
        std::function<void(std::string&)> edit;
        Errc code;
        const char* where;
    };
    const auto replace = [](std::string from, std::string to) {
        return [from = std::move(from), to = std::move(to)](std::string& text) {
            const std::size_t at = text.find(from);
            REQUIRE(at != std::string::npos);
            text.replace(at, from.size(), to);
        };
    };
    const std::vector<Row> rows{
        {"nothing", [](std::string& text) { text.clear(); }, Errc::invalid_json, ""},
        {"zeros, as a disk leaves them", [](std::string& text) { text.assign(64, '\0'); }, Errc::invalid_json, ""},
        {"half a record", [](std::string& text) { text.resize(100); }, Errc::invalid_json, ""},
        {"two records", [](std::string& text) { text += text; }, Errc::invalid_json, ""},
        {"a space", replace(":7,", ": 7,"), Errc::invalid_json, ""},
        {"a line feed behind it", [](std::string& text) { text += '\n'; }, Errc::invalid_json, ""},
        {"members in another order", replace(R"("dryRun":true,"fieldManager":"kubectl")", R"("fieldManager":"kubectl","dryRun":true)"),
         Errc::invalid_json, ""},
        {"a name twice", replace(R"("name":"web")", R"("name":"web","name":"web")"), Errc::invalid_json, ""},
        {"an escape that is none of the short ones", replace("web", R"(we\u0062)"), Errc::invalid_json, ""},
        {"bytes that are no UTF-8", replace("web", "we\xff"), Errc::invalid_json, ""},
        {"very deep", [](std::string& text) { text = std::string(60'000, '[') + std::string(60'000, ']'); }, Errc::too_deep, ""},
        {"an array", [](std::string& text) { text = "[]"; }, Errc::missing_field, "data"},
        {"no data", [](std::string& text) { text = "{}"; }, Errc::missing_field, "data"},
        {"data that are a text", [](std::string& text) { text = R"({"data":"x"})"; }, Errc::unsupported_version, "schema"},
        {"another schema", replace("record/v2", "record/v3"), Errc::unsupported_version, "schema"},
        {"a schema that is a number", replace(R"("fluxgate.dev/record/v2")", "2"), Errc::unsupported_version, "schema"},
        {"no sequence", replace(R"("sequence":7,)", ""), Errc::missing_field, "sequence"},
        {"a negative sequence", replace(":7,", ":-7,"), Errc::wrong_type, "sequence"},
        {"a sequence as text", replace(":7,", R"(:"7",)"), Errc::wrong_type, "sequence"},
        {"a sequence that is no integer", replace(":7,", ":7.5,"), Errc::wrong_type, "sequence"},
        {"no id", replace(R"("id":"b855796f-90eb-484e-9c71-41c1647c7102",)", ""), Errc::missing_field, "id"},
        {"no time", replace(R"("time":"2026-12-05T02:10:00.123456Z",)", ""), Errc::missing_field, "time"},
        {"a time that is none", replace("2026-12-05T", "2026-15-05T"), Errc::wrong_type, "time"},
        {"no decision", replace(R"("decision":"denied",)", ""), Errc::missing_field, "decision"},
        {"a decision and an event", replace(R"("error":"io")", R"("error":"io","event":"started")"), Errc::missing_field, "decision"},
        {"violations that are a text", replace(R"("violationsOmitted":3)", R"("violationsOmitted":"3")"), Errc::wrong_type,
         "violationsOmitted"},
        {"a violation that is a text", replace(R"("violations":[{)", R"("violations":["",{)"), Errc::wrong_type, "violations"},
        {"groups that are a text", replace(R"(["devs","system:authenticated"])", R"("devs")"), Errc::wrong_type, "groups"},
        {"a group that is a number", replace(R"("devs",)", "1,"), Errc::wrong_type, "groups"},
        {"evidence that is a list", replace(R"({"credential-id":"X509SHA256=ab"})", "[]"), Errc::wrong_type, "evidence"},
        {"a dry run that is a number", replace(R"("dryRun":true)", R"("dryRun":1)"), Errc::wrong_type, "dryRun"},
        {"a request that is a list", replace(R"("request":{)", R"("reques":[],"request":[],"requestt":{)"), Errc::wrong_type, "request"},
        {"another object in the envelope", replace("production/deployments.apps/web", "production/deployments.apps/shop"),
         Errc::contradictory, "subject"},
        {"another verdict in the envelope", replace("review.denied", "review.allowed"), Errc::contradictory, "type"},
        {"another replica in the envelope", replace("we/fluxgate-0", "we/fluxgate-1"), Errc::contradictory, "source"},
        {"another version of CloudEvents", replace(R"("specversion":"1.0")", R"("specversion":"2.0")"), Errc::contradictory, "specversion"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::string text = text_of(full_record());
        row.edit(text);
        const auto parsed = parse_record(text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == row.code);
        CHECK(parsed.error().where == row.where);
    }
}

TEST_CASE("a field that a later version added is passed over") {
    std::string text = text_of(full_record());
    text.replace(text.find(R"("owner":)"), 0, R"("limit":{"a":[1,2]},)");
    const auto parsed = parse_record(text);
    REQUIRE(parsed.has_value());
    CHECK(*parsed == full_record());
}

TEST_CASE("a record that is too long is cut to fit, and the whole of it is a blob that it names") {
    const auto many_violations = [](const std::string& text) {
        return [text](Record& record) {
            for (int i = 0; i < 10'000; ++i)
                record.violations.push_back({"production", "limits", "." + text + std::to_string(i), text, text, "Deny"});
        };
    };
    struct Row {
        const char* name;
        std::function<void(Record&)> inflate;
        bool cut;
    };
    const std::vector<Row> rows{
        {"an ordinary one", [](Record&) {}, false},
        {"thousands of violations", many_violations("abcdefghij"), true},
        {"thousands of violations that JSON makes longer", many_violations(std::string(20, '\1')), true},
        {"thousands of violations that are no UTF-8", many_violations(std::string(20, '\xff')), true},
        {"one violation that is too long",
         [](Record& record) {
             record.violations.push_back({"p", "r", ".", std::string(100'000, 'x'), "", "Deny"});
         },
         true},
        {"thousands of changes",
         [](Record& record) {
             record.changes.assign(10'000, {".spec.replicas", "9", "3"});
         },
         true},
        {"thousands of groups", [](Record& record) { record.groups.assign(10'000, "a-group-of-somebody"); }, true},
        {"endless evidence", [](Record& record) { record.evidence.emplace_back("credential-id", std::string(1'000'000, 'x')); }, true},
        {"an endless name of an extra", [](Record& record) { record.extra.emplace_back(std::string(1'000'000, 'x'), ""); }, true},
        {"an endless user name", [](Record& record) { record.username = std::string(1'000'000, 'x'); }, true},
        {"an endless id", [](Record& record) { record.id = std::string(1'000'000, 'x'); }, true},
        {"everything endless and escaped",
         [](Record& record) {
             const std::string endless(10'000, '\1');
             for (std::string* text :
                  {&record.username,      &record.user_uid,  &record.name,         &record.namespace_name, &record.object_uid,
                   &record.field_manager, &record.owner,     &record.owner_source, &record.kind,           &record.group,
                   &record.version,       &record.resource,  &record.sub_resource, &record.command,        &record.error,
                   &record.drift_case,    &record.allowance, &record.cluster,      &record.replica,        &record.policy_set,
                   &record.writer,        &record.assurance, &record.decision,     &record.operation}) {
                 *text = endless;
             }
             record.grants.assign(40, {endless, endless, endless, endless, endless});
             for (auto* list : {&record.groups, &record.details, &record.compliance, &record.exceptions}) list->assign(100, endless);
             for (auto* members : {&record.evidence, &record.extra, &record.facts}) {
                 for (char c = 'a'; c <= 'z'; ++c) members->emplace_back(std::string(1, c) + endless, endless);
             }
             record.violations.assign(2, {endless, endless, endless, endless, endless, endless});
             record.changes.assign(2, {endless, endless, endless});
         },
         true},
    };
    for (const Row& row : rows) {
        for (const std::size_t bytes_max : {kBytesMax, std::size_t{16} << 10}) {
            INFO(row.name << ", at most " << bytes_max << " bytes");
            Record record = record_of("b855796f-90eb-484e-9c71-41c1647c7102");
            row.inflate(record);
            const EncodedRecord encoded = encode(record, bytes_max);
            const std::string text = encoded.text(std::numeric_limits<std::uint64_t>::max());
            CHECK(text.size() <= bytes_max);
            const auto parsed = parse_record(encoded.text(5));
            REQUIRE(parsed.has_value());
            CHECK(parsed->sequence == 5);
            CHECK(parsed->truncated == row.cut);
            CHECK(parsed->violations.size() + parsed->violations_omitted == record.violations.size());
            CHECK(parsed->changes.size() + parsed->changes_omitted == record.changes.size());
            CHECK_FALSE(parsed->username.empty());
            CHECK(encoded.blob.empty() == !row.cut);
            if (!row.cut) continue;
            CHECK(parsed->whole == "sha256:" + sha256_hex(encoded.blob));
            CHECK(parsed->whole_bytes == encoded.blob.size());
            const auto whole = parse_record(encoded.blob);
            REQUIRE(whole.has_value());
            CHECK(whole->violations.size() == record.violations.size());
            CHECK(whole->groups.size() == record.groups.size());
            // What was cut once is short enough for ever.
            CHECK(encode(*parsed, bytes_max).text(5) == encoded.text(5));
        }
    }
}

TEST_CASE("cutting uses the room there is, and violations go before changes") {
    Record record = record_of("1");
    record.changes.assign(10'000, {".spec.replicas", "9", "3"});
    CHECK(text_of(record).size() > kBytesMax * 9 / 10);
    record.violations.assign(10'000, {"production", "limits", ".spec", "(absent)", "a limit", "Deny"});
    const auto parsed = parse_record(text_of(record));
    REQUIRE(parsed.has_value());
    CHECK(parsed->violations.size() > 300);
    CHECK(parsed->changes.size() < 3);
}
