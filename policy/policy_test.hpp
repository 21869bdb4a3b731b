#pragma once

// PolicyTest: what a set of policies is meant to say about some requests, in a file beside them. Shape:
// docs/reference/policy-files.md#policytest. Read here; run by `fluxgate test`. A set that is loaded reads its tests only to say
// what is wrong with them: they are no part of it.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "kube/admission_review.hpp"
#include "kube/selector.hpp"
#include "policy/decode.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// A violation that a verdict must have; what is left empty is not compared.
struct ExpectedViolation {
    std::string policy;
    std::string rule;  // never empty
    std::string path;
    std::optional<Action> action;
};

// What a verdict is compared with: `differences` of policy/expectation.hpp.
struct Expectation {
    bool allowed = false;
    // If given, exactly these and no others, in any order. One entry stands for every violation that agrees with it, so
    // {rule: limits} is all that the rule `limits` finds.
    std::optional<std::vector<ExpectedViolation>> violations;
    // If given, exactly these and no others: each is a part of a warning.
    std::optional<std::vector<std::string>> warnings;
    std::string message;  // a part of the denial as the client reads it; empty: not compared
};

// Where the text of an expectation stands, for whoever rewrites it.
struct ExpectationPlace {
    kube::Position key;       // of `expect`
    kube::Position mapping;   // of its value
    kube::Position the_case;  // of the mapping of the case
};

// An object of a case: inline, or the one object of a file.
struct TestObject {
    std::string file;  // relative to the test; empty if inline
    std::string json;  // if inline
    kube::Position position;

    bool given() const { return position.line > 0; }
};

struct PolicyTestCase {
    std::string name;
    kube::Position position;
    kube::Operation operation = kube::Operation::create;
    std::string user;       // userInfo as JSON
    TestObject object;      // given unless `review` is, or a DELETE has `old_object`
    TestObject old_object;  // given for UPDATE
    TestObject review;      // a recorded AdmissionReview, always a file; then nothing of the above is given
    bool dry_run = false;
    std::optional<kube::Labels> namespace_labels;
    std::optional<WallTime> time;  // absent: now, as the webhook; without dates in the policies it makes no difference
    Expectation expect;
    ExpectationPlace place;
};

struct PolicyPath {
    std::string path;  // a file or a folder, relative to the test
    kube::Position position;
};

struct PolicyTest {
    std::string name;
    kube::Position position;
    std::vector<PolicyPath> policies;
    std::vector<PolicyTestCase> cases;
};

PolicyTest decode_policy_test(const kube::Node& root, Problems& problems);

}  // namespace fluxgate::policy
