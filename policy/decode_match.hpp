#pragma once

// `match` of a policy file, from nodes to a Match. Shape: docs/reference/policy-files.md.

#include "policy/decode.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

Match decode_match(const kube::Node& node, const CompileOptions& options, Problems& problems);

// apiGroups, apiVersions, resources and operations; the caller asks for the fields beside them and finishes the mapping.
ResourceRule decode_resource_rule(Mapping& fields);

// Who is let past a lock: whole names, because a pattern grows with every new account; and nobody's name that means everybody. At
// least one.
std::vector<Subject> decode_named_subjects(Mapping& fields, std::string_view key);

std::vector<ResourceRule> decode_resource_rules(Mapping& fields, std::string_view key);

std::vector<Glob> decode_globs(Mapping& fields, std::string_view key);

// An empty list of conditions would match everything, though it reads as if it matched nothing.
void refuse_if_empty(Mapping& fields, const kube::Node& node, std::string_view key);

}  // namespace fluxgate::policy
