#pragma once

// Rule `lock`: only writers may write. Scope `object`: any CREATE, UPDATE, DELETE or CONNECT by another, on any object and
// any subresource of a matching namespace, is refused. Scope `fields` relaxes one case, see field_lock.hpp: an UPDATE that
// touches neither what Git declares nor anything outside the allowed additions.
//
// Two things pass that are no write by a writer: deleting an object that is being deleted already (finalisation would
// stick otherwise), and a dry run of something that a dry run does not do (so that `kubectl diff` works), with a warning.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "kube/admission_review.hpp"
#include "policy/decode.hpp"
#include "policy/findings.hpp"
#include "policy/lock/additions.hpp"
#include "policy/lock/writers.hpp"

namespace fluxgate::policy {

struct LockRule {
    std::vector<const WriterProfile*> writers;  // built-in ones; alive for the whole program
    std::optional<Additions> fields;            // scope `fields`; without it, scope `object`

    static LockRule decode(Mapping& fields);

    // The profile that lets this request pass, nullptr if none.
    const WriterProfile* find_writer(const kube::Review& review, Assurance assurance) const;

    // Of a request that is no writer's: says who is refused and why, and what the request would change. Finds nothing if scope
    // `fields` lets it pass.
    void refuse(const kube::Review& review, Assurance assurance, const Limits& limits, Findings& findings) const;
};

// DELETE of an object that carries a deletionTimestamp.
bool finishes_a_delete(const kube::Review& review);

// True for CREATE, UPDATE and DELETE of stored objects. Not for CONNECT, tokens (a dry run of serviceaccounts/token returns
// a token that works), eviction, binding and subresources this version does not know: those are judged as real.
bool dry_run_stores_nothing(const kube::Review& review);

}  // namespace fluxgate::policy
