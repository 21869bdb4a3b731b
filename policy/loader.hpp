#pragma once

// Policy files → compiled policy set. Shape and meaning of the files: docs/reference/policy-files.md.
//
// Strict: unknown fields, wrong types, duplicate keys and everything the schema has but this version does not implement are
// problems. All problems of all files come in one run; a set compiles as a whole or not at all.
//
// PolicyTests among the files are checked and then left aside: they are no part of the set, though its digest, which is over all
// files, changes with them. A JSON Schema (`$schema` and neither apiVersion nor kind) is for editors, and passed over.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "policy/decode.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

struct PolicyFile {
    std::string name;  // as shown in problems
    std::string text;
};

// The `*.yaml`, `*.yml` and `*.json` of that folder, not of folders below, sorted by name; names that start with ".." are
// how Kubernetes mounts a ConfigMap and are skipped. Errors: io (with the path), too_large.
Result<std::vector<PolicyFile>> read_policy_directory(const std::filesystem::path& directory, const Limits& limits);

struct CompileResult {
    std::shared_ptr<const PolicySet> set;  // null if there are problems
    std::vector<Problem> problems;
    std::size_t problems_omitted = 0;  // beyond limits.policy_errors_max
};

// Pure. A set without any GuardPolicy is a problem: it would protect nothing and look as if it did.
CompileResult compile(const std::vector<PolicyFile>& files, const CompileOptions& options);

// What the digest of a set is the SHA-256 of: "NAME\nBYTES\nTEXT" of each file, one behind the other. Archived under that digest, it
// lets anybody judge a request again by the very policies of the time.
std::string archive_of(const std::vector<PolicyFile>& files);

}  // namespace fluxgate::policy
