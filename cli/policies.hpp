#pragma once

// A policy folder for a command: compiled, or every problem printed.

#include <filesystem>
#include <memory>

#include "policy/policy_set.hpp"

namespace fluxgate::cli {

// Null if the folder cannot be read or does not compile: then all problems stand on standard error, a line each with file, line
// and column.
std::shared_ptr<const policy::PolicySet> load_policies(const std::filesystem::path& directory, const policy::CompileOptions& options);

}  // namespace fluxgate::cli
