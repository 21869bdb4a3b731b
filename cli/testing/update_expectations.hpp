#pragma once

// Puts other expectations into the text of a PolicyTest, and leaves everything else as it is, byte for byte. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "policy/policy_test.hpp"

namespace fluxgate::cli {

struct ExpectationUpdate {
    policy::ExpectationPlace place;
    policy::Expectation expect;
};

// A mapping in block style stays one; one in {} stays on its line while that is short, or stands in a line of a case in {}. JSON
// stays JSON. Comments within an expectation are lost. Nothing if the text that would come out says anything else than it should:
// then it must be edited by hand.
std::optional<std::string> update_expectations(std::string_view text, std::vector<ExpectationUpdate> updates, const Limits& limits);

// Do both texts hold the same documents, but for the expectations of `updates`, and does `after` hold those?
bool only_expectations_differ(std::string_view before, std::string_view after, const std::vector<ExpectationUpdate>& updates,
                              const Limits& limits);

}  // namespace fluxgate::cli
