#include "cli/cluster_snapshots.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "snapshots/reflector_feed.hpp"

namespace fluxgate::cli {

namespace {

// Half of what a fresh view may be old: two in a row may fail.
constexpr std::chrono::milliseconds kProbeTimeout{5'000};

std::function<Result<void>(std::stop_token)> make_probe(kube::client::ClientConfig access) {
    kube::client::ApiClientOptions options;
    options.timeout = kProbeTimeout;
    auto client = std::make_shared<kube::client::ApiClient>(std::move(access), options);
    return [client](const std::stop_token& stop) -> Result<void> {
        if (auto answered = client->probe(stop); !answered) return tl::unexpected(answered.error().error);
        return {};
    };
}

}  // namespace

ClusterSnapshots::ClusterSnapshots(kube::client::ClientConfig access, const SnapshotCell<policy::PolicySet>& policies, const Limits& limits,
                                   const Clock& clock, Log& log)
    : policies_(policies), limits_(limits), log_(log), signed_grants_(std::make_shared<const policy::SignedGrants>()) {
    const auto set = policies_.load();
    log_.write(LogLevel::info, "watching the cluster", {{"apiServer", access.source}});
    snapshots::ClusterWatch::Options options{
        .locked = snapshots::LockedNamespaces(*set),
        .limits = limits_,
        .make_feed = snapshots::make_reflector_feeds(access, set->options.own_namespace, pace_),
        .probe = make_probe(access),
        .on_offers =
            [this](const snapshots::ClusterWatch::Offers& offers) {
                const std::lock_guard lock(reading_grants_);
                offers_ = offers;
                read_grants();
            },
        .on_trouble =
            [this](snapshots::Kind kind, const std::string& problem) {
                log_.write_limited(LogLevel::warn, "the cluster cannot be watched",
                                   {{"collection", std::string(snapshots::to_string(kind))}, {"error", problem}});
            },
    };
    watch_ = std::make_unique<snapshots::ClusterWatch>(std::move(options), clock);
}

void ClusterSnapshots::measure(webhook::Metrics& metrics) const { metrics.set_snapshots(!watch_->why_not_fresh(), watch_->age()); }

void ClusterSnapshots::policies_changed() {
    watch_->set_locked_namespaces(snapshots::LockedNamespaces(*policies_.load()));
    const std::lock_guard lock(reading_grants_);
    read_grants();
}

void ClusterSnapshots::announce() {
    const auto trouble = watch_->why_not_fresh();
    if (announced_fresh_ == !trouble) return;
    announced_fresh_ = !trouble;
    if (trouble) return log_.write(LogLevel::warn, "what is known of the cluster is not fresh; not ready", {{"why", *trouble}});
    const auto view = watch_->view().load();
    log_.write(LogLevel::info, "what is known of the cluster is fresh",
               {{"cluster", view->cluster_uid},
                {"namespaces", std::to_string(view->namespaces->size())},
                {"owners", std::to_string(view->owners->size())},
                {"cronJobs", std::to_string(view->cron_jobs->size())},
                {"offeredGrants", std::to_string(view->grants->size())}});
}

// Under the mutex.
void ClusterSnapshots::read_grants() {
    constexpr std::size_t kProblemsShown = 20;
    if (!offers_) return;
    auto read = std::make_shared<const policy::SignedGrants>(policy::SignedGrants::read(*offers_, *policies_.load(), limits_));
    std::size_t shown = 0;
    for (const std::string& problem : read->problems) {
        if (std::find(grant_problems_.begin(), grant_problems_.end(), problem) != grant_problems_.end() || shown == kProblemsShown)
            continue;
        log_.write(LogLevel::warn, "an offered grant is not accepted", {{"problem", problem}});
        ++shown;
    }
    grant_problems_ = read->problems;
    signed_grants_.store(std::move(read));
}

}  // namespace fluxgate::cli
