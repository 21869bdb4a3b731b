#include "snapshots/gathering.hpp"

#include <algorithm>
#include <utility>

#include "snapshots/object.hpp"

namespace fluxgate::snapshots {

namespace {

struct KindRow {
    std::string_view name;
    std::string_view path;  // of the group and version, or of the collection
    std::string_view label_selector;
};
// In the order of Kind.
constexpr std::array<KindRow, kKinds.size()> kRows{{
    {"namespaces", "/api/v1/namespaces", ""},
    {"kustomizations", "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations", ""},
    {"helmreleases", "/apis/helm.toolkit.fluxcd.io/v2/helmreleases", ""},
    {"gitrepositories", "/apis/source.toolkit.fluxcd.io/v1/gitrepositories", ""},
    {"ocirepositories", "/apis/source.toolkit.fluxcd.io/v1/ocirepositories", ""},
    {"buckets", "/apis/source.toolkit.fluxcd.io/v1/buckets", ""},
    {"helmrepositories", "/apis/source.toolkit.fluxcd.io/v1/helmrepositories", ""},
    {"helmcharts", "/apis/source.toolkit.fluxcd.io/v1/helmcharts", ""},
    {"cronjobs", "/apis/batch/v1/cronjobs", ""},
    {"grant ConfigMaps", "", kGrantSelector},
}};

const KindRow& row_of(Kind kind) { return kRows[static_cast<std::size_t>(kind)]; }

NamespaceFacts read(const Table<NamespaceFacts>&, Kind, kube::Json object) { return read_namespace(object); }
OwnerFacts read(const Table<OwnerFacts>&, Kind kind, kube::Json object) {
    return kind == Kind::kustomizations ? read_kustomization(object) : read_helm_release(object);
}
SourceFacts read(const Table<SourceFacts>&, Kind, kube::Json object) { return read_source(object); }
CronJobFacts read(const Table<CronJobFacts>&, Kind, kube::Json object) { return read_cron_job(object); }
OfferFacts read(const Table<OfferFacts>&, Kind, kube::Json object) { return read_offer(object); }

}  // namespace

std::string_view to_string(Kind kind) { return row_of(kind).name; }

std::string path_of(Kind kind, std::string_view own_namespace) {
    if (kind != Kind::offered_grants) return std::string(row_of(kind).path);
    return std::string("/api/v1/namespaces/").append(own_namespace).append("/configmaps");
}

std::string_view label_selector_of(Kind kind) { return row_of(kind).label_selector; }

Gathering::Gathering(LockedNamespaces locked, const Limits& limits)
    : locked_(std::move(locked)),
      namespaces_(to_string(Kind::namespaces), limits),
      flux_(limits),
      cron_jobs_(to_string(Kind::cron_jobs), limits),
      offers_(to_string(Kind::offered_grants), limits) {}

template <class Self, class F>
decltype(auto) Gathering::with_table(Self& self, Kind kind, F&& f) {
    switch (kind) {
        case Kind::namespaces: return f(self.namespaces_);
        case Kind::kustomizations: return f(self.flux_.kustomizations);
        case Kind::helm_releases: return f(self.flux_.helm_releases);
        case Kind::git_repositories: return f(self.flux_.git_repositories);
        case Kind::oci_repositories: return f(self.flux_.oci_repositories);
        case Kind::buckets: return f(self.flux_.buckets);
        case Kind::helm_repositories: return f(self.flux_.helm_repositories);
        case Kind::helm_charts: return f(self.flux_.helm_charts);
        case Kind::cron_jobs: return f(self.cron_jobs_);
        case Kind::offered_grants: break;
    }
    return f(self.offers_);
}

void Gathering::list_begins(Kind kind) {
    with_table(*this, kind, [](auto& table) { table.begin_list(); });
}

void Gathering::exists(Kind kind, kube::Json object) {
    std::string key = key_of(object);
    if (key.empty()) return;  // no API server has such an object
    if (kind == Kind::cron_jobs && !locked_.contains(object["metadata"]["namespace"].text())) return gone(kind, object);
    with_table(*this, kind, [&](auto& table) { table.put(std::move(key), read(table, kind, object)); });
}

void Gathering::gone(Kind kind, kube::Json object) {
    with_table(*this, kind, [&](auto& table) { table.remove(key_of(object)); });
}

void Gathering::list_ends(Kind kind) {
    with_table(*this, kind, [](auto& table) { table.end_list(); });
}

void Gathering::passed_over(Kind kind, std::string problem) {
    with_table(*this, kind, [&](auto& table) { table.pass_over(std::move(problem)); });
}

bool Gathering::complete(Kind kind) const {
    return with_table(*this, kind, [](const auto& table) { return table.complete(); });
}

bool Gathering::complete() const {
    return std::all_of(kKinds.begin(), kKinds.end(), [&](Kind kind) { return complete(kind); });
}

std::optional<std::string> Gathering::problem(Kind kind) const {
    return with_table(*this, kind, [](const auto& table) { return table.problem(); });
}

std::optional<std::string> Gathering::problem() const {
    for (const Kind kind : kKinds) {
        if (auto found = problem(kind)) return found;
    }
    return std::nullopt;
}

bool Gathering::changed() {
    for (const Kind kind : kKinds) {
        bool& changed = changed_[static_cast<std::size_t>(kind)];
        changed = with_table(*this, kind, [](auto& table) { return table.take_changed(); }) || changed;
    }
    return std::any_of(changed_.begin(), changed_.end(), [](bool changed) { return changed; });
}

policy::ClusterView Gathering::view() {
    changed();
    const auto changed_any = [&](Kind from, Kind to) {
        return std::any_of(changed_.begin() + static_cast<std::ptrdiff_t>(from), changed_.begin() + static_cast<std::ptrdiff_t>(to) + 1,
                           [](bool changed) { return changed; });
    };
    if (changed_any(Kind::namespaces, Kind::namespaces)) {
        last_.namespaces = labels_by_name(namespaces_);
        last_.cluster_uid = cluster_uid(namespaces_);
    }
    if (changed_any(Kind::kustomizations, Kind::helm_charts)) {
        last_.owners = join_owners(flux_);
        last_.substitutes = join_substitutes(flux_);
    }
    if (changed_any(Kind::cron_jobs, Kind::cron_jobs)) last_.cron_jobs = templates_by_key(cron_jobs_);
    if (changed_any(Kind::offered_grants, Kind::offered_grants)) last_.grants = offers(offers_);
    changed_.fill(false);
    return last_;
}

}  // namespace fluxgate::snapshots
