#include "snapshots/gathering.hpp"

#include "base/signed_note.hpp"
#include "tests/unit/policy/sample.hpp"
#include "tests/unit/snapshots/support.hpp"

using namespace fluxgate;
using namespace fluxgate::snapshots;
using namespace fluxgate::snapshots::testing;
using policy::ClusterView;

namespace {

void feed(Gathering& gathering, Kind kind, const std::vector<std::string>& objects) {
    gathering.list_begins(kind);
    for (const std::string& text : objects) gathering.exists(kind, *Object(text));
    gathering.list_ends(kind);
}

LockedNamespaces locked_by(const std::string& match) {
    const auto set = policy::sample::compiled(
        {policy::sample::policy("  match: {" + match + "}\n  rules: [{name: r, lock: {writers: [flux]}}]\n"),
         policy::sample::policy("  match: {namespaces: [staging]}\n  rules: [{name: r, probes: {all: [readinessProbe]}}]\n", "b")});
    return LockedNamespaces(*set);
}

// Of everything but `kind` there is nothing.
void leave_out_all_but(Gathering& gathering, Kind kind) {
    for (const Kind other : kKinds) {
        if (other != kind) feed(gathering, other, {});
    }
}

const std::string kCronJob = R"("spec":{"schedule":"@daily","jobTemplate":{"spec":{"backoffLimit":2}}})";

}  // namespace

TEST_CASE("a gathering is complete when each kind is listed") {
    Gathering gathering({}, Limits{});
    for (const Kind kind : kKinds) {
        INFO(to_string(kind));
        CHECK_FALSE(gathering.complete());
        CHECK_FALSE(gathering.complete(kind));
        gathering.list_begins(kind);
        CHECK_FALSE(gathering.complete(kind));
        gathering.list_ends(kind);
        CHECK(gathering.complete(kind));
    }
    CHECK(gathering.complete());
    const ClusterView view = gathering.view();
    CHECK(view.cluster_uid.empty());
    REQUIRE((view.namespaces && view.owners && view.cron_jobs && view.substitutes && view.grants));
    CHECK(
        (view.namespaces->empty() && view.owners->empty() && view.cron_jobs->empty() && view.substitutes->empty() && view.grants->empty()));
}

TEST_CASE("namespaces are known by their labels, the cluster by kube-system") {
    Gathering gathering({}, Limits{});
    leave_out_all_but(gathering, Kind::namespaces);
    feed(gathering, Kind::namespaces,
         {R"({"metadata":{"name":"kube-system","uid":"11aa","labels":{"kubernetes.io/metadata.name":"kube-system"}}})",
          R"({"metadata":{"name":"production","uid":"22bb","labels":{"env":"production","team":""}}})",
          R"({"metadata":{"name":"bare","uid":"33cc"}})"});
    const ClusterView view = gathering.view();
    CHECK(view.cluster_uid == "11aa");
    CHECK(*view.namespaces == ClusterView::NamespaceLabels{{"bare", {}},
                                                           {"kube-system", {{"kubernetes.io/metadata.name", "kube-system"}}},
                                                           {"production", {{"env", "production"}, {"team", ""}}}});

    gathering.exists(Kind::namespaces, *Object(R"({"metadata":{"name":"production","labels":{"env":"staging"}}})"));
    gathering.gone(Kind::namespaces, *Object(R"({"metadata":{"name":"bare"}})"));
    const ClusterView next = gathering.view();
    CHECK(next.namespaces->size() == 2);
    CHECK(next.namespaces->at("production") == kube::Labels{{"env", "staging"}});
    CHECK(view.namespaces->size() == 3);  // whoever holds the view before keeps it
}

