#include "snapshots/owners.hpp"

#include <fmt/format.h>

#include "tests/unit/snapshots/support.hpp"

using namespace fluxgate;
using namespace fluxgate::snapshots;
using namespace fluxgate::snapshots::testing;

namespace {

std::string to_text(const policy::OwnerSource& owner) {
    return fmt::format("{} | {} | {} | {}{}", owner.source, owner.url, owner.path, owner.revision, owner.suspended ? " | suspended" : "");
}

constexpr const char* kGit = R"("spec":{"url":"https://git.example.com/shop"})";

}  // namespace

TEST_CASE("an owner says which repository, path and revision it applies") {
    struct Row {
        const char* name;
        std::string kustomization;  // of apps/shop; empty: none
        std::string release;
        std::string source_kind;
        std::string source_key;
        std::string source;
        std::string owner;
    };
    const std::string chart =
        R"("chart":{"spec":{"chart":"podinfo","version":"6.x","sourceRef":{"kind":"HelmRepository","name":"podinfo"}}})";
    const std::vector<Row> rows{
        {"a Kustomization of a GitRepository",
         R"("spec":{"path":"./apps","sourceRef":{"kind":"GitRepository","name":"shop"}},"status":{"lastAppliedRevision":"main@sha1:4f0c"})",
         "", "GitRepository", "apps/shop", kGit, "GitRepository apps/shop | https://git.example.com/shop | ./apps | main@sha1:4f0c"},
        {"its source in another namespace",
         R"("spec":{"path":"./apps","sourceRef":{"kind":"GitRepository","name":"shop","namespace":"flux-system"}})", "", "GitRepository",
         "flux-system/shop", kGit, "GitRepository flux-system/shop | https://git.example.com/shop | ./apps | "},
        {"not the source of that name in its own namespace",
         R"("spec":{"path":"./apps","sourceRef":{"kind":"GitRepository","name":"shop","namespace":"flux-system"}})", "", "GitRepository",
         "apps/shop", kGit, "GitRepository flux-system/shop |  | ./apps | "},
        {"no path is the root", R"("spec":{"sourceRef":{"kind":"GitRepository","name":"shop"}})", "", "GitRepository", "apps/shop", kGit,
         "GitRepository apps/shop | https://git.example.com/shop | ./ | "},
        {"suspended", R"("spec":{"suspend":true,"path":"./apps","sourceRef":{"kind":"GitRepository","name":"shop"}})", "", "GitRepository",
         "apps/shop", kGit, "GitRepository apps/shop | https://git.example.com/shop | ./apps |  | suspended"},
        {"a source that is not there", R"("spec":{"path":"./apps","sourceRef":{"kind":"GitRepository","name":"shop"}})", "",
         "OCIRepository", "apps/shop", kGit, "GitRepository apps/shop |  | ./apps | "},
        {"an OCIRepository",
         R"("spec":{"path":"./","sourceRef":{"kind":"OCIRepository","name":"shop"}},"status":{"lastAppliedRevision":"1.2@sha256:ab"})", "",
         "OCIRepository", "apps/shop", R"("spec":{"url":"oci://registry.example.com/shop"})",
         "OCIRepository apps/shop | oci://registry.example.com/shop | ./ | 1.2@sha256:ab"},
        {"a Bucket", R"("spec":{"sourceRef":{"kind":"Bucket","name":"shop"}})", "", "Bucket", "apps/shop",
         R"("spec":{"endpoint":"minio.example.com:9000","bucketName":"shop"})", "Bucket apps/shop | minio.example.com:9000/shop | ./ | "},
        {"a kind of source that is not known", R"("spec":{"sourceRef":{"kind":"ExternalArtifact","name":"shop"}})", "", "GitRepository",
         "apps/shop", kGit, "ExternalArtifact apps/shop |  | ./ | "},
        {"no spec at all", R"("status":{})", "", "GitRepository", "apps/shop", kGit, " |  | ./ | "},
        {"a HelmRelease with a chart", "",
         "\"spec\":{" + chart + R"(},"status":{"history":[{"chartVersion":"6.5.0"},{"chartVersion":"6.4.0"}]})", "HelmRepository",
         "apps/podinfo", R"("spec":{"url":"https://charts.example.com"})",
         "HelmRepository apps/podinfo | https://charts.example.com | podinfo | 6.5.0"},
        {"one that never succeeded", "", "\"spec\":{" + chart + R"(},"status":{"lastAttemptedRevision":"6.6.0"})", "HelmRepository",
         "apps/podinfo", R"("spec":{"url":"https://charts.example.com"})",
         "HelmRepository apps/podinfo | https://charts.example.com | podinfo | 6.6.0"},
        {"a suspended HelmRelease", "", "\"spec\":{\"suspend\":true," + chart + "}", "HelmRepository", "apps/podinfo",
         R"("spec":{"url":"https://charts.example.com"})",
         "HelmRepository apps/podinfo | https://charts.example.com | podinfo |  | suspended"},
        {"a HelmRelease of an OCIRepository", "",
         R"("spec":{"chartRef":{"kind":"OCIRepository","name":"podinfo","namespace":"flux-system"}},"status":{"history":[{"chartName":"podinfo","chartVersion":"6.5.0"}]})",
         "OCIRepository", "flux-system/podinfo", R"("spec":{"url":"oci://registry.example.com/podinfo"})",
         "OCIRepository flux-system/podinfo | oci://registry.example.com/podinfo | podinfo | 6.5.0"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        FluxTables tables{Limits{}};
        const Object source(object(row.source_key, row.source));
        auto& sources = row.source_kind == "GitRepository"   ? tables.git_repositories
                        : row.source_kind == "OCIRepository" ? tables.oci_repositories
                        : row.source_kind == "Bucket"        ? tables.buckets
                                                             : tables.helm_repositories;
        sources.put(row.source_key, read_source(*source));
        if (!row.kustomization.empty())
            tables.kustomizations.put("apps/shop", read_kustomization(*Object(object("apps/shop", row.kustomization))));
        if (!row.release.empty()) tables.helm_releases.put("apps/shop", read_helm_release(*Object(object("apps/shop", row.release))));
        const auto owners = join_owners(tables);
        REQUIRE(owners->size() == 1);
        CHECK(owners->begin()->first == (row.release.empty() ? "Kustomization apps/shop" : "HelmRelease apps/shop"));
        CHECK(to_text(owners->begin()->second) == row.owner);
    }
}

TEST_CASE("a HelmRelease of a HelmChart comes from where the chart comes from") {
    FluxTables tables{Limits{}};
    tables.helm_releases.put(
        "apps/shop", read_helm_release(*Object(object("apps/shop", R"("spec":{"chartRef":{"kind":"HelmChart","name":"podinfo"}})"))));
    CHECK(to_text(join_owners(tables)->at("HelmRelease apps/shop")) == "HelmChart apps/podinfo |  |  | ");
    tables.helm_charts.put(
        "apps/podinfo", read_source(*Object(object(
                            "apps/podinfo", R"("spec":{"chart":"./charts/podinfo","sourceRef":{"kind":"GitRepository","name":"shop"}})"))));
    tables.git_repositories.put("apps/shop", read_source(*Object(object("apps/shop", kGit))));
    CHECK(to_text(join_owners(tables)->at("HelmRelease apps/shop")) ==
          "GitRepository apps/shop | https://git.example.com/shop | ./charts/podinfo | ");
}

TEST_CASE("a URL is shown without what may be a secret") {
    struct Row {
        std::string url;
        std::string shown;
    };
    const std::vector<Row> rows{
        {"https://git.example.com/shop.git", "https://git.example.com/shop.git"},
        {"https://git.example.com:8443/shop", "https://git.example.com:8443/shop"},
        {"https://alice:secret@git.example.com/shop", "https://git.example.com/shop"},
        {"https://token@git.example.com/shop", "https://git.example.com/shop"},
        {"https://a@b:secret@git.example.com/shop", "https://git.example.com/shop"},
        {"https://git.example.com/@team/shop", "https://git.example.com/@team/shop"},
        {"https://git.example.com/shop?sig=secret", "https://git.example.com/shop"},
        {"https://git.example.com/shop#secret", "https://git.example.com/shop"},
        {"https://git.example.com?access_token=secret@x", "https://git.example.com"},
        {"https://alice:se/cret@git.example.com/shop", ""},
        {"https://[2001:db8::1]:8443/shop", "https://[2001:db8::1]:8443/shop"},
        {"https://[2001:db8::1]/shop", "https://[2001:db8::1]/shop"},
        {"ssh://git@git.example.com/shop", "ssh://git@git.example.com/shop"},
        {"ssh://git:secret@git.example.com:22/shop", "ssh://git@git.example.com:22/shop"},
        {"oci://registry.example.com/shop", "oci://registry.example.com/shop"},
        {"minio.example.com:9000", "minio.example.com:9000"},
        {"alice:secret@minio.example.com", "minio.example.com"},
        {"", ""},
    };
    for (const Row& row : rows) {
        INFO(row.url);
        CHECK(without_credentials(row.url) == row.shown);
    }
}

TEST_CASE("what Flux takes values from is known by name") {
    enum class Reader { kustomization, release, source };
    struct Row {
        const char* name;
        Reader reader;
        std::string object;
        std::vector<std::string> substitutes;
    };
    const std::vector<Row> rows{
        {"nothing", Reader::kustomization, R"("spec":{})", {}},
        {"substituteFrom",
         Reader::kustomization,
         R"("spec":{"postBuild":{"substituteFrom":[{"kind":"ConfigMap","name":"vars"},{"kind":"Secret","name":"vars","optional":true}]}})",
         {"ConfigMap apps/vars", "Secret apps/vars"}},
        {"one named twice",
         Reader::kustomization,
         R"("spec":{"postBuild":{"substituteFrom":[{"kind":"Secret","name":"vars"},{"kind":"Secret","name":"vars"}]}})",
         {"Secret apps/vars"}},
        {"decryption",
         Reader::kustomization,
         R"("spec":{"decryption":{"provider":"sops","secretRef":{"name":"age"}}})",
         {"Secret apps/age"}},
        {"kubeConfig",
         Reader::kustomization,
         R"("spec":{"kubeConfig":{"secretRef":{"name":"remote","key":"value"}}})",
         {"Secret apps/remote"}},
        {"kubeConfig by workload identity",
         Reader::kustomization,
         R"("spec":{"kubeConfig":{"configMapRef":{"name":"remote"}}})",
         {"ConfigMap apps/remote"}},
        {"valuesFrom",
         Reader::release,
         R"("spec":{"valuesFrom":[{"kind":"ConfigMap","name":"values"},{"kind":"Secret","name":"more","valuesKey":"k"}]})",
         {"ConfigMap apps/values", "Secret apps/more"}},
        {"a release's kubeConfig and signature",
         Reader::release,
         R"("spec":{"kubeConfig":{"secretRef":{"name":"remote"}},"chart":{"spec":{"verify":{"secretRef":{"name":"cosign"}}}}})",
         {"Secret apps/cosign", "Secret apps/remote"}},
        {"all of a source",
         Reader::source,
         R"("spec":{"secretRef":{"name":"a"},"certSecretRef":{"name":"b"},"proxySecretRef":{"name":"c"},"verify":{"secretRef":{"name":"d"}},"sts":{"secretRef":{"name":"e"},"certSecretRef":{"name":"f"}}})",
         {"Secret apps/a", "Secret apps/b", "Secret apps/c", "Secret apps/d", "Secret apps/e", "Secret apps/f"}},
        {"shapes that no API server stores",
         Reader::kustomization,
         R"("spec":{"postBuild":{"substituteFrom":[{"kind":"Secret"},{"name":"x"},7,null]},"decryption":{"secretRef":"x"},"kubeConfig":[]})",
         {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Object read(object("apps/shop", row.object));
        FluxTables tables{Limits{}};
        if (row.reader == Reader::kustomization) tables.kustomizations.put("apps/shop", read_kustomization(*read));
        if (row.reader == Reader::release) tables.helm_releases.put("apps/shop", read_helm_release(*read));
        if (row.reader == Reader::source) tables.buckets.put("apps/shop", read_source(*read));
        const auto substitutes = join_substitutes(tables);
        CHECK(std::vector<std::string>(substitutes->begin(), substitutes->end()) == row.substitutes);
    }
}
