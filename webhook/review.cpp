#include "webhook/review.hpp"

#include <exception>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "policy/evaluate.hpp"
#include "webhook/answer.hpp"

namespace fluxgate::webhook {

namespace {

audit::Record make_record(const kube::Review& review, const policy::Verdict& verdict, const policy::PolicySet& set, const Origin& origin, WallTime now) {
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
        record.violations.push_back({violation.policy, violation.rule, violation.path, violation.have, violation.want, std::string(to_string(violation.action))});
    }
    record.violations_omitted = verdict.violations_omitted;
    record.compliance = verdict.compliance;
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
    return nlohmann::json{{"error", to_string(error)}, {"code", to_string(error.code)}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

policy::Verdict evaluate_or_refuse(const kube::Review& review, const policy::PolicySet& set) {
    try {
        return policy::evaluate(review, set);
    } catch (const std::exception& exception) {
        return policy::Verdict::undecided({Errc::internal, std::string("an error inside Fluxgate: ") + exception.what(), ""});
    }
}

Promise promise_for(const policy::Verdict& verdict) {
    if (!verdict.effective) return Promise::none;
    if (!verdict.allowed) return Promise::before_the_answer;
    if (verdict.write_class == policy::WriteClass::exceptional) return Promise::or_refuse;
    return verdict.violations.empty() ? Promise::none : Promise::beside_the_answer;
}

std::string summarize(const kube::Review& review, const policy::Verdict& verdict) {
    return fmt::format("{} {} {}/{} by {}: {} violations", kube::to_string(review.operation), review.resource_name(), review.namespace_name,
                       review.object_name(), review.user.username, verdict.violations.size() + verdict.violations_omitted);
}

}  // namespace

Outcome Reviewer::judge(std::string_view body, const policy::PolicySet& set, WallTime now) {
    const auto our_mistake = [&](std::string what) {
        Outcome outcome;
        outcome.http_status = 500;
        outcome.answer = http_error({Errc::internal, "an error inside Fluxgate: " + std::move(what), ""});
        outcome.without_record = outcome.answer;
        outcome.error = to_string(Errc::internal);
        return outcome;
    };
    try {
        return judge_or_throw(body, set, now);
    } catch (const std::exception& exception) {
        return our_mistake(exception.what());
    } catch (...) {
        return our_mistake("unknown");
    }
}

Outcome Reviewer::judge_or_throw(std::string_view body, const policy::PolicySet& set, WallTime now) {
    Outcome outcome;
    const auto review = reader_.read(body);
    if (!review) {
        const kube::UnreadableReview& unreadable = review.error();
        outcome.error = to_string(unreadable.error.code);
        outcome.summary = to_string(unreadable.error);
        if (unreadable.uid.empty()) {
            outcome.http_status = 400;
            outcome.answer = http_error(unreadable.error);
        } else {
            outcome.answer = write_refusal(unreadable.uid, unreadable.error);
        }
        outcome.without_record = outcome.answer;
        // Bytes without a uid are no attempt by anybody, and recording them would let any stranger fill the disk.
        if (!unreadable.uid.empty()) {
            outcome.promise = Promise::before_the_answer;
            outcome.record = make_record(unreadable, set, origin_, now);
        }
        return outcome;
    }

    const policy::Verdict verdict = evaluate_or_refuse(*review, set);
    if (verdict.error) outcome.error = to_string(verdict.error->code);
    outcome.readable = true;
    outcome.allowed = verdict.allowed;
    outcome.write_class = verdict.write_class;
    outcome.promise = promise_for(verdict);
    if (outcome.promise != Promise::none) outcome.record = make_record(*review, verdict, set, origin_, now);
    if (!verdict.violations.empty()) outcome.summary = summarize(*review, verdict);

    const bool remembered = outcome.promise == Promise::before_the_answer || outcome.promise == Promise::or_refuse;
    outcome.answer = write_answer(*review, verdict, remembered ? RecordState::durable : RecordState::none, set.digest, limits_);
    if (outcome.promise == Promise::before_the_answer) {
        outcome.without_record = write_answer(*review, verdict, RecordState::missing, set.digest, limits_);
    }
    if (outcome.promise == Promise::or_refuse) {
        outcome.without_record = write_refusal(
            review->uid, {Errc::audit_unavailable, "this write passes only if it is recorded, and the audit log is not available; try again or change it in Git", ""});
    }
    return outcome;
}

}  // namespace fluxgate::webhook
