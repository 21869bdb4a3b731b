#pragma once

// One entry of the audit log, as a value. It holds names and fields, never a whole object and never a secret value.
// `to_json` is the schema `fluxgate.dev/record/v1`: docs/reference/records.md.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

struct RecordedViolation {
    std::string policy;
    std::string rule;
    std::string path;
    std::string have;
    std::string want;
    std::string action;  // Deny, Warn, Audit

    friend bool operator==(const RecordedViolation&, const RecordedViolation&) = default;
};

// A break-glass grant that let the write pass.
struct RecordedGrant {
    std::string name;
    std::string digest;
    std::string ticket;
    std::string approved_by;
    std::string vouched_by;  // "git", or the key that signed it

    friend bool operator==(const RecordedGrant&, const RecordedGrant&) = default;
};

struct Record {
    std::string id;  // the uid of the AdmissionRequest, so that it can be found in the API server's audit log
    WallTime time;
    // Something that happened to Fluxgate itself, "policy-set-loaded" or "policy-set-refused", with `details`; then there is no
    // request, and the fields from `decision` to `compliance` are empty.
    std::string event;
    std::vector<std::string> details;

    std::string decision;     // "denied", "allowed"
    std::string write_class;  // "unguarded", "routine", "exceptional"
    std::string error;        // why no verdict could be reached; empty otherwise

    std::string operation;  // CREATE, UPDATE, DELETE, CONNECT
    std::string group;
    std::string version;
    std::string resource;
    std::string sub_resource;
    std::string kind;
    std::string namespace_name;
    std::string name;
    std::string object_uid;
    bool dry_run = false;
    std::string field_manager;  // a hint: set by the client

    std::string username;
    std::string user_uid;
    std::vector<std::string> groups;
    std::vector<std::pair<std::string, std::string>> evidence;  // the extras of authentication.kubernetes.io
    std::string assurance;
    std::string writer;  // the profile, empty if none
    std::string owner;   // Kustomization or HelmRelease by label

    std::vector<RecordedViolation> violations;
    std::uint64_t violations_omitted = 0;
    bool truncated = false;  // `fit` left out groups or evidence, or shortened texts
    std::vector<std::string> compliance;
    std::vector<std::string> exceptions;  // the GuardExceptions without which there would be more violations
    std::vector<RecordedGrant> grants{};
    std::string allowance{};  // the day-2 work that the lock allows: "restart"
    bool learned = false;     // passed only because a lock still learns who writes
    std::string policy_set;   // digest of the set that judged
    std::string cluster;      // --cluster-name
    std::string replica;      // host name: the pod
};

// One line of JSON without the line feed. `sequence` counts the records of one log directory from 1.
std::string to_json(const Record& record, std::uint64_t sequence);

// Bounds a record, so that neither its line nor the queue can be made to overflow by an object or a caller with thousands of
// names: leaves out violations from the end (they count as omitted), and if that is not enough, groups and evidence and what
// texts have beyond 1 KiB. Its line then has at most `bytes_max` bytes, which must be 16 KiB or more.
void fit(Record& record, std::size_t bytes_max);

// What a reader needs of a line, checked: schema, sequence, id. Errors: invalid_json, missing_field, unsupported_version.
struct RecordLine {
    std::uint64_t sequence = 0;
    std::string id;
    std::string decision;            // empty for an event
    std::vector<std::string> rules;  // of its violations, in order, each once

    friend bool operator==(const RecordLine&, const RecordLine&) = default;
};
Result<RecordLine> parse_line(std::string_view line);

// Of a line, the break-glass grants that let its write pass: none if it was denied, or passed without. Errors: invalid_json,
// missing_field.
struct UsedGrants {
    WallTime time{};
    std::vector<std::string> digests{};
};
Result<UsedGrants> parse_used_grants(std::string_view line);

}  // namespace fluxgate::audit
