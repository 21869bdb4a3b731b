#include "policy/lock/writers.hpp"

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

std::string profile(std::string_view identities) {
    return "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: team}\nspec:\n  identities:\n" +
           std::string(identities);
}
std::string lock(std::string_view writers, std::string_view name = "p") {
    return sample::rule("lock: {writers: " + std::string(writers) + "}", name);
}

// UPDATE of a Deployment.
Request update(std::string user, std::string namespace_name = "production") {
    Request request;
    request.group = "apps";
    request.resource = "deployments";
    request.kind = "Deployment";
    request.namespace_name = namespace_name;
    request.object = R"({"metadata":{"name":"web","namespace":")" + namespace_name + "\"}}";
    request.user = std::move(user);
    return sample::with_operation(request, "UPDATE");
}

// DELETE of the same.
Request removal(std::string user) {
    Request request = update(std::move(user));
    request.operation = "DELETE";
    request.object = "null";
    return request;
}

const std::string kCiUser = R"({"username":"ci@example.com","uid":"7","groups":["system:authenticated"],"extra":{"oid":["8f14"]}})";

}  // namespace

TEST_CASE("somebody of a file may write what it says, where it says, with the proof it says") {
    const auto set = sample::compiled({
        lock("[team]"),
        profile("  - serviceAccount: {namespace: ci, name: deployer}\n    assurance: token\n"
                "    may: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [UPDATE], namespaces: [production, "
                "\"prod-*\"]}]\n"
                "  - serviceAccount: {namespace: \"team-*\", name: flux}\n    assurance: pod-bound\n"
                "    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]\n"
                "  - user: ci-*\n    assurance: certificate\n"
                "    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]\n"
                "  - groups: [release, managers]\n    assurance: certificate\n"
                "    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]\n"
                "  - groups: [\"system:serviceaccounts:builders\"]\n    assurance: token\n"
                "    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]\n"),
    });
    const auto of_groups = [](std::string_view groups) {
        return R"({"username":"bob","groups":[)" + std::string(groups) +
               R"(],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=0b19"]}})";
    };
    struct Row {
        std::string_view name;
        Request request;
        bool passes;
    };
    Request other_resource = update(sample::token("ci", "deployer"));
    other_resource.resource = "statefulsets";
    Request sub_resource = update(sample::token("ci", "deployer"));
    sub_resource.sub_resource = "scale";
    Request other_version = update(sample::token("ci", "deployer"));
    other_version.version = "v1beta1";
    const Row rows[] = {
        {"the account", update(sample::token("ci", "deployer")), true},
        {"the account in its Pod", update(sample::pod_bound("ci", "deployer")), true},
        {"a namespace by its pattern", update(sample::token("ci", "deployer"), "prod-eu"), true},
        {"another namespace", update(sample::token("ci", "deployer"), "staging"), false},
        {"a namespace that ends alike", update(sample::token("ci", "deployer"), "pre-production"), false},
        {"another resource", other_resource, false},
        {"a subresource", sub_resource, false},
        {"another version", other_version, false},
        {"DELETE", removal(sample::token("ci", "deployer")), false},
        {"impersonated", update(sample::impersonated("ci", "deployer")), false},
        {"a certificate of that name", update(sample::certificate("system:serviceaccount:ci:deployer")), false},
        {"an account that starts alike", update(sample::token("ci", "deployer-2")), false},
        {"another account of the namespace", update(sample::token("ci", "default")), false},
        {"the same name elsewhere", update(sample::token("ci2", "deployer")), false},

        {"an account by a pattern", update(sample::pod_bound("team-a", "flux")), true},
        {"a pattern, weaker proof", update(sample::token("team-a", "flux")), false},
        {"nothing where the star is", update(sample::pod_bound("team-", "flux")), false},
        {"the star is in the namespace", update(sample::pod_bound("team-a", "x:flux")), false},
        {"another account behind the pattern", update(sample::pod_bound("team-a", "default")), false},

        {"a user by a pattern", update(sample::certificate("ci-7")), true},
        {"a user, nothing where the star is", update(sample::certificate("ci-")), false},
        {"a user without a certificate", update(R"({"username":"ci-7","uid":"7","groups":["system:authenticated"]})"), false},
        {"a service account named like the user", update(sample::pod_bound("ci-7", "x")), false},

        {"both groups", update(of_groups(R"("managers","release","system:authenticated")")), true},
        {"one of the groups", update(of_groups(R"("release","system:authenticated")")), false},
        {"a group that starts alike", update(of_groups(R"("release","managers-of-nothing")")), false},
        {"no groups", update(of_groups("")), false},

        {"any account of a namespace", update(sample::token("builders", "x")), true},
        {"an account of another namespace", update(sample::token("builders2", "x")), false},
        {"a person who has put the group on", update(of_groups(R"("system:serviceaccounts:builders")")), false},
        {"an impersonated account of the namespace", update(sample::impersonated("builders", "x")), false},

        {"alice", update(sample::kAlice), false},
        {"nobody", update("{}"), false},
        {"Flux, whom this lock does not name", update(sample::kFlux), false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Verdict verdict = evaluate(*Read(row.request), *set, {});
        CHECK(verdict.allowed == row.passes);
        CHECK(verdict.writer == (row.passes ? "team" : ""));
        CHECK(verdict.write_class == (row.passes ? WriteClass::routine : WriteClass::exceptional));
    }
}

