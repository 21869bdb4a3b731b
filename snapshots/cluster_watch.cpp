#include "snapshots/cluster_watch.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include <fmt/format.h>

namespace fluxgate::snapshots {

namespace {

// How often the states of feeds are looked at, which nobody announces.
constexpr std::chrono::seconds kBetweenLooks{1};

std::size_t index_of(Kind kind) { return static_cast<std::size_t>(kind); }

std::string describe(const std::exception& mistake) {
    try {
        return mistake.what();
    } catch (const std::bad_alloc&) {
        return "no memory";  // short enough to need none
    }
}

// "helmcharts (source.toolkit.fluxcd.io/v1)"
std::string describe_with_version(Kind kind) {
    constexpr std::string_view kApis = "/apis/";
    const std::string path = path_of(kind, "");
    if (!path.starts_with(kApis)) return std::string(to_string(kind));
    return fmt::format("{} ({})", to_string(kind), path.substr(kApis.size(), path.rfind('/') - kApis.size()));
}

}  // namespace

ClusterWatch::ClusterWatch(Options options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      gathering_(options_.locked, options_.limits),
      locked_(options_.locked),
      started_at_(clock.steady()) {}

void ClusterWatch::begin() {
    for (const Kind kind : kKinds) {
        auto feed = options_.make_feed(kind, handlers_of(kind));
        const std::lock_guard lock(mutex_);
        feeds_[index_of(kind)] = std::move(feed);
    }
    maker_ = std::jthread([this](const std::stop_token& stop) { make_views(stop); });
    prober_ = std::jthread([this](const std::stop_token& stop) { probe_on_and_on(stop); });
}

// Feeds use all the rest, so they end first; the maker looks at feeds, so it ends before them.
ClusterWatch::~ClusterWatch() {
    prober_.request_stop();
    maker_ = std::jthread();
    for (auto& feed : feeds_) feed.reset();
}

FeedHandlers ClusterWatch::handlers_of(Kind kind) {
    const auto gather = [this, kind](auto member, auto... object) {
        {
            const std::lock_guard lock(mutex_);
            (gathering_.*member)(kind, object...);
            touched_ = true;
        }
        wake_.notify_one();
    };
    return {.list_begins = [gather] { gather(&Gathering::list_begins); },
            .exists = [gather](kube::Json object) { gather(&Gathering::exists, object); },
            .gone = [gather](kube::Json object) { gather(&Gathering::gone, object); },
            .list_ends = [gather] { gather(&Gathering::list_ends); },
            .passed_over = [gather](const std::string& problem) { gather(&Gathering::passed_over, problem); },
            .failed =
                [this, kind](const Error& problem) {
                    {
                        const std::lock_guard lock(mutex_);
                        problems_[index_of(kind)] = to_string(problem);
                    }
                    if (options_.on_trouble) options_.on_trouble(kind, problem);
                }};
}

// A mistake of ours, or no memory, is tried again: the view before stays, and is not fresh.
void ClusterWatch::make_views(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        try {
            make_view(stop);
        } catch (const std::exception& exception) {
            std::unique_lock lock(mutex_);
            touched_ = true;
            making_problem_ = describe(exception);
            wake_.wait_for(lock, stop, kBetweenLooks, [] { return false; });
        }
    }
}

void ClusterWatch::make_view(const std::stop_token& stop) {
    std::shared_ptr<const policy::ClusterView> view;  // ends after the lock, and the one before with it
    std::shared_ptr<const policy::ClusterView> before;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kBetweenLooks, [this] { return touched_; });
    if (touched_) wake_.wait_for(lock, stop, options_.settling, [] { return false; });
    if (stop.stop_requested()) return;
    touched_ = false;
    list_again_where_needed();
    if (all_is_well()) watched_at_ = clock_.steady();
    if (!gathering_.complete()) return;
    view = before = view_.load();
    if (!view || gathering_.changed()) {
        view = std::make_shared<const policy::ClusterView>(gathering_.view());
        view_.store(view);
    }
    if (view->grants != offers_) {
        lock.unlock();
        if (options_.on_offers) options_.on_offers(view->grants);
        lock.lock();
        offers_ = view->grants;
    }
    making_problem_.reset();
}

