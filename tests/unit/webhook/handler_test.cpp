#include "webhook/handler.hpp"

#include <atomic>
#include <barrier>
#include <mutex>
#include <optional>
#include <thread>

#include "certs/authority.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/audit/support.hpp"
#include "tests/unit/webhook/support.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace fluxgate::webhook::testing;
using namespace std::chrono_literals;
using audit::testing::Failing;
using audit::testing::Gate;
using audit::testing::hold_syncs_at;
using audit::testing::records_in;
using audit::testing::SimulatedDisk;
using audit::testing::Step;

namespace {

struct Pki {
    certs::KeyPair authority = certs::make_authority("test", SystemClock().now()).value();
    certs::KeyPair server =
        certs::issue_server_certificate(authority, {.common_name = "localhost", .dns_names = {"localhost"}}, SystemClock().now()).value();
};

const Pki& pki() {
    static const Pki made;
    return made;
}

// The handler behind the real server: TLS on a free port, the log on a disk in memory.
class Door {
public:
    struct Options {
        std::shared_ptr<const policy::PolicySet> policies = demo_policies();
        bool degraded = false;
        std::size_t queue_max = 1'000;
        std::uint64_t disk_bytes_max = 0;
        GrantUses* grant_uses = nullptr;
        RepeatedDenials* repeated_denials = nullptr;
    };
    Door() : Door(Options()) {}
    explicit Door(Options options) : policies(options.policies) {
        if (!options.degraded)
            log = audit::Log::open(*process, {.disk_bytes_max = options.disk_bytes_max}, {.queue_max = options.queue_max}).value();
        handler.emplace(AdmissionHandler::Parts{
            .policies = policies,
            .log = log.get(),
            .metrics = metrics,
            .clock = clock,
            .limits = {},
            .origin = {"test", "replica"},
            .on_answer =
                [this](const Outcome&, bool without, std::chrono::nanoseconds) {
                    ++answered;
                    without_record += without ? 1 : 0;
                },
            .on_misdirected = [this](const http::Request&, int status) { misdirected = status; },
            .grant_uses = options.grant_uses,
            .repeated_denials = options.repeated_denials,
        });
        http::ServerOptions server_options;
        server_options.threads = 2;
        server = http::Server::start(std::move(server_options), {pki().server.certificate_pem, pki().server.private_key_pem},
                                     [this](const http::Request& request, http::Reply reply) { (*handler)(request, std::move(reply)); })
                     .value();
    }
    ~Door() {
        gate.open();
        server->stop(20s);
        log.reset();
    }

