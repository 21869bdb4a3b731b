#pragma once

// One entry of the audit log, as a value. It holds names and fields, never a whole object and never a secret value.
// As text it is canonical JSON (RFC 8785) of a CloudEvents 1.0 envelope whose `data` is the schema `fluxgate.dev/record/v2`:
// docs/reference/records.md. That text is the leaf of the provable log.

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

// A field that a write would change, or changed; values as kube/object_changes.hpp shows them: never a secret.
struct RecordedChange {
    std::string path;
    std::string have;  // as requested
    std::string want;  // as stored before

    friend bool operator==(const RecordedChange&, const RecordedChange&) = default;
};

struct Record {
    std::uint64_t sequence = 0;  // of its replica's log, from 1 without holes; 0 until it is written
    std::string id;              // the uid of the AdmissionRequest, so that it can be found in the API server's audit log
    WallTime time;
    // Something that happened to Fluxgate itself, with `details`, `facts` and `counters`; then there is no decision. Only
    // "denial-repeated" has request, user and violations besides.
    std::string event;
    std::vector<std::string> details;
    std::vector<std::pair<std::string, std::string>> facts{};       // of an event, by the names its docs list: {"notAfter", "2027-…"}
    std::vector<std::pair<std::string, std::uint64_t>> counters{};  // of an event: {"denied", 17}

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
    std::string command{};      // of a CONNECT that runs one: words with spaces in quotes, cut at 1 KiB

    std::string username;
    std::string user_uid;
    std::vector<std::string> groups;
    std::vector<std::pair<std::string, std::string>> evidence;  // the extras of authentication.kubernetes.io
    std::string assurance;
    std::string writer;                                        // the profile, empty if none
    std::vector<std::pair<std::string, std::string>> extra{};  // the other extras of the user: an Entra object id
    std::string owner;                                         // Kustomization or HelmRelease by label
    std::string owner_source{};                                // its repository, path and revision, if known
    std::string drift_case{};                                  // the case this write is part of, if any

    std::vector<RecordedChange> changes{};
    std::uint64_t changes_omitted = 0;

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
    // Set by `encode` when the text would be too long: the digest of a blob that holds the whole record.
    std::string whole{};
    std::uint64_t whole_bytes = 0;

    friend bool operator==(const Record&, const Record&) = default;
};

// A record as text, but for its sequence, which is known only when it is written.
struct EncodedRecord {
    std::string before{};  // text up to the sequence
    std::string after{};
    std::string blob{};  // the whole record, to be stored before the text is written; empty if the text is the whole

    std::string text(std::uint64_t sequence) const;
};

// The text has at most `bytes_max` bytes, which must be 16 KiB or more: of a longer record the long parts are cut, and the whole of it
// goes into a blob that the text names by digest. Never throws for what a record holds: what is no UTF-8 is replaced.
EncodedRecord encode(const Record& record, std::size_t bytes_max);

// The record a text holds. Errors: invalid_json (also: not canonical), missing_field, wrong_type, unsupported_version.
Result<Record> parse_record(std::string_view text);

}  // namespace fluxgate::audit
