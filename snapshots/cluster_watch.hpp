#pragma once

// Keeps a view of the cluster current: a feed for each collection, a thread that makes views of what they bring, and one that asks
// the API server now and then whether it is still there (a watch that hangs looks like a quiet cluster, and bookmarks come once a
// minute only).
//
// Fresh: everything has been listed and kept, and at most `kFreshFor` ago every watch was open (or its kind not installed) and a
// probe of the API server succeeded. A watch that breaks and is open again within that time makes nobody unready. What is not fresh
// is not ready: webhook/readiness.hpp.
//
// What did not fit or could not be read is a problem until a list has ended without it. A watch in good health never lists, so a
// collection with a problem is listed anew every half minute.

#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"
#include "base/snapshot_cell.hpp"
#include "policy/cluster_view.hpp"
#include "snapshots/feed.hpp"
#include "snapshots/gathering.hpp"

namespace fluxgate::snapshots {

inline constexpr std::chrono::seconds kFreshFor{15};

// A resource. Any thread may ask; the rest is for one thread at a time.
class ClusterWatch {
public:
    using Offers = std::shared_ptr<const std::vector<policy::OfferedGrant>>;

    struct Options {
        LockedNamespaces locked;
        Limits limits;
        MakeFeed make_feed;
        std::function<Result<void>(std::stop_token)> probe;          // may block; ends soon when asked to stop
        std::function<void(const Offers&)> on_offers;                // when they changed, on the thread that makes views
        std::function<void(Kind, const Error& problem)> on_trouble;  // for the log, on the feed's thread
        std::function<std::optional<std::string>()> waiting_for{};   // for people: what holds all calls up, if anything does
        std::chrono::milliseconds between_probes{5'000};
        std::chrono::seconds between_lists{30};   // of a collection with a problem
        std::chrono::milliseconds settling{100};  // changes that come together make one view
    };
    // `clock` outlives the watch.
    ClusterWatch(Options options, const Clock& clock);
    // Starts the feeds; once. Until then nothing is listed.
    void begin();
    ~ClusterWatch();
    ClusterWatch(const ClusterWatch&) = delete;
    ClusterWatch& operator=(const ClusterWatch&) = delete;

    // Null until everything has been listed once.
    const SnapshotCell<policy::ClusterView>& view() const { return view_; }

    // For people: "no answer of the API server for 17 s: …". Nothing while fresh.
    std::optional<std::string> why_not_fresh() const;
    // For people: the kinds that the API server does not serve in the version that is watched, of which nothing is known therefore:
    // "helmcharts (source.toolkit.fluxcd.io/v1), …". Empty if there are none.
    std::string absent_kinds() const;
    // Since all was well; since the start if it never was.
    std::chrono::nanoseconds age() const;

    // Lists the CronJobs anew if these are others than before. Waits for nothing.
    void set_locked_namespaces(const LockedNamespaces& locked);

private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    FeedHandlers handlers_of(Kind kind);
    void make_views(const std::stop_token& stop);
    void make_view(const std::stop_token& stop);
    void list_again_where_needed();
    std::optional<std::string> find_trouble() const;
    std::optional<Kind> find_closed() const;  // one that fails rather than one that only starts
    std::string describe_closed(Kind kind) const;
    void probe_on_and_on(const std::stop_token& stop);
    Result<void> probe(const std::stop_token& stop) const;
    bool all_is_well() const;

    Options options_;
    const Clock& clock_;
    SnapshotCell<policy::ClusterView> view_{nullptr};

    mutable std::mutex mutex_;  // guards what follows; never held while a view is used or a feed ends
    std::condition_variable_any wake_;
    Gathering gathering_;
    LockedNamespaces locked_;
    bool touched_ = false;  // by a feed, since the last view
    std::array<std::string, kKinds.size()> problems_;
    std::array<std::optional<SteadyTime>, kKinds.size()>
        listed_again_at_;  // of collections with a problem; at first when the watch was open with it
    std::string probe_problem_;
    std::optional<std::string> making_problem_;
    SteadyTime started_at_;
    std::optional<SteadyTime> probed_at_;   // when the last probe that succeeded began
    std::optional<SteadyTime> watched_at_;  // when every watch was seen open last
    Offers offers_;

    std::array<std::unique_ptr<Feed>, kKinds.size()> feeds_;  // null before it began
    std::jthread maker_;
    std::jthread prober_;
};

}  // namespace fluxgate::snapshots
