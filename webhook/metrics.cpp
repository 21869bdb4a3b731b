#include "webhook/metrics.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

namespace fluxgate::webhook {

namespace {

// The library's histogram takes a mutex at every observation; this one adds to three atomics.
class AtomicHistogram final : public prometheus::Collectable {
public:
    AtomicHistogram(std::string name, std::string help) : name_(std::move(name)), help_(std::move(help)) {}

    void observe(std::chrono::nanoseconds duration) {
        const double seconds = std::chrono::duration<double>(duration).count();
        std::size_t bucket = 0;
        while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
        counts_[bucket].fetch_add(1, std::memory_order_relaxed);
        sum_nanoseconds_.fetch_add(static_cast<std::uint64_t>(duration.count()), std::memory_order_relaxed);
    }

    std::vector<prometheus::MetricFamily> Collect() const override {
        prometheus::MetricFamily family;
        family.name = name_;
        family.help = help_;
        family.type = prometheus::MetricType::Histogram;
        prometheus::ClientMetric metric;
        std::uint64_t cumulative = 0;
        for (std::size_t i = 0; i <= kBounds.size(); ++i) {
            cumulative += counts_[i].load(std::memory_order_relaxed);
            prometheus::ClientMetric::Bucket bucket;
            bucket.cumulative_count = cumulative;
            bucket.upper_bound = i < kBounds.size() ? kBounds[i] : std::numeric_limits<double>::infinity();
            metric.histogram.bucket.push_back(bucket);
        }
        metric.histogram.sample_count = cumulative;
        metric.histogram.sample_sum = static_cast<double>(sum_nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
        family.metric.push_back(std::move(metric));
        return {std::move(family)};
    }

private:
    // To 10 s, the API server's default timeout; fine at the start, where we mean to be.
    static constexpr std::array kBounds{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                        0.05,    0.1,    0.25,    0.5,    1.0,   2.5,    5.0,   10.0};
    std::string name_;
    std::string help_;
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> counts_{};
    std::atomic<std::uint64_t> sum_nanoseconds_{0};
};

// Pages of the process in memory, from /proc/self/statm.
double resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    statm >> size >> resident;
    return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

constexpr std::array kClasses{policy::WriteClass::unguarded, policy::WriteClass::routine, policy::WriteClass::exceptional};
constexpr std::array kEvents{http::Event::Kind::connection_refused, http::Event::Kind::handshake_failed, http::Event::Kind::request_refused,
                             http::Event::Kind::handler_failed, http::Event::Kind::connection_lost};

std::vector<prometheus::MetricFamily> sample(const char* name, const char* help, prometheus::MetricType type, double value) {
    prometheus::MetricFamily family;
    family.name = name;
    family.help = help;
    family.type = type;
    prometheus::ClientMetric metric;
    if (type == prometheus::MetricType::Counter)
        metric.counter.value = value;
    else
        metric.gauge.value = value;
    family.metric.push_back(std::move(metric));
    return {std::move(family)};
}

}  // namespace

// Children are made once: looking one up by labels costs more than the whole evaluation of a small review.
struct Metrics::Impl {
    prometheus::Registry registry;
    AtomicHistogram duration{"fluxgate_admission_duration_seconds", "From the first byte of a review to its answer."};

    prometheus::Family<prometheus::Counter>& reviews = prometheus::BuildCounter()
                                                           .Name("fluxgate_admission_reviews_total")
                                                           .Help("Reviews answered, by verdict and class of write.")
                                                           .Register(registry);
    std::array<std::array<prometheus::Counter*, 2>, 3> by_class{};
    prometheus::Counter& errors = prometheus::BuildCounter()
                                      .Name("fluxgate_admission_errors_total")
                                      .Help("Reviews refused because they could not be read or judged.")
                                      .Register(registry)
                                      .Add({});
    prometheus::Family<prometheus::Counter>& records =
        prometheus::BuildCounter().Name("fluxgate_audit_records_total").Help("Records by what became of them.").Register(registry);
    prometheus::Counter& records_durable = records.Add({{"result", "durable"}});
    prometheus::Counter& records_failed = records.Add({{"result", "failed"}});
    prometheus::Family<prometheus::Counter>& events =
        prometheus::BuildCounter().Name("fluxgate_http_events_total").Help("What went wrong on the wire, by kind.").Register(registry);
    std::array<prometheus::Counter*, kEvents.size()> by_event{};

