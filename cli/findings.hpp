#pragma once

// From a verdict to what an Output shows.

#include <functional>
#include <string_view>
#include <vector>

#include "cli/output/report.hpp"
#include "kube/admission_review.hpp"
#include "policy/policy_set.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::cli {

// Gives a finding its place in the file; the path is that of the violation.
using Locate = std::function<kube::Position(std::string_view path)>;

// Findings stand where `locate` says; without it all stand at `place`.
Judged judged_from(const kube::Review& review, const policy::Verdict& verdict, const policy::PolicySet& set, Place place,
                   const Locate& locate = {});

// A part of the input that became no object, or an object that cannot be judged.
Judged problem_of_input(Level level, Place place, std::string message);

// The rules of a set, in order.
std::vector<RuleInfo> rules_of(const policy::PolicySet& set);

}  // namespace fluxgate::cli
