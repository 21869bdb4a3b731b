#pragma once

// May Kubernetes send us reviews? `/livez` depends on nothing but the process; `/readyz` on what this says.
// Ready: not draining, a policy set, a certificate that is valid now, what is known of the cluster fresh (if we have access to an API
// server), and an audit log that records or is degraded. Degraded
// is ready on purpose (DESIGN §5.9): the log must never be the reason that Flux stops; `?verbose` and a metric tell.

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "base/snapshot_cell.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::webhook {

enum class AuditState { recording, degraded, broken };

// Any thread may set and ask.
class Readiness {
public:
    Readiness(const SnapshotCell<policy::PolicySet>& policies, const Clock& clock) : policies_(policies), clock_(clock) {}

    void set_draining() { draining_ = true; }
    // degraded: could not be opened at the start, or has no room; broken: failed while running, the process is about to end.
    // `why` of a degraded log is shown: what to do about it.
    void set_audit(AuditState state, std::string why = {}) {
        std::lock_guard lock(mutex_);
        audit_ = state;
        audit_trouble_ = std::move(why);
    }
    // Why records are taken but no signed checkpoint is published over them; empty when one is. Ready nevertheless.
    void set_checkpoint_trouble(std::string trouble) {
        std::lock_guard lock(mutex_);
        checkpoint_trouble_ = std::move(trouble);
    }
    void set_certificate(WallTime not_before, WallTime not_after) {
        not_before_ = not_before.time_since_epoch().count();
        not_after_ = not_after.time_since_epoch().count();
    }

    // What keeps the policy folder from being in force, in a line; empty when nothing does. Ready nevertheless: the last good set
    // goes on judging.
    void set_policy_trouble(std::string trouble) {
        std::lock_guard lock(mutex_);
        policy_trouble_ = std::move(trouble);
    }

    // With access to an API server: says why what is known of the cluster is not fresh, nothing while it is; and which kinds the server
    // does not serve, empty if it serves all. Before the first report; any thread may ask them.
    void set_snapshots(std::function<std::optional<std::string>()> why_not_fresh, std::function<std::string()> absent_kinds) {
        why_not_fresh_ = std::move(why_not_fresh);
        absent_kinds_ = std::move(absent_kinds);
    }

    struct Report {
        bool ready = false;
        std::string text;  // a line per check, as kube-apiserver's own: "[+]policies ok", "[-]certificate failed: …"
    };
    Report report() const;

private:
    const SnapshotCell<policy::PolicySet>& policies_;
    const Clock& clock_;
    std::function<std::optional<std::string>()> why_not_fresh_;  // empty without access
    std::function<std::string()> absent_kinds_;
    mutable std::mutex mutex_;
    std::string policy_trouble_;
    std::string audit_trouble_;
    std::string checkpoint_trouble_;
    AuditState audit_ = AuditState::recording;
    std::atomic<bool> draining_{false};
    std::atomic<WallTime::rep> not_before_{0};
    std::atomic<WallTime::rep> not_after_{0};
};

}  // namespace fluxgate::webhook
