#pragma once

// Everything that is known of the cluster, as it comes in: a table for each collection, and the view made of them. Pure: objects in,
// values out; no thread, no clock, no network. One thread at a time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/limits.hpp"
#include "kube/json.hpp"
#include "policy/cluster_view.hpp"
#include "snapshots/cron_jobs.hpp"
#include "snapshots/namespaces.hpp"
#include "snapshots/offered_grants.hpp"
#include "snapshots/owners.hpp"
#include "snapshots/table.hpp"

namespace fluxgate::snapshots {

// What is watched. deploy/webhook/rbac.yaml allows exactly these.
enum class Kind : std::uint8_t {
    namespaces,
    kustomizations,
    helm_releases,
    git_repositories,
    oci_repositories,
    buckets,
    helm_repositories,
    helm_charts,
    cron_jobs,
    offered_grants,
};
inline constexpr std::array kKinds{Kind::namespaces,       Kind::kustomizations, Kind::helm_releases,     Kind::git_repositories,
                                   Kind::oci_repositories, Kind::buckets,        Kind::helm_repositories, Kind::helm_charts,
                                   Kind::cron_jobs,        Kind::offered_grants};
std::string_view to_string(Kind kind);  // "kustomizations"; "grant ConfigMaps"

// Below the address of the API server, for example "/apis/batch/v1/cronjobs".
std::string path_of(Kind kind, std::string_view own_namespace);
std::string_view label_selector_of(Kind kind);  // "" for all

class Gathering {
public:
    Gathering(LockedNamespaces locked, const Limits& limits);

    // Of one collection: what follows is all there is, until list_ends; from then on changes.
    void list_begins(Kind kind);
    void exists(Kind kind, kube::Json object);
    void gone(Kind kind, kube::Json object);
    void list_ends(Kind kind);
    // One that could not be read: the view is not fresh until a list has ended without such.
    void passed_over(Kind kind, std::string problem);

    // CronJobs that are of interest no more are forgotten; those that are now come with the next list.
    void set_locked_namespaces(LockedNamespaces locked) { locked_ = std::move(locked); }

    // Has it been listed? A kind that is not installed is an empty list.
    bool complete(Kind kind) const;
    bool complete() const;
    // Why the view lacks something although all was listed: more objects than are kept. Ends with a list that ends without, and with
    // nothing else: somebody has to ask for that list.
    std::optional<std::string> problem(Kind kind) const;
    std::optional<std::string> problem() const;

    // Has anything that is kept changed since the last `view`?
    bool changed();
    // Parts that did not change are shared with the view before. Every part is set: ask only when complete.
    policy::ClusterView view();

    std::size_t owner_count() const { return flux_.kustomizations.size() + flux_.helm_releases.size(); }

private:
    // f(table) of that collection.
    template <class Self, class F>
    static decltype(auto) with_table(Self& self, Kind kind, F&& f);

    LockedNamespaces locked_;
    Table<NamespaceFacts> namespaces_;
    FluxTables flux_;
    Table<CronJobFacts> cron_jobs_;
    Table<OfferFacts> offers_;
    std::array<bool, kKinds.size()> changed_{};
    policy::ClusterView last_;
};

}  // namespace fluxgate::snapshots
