#include "policy/lock/writers_text.hpp"

#include "kube/manifest.hpp"
#include "policy/policy_documents.hpp"
#include "tests/support/catch.hpp"

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
                CHECK("system:serviceaccount:" + account->find("namespace")->text() + ":" + account->find("name")->text() == identity.user);
            else
                CHECK(node.find("user")->text() == (identity.user.empty() ? identity.user_prefix + "*" : identity.user));
            CHECK(node.find("assurance")->text() == to_string(identity.assurance));
            if (!identity.groups.empty()) CHECK(texts(node.find("groups")) == identity.groups);
            const auto& may = node.find("may")->items();
            REQUIRE(may.size() == identity.may.size());
            for (std::size_t k = 0; k < may.size(); ++k) {
                CHECK(texts(may[k].find("apiGroups")) == identity.may[k].rule.api_groups);
                CHECK(texts(may[k].find("resources")) == identity.may[k].rule.resources);
                CHECK((may[k].find("owned") != nullptr) == identity.may[k].owned);
                CHECK((may[k].find("boundToPod") != nullptr) == identity.may[k].bound_to_pod);
                CHECK_FALSE(texts(may[k].find("operations")).empty());
            }
        }
    }
}
