#include "kube/client/reflector.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace fluxgate::kube::client {

namespace {

using namespace std::chrono_literals;

constexpr auto kAbsentPause = 30s;
// A watch that lived this long was a real one: whatever ended it, the next may start at once.
constexpr auto kRealWatch = 5s;
// The server ends a watch within four to six minutes, each at another time.
constexpr auto kWatchTime = 240s;
constexpr double kWatchSpread = 120;
// A server that asks for hours would leave us blind.
constexpr auto kRetryAfterMax = 60s;
// A version that the server does not like, for a reason it does not say, is forgotten after so many attempts.
constexpr unsigned kAttemptsPerVersion = 5;

// The call was not answered, or answered "later": the version we have may still be good.
bool is_passing(const Failure& failure) {
    if (failure.status == 0) {
        return failure.error.code == Errc::peer || failure.error.code == Errc::deadline_exceeded || failure.error.code == Errc::io;
    }
    return failure.status == 401 || failure.status == 429 || failure.status >= 500;
}

Failure mistake_in(const std::exception& exception, const std::string& path) {
    Failure failure{};
    try {
        failure.error = {Errc::internal, exception.what(), "GET " + path};
    } catch (const std::bad_alloc&) {
        failure.error.message = "no memory";  // short enough to need none
    }
    return failure;
}

}  // namespace

Reflector::Reflector(ApiClient client, Collection collection, Handlers handlers, Pace& pace)
    : client_(std::move(client)), collection_(std::move(collection)), handlers_(std::move(handlers)), pace_(pace) {}

void Reflector::run(std::stop_token stop) {
    while (!stop.stop_requested()) {
        std::stop_source turn;
        {
            const std::lock_guard lock(turn_mutex_);
            turn_ = turn;
            if (std::exchange(list_again_, false)) start_over();
        }
        const std::stop_callback forward(stop, [&turn] { turn.request_stop(); });
        try {
            take_turn(turn.get_token());
        } catch (const std::exception& exception) {
            // Half an answer may have been shown.
            start_over();
            fail_and_wait(mistake_in(exception, collection_.path), turn.get_token());
        }
    }
}

void Reflector::list_again() {
    const std::lock_guard lock(turn_mutex_);
    list_again_ = true;
    turn_.request_stop();
}

void Reflector::take_turn(const std::stop_token& stop) {
    if (resource_version_.empty()) {
        list(stop);
    } else {
        watch(stop);
    }
}

void Reflector::list(const std::stop_token& stop) {
    ListOptions options{};
    options.label_selector = collection_.label_selector;
    ListHandlers handlers{};
    handlers.begins = handlers_.list_begins;
    handlers.item = handlers_.exists;
    handlers.passed_over = handlers_.failed;
    const auto version = client_.list(collection_.path, options, handlers, stop);
    if (version) {
        resource_version_ = *version;
        if (handlers_.list_ends) handlers_.list_ends();
    } else if (stop.stop_requested()) {
        return;
    } else if (version.error().not_found()) {
        wait_for_kind(stop);
    } else {
        fail_and_wait(version.error(), stop);
    }
}

void Reflector::watch(const std::stop_token& stop) {
    WatchOptions options{};
    options.resource_version = resource_version_;
    options.label_selector = collection_.label_selector;
    options.timeout = kWatchTime + std::chrono::seconds(static_cast<long>(pace_.chance() * kWatchSpread));
    std::optional<std::chrono::steady_clock::time_point> opened_at;
    WatchHandlers handlers{};
    handlers.opened = [&] {
        opened_at = pace_.now();
        state_.store(State::open, std::memory_order_release);
    };
    handlers.event = [&](WatchEvent event, Json object) { show(event, object); };
    handlers.passed_over = handlers_.failed;
    const auto ended = client_.watch(collection_.path, options, handlers, stop);
    if (stop.stop_requested()) return;
    const bool was_real = opened_at && pace_.now() - *opened_at >= kRealWatch;
    if (was_real) {
        backoff_.reset();
        early_ends_ = 0;
    }
    if (!ended && !is_passing(ended.error())) start_over();
    if (was_real) return;
    if (!ended) {
        if (backoff_.attempts >= kAttemptsPerVersion) start_over();
        fail_and_wait(ended.error(), stop);
    } else {
        ended_early(stop);
    }
}

void Reflector::show(WatchEvent event, Json object) {
    if (event == WatchEvent::added || event == WatchEvent::modified) {
        if (handlers_.exists) handlers_.exists(object);
    } else if (event == WatchEvent::deleted) {
        if (handlers_.gone) handlers_.gone(object);
    }
    if (const auto version = object["metadata"]["resourceVersion"].text(); !version.empty()) resource_version_ = version;
}

void Reflector::start_over() {
    resource_version_.clear();
    state_.store(State::starting, std::memory_order_release);
}

// An API server that stops ends its watches; one that does so again and again is no source of news.
void Reflector::ended_early(const std::stop_token& stop) {
    if (++early_ends_ == 1) {
        wait(0s, stop);
        return;
    }
    Failure failure{};
    failure.error = {Errc::peer, "the API server ends the watch as soon as it is open", "GET " + collection_.path};
    fail_and_wait(failure, stop);
}

void Reflector::wait_for_kind(const std::stop_token& stop) {
    if (state() != State::absent) {
        if (handlers_.list_begins) handlers_.list_begins();
        if (handlers_.list_ends) handlers_.list_ends();
        state_.store(State::absent, std::memory_order_release);
    }
    backoff_.reset();
    pace_.pause(kAbsentPause, stop);
}

void Reflector::fail_and_wait(const Failure& failure, const std::stop_token& stop) {
    state_.store(State::failing, std::memory_order_release);
    try {
        if (handlers_.failed) handlers_.failed(failure);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): the state says it too; without memory not even this can be told
    }
    wait(std::min<std::chrono::seconds>(failure.retry_after, kRetryAfterMax), stop);
}

void Reflector::wait(std::chrono::milliseconds at_least, const std::stop_token& stop) {
    pace_.pause(std::max(at_least, backoff_.next(pace_.chance())), stop);
}

}  // namespace fluxgate::kube::client