    prometheus::Family<prometheus::Gauge>& policy_set_info =
        prometheus::BuildGauge().Name("fluxgate_policy_set_info").Help("1 for the policy set in force, by digest.").Register(registry);
    prometheus::Gauge& policies = prometheus::BuildGauge().Name("fluxgate_policies").Help("Policies in force.").Register(registry).Add({});
    prometheus::Gauge& rules = prometheus::BuildGauge().Name("fluxgate_policy_rules").Help("Rules in force.").Register(registry).Add({});
    prometheus::Gauge* policy_set_in_force = nullptr;
    prometheus::Gauge& policy_set_current =
        prometheus::BuildGauge()
            .Name("fluxgate_policy_set_current")
            .Help("1 while the set in force is what the policy folder holds, 0 while the folder does not compile: alarm on it.")
            .Register(registry)
            .Add({});
    prometheus::Family<prometheus::Counter>& reloads = prometheus::BuildCounter()
                                                           .Name("fluxgate_policy_reloads_total")
                                                           .Help("Changes of the policy folder, by what became of them.")
                                                           .Register(registry);
    prometheus::Counter& reloads_good = reloads.Add({{"result", "loaded"}});
    prometheus::Counter& reloads_refused = reloads.Add({{"result", "refused"}});
    prometheus::Family<prometheus::Gauge>& exceptions =
        prometheus::BuildGauge()
            .Name("fluxgate_exceptions")
            .Help("GuardExceptions: active, expiring (active, and ending within 14 days), expired (without effect).")
            .Register(registry);
    prometheus::Gauge& exceptions_active = exceptions.Add({{"state", "active"}});
    prometheus::Gauge& exceptions_expiring = exceptions.Add({{"state", "expiring"}});
    prometheus::Gauge& exceptions_expired = exceptions.Add({{"state", "expired"}});
    prometheus::Gauge& learning = prometheus::BuildGauge()
                                      .Name("fluxgate_learning")
                                      .Help("1 while a lock learns who writes and so refuses people only.")
                                      .Register(registry)
                                      .Add({});
    prometheus::Counter& learned = prometheus::BuildCounter()
                                       .Name("fluxgate_admission_learned_total")
                                       .Help("Writes that passed only because a lock learns who writes.")
                                       .Register(registry)
                                       .Add({});
    prometheus::Counter& repeated = prometheus::BuildCounter()
                                        .Name("fluxgate_admission_repeated_total")
                                        .Help("Denials like one that was recorded less than a minute before: counted in one record.")
                                        .Register(registry)
                                        .Add({});
    prometheus::Counter& denied_without_record =
        prometheus::BuildCounter()
            .Name("fluxgate_admission_denied_without_record_total")
            .Help("Denials that leave no record of a denial: of dry runs, of what is no review, and of writes recorded too late.")
            .Register(registry)
            .Add({});
    prometheus::Counter& dry_runs = prometheus::BuildCounter()
                                        .Name("fluxgate_admission_dry_runs_total")
                                        .Help("Reviews of a dry run; they are among all reviews too.")
                                        .Register(registry)
                                        .Add({});
    prometheus::Family<prometheus::Counter>& findings =
        prometheus::BuildCounter()
            .Name("fluxgate_admission_findings_total")
            .Help("Reviews with a violation under Warn, or under Audit, or that needed a GuardException.")
            .Register(registry);
    prometheus::Counter& findings_warned = findings.Add({{"action", "warn"}});
    prometheus::Counter& findings_audited = findings.Add({{"action", "audit"}});
    prometheus::Counter& findings_excused = findings.Add({{"action", "excused"}});
    prometheus::Family<prometheus::Counter>& mutations = prometheus::BuildCounter()
                                                             .Name("fluxgate_admission_mutations_total")
                                                             .Help("Answers of /mutate, by whether they fill something in.")
                                                             .Register(registry);
    prometheus::Counter& mutations_patched = mutations.Add({{"result", "patched"}});
    prometheus::Counter& mutations_unchanged = mutations.Add({{"result", "unchanged"}});
    prometheus::Gauge& certificate_expiry = prometheus::BuildGauge()
                                                .Name("fluxgate_certificate_expiry_timestamp_seconds")
                                                .Help("When the serving certificate ends, in seconds since the epoch.")
                                                .Register(registry)
                                                .Add({});
    prometheus::Gauge& audit_available = prometheus::BuildGauge()
                                             .Name("fluxgate_audit_available")
                                             .Help("1 while records can be made durable, 0 while degraded: alarm on it.")
                                             .Register(registry)
                                             .Add({});
    // Absent until the first checkpoint of this process.
    prometheus::Family<prometheus::Gauge>& checkpoint_size = prometheus::BuildGauge()
                                                                 .Name("fluxgate_audit_checkpoint_size")
                                                                 .Help("Records under the last signed checkpoint.")
                                                                 .Register(registry);
    prometheus::Family<prometheus::Gauge>& checkpoint_time = prometheus::BuildGauge()
                                                                 .Name("fluxgate_audit_checkpoint_timestamp_seconds")
                                                                 .Help("When this process last signed a checkpoint.")
                                                                 .Register(registry);
    prometheus::Gauge& publishing =
        prometheus::BuildGauge()
            .Name("fluxgate_audit_publishing")
            .Help("1 while signed checkpoints are published over the records, 0 when they cannot be: alarm on it.")
            .Register(registry)
            .Add({});
    // Without access to an API server there are none, and no series that would alarm.
    prometheus::Family<prometheus::Gauge>& snapshot_fresh =
        prometheus::BuildGauge()
            .Name("fluxgate_snapshot_fresh")
            .Help("1 while what is known of the cluster is fresh, 0 while it is not, and the replica not ready: alarm on it.")
            .Register(registry);
    prometheus::Family<prometheus::Gauge>& snapshot_age =
        prometheus::BuildGauge()
            .Name("fluxgate_snapshot_age_seconds")
            .Help("Since every watch was open and the API server answered; not fresh beyond 15 s.")
            .Register(registry);
    prometheus::Gauge& draining = prometheus::BuildGauge().Name("fluxgate_draining").Help("1 after SIGTERM.").Register(registry).Add({});