TEST_CASE("CronJobs of locked namespaces are kept, others are not") {
    struct Row {
        const char* name;
        std::string match;
        std::vector<std::string> kept;
    };
    const std::vector<Row> rows{
        {"by name", "namespaces: [production]", {"production/report"}},
        {"by pattern", R"(namespaces: ["prod*"])", {"prod-eu/report", "production/report"}},
        {"a lock of all namespaces", "", {"prod-eu/report", "production/report", "staging/report"}},
        {"a lock of all but some", "excludeNamespaces: [staging]", {"prod-eu/report", "production/report"}},
        {"not by other policies than locks", "namespaces: [nowhere]", {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Gathering gathering(locked_by(row.match), Limits{});
        leave_out_all_but(gathering, Kind::cron_jobs);
        feed(gathering, Kind::cron_jobs,
             {object("production/report", kCronJob), object("prod-eu/report", kCronJob), object("staging/report", kCronJob)});
        std::vector<std::string> kept;
        for (const auto& [key, cron_job] : *gathering.view().cron_jobs) kept.push_back(key);
        CHECK(kept == row.kept);
    }
}

TEST_CASE("of a CronJob its uid and template are kept") {
    Gathering gathering(locked_by("namespaces: [production]"), Limits{});
    leave_out_all_but(gathering, Kind::cron_jobs);
    feed(gathering, Kind::cron_jobs, {R"({"metadata":{"name":"report","namespace":"production","uid":"44dd"},)" + kCronJob + "}"});
    CHECK(gathering.view().cron_jobs->at("production/report") == policy::CronJobTemplate{"44dd", R"({"spec":{"backoffLimit":2}})"});
}

TEST_CASE("when other namespaces are locked, the next list of CronJobs brings theirs and drops the others") {
    Gathering gathering(locked_by("namespaces: [production]"), Limits{});
    leave_out_all_but(gathering, Kind::cron_jobs);
    const std::vector<std::string> all{object("production/report", kCronJob), object("staging/report", kCronJob)};
    feed(gathering, Kind::cron_jobs, all);
    gathering.set_locked_namespaces(locked_by("namespaces: [staging]"));
    feed(gathering, Kind::cron_jobs, all);
    const ClusterView view = gathering.view();
    CHECK(view.cron_jobs->size() == 1);
    CHECK(view.cron_jobs->contains("staging/report"));
}

TEST_CASE("locked namespaces are the same if their patterns are") {
    CHECK(locked_by("namespaces: [a, b]") == locked_by("namespaces: [a, b]"));
    CHECK_FALSE(locked_by("namespaces: [a, b]") == locked_by("namespaces: [a]"));
    CHECK_FALSE(locked_by("namespaces: [a]") == locked_by("namespaces: [a], excludeNamespaces: [b]"));
    CHECK_FALSE(locked_by("namespaces: [a]") == LockedNamespaces());
    CHECK_FALSE(LockedNamespaces().contains("a"));
}

TEST_CASE("offered grants come with note and revocation, whatever they say") {
    Gathering gathering({}, Limits{});
    leave_out_all_but(gathering, Kind::offered_grants);
    feed(gathering, Kind::offered_grants,
         {object("fluxgate-system/grant-2", R"("data":{"grant":"a note"})"),
          object("fluxgate-system/grant-1", R"("data":{"revocation":"an end"})"), object("fluxgate-system/grant-3")});
    CHECK(*gathering.view().grants ==
          std::vector<policy::OfferedGrant>{{"grant-1", "", "an end"}, {"grant-2", "a note", ""}, {"grant-3", "", ""}});
}

TEST_CASE("of a note that is too long to be read, no more is kept than shows that it is") {
    Gathering gathering({}, Limits{});
    leave_out_all_but(gathering, Kind::offered_grants);
    for (const std::size_t bytes : {SignedNote::kBytesMax, SignedNote::kBytesMax + 1, std::size_t{1'000'000}}) {
        INFO(bytes);
        const std::string note(bytes, 'x');
        feed(gathering, Kind::offered_grants,
             {object("fluxgate-system/a", R"("data":{"grant":")" + note + R"(","revocation":")" + note + R"("})")});
        const auto view = gathering.view();
        const std::size_t kept = std::min(bytes, SignedNote::kBytesMax + 1);
        CHECK(view.grants->front().note == note.substr(0, kept));
        CHECK(view.grants->front().revocation == note.substr(0, kept));
    }
}

TEST_CASE("a view shares what did not change with the one before") {
    Gathering gathering({}, Limits{});
    leave_out_all_but(gathering, Kind::namespaces);
    feed(gathering, Kind::namespaces, {object("production")});
    const ClusterView first = gathering.view();
    CHECK_FALSE(gathering.changed());
    feed(gathering, Kind::namespaces, {object("production")});
    CHECK_FALSE(gathering.changed());
    CHECK(gathering.view().namespaces == first.namespaces);

    gathering.exists(Kind::kustomizations, *Object(object("apps/shop", R"("spec":{"path":"./a"},"status":{"conditions":[1]})")));
    CHECK(gathering.changed());
    const ClusterView second = gathering.view();
    CHECK(second.namespaces == first.namespaces);
    CHECK(second.cron_jobs == first.cron_jobs);
    CHECK(second.owners != first.owners);

    // What is not kept changes all the time.
    gathering.exists(Kind::kustomizations, *Object(object("apps/shop", R"("spec":{"path":"./a"},"status":{"conditions":[2]})")));
    CHECK_FALSE(gathering.changed());
}

TEST_CASE("an object without a name is none") {
    Gathering gathering({}, Limits{});
    feed(gathering, Kind::namespaces, {R"({"metadata":{}})", "{}", "[]", "7"});
    leave_out_all_but(gathering, Kind::namespaces);
    CHECK(gathering.view().namespaces->empty());
}

TEST_CASE("more than is kept is a problem that names the collection") {
    Limits limits;
    limits.snapshot_entries_max = 1;
    Gathering gathering({}, limits);
    feed(gathering, Kind::helm_charts, {object("apps/a"), object("apps/b")});
    leave_out_all_but(gathering, Kind::helm_charts);
    CHECK(gathering.complete());
    CHECK(gathering.problem().value_or("").starts_with("helmcharts holds more than is kept"));
}

TEST_CASE("each kind is watched where it is") {
    struct Row {
        Kind kind;
        std::string path;
        std::string selector;
    };
    const std::vector<Row> rows{
        {Kind::namespaces, "/api/v1/namespaces", ""},
        {Kind::kustomizations, "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations", ""},
        {Kind::helm_releases, "/apis/helm.toolkit.fluxcd.io/v2/helmreleases", ""},
        {Kind::git_repositories, "/apis/source.toolkit.fluxcd.io/v1/gitrepositories", ""},
        {Kind::oci_repositories, "/apis/source.toolkit.fluxcd.io/v1/ocirepositories", ""},
        {Kind::buckets, "/apis/source.toolkit.fluxcd.io/v1/buckets", ""},
        {Kind::helm_repositories, "/apis/source.toolkit.fluxcd.io/v1/helmrepositories", ""},
        {Kind::helm_charts, "/apis/source.toolkit.fluxcd.io/v1/helmcharts", ""},
        {Kind::cron_jobs, "/apis/batch/v1/cronjobs", ""},
        {Kind::offered_grants, "/api/v1/namespaces/our-own/configmaps", "fluxgate.dev/grant=true"},
    };
    for (const Row& row : rows) {
        CHECK(path_of(row.kind, "our-own") == row.path);
        CHECK(label_selector_of(row.kind) == row.selector);
    }
}

TEST_CASE("the account of the webhook may watch each kind, and has no other right") {
    const std::string rights = policy::sample::file("deploy/webhook/rbac.yaml");
    std::size_t resources = 0;
    for (const Kind kind : kKinds) {
        const std::string path = path_of(kind, "fluxgate-system");
        INFO(path);
        const std::string resource = path.substr(path.rfind('/') + 1);
        const bool listed = rights.find("[" + resource) != std::string::npos || rights.find(", " + resource) != std::string::npos;
        CHECK(listed);
        if (path.starts_with("/apis/"))
            CHECK(rights.find("apiGroups: [" + path.substr(6, path.find('/', 6) - 6) + "]") != std::string::npos);
        ++resources;
    }
    const auto count = [&](const std::string& text) {
        std::size_t found = 0;
        for (std::size_t at = rights.find(text); at != std::string::npos; at = rights.find(text, at + 1)) ++found;
        return found;
    };
    CHECK(count("verbs: ") == count("verbs: [list, watch]"));
    // Five groups of resources for the cluster, one in our own namespace; sources are five in one.
    CHECK(count("resources: ") == 6);
    CHECK(resources == 10);
    CHECK(count("*") == 0);
    CHECK(count("secrets") == 0);
}
