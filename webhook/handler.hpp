#pragma once

// The door of the webhook: POST /validate or /mutate in, an answer before the caller's deadline out. It keeps the promise the review
// asks for: an answer that needs a record waits for the disk, but never past the deadline.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "audit/log.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/snapshot_cell.hpp"
#include "http/message.hpp"
#include "policy/lock/signed_grants.hpp"
#include "webhook/grant_uses.hpp"
#include "webhook/metrics.hpp"
#include "webhook/readiness.hpp"
#include "webhook/review.hpp"

namespace fluxgate::webhook {

// A resource; outlives the server that calls it. Any number of threads call it at once.
class AdmissionHandler {
public:
    struct Parts {
        const SnapshotCell<policy::PolicySet>& policies;
        audit::Log* log;  // nullptr: degraded, nothing can be recorded
        Metrics& metrics;
        const Clock& clock;
        Limits limits;
        Origin origin;
        // For the log: what was answered, after it was. `answered_without_record` when the promise could not be kept.
        std::function<void(const Outcome&, bool answered_without_record, std::chrono::nanoseconds)> on_answer;
        // For the log: a request that is no review, most likely by a registration with a wrong path.
        std::function<void(const http::Request&, int status)> on_misdirected = {};
        // Null without access to an API server.
        const SnapshotCell<policy::ClusterView>* cluster = nullptr;
        const SnapshotCell<policy::SignedGrants>* signed_grants = nullptr;
        GrantUses* grant_uses = nullptr;              // null: uses of break-glass grants are not counted
        RepeatedDenials* repeated_denials = nullptr;  // null: each denial is a record of its own
    };
    explicit AdmissionHandler(Parts parts);

    void operator()(const http::Request& request, http::Reply reply) const;

private:
    Reviewer& reviewer_of_this_thread() const;
    enum class Question { validate, mutate };
    void answer(Question question, const http::Request& request, http::Reply reply) const;
    Outcome judge(Reviewer& reviewer, std::string_view body, const policy::PolicySet& set, policy::Context& context) const;

    Parts parts_;
    std::uint64_t generation_;
};

// From `?timeout=3s` (Go's notation; what kube-apiserver sends): when an answer must be on its way.
std::chrono::steady_clock::time_point deadline_of(const http::Request& request, const Limits& limits);

// GET /livez and /readyz[?verbose] (and /healthz, an alias of /livez).
http::Handler make_health_handler(const Readiness& readiness);
// GET /metrics.
http::Handler make_metrics_handler(std::function<std::string()> expose);

}  // namespace fluxgate::webhook
