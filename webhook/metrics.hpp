#pragma once

// What the serving side counts, in Prometheus' text format. Names `fluxgate_*`, seconds, `_total`; no user, object or policy in
// a label, so that the number of series stays small. docs/reference/metrics.md lists them.
// Any thread may call anything; counting is a handful of atomic additions.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "http/server.hpp"
#include "policy/policy_set.hpp"
#include "webhook/review.hpp"

namespace fluxgate::webhook {

// Since the start. What a heartbeat tells, so that the log of records and the metrics cannot tell two stories.
struct Totals {
    struct OfClass {
        std::uint64_t allowed = 0;
        std::uint64_t denied = 0;
    };
    OfClass routine{};
    OfClass exceptional{};
    OfClass unguarded{};
    std::uint64_t dry_run = 0;
    std::uint64_t errors = 0;
    std::uint64_t repeated = 0;
    std::uint64_t recorded = 0;
    std::uint64_t unrecorded = 0;      // records that could not be kept
    std::uint64_t without_record = 0;  // denials that leave no record of a denial, by the rules: see count_denied_without_record
};

class Metrics {
public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // One answered review; `duration` from the first byte of its header to its answer.
    void count_review(bool allowed, policy::WriteClass write_class, const std::string& error, std::chrono::nanoseconds duration);
    // What a review was let through with, or denied with besides.
    void count_findings(bool warned, bool audited, bool excused);
    void count_learned();   // a write that passed only because a lock learns who writes
    void count_repeated();  // a denial that was folded into the record of the first
    void count_dry_run();
    // A denial that no record tells of as one: of a dry run that would store nothing, of bytes that are no review, or of a write that was
    // recorded as allowed, but too late for its answer.
    void count_denied_without_record();
    void count_mutation(bool patched);
    void count_record(bool durable);
    void count_http_event(http::Event::Kind kind);

    void set_policy_set(const policy::PolicySet& set);
    // A look at the policy folder that found something new; false: it does not compile, and the set in force is not it.
    void count_policy_reload(bool good);
    void set_exceptions(const policy::ExceptionCounts& counts);
    void set_learning(bool learning);
    void set_certificate_expiry(WallTime not_after);
    void set_audit_available(bool available);
    // A signed checkpoint over that many records was published then; `publishing` is false from the moment on when none can be any more.
    void set_checkpoint(std::uint64_t size, WallTime time);
    void set_publishing(bool publishing);
    void set_draining();
    // What is known of the cluster; never called without access to an API server.
    void set_snapshots(bool fresh, std::chrono::nanoseconds age);

    Totals totals() const;

    // The text of /metrics; `admission` are the counters of the TLS server.
    std::string expose(const http::ServerCounters& admission) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fluxgate::webhook
