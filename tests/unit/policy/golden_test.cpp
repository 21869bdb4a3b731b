// tests/golden/<case>/{policy.yaml,review.json,verdict.json}: what one policy says about one review, whole.
// FLUXGATE_GOLDEN_REWRITE=1 (make golden) writes the verdicts anew; review the diff like code.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "policy/evaluate.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using nlohmann::ordered_json;

namespace {

ordered_json to_json(const Verdict& verdict) {
    ordered_json json{{"allowed", verdict.allowed},     {"writeClass", to_string(verdict.write_class)},
                      {"effective", verdict.effective}, {"assurance", to_string(verdict.assurance)},
                      {"writer", verdict.writer},       {"violations", ordered_json::array()},
                      {"warnings", verdict.warnings},   {"owner", verdict.owner},
                      {"guidance", verdict.guidance},   {"compliance", verdict.compliance}};
    for (const Violation& violation : verdict.violations) {
        json["violations"].push_back({{"policy", violation.policy},
                                      {"rule", violation.rule},
                                      {"path", violation.path},
                                      {"have", violation.have},
                                      {"want", violation.want},
                                      {"action", to_string(violation.action)}});
    }
    if (verdict.violations_omitted > 0) json["violationsOmitted"] = verdict.violations_omitted;
    return json;
}

std::vector<std::string> cases() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(FLUXGATE_SOURCE_DIR) + "/tests/golden")) {
        if (entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

TEST_CASE("the verdicts on recorded reviews are as reviewed") {
    const char* rewrite = std::getenv("FLUXGATE_GOLDEN_REWRITE");
    const auto names = cases();
    CHECK(names.size() >= 12);
    for (const std::string& name : names) {
        INFO("tests/golden/" << name);
        const std::string folder = "tests/golden/" + name + "/";
        const auto set = sample::compiled(sample::file(folder + "policy.yaml"));
        const sample::Read review(sample::file(folder + "review.json"));
        const std::string verdict = to_json(evaluate(*review, *set, {})).dump(2) + "\n";
        const std::string path = std::string(FLUXGATE_SOURCE_DIR) + "/" + folder + "verdict.json";
        if (rewrite && *rewrite == '1') std::ofstream(path, std::ios::binary) << verdict;
        CHECK(verdict == sample::file(folder + "verdict.json"));
    }
}
