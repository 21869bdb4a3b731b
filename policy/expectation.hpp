#pragma once

// Compares what a PolicyTest expects with the verdict that was reached. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_test.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// A line of `expect` as it is and as it would have to be.
struct DiffLine {
    enum class Side : std::uint8_t { both, expected, actual };
    Side side = Side::both;
    std::string text;

    friend bool operator==(const DiffLine&, const DiffLine&) = default;
};

// Empty if the verdict is as expected; else every line of the expectation that is compared, with those that differ on one side only.
// `message` is the denial as the client reads it, empty if allowed.
//
// A violation of the object as a whole (path ".", who wrote it) needs no entry of its own where the expectation names the paths
// of the same rule.
std::vector<DiffLine> differences(const Expectation& expect, const Verdict& verdict, std::string_view message);

// The expectation that this verdict meets: what `fluxgate test --update` writes. It compares what `expect` compares; violations are
// listed with rule and path, and with the policy where `expect` names policies.
Expectation expectation_of(const Verdict& verdict, std::string_view message, const Expectation& expect);

// "Deny": as it is written in policy files.
std::string_view name_of(Action action);

// "{rule: limits, path: .spec.x}": an entry on one line, quoted so that the strict reader takes it.
std::string to_yaml(const ExpectedViolation& violation);
// A text as a plain scalar where that is safe within [] and {}, else in quotes.
std::string to_yaml(std::string_view text);

}  // namespace fluxgate::policy