    Impl() {
        for (std::size_t i = 0; i < kClasses.size(); ++i) {
            const std::string name(to_string(kClasses[i]));
            by_class[i] = {&reviews.Add({{"verdict", "denied"}, {"class", name}}), &reviews.Add({{"verdict", "allowed"}, {"class", name}})};
        }
        for (std::size_t i = 0; i < kEvents.size(); ++i) by_event[i] = &events.Add({{"kind", std::string(to_string(kEvents[i]))}});
    }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::count_review(bool allowed, policy::WriteClass write_class, const std::string& error, std::chrono::nanoseconds duration) {
    impl_->by_class[static_cast<std::size_t>(write_class)][allowed ? 1 : 0]->Increment();
    if (!error.empty()) impl_->errors.Increment();
    impl_->duration.observe(duration);
}

void Metrics::count_findings(bool warned, bool audited, bool excused) {
    if (warned) impl_->findings_warned.Increment();
    if (audited) impl_->findings_audited.Increment();
    if (excused) impl_->findings_excused.Increment();
}

void Metrics::count_repeated() { impl_->repeated.Increment(); }
void Metrics::count_dry_run() { impl_->dry_runs.Increment(); }
void Metrics::count_denied_without_record() { impl_->denied_without_record.Increment(); }

void Metrics::count_mutation(bool patched) { (patched ? impl_->mutations_patched : impl_->mutations_unchanged).Increment(); }

void Metrics::count_record(bool durable) { (durable ? impl_->records_durable : impl_->records_failed).Increment(); }

void Metrics::count_http_event(http::Event::Kind kind) { impl_->by_event[static_cast<std::size_t>(kind)]->Increment(); }

void Metrics::set_policy_set(const policy::PolicySet& set) {
    if (impl_->policy_set_in_force) impl_->policy_set_info.Remove(impl_->policy_set_in_force);
    impl_->policy_set_in_force = &impl_->policy_set_info.Add({{"digest", set.digest}});
    impl_->policy_set_in_force->Set(1);
    impl_->policy_set_current.Set(1);
    impl_->policies.Set(static_cast<double>(set.policies.size()));
    impl_->rules.Set(static_cast<double>(set.rule_count()));
}

void Metrics::count_policy_reload(bool good) {
    (good ? impl_->reloads_good : impl_->reloads_refused).Increment();
    impl_->policy_set_current.Set(good ? 1 : 0);
}

void Metrics::set_exceptions(const policy::ExceptionCounts& counts) {
    impl_->exceptions_active.Set(static_cast<double>(counts.active));
    impl_->exceptions_expiring.Set(static_cast<double>(counts.expiring));
    impl_->exceptions_expired.Set(static_cast<double>(counts.expired));
}

void Metrics::set_learning(bool learning) { impl_->learning.Set(learning ? 1 : 0); }
void Metrics::count_learned() { impl_->learned.Increment(); }

void Metrics::set_certificate_expiry(WallTime not_after) {
    impl_->certificate_expiry.Set(
        static_cast<double>(std::chrono::duration_cast<std::chrono::seconds>(not_after.time_since_epoch()).count()));
}

void Metrics::set_audit_available(bool available) { impl_->audit_available.Set(available ? 1 : 0); }
void Metrics::set_checkpoint(std::uint64_t size, WallTime time) {
    impl_->checkpoint_size.Add({}).Set(static_cast<double>(size));
    impl_->checkpoint_time.Add({}).Set(std::chrono::duration<double>(time.time_since_epoch()).count());
}
void Metrics::set_publishing(bool publishing) { impl_->publishing.Set(publishing ? 1 : 0); }
void Metrics::set_draining() { impl_->draining.Set(1); }

void Metrics::set_snapshots(bool fresh, std::chrono::nanoseconds age) {
    impl_->snapshot_fresh.Add({}).Set(fresh ? 1 : 0);  // Add finds the one there is
    impl_->snapshot_age.Add({}).Set(std::chrono::duration<double>(age).count());
}

Totals Metrics::totals() const {
    const auto count = [](const prometheus::Counter& counter) { return static_cast<std::uint64_t>(counter.Value()); };
    const auto of_class = [&](policy::WriteClass write_class) {
        const auto& counters = impl_->by_class[static_cast<std::size_t>(write_class)];
        return Totals::OfClass{.allowed = count(*counters[1]), .denied = count(*counters[0])};
    };
    return {.routine = of_class(policy::WriteClass::routine),
            .exceptional = of_class(policy::WriteClass::exceptional),
            .unguarded = of_class(policy::WriteClass::unguarded),
            .dry_run = count(impl_->dry_runs),
            .errors = count(impl_->errors),
            .repeated = count(impl_->repeated),
            .recorded = count(impl_->records_durable),
            .unrecorded = count(impl_->records_failed),
            .without_record = count(impl_->denied_without_record)};
}

std::string Metrics::expose(const http::ServerCounters& admission) const {
    std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
    const auto add = [&](std::vector<prometheus::MetricFamily> more) {
        for (auto& family : more) families.push_back(std::move(family));
    };
    using Type = prometheus::MetricType;
    add(impl_->duration.Collect());
    add(sample("fluxgate_http_connections_open", "TLS connections open now.", Type::Gauge,
               static_cast<double>(admission.connections_open.load())));
    add(sample("fluxgate_http_connections_total", "TLS connections accepted.", Type::Counter,
               static_cast<double>(admission.connections_total.load())));
    add(sample("fluxgate_http_requests_in_flight", "Requests being read or answered.", Type::Gauge,
               static_cast<double>(admission.requests_in_flight.load())));
    add(sample("fluxgate_http_body_bytes_in_flight", "Of the budget for all bodies.", Type::Gauge,
               static_cast<double>(admission.body_bytes_in_flight.load())));
    add(sample("process_resident_memory_bytes", "Resident memory.", Type::Gauge, resident_bytes()));
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace fluxgate::webhook
