#include "snapshots/owners.hpp"

#include <algorithm>
#include <initializer_list>

#include "snapshots/object.hpp"

namespace fluxgate::snapshots {

namespace {

std::size_t bytes_of(const References& references) {
    std::size_t sum = 0;
    for (const std::string& reference : references) sum += sizeof(std::string) + reference.size();
    return sum;
}

// Collects what an object refers to in its own namespace: Flux allows no other for these.
class Collector {
public:
    explicit Collector(kube::Json object) : namespace_name_(object["metadata"]["namespace"].text()) {}

    void secret(kube::Json reference) { add("Secret", reference["name"].text()); }
    void config_map(kube::Json reference) { add("ConfigMap", reference["name"].text()); }
    // [{kind, name}]
    void each_of(kube::Json list) {
        list.each_item([&](kube::Json item) { add(item["kind"].text(), item["name"].text()); });
    }
    void kube_config(kube::Json spec) {
        secret(spec["kubeConfig"]["secretRef"]);
        config_map(spec["kubeConfig"]["configMapRef"]);
    }

    // Each once.
    References take() {
        std::sort(found_.begin(), found_.end());
        found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
        return std::move(found_);
    }

private:
    void add(std::string_view kind, std::string_view name) {
        if (std::string reference = referred(kind, name, namespace_name_); !reference.empty()) found_.push_back(std::move(reference));
    }

