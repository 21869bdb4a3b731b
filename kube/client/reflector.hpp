#pragma once

// Follows one collection of the API for ever: lists it, watches what changes, resumes a watch that ended from the last version it
// saw, lists again when that is too old, and waits longer and longer while it fails.
//
// Every object is shown once and not kept: who needs a state builds it from the calls. An object above the bound of the client is
// reported by `failed` and passed over: whatever was shown of it before is then out of date.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "kube/client/api_client.hpp"
#include "kube/client/failure.hpp"
#include "kube/client/pace.hpp"
#include "kube/json.hpp"

namespace fluxgate::kube::client {

// A handler that throws is a failure of that turn: it is reported, and the collection is listed anew.
//
// A resource. `run` belongs to one thread; `state`, `list_again` and the stop token to any.
class Reflector {
public:
    struct Collection {
        std::string path = {};  // "/api/v1/namespaces", "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"
        std::string label_selector = {};
    };
    // All are called on the thread of `run`; an empty one is passed over. Objects of a list carry no apiVersion and kind of their
    // own for built-in kinds. After `list_begins` a list may fail and begin again: act on the state at `list_ends` only.
    struct Handlers {
        std::function<void()> list_begins = {};              // what follows is all there is
        std::function<void(kube::Json object)> exists = {};  // of the list; added or modified by the watch
        std::function<void(kube::Json object)> gone = {};    // deleted
        std::function<void()> list_ends = {};                // the list is complete: from now on changes
        std::function<void(const Failure&)> failed = {};     // for the log; tried again after a back-off
    };
    enum class State : std::uint8_t {
        starting,  // the first list, or the first watch after it
        open,      // a watch is open, or is being opened again after it ended in the ordinary way
        absent,    // 404: the kind is not installed. Shown as an empty list; asked again every 30 s
        failing,   // no list or no watch for now
    };

    // `pace` must outlive it.
    Reflector(ApiClient client, Collection collection, Handlers handlers, Pace& pace);

    void run(std::stop_token stop);  // returns when stopped

    // Breaks off what is under way, also a pause, and begins with the list. Does not wait for it.
    void list_again();

    State state() const { return state_.load(std::memory_order_acquire); }

private:
    void take_turn(const std::stop_token& stop);
    void list(const std::stop_token& stop);
    void watch(const std::stop_token& stop);
    void show(WatchEvent event, Json object);
    void start_over();
    void ended_early(const std::stop_token& stop);
    void wait_for_kind(const std::stop_token& stop);
    void fail_and_wait(const Failure& failure, const std::stop_token& stop);
    void wait(std::chrono::milliseconds at_least, const std::stop_token& stop);

    ApiClient client_;
    Collection collection_;
    Handlers handlers_;
    Pace& pace_;
    Backoff backoff_;
    std::string resource_version_;  // empty: a list is due
    unsigned early_ends_ = 0;       // watches in a row that ended at once and without a reason
    std::atomic<State> state_{State::starting};
    std::mutex turn_mutex_;  // guards what follows
    std::stop_source turn_;  // stops one call or pause
    bool list_again_ = false;
};

}  // namespace fluxgate::kube::client
