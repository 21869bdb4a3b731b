#include "webhook/repeated_denials.hpp"

#include <atomic>
#include <functional>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/unit/webhook/support.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace fluxgate::webhook::testing;
using namespace std::chrono_literals;

namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;
using Counters = std::vector<std::pair<std::string, std::uint64_t>>;

audit::Record denial_of(const std::string& id, WallTime time = kNow) {
    audit::Record record;
    record.id = id;
    record.time = time;
    record.decision = "denied";
    record.write_class = "exceptional";
    record.operation = "UPDATE";
    record.group = "apps";
    record.version = "v1";
    record.resource = "deployments";
    record.namespace_name = "production";
    record.name = "web";
    record.username = "alice";
    record.user_uid = "u-1";
    record.assurance = "certificate";
    record.policy_set = "sha256:00";
    record.changes = {{".spec.replicas", "9", "3"}};
    record.violations = {{"production", "only-git", ".spec.replicas", "9", "3", "Deny"}};
    return record;
}

void begin(RepeatedDenials& denials, const audit::Record& record) { denials.begin(RepeatedDenials::first_of(record)); }

}  // namespace

TEST_CASE("a denial is a repeat if who, what and why are the same") {
    struct Row {
        const char* name;
        std::function<void(audit::Record&)> edit;
        bool repeats;
    };
    const std::vector<Row> rows{
        {"the very same", [](audit::Record&) {}, true},
        {"another value", [](audit::Record& record) { record.violations[0].have = "10"; }, true},
        {"other changes besides", [](audit::Record& record) { record.changes.clear(); }, true},
        {"another user", [](audit::Record& record) { record.username = "bob"; }, false},
        {"another uid of the user", [](audit::Record& record) { record.user_uid = "u-2"; }, false},
        {"weaker proof", [](audit::Record& record) { record.assurance = "impersonated"; }, false},
        {"another operation", [](audit::Record& record) { record.operation = "DELETE"; }, false},
        {"another group", [](audit::Record& record) { record.group = "extensions"; }, false},
        {"another version", [](audit::Record& record) { record.version = "v1beta1"; }, false},
        {"another resource", [](audit::Record& record) { record.resource = "statefulsets"; }, false},
        {"a subresource", [](audit::Record& record) { record.sub_resource = "scale"; }, false},
        {"another namespace", [](audit::Record& record) { record.namespace_name = "prod-b"; }, false},
        {"another object", [](audit::Record& record) { record.name = "shop"; }, false},
        {"letters that move from one name to the next",
         [](audit::Record& record) { record.namespace_name = "productionw", record.name = "eb"; }, false},
        {"another command", [](audit::Record& record) { record.command = "sh"; }, false},
        {"an error", [](audit::Record& record) { record.error = "internal"; }, false},
        {"another policy set", [](audit::Record& record) { record.policy_set = "sha256:01"; }, false},
        {"as a dry run", [](audit::Record& record) { record.dry_run = true; }, false},
        {"another rule", [](audit::Record& record) { record.violations[0].rule = "limits"; }, false},
        {"another path", [](audit::Record& record) { record.violations[0].path = ".spec.paused"; }, false},
        {"a violation more", [](audit::Record& record) { record.violations.push_back(record.violations[0]); }, false},
        {"violations that are left out", [](audit::Record& record) { record.violations_omitted = 1; }, false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        RepeatedDenials denials;
        begin(denials, denial_of("first"));
        audit::Record again = denial_of("second");
        row.edit(again);
        CHECK(denials.count(again, kNow + 1s) == (row.repeats ? std::optional<std::string>("first") : std::nullopt));
    }
}

TEST_CASE("a repeat is counted within a minute of the first, whose record is durable") {
    RepeatedDenials denials;
    CHECK_FALSE(denials.count(denial_of("0"), kNow));
    begin(denials, denial_of("first"));
    begin(denials, denial_of("at once"));  // written too: two were on their way
    CHECK(denials.count(denial_of("1"), kNow) == "first");
    CHECK(denials.count(denial_of("2"), kNow + 59'999ms) == "first");
    CHECK(denials.flush(kNow + 59'999ms).empty());
    CHECK_FALSE(denials.count(denial_of("3"), kNow + 60s));

    const auto records = denials.flush(kNow + 60s);
    REQUIRE(records.size() == 1);
    const audit::Record& record = records[0];
    CHECK(record.event == "denial-repeated");
    CHECK(record.id == "denial-repeated-" + std::to_string((kNow + 60s).time_since_epoch().count()));
    CHECK(record.time == kNow + 60s);
    CHECK(record.decision.empty());
    CHECK(record.username == "alice");
    CHECK(record.name == "web");
    CHECK(record.policy_set == "sha256:00");
    CHECK(record.violations == std::vector<audit::RecordedViolation>{{"production", "only-git", ".spec.replicas", "", "", "Deny"}});
    CHECK(record.changes.empty());
    CHECK(record.facts == Facts{{"first", "first"}, {"firstTime", format_rfc3339(kNow)}, {"lastTime", format_rfc3339(kNow + 59'999ms)}});
    CHECK(record.counters == Counters{{"count", 2}});
    const auto parsed = audit::parse_record(audit::encode(record, 48u << 10).text(3));
    REQUIRE(parsed.has_value());
    CHECK(parsed->username == "alice");
    CHECK(denials.flush(kNow + 120s).empty());
}

TEST_CASE("nothing is written of a denial that came once, and when serving ends all counts are") {
    RepeatedDenials denials;
    begin(denials, denial_of("first"));
    CHECK(denials.flush_all(kNow).empty());
    audit::Record other = denial_of("other");
    other.name = "shop";
    begin(denials, denial_of("first"));
    begin(denials, other);
    CHECK(denials.count(denial_of("1"), kNow));
    CHECK(denials.count(other, kNow));
    const auto records = denials.flush_all(kNow + 1s);
    REQUIRE(records.size() == 2);
    CHECK(records[0].id != records[1].id);
    CHECK_FALSE(denials.count(denial_of("2"), kNow + 1s));
}

TEST_CASE("a first denial of the next window does not lose the count of the one before") {
    RepeatedDenials denials;
    begin(denials, denial_of("first"));
    CHECK(denials.count(denial_of("1"), kNow + 1s));
    begin(denials, denial_of("next", kNow + 61s));
    CHECK(denials.count(denial_of("2"), kNow + 62s) == "next");
    const auto records = denials.flush(kNow + 62s);
    REQUIRE(records.size() == 1);
    CHECK(records[0].facts[0].second == "first");
}

TEST_CASE("a clock that is set back ends the window") {
    RepeatedDenials denials;
    begin(denials, denial_of("first"));
    CHECK(denials.count(denial_of("1"), kNow + 1s));
    CHECK_FALSE(denials.count(denial_of("2"), kNow - 1h));
    CHECK(denials.flush(kNow - 1h).size() == 1);
}

TEST_CASE("beyond the bounds denials are written one by one, and there is room again after the window") {
    struct Row {
        const char* name;
        RepeatedDenials::Options options;
    };
    const std::vector<Row> rows{{"too many", {.entries_max = 1}}, {"too many bytes", {.bytes_max = 2'500}}};
    for (const Row& row : rows) {
        INFO(row.name);
        RepeatedDenials denials(row.options);
        audit::Record other = denial_of("other");
        other.name = "shop";
        begin(denials, denial_of("first"));
        begin(denials, other);
        CHECK(denials.count(denial_of("1"), kNow) == "first");
        CHECK_FALSE(denials.count(other, kNow));
        CHECK(denials.flush(kNow + 60s).size() == 1);
        begin(denials, other);
        CHECK(denials.count(other, kNow) == "other");
    }
}

TEST_CASE("a count record has few violations, however many the first had") {
    audit::Record denial = denial_of("first");
    denial.violations.assign(10'000, denial.violations[0]);
    RepeatedDenials denials;
    begin(denials, denial);
    CHECK(denials.count(denial, kNow));
    const auto records = denials.flush_all(kNow);
    REQUIRE(records.size() == 1);
    CHECK(records[0].violations.size() == 20);
    CHECK(records[0].violations_omitted == 9'980);
}

TEST_CASE("whatever threads do, each repeat is counted once") {
    RepeatedDenials denials;
    begin(denials, denial_of("first"));
    std::atomic<std::uint64_t> counted{0};
    std::atomic<std::uint64_t> flushed{0};
    const auto add = [&](const std::vector<audit::Record>& records) {
        for (const audit::Record& record : records) flushed += record.counters[0].second;
    };
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2'000; ++i) {
                if (denials.count(denial_of("again"), kNow)) ++counted;
                if (i % 50 == 0) add(denials.flush_all(kNow)), begin(denials, denial_of("first"));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    add(denials.flush_all(kNow));
    CHECK(counted == flushed);
    CHECK(counted > 0);
}
