#pragma once

// One document of a policy file, from nodes to values, with every problem noted. Shape: docs/reference/policy-files.md.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decode.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

Policy decode_policy(const kube::Node& root, const CompileOptions& options, Problems& problems);

// A rule that an exception names; looked up when all files are read.
struct RuleReference {
    std::string policy;
    std::string rule;
    std::string file;
    kube::Position position;
    std::string what;  // "spec.policies[0].rules[1]"
};

struct ExceptionFile {
    Exception exception;
    std::vector<RuleReference> references;
};

ExceptionFile decode_exception(const kube::Node& root, const CompileOptions& options, Problems& problems);

// The parts that every kind of file has; returns the name.
std::string decode_head(Mapping& document, Problems& problems);

// RFC 3339; nullopt if absent, or no time, which is a problem.
std::optional<WallTime> decode_time(Mapping& fields, std::string_view key);

}  // namespace fluxgate::policy
