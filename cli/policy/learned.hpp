#pragma once

// `policy explain --learned`: from the records of a lock that learned who writes to the WriterProfiles that would let the same writes
// pass, for a person to read and merge. What is proposed is exactly what was seen: no patterns, no other namespace, operation or
// resource. A value; one thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "policy/lock/writers.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::cli {

// What one account or user was seen to write.
struct LearnedIdentity {
    using Place = std::pair<std::string, std::string>;  // API group, namespace ("" of cluster-scoped objects)

    policy::Assurance least = policy::Assurance::none;
    std::uint64_t writes = 0;
    std::string first{};  // RFC 3339
    std::string last{};
    std::map<Place, std::map<std::string, policy::Operations>> resources{};  // "deployments/scale" and what was done
};

// The profile for the accounts of one namespace, or for all users that are no account.
struct WriterProposal {
    policy::WriterProfile profile{};
    std::vector<std::string> comments{};  // one for each identity of the profile: how often, from when to when
};

class LearnedWriters {
public:
    // Of all records in an audit folder. Errors: those of each_record; of a learned write that is no record, with its place.
    static Result<LearnedWriters> read(const std::filesystem::path& directory);

    // One record as text; what is no learned write is passed over. Errors: those of parse_record.
    Result<void> add(std::string_view text);

    // In the order of names. None has a name that a profile of `set` has; it may be null.
    std::vector<WriterProposal> propose(const policy::PolicySet* set) const;

    // Writes that no profile can be made of: the record was cut, or holds a name that no profile can have.
    std::uint64_t left_out() const { return left_out_; }

private:
    std::map<std::string, LearnedIdentity> identities_;  // by username
    std::uint64_t left_out_ = 0;
};

// YAML documents with comments, which load as they are, and a comment that says what to change in the locks; JSON.
std::string to_text(const std::vector<WriterProposal>& proposals, const LearnedWriters& learned, const policy::PolicySet* set);
std::string to_json(const std::vector<WriterProposal>& proposals, const LearnedWriters& learned, const policy::PolicySet* set);

}  // namespace fluxgate::cli