    std::string_view namespace_name_;
    References found_;
};

// A reference to a source, which may be in another namespace.
std::string source_of(kube::Json reference, kube::Json object) {
    const std::string_view other = reference["namespace"].text();
    return referred(reference["kind"].text(), reference["name"].text(), other.empty() ? object["metadata"]["namespace"].text() : other);
}

std::string_view first_of(std::initializer_list<std::string_view> texts) {
    const auto found = std::find_if(texts.begin(), texts.end(), [](std::string_view text) { return !text.empty(); });
    return found == texts.end() ? std::string_view{} : *found;
}

kube::Json newest_in_history(kube::Json status) {
    kube::Json newest;
    status["history"].each_item([&](kube::Json item) {
        if (!newest.present()) newest = item;
    });
    return newest;
}

}  // namespace

std::size_t OwnerFacts::bytes() const {
    return sizeof(OwnerFacts) + source.source.size() + source.path.size() + source.revision.size() + bytes_of(substitutes);
}

std::size_t SourceFacts::bytes() const { return sizeof(SourceFacts) + url.size() + source.size() + chart.size() + bytes_of(substitutes); }

OwnerFacts read_kustomization(kube::Json object) {
    const kube::Json spec = object["spec"];
    OwnerFacts facts;
    facts.source.source = source_of(spec["sourceRef"], object);
    facts.source.path = first_of({spec["path"].text(), "./"});  // Flux's default: the root of the source
    facts.source.revision = object["status"]["lastAppliedRevision"].text();
    facts.source.suspended = spec["suspend"].is_true();
    Collector collector(object);
    collector.each_of(spec["postBuild"]["substituteFrom"]);
    collector.secret(spec["decryption"]["secretRef"]);
    collector.kube_config(spec);
    facts.substitutes = collector.take();
    return facts;
}

OwnerFacts read_helm_release(kube::Json object) {
    const kube::Json spec = object["spec"];
    const kube::Json chart = spec["chart"]["spec"];
    const kube::Json status = object["status"];
    const kube::Json newest = newest_in_history(status);
    OwnerFacts facts;
    if (spec["chartRef"].is_object()) {
        facts.source.source = source_of(spec["chartRef"], object);
        facts.source.path = newest["chartName"].text();
    } else {
        facts.source.source = source_of(chart["sourceRef"], object);
        facts.source.path = chart["chart"].text();
    }
    facts.source.revision = first_of({newest["chartVersion"].text(), status["lastAttemptedRevision"].text()});
    facts.source.suspended = spec["suspend"].is_true();
    Collector collector(object);
    collector.each_of(spec["valuesFrom"]);
    collector.kube_config(spec);
    collector.secret(chart["verify"]["secretRef"]);
    facts.substitutes = collector.take();
    return facts;
}

SourceFacts read_source(kube::Json object) {
    const kube::Json spec = object["spec"];
    SourceFacts facts;
    if (const std::string_view bucket = spec["bucketName"].text(); !bucket.empty())
        facts.url = without_credentials(spec["endpoint"].text()).append("/").append(bucket);
    else
        facts.url = without_credentials(spec["url"].text());
    facts.source = source_of(spec["sourceRef"], object);
    facts.chart = spec["chart"].text();
    Collector collector(object);
    for (const std::string_view field : {"secretRef", "certSecretRef", "proxySecretRef"}) collector.secret(spec[field]);
    collector.secret(spec["verify"]["secretRef"]);
    collector.secret(spec["sts"]["secretRef"]);
    collector.secret(spec["sts"]["certSecretRef"]);
    facts.substitutes = collector.take();
    return facts;
}

std::string without_credentials(std::string_view url) {
    url = url.substr(0, url.find_first_of("?#"));
    const std::size_t scheme_end = url.find("://");
    const std::size_t begin = scheme_end == std::string_view::npos ? 0 : scheme_end + 3;
    const std::string_view scheme = url.substr(0, begin);
    const std::string_view authority = url.substr(begin, url.substr(begin).find('/'));
    const std::string_view rest = url.substr(begin + authority.size());
    const std::size_t at = authority.rfind('@');
    const std::string_view user = at == std::string_view::npos ? std::string_view{} : authority.substr(0, at);
    const std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
    // A password with a slash in it would end the authority too early: what follows the last ':' is no port then.
    const std::size_t colon = host.rfind(':');
    const bool address_in_brackets = colon != std::string_view::npos && host.find(']', colon) != std::string_view::npos;
    if (colon != std::string_view::npos && !address_in_brackets &&
        host.find_first_not_of("0123456789", colon + 1) != std::string_view::npos)
        return {};
    std::string shown(scheme);
    if (const std::string_view name = user.substr(0, user.find(':')); scheme == "ssh://" && !name.empty()) shown.append(name).append("@");
    return shown.append(host).append(rest);
}

std::shared_ptr<const policy::ClusterView::Owners> join_owners(const FluxTables& tables) {
    const auto find_source = [&](std::string_view reference) -> const SourceFacts* {
        const std::size_t space = reference.find(' ');
        if (space == std::string_view::npos) return nullptr;
        const std::string_view kind = reference.substr(0, space);
        const std::string_view key = reference.substr(space + 1);
        if (kind == "GitRepository") return tables.git_repositories.find(key);
        if (kind == "OCIRepository") return tables.oci_repositories.find(key);
        if (kind == "Bucket") return tables.buckets.find(key);
        if (kind == "HelmRepository") return tables.helm_repositories.find(key);
        if (kind == "HelmChart") return tables.helm_charts.find(key);
        return nullptr;
    };
    policy::ClusterView::Owners owners;
    const auto join = [&](std::string_view kind, const Table<OwnerFacts>& table) {
        table.each([&](const std::string& key, const OwnerFacts& facts) {
            policy::OwnerSource owner = facts.source;
            const SourceFacts* source = find_source(owner.source);
            if (source && !source->source.empty()) {  // a HelmChart: where it comes from is what people know
                owner.source = source->source;
                owner.path = source->chart;
                source = find_source(owner.source);
            }
            if (source) owner.url = source->url;
            owners.emplace(std::string(kind).append(" ").append(key), std::move(owner));
        });
    };
    join("Kustomization", tables.kustomizations);
    join("HelmRelease", tables.helm_releases);
    return std::make_shared<const policy::ClusterView::Owners>(std::move(owners));
}

std::shared_ptr<const policy::ClusterView::Substitutes> join_substitutes(const FluxTables& tables) {
    policy::ClusterView::Substitutes substitutes;
    const auto add = [&](const std::string&, const auto& facts) { substitutes.insert(facts.substitutes.begin(), facts.substitutes.end()); };
    for (const auto* owners : {&tables.kustomizations, &tables.helm_releases}) owners->each(add);
    for (const auto* sources :
         {&tables.git_repositories, &tables.oci_repositories, &tables.buckets, &tables.helm_repositories, &tables.helm_charts})
        sources->each(add);
    return std::make_shared<const policy::ClusterView::Substitutes>(std::move(substitutes));
}

}  // namespace fluxgate::snapshots
