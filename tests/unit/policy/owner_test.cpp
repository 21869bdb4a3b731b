#include "policy/owner.hpp"

#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

TEST_CASE("where to change what an owner applies") {
    struct Row {
        const char* name;
        OwnerSource source;
        std::string text;
    };
    const std::vector<Row> rows{
        {"all is known",
         {"GitRepository flux-system/shop", "https://git.example.com/shop", "./apps", "main@sha1:4f0c57c81a325b7ad6d23ea5a5a1a9b0ac5bd93e"},
         "https://git.example.com/shop, ./apps at main@sha1:4f0c57c81a32"},
        {"suspended",
         {"GitRepository flux-system/shop", "https://git.example.com/shop", "./apps", "main@sha1:4f0c57c81a32", true},
         "suspended: Git changes do not arrive; https://git.example.com/shop, ./apps at main@sha1:4f0c57c81a32"},
        {"a chart",
         {"HelmRepository apps/p", "https://charts.example.com", "podinfo", "6.5.0"},
         "https://charts.example.com, podinfo at 6.5.0"},
        {"an artifact of a registry",
         {"OCIRepository apps/p", "oci://registry.example.com/p", "./",
          "6.5.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
         "oci://registry.example.com/p, ./ at 6.5.0@sha256:0123456789ab"},
        {"never applied",
         {"GitRepository flux-system/shop", "https://git.example.com/shop", "./apps", ""},
         "https://git.example.com/shop, ./apps"},
        {"a source without a known address",
         {"GitRepository flux-system/shop", "", "./apps", "main@sha1:4f0c"},
         "GitRepository flux-system/shop, ./apps at main@sha1:4f0c"},
        {"a branch with a colon and no digest",
         {"GitRepository a/b", "https://git.example.com", "./", "feature:not-a-digest-at-all"},
         "https://git.example.com, ./ at feature:not-a-digest-at-all"},
        {"nothing", {}, ""},
        {"nothing, and suspended", {"", "", "", "", true}, "suspended: Git changes do not arrive"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        ClusterView view;
        view.owners = std::make_shared<const ClusterView::Owners>(ClusterView::Owners{{"Kustomization flux-system/apps", row.source}});
        CHECK(describe_source("Kustomization flux-system/apps", &view) == row.text);
        CHECK(describe_source("Kustomization flux-system/other", &view).empty());
        CHECK(describe_source("HelmRelease flux-system/apps", &view).empty());
    }
    CHECK(describe_source("Kustomization flux-system/apps", nullptr).empty());
    const ClusterView unknown;
    CHECK(describe_source("Kustomization flux-system/apps", &unknown).empty());
}

TEST_CASE("a denial says where its owner gets what it applies; {owner} in guidance is the name alone") {
    const auto set = sample::compiled(sample::policy("  guidance: \"Ask {owner}.\"\n  rules: [{name: r, lock: {writers: [flux]}}]\n"));
    sample::Request request = sample::with_operation(sample::Request{}, "UPDATE");
    request.old_object =
        R"({"metadata":{"name":"web","labels":{"kustomize.toolkit.fluxcd.io/name":"apps","kustomize.toolkit.fluxcd.io/namespace":"flux-system"}}})";
    ClusterView view;
    view.owners = std::make_shared<const ClusterView::Owners>(ClusterView::Owners{
        {"Kustomization flux-system/apps", {"GitRepository flux-system/shop", "https://git.example.com/shop", "./apps", "main"}}});
    Context context;
    context.cluster = &view;
    const Verdict verdict = evaluate(*sample::Read(request), *set, context);
    CHECK(verdict.owner == "Kustomization flux-system/apps");
    CHECK(verdict.owner_source == "https://git.example.com/shop, ./apps at main");
    CHECK(verdict.guidance == "Ask Kustomization flux-system/apps.");
    CHECK(evaluate(*sample::Read(request), *set, {}).owner_source.empty());
}
