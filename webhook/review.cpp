#include "webhook/review.hpp"

#include <exception>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "policy/mutate.hpp"
#include "webhook/answer.hpp"

namespace fluxgate::webhook {

namespace {

audit::Record make_record(const kube::Review& review, const policy::Verdict& verdict, const policy::PolicySet& set, const Origin& origin,
                          WallTime now) {
    audit::Record record;
    record.id = review.uid;
    record.time = now;
    record.decision = verdict.allowed ? "allowed" : "denied";
    record.write_class = to_string(verdict.write_class);
    if (verdict.error) record.error = to_string(*verdict.error);

    record.operation = kube::to_string(review.operation);
    record.group = review.resource.group;
    record.version = review.resource.version;
    record.resource = review.resource.resource;
    record.sub_resource = review.sub_resource;
    record.kind = review.kind.kind;
    record.namespace_name = review.namespace_name;
    record.name = review.object_name();
    record.object_uid = review.newest()["metadata"]["uid"].text();
    record.dry_run = review.dry_run;
    record.field_manager = review.field_manager;

    record.username = review.user.username;
    record.user_uid = review.user.uid;
    review.user.groups.each_item([&](kube::Json group) { record.groups.emplace_back(group.text()); });
    constexpr std::string_view kEvidence = "authentication.kubernetes.io/";
    review.user.extra.each_member([&](std::string_view key, kube::Json) {
        if (key.starts_with(kEvidence)) record.evidence.emplace_back(key.substr(kEvidence.size()), review.user.extra_value(key));
    });
    record.assurance = to_string(verdict.assurance);
    record.writer = verdict.writer;
    record.owner = verdict.owner;

    for (const policy::Violation& violation : verdict.violations) {
        record.violations.push_back(
            {violation.policy, violation.rule, violation.path, violation.have, violation.want, std::string(to_string(violation.action))});
    }
    record.violations_omitted = verdict.violations_omitted;
    record.compliance = verdict.compliance;
    record.exceptions = verdict.exceptions;
    for (const policy::UsedGrant& grant : verdict.grants)
        record.grants.push_back({grant.name, grant.digest, grant.ticket, grant.approved_by, grant.vouched_by});
    record.allowance = verdict.allowance;
    record.learned = verdict.learned;
    record.policy_set = set.digest;
    record.cluster = origin.cluster;
    record.replica = origin.replica;
    return record;
}

// Of a review that could be read only as far as its uid.
audit::Record make_record(const kube::UnreadableReview& unreadable, const policy::PolicySet& set, const Origin& origin, WallTime now) {
    audit::Record record;
    record.id = unreadable.uid;
    record.time = now;
    record.decision = "denied";
    record.write_class = to_string(policy::WriteClass::unguarded);
    record.error = to_string(unreadable.error);
    record.operation = "unknown";
    record.policy_set = set.digest;
    record.cluster = origin.cluster;
    record.replica = origin.replica;
    return record;
}

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

Promise promise_for(const policy::Verdict& verdict) {
    if (!verdict.effective) return Promise::none;
    if (!verdict.allowed) return Promise::before_the_answer;
    if (verdict.write_class == policy::WriteClass::exceptional) return Promise::or_refuse;
    return verdict.violations.empty() && verdict.exceptions.empty() ? Promise::none : Promise::beside_the_answer;
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
        outcome.record = make_record(unreadable, set, origin_, now);
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
    outcome.promise = promise_for(verdict);
    for (const policy::Violation& violation : verdict.violations) {
        outcome.warned = outcome.warned || violation.action == policy::Action::warn;
        outcome.audited = outcome.audited || violation.action == policy::Action::audit;
    }
    outcome.excused = !verdict.exceptions.empty();
    if (outcome.promise != Promise::none) outcome.record = make_record(*review, verdict, set, origin_, context.now);
    if (verdict.allowed && verdict.effective) outcome.grants = verdict.grants;
    if (!verdict.violations.empty() || !verdict.exceptions.empty() || !verdict.grants.empty() || verdict.error)
        outcome.summary = summarize(*review, verdict);

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
