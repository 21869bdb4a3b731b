#pragma once

// What the tests of the webhook share: reviews made or recorded, the policies of the demo, and a clock of their own.

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "kube/admission_review.hpp"
#include "policy/loader.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::webhook::testing {

using nlohmann::json;

inline constexpr const char* kUid = "b855796f-90eb-484e-9c71-41c1647c7102";
inline constexpr WallTime kNow{std::chrono::microseconds{1'796'436'600'000'000}};

class FixedClock final : public Clock {
public:
    WallTime now() const override { return now_; }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
    void set(WallTime now) { now_ = now; }

private:
    WallTime now_ = kNow;
};

inline std::filesystem::path source(const std::string& path) { return std::filesystem::path(FLUXGATE_SOURCE_DIR) / path; }

inline std::string recording(const std::string& name) {
    std::ifstream stream(source("cli/demo/recordings/" + name + ".json"), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline std::shared_ptr<const policy::PolicySet> compile(const std::string& yaml) {
    auto compiled = policy::compile({{"test.yaml", yaml}}, policy::CompileOptions{});
    if (!compiled.set) throw std::runtime_error(policy::to_string(compiled.problems.at(0)));
    return compiled.set;
}

inline std::shared_ptr<const policy::PolicySet> demo_policies() {
    return policy::compile(policy::read_policy_directory(source("cli/demo/policies"), Limits{}).value(), policy::CompileOptions{}).set;
}

// The demo's policies in another mode: "Warn", "Audit".
inline std::shared_ptr<const policy::PolicySet> policies_with_action(const std::string& action) {
    return compile("apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata:\n  name: production\nspec:\n  validationActions: [" +
                   action +
                   "]\n  match:\n    namespaces: [production]\n  rules:\n  - name: only-git\n    lock:\n      writers: [flux, kubernetes]\n"
                   "  - name: limits\n    resources:\n      limits: [memory]\n");
}

// An UPDATE of a Deployment by alice as JSON, to be changed by the test.
inline json update_review() {
    const json object{{"kind", "Deployment"}, {"metadata", {{"name", "web"}, {"namespace", "production"}}}, {"spec", {{"replicas", 2}}}};
    return {{"apiVersion", "admission.k8s.io/v1"},
            {"kind", "AdmissionReview"},
            {"request",
             {{"uid", kUid},
              {"kind", {{"group", "apps"}, {"version", "v1"}, {"kind", "Deployment"}}},
              {"resource", {{"group", "apps"}, {"version", "v1"}, {"resource", "deployments"}}},
              {"name", "web"},
              {"namespace", "production"},
              {"operation", "UPDATE"},
              {"userInfo", {{"username", "alice@example.com"}, {"groups", {"devs"}}}},
              {"object", object},
              {"oldObject", object},
              {"dryRun", false}}}};
}

// Reads a review and keeps alive what it points into.
class ReadReview {
public:
    explicit ReadReview(const json& review)
        : text_(kube::with_slack(review.dump())), reader_(Limits{}), review_(reader_.read(text_).value()) {}
    explicit ReadReview(const std::string& text) : text_(kube::with_slack(text)), reader_(Limits{}), review_(reader_.read(text_).value()) {}
    const kube::Review& operator*() const { return review_; }

private:
    std::string text_;
    kube::ReviewReader reader_;
    kube::Review review_;
};

}  // namespace fluxgate::webhook::testing
