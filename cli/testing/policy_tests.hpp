#pragma once

// PolicyTests from files to results: what `fluxgate test` runs. Judges with the webhook's own evaluator, and compares the message
// with the one that the webhook would write.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/limits.hpp"
#include "policy/context.hpp"
#include "policy/expectation.hpp"
#include "policy/loader.hpp"
#include "policy/policy_set.hpp"
#include "policy/policy_test.hpp"

namespace fluxgate::cli {

// A file that holds PolicyTests, perhaps beside other documents.
struct TestFile {
    std::string path;  // as it was named or found
    std::string text;
    std::vector<policy::PolicyTest> tests;
};

struct FoundTests {
    std::vector<TestFile> files;        // in the order of the paths; within a folder by name
    std::vector<std::string> problems;  // file:line:column: message
};

// Looks through folders, with those below, for *.yaml, *.yml and *.json that hold PolicyTests; other files, links to folders, and
// folders whose names begin with a dot are passed over. A file that is named must hold one.
FoundTests find_policy_tests(const std::vector<std::string>& paths, const Limits& limits);

// The PolicyTests of one text.
TestFile read_policy_tests(std::string path, std::string text, const Limits& limits, std::vector<std::string>& problems);

struct TestOptions {
    Limits limits{};
    std::optional<std::string> policies{};  // a folder or file that takes the place of what tests name
    std::chrono::days exception_horizon{180};
    WallTime now{};  // of cases without a time
};

struct CaseResult {
    std::string error{};   // why it could not be judged, with its place; then nothing below counts
    std::string review{};  // the AdmissionReview, on one line; a Pod of a manifest as /mutate leaves it
    policy::Verdict verdict{};
    std::string message{};  // of the denial, as the client reads it; empty if allowed
    std::vector<policy::DiffLine> differences{};

    bool passed() const { return error.empty() && differences.empty(); }
};

// Not copyable, one thread at a time: keeps the sets that it compiled.
class TestRunner {
public:
    explicit TestRunner(TestOptions options) : options_(std::move(options)) {}
    TestRunner(const TestRunner&) = delete;
    TestRunner& operator=(const TestRunner&) = delete;

    // The policies of a test; null if they do not compile. What is wrong with a set is in `problems` once, when it is first asked for.
    std::shared_ptr<const policy::PolicySet> set_of(const TestFile& file, const policy::PolicyTest& test,
                                                    std::vector<std::string>& problems);

    // For coverage, while the reviews live: `sent` is a Pod before its defaults were filled in, else the same as `review`.
    using Seen = std::function<void(const kube::Review& sent, const kube::Review& review, const policy::Context& context)>;
    CaseResult run(const TestFile& file, const policy::PolicyTest& test, const policy::PolicyTestCase& test_case,
                   const policy::PolicySet& set, const Seen& seen) const;

private:
    Result<std::string> review_text(const TestFile& file, const policy::PolicyTest& test, const policy::PolicyTestCase& test_case) const;

    TestOptions options_;
    std::map<std::vector<std::string>, std::shared_ptr<const policy::PolicySet>> sets_;  // by the files and folders named
};

}  // namespace fluxgate::cli