TEST_CASE("what is accepted as impersonated passes for that name and those namespaces, and is no routine") {
    const auto set = sample::compiled({
        lock("[team]"),
        profile("  - serviceAccount: {namespace: team-a, name: flux-applier}\n    assurance: impersonated\n"
                "    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], namespaces: [production]}]\n"
                "  - user: ci@example.com\n    assurance: impersonated\n"
                "    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], namespaces: [production]}]\n"),
    });
    struct Row {
        std::string_view name;
        Request request;
        bool passes;
        WriteClass write_class;
    };
    const Row rows[] = {
        {"impersonated", update(sample::impersonated("team-a", "flux-applier")), true, WriteClass::exceptional},
        {"its own token", update(sample::token("team-a", "flux-applier")), true, WriteClass::routine},
        {"its own Pod", update(sample::pod_bound("team-a", "flux-applier")), true, WriteClass::routine},
        {"in another namespace", update(sample::impersonated("team-a", "flux-applier"), "team-a"), false, WriteClass::exceptional},
        {"another account of the namespace", update(sample::impersonated("team-a", "default")), false, WriteClass::exceptional},
        {"the same account elsewhere", update(sample::impersonated("team-b", "flux-applier")), false, WriteClass::exceptional},
        {"a certificate in its name", update(sample::certificate("system:serviceaccount:team-a:flux-applier")), false,
         WriteClass::exceptional},
        {"its name without its groups",
         update(R"({"username":"system:serviceaccount:team-a:flux-applier","groups":["system:authenticated"]})"), false,
         WriteClass::exceptional},
        {"a user behind a login", update(kCiUser), true, WriteClass::exceptional},
        {"the user with a certificate", update(sample::certificate("ci@example.com")), true, WriteClass::routine},
        {"another user", update(R"({"username":"ci@example.org","groups":["system:authenticated"]})"), false, WriteClass::exceptional},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Verdict verdict = evaluate(*Read(row.request), *set, {});
        CHECK(verdict.allowed == row.passes);
        CHECK(verdict.write_class == row.write_class);
        CHECK(verdict.violations.empty() == row.passes);
        CHECK(verdict.effective);
    }
    Request dry = update(sample::impersonated("team-a", "flux-applier"));
    dry.dry_run = true;
    CHECK_FALSE(evaluate(*Read(dry), *set, {}).effective);  // nothing to verify afterwards
}

TEST_CASE("one lock that takes a look-alike is enough for a write to be no routine") {
    const auto set = sample::compiled({
        lock("[a]", "one"),
        lock("[b]", "two"),
        "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: a}\nspec:\n  identities:\n"
        "  - user: bob\n    assurance: impersonated\n    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], "
        "namespaces: [\"*\"]}]\n",
        "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: b}\nspec:\n  identities:\n"
        "  - user: bob\n    assurance: impersonated\n    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], "
        "namespaces: [production]}]\n",
    });
    const std::string bob = R"({"username":"bob","groups":["system:authenticated"]})";
    const Verdict both = evaluate(*Read(update(bob)), *set, {});
    CHECK(both.allowed);
    CHECK(both.write_class == WriteClass::exceptional);
    CHECK(both.writer == "a");
    CHECK_FALSE(evaluate(*Read(update(bob, "staging")), *set, {}).allowed);
    CHECK(evaluate(*Read(update(sample::certificate("bob"))), *set, {}).write_class == WriteClass::routine);
}

TEST_CASE("the API server's own counters are routine, though nothing proves them") {
    const auto set = sample::compiled(lock("[kubernetes]"));
    Request request;
    request.resource = "resourcequotas";
    request.sub_resource = "status";
    request.kind = "ResourceQuota";
    request.user = R"({"username":"system:apiserver","uid":"0a7a","groups":["system:authenticated","system:masters"]})";
    const Verdict verdict = evaluate(*Read(sample::with_operation(request, "UPDATE")), *set, {});
    CHECK(verdict.allowed);
    CHECK(verdict.write_class == WriteClass::routine);
}

