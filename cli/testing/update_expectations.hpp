#pragma once

// Puts other expectations into the text of a PolicyTest, and leaves everything else as it is, byte for byte. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_test.hpp"

namespace fluxgate::cli {

struct ExpectationUpdate {
    policy::ExpectationPlace place;
    policy::Expectation expect;
};

// A mapping in block style stays one; one in {} stays on its line while that is short, or stands in a line of a case in {}. JSON
// stays JSON. Comments within an expectation are lost.
std::string update_expectations(std::string_view text, std::vector<ExpectationUpdate> updates);

}  // namespace fluxgate::cli
