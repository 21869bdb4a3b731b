// The rules as the schema's own example writes them (docs/reference/policy-files.md and docs/reference/rules/).

#include "policy/policy_set.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

TEST_CASE("the rules of the schema's example are read, field by field") {
    const auto set = sample::compiled(sample::policy(
        "  rules:\n"
        "  - name: images\n"
        "    images: {registries: [myacr.azurecr.io], requireTag: true, denyTags: [latest], requireDigest: false, pullPolicy: []}\n"
        "  - name: labels\n"
        "    requiredMetadata: {labels: {app.kubernetes.io/name: \"\", team: \"^[a-z-]+$\"}, annotations: {}, kinds: [Deployment]}\n"
        "  - name: available\n"
        "    availability: {minReplicas: 2, disruptionBudget: required, spread: required}\n"
        "  - name: accounts\n"
        "    serviceAccount: {denyDefault: true, automount: false}\n"
        "  - name: network\n"
        "    services: {denyTypes: [NodePort, LoadBalancer], externalIPs: []}\n"
        "  - name: ingress\n"
        "    ingress: {hosts: [\"*.shop.example.com\"], requireTLS: true, classes: [nginx]}\n"));
    const auto& rules = set->policies[0].rules;
    REQUIRE(rules.size() == 6);

    const auto& images = std::get<ImagesRule>(rules[0].body);
    CHECK(images.registries.size() == 1);
    CHECK(images.require_tag);
    CHECK(images.deny_tags.size() == 1);
    CHECK_FALSE(images.require_digest);
    CHECK(images.pull_policies.empty());

    const auto& metadata = std::get<RequiredMetadataRule>(rules[1].body);
    REQUIRE(metadata.labels.size() == 2);
    CHECK_FALSE(metadata.labels[0].pattern.has_value());
    CHECK(metadata.labels[1].pattern->text() == "^[a-z-]+$");
    CHECK(metadata.annotations.empty());
    CHECK(metadata.kinds == std::vector<std::string>{"Deployment"});

    const auto& availability = std::get<AvailabilityRule>(rules[2].body);
    CHECK(availability.min_replicas == 2);
    CHECK(availability.disruption_budget);
    CHECK(availability.spread);

    const auto& account = std::get<ServiceAccountRule>(rules[3].body);
    CHECK(account.deny_default);
    CHECK(account.deny_automount);
    CHECK_FALSE(account.allow_unset);

    const auto& services = std::get<ServicesRule>(rules[4].body);
    CHECK(services.deny_types == std::vector<std::string>{"NodePort", "LoadBalancer"});
    REQUIRE(services.external_ips.has_value());
    CHECK(services.external_ips->empty());

    const auto& ingress = std::get<IngressRule>(rules[5].body);
    CHECK(ingress.hosts == std::vector<std::string>{"*.shop.example.com"});
    CHECK(ingress.require_tls);
    CHECK(ingress.classes == std::vector<std::string>{"nginx"});
}

// The index leaves out policies whose rules do not understand a resource; what it does not know, no such rule would ever judge.
TEST_CASE("what a rule understands is known to the index") {
    const auto known = [](std::string_view group, std::string_view resource) {
        return std::any_of(kKnownResources.begin(), kKnownResources.end(),
                           [&](const auto& name) { return name.first == group && name.second == resource; });
    };
    std::size_t understood = 0;
    for (const std::string_view group : {"", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "extensions"}) {
        for (const std::string_view resource :
             {"pods", "podtemplates", "replicationcontrollers", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs",
              "cronjobs", "horizontalpodautoscalers", "poddisruptionbudgets", "services", "ingresses"}) {
            INFO(group << "/" << resource);
            const bool by_some = AvailabilityRule::understands(group, resource) || ServicesRule::understands(group, resource) ||
                                 IngressRule::understands(group, resource) || kube::holds_pods(group, resource);
            CHECK(by_some == known(group, resource));
            if (by_some) ++understood;
        }
    }
    CHECK(understood == kKnownResources.size());
}
