#pragma once

// A policy folder for a command: compiled, or every problem printed.

#include <memory>
#include <string>
#include <string_view>

#include "policy/policy_folder.hpp"

namespace fluxgate::cli {

// Null if the folder cannot be read or does not compile: then all problems stand on standard error, a line each with file, line
// and column, and `command` in front of the last one.
std::shared_ptr<const policy::PolicySet> load_policies(policy::PolicyFolder& folder, std::string_view command);

// For a flag: "180d" becomes "180"; says what is wrong otherwise.
std::string check_days(std::string& text);

}  // namespace fluxgate::cli
