#include "audit/report.hpp"

#include <algorithm>

#include "audit/record.hpp"
#include "audit/report_facts.hpp"
#include "base/limits.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::audit;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kBegin{std::chrono::seconds{1'795'132'800}};  // 2026-11-20T00:00:00Z
constexpr WallTime kEnd = kBegin + 1h;

ReportOptions options() { return {.from = kBegin, .to = kEnd, .now = kEnd}; }

Record write(WallTime time, std::string decision, std::string write_class = "exceptional") {
    Record record;
    record.id = "uid-" + std::to_string(time.time_since_epoch().count());
    record.time = time;
    record.decision = std::move(decision);
    record.write_class = std::move(write_class);
    record.operation = "UPDATE";
    record.group = "apps";
    record.resource = "deployments";
    record.kind = "Deployment";
    record.namespace_name = "production";
    record.name = "web";
    record.username = "alice@example.com";
    record.field_manager = "kubectl";
    record.assurance = "certificate";
    record.replica = "fluxgate-0";
    return record;
}

Record denied(WallTime time) {
    Record record = write(time, "denied");
    record.violations = {{"production", "only-git", ".", "UPDATE", "a writer", "Deny"}};
    return record;
}

Record event(WallTime time, std::string name, std::string replica = "fluxgate-0") {
    Record record;
    record.id = name + "-" + std::to_string(time.time_since_epoch().count());
    record.time = time;
    record.event = std::move(name);
    record.replica = std::move(replica);
    return record;
}

Record heartbeat(WallTime since, WallTime time, std::string replica = "fluxgate-0") {
    Record record = event(time, "heartbeat", std::move(replica));
    record.facts = {{"since", format_rfc3339(since)}};
    return record;
}

// A heartbeat a minute from `from` to `to`.
void beat(std::vector<Record>& records, WallTime from, WallTime to, const std::string& replica = "fluxgate-0") {
    for (WallTime time = from + 60s; time <= to; time += 60s) records.push_back(heartbeat(time - 60s, time, replica));
}

// In order of time, each at its index, with the sequences of its replica.
Records fed(std::vector<Record> records) {
    std::stable_sort(records.begin(), records.end(), [](const Record& left, const Record& right) { return left.time < right.time; });
    return [records = std::move(records)](const UseRecord& use) -> Result<void> {
        std::map<std::string, std::uint64_t> sequences;
        std::uint64_t index = 0;
        for (const Record& record : records) {
            const std::string text = encode(record, Limits{}.record_bytes_max).text(++sequences[record.replica]);
            const auto more = use({.index = index++, .text = text});
            if (!more) return tl::unexpected(more.error());
        }
        return {};
    };
}

ReportFacts facts_of(std::vector<Record> records, const ReportOptions& with = options()) {
    auto facts = gather_facts(fed(std::move(records)), with);
    INFO((facts ? std::string() : to_string(facts.error())));
    REQUIRE(facts);
    return *std::move(facts);
}

Report report_of(std::vector<Record> records, const ReportOptions& with = options()) {
    auto report = gather_report(fed(std::move(records)), with);
    REQUIRE(report);
    return *std::move(report);
}

