#include "policy/evaluate.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "kube/pod_template.hpp"
#include "policy/findings.hpp"
#include "policy/lock/assurance.hpp"
#include "policy/lock/grant_config_map.hpp"
#include "policy/lock/questions.hpp"
#include "policy/mutate.hpp"
#include "policy/owner.hpp"
#include "policy/policy_config_map.hpp"
#include "policy/rules/rule.hpp"

namespace fluxgate::policy {

namespace {

// What of the locks: a write is routine if it is by a writer of every lock that matched, and certainly by that writer.
struct LockOutcome {
    bool matched = false;
    bool enforced = false;  // by a policy that denies
    bool refused = false;   // and it does, or would if this were no dry run
    bool only_writers = true;
    bool look_alike = false;
    bool fields_stay = false;
};

// The pod template in the requested state, or in the one before.
std::optional<kube::PodTemplate> template_in(const kube::Review& review, kube::Json object) {
    auto pod = kube::find_pod_template(review.resource, object);
    if (!pod || pod->spec.absent_or_null()) return std::nullopt;
    return pod;
}

// Values of Deny, else of Warn, else of Audit: what a violation of the policy is called.
Action action_of(const Actions& actions) {
    if (actions.deny) return Action::deny;
    return actions.warn ? Action::warn : Action::audit;
}

// Of what passes even where the policy denies.
Actions without_deny(Actions actions) {
    actions.warn = actions.warn || actions.deny;  // what denies later warns already
    actions.deny = actions.deny_later = false;
    return actions;
}

// Found once, when the first rule asks.
class Template {
public:
    const kube::PodTemplate* get(const kube::Review& review, kube::Json object) {
        if (!looked_for_) {
            looked_for_ = true;
            pod_ = template_in(review, object);
        }
        return pod_ ? &*pod_ : nullptr;
    }

    // What is wrong with the shape of what `get` found, if anything.
    const Error* misshapen() {
        if (!shape_) shape_ = pod_->check_shape();
        return *shape_ ? nullptr : &shape_->error();
    }

private:
    bool looked_for_ = false;
    std::optional<kube::PodTemplate> pod_;
    std::optional<Result<void>> shape_;
};

// A template with a patch applied, in memory of its own.
class FilledTemplate {
public:
    FilledTemplate(const kube::PodTemplate& pod, const Patch& patch, const Limits& limits) : reader_(limits) {
        if (patch.empty()) return;
        text_ = kube::with_slack(nlohmann::json::parse(pod.pod.dump()).patch(patch.operations()).dump());
        const auto json = reader_.read(text_);
        if (!json) throw std::runtime_error("defaults made a template that cannot be read: " + to_string(json.error()));
        filled_ = kube::PodTemplate{*json, (*json)["metadata"], (*json)["spec"], pod.spec_path, pod.kind};
    }
    const kube::PodTemplate* get() const { return filled_ ? &*filled_ : nullptr; }

private:
    std::string text_;
    kube::JsonReader reader_;
    std::optional<kube::PodTemplate> filled_;
};

class Evaluation {
public:
    // `trace` may be null.
    Evaluation(const kube::Review& review, const PolicySet& set, const Context& context, Trace* trace)
        : review_(review), set_(set), context_(context), trace_(trace) {}

    Verdict run() {
        verdict_.assurance = read_assurance(review_.user);
        if (is_judged_by_signature(review_, set_.options)) {
            by_signature_ = lock_.matched = true;
            lock_.only_writers = false;  // recorded before it is allowed
        }
        verdict_.effective = !(review_.dry_run && dry_run_stores_nothing(review_));
        set_.index.each_candidate(review_, [&](std::size_t i) {
            const Policy& policy = set_.policies[i];
            if (policy.match.matches(review_, context_)) judge_by(policy, i);
        });
        judge_escapes();
        judge_policy_config_map(review_, set_.options, context_, verdict_);
        judge_grant_config_map(review_, set_, context_, verdict_);
        conclude();
        return std::move(verdict_);
    }

private:
    void judge_by(const Policy& policy, std::size_t number) {
        const Actions actions = policy.actions_for(review_.namespace_name, context_.now);
        if (trace_) trace_->policies.push_back({number, actions, {}});
        may_be_old_ = review_.operation == kube::Operation::update && policy.match.selected_before(review_);
        for (const Rule& rule : policy.rules) {
            Findings findings(verdict_, policy.name, rule.name, action_of(actions));
            begin_trace();
            std::visit([&](const auto& body) { judge(body, findings); }, rule.body);
            if (findings.count() > 0) excuse(policy, rule, findings);
            end_trace(findings);
            if (findings.count() == 0) continue;
            const Actions taken = findings.only_warns() ? without_deny(actions) : actions;
            remember(policy, taken);
            if (taken.warn) findings.each([&](const Violation& violation) { warn(policy, taken, violation); });
        }
    }