// A list that is under way, or tried again after a failure, is left to itself: the pause begins when the watch is open.
void ClusterWatch::list_again_where_needed() {
    const SteadyTime now = clock_.steady();
    for (const Kind kind : kKinds) {
        auto& last = listed_again_at_[index_of(kind)];
        if (!gathering_.problem(kind)) {
            last.reset();
            continue;
        }
        const auto& feed = feeds_[index_of(kind)];
        const bool open = feed && feed->state() == Feed::State::open;
        if (!last || !open) last = now;
        if (now - *last < options_.between_lists) continue;
        last = now;
        feed->list_again();
    }
}

bool ClusterWatch::all_is_well() const { return gathering_.complete() && !gathering_.problem() && !find_closed(); }

std::optional<Kind> ClusterWatch::find_closed() const {
    std::optional<Kind> closed;
    for (const Kind kind : kKinds) {
        const auto& feed = feeds_[index_of(kind)];
        const Feed::State state = feed ? feed->state() : Feed::State::starting;
        if (state == Feed::State::failing) return kind;
        if (state == Feed::State::starting && !closed) closed = kind;
    }
    return closed;
}

std::string ClusterWatch::describe_closed(Kind kind) const {
    const auto& feed = feeds_[index_of(kind)];
    const bool failing = feed && feed->state() == Feed::State::failing;
    if (failing) return fmt::format("the watch of {} is failing: {}", to_string(kind), problems_[index_of(kind)]);
    if (!gathering_.complete(kind)) return fmt::format("{} are not listed yet", to_string(kind));
    return fmt::format("the watch of {} is not open yet", to_string(kind));
}

void ClusterWatch::probe_on_and_on(const std::stop_token& stop) {
    std::mutex pause;
    std::condition_variable_any wake;
    std::unique_lock pausing(pause);
    do {
        const SteadyTime begun = clock_.steady();
        const Result<void> answered = probe(stop);
        const std::lock_guard lock(mutex_);
        if (answered) probed_at_ = begun;
        probe_problem_ = answered ? std::string() : to_string(answered.error());
    } while (!wake.wait_for(pausing, stop, options_.between_probes, [] { return false; }) && !stop.stop_requested());
}

Result<void> ClusterWatch::probe(const std::stop_token& stop) const {
    try {
        return options_.probe(stop);
    } catch (const std::exception& exception) {
        return fail(Errc::internal, describe(exception));
    }
}

std::optional<std::string> ClusterWatch::why_not_fresh() const {
    const std::lock_guard lock(mutex_);
    auto trouble = find_trouble();
    if (!trouble || !options_.waiting_for) return trouble;
    if (const auto awaited = options_.waiting_for()) trouble->append("; waiting for ").append(*awaited);
    return trouble;
}

std::optional<std::string> ClusterWatch::find_trouble() const {
    const auto closed = find_closed();
    if (closed && !gathering_.complete()) return describe_closed(*closed);
    if (auto problem = gathering_.problem()) return problem;
    if (making_problem_) return fmt::format("no view can be made: {}", *making_problem_);
    if (!view_.load()) return "the first view is being made";
    const SteadyTime now = clock_.steady();
    if (!probed_at_ || now - *probed_at_ > kFreshFor) {
        const auto silent = std::chrono::duration_cast<std::chrono::seconds>(now - probed_at_.value_or(started_at_));
        return fmt::format("no answer of the API server for {} s{}{}", silent.count(), probe_problem_.empty() ? "" : ": ", probe_problem_);
    }
    if (closed && (!watched_at_ || now - *watched_at_ > kFreshFor)) return describe_closed(*closed);
    return std::nullopt;
}

std::chrono::nanoseconds ClusterWatch::age() const {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = clock_.steady();
    const SteadyTime watched = all_is_well() ? now : watched_at_.value_or(started_at_);
    return now - std::min({now, watched, probed_at_.value_or(started_at_)});
}

std::string ClusterWatch::absent_kinds() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const Kind kind : kKinds) {
        const auto& feed = feeds_[index_of(kind)];
        if (feed && feed->state() == Feed::State::absent) text.append(text.empty() ? "" : ", ").append(describe_with_version(kind));
    }
    return text;
}

void ClusterWatch::set_locked_namespaces(const LockedNamespaces& locked) {
    const std::lock_guard lock(mutex_);
    if (locked == locked_) return;
    locked_ = locked;
    gathering_.set_locked_namespaces(locked);
    if (const auto& feed = feeds_[index_of(Kind::cron_jobs)]) feed->list_again();
}

}  // namespace fluxgate::snapshots
