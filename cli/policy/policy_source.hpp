#pragma once

// A folder of policy files for the commands below `fluxgate policy`: the compiled set, and beside it the documents with their lines.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "policy/policy_documents.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::cli {

struct PolicySource {
    std::shared_ptr<const policy::PolicySet> set;  // null if there are problems
    policy::PolicyDocuments documents{};           // with the folder in front of the names of files
    std::vector<policy::Problem> problems{};       // likewise
    std::size_t problems_omitted = 0;
    std::size_t files = 0;
};

// `now` is what the horizon of exceptions counts from. Error io or too_large: the folder cannot be read.
Result<PolicySource> read_policy_source(const std::string& folder, std::chrono::days exception_horizon, WallTime now);

// The set and its documents, or nothing: then what is wrong stands on standard error, with `command` in front of it.
std::optional<PolicySource> require_policy_source(const std::string& folder, std::chrono::days exception_horizon, const char* command);

}  // namespace fluxgate::cli