    void judge(const DefaultsRule&, Findings&) { looked(Look::fills); }

    template <WorkloadRule R>
    void judge(const R& rule, Findings& findings) {
        if (!asks_about<R>(review_)) return looked(Look::other_request);
        const kube::PodTemplate* pod = new_template_.get(review_, review_.object);
        if (!pod) return looked(Look::no_pods);
        if (const Error* shape = new_template_.misshapen()) {
            findings.add(shape->where, "something no API server stores", shape->message);
            return;
        }
        rule.judge(*pod, findings);
        if (findings.count() == 0) return;
        if (const kube::PodTemplate* filled = filled_template(*pod)) {
            take_back(findings, TakenBack::Reason::defaults, 0, [&] {
                findings.withdraw();
                rule.judge(*filled, findings);
            });
        }
        if (findings.count() == 0 || !may_be_old_) return;
        const kube::PodTemplate* before = old_template_.get(review_, review_.old_object);
        if (before && (pod->kind == "Pod" ? rule.same_inputs(*before, *pod) : same_template(*before, *pod))) withdraw_old(findings);
    }

    // A template that changes in anything makes new pods, which are judged in full: what is wrong with it is said now, where it is
    // written, and not when a controller has deleted the old pods and cannot create the new ones.
    bool same_template(const kube::PodTemplate& before, const kube::PodTemplate& after) {
        if (!same_template_) same_template_ = kube::equal(before.pod, after.pod);
        return *same_template_;
    }

    void judge(const AvailabilityRule& rule, Findings& findings) {
        judge_object(rule, findings);
        const bool of_object = review_.sub_resource.empty() && !review_.object.absent_or_null();
        if (context_.budgets && of_object) rule.judge_presence(review_, review_.object, *context_.budgets, findings);
    }

    template <ObjectRule R>
    void judge(const R& rule, Findings& findings) {
        judge_object(rule, findings);
    }

    template <ObjectRule R>
    void judge_object(const R& rule, Findings& findings) {
        if (!R::understands(review_.resource.group, review_.resource.resource)) return looked(Look::other_resource);
        if (!asks_about<R>(review_)) return looked(Look::other_request);
        rule.judge(review_, review_.object, findings);
        if (findings.count() == 0 || !may_be_old_) return;
        if (rule.same_inputs(review_, review_.old_object, review_.object)) withdraw_old(findings);
    }

    // The template as its pods will be; nullptr if nothing will be filled in, and for Pods, which have been to /mutate already.
    // Asked only when something was found: filling in what is absent takes violations away and adds none.
    const kube::PodTemplate* filled_template(const kube::PodTemplate& pod) {
        if (!set_.has_defaults || pod.kind == "Pod") return nullptr;
        if (!filled_) filled_.emplace(pod, mutate_template(review_, pod, set_, context_), set_.options.limits);
        return filled_->get();
    }

    void excuse(const Policy& policy, const Rule& rule, Findings& findings) {
        for (const std::size_t i : rule.exceptions) {
            const Exception& exception = set_.exceptions[i];
            if (!exception.active(review_, context_.now)) continue;
            const std::size_t before = findings.count();
            take_back(findings, TakenBack::Reason::exception, i, [&] {
                if (exception.containers.empty())
                    findings.withdraw();
                else
                    findings.excuse([&](const Violation& violation) { return exception.excuses(violation); });
            });
            if (findings.count() == before) continue;
            describe(policy);
            auto& used = verdict_.exceptions;
            if (std::find(used.begin(), used.end(), exception.name) == used.end()) used.push_back(exception.name);
        }
    }

