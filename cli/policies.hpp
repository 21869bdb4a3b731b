#pragma once

// A policy folder for a command: compiled, or every problem printed.

#include <memory>
#include <string>

#include "policy/policy_folder.hpp"

namespace fluxgate::cli {

// Null if the folder cannot be read or does not compile: then all problems stand on standard error, a line each with file, line
// and column.
std::shared_ptr<const policy::PolicySet> load_policies(policy::PolicyFolder& folder);

// For a flag: "180d" becomes "180"; says what is wrong otherwise.
std::string check_days(std::string& text);

}  // namespace fluxgate::cli