TEST_CASE("accounts that a lock names for a tenant's Flux write in their namespaces, those of AKS anywhere") {
    const auto tenants =
        sample::compiled(lock("[{name: flux-multitenant, serviceAccounts: [production/flux-applier, team-a/flux-applier]}]"));
    const auto aks = sample::compiled(lock("[{name: aks-flux, serviceAccounts: [cluster-config/flux-applier]}]"));
    const auto request = [](std::string user, std::string_view operation, std::string_view resource, std::string_view sub = "",
                            std::string_view namespace_name = "production") {
        Request made;
        made.resource = resource;
        made.sub_resource = sub;
        made.namespace_name = namespace_name;
        made.object = R"({"metadata":{"name":"web"}})";
        made.user = std::move(user);
        return sample::with_operation(made, std::string(operation));
    };
    struct Row {
        std::string_view name;
        const PolicySet& set;
        Request request;
        bool passes;
        WriteClass write_class;
    };
    const std::string production = sample::impersonated("production", "flux-applier");
    const std::string team = sample::impersonated("team-a", "flux-applier");
    const std::string config = sample::impersonated("cluster-config", "flux-applier");
    constexpr auto kExceptional = WriteClass::exceptional;
    const Row rows[] = {
        {"a tenant in its namespace", *tenants, request(production, "CREATE", "configmaps"), true, kExceptional},
        {"a tenant prunes", *tenants, request(production, "DELETE", "configmaps"), true, kExceptional},
        {"another tenant here", *tenants, request(team, "CREATE", "configmaps"), false, kExceptional},
        {"another tenant at home", *tenants, request(team, "CREATE", "configmaps", "", "team-a"), true, kExceptional},
        {"an account that is not listed", *tenants, request(sample::impersonated("production", "default"), "CREATE", "configmaps"), false,
         kExceptional},
        {"a tenant's own Pod", *tenants, request(sample::pod_bound("production", "flux-applier"), "CREATE", "configmaps"), true,
         WriteClass::routine},
        {"a tenant opens a shell", *tenants, request(production, "CONNECT", "pods", "exec"), false, kExceptional},
        {"a tenant mints a token", *tenants, request(production, "CREATE", "serviceaccounts", "token"), false, kExceptional},
        {"kustomize-controller itself", *tenants, request(sample::kFlux, "CREATE", "configmaps"), false, kExceptional},

        {"AKS' Flux", *aks, request(config, "CREATE", "configmaps"), true, kExceptional},
        {"AKS' Flux at home", *aks, request(config, "UPDATE", "configmaps", "", "cluster-config"), true, kExceptional},
        {"AKS' Flux makes a cluster-wide object", *aks, request(config, "CREATE", "persistentvolumes", "", ""), true, kExceptional},
        {"its account of another namespace", *aks, request(production, "CREATE", "configmaps"), false, kExceptional},
        {"a name that starts alike", *aks, request(sample::impersonated("cluster-config", "flux-applier-2"), "CREATE", "configmaps"), false,
         kExceptional},
        {"AKS' Flux evicts", *aks, request(config, "CREATE", "pods", "eviction"), false, kExceptional},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Verdict verdict = evaluate(*Read(row.request), row.set, {});
        CHECK(verdict.allowed == row.passes);
        CHECK(verdict.write_class == row.write_class);
    }
}

TEST_CASE("a writer who is refused reads why") {
    const auto set = sample::compiled({
        lock("[team]"),
        profile("  - serviceAccount: {namespace: ci, name: deployer}\n    assurance: token\n"
                "    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], namespaces: [production]}]\n"),
    });
    const auto have = [&](const Request& request) { return evaluate(*Read(request), *set, {}).violations.at(0).have; };
    const std::string deployer = sample::token("ci", "deployer");
    CHECK(have(update(deployer, "staging")) ==
          "UPDATE by system:serviceaccount:ci:deployer (team may not UPDATE deployments.apps in staging)");
    CHECK(have(removal(deployer)).find("(team may not DELETE deployments.apps)") != std::string::npos);
    CHECK(have(update(sample::impersonated("ci", "deployer"))).find("(proof \"impersonated\", team needs \"token\")") != std::string::npos);
}

TEST_CASE("profiles live as long as any set or rule that names them") {
    Rule rule;
    {
        std::optional<PolicySet> copy;
        {
            const auto set =
                sample::compiled({lock("[team, {name: aks-flux, serviceAccounts: [a/b]}]"),
                                  profile("  - user: bob\n    assurance: certificate\n"
                                          "    may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]\n")});
            copy = *set;
        }
        CHECK(evaluate(*Read(update(sample::certificate("bob"))), *copy, {}).writer == "team");
        CHECK(evaluate(*Read(update(sample::impersonated("a", "b"))), *copy, {}).writer == "aks-flux");
        PolicySet moved = std::move(*copy);
        CHECK(evaluate(*Read(update(sample::certificate("bob"))), moved, {}).writer == "team");
        rule = moved.policies[0].rules[0];
    }
    const Read review(update(sample::certificate("bob")));
    const WriterMatch match = std::get<LockRule>(rule.body).find_writer(*review, Assurance::certificate);
    REQUIRE(match);
    CHECK(match.profile->name == "team");
}

TEST_CASE("an identity without any name is nobody") {
    const Read review(update(sample::kAlice));
    CHECK_FALSE(WriterIdentity{}.is(review->user));
}
