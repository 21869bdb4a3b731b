#include "policy/decode_writers.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

namespace {

const std::string kMay = "may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]";
const std::string kMayThere = "may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], namespaces: [production]}]";
const std::string kAccount = "serviceAccount: {namespace: ci, name: deployer}, assurance: token, ";

// Identities of a profile `team`, each in flow style; the first stands on line 6, column 5.
std::string profile(const std::vector<std::string>& identities, std::string_view name = "team") {
    std::string text =
        "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: " + std::string(name) + "}\nspec:\n  identities:\n";
    for (const std::string& identity : identities) text += "  - {" + identity + "}\n";
    return text;
}

std::string lock(std::string_view writers) { return sample::rule("lock: {writers: " + std::string(writers) + "}"); }

// What is wrong with the profile in w.yaml beside a policy whose lock names it, '|' between problems.
std::string problems_of_profile(const std::string& text) {
    std::string problems;
    for (const std::string& problem : sample::problems_of({{"w.yaml", text}, {"p.yaml", lock("[flux]")}}))
        problems += (problems.empty() ? "" : "|") + problem;
    return problems;
}

}  // namespace

TEST_CASE("each mistake in a writer profile is named where it is") {
    struct Row {
        std::string_view name;
        std::string text;
        std::string_view problem;  // begins one
    };
    const auto permission = [](std::string_view fields) {
        return profile(
            {kAccount + "may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], " + std::string(fields) + "}]"});
    };
    const Row rows[] = {
        {"an unknown field of an identity", profile({kAccount + kMay + ", grops: [a]"}),
         "w.yaml:6:149: spec.identities[0].grops: unknown field (did you mean \"groups\"?)"},
        {"an unknown field of a permission", permission("namespace: [a]"),
         "w.yaml:6:147: spec.identities[0].may[0].namespace: unknown field (did you mean \"namespaces\"?)"},
        {"an unknown field of an account", profile({"serviceAccount: {namespace: a, name: b, nmae: c}, assurance: token, " + kMay}),
         "w.yaml:6:46: spec.identities[0].serviceAccount.nmae: unknown field"},
        {"an unknown field of the spec", profile({kAccount + kMay}) + "  identites: []\n",
         "w.yaml:7:3: spec.identites: unknown field (did you mean \"identities\"?)"},
        {"a built-in name", profile({kAccount + kMay}, "kubernetes"), "w.yaml:3:18: metadata.name: \"kubernetes\" is a built-in profile"},
        {"the name of what is to come", profile({kAccount + kMay}, "fluxgate"),
         "w.yaml:3:18: metadata.name: \"fluxgate\" is a built-in profile"},
        {"a name twice", profile({kAccount + kMay}) + "---\n" + profile({kAccount + kMay}),
         "w.yaml:8:1: metadata.name: another writer profile named \"team\" is in w.yaml"},
        {"no name", "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {}\nspec: {identities: []}\n",
         "w.yaml:3:11: metadata.name is missing"},
        {"no spec", "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: a}\n",
         "w.yaml:1:1: WriterProfile.spec is missing"},
        {"no identities", "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: a}\nspec: {}\n",
         "w.yaml:4:7: spec.identities is missing"},
        {"an empty list of identities",
         "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: a}\nspec: {identities: []}\n",
         "w.yaml:4:20: spec.identities: is an empty list"},
        {"nobody", profile({"assurance: token, " + kMay}),
         "w.yaml:6:5: spec.identities[0]: expected exactly one of serviceAccount, user, groups"},
        {"an account and a user", profile({kAccount + "user: alice, " + kMay}), "w.yaml:6:5: spec.identities[0]: expected exactly one of"},
        {"an account and groups", profile({kAccount + "groups: [devs], " + kMay}),
         "w.yaml:6:5: spec.identities[0]: expected exactly one of"},
        {"all three", profile({kAccount + "user: a, groups: [devs], " + kMay}), "w.yaml:6:5: spec.identities[0]: expected exactly one of"},
        {"an account without a namespace", profile({"serviceAccount: {name: b}, assurance: token, " + kMay}),
         "w.yaml:6:22: spec.identities[0].serviceAccount.namespace is missing"},
        {"an account of any namespace", profile({"serviceAccount: {namespace: \"*\", name: b}, assurance: token, " + kMay}),
         "w.yaml:6:34: spec.identities[0].serviceAccount.namespace: means any namespace"},
        {"a namespace that cannot be", profile({"serviceAccount: {namespace: \"a:b\", name: b}, assurance: token, " + kMay}),
         "w.yaml:6:34: spec.identities[0].serviceAccount.namespace: no namespace has such a name"},
        {"an account that cannot be", profile({"serviceAccount: {namespace: a, name: Deployer}, assurance: token, " + kMay}),
         "w.yaml:6:43: spec.identities[0].serviceAccount.name: no service account has such a name"},
        {"a user that is an account", profile({"user: \"system:serviceaccount:ci:deployer\", assurance: certificate, " + kMay}),
         "w.yaml:6:12: spec.identities[0].user: is a service account; write serviceAccount"},
        {"any user", profile({"user: \"*\", assurance: certificate, " + kMay}), "w.yaml:6:12: spec.identities[0].user: means everybody"},
        {"who is not logged in", profile({"user: \"system:anonymous\", assurance: impersonated, " + kMayThere}),
         "w.yaml:6:12: spec.identities[0].user: means everybody"},
        {"no group", profile({"groups: [], assurance: certificate, " + kMay}), "w.yaml:6:14: spec.identities[0].groups: is an empty list"},
        {"an empty group", profile({"groups: [\"\"], assurance: certificate, " + kMay}),
         "w.yaml:6:15: spec.identities[0].groups[0]: must not be empty"},
        {"a group by a pattern", profile({"groups: [\"dev*\"], assurance: certificate, " + kMay}),
         "w.yaml:6:14: spec.identities[0].groups: a group is named whole"},
        {"everybody who logs in", profile({"groups: [\"system:authenticated\"], assurance: certificate, " + kMay}),
         "w.yaml:6:14: spec.identities[0].groups: means everybody"},
        {"every account", profile({"groups: [\"system:serviceaccounts\"], assurance: pod-bound, " + kMay}),
         "w.yaml:6:14: spec.identities[0].groups: means everybody"},
        {"groups that nobody has together", profile({"groups: [\"system:serviceaccounts:ci\", devs], assurance: token, " + kMay}),
         "w.yaml:6:14: spec.identities[0].groups: names groups of service accounts and of others"},
        {"no assurance", profile({"user: alice, " + kMay}), "w.yaml:6:5: spec.identities[0].assurance is missing"},
        {"an assurance that is none", profile({"user: alice, assurance: none, " + kMay}),
         "w.yaml:6:30: spec.identities[0].assurance: have \"none\", expected one of: pod-bound, token, certificate, impersonated"},
        {"a certificate of an account", profile({"serviceAccount: {namespace: a, name: b}, assurance: certificate, " + kMay}),
         "w.yaml:6:58: spec.identities[0].assurance: \"certificate\" is a proof that such an identity never has, so that nobody would "
         "pass; expected one of: pod-bound, token, impersonated"},
        {"a token of a user", profile({"user: alice, assurance: token, " + kMay}),
         "w.yaml:6:30: spec.identities[0].assurance: \"token\" is a proof that such an identity never has"},
        {"a Pod of a user", profile({"user: alice, groups: [devs], assurance: pod-bound, " + kMay}),
         "w.yaml:6:46: spec.identities[0].assurance: \"pod-bound\" is a proof"},
        {"a token of a group of people", profile({"groups: [devs], assurance: token, " + kMay}),
         "w.yaml:6:33: spec.identities[0].assurance: \"token\" is a proof"},
        {"a certificate of accounts", profile({"groups: [\"system:serviceaccounts:ci\"], assurance: certificate, " + kMay}),
         "w.yaml:6:56: spec.identities[0].assurance: \"certificate\" is a proof"},
        {"an impersonated group", profile({"groups: [devs], assurance: impersonated, " + kMayThere}),
         "w.yaml:6:33: spec.identities[0].assurance: \"impersonated\" is accepted of one account or user by name, never of a group"},
        {"an impersonated group of accounts", profile({"groups: [\"system:serviceaccounts:ci\"], assurance: impersonated, " + kMayThere}),
         "w.yaml:6:56: spec.identities[0].assurance: \"impersonated\" is accepted of one account"},
        {"an impersonated pattern of accounts",
         profile({"serviceAccount: {namespace: ci, name: \"dep*\"}, assurance: impersonated, " + kMayThere}),
         "w.yaml:6:64: spec.identities[0].assurance: \"impersonated\" is accepted of one name only, and \"system:serviceaccount:ci:dep*\" "
         "is a pattern"},
        {"an impersonated pattern of namespaces",
         profile({"serviceAccount: {namespace: \"c*\", name: dep}, assurance: impersonated, " + kMayThere}),
         "w.yaml:6:63: spec.identities[0].assurance: \"impersonated\" is accepted of one name only"},
        {"an impersonated pattern of users", profile({"user: \"ci-*\", assurance: impersonated, " + kMayThere}),
         "w.yaml:6:31: spec.identities[0].assurance: \"impersonated\" is accepted of one name only"},
        {"impersonated, and no list of namespaces", profile({"serviceAccount: {namespace: a, name: b}, assurance: impersonated, " + kMay}),
         "w.yaml:6:78: spec.identities[0].may[0].namespaces: is missing"},
        {"impersonated, and an empty list of namespaces",
         profile({"user: a, assurance: impersonated, may: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE], namespaces: "
                  "[]}]"}),
         "w.yaml:6:126: spec.identities[0].may[0].namespaces: is an empty list"},
        {"nothing it may write", profile({kAccount + "may: []"}), "w.yaml:6:78: spec.identities[0].may: is an empty list"},
        {"no may", profile({"user: alice, assurance: certificate"}), "w.yaml:6:5: spec.identities[0].may is missing"},
        {"no groups of resources", profile({kAccount + "may: [{apiGroups: [], resources: [a], operations: [UPDATE]}]"}),
         "w.yaml:6:91: spec.identities[0].may[0].apiGroups: names nothing"},
        {"no resources", profile({kAccount + "may: [{apiGroups: [a], resources: [], operations: [UPDATE]}]"}),
         "w.yaml:6:107: spec.identities[0].may[0].resources: names nothing"},
        {"a kind for a resource", profile({kAccount + "may: [{apiGroups: [apps], resources: [Deployment], operations: [UPDATE]}]"}),
         "w.yaml:6:111: spec.identities[0].may[0].resources[0]: \"Deployment\" can match nothing"},
        {"no operations", profile({kAccount + "may: [{apiGroups: [a], resources: [b], operations: []}]"}),
         "w.yaml:6:124: spec.identities[0].may[0].operations: names nothing"},
        {"no versions", permission("apiVersions: []"), "w.yaml:6:160: spec.identities[0].may[0].apiVersions: is an empty list"},
        {"no namespaces", permission("namespaces: []"), "w.yaml:6:159: spec.identities[0].may[0].namespaces: is an empty list"},
        {"owned is no boolean", permission("owned: sure"),
         "w.yaml:6:154: spec.identities[0].may[0].owned: expected true or false, have a string"},
        {"bound to a Pod, and no token", permission("boundToPod: true"),
         "w.yaml:6:159: spec.identities[0].may[0].boundToPod: is about serviceaccounts/token alone"},
        {"an identity that is a text",
         "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata: {name: a}\nspec: {identities: [flux]}\n",
         "w.yaml:4:21: spec.identities[0]: expected a mapping, have a string"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string problems = problems_of_profile(row.text);
        INFO(problems << "\n" << row.text);
        CHECK(("|" + problems).find("|" + std::string(row.problem)) != std::string::npos);
    }
}

TEST_CASE("each mistake in the writers of a lock is named where it is") {
    struct Row {
        std::string_view name;
        std::string_view writers;
        std::string_view problem;  // begins one
    };
    const Row rows[] = {
        {"a name that is nowhere", "[nobody-of-them]",
         "no writer profile is named \"nobody-of-them\"; expected one of: flux, flux-multitenant, aks-flux, flux-operator, argocd, "
         "kubernetes, aks, flagger, cert-manager, keda, team"},
        {"a slip in a built-in name", "[cert-manger]", "no writer profile is named \"cert-manger\" (did you mean \"cert-manager\"?)"},
        {"a slip in the name of a file's", "[taem]", "no writer profile is named \"taem\" (did you mean \"team\"?)"},
        {"a name in capitals", "[Flux]", "no writer profile is named \"Flux\" (did you mean \"flux\"?)"},
        {"what is to come", "[fluxgate]", "the writer profile fluxgate is not implemented in this version of Fluxgate"},
        {"accounts are missing", "[aks-flux]", "aks-flux needs the accounts that Flux impersonates: {name: aks-flux, serviceAccounts: "},
        {"accounts are missing, tenants", "[flux-multitenant]", "flux-multitenant needs the accounts"},
        {"accounts for who takes none", "[{name: flux, serviceAccounts: [a/b]}]",
         "\"flux\" takes no accounts; aks-flux and flux-multitenant do"},
        {"accounts for a file's profile", "[{name: team, serviceAccounts: [a/b]}]", "\"team\" takes no accounts"},
        {"accounts for nobody", "[{name: nobody, serviceAccounts: [a/b]}]", "\"nobody\" takes no accounts"},
        {"a number", "[7]", "expected the name of a writer profile, have an integer"},
        {"a list", "[[flux]]", "expected the name of a writer profile, have a list"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto problems = sample::problems_of({{"p.yaml", lock(row.writers)}, {"w.yaml", profile({kAccount + kMay})}});
        REQUIRE(problems.size() == 1);
        INFO(problems[0]);
        CHECK(problems[0].starts_with("p.yaml:6:"));
        CHECK(problems[0].find("spec.rules[0].lock.writers[0]: " + std::string(row.problem)) != std::string::npos);
    }
    struct Within {
        std::string_view name;
        std::string writer;
        std::string problem;
    };
    const Within within[] = {
        {"no accounts", "{name: aks-flux}", ".serviceAccounts is missing: expected a list such as"},
        {"no name", "{serviceAccounts: [a/b]}", ".name is missing"},
        {"an empty list", "{name: aks-flux, serviceAccounts: []}", ".serviceAccounts: names nobody"},
        {"an unknown field", "{name: aks-flux, serviceAccounts: [a/b], namespaces: [c]}", ".namespaces: unknown field"},
        {"an account without a namespace", "{name: aks-flux, serviceAccounts: [flux-applier]}",
         ".serviceAccounts[0]: \"flux-applier\" is no NAMESPACE/NAME"},
        {"a pattern", "{name: aks-flux, serviceAccounts: [\"*/flux-applier\"]}",
         ".serviceAccounts[0]: \"*/flux-applier\" is no NAMESPACE/NAME"},
        {"a pattern of names", "{name: aks-flux, serviceAccounts: [\"a/*\"]}", ".serviceAccounts[0]: \"a/*\" is no NAMESPACE/NAME"},
        {"a path", "{name: aks-flux, serviceAccounts: [a/b/c]}", ".serviceAccounts[0]: \"a/b/c\" is no NAMESPACE/NAME"},
        {"a namespace too long", "{name: aks-flux, serviceAccounts: [" + std::string(64, 'a') + "/b]}", ".serviceAccounts[0]: \"aaaa"},
        {"a name too long", "{name: aks-flux, serviceAccounts: [a/" + std::string(254, 'b') + "]}", ".serviceAccounts[0]: \"a/bbbb"},
        {"a name that begins with a hyphen", "{name: aks-flux, serviceAccounts: [a/-b]}",
         ".serviceAccounts[0]: \"a/-b\" is no NAMESPACE/NAME"},
        {"a name that ends with a hyphen", "{name: aks-flux, serviceAccounts: [a/b-]}",
         ".serviceAccounts[0]: \"a/b-\" is no NAMESPACE/NAME"},
        {"a name with a sign", "{name: aks-flux, serviceAccounts: [a/b+c]}", ".serviceAccounts[0]: \"a/b+c\" is no NAMESPACE/NAME"},
        {"a name with a brace", "{name: aks-flux, serviceAccounts: [\"a/b{c\"]}", ".serviceAccounts[0]: \"a/b{c\" is no NAMESPACE/NAME"},
        {"a namespace with a dot", "{name: aks-flux, serviceAccounts: [a.b/c]}", ".serviceAccounts[0]: \"a.b/c\" is no NAMESPACE/NAME"},
        {"a username", "{name: aks-flux, serviceAccounts: [\"system:serviceaccount:a:b\"]}",
         ".serviceAccounts[0]: \"system:serviceaccount:a:b\" is no"},
        {"the same twice", "{name: aks-flux, serviceAccounts: [a/b, a/b]}", ".serviceAccounts[1]: names a/b again"},
        {"no text", "{name: aks-flux, serviceAccounts: [7]}", ".serviceAccounts[0]: expected a string, have an integer"},
    };
    for (const Within& row : within) {
        INFO(row.name);
        const auto problems = sample::problems_of({{"p.yaml", lock("[" + std::string(row.writer) + "]")}});
        REQUIRE(problems.size() == 1);
        INFO(problems[0]);
        CHECK(problems[0].find("spec.rules[0].lock.writers[0]" + std::string(row.problem)) != std::string::npos);
    }
}

TEST_CASE("there is a bound to writers, and up to it they load") {
    const auto times = [](std::size_t count, auto&& item) {
        std::string list;
        for (std::size_t i = 0; i < count; ++i) list += (i == 0 ? "" : ", ") + item(i);
        return "[" + list + "]";
    };
    const auto first = [](const std::vector<std::string>& problems) { return problems.empty() ? std::string("none") : problems[0]; };
    const auto flux = [](std::size_t) { return std::string("flux"); };
    CHECK(first(sample::problems_of({{"p.yaml", lock(times(100, flux))}})) == "none");
    CHECK(first(sample::problems_of({{"p.yaml", lock(times(101, flux))}})).find("lock.writers: has 101 items; at most 100") !=
          std::string::npos);
    const auto accounts = [&](std::size_t count) {
        return lock("[{name: aks-flux, serviceAccounts: " + times(count, [](std::size_t i) { return "a/b" + std::to_string(i); }) + "}]");
    };
    CHECK(first(sample::problems_of({{"p.yaml", accounts(1'000)}})) == "none");
    CHECK(first(sample::problems_of({{"p.yaml", accounts(1'001)}})).find("has 1001 items; at most 1000") != std::string::npos);
    const std::string writers =
        times(100, [](std::size_t i) { return "{name: aks-flux, serviceAccounts: [a/b" + std::to_string(i) + "]}"; });
    std::vector<PolicyFile> many;
    for (int i = 0; i < 11; ++i)
        many.push_back({"p" + std::to_string(i) + ".yaml", sample::rule("lock: {writers: " + writers + "}", "p" + std::to_string(i))});
    CHECK(first(sample::problems_of(many)).find("more than 1000 writers with accounts in a set") != std::string::npos);
    many.pop_back();
    CHECK(first(sample::problems_of(many)) == "none");
}

TEST_CASE("a profile of a file is read as it is written") {
    const auto set = sample::compiled({
        lock("[flux, team]"),
        profile({
            kAccount +
                "may: [{apiGroups: [apps, \"\"], apiVersions: [v1], resources: [deployments, \"*/scale\"], operations: [CREATE, \"*\"], "
                "namespaces: [production, \"prod-*\"], owned: true}]",
            "serviceAccount: {namespace: \"team-*\", name: \"flux-*\"}, assurance: pod-bound, " + kMay,
            "user: system:node:*, groups: [\"system:nodes\", b], assurance: certificate, may: [{apiGroups: [\"\"], resources: "
            "[serviceaccounts/token], operations: [CREATE], boundToPod: true, owned: false}]",
            "user: ci@example.com, assurance: impersonated, " + kMayThere,
            "groups: [\"system:serviceaccounts:ci\"], assurance: token, " + kMay,
        }),
    });
    REQUIRE(set->writers.size() == 1);
    const WriterProfile& team = *set->writers[0];
    CHECK(team.name == "team");
    const auto& lock = std::get<LockRule>(set->policies[0].rules[0].body);
    REQUIRE(lock.writers.size() == 2);
    CHECK(lock.writers[0]->name == "flux");
    CHECK(lock.writers[1].get() == &team);
    REQUIRE(team.identities.size() == 5);
    const WriterIdentity& first = team.identities[0];
    CHECK(username_of(first) == "system:serviceaccount:ci:deployer");
    CHECK(first.assurance == Assurance::token);
    REQUIRE(first.may.size() == 1);
    CHECK(first.may[0].rule.api_groups == std::vector<std::string>{"apps", ""});
    CHECK(first.may[0].rule.api_versions == std::vector<std::string>{"v1"});
    CHECK(first.may[0].rule.resources == std::vector<std::string>{"deployments", "*/scale"});
    CHECK(first.may[0].rule.operations.has(kube::Operation::connect));
    REQUIRE(first.may[0].namespaces.size() == 2);
    CHECK(first.may[0].namespaces[1].text() == "prod-*");
    CHECK(first.may[0].owned);
    CHECK_FALSE(first.may[0].bound_to_pod);
    CHECK(username_of(team.identities[1]) == "system:serviceaccount:team-*:flux-*");
    CHECK(team.identities[2].groups == std::vector<std::string>{"system:nodes", "b"});
    CHECK(team.identities[2].may[0].bound_to_pod);
    CHECK(team.identities[3].assurance == Assurance::impersonated);
    CHECK_FALSE(team.identities[4].who);
}

TEST_CASE("files come in any order, and a profile that no lock names loads") {
    CHECK(sample::problems_of({{"a.yaml", profile({kAccount + kMay})}, {"b.yaml", lock("[team]")}}).empty());
    CHECK(sample::problems_of({{"a.yaml", lock("[team]")}, {"b.yaml", profile({kAccount + kMay})}}).empty());
    CHECK(sample::problems_of({{"a.yaml", lock("[flux]")}, {"b.yaml", profile({kAccount + kMay})}}).empty());
}
