#pragma once

// `match` of a policy file, from nodes to a Match. Shape: docs/reference/policy-files.md.

#include "policy/decode.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

Match decode_match(const kube::Node& node, const CompileOptions& options, Problems& problems);

// apiGroups, apiVersions, resources and operations; the caller asks for the fields beside them and finishes the mapping.
ResourceRule decode_resource_rule(Mapping& fields);

std::vector<ResourceRule> decode_resource_rules(Mapping& fields, std::string_view key);

// Somebody who is let through, so by whole names: patterns, and names that mean everybody, are problems.
std::vector<Subject> decode_whole_subjects(Mapping& parent, std::string_view key);

std::vector<Glob> decode_globs(Mapping& fields, std::string_view key);

// An empty list of conditions would match everything, though it reads as if it matched nothing.
void refuse_if_empty(Mapping& fields, const kube::Node& node, std::string_view key);

}  // namespace fluxgate::policy
