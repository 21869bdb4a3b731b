// HTTP body → review → verdict → answer, with the demo's policies and with every rule there is. Whatever the body is, the answer is a well-formed
// AdmissionReview, the same every time, nothing but a verdict lets a write pass, and what defaults fill in stays filled.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "kube/admission_review.hpp"
#include "kube/json.hpp"
#include "policy/loader.hpp"
#include "policy/mutate.hpp"
#include "tests/fuzz/require.hpp"
#include "webhook/review.hpp"

using namespace fluxgate;

namespace {

std::shared_ptr<const policy::PolicySet> policies_in(const char* folder) {
    const auto files = policy::read_policy_directory(std::filesystem::path(FLUXGATE_SOURCE_DIR) / folder, Limits{});
    FLUXGATE_REQUIRE(files.has_value());
    const policy::CompileResult compiled = policy::compile(*files, policy::CompileOptions{});
    FLUXGATE_REQUIRE(compiled.set != nullptr);
    return compiled.set;
}

void check_answer(std::string_view answer, bool allowed_possible, std::string_view uid) {
    kube::JsonReader reader{Limits{}};
    const std::string padded = kube::with_slack(answer);
    const auto json = reader.read(padded);
    FLUXGATE_REQUIRE(json.has_value());
    const kube::Json response = (*json)["response"];
    FLUXGATE_REQUIRE((*json)["kind"].text() == "AdmissionReview");
    FLUXGATE_REQUIRE(response["allowed"].boolean().has_value());
    FLUXGATE_REQUIRE(allowed_possible || !response["allowed"].is_true());
    FLUXGATE_REQUIRE(response["uid"].text() == uid);
    FLUXGATE_REQUIRE(response["allowed"].is_true() || !response["status"]["message"].text().empty());
}

// The same review of a body, by one set of policies.
void check_verdict(const std::string& body, const policy::PolicySet& set, webhook::Reviewer& reviewer, bool readable,
                   const std::string& uid) {
    const webhook::Outcome outcome = reviewer.judge(body, set, {.now = WallTime{}});
    FLUXGATE_REQUIRE(outcome.error != to_string(Errc::internal));
    FLUXGATE_REQUIRE(outcome.readable == readable);
    FLUXGATE_REQUIRE(!outcome.allowed || (outcome.readable && outcome.error.empty()));
    FLUXGATE_REQUIRE((outcome.http_status == 200) == (outcome.readable || !uid.empty()));
    if (outcome.http_status == 200) {
        check_answer(outcome.answer, outcome.allowed, uid);
        const bool remembered = outcome.promise == webhook::Promise::before_the_answer || outcome.promise == webhook::Promise::or_refuse;
        if (remembered) check_answer(outcome.without_record, false, uid);
    }
    FLUXGATE_REQUIRE(outcome.record.has_value() == (outcome.promise != webhook::Promise::none));

    const webhook::Outcome again = webhook::Reviewer(Limits{}, webhook::Origin{"fuzz", "fuzz-0"}).judge(body, set, {.now = WallTime{}});
    FLUXGATE_REQUIRE(again.allowed == outcome.allowed && again.promise == outcome.promise && again.error == outcome.error);
}

void check_mutation(const std::string& body, const policy::PolicySet& set, webhook::Reviewer& reviewer, const std::string& uid) {
    const webhook::Outcome outcome = reviewer.mutate(body, set, {.now = WallTime{}});
    FLUXGATE_REQUIRE(outcome.error != to_string(Errc::internal));
    if (outcome.http_status == 200) check_answer(outcome.answer, outcome.allowed, uid);
    if (!outcome.patched) return;
    kube::ReviewReader reader{Limits{}};
    const auto review = reader.read(body);
    const policy::Patch patch = policy::mutate(*review, set, {});
    auto json = nlohmann::json::parse(body);
    json["request"]["object"] = json["request"]["object"].patch(patch.operations());  // throws if it does not apply
    kube::ReviewReader second_reader{Limits{}};
    const std::string filled = kube::with_slack(json.dump());
    const auto second = second_reader.read(filled);
    FLUXGATE_REQUIRE(second.has_value());
    FLUXGATE_REQUIRE(policy::mutate(*second, set, {}).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto demo = policies_in("cli/demo/policies");
    static const auto every_rule = policies_in("tests/fuzz/policies");
    static webhook::Reviewer reviewer(Limits{}, webhook::Origin{"fuzz", "fuzz-0"});
    const std::string body = kube::with_slack(std::string_view(reinterpret_cast<const char*>(data), size));

    kube::ReviewReader reader{Limits{}};
    const auto review = reader.read(body);
    const std::string uid = review ? std::string(review->uid) : review.error().uid;
    for (const auto& set : {demo, every_rule}) check_verdict(body, *set, reviewer, review.has_value(), uid);
    check_mutation(body, *every_rule, reviewer, uid);
    return 0;
}
