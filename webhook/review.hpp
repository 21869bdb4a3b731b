#pragma once

// The decision, from bytes to bytes, without touching a socket, a clock or a file: body and policy set in, answer and
// perhaps a record out. Tests, the demo and the handler call it alike.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "audit/record.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "kube/admission_review.hpp"
#include "policy/evaluate.hpp"
#include "policy/policy_set.hpp"
#include "webhook/make_record.hpp"
#include "webhook/repeated_denials.hpp"

namespace fluxgate::webhook {

// What the audit log owes this answer (DESIGN §5.8).
enum class Promise {
    none,               // nothing to remember
    before_the_answer,  // denied: record first if that is possible, deny in any case; `without_record` if not
    or_refuse,          // let through: recorded first, else `without_record`, which refuses
    beside_the_answer,  // a writer's write that changes something, or that a policy would warn about: recorded, but never held up for it
};

struct Outcome {
    bool readable = false;  // false: the body is no review
    int http_status = 200;
    std::string answer;          // to send, once the promise is kept
    std::string without_record;  // to send when the record cannot be made durable (in time)
    Promise promise = Promise::none;
    std::optional<audit::Record> record;

    // For the log line and the metrics.
    bool allowed = false;
    policy::WriteClass write_class = policy::WriteClass::unguarded;
    std::string error;     // Errc name, "" if a verdict was reached
    bool warned = false;   // something was found under Warn
    bool audited = false;  // … under Audit
    bool excused = false;  // a GuardException was needed
    // Of a write that is let through and is no dry run: to be counted before it is recorded (GrantUses::take).
    std::vector<policy::UsedGrant> grants;
    bool learned = false;  // passed only because a lock learns who writes
    bool dry_run = false;
    bool repeated = false;  // a denial like one whose record is durable: counted, and that one's id is in the answer
    bool patched = false;   // of /mutate: something was filled in
    std::string summary;    // "UPDATE deployments.apps production/web by alice: 2 violations"; empty when nothing was found
};

// policy::evaluate, or what a test puts in its place to see what becomes of our own mistakes.
using Evaluate = policy::Verdict (*)(const kube::Review& review, const policy::PolicySet& set, const policy::Context& context);

// One per thread: reuses its parser from review to review.
class Reviewer {
public:
    // `repeated_denials` outlives the reviewer; null: each denial is a record of its own.
    Reviewer(const Limits& limits, Origin origin, Evaluate evaluate = policy::evaluate, RepeatedDenials* repeated_denials = nullptr)
        : limits_(limits), origin_(std::move(origin)), evaluate_(evaluate), repeated_denials_(repeated_denials), reader_(limits) {}

    // `body` must be followed by `kube::kJsonSlack` readable bytes. Never throws: an exception inside is our own mistake and
    // becomes a denial, of HTTP 500 only where even the uid is not known.
    Outcome judge(std::string_view body, const policy::PolicySet& set, const policy::Context& context);

    // For POST /mutate: the answer carries the patch of the `defaults` rules and always allows; what it lets through is judged
    // by `judge` afterwards. Remembers nothing, but what cannot be read. Never throws either.
    Outcome mutate(std::string_view body, const policy::PolicySet& set, const policy::Context& context);

private:
    // `uid`: whom to answer, as soon as that is known.
    using Judge = Outcome (Reviewer::*)(std::string_view, const policy::PolicySet&, const policy::Context&, std::string&);
    Outcome guarded(Judge step, std::string_view body, const policy::PolicySet& set, const policy::Context& context);
    Outcome mutate_or_throw(std::string_view body, const policy::PolicySet& set, const policy::Context& context, std::string& uid);
    Outcome judge_or_throw(std::string_view body, const policy::PolicySet& set, const policy::Context& context, std::string& uid);
    Outcome refuse_unreadable(const kube::UnreadableReview& unreadable, const policy::PolicySet& set, WallTime now) const;

    Limits limits_;
    Origin origin_;
    Evaluate evaluate_;
    RepeatedDenials* repeated_denials_;
    kube::ReviewReader reader_;
};

}  // namespace fluxgate::webhook
