// HTTP body → review → verdict → answer, with the demo's policies. Whatever the body is, the answer is a well-formed
// AdmissionReview, the same every time, and nothing but a verdict lets a write pass.

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
#include "tests/fuzz/require.hpp"
#include "webhook/review.hpp"

using namespace fluxgate;

namespace {

std::shared_ptr<const policy::PolicySet> demo_policies() {
    const auto files = policy::read_policy_directory(std::filesystem::path(FLUXGATE_SOURCE_DIR) / "cli/demo/policies", Limits{});
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::shared_ptr<const policy::PolicySet> set = demo_policies();
    static webhook::Reviewer reviewer(Limits{}, webhook::Origin{"fuzz", "fuzz-0"});
    const std::string body = kube::with_slack(std::string_view(reinterpret_cast<const char*>(data), size));

    kube::ReviewReader reader{Limits{}};
    const auto review = reader.read(body);
    const std::string uid = review ? std::string(review->uid) : review.error().uid;

    const webhook::Outcome outcome = reviewer.judge(body, *set, WallTime{});
    FLUXGATE_REQUIRE(outcome.error != to_string(Errc::internal));
    FLUXGATE_REQUIRE(outcome.readable == review.has_value());
    FLUXGATE_REQUIRE(!outcome.allowed || (outcome.readable && outcome.error.empty()));
    FLUXGATE_REQUIRE((outcome.http_status == 200) == (outcome.readable || !uid.empty()));
    if (outcome.http_status == 200) {
        check_answer(outcome.answer, outcome.allowed, uid);
        const bool remembered = outcome.promise == webhook::Promise::before_the_answer || outcome.promise == webhook::Promise::or_refuse;
        if (remembered) check_answer(outcome.without_record, false, uid);
    }
    FLUXGATE_REQUIRE(outcome.record.has_value() == (outcome.promise != webhook::Promise::none));

    const webhook::Outcome again = webhook::Reviewer(Limits{}, webhook::Origin{"fuzz", "fuzz-0"}).judge(body, *set, WallTime{});
    FLUXGATE_REQUIRE(again.allowed == outcome.allowed && again.promise == outcome.promise && again.error == outcome.error);
    return 0;
}
