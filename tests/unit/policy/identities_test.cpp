#include "policy/identities.hpp"

#include "policy/lock/assurance.hpp"
#include "policy/lock/built_in_writers.hpp"
#include "tests/unit/policy/sample.hpp"

namespace fluxgate::policy {

namespace {

sample::Request by(std::string_view as, const std::vector<std::string>& groups = {}) {
    const auto user = user_info(as, groups);
    INFO(as);
    REQUIRE(user);
    sample::Request request;
    request.user = *user;
    return request;
}

}  // namespace

TEST_CASE("an identity has the name and the proof that its writer profile asks for") {
    struct Row {
        std::string as;
        std::string username;
        Assurance assurance;
    };
    for (const Row& row : std::vector<Row>{
             {"flux", "system:serviceaccount:flux-system:kustomize-controller", Assurance::pod_bound},
             {"flux/helm-controller", "system:serviceaccount:flux-system:helm-controller", Assurance::pod_bound},
             {"kubernetes/replicaset-controller", "system:serviceaccount:kube-system:replicaset-controller", Assurance::pod_bound},
             {"kubernetes/system:kube-scheduler", "system:kube-scheduler", Assurance::certificate},
             {"aks", "aksService", Assurance::certificate},
             {"aks/vpa-updater", "system:serviceaccount:kube-system:vpa-updater", Assurance::pod_bound},
             {"aks-flux/fluxconfig-controller", "system:serviceaccount:flux-system:fluxconfig-controller", Assurance::pod_bound},
             {"flux-operator", "system:serviceaccount:flux-system:flux-operator", Assurance::pod_bound},
             {"argocd", "system:serviceaccount:argocd:argocd-application-controller", Assurance::pod_bound},
             {"keda/keda-operator", "system:serviceaccount:keda:keda-operator", Assurance::pod_bound},
             {"system:serviceaccount:shop:web", "system:serviceaccount:shop:web", Assurance::pod_bound},
             {"system:node:n1", "system:node:n1", Assurance::certificate},
             {"alice@example.com", "alice@example.com", Assurance::certificate},
         }) {
        INFO(row.as);
        const sample::Read review(by(row.as));
        CHECK(review->user.username == row.username);
        CHECK(read_assurance(review->user) == row.assurance);
    }
    CHECK(sample::Read(by("alice", {"devs"}))->user.in_group("devs"));
    CHECK(sample::Read(by("system:node:n1"))->user.in_group("system:nodes"));
}

TEST_CASE("every identity that help names passes for its profile somewhere, and flux may write anything") {
    const auto set = sample::compiled(sample::rule("lock: {writers: [flux, kubernetes]}"));
    CHECK(evaluate(*sample::Read(by("flux")), *set, {}).allowed);
    CHECK_FALSE(evaluate(*sample::Read(by("alice")), *set, {}).allowed);
    const std::vector<std::string> names = identity_names();
    for (const std::string& name : names) {
        INFO(name);
        CHECK(user_info(name, {}).has_value());
        CHECK(std::count(names.begin(), names.end(), name) == 1);
    }
    for (const WriterProfile& profile : built_in_writers()) CHECK(std::count(names.begin(), names.end(), profile.name) == 1);
}

TEST_CASE("an identity that does not exist is an error that helps") {
    CHECK(user_info("flux/helm-controler", {}).error().message.find("did you mean \"helm-controller\"?") != std::string::npos);
    CHECK(user_info("system:serviceaccount:only-namespace", {}).error().message.find("NAMESPACE:NAME") != std::string::npos);
    CHECK_FALSE(user_info("kubernetes/system:node:*", {}).has_value());  // kubelets have names of their own
    CHECK(user_info("flux", {"system:masters"}).error().code == Errc::invalid_argument);
    CHECK_FALSE(user_info("", {}).has_value());
}

}  // namespace fluxgate::policy
