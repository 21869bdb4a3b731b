#pragma once

// Requests and policies in few words, for the tests of this folder. What a test does not say is as in an ordinary CREATE
// of Pod production/web by alice, who is no writer.

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/evaluate.hpp"
#include "policy/loader.hpp"
#include "tests/support/catch.hpp"

namespace fluxgate::policy::sample {

// --- who asks (userInfo as the API server writes it) ------------------------------------------------------------------

inline const std::string kAlice =
    R"({"username":"alice@example.com","groups":["devs","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=0b19"]}})";

inline std::string certificate(std::string_view username, std::string_view group = "system:authenticated") {
    return R"({"username":")" + std::string(username) + R"(","groups":[")" + std::string(group) +
           R"("],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=0b19"]}})";
}

inline std::string service_account(std::string_view namespace_name, std::string_view name, std::string_view uid, std::string_view extra) {
    return R"({"username":"system:serviceaccount:)" + std::string(namespace_name) + ":" + std::string(name) + R"(","uid":")" +
           std::string(uid) + R"(","groups":["system:serviceaccounts","system:serviceaccounts:)" + std::string(namespace_name) +
           R"(","system:authenticated"],"extra":)" + std::string(extra) + "}";
}

// A token bound to a pod; a token from the TokenRequest API; `--as`.
inline std::string pod_bound(std::string_view namespace_name, std::string_view name) {
    return service_account(namespace_name, name, "8d1f",
                           R"({"authentication.kubernetes.io/credential-id":["JTI=2924"],"authentication.kubernetes.io/pod-name":["p-1"],)"
                           R"("authentication.kubernetes.io/pod-uid":["3b4d"]})");
}
inline std::string token(std::string_view namespace_name, std::string_view name) {
    return service_account(namespace_name, name, "8d1f", R"({"authentication.kubernetes.io/credential-id":["JTI=2924"]})");
}
inline std::string impersonated(std::string_view namespace_name, std::string_view name) {
    return service_account(namespace_name, name, "", "{}");
}

inline const std::string kFlux = pod_bound("flux-system", "kustomize-controller");

// --- what they ask ----------------------------------------------------------------------------------------------------

struct Request {
    std::string operation = "CREATE";
    std::string group = "";
    std::string resource = "pods";
    std::string sub_resource = "";
    std::string kind = "Pod";
    std::string name = "web";
    std::string namespace_name = "production";
    std::string user = kAlice;
    std::string object = R"({"metadata":{"name":"web","namespace":"production"}})";
    std::string old_object = "null";
    bool dry_run = false;
    std::string version = "v1";

    std::string json() const {
        const auto text = [](const std::string& value) { return "\"" + value + "\""; };
        return R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"b855796f-90eb","kind":{"group":)" +
               text(group) + R"(,"version":)" + text(version) + R"(,"kind":)" + text(kind) + R"(},"resource":{"group":)" + text(group) +
               R"(,"version":)" + text(version) + R"(,"resource":)" + text(resource) + R"(},"subResource":)" + text(sub_resource) +
               R"(,"name":)" + text(name) + R"(,"namespace":)" + text(namespace_name) + R"(,"operation":)" + text(operation) +
               R"(,"userInfo":)" + user + R"(,"object":)" + object + R"(,"oldObject":)" + old_object + R"(,"dryRun":)" +
               (dry_run ? "true" : "false") + R"(,"options":{}}})";
    }
};

// DELETE, UPDATE … with the objects that Kubernetes would send.
inline Request with_operation(Request request, std::string operation) {
    request.operation = std::move(operation);
    if (request.operation == "DELETE") std::swap(request.object, request.old_object);
    if (request.operation == "UPDATE") request.old_object = request.object;
    return request;
}

// --- reading both -----------------------------------------------------------------------------------------------------

// Owns the text that the review looks into.
class Read {
public:
    explicit Read(const Request& request) : Read(request.json()) {}
    explicit Read(std::string_view text) : text_(kube::with_slack(text)), reader_(Limits{}) {
        auto review = reader_.read(text_);
        INFO(text_);
        if (!review) FAIL(to_string(review.error().error));
        review_ = *review;
    }
    Read(const Read&) = delete;
    const kube::Review& operator*() const { return review_; }
    const kube::Review* operator->() const { return &review_; }

private:
    std::string text_;
    kube::ReviewReader reader_;
    kube::Review review_;
};

inline std::string file(const std::string& path) {
    std::ifstream stream(std::string(FLUXGATE_SOURCE_DIR) + "/" + path, std::ios::binary);
    INFO(path);
    REQUIRE(stream.is_open());
    return {std::istreambuf_iterator<char>(stream), {}};
}
inline std::string recording(const std::string& name) { return file("cli/demo/recordings/" + name + ".json"); }

// A GuardPolicy with these lines as its spec, indented by two.
inline std::string policy(std::string_view spec, std::string_view name = "p") {
    return "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: " + std::string(name) + "}\nspec:\n" + std::string(spec);
}
// … with one rule, written in flow style: `lock: {writers: [flux]}`.
inline std::string rule(std::string_view body, std::string_view name = "p") {
    return policy("  rules:\n  - {name: r, " + std::string(body) + "}\n", name);
}

inline std::vector<std::string> problems_of(const std::vector<PolicyFile>& files, const CompileOptions& options = {}) {
    std::vector<std::string> list;
    for (const Problem& problem : compile(files, options).problems) list.push_back(to_string(problem));
    return list;
}

inline std::shared_ptr<const PolicySet> compiled(const std::vector<std::string>& texts) {
    std::vector<PolicyFile> files;
    for (const std::string& text : texts) files.push_back({"policy-" + std::to_string(files.size()) + ".yaml", text});
    auto result = compile(files, CompileOptions{});
    for (const Problem& problem : result.problems) UNSCOPED_INFO(to_string(problem));
    REQUIRE(result.set != nullptr);
    return result.set;
}
inline std::shared_ptr<const PolicySet> compiled(const std::string& text) { return compiled(std::vector<std::string>{text}); }

// What one rule finds, "PATH: have …, want …" each; `kind` is its field: "images", `body` what it holds.
inline std::vector<std::string> found(std::string_view kind, std::string_view body, const Request& request) {
    const auto set = compiled(rule(std::string(kind) + ": " + std::string(body)));
    std::vector<std::string> list;
    for (const Violation& violation : evaluate(*Read(request), *set, {}).violations)
        list.push_back(violation.path + ": have " + violation.have + ", want " + violation.want);
    return list;
}

// The problems of a rule in p.yaml, with '|' between them.
inline std::string problems_of_rule(std::string_view kind, std::string_view body) {
    std::string problems;
    for (const std::string& problem : problems_of({{"p.yaml", rule(std::string(kind) + ": " + std::string(body))}}))
        problems += (problems.empty() ? "" : "|") + problem;
    return problems;
}

}  // namespace fluxgate::policy::sample
