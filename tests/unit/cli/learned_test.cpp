#include "cli/policy/learned.hpp"

#include <set>

#include <nlohmann/json.hpp>

#include "audit/record.hpp"
#include "policy/loader.hpp"
#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;

namespace {

struct Seen {
    std::string username = "system:serviceaccount:ci:deployer";
    std::string operation = "UPDATE";
    std::string group = "apps";
    std::string resource = "deployments";
    std::string sub_resource = "";
    std::string namespace_name = "production";
    std::string assurance = "pod-bound";
    std::string time = "2026-12-01T00:00:00Z";
    bool learned = true;
    std::string decision = "allowed";
    bool truncated = false;
};

std::string line_of(const Seen& seen) {
    audit::Record record;
    record.id = "r";
    record.time = *parse_rfc3339(seen.time);
    record.decision = seen.decision;
    record.username = seen.username;
    record.operation = seen.operation;
    record.group = seen.group;
    record.resource = seen.resource;
    record.sub_resource = seen.sub_resource;
    record.namespace_name = seen.namespace_name;
    record.assurance = seen.assurance;
    record.learned = seen.learned;
    record.truncated = seen.truncated;
    return audit::encode(record, Limits{}.record_bytes_max).text(1);
}

LearnedWriters learned_of(const std::vector<Seen>& list) {
    LearnedWriters learned;
    for (const Seen& seen : list) REQUIRE(learned.add(line_of(seen)).has_value());
    return learned;
}

std::string text_of(const std::vector<Seen>& list) {
    const LearnedWriters learned = learned_of(list);
    return to_text(learned.propose(nullptr), learned, nullptr);
}

const std::string kLock =
    "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: production}\nspec:\n  rules:\n"
    "  - {name: only-git, lock: {writers: [flux, kubernetes], learnUntil: 2026-12-08T00:00:00Z}}\n";

}  // namespace

TEST_CASE("what was learned is proposed exactly: one profile for the accounts of a namespace, one for users") {
    const std::string text = text_of({
        {.time = "2026-12-01T00:00:02Z"},
        {.assurance = "token", .time = "2026-12-01T00:00:01Z"},
        {.operation = "CREATE"},
        {.resource = "statefulsets", .time = "2026-12-01T00:00:03Z"},
        {.operation = "CREATE", .resource = "statefulsets"},
        {.sub_resource = "scale"},
        {.namespace_name = "staging"},
        {.operation = "CREATE", .namespace_name = "staging"},
        {.operation = "CREATE", .resource = "statefulsets", .namespace_name = "staging"},
        {.operation = "UPDATE", .resource = "statefulsets", .namespace_name = "staging"},
        {.username = "system:serviceaccount:keda:keda-operator",
         .operation = "CREATE",
         .group = "",
         .resource = "nodes",
         .namespace_name = ""},
        {.username = "system:cloud-controller-manager",
         .group = "",
         .resource = "services",
         .sub_resource = "status",
         .assurance = "certificate"},
    });
    INFO(text);
    CHECK(text ==
          "# \"system:cloud-controller-manager\": 1 write, 2026-12-01T00:00:00.000000Z to 2026-12-01T00:00:00.000000Z\n"
          "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata:\n  name: learned-users\nspec:\n  identities:\n"
          "  - user: \"system:cloud-controller-manager\"\n    assurance: certificate\n    may:\n"
          "    - {apiGroups: [\"\"], resources: [\"services/status\"], operations: [UPDATE], namespaces: [\"production\"]}\n"
          "---\n"
          "# \"system:serviceaccount:ci:deployer\": 10 writes, 2026-12-01T00:00:00.000000Z to 2026-12-01T00:00:03.000000Z\n"
          "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata:\n  name: learned-ci\nspec:\n  identities:\n"
          "  - serviceAccount: {namespace: ci, name: deployer}\n    assurance: token\n    may:\n"
          "    - {apiGroups: [\"apps\"], resources: [\"deployments\", \"statefulsets\"], operations: [CREATE, UPDATE], namespaces: "
          "[\"production\", \"staging\"]}\n"
          "    - {apiGroups: [\"apps\"], resources: [\"deployments/scale\"], operations: [UPDATE], namespaces: [\"production\"]}\n"
          "---\n"
          "# \"system:serviceaccount:keda:keda-operator\": 1 write, 2026-12-01T00:00:00.000000Z to 2026-12-01T00:00:00.000000Z\n"
          "apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata:\n  name: learned-keda\nspec:\n  identities:\n"
          "  - serviceAccount: {namespace: keda, name: keda-operator}\n    assurance: pod-bound\n    may:\n"
          "    - {apiGroups: [\"\"], resources: [\"nodes\"], operations: [CREATE]}\n"
          "# Then, in the lock that learned, add to writers: learned-users, learned-ci, learned-keda\n");
}