    void judge(const LockRule& lock, Findings& findings) {
        if (only_asks(review_)) return looked(Look::other_resource);
        lock_.matched = true;
        lock_.enforced = lock_.enforced || findings.denies();
        if (const WriterMatch writer = lock.find_writer(review_, verdict_.assurance)) {
            if (verdict_.writer.empty()) verdict_.writer = writer.profile->name;
            lock_.look_alike = lock_.look_alike || could_be_a_look_alike(writer, verdict_.assurance);
            return looked(Look::writer, writer.profile->name);
        }
        lock_.only_writers = false;
        if (finishes_a_delete(review_)) return looked(Look::ends_delete);
        if (by_signature_) return looked(Look::by_signature);
        Verdict would_be;
        Findings aside = findings.into(would_be);
        lock.refuse(review_, verdict_.assurance, set_.options.limits, aside);
        if (aside.count() == 0) {
            lock_.fields_stay = true;
            return looked(Look::undeclared);
        }
        // What would pass anyway uses up no grant.
        const bool denies = findings.denies() && !aside.only_warns();
        std::string no_allowance;
        std::string no_grant;
        if (denies) {
            if (const auto action = find_allowance(lock.allowances, review_, context_, no_allowance)) {
                verdict_.allowance = to_string(*action);
                return looked(Look::allowance);
            }
        }
        if (denies && lock.break_glass) {
            if (const Grant* grant = find_grant(review_, *lock.break_glass, set_.grants, context_, no_grant)) return use(*grant);
        }
        if (denies && lock.learn_until && context_.now < *lock.learn_until && is_no_person(review_.user, verdict_.assurance)) {
            verdict_.learned = true;
            warn_of_learning(*lock.learn_until);
            return looked(Look::learning);
        }
        lock_.refused = lock_.refused || denies;
        if (!verdict_.effective) {
            // A dry run changes nothing: say what would happen, let it pass.
            warn_of_the_real_thing(would_be);
            return looked(Look::dry_run);
        }
        for (const std::string& hint : {no_allowance, no_grant}) {
            if (!hint.empty() && std::find(hints_.begin(), hints_.end(), hint) == hints_.end()) hints_.push_back(hint);
        }
        findings.take(std::move(would_be), aside);
    }

    void use(const Grant& grant) {
        looked(Look::grant);
        const auto same = [&](const UsedGrant& used) { return used.digest == grant.digest; };
        if (std::any_of(verdict_.grants.begin(), verdict_.grants.end(), same)) return;
        const std::string vouched_by = grant.signed_by.empty() ? "git" : grant.approved_by;  // the name of the key
        verdict_.grants.push_back(
            {grant.name, grant.digest, grant.ticket, grant.approved_by, vouched_by, grant.expires_at, grant.max_uses});
        openings_.push_back(describe_use(grant, set_.options.limits.warning_chars_max));
    }

    void warn_of_learning(WallTime until) {
        verdict_.warnings.push_back(std::string(review_.user.username) + " is in no writer profile: refused from " + format_rfc3339(until) +
                                    " on");
    }

    void warn_of_the_real_thing(const Verdict& would_be) {
        for (const Violation& violation : would_be.violations) {
            if (violation.action == Action::deny) verdict_.warnings.push_back("Fluxgate would deny: " + to_string(violation));
            if (violation.action == Action::warn) verdict_.warnings.push_back(to_string(violation));
        }
    }

    // Like a lock of its own, that every set with an enforcing lock has. No grant, allowance or learning opens it.
    void judge_escapes() {
        if (!set_.escape.on || by_signature_) return;
        Verdict would_be;
        Findings aside(would_be, "fluxgate", "escape", Action::deny);
        // What a lock has refused field by field is not said twice.
        const LockSaid said{
            .enforced = lock_.enforced && !lock_.refused, .granted = !verdict_.grants.empty(), .fields_stay = lock_.fields_stay};
        const EscapeOutcome outcome = judge_escape(review_, set_, context_, verdict_.assurance, said, aside);
        if (outcome.guarded) {
            lock_.matched = true;
            lock_.only_writers = lock_.only_writers && outcome.writer;
            lock_.look_alike = lock_.look_alike || could_be_a_look_alike(outcome.writer, verdict_.assurance);
            if (outcome.writer && verdict_.writer.empty()) verdict_.writer = outcome.writer.profile->name;
        }
        if (aside.count() == 0) return;
        if (!verdict_.effective) return warn_of_the_real_thing(would_be);
        Findings findings(verdict_, "fluxgate", "escape", Action::deny);
        findings.take(std::move(would_be), aside);
        name_owner();
        verdict_.allowed = false;
        if (verdict_.guidance.empty()) verdict_.guidance = "Change it in Git: no grant or exception opens the rule escape.";
    }

    void withdraw_old(Findings& findings) {
        take_back(findings, TakenBack::Reason::old, 0, [&] { findings.withdraw(); });
    }

    // --- the trace: nothing of this without one ---

    RuleTrace* rule_trace() { return trace_ ? &trace_->policies.back().rules.back() : nullptr; }