    http::Client client() const {
        return http::Client(
            {.port = server->port(), .server_name = "localhost", .ca_pem = pki().authority.certificate_pem, .timeout = 20'000ms});
    }
    http::ClientResponse exchange(const std::string& method, const std::string& target, const std::string& body) const {
        auto response = client().exchange(method, target, body);
        REQUIRE(response.has_value());
        return *response;
    }
    json review(const std::string& body, const std::string& query = "?timeout=10s") const {
        const auto response = exchange("POST", "/validate" + query, body);
        CHECK(response.status == 200);
        return json::parse(response.body)["response"];
    }
    double metric(const std::string& name) const {
        const std::string text = metrics.expose(server->counters());
        const std::size_t at = text.find("\n" + name + " ");
        REQUIRE(at != std::string::npos);
        return std::stod(text.substr(at + name.size() + 2));
    }

    SnapshotCell<policy::PolicySet> policies;
    SimulatedDisk disk;
    std::unique_ptr<audit::Disk> process = disk.start_process();
    Gate gate;
    FixedClock clock;
    Metrics metrics;
    std::atomic<int> answered{0};
    std::atomic<int> without_record{0};
    std::atomic<int> misdirected{0};
    std::unique_ptr<audit::Log> log;
    std::optional<AdmissionHandler> handler;
    std::unique_ptr<http::Server> server;
};

}  // namespace

TEST_CASE("the door takes reviews at one path with one method and says so otherwise") {
    const Door door;
    struct Row {
        const char* method;
        const char* target;
        int status;
    };
    const std::vector<Row> rows{
        {"GET", "/validate", 405},  {"PUT", "/validate", 405},   {"DELETE", "/validate", 405},
        {"POST", "/", 404},         {"POST", "/validate/", 404}, {"POST", "/validate/../validate", 404},
        {"POST", "/VALIDATE", 404}, {"POST", "/metrics", 404},   {"GET", "/readyz", 404},
    };
    for (const Row& row : rows) {
        INFO(row.method << " " << row.target);
        const auto response = door.exchange(row.method, row.target, recording("flux-applies"));
        CHECK(response.status == row.status);
        CHECK(json::parse(response.body).contains("error"));
        CHECK(door.misdirected == row.status);
    }
    CHECK(door.review(recording("flux-applies"))["allowed"] == true);
}

TEST_CASE("one connection carries one review after the other, each with its own answer") {
    const Door door;
    auto client = door.client();
    for (const char* name : {"flux-applies", "person-edits-image", "update-18k", "person-execs", "flux-bad-deployment"}) {
        INFO(name);
        const std::string body = recording(name);
        const auto response = client.exchange("POST", "/validate?timeout=10s", body);
        REQUIRE(response.has_value());
        CHECK(json::parse(response->body)["response"]["uid"] == json::parse(body)["request"]["uid"]);
        CHECK(client.connected());
    }
}

TEST_CASE("the record of a denial is durable when the answer names it") {
    Door door;
    const json response = door.review(recording("person-edits-image"));
    CHECK(response["allowed"] == false);
    door.disk.lose_power();
    CHECK(records_in(door.disk).at(1).find(response["auditAnnotations"]["record-id"].get<std::string>()) != std::string::npos);
}

TEST_CASE("when the disk hangs, the answer comes before the caller's deadline and is a denial") {
    struct Row {
        const char* name;
        const char* action;
        std::string body;
    };
    const std::vector<Row> rows{
        {"a denial", "Deny", update_review().dump()},
        {"a write that passes only if recorded", "Warn", update_review().dump()},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Door door({.policies = policies_with_action(row.action)});
        hold_syncs_at(door.disk, door.gate);
        const auto start = std::chrono::steady_clock::now();
        const json response = door.review(row.body, "?timeout=1s");
        const auto took = std::chrono::steady_clock::now() - start;
        CHECK(took >= 850ms);  // it waited for the disk as long as it could
        CHECK(took < 1s);
        CHECK(response["allowed"] == false);
        CHECK(response["uid"] == kUid);
        CHECK_FALSE(response["auditAnnotations"].contains("record-id"));
        CHECK_FALSE(response["status"]["message"].get<std::string>().empty());
        // Flux does not wait for that disk.
        CHECK(door.review(recording("flux-applies"), "?timeout=1s")["allowed"] == true);
    }
}

TEST_CASE("a record that comes after the deadline changes no answer and is counted as unkept") {
    Door door({.policies = policies_with_action("Warn")});
    hold_syncs_at(door.disk, door.gate);
    CHECK(door.review(update_review().dump(), "?timeout=200ms")["allowed"] == false);
    door.gate.open();
    door.server->stop(20s);
    door.log.reset();
    CHECK(door.answered == 1);
    CHECK(door.without_record == 1);
    CHECK(door.metric(R"(fluxgate_admission_reviews_total{class="exceptional",verdict="denied"})") == 1);
    CHECK(door.metric(R"(fluxgate_admission_reviews_total{class="exceptional",verdict="allowed"})") == 0);
    CHECK(door.metric("fluxgate_admission_denied_without_record_total") == 1);
}

TEST_CASE("denials that leave no record are counted, so that the sums of the log agree") {
    struct Row {
        const char* name;
        std::string body;
        double without_record;
    };
    const Row rows[] = {
        {"a denial", recording("person-edits-image"), 0},
        {"a write of Flux", recording("flux-applies"), 0},
        {"what is no review", R"({"kind": "Pod"})", 1},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Door door;
        door.exchange("POST", "/validate?timeout=10s", row.body);
        door.server->stop(20s);
        door.log.reset();
        CHECK(door.metric("fluxgate_admission_denied_without_record_total") == row.without_record);
    }
}

TEST_CASE("whatever is wrong with the log, denied is denied, exceptional is refused, and routine passes") {
    struct Row {
        const char* name;
        bool degraded;
        std::optional<std::pair<Step, Failing>> fault{};
        std::size_t queue_max = 1'000;
        std::uint64_t disk_bytes_max = 0;
    };
    const std::vector<Row> rows{
        {"degraded", true},
        {"the write fails", false, {{Step::write, Failing::before}}},
        {"the write fails halfway", false, {{Step::write, Failing::halfway}}},
        {"the sync fails", false, {{Step::sync, Failing::before}}},
        {"the sync fails after it took effect", false, {{Step::sync, Failing::after}}},
        {"the queue is full", false, {}, 0},
        {"the folder holds as much as it may", false, {}, 1'000, 1},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        {
            Door door({.degraded = row.degraded, .queue_max = row.queue_max, .disk_bytes_max = row.disk_bytes_max});
            if (row.fault) door.disk.at_step(row.fault->first, 1, {.failing = row.fault->second});
            for (int i = 0; i < 3; ++i) {
                const json denied = door.review(recording("person-edits-image"));
                CHECK(denied["allowed"] == false);
                CHECK(denied["status"]["code"] == 403);
                CHECK(denied["auditAnnotations"].contains("record-missing"));
                CHECK(denied["status"]["message"].get<std::string>().find("not recorded: the audit log is not available") !=
                      std::string::npos);
                CHECK(door.review(recording("flux-applies"))["allowed"] == true);
            }
            CHECK(door.without_record == 3);
            CHECK(door.metric(R"(fluxgate_audit_records_total{result="failed"})") == 6);  // what Flux changed too
        }
        {
            Door door({.policies = policies_with_action("Warn"),
                       .degraded = row.degraded,
                       .queue_max = row.queue_max,
                       .disk_bytes_max = row.disk_bytes_max});
            if (row.fault) door.disk.at_step(row.fault->first, 1, {.failing = row.fault->second});
            for (int i = 0; i < 3; ++i) {
                const json refused = door.review(update_review().dump());
                CHECK(refused["allowed"] == false);
                CHECK(refused["auditAnnotations"]["error"] == "audit_unavailable");
            }
            // A writer's write that a policy warns of is never held up.
            CHECK(door.review(recording("flux-bad-deployment"))["allowed"] == true);
        }
    }
}

TEST_CASE("a client that loops leaves its first denial and a count, and each answer names the first") {
    RepeatedDenials repeated_denials;
    Door door({.repeated_denials = &repeated_denials});
    const auto ask = [&](int number) {
        json review = json::parse(recording("person-edits-image"));
        review["request"]["uid"] = "uid-" + std::to_string(number);
        const json response = door.review(review.dump());
        CHECK(response["uid"] == "uid-" + std::to_string(number));
        CHECK(response["allowed"] == false);
        return response;
    };
    const json first = ask(0);
    CHECK(first["auditAnnotations"]["record-id"] == "uid-0");
    CHECK_FALSE(first["auditAnnotations"].contains("record-repeated"));
    for (int number = 1; number <= 5; ++number) {
        const json repeat = ask(number);
        CHECK(repeat["auditAnnotations"]["record-id"] == "uid-0");
        CHECK(repeat["auditAnnotations"]["record-repeated"] == "true");
        CHECK(std::string(repeat["status"]["message"]).find("(repeated and counted, record uid-0)") != std::string::npos);
    }
    CHECK(door.log->next_sequence() == 2);
    CHECK(door.metric("fluxgate_admission_repeated_total") == 5);
    const auto counted = repeated_denials.flush_all(kNow);
    REQUIRE(counted.size() == 1);
    CHECK(counted[0].counters == std::vector<std::pair<std::string, std::uint64_t>>{{"count", 5}});

    // After the window it is a record again.
    CHECK(ask(6)["auditAnnotations"]["record-id"] == "uid-6");
    door.clock.set(kNow + 60s);
    CHECK(ask(7)["auditAnnotations"]["record-id"] == "uid-7");
    CHECK(door.log->next_sequence() == 4);
}

TEST_CASE("a denial is written itself while the first one is not durable") {
    RepeatedDenials repeated_denials;
    Door door({.repeated_denials = &repeated_denials});
    hold_syncs_at(door.disk, door.gate);
    json review = json::parse(recording("person-edits-image"));
    review["request"]["uid"] = "uid-0";
    std::thread first([&door, body = review.dump()] { CHECK(door.review(body)["auditAnnotations"]["record-id"] == "uid-0"); });
    door.gate.wait_for_someone();
    review["request"]["uid"] = "uid-1";
    const json second = door.review(review.dump(), "?timeout=200ms");
    CHECK(second["allowed"] == false);
    CHECK_FALSE(second["auditAnnotations"].contains("record-id"));
    door.gate.open();
    first.join();
    CHECK(door.log->wait_for_durable_beyond(1, std::chrono::steady_clock::now() + 20s));
    CHECK(repeated_denials.flush_all(kNow).empty());
}

TEST_CASE("a denial whose record failed is no first one") {
    RepeatedDenials repeated_denials;
    Door door({.repeated_denials = &repeated_denials});
    door.disk.at_step(Step::sync, 1, {.failing = Failing::before});
    for (int i = 0; i < 2; ++i) {
        const json response = door.review(recording("person-edits-image"));
        CHECK(response["allowed"] == false);
        CHECK_FALSE(response["auditAnnotations"].contains("record-id"));
    }
    CHECK(repeated_denials.flush_all(kNow).empty());
}

TEST_CASE("without a policy set nothing is allowed") {
    const Door door({.policies = nullptr});
    CHECK(door.exchange("POST", "/validate", recording("flux-applies")).status == 503);
}

TEST_CASE("a policy set swapped in is used by the next review, and the answer names it") {
    Door door;
    CHECK(door.review(update_review().dump())["allowed"] == false);
    const auto next = policies_with_action("Warn");
    door.policies.store(next);
    const json response = door.review(update_review().dump());
    CHECK(response["allowed"] == true);
    CHECK(response["auditAnnotations"]["policy-set"] == next->digest);
}

TEST_CASE("clients on many threads get their own answers while policies are swapped and the log works") {
    Door door;
    const auto deny = demo_policies();
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            auto client = door.client();
            json request = update_review();
            for (int i = 0; i < 50; ++i) {
                const std::string uid = std::to_string(thread) + "-" + std::to_string(i);
                request["request"]["uid"] = uid;
                const auto response = client.exchange("POST", "/validate?timeout=10s", request.dump());
                const bool good = response.has_value() && json::parse(response->body)["response"]["uid"] == uid &&
                                  json::parse(response->body)["response"]["allowed"] == false;
                wrong += good ? 0 : 1;
                door.policies.store(deny);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(door.log->next_sequence() == 201);
}

// A set so large that two reviews overlap between the look at the counts and the use.
TEST_CASE("a review that loses the last use of a grant to another thread is judged again") {
    constexpr int kRounds = 20;
    constexpr int kOthers = 300;
    constexpr int kLocks = 100;
    json grant{{"apiVersion", "fluxgate.dev/v1alpha1"},
               {"kind", "BreakGlass"},
               {"spec",
                {{"subjects", {{{"kind", "User"}, {"name", "alice@example.com"}}}},
                 {"match",
                  {{"namespaces", {"production"}},
                   {"resourceRules",
                    {{{"apiGroups", {"apps"}}, {"apiVersions", {"*"}}, {"resources", {"deployments"}}, {"operations", {"UPDATE"}}}}}}},
                 {"ticket", "T-1"},
                 {"reason", "r"},
                 {"requestedBy", "carol"},
                 {"approvedBy", "bob"},
                 {"notBefore", format_rfc3339(kNow)},
                 {"expiresAt", format_rfc3339(kNow + 1h)},
                 {"maxUses", 1}}}};
    std::string files =
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  match: {namespaces: [production]}\n"
        "  rules:\n";
    for (int i = 0; i < kLocks; ++i)
        files += "  - {name: r" + std::to_string(i) + ", lock: {writers: [flux], breakGlass: {maxDuration: 1h}}}\n";
    for (int i = 0; i < kOthers + 2 * kRounds; ++i) {
        grant["spec"]["match"]["names"] = {i < kOthers ? "another" : "web"};
        grant["metadata"] = {{"name", "g" + std::to_string(i)}};
        files += "---\n" + grant.dump() + "\n";
    }
    GrantUses uses;
    const Door door({.policies = compile(files), .grant_uses = &uses});
    const std::string body = update_review().dump();
    std::atomic<int> allowed = 0;
    std::barrier both(2);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            http::Client client = door.client();
            for (int round = 0; round < kRounds; ++round) {
                both.arrive_and_wait();  // so that both find the same grant
                const auto response = client.exchange("POST", "/validate?timeout=10s", body);
                allowed += response && json::parse(response->body)["response"]["allowed"] ? 1 : 0;
            }
        });
    }
    threads.clear();
    CHECK(allowed == 2 * kRounds);  // by another grant
    CHECK(uses.counts()->size() == 2 * kRounds);
    for (const auto& [digest, count] : *uses.counts()) CHECK(count == 1);
    CHECK_FALSE(door.review(body)["allowed"]);
}