TEST_CASE("what is proposed compiles, and the line of the lock is given where the policies are known") {
    const auto compiled = policy::compile({{"lock.yaml", kLock}}, policy::CompileOptions{});
    REQUIRE(compiled.set);
    const LearnedWriters learned = learned_of({{}, {.username = "system:node:aks-1", .group = "", .assurance = "certificate"}});
    const std::string text = to_text(learned.propose(compiled.set.get()), learned, compiled.set.get());
    CHECK(text.ends_with("# Then, in production/only-git: writers: [flux, kubernetes, learned-users, learned-ci]\n"));

    std::string changed = kLock;
    changed.replace(changed.find("[flux, kubernetes]"), 18, "[flux, kubernetes, learned-users, learned-ci]");
    const auto again = policy::compile({{"learned.yaml", text}, {"lock.yaml", changed}}, policy::CompileOptions{});
    for (const policy::Problem& problem : again.problems) UNSCOPED_INFO(to_string(problem));
    REQUIRE(again.set);
    // A second round takes no name that is there.
    CHECK(learned.propose(again.set.get()).front().profile.name == "learned-users-2");

    const auto json = nlohmann::json::parse(to_json(learned.propose(compiled.set.get()), learned, compiled.set.get()));
    CHECK(json["profiles"].size() == 2);
    CHECK(json["profiles"][1]["name"] == "learned-ci");
    CHECK(json["locks"][0]["change"] == "writers: [flux, kubernetes, learned-users, learned-ci]");
}

TEST_CASE("records that teach nothing are passed over, and those that no profile can be made of are counted") {
    struct Row {
        const char* name;
        Seen seen;
        std::uint64_t left_out;
    };
    const Row rows[] = {
        {"a write that was not learned", {.learned = false}, 0},
        {"a write that was denied", {.decision = "denied"}, 0},
        {"a record that was cut", {.truncated = true}, 1},
        {"a name with a star", {.username = "system:serviceaccount:ci:*"}, 1},
        {"a user with a star", {.username = "system:*", .assurance = "certificate"}, 1},
        {"an account without a name", {.username = "system:serviceaccount:ci"}, 1},
        {"an account by --as", {.assurance = "impersonated"}, 1},
        {"an account by certificate", {.assurance = "certificate"}, 1},
        {"a user without one", {.username = "system:x", .assurance = "impersonated"}, 1},
        {"a resource with a star", {.resource = "*"}, 1},
        {"a sub-resource with a star", {.sub_resource = "*"}, 1},
        {"a namespace with a star", {.namespace_name = "*"}, 1},
        {"no resource", {.resource = ""}, 1},
        {"an operation that there is not", {.operation = "PATCH"}, 1},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const LearnedWriters learned = learned_of({row.seen});
        CHECK(learned.propose(nullptr).empty());
        CHECK(learned.left_out() == row.left_out);
        const std::string text = to_text({}, learned, nullptr);
        CHECK(text.starts_with("# Nothing was learned"));
        CHECK((text.find("Left out: 1") != std::string::npos) == (row.left_out == 1));
    }
    LearnedWriters learned;
    // A time that would end the comment it is put into.
    std::string forged = line_of({});
    forged.replace(forged.find("2026-12-01T"), 20, "2026\\nkind: WriterProfile");
    CHECK_FALSE(learned.add(forged).has_value());
    CHECK(learned.add(R"({"data":{"event":"learn-begun"}})").has_value());  // not looked at
    CHECK(learned.add(R"({"learned":true)").error().code == Errc::invalid_json);
    CHECK(learned.propose(nullptr).empty());
}

TEST_CASE("names of profiles have at most 63 characters, and stay apart") {
    const std::string space(63, 'a');
    const LearnedWriters learned = learned_of({{.username = "system:serviceaccount:" + space + ":x"},
                                               {.username = "system:serviceaccount:" + space.substr(1) + ":x"},
                                               {.username = "system:serviceaccount:users:x"},
                                               {.username = "system:x", .assurance = "certificate"}});
    std::set<std::string> names;
    for (const WriterProposal& proposal : learned.propose(nullptr)) {
        CHECK(proposal.profile.name.size() <= 63);
        names.insert(proposal.profile.name);
    }
    CHECK(names.size() == 4);
    CHECK(names.count("learned-users-2") == 1);
}
