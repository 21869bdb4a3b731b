#pragma once

// One collection of the API server, listed and watched on a thread of its own until the feed ends. What snapshots/ needs of
// kube/client/, as an interface: tests feed by hand.

#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "kube/json.hpp"
#include "snapshots/gathering.hpp"

namespace fluxgate::snapshots {

// All on the feed's thread; none after the feed has ended. An object is valid during the call.
struct FeedHandlers {
    std::function<void()> list_begins{};
    std::function<void(kube::Json)> exists{};
    std::function<void(kube::Json)> gone{};
    std::function<void()> list_ends{};
    std::function<void(const std::string& problem)> passed_over{};  // an object that cannot be read
    std::function<void(const Error& problem)> failed{};             // tried again after a while
};

class Feed {
public:
    // absent: the API server does not serve the kind in this version. Then it is an empty list, asked for again now and then.
    enum class State { starting, open, absent, failing };

    Feed() = default;
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;
    // Ends the thread; returns when it has ended.
    virtual ~Feed() = default;
    // Any thread; neither waits.
    virtual State state() const = 0;
    virtual void list_again() = 0;
};

using MakeFeed = std::function<std::unique_ptr<Feed>(Kind kind, FeedHandlers handlers)>;

}  // namespace fluxgate::snapshots
