#include "cli/cluster_snapshots.hpp"

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
    : policies_(policies),
      limits_(limits),
      clock_(clock),
      log_(log),
      api_server_(access.source),
      signed_grants_(std::make_shared<const policy::SignedGrants>()) {
    const auto set = policies_.load();
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
        .on_trouble = [this](snapshots::Kind kind, const Error& problem) { tell_trouble(kind, problem); },
        .waiting_for = [credentials = access.credentials] { return credentials->waiting_for(); },
    };
    watch_ = std::make_unique<snapshots::ClusterWatch>(std::move(options), clock);
}

void ClusterSnapshots::begin() {
    log_.write(LogLevel::info, "watching the cluster", {{"apiServer", api_server_}});
    watch_->begin();
}

// A server that cannot be reached, or does not know us, says the same of every collection.
void ClusterSnapshots::tell_trouble(snapshots::Kind kind, const Error& problem) {
    {
        const std::lock_guard lock(telling_);
        if (!troubles_.is_news(problem.message, clock_.steady())) return;
    }
    log_.write_limited(LogLevel::warn, "the cluster cannot be watched",
                       {{"collection", std::string(snapshots::to_string(kind))}, {"error", to_string(problem)}});
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
    for (const std::string& problem : grant_problems_.take_news(read->problems, kProblemsShown))
        log_.write(LogLevel::warn, "an offered grant is not accepted", {{"problem", problem}});
    signed_grants_.store(std::move(read));
}

}  // namespace fluxgate::cli
