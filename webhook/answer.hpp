#pragma once

// From a verdict to the bytes of an AdmissionReview response (admission.k8s.io/v1).
// Rules: the uid echoed exactly, code 403 and reason Forbidden for a denial, 400 for a review that cannot be read, no patch from a
// validating webhook; warnings of at most 120 characters; audit annotations, which the API server writes into its own audit
// log as `<webhook name>/<key>`: `review-id` on every answer, so that a write without it was not seen by us.

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "kube/admission_review.hpp"
#include "policy/patch.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::webhook {

// Where the record of a verdict stands when the answer is written; the denial says so.
enum class RecordState {
    none,     // nothing is to be remembered
    durable,  // written and synced: the answer carries its id
    repeats,  // counted as a repeat of a denial whose record is durable: the answer carries that one's id
    missing,  // should have been written and could not be
};
struct RecordNote {
    // NOLINTNEXTLINE(google-explicit-constructor): a state is a note that says nothing more.
    RecordNote(RecordState its_state, std::string_view its_first = {}) : state(its_state), first(its_first) {}
    RecordState state;
    std::string_view first;  // the record that is repeated
};

// The answer to a review that was read.
std::string write_answer(const kube::Review& review, const policy::Verdict& verdict, const RecordNote& record, std::string_view policy_set,
                         const Limits& limits);

// The answer of /mutate: allowed, with the patch in Base64 if there is any.
std::string write_patch(std::string_view uid, const policy::Patch& patch);

// The answer to a review that could not be read, or judged, or remembered, or in time: always a denial. This is the only
// place where an error becomes an answer. `uid` as in the request; `code` is the HTTP-like status inside the answer.
std::string write_refusal(std::string_view uid, const Error& error);

// The text of a denial: what was refused, each violation on a line while they fit, "+N more", the owner, the guidance. At
// most `limits.message_bytes_max` bytes; violations are left out whole, never cut.
std::string write_message(const kube::Review& review, const policy::Verdict& verdict, const RecordNote& record, const Limits& limits);

// The same while the log works: what a client reads. For those who judge before the write is made; empty if it is allowed.
std::string message_of_denial(const kube::Review& review, const policy::Verdict& verdict, const Limits& limits);

}  // namespace fluxgate::webhook
