#include "policy/evaluate.hpp"

#include <algorithm>
#include <optional>

#include "kube/pod_template.hpp"
#include "policy/findings.hpp"
#include "policy/lock/assurance.hpp"
#include "policy/owner.hpp"

namespace fluxgate::policy {

namespace {

// What of the locks: a write is routine if it is by a writer of every lock that matched.
struct LockOutcome {
    bool matched = false;
    bool only_writers = true;
};

// The pod template that workload rules judge. None for deletes and connections, and none for an update that leaves the
// template as it is: a label, finalizer or status write must not stick on a violation that is there already.
std::optional<kube::PodTemplate> template_to_judge(const kube::Review& review) {
    if (review.operation != kube::Operation::create && review.operation != kube::Operation::update) return std::nullopt;
    auto pod = kube::find_pod_template(review.resource, review.object);
    if (!pod || pod->spec.absent_or_null()) return std::nullopt;
    if (review.operation == kube::Operation::update) {
        const auto before = kube::find_pod_template(review.resource, review.old_object);
        if (before && kube::equal(before->spec, pod->spec)) return std::nullopt;
    }
    return pod;
}

// Values of Deny, else of Warn, else of Audit: what a violation of the policy is called.
Action action_of(const Actions& actions) {
    if (actions.deny) return Action::deny;
    return actions.warn ? Action::warn : Action::audit;
}

class Evaluation {
public:
    Evaluation(const kube::Review& review, const PolicySet& set) : review_(review), set_(set) {}

    Verdict run() {
        verdict_.assurance = read_assurance(review_.user);
        verdict_.effective = !(review_.dry_run && dry_run_stores_nothing(review_));
        for (const Policy& policy : set_.policies) {
            if (policy.match.matches(review_)) judge_by(policy);
        }
        conclude();
        return std::move(verdict_);
    }

private:
    void judge_by(const Policy& policy) {
        for (const Rule& rule : policy.rules) {
            Findings findings(verdict_, policy.name, rule.name, action_of(policy.actions));
            if (const auto* lock = std::get_if<LockRule>(&rule.body)) judge_lock(*lock, findings);
            if (const auto* resources = std::get_if<ResourcesRule>(&rule.body)) judge_workload(*resources, findings);
            if (const auto* probes = std::get_if<ProbesRule>(&rule.body)) judge_workload(*probes, findings);
            if (const auto* pod_security = std::get_if<PodSecurityRule>(&rule.body)) judge_workload(*pod_security, findings);
            if (findings.count() > 0) remember(policy);
        }
    }

    void judge_lock(const LockRule& lock, Findings& findings) {
        lock_.matched = true;
        if (const WriterProfile* writer = lock.find_writer(review_, verdict_.assurance)) {
            if (verdict_.writer.empty()) verdict_.writer = writer->name;
            return;
        }
        lock_.only_writers = false;
        if (finishes_a_delete(review_)) return;
        if (verdict_.effective) return lock.refuse(review_, verdict_.assurance, findings);
        // A dry run changes nothing: say what would happen, let it pass.
        Verdict would_be;
        Findings aside = findings.into(would_be);
        lock.refuse(review_, verdict_.assurance, aside);
        for (const Violation& violation : would_be.violations) {
            if (violation.action == Action::deny) verdict_.warnings.push_back("Fluxgate would deny: " + to_string(violation));
            if (violation.action == Action::warn) verdict_.warnings.push_back(to_string(violation));
        }
    }

    template <class WorkloadRule>
    void judge_workload(const WorkloadRule& rule, Findings& findings) {
        if (!WorkloadRule::concerns(review_)) return;
        const kube::PodTemplate* pod = the_template();
        if (!pod) return;
        if (const auto shape = pod->check_shape(); !shape) {
            findings.add(shape.error().where, "something no API server stores", shape.error().message);
            return;
        }
        rule.judge(*pod, findings);
    }

    // Found once, when the first workload rule asks.
    const kube::PodTemplate* the_template() {
        if (!template_looked_for_) {
            template_looked_for_ = true;
            template_ = template_to_judge(review_);
        }
        return template_ ? &*template_ : nullptr;
    }

    void remember(const Policy& policy) {
        if (verdict_.owner.empty()) verdict_.owner = describe_owner(review_);
        for (const std::string& criterion : policy.compliance) {
            auto& list = verdict_.compliance;
            if (std::find(list.begin(), list.end(), criterion) == list.end()) list.push_back(criterion);
        }
        if (!policy.actions.deny) return;
        verdict_.allowed = false;
        if (verdict_.guidance.empty()) verdict_.guidance = fill_in_owner(policy.guidance);
    }

    std::string fill_in_owner(std::string text) const {
        constexpr std::string_view kOwner = "{owner}";
        for (std::size_t at = text.find(kOwner); at != std::string::npos; at = text.find(kOwner, at + verdict_.owner.size())) {
            text.replace(at, kOwner.size(), verdict_.owner);
        }
        return text;
    }

    void conclude() {
        for (const Violation& violation : verdict_.violations) {
            if (violation.action == Action::warn) verdict_.warnings.push_back(to_string(violation));
        }
        if (lock_.matched && lock_.only_writers)
            verdict_.write_class = WriteClass::routine;
        else if (lock_.matched || !verdict_.violations.empty())
            verdict_.write_class = WriteClass::exceptional;
    }

    const kube::Review& review_;
    const PolicySet& set_;
    Verdict verdict_;
    LockOutcome lock_;
    bool template_looked_for_ = false;
    std::optional<kube::PodTemplate> template_;
};

}  // namespace

Verdict evaluate(const kube::Review& review, const PolicySet& set) { return Evaluation(review, set).run(); }

}  // namespace fluxgate::policy
