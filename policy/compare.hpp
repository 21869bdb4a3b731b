#pragma once

// What changes between two sets, and between two verdicts on one review. Pure; for `fluxgate policy diff`.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kube/manifest.hpp"
#include "policy/policy_documents.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// --- sets -------------------------------------------------------------------------------------------------------------

enum class Change : std::uint8_t { added, removed, changed };
std::string_view to_string(Change change);

// A field whose value differs, as compact JSON; empty where it is absent.
struct FieldChange {
    std::string path;  // ".spec.match.namespaces"
    std::string before;
    std::string after;

    friend bool operator==(const FieldChange&, const FieldChange&) = default;
};

// A policy, a rule of a policy that both sets have, or an exception.
struct SetChange {
    Change change = Change::changed;
    std::string kind;  // "GuardPolicy", "rule", "GuardException"
    std::string name;  // "production", "production/limits"
    std::string file;  // of the new set; of the old one if removed
    kube::Position position{};
    std::vector<FieldChange> fields{};  // of changed
};

// By meaning: comments, order of keys, order of documents, files, and what is written though it is the default make no difference.
// In the order of the new set, what was removed last.
std::vector<SetChange> compare(const PolicyDocuments& before, const PolicyDocuments& after);

// --- verdicts ---------------------------------------------------------------------------------------------------------

enum class Outcome : std::uint8_t {
    same,      // nothing changes
    denied,    // was allowed, becomes denied
    allowed,   // was denied, becomes allowed
    findings,  // the same answer for other reasons, or with other warnings
};
std::string_view to_string(Outcome outcome);

struct VerdictChange {
    Outcome outcome = Outcome::same;
    std::vector<Violation> gained{};
    std::vector<Violation> lost{};
};

// Of the same review under two sets. A violation that stays and is acted on differently is lost and gained.
VerdictChange compare(const Verdict& before, const Verdict& after);

}  // namespace fluxgate::policy
