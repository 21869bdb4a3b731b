#include "webhook/metrics.hpp"

#include <map>
#include <regex>
#include <sstream>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/unit/webhook/support.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace fluxgate::webhook::testing;
using namespace std::chrono_literals;
using policy::WriteClass;

namespace {

// The text format 0.0.4, strictly: HELP and TYPE once, before the samples of their family. Samples by name and labels.
std::map<std::string, double> parse(const std::string& text) {
    static const std::regex kComment(R"(# (HELP|TYPE) ([a-z_]+) (.+))");
    static const std::regex kSample(R"re(([a-z_]+)(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? ([-+0-9.eE]+|\+Inf|NaN))re");
    std::map<std::string, double> samples;
    std::map<std::string, int> described;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        INFO(line);
        std::smatch match;
        if (std::regex_match(line, match, kComment)) {
            CHECK(++described[match[1].str() + " " + match[2].str()] == 1);
            continue;
        }
        REQUIRE(std::regex_match(line, match, kSample));
        const std::string family = std::regex_replace(match[1].str(), std::regex("_(bucket|sum|count)$"), "");
        CHECK(described["TYPE " + match[1].str()] + described["TYPE " + family] > 0);
        CHECK(samples.emplace(match[1].str() + match[2].str(), std::stod(match[4].str())).second);
    }
    CHECK(text.ends_with("\n"));
    return samples;
}

}  // namespace

TEST_CASE("the metrics can be parsed and have every series from the start") {
    const Metrics metrics;
    const http::ServerCounters counters;
    const auto samples = parse(metrics.expose(counters));
    for (const char* name : {
             R"(fluxgate_admission_reviews_total{class="exceptional",verdict="allowed"})",
             R"(fluxgate_admission_reviews_total{class="routine",verdict="denied"})",
             "fluxgate_admission_errors_total",
             R"(fluxgate_audit_records_total{result="durable"})",
             R"(fluxgate_audit_records_total{result="failed"})",
             "fluxgate_audit_available",
             "fluxgate_draining",
             "fluxgate_certificate_expiry_timestamp_seconds",
             "fluxgate_admission_duration_seconds_count",
             R"(fluxgate_admission_duration_seconds_bucket{le="+Inf"})",
             "fluxgate_http_connections_open",
             "process_resident_memory_bytes",
         }) {
        INFO(name);
        CHECK(samples.contains(name));
    }
    CHECK(samples.at("process_resident_memory_bytes") > 0);
}

TEST_CASE("what is counted is exposed") {
    Metrics metrics;
    http::ServerCounters counters;
    counters.connections_open = 3;
    metrics.count_review(true, WriteClass::routine, "", 90us);
    metrics.count_review(false, WriteClass::exceptional, "", 1ms);
    metrics.count_review(false, WriteClass::unguarded, "invalid_json", 20s);
    metrics.count_record(true);
    metrics.count_record(false);
    metrics.set_audit_available(true);
    metrics.set_draining();
    metrics.set_policy_set(*demo_policies());
    metrics.set_certificate_expiry(kNow);
    const auto samples = parse(metrics.expose(counters));
    CHECK(samples.at(R"(fluxgate_admission_reviews_total{class="routine",verdict="allowed"})") == 1);
    CHECK(samples.at(R"(fluxgate_admission_reviews_total{class="exceptional",verdict="denied"})") == 1);
    CHECK(samples.at("fluxgate_admission_errors_total") == 1);
    CHECK(samples.at(R"(fluxgate_audit_records_total{result="durable"})") == 1);
    CHECK(samples.at(R"(fluxgate_audit_records_total{result="failed"})") == 1);
    CHECK(samples.at("fluxgate_audit_available") == 1);
    CHECK(samples.at("fluxgate_draining") == 1);
    CHECK(samples.at("fluxgate_policies") == 2);
    CHECK(samples.at("fluxgate_http_connections_open") == 3);
    CHECK(samples.at("fluxgate_certificate_expiry_timestamp_seconds") == 1'796'436'600);
    CHECK(samples.at("fluxgate_admission_duration_seconds_count") == 3);
    CHECK(samples.at(R"(fluxgate_admission_duration_seconds_bucket{le="0.0001"})") == 1);
    CHECK(samples.at(R"(fluxgate_admission_duration_seconds_bucket{le="0.001"})") == 2);
    CHECK(samples.at(R"(fluxgate_admission_duration_seconds_bucket{le="10"})") == 2);
    CHECK(samples.at(R"(fluxgate_admission_duration_seconds_bucket{le="+Inf"})") == 3);
}

TEST_CASE("every kind of event on the wire has its series") {
    Metrics metrics;
    const http::ServerCounters counters;
    using Kind = http::Event::Kind;
    for (const Kind kind :
         {Kind::connection_refused, Kind::handshake_failed, Kind::request_refused, Kind::handler_failed, Kind::connection_lost}) {
        metrics.count_http_event(kind);
        const auto samples = parse(metrics.expose(counters));
        CHECK(samples.at("fluxgate_http_events_total{kind=\"" + std::string(http::to_string(kind)) + "\"}") == 1);
    }
}

TEST_CASE("threads count at once and nothing is lost") {
    Metrics metrics;
    const http::ServerCounters counters;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 1'000; ++n) {
                metrics.count_review(false, WriteClass::exceptional, "", 1ms);
                metrics.count_record(true);
                if (n % 100 == 0) static_cast<void>(metrics.expose(counters));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    const auto samples = parse(metrics.expose(counters));
    CHECK(samples.at(R"(fluxgate_admission_reviews_total{class="exceptional",verdict="denied"})") == 4'000);
    CHECK(samples.at("fluxgate_admission_duration_seconds_count") == 4'000);
}
