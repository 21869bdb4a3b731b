#include "policy/lock/assurance.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

TEST_CASE("the assurance of a caller is read from what the API server authenticated") {
    constexpr std::string_view kJti = R"({"authentication.kubernetes.io/credential-id":["JTI=1"])";
    const auto account = [](std::string_view uid, std::string extra) {
        return sample::service_account("flux-system", "kustomize-controller", uid, extra);
    };
    const auto with = [&](std::string_view more) { return std::string(kJti) + "," + std::string(more) + "}"; };
    const std::string pod_name = R"("authentication.kubernetes.io/pod-name":["p"])";
    const std::string pod_uid = R"("authentication.kubernetes.io/pod-uid":["u"])";
    struct Row {
        std::string_view name;
        std::string user;
        Assurance assurance;
    };
    const Row rows[] = {
        {"a token bound to a pod", account("u1", with(pod_name + "," + pod_uid)), Assurance::pod_bound},
        {"a token bound to a pod on a named node",
         account("u1", with(pod_name + "," + pod_uid + R"(,"authentication.kubernetes.io/node-name":["n"])")), Assurance::pod_bound},
        {"a token from the TokenRequest API", account("u1", with(R"("x":["y"])")), Assurance::token},
        {"a token of a Secret: a uid and nothing else", account("u1", "{}"), Assurance::token},
        {"a token of a Secret, extra absent",
         R"({"username":"system:serviceaccount:a:b","uid":"u","groups":["system:serviceaccounts","system:serviceaccounts:a"]})",
         Assurance::token},
        {"impersonated: no uid, no extra", account("", "{}"), Assurance::impersonated},
        {"impersonated with forged pod extras but no uid", account("", with(pod_name + "," + pod_uid)), Assurance::impersonated},
        {"a pod name without a pod uid", account("u1", with(pod_name)), Assurance::token},
        {"a pod uid without a pod name", account("u1", with(pod_uid)), Assurance::token},
        {"pod extras without a credential id", account("u1", "{" + pod_name + "," + pod_uid + "}"), Assurance::token},
        {"an empty pod name", account("u1", with(R"("authentication.kubernetes.io/pod-name":[""],)" + pod_uid)), Assurance::token},
        {"a pod name that is an empty list", account("u1", with(R"("authentication.kubernetes.io/pod-name":[],)" + pod_uid)),
         Assurance::token},
        {"a pod name that is no list", account("u1", with(R"("authentication.kubernetes.io/pod-name":"p",)" + pod_uid)), Assurance::token},
        {"a pod name that is a number", account("u1", with(R"("authentication.kubernetes.io/pod-name":[7],)" + pod_uid)), Assurance::token},
        {"a credential id of another kind",
         account("u1", R"({"authentication.kubernetes.io/credential-id":["jti=1"],)" + pod_name + "," + pod_uid + "}"), Assurance::token},
        {"a certificate that names a service account", account("", R"({"authentication.kubernetes.io/credential-id":["X509SHA256=1"]})"),
         Assurance::none},
        {"the same with a forged uid", account("u1", R"({"authentication.kubernetes.io/credential-id":["X509SHA256=1"]})"),
         Assurance::none},
        {"a service account without groups", R"({"username":"system:serviceaccount:a:b","uid":"u"})", Assurance::none},
        {"a service account without the group of its namespace",
         R"({"username":"system:serviceaccount:a:b","uid":"u","groups":["system:serviceaccounts","system:authenticated"]})",
         Assurance::none},
        {"a service account without the group of all",
         R"({"username":"system:serviceaccount:a:b","uid":"u","groups":["system:serviceaccounts:a"]})", Assurance::none},
        {"a service account with the group of another namespace",
         R"({"username":"system:serviceaccount:a:b","uid":"u","groups":["system:serviceaccounts","system:serviceaccounts:ab"]})",
         Assurance::none},
        {"a person with a certificate", sample::kAlice, Assurance::certificate},
        {"a person with a token of an identity provider", R"({"username":"alice@example.com","uid":"","groups":["devs"]})",
         Assurance::impersonated},
        {"a person impersonated", R"({"username":"system:kube-scheduler","groups":["system:authenticated"]})", Assurance::impersonated},
        {"a name that only looks like an account's", R"({"username":"system:serviceaccounts:a:b","groups":[]})", Assurance::impersonated},
        {"nobody", R"({})", Assurance::impersonated},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request;
        request.user = row.user;
        CHECK(read_assurance(Read(request)->user) == row.assurance);
    }
}

TEST_CASE("a proof satisfies itself and what is weaker on its own ladder") {
    using A = Assurance;
    const A all[] = {A::none, A::impersonated, A::token, A::pod_bound, A::certificate};
    struct Row {
        A demanded;
        std::vector<A> satisfied_by;
    };
    const Row rows[] = {
        {A::none, {}},  // demanding nothing is a mistake
        {A::impersonated, {A::impersonated, A::token, A::pod_bound, A::certificate}},
        {A::token, {A::token, A::pod_bound}},
        {A::pod_bound, {A::pod_bound}},
        {A::certificate, {A::certificate}},
    };
    for (const Row& row : rows) {
        for (const A proven : all) {
            INFO(to_string(proven) << " where " << to_string(row.demanded) << " is demanded");
            CHECK(satisfies(proven, row.demanded) ==
                  (std::find(row.satisfied_by.begin(), row.satisfied_by.end(), proven) != row.satisfied_by.end()));
        }
    }
}
