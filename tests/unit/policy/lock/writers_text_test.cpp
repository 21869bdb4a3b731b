#include "policy/lock/writers_text.hpp"

#include "kube/manifest.hpp"
#include "policy/lock/built_in_writers.hpp"
#include "policy/policy_documents.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

namespace {

std::vector<std::string> texts(const kube::Node* list) {
    std::vector<std::string> all;
    for (const kube::Node& item : list->items()) all.push_back(item.text());
    return all;
}

}  // namespace

TEST_CASE("a writer profile can be read back by the reader of policy files, with all that it says") {
    REQUIRE(built_in_writers().size() >= 2);
    for (const WriterProfile& profile : built_in_writers()) {
        const std::string yaml = to_yaml(profile);
        INFO(yaml);
        const kube::ReadResult read = kube::read_manifests(yaml, Limits{});
        REQUIRE(read.problems.empty());
        REQUIRE(read.documents.size() == 1);
        const kube::Node& root = read.documents[0].root;
        CHECK(find_in(root, {"kind"})->text() == "WriterProfile");
        CHECK(find_in(root, {"metadata", "name"})->text() == profile.name);
        const kube::Node* identities = find_in(root, {"spec", "identities"});
        REQUIRE(identities);
        REQUIRE(identities->items().size() == profile.identities.size());
        for (std::size_t i = 0; i < profile.identities.size(); ++i) {
            const WriterIdentity& identity = profile.identities[i];
            const kube::Node& node = identities->items()[i];
            if (const kube::Node* account = node.find("serviceAccount"))
                CHECK("system:serviceaccount:" + account->find("namespace")->text() + ":" + account->find("name")->text() ==
                      username_of(identity));
            else
                CHECK(node.find("user")->text() == username_of(identity));
            CHECK(node.find("assurance")->text() == to_string(identity.assurance));
            if (!identity.groups.empty()) CHECK(texts(node.find("groups")) == identity.groups);
            const auto& may = node.find("may")->items();
            REQUIRE(may.size() == identity.may.size());
            for (std::size_t k = 0; k < may.size(); ++k) {
                CHECK(texts(may[k].find("apiGroups")) == identity.may[k].rule.api_groups);
                CHECK(texts(may[k].find("resources")) == identity.may[k].rule.resources);
                CHECK((may[k].find("owned") != nullptr) == identity.may[k].owned);
                CHECK((may[k].find("boundToPod") != nullptr) == identity.may[k].bound_to_pod);
                const std::vector<std::string> operations = texts(may[k].find("operations"));
                CHECK_FALSE(operations.empty());
                CHECK(operations.size() < 4);  // all of them are "*"
            }
        }
    }
}

TEST_CASE("what is printed of a profile loads under another name, and lets the same people write the same") {
    std::vector<WriterProfile> profiles(built_in_writers().begin(), built_in_writers().end());
    for (const char* name : {"flux-multitenant", "aks-flux"})
        profiles.push_back(with_accounts(*find_built_in_writers(name), {{"team-a", "flux-applier"}, {"team-b", "7"}}));
    WriterProfile odd{.name = "true"};
    odd.identities.push_back({.groups = {"a \"b\""},
                              .assurance = Assurance::certificate,
                              .may = {{.rule = {{""}, {"v1", "v2"}, {"pods/*"}, Operations().with(kube::Operation::connect)}}}});
    odd.identities.push_back({.who = Subject{Subject::Kind::service_account, Glob::compile("*-x").value(), Glob::compile("7").value()},
                              .may = {{.rule = {{"*"}, {}, {"*/*"}, Operations::all()}}}});
    profiles.push_back(odd);
    for (WriterProfile profile : profiles) {
        profile.name = profile.name == "true" ? "true" : "copy-of-" + profile.name;
        const std::string yaml = to_yaml(profile);
        INFO(yaml);
        const auto set = sample::compiled({yaml, sample::rule("lock: {writers: [\"" + profile.name + "\"]}")});
        REQUIRE(set->writers.size() == 1);
        const WriterProfile& loaded = *set->writers[0];
        CHECK(to_yaml(loaded) == yaml);
        REQUIRE(loaded.identities.size() == profile.identities.size());
        for (std::size_t i = 0; i < loaded.identities.size(); ++i) {
            const WriterIdentity& was = profile.identities[i];
            const WriterIdentity& is = loaded.identities[i];
            CHECK(username_of(is) == username_of(was));
            CHECK((is.who && is.who->kind == Subject::Kind::user) == (was.who && was.who->kind == Subject::Kind::user));
            CHECK(is.groups == was.groups);
            CHECK(is.assurance == was.assurance);
            REQUIRE(is.may.size() == was.may.size());
            for (std::size_t k = 0; k < is.may.size(); ++k) {
                CHECK(is.may[k].rule.api_groups == was.may[k].rule.api_groups);
                CHECK(is.may[k].rule.api_versions == was.may[k].rule.api_versions);
                CHECK(is.may[k].rule.resources == was.may[k].rule.resources);
                for (const auto operation :
                     {kube::Operation::create, kube::Operation::update, kube::Operation::remove, kube::Operation::connect})
                    CHECK(is.may[k].rule.operations.has(operation) == was.may[k].rule.operations.has(operation));
                REQUIRE(is.may[k].namespaces.size() == was.may[k].namespaces.size());
                for (std::size_t n = 0; n < is.may[k].namespaces.size(); ++n)
                    CHECK(is.may[k].namespaces[n].text() == was.may[k].namespaces[n].text());
                CHECK(is.may[k].owned == was.may[k].owned);
                CHECK(is.may[k].bound_to_pod == was.may[k].bound_to_pod);
            }
        }
    }
}
