#include "snapshots/reflector_feed.hpp"

#include <thread>
#include <utility>

#include "kube/client/reflector.hpp"

namespace fluxgate::snapshots {

namespace {

using kube::client::ApiClient;
using kube::client::Failure;
using kube::client::Reflector;

class ReflectorFeed final : public Feed {
public:
    ReflectorFeed(ApiClient client, Reflector::Collection collection, FeedHandlers handlers, kube::client::Pace& pace)
        : reflector_(std::move(client), std::move(collection), adapted(std::move(handlers)), pace),
          thread_([this](const std::stop_token& stop) { reflector_.run(stop); }) {}

    State state() const override {
        switch (reflector_.state()) {
            case Reflector::State::starting: return State::starting;
            case Reflector::State::open: return State::open;
            case Reflector::State::absent: return State::absent;
            case Reflector::State::failing: break;
        }
        return State::failing;
    }
    void list_again() override { reflector_.list_again(); }

private:
    static Reflector::Handlers adapted(FeedHandlers handlers) {
        return {.list_begins = std::move(handlers.list_begins),
                .exists = std::move(handlers.exists),
                .gone = std::move(handlers.gone),
                .list_ends = std::move(handlers.list_ends),
                .failed = [passed_over = std::move(handlers.passed_over), failed = std::move(handlers.failed)](const Failure& failure) {
                    // Of a list that goes on the client leaves out what it cannot read; a list or watch that breaks off for such a reason
                    // begins anew, and what is said here is forgotten when it has ended.
                    if (failure.status == 0 && failure.error.code < Errc::invalid_policy) passed_over(to_string(failure.error));
                    failed(failure.error);
                }};
    }

    Reflector reflector_;
    std::jthread thread_;  // the last member: ends before what it uses
};

}  // namespace

MakeFeed make_reflector_feeds(kube::client::ClientConfig config, std::string own_namespace, kube::client::Pace& pace) {
    return [config = std::move(config), own_namespace = std::move(own_namespace), &pace](Kind kind,
                                                                                         FeedHandlers handlers) -> std::unique_ptr<Feed> {
        Reflector::Collection collection{path_of(kind, own_namespace), std::string(label_selector_of(kind))};
        return std::make_unique<ReflectorFeed>(ApiClient(config), std::move(collection), std::move(handlers), pace);
    };
}

}  // namespace fluxgate::snapshots
