#include "webhook/review.hpp"

#include <exception>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "policy/mutate.hpp"
#include "webhook/answer.hpp"
#include "webhook/effective_change.hpp"
#include "webhook/make_record.hpp"

namespace fluxgate::webhook {

namespace {

// A body whose uid cannot be read has nobody to answer in the protocol: HTTP says no, and the API server's failurePolicy decides.
std::string http_error(const Error& error) {
    return nlohmann::json{{"error", to_string(error)}, {"code", to_string(error.code)}}.dump(-1, ' ', false,
                                                                                             nlohmann::json::error_handler_t::replace);
}

Error our_mistake(const std::string& what) { return {Errc::internal, "an error inside Fluxgate: " + what, ""}; }

policy::Verdict evaluate_or_refuse(Evaluate evaluate, const kube::Review& review, const policy::PolicySet& set,
                                   const policy::Context& context) {
    try {
        return evaluate(review, set, context);
    } catch (const std::exception& exception) {
        return policy::Verdict::undecided(our_mistake(exception.what()));
    } catch (...) {
        return policy::Verdict::undecided(our_mistake("unknown"));
    }
}

Promise promise_for(const kube::Review& review, const policy::Verdict& verdict) {
    if (!verdict.effective) return Promise::none;
    if (!verdict.allowed) return Promise::before_the_answer;
    if (verdict.write_class == policy::WriteClass::exceptional) return Promise::or_refuse;
    const bool found_something = !verdict.violations.empty() || !verdict.exceptions.empty();
    const bool worth_a_record = verdict.write_class == policy::WriteClass::routine && !review.dry_run && changes_something(review);
    return found_something || worth_a_record ? Promise::beside_the_answer : Promise::none;
}

std::string summarize(const kube::Review& review, const policy::Verdict& verdict) {
    const std::string space =
        review.namespace_name.empty() || review.resource.resource == "namespaces" ? "" : std::string(review.namespace_name) + "/";
    const std::size_t count = verdict.violations.size() + verdict.violations_omitted;
    std::string found = verdict.error ? to_string(*verdict.error) : fmt::format("{} {}", count, count == 1 ? "violation" : "violations");
    if (!verdict.exceptions.empty()) found += fmt::format(", by exception {}", fmt::join(verdict.exceptions, ", "));
    for (const policy::UsedGrant& grant : verdict.grants) found += fmt::format(", by break-glass {} ({})", grant.name, grant.ticket);
    return fmt::format("{} {} {}{} by {}: {}", kube::to_string(review.operation), review.resource_name(), space, review.object_name(),
                       review.user.username, found);
}

}  // namespace

Outcome Reviewer::judge(std::string_view body, const policy::PolicySet& set, const policy::Context& context) {
    return guarded(&Reviewer::judge_or_throw, body, set, context);
}

Outcome Reviewer::mutate(std::string_view body, const policy::PolicySet& set, const policy::Context& context) {
    return guarded(&Reviewer::mutate_or_throw, body, set, context);
}

Outcome Reviewer::guarded(Judge step, std::string_view body, const policy::PolicySet& set, const policy::Context& context) {
    std::string uid;
    const auto refuse = [&](const std::string& what) { return refuse_unreadable({our_mistake(what), uid}, set, context.now); };
    try {
        return (this->*step)(body, set, context, uid);
    } catch (const std::exception& exception) {
        return refuse(exception.what());
    } catch (...) {
        return refuse("unknown");
    }
}

Outcome Reviewer::refuse_unreadable(const kube::UnreadableReview& unreadable, const policy::PolicySet& set, WallTime now) const {
    Outcome outcome;
    outcome.error = to_string(unreadable.error.code);
    outcome.summary = to_string(unreadable.error);
    // Bytes without a uid are no attempt by anybody, and recording them would let any stranger fill the disk.
    if (unreadable.uid.empty()) {
        outcome.http_status = unreadable.error.code == Errc::internal ? 500 : 400;
        outcome.answer = http_error(unreadable.error);
    } else {
        outcome.answer = write_refusal(unreadable.uid, unreadable.error);
        outcome.promise = Promise::before_the_answer;
        outcome.record = make_record(unreadable, set, now, origin_);
    }
    outcome.without_record = outcome.answer;
    return outcome;
}

Outcome Reviewer::mutate_or_throw(std::string_view body, const policy::PolicySet& set, const policy::Context& context, std::string& uid) {
    const auto review = reader_.read(body);
    if (!review) return refuse_unreadable(review.error(), set, context.now);
    uid = review->uid;

    const policy::Patch patch = policy::mutate(*review, set, context);
    Outcome outcome;
    outcome.readable = true;
    outcome.allowed = true;
    outcome.patched = !patch.empty();
    outcome.answer = write_patch(review->uid, patch);
    return outcome;
}

Outcome Reviewer::judge_or_throw(std::string_view body, const policy::PolicySet& set, const policy::Context& context, std::string& uid) {
    const auto review = reader_.read(body);
    if (!review) return refuse_unreadable(review.error(), set, context.now);
    uid = review->uid;

    Outcome outcome;
    policy::Verdict verdict = evaluate_or_refuse(evaluate_, *review, set, context);
    if (verdict.error) {
        outcome.error = to_string(verdict.error->code);
        verdict.allowed = false;  // whatever else it says, so that answer, record and metrics agree
    }
    outcome.readable = true;
    outcome.allowed = verdict.allowed;
    outcome.write_class = verdict.write_class;
    outcome.promise = promise_for(*review, verdict);
    for (const policy::Violation& violation : verdict.violations) {
        outcome.warned = outcome.warned || violation.action == policy::Action::warn;
        outcome.audited = outcome.audited || violation.action == policy::Action::audit;
    }
    outcome.excused = !verdict.exceptions.empty();
    outcome.learned = verdict.learned;
    outcome.dry_run = review->dry_run;
    if (outcome.promise != Promise::none) outcome.record = make_record(*review, verdict, set, context, origin_);
    if (verdict.allowed && verdict.effective) outcome.grants = verdict.grants;
    if (!verdict.violations.empty() || !verdict.exceptions.empty() || !verdict.grants.empty() || verdict.error)
        outcome.summary = summarize(*review, verdict);

    if (outcome.promise == Promise::before_the_answer && repeated_denials_) {
        if (const auto first = repeated_denials_->count(*outcome.record, context.now)) {
            outcome.repeated = true;
            outcome.promise = Promise::none;
            outcome.record.reset();
            outcome.answer = write_answer(*review, verdict, {RecordState::repeats, *first}, set.digest, limits_);
            return outcome;
        }
    }
    const bool remembered = outcome.promise == Promise::before_the_answer || outcome.promise == Promise::or_refuse;
    outcome.answer = write_answer(*review, verdict, remembered ? RecordState::durable : RecordState::none, set.digest, limits_);
    if (outcome.promise == Promise::before_the_answer) {
        outcome.without_record = write_answer(*review, verdict, RecordState::missing, set.digest, limits_);
    }
    if (outcome.promise == Promise::or_refuse) {
        outcome.without_record = write_refusal(
            review->uid,
            {Errc::audit_unavailable,
             "this write passes only if it is recorded, and the audit log is not available; try again or change it in Git", ""});
    }
    return outcome;
}

}  // namespace fluxgate::webhook
