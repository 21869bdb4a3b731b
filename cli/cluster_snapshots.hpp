#pragma once

// What `serve` knows of the cluster beyond the review at hand: the watch of the cluster, wired to one API server, to the log and to
// the metrics, and the break-glass grants that were offered, checked against the policy set in force.

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/snapshot_cell.hpp"
#include "cli/log.hpp"
#include "cli/news.hpp"
#include "kube/client/api_client.hpp"
#include "kube/client/pace.hpp"
#include "policy/lock/signed_grants.hpp"
#include "policy/policy_set.hpp"
#include "snapshots/cluster_watch.hpp"
#include "webhook/metrics.hpp"

namespace fluxgate::cli {

// A resource. What is given by reference outlives it.
class ClusterSnapshots {
public:
    ClusterSnapshots(kube::client::ClientConfig access, const SnapshotCell<policy::PolicySet>& policies, const Limits& limits,
                     const Clock& clock, Log& log);

    // Begins to watch, once; waits for nothing. An API server that does not answer is no error: `why_not_fresh` says so, and it is tried on.
    void begin();

    // For the request path.
    const SnapshotCell<policy::ClusterView>& view() const { return watch_->view(); }
    const SnapshotCell<policy::SignedGrants>& signed_grants() const { return signed_grants_; }

    // Any thread.
    std::optional<std::string> why_not_fresh() const { return watch_->why_not_fresh(); }
    std::string absent_kinds() const { return watch_->absent_kinds(); }
    void measure(webhook::Metrics& metrics) const;

    // After another policy set came into force. On the thread that brought it.
    void policies_changed();
    // Now and then, on one thread: logs when the snapshots became fresh, or ceased to be.
    void announce();

private:
    void tell_trouble(snapshots::Kind kind, const Error& problem);
    void read_grants();

    const SnapshotCell<policy::PolicySet>& policies_;
    const Limits limits_;
    const Clock& clock_;
    Log& log_;
    const std::string api_server_;  // for the log
    kube::client::SystemPace pace_;
    SnapshotCell<policy::SignedGrants> signed_grants_;
    std::optional<bool> announced_fresh_;

    std::mutex reading_grants_;  // offers come on one thread, policy sets on another
    snapshots::ClusterWatch::Offers offers_;
    KnownProblems grant_problems_;

    std::mutex telling_;  // each feed has a thread
    RecentMessages troubles_;

    std::unique_ptr<snapshots::ClusterWatch> watch_;  // the last member: its threads use what is above
};

}  // namespace fluxgate::cli