TEST_CASE("the deadline follows the caller's timeout, less the margin, within bounds") {
    const Limits limits;
    struct Row {
        const char* query;
        std::chrono::milliseconds expected;
    };
    const std::vector<Row> rows{
        {"timeout=3s", 2'900ms},
        {"timeout=10s", 9'900ms},
        {"timeout=500ms", 400ms},
        {"timeout=1m", 29'900ms},
        {"timeout=3600s", 29'900ms},
        {"timeout=150ms", 75ms},
        {"timeout=0s", 0ms},
        {"", 9'900ms},
        {"timeout=", 9'900ms},
        {"timeout=abc", 9'900ms},
        {"timeout=-1s", 9'900ms},
        {"timeout=3", 9'900ms},
        {"timeout=1.5s", 9'900ms},
        {"other=1&timeout=3s", 2'900ms},
        {"timeouts=3s", 9'900ms},
        {"timeout=99999999999s", 9'900ms},
        {"timeout=4294967295m", 29'900ms},
    };
    http::Request request{};
    request.arrived = std::chrono::steady_clock::now();
    for (const Row& row : rows) {
        INFO(row.query);
        request.query = row.query;
        CHECK(deadline_of(request, limits) - request.arrived == row.expected);
    }
}

TEST_CASE("health and metrics answer at their paths only") {
    const SnapshotCell<policy::PolicySet> policies(demo_policies());
    const FixedClock clock;
    Readiness readiness(policies, clock);
    readiness.set_certificate(kNow - 1h, kNow + 1h);
    const auto server_of = [](http::Handler handler) {
        http::ServerOptions options;
        options.tls = false;
        return http::Server::start(std::move(options), {}, std::move(handler)).value();
    };
    const auto health = server_of(make_health_handler(readiness));
    const auto metrics = server_of(make_metrics_handler([] { return std::string("up 1\n"); }));
    struct Row {
        const char* name;
        const http::Server& server;
        const char* method;
        const char* target;
        int status;
        std::string body;
    };
    const std::vector<Row> rows{
        {"live", *health, "GET", "/livez", 200, "ok"},
        {"the old name", *health, "GET", "/healthz", 200, "ok"},
        {"ready", *health, "GET", "/readyz", 200, "ok"},
        {"ready, in detail", *health, "GET", "/readyz?verbose", 200, "readyz check passed"},
        {"another path", *health, "GET", "/", 404, ""},
        {"another method", *health, "POST", "/readyz", 405, ""},
        {"metrics", *metrics, "GET", "/metrics", 200, "up 1"},
        {"metrics elsewhere", *metrics, "GET", "/", 404, ""},
        {"metrics by another method", *metrics, "POST", "/metrics", 404, ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        http::Client client({.port = row.server.port(), .tls = false});
        const auto response = client.exchange(row.method, row.target, "");
        REQUIRE(response.has_value());
        CHECK(response->status == row.status);
        CHECK(response->body.find(row.body) != std::string::npos);
    }
    readiness.set_draining();
    http::Client client({.port = health->port(), .tls = false});
    const auto response = client.exchange("GET", "/readyz", "");
    CHECK(response->status == 503);
    CHECK(response->body.find("[-]shutdown failed: draining") != std::string::npos);
    CHECK(client.exchange("GET", "/livez", "")->status == 200);
}