bool has_attention(const Report& report, std::string_view part) {
    return std::any_of(report.attention.begin(), report.attention.end(),
                       [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("what counts as an attempt outside Git, and what became of it") {
    const auto with = [](Record record, const std::function<void(Record&)>& change) {
        change(record);
        return record;
    };
    const WallTime time = kBegin + 10min;
    struct Row {
        const char* name;
        Record record;
        std::uint64_t stopped;
        std::uint64_t passed;
        Passed why;
    };
    const std::vector<Row> rows{
        {"a denial by a lock is one that was stopped", denied(time), 1, 0, {}},
        {"a denied write of a named writer is not one", write(time, "denied", "routine"), 0, 0, {}},
        {"a denied write where no lock is, is not one", write(time, "denied", "unguarded"), 0, 0, {}},
        {"what the rule escape refuses is one, whatever its class",
         with(write(time, "denied", "unguarded"),
              [](Record& r) {
                  r.violations = {{"fluxgate", "escape", ".", "", "", "Deny"}};
              }),
         1,
         0,
         {}},
        {"a write of Flux is not one", write(time, "allowed", "routine"), 0, 0, {}},
        {"a write under a grant was let through by it",
         with(write(time, "allowed"),
              [](Record& r) {
                  r.grants = {{"g", "sha256:0", "T", "b", "b"}};
              }),
         0, 1, Passed::grant},
        {"day-2 work was let through as an allowance", with(write(time, "allowed"), [](Record& r) { r.allowance = "restart"; }), 0, 1,
         Passed::allowance},
        {"a write while the lock learned was let through by that", with(write(time, "allowed"), [](Record& r) { r.learned = true; }), 0, 1,
         Passed::learning},
        {"a write that only warned was let through by that",
         with(write(time, "allowed"),
              [](Record& r) {
                  r.violations = {{"p", "only-git", ".", "", "", "Warn"}};
              }),
         0, 1, Passed::observed},
        {"an impersonated writer is named as such", with(write(time, "allowed"), [](Record& r) { r.assurance = "impersonated"; }), 0, 1,
         Passed::impersonated},
        {"what is left touched nothing that Git declares", write(time, "allowed"), 0, 1, Passed::undeclared},
        {"a repeat counts as often as it says",
         with(event(time, "denial-repeated"),
              [](Record& r) {
                  r.username = "alice@example.com";
                  r.counters = {{"count", 17}};
              }),
         17,
         0,
         {}},
        {"what happened before the period does not count", denied(kBegin - 1us), 0, 0, {}},
        {"the begin of the period counts", denied(kBegin), 1, 0, {}},
        {"the end of the period does not count", denied(kEnd), 0, 0, {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const ReportFacts facts = facts_of({row.record});
        CHECK(facts.stopped == row.stopped);
        CHECK(facts.let_through_count() == row.passed);
        if (row.passed > 0) CHECK(facts.passed[static_cast<std::size_t>(row.why)] == row.passed);
    }
}

TEST_CASE("the repeats of a workload denial are workload denials") {
    Record first = write(kBegin + 1min, "denied", "unguarded");
    Record repeated = event(kBegin + 2min, "denial-repeated");
    repeated.username = "alice@example.com";
    repeated.facts = {{"first", first.id}};
    repeated.counters = {{"count", 5}};
    const ReportFacts facts = facts_of({first, repeated});
    CHECK(facts.stopped == 0);
    CHECK(facts.workload_denied == 6);
}

TEST_CASE("when nobody showed that it was guarding") {
    struct Row {
        const char* name;
        std::vector<TimeSpan> first;   // in which fluxgate-0 beats
        std::vector<TimeSpan> second;  // in which fluxgate-1 beats
        std::vector<TimeSpan> silent;
    };
    const auto at = [](int minute) { return kBegin + std::chrono::minutes(minute); };
    const std::vector<Row> rows{
        {"beats over the whole hour leave no hole", {{at(0), at(60)}}, {}, {}},
        {"a hole of ten minutes is one", {{at(0), at(20)}, {at(30), at(60)}}, {}, {{at(20), at(30)}}},
        {"another replica covers it", {{at(0), at(20)}, {at(30), at(60)}}, {{at(15), at(35)}}, {}},
        {"two replicas in turn leave what neither covers", {{at(0), at(20)}}, {{at(25), at(60)}}, {{at(20), at(25)}}},
        {"silence to the end is a hole", {{at(0), at(50)}}, {}, {{at(50), at(60)}}},
        {"before the first record of the log nothing is claimed", {{at(10), at(60)}}, {}, {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::vector<Record> records;
        for (const TimeSpan& span : row.first) {
            records.push_back(heartbeat(span.from, span.from));
            beat(records, span.from, span.to);
        }
        for (const TimeSpan& span : row.second) {
            records.push_back(heartbeat(span.from, span.from, "fluxgate-1"));
            beat(records, span.from, span.to, "fluxgate-1");
        }
        const ReportFacts facts = facts_of(records);
        CHECK(holes(facts.served, facts.accountable) == row.silent);
        CHECK(has_attention(report_of(records), "no replica showed") == !row.silent.empty());
    }
}

TEST_CASE("a heartbeat that claims a long interval does not cover a silence") {
    std::vector<Record> records;
    beat(records, kBegin, kBegin + 10min);
    records.push_back(heartbeat(kBegin + 10min, kEnd - 1s));
    const ReportFacts facts = facts_of(records);
    CHECK(total(holes(facts.served, facts.accountable)) > 45min);
}

TEST_CASE("starts and stops tell crashes") {
    struct Row {
        const char* name;
        std::vector<std::string> events;
        std::uint64_t crashes;
    };
    const std::vector<Row> rows{
        {"a first start is none", {"started"}, 0},
        {"a start after a stop is none", {"started", "stopped", "started"}, 0},
        {"a start after a start is one", {"started", "started"}, 1},
        {"two are two", {"started", "started", "started"}, 2},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::vector<Record> records;
        for (std::size_t i = 0; i < row.events.size(); ++i) records.push_back(event(kBegin + std::chrono::minutes(i), row.events[i]));
        CHECK(facts_of(records).replicas.at("fluxgate-0").crashes == row.crashes);
    }
}

TEST_CASE("intervals in which a lock learned, by what the replicas say") {
    const auto mode = [](int minute, std::string name, std::string replica) {
        Record record = event(kBegin + std::chrono::minutes(minute), std::move(name), std::move(replica));
        record.details = {"staging/only-git until 2026-12-08T00:00:00.000000Z"};
        return record;
    };
    struct Row {
        const char* name;
        std::vector<Record> records;
        std::vector<TimeSpan> spans;
        bool open;
    };
    const auto at = [](int minute) { return kBegin + std::chrono::minutes(minute); };
    const std::vector<Row> rows{
        {"begun and ended", {mode(5, "learn-begun", "a"), mode(10, "learn-ended", "a")}, {{at(5), at(10)}}, false},
        {"of two replicas the first begins and the last ends it",
         {mode(5, "learn-begun", "a"), mode(6, "learn-begun", "b"), mode(10, "learn-ended", "a"), mode(12, "learn-ended", "b")},
         {{at(5), at(12)}},
         false},
        {"not ended lasts to the end", {mode(5, "learn-begun", "a")}, {{at(5), kEnd}}, true},
        {"begun before the period is cut", {mode(-5, "learn-begun", "a"), mode(10, "learn-ended", "a")}, {{at(0), at(10)}}, false},
        {"ended before the period is none of it", {mode(-9, "learn-begun", "a"), mode(-5, "learn-ended", "a")}, {}, false},
        {"a replica that stops does not learn any more",
         {mode(5, "learn-begun", "a"), event(at(8), "stopped", "a")},
         {{at(5), at(8)}},
         false},
        {"the end of what never began is nothing", {mode(10, "learn-ended", "a")}, {}, false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const ReportFacts facts = facts_of(row.records);
        std::vector<TimeSpan> spans;
        for (const ModeInterval& interval : facts.modes.rows) {
            CHECK(interval.lock == "staging/only-git");
            CHECK(interval.open == row.open);
            spans.push_back(interval.span);
        }
        CHECK(spans == row.spans);
    }
}

TEST_CASE("a hole in the numbering is named") {
    const std::string text = encode(denied(kBegin), Limits{}.record_bytes_max).text(1);
    const std::string third = encode(denied(kBegin + 1s), Limits{}.record_bytes_max).text(3);
    const Records records = [&](const UseRecord& use) -> Result<void> {
        for (const auto& [index, line] : {std::pair<std::uint64_t, std::string_view>{7, text}, {9, third}}) {
            if (const auto more = use({.index = index, .text = line}); !more) return tl::unexpected(more.error());
        }
        return {};
    };
    const auto report = gather_report(records, options());
    REQUIRE(report);
    CHECK(has_attention(*report, "2 holes in the numbering"));
    const Answer& answer = report->answers[11];
    CHECK(answer.sentence.find("2 holes") != std::string::npos);
}

TEST_CASE("what cannot be read ends the report, with its place") {
    const Records records = [](const UseRecord& use) -> Result<void> {
        const auto more = use({.index = 4, .text = "{}"});
        if (!more) return tl::unexpected(more.error());
        return {};
    };
    const auto report = gather_report(records, options());
    REQUIRE(!report);
    CHECK(report.error().where.find("4") != std::string::npos);
}

TEST_CASE("a period must be one") {
    for (const auto& [from, to] :
         {std::pair{kEnd, kBegin}, std::pair{kBegin, kBegin}, std::pair{kBegin, kBegin + std::chrono::days(4'000)}}) {
        const auto report = gather_report(fed({}), {.from = from, .to = to, .now = kEnd});
        REQUIRE(!report);
        CHECK(report.error().code == Errc::invalid_argument);
    }
}

TEST_CASE("an empty log answers all questions and claims nothing") {
    const Report report = report_of({});
    REQUIRE(report.answers.size() == 18);
    for (std::size_t i = 0; i < report.answers.size(); ++i) {
        CHECK(report.answers[i].number == i + 1);
        CHECK(!report.answers[i].question.empty());
        CHECK(!report.answers[i].sentence.empty());
    }
    CHECK(has_attention(report, "no signed checkpoint"));
    CHECK(report.answers[12].standing == Standing::not_recorded);
}

TEST_CASE("what is not recorded says why and where to look") {
    const Report report = report_of({denied(kBegin)});
    for (const Answer& answer : report.answers) {
        INFO(answer.title);
        CHECK((answer.standing == Standing::answered || !answer.not_recorded.empty() || answer.number == 14));
        for (const NotRecorded& missing : answer.not_recorded) {
            CHECK(!missing.what.empty());
            CHECK(!missing.why.empty());
            CHECK(!missing.remedy.empty());
        }
    }
}

TEST_CASE("each control points to questions that there are") {
    for (const Control& control : known_controls()) {
        INFO(control.standard << " " << control.id);
        CHECK(!control.questions.empty());
        for (const unsigned number : control.questions) CHECK((number >= 1 && number <= 18));
    }
}

TEST_CASE("how far the verification is believed") {
    struct Row {
        const char* name;
        ReportBasis basis;
        const char* said;
    };
    const std::vector<Row> rows{
        {"not verified", {.origin = "o", .size = 1}, "was not verified"},
        {"verified with errors",
         {.origin = "o", .size = 1, .key_given = true, .verified = true, .errors = 2},
         "the log is not what was signed"},
        {"verified, and the records do not tell all",
         {.origin = "o", .size = 1, .key_given = true, .verified = true, .errors = 2, .as_signed = true},
         "each record is as it was signed, but"},
        {"verified by the key beside it", {.origin = "o", .size = 1, .verified = true}, "the key that lies beside it"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        ReportOptions with = options();
        with.basis = row.basis;
        CHECK(has_attention(report_of({denied(kBegin)}, with), row.said));
    }
    ReportOptions with = options();
    with.basis = {.origin = "o", .size = 1, .key_given = true, .verified = true};
    CHECK(report_of({denied(kBegin)}, with).attention.empty() == false);  // the silence of an hour with one record
    CHECK(!has_attention(report_of({denied(kBegin)}, with), "question 13"));
}

TEST_CASE("what is frequent is found however many names come before, and memory stays bounded") {
    Tally tally(100);
    const std::string replica;
    StoredRecord stored{.index = 1};
    const Tally::Event once{stored, replica, kBegin, true};
    for (int i = 0; i < 10'000; ++i) {
        tally.add({"made-up-" + std::to_string(i)}, once);
        if (i % 20 == 0) tally.add({"mallory"}, once);
        CHECK(tally.keys() <= 100);
    }
    CHECK(!tally.exact());
    const auto top = tally.top(1);
    REQUIRE(top.size() == 1);
    CHECK(top.front().first == Tally::Key{"mallory"});
    CHECK(top.front().second.count() + top.front().second.uncertain >= 500);
    CHECK(top.front().second.count() <= 500);
}

TEST_CASE("numbers, times and durations as people read them") {
    CHECK(spoken(kBegin) == "2026-11-20 00:00:00Z");
    CHECK(spoken(std::chrono::microseconds(850ms)) == "0.8 s");
    CHECK(spoken(std::chrono::microseconds(4min + 12s)) == "4 min 12 s");
    CHECK(spoken(std::chrono::microseconds(1h + 2min)) == "1 h 2 min");
    CHECK(spoken(std::chrono::microseconds(std::chrono::days(2))) == "2 d");
}