    void begin_trace() {
        if (trace_) trace_->policies.back().rules.emplace_back();
    }
    void looked(Look look, std::string_view writer = {}) {
        RuleTrace* const trace = rule_trace();
        if (!trace) return;
        trace->look = look;
        trace->writer = writer;
        if (look == Look::no_pods && !kube::holds_pods(review_.resource.group, review_.resource.resource))
            trace->look = Look::other_resource;
    }
    // `f` takes findings back.
    template <class F>
    void take_back(Findings& findings, TakenBack::Reason reason, std::size_t exception, F&& f) {
        RuleTrace* const trace = rule_trace();
        if (!trace) return f();
        const std::size_t before = findings.count();
        TakenBack taken{reason, exception, named(findings), 0};
        f();
        findings.each([&](const Violation& stays) { std::erase(taken.violations, stays); });
        taken.omitted = before - findings.count() - std::min(taken.violations.size(), before - findings.count());
        if (findings.count() != before) trace->taken_back.push_back(std::move(taken));
    }
    void end_trace(const Findings& findings) {
        RuleTrace* const trace = rule_trace();
        if (!trace) return;
        trace->violations = named(findings);
        trace->omitted = findings.count() - trace->violations.size();
    }
    static std::vector<Violation> named(const Findings& findings) {
        std::vector<Violation> list;
        findings.each([&](const Violation& violation) { list.push_back(violation); });
        return list;
    }

    void warn(const Policy& policy, const Actions& actions, const Violation& violation) {
        const std::string from = actions.deny_later ? "denied from " + format_rfc3339(*policy.enforce_from).substr(0, 10) + ": " : "";
        verdict_.warnings.push_back(from + to_string(violation));
    }

    void name_owner() {
        if (!verdict_.owner.empty()) return;
        verdict_.owner = describe_owner(review_);
        verdict_.owner_source = describe_source(verdict_.owner, context_.cluster);
    }

    // For the record, of a policy that found something, even if an exception took it back.
    void describe(const Policy& policy) {
        name_owner();
        for (const std::string& criterion : policy.compliance) {
            auto& list = verdict_.compliance;
            if (std::find(list.begin(), list.end(), criterion) == list.end()) list.push_back(criterion);
        }
    }

    void remember(const Policy& policy, const Actions& actions) {
        describe(policy);
        if (!actions.deny) return;
        verdict_.allowed = false;
        if (verdict_.guidance.empty()) verdict_.guidance = fill_in_owner(policy.guidance, verdict_.owner);
    }

    void conclude() {
        if (lock_.matched && lock_.only_writers && !lock_.look_alike)
            verdict_.write_class = WriteClass::routine;
        else if (lock_.matched)
            verdict_.write_class = WriteClass::exceptional;
        if (verdict_.allowed && verdict_.effective) {
            std::move(openings_.begin(), openings_.end(), std::back_inserter(verdict_.warnings));
            return;
        }
        // What does not happen, refused or as a dry run, is not let through by anything and uses nothing up.
        verdict_.grants.clear();
        verdict_.allowance = {};
        verdict_.learned = false;
        // First what would have let it pass: it is about this very request, and a long guidance is cut at its end.
        if (!verdict_.guidance.empty()) hints_.push_back(std::move(verdict_.guidance));
        verdict_.guidance.clear();
        for (const std::string& hint : hints_) verdict_.guidance += (verdict_.guidance.empty() ? "" : " ") + hint;
    }

    const kube::Review& review_;
    const PolicySet& set_;
    const Context& context_;
    Trace* const trace_;
    Verdict verdict_;
    LockOutcome lock_;
    bool by_signature_ = false;          // offers a signed grant: who writes it is nobody's business
    std::vector<std::string> openings_;  // what is said of the grants used, if they are
    std::vector<std::string> hints_;     // what would have let the request pass a lock, for the end of a denial
    bool may_be_old_ = false;            // what the policy at hand finds can have been there before this write
    Template new_template_;
    Template old_template_;
    std::optional<FilledTemplate> filled_;
    std::optional<bool> same_template_;
};

}  // namespace

Verdict evaluate(const kube::Review& review, const PolicySet& set, const Context& context) {
    return Evaluation(review, set, context, nullptr).run();
}

Verdict evaluate(const kube::Review& review, const PolicySet& set, const Context& context, Trace& trace) {
    trace = {};
    return Evaluation(review, set, context, &trace).run();
}

}  // namespace fluxgate::policy
