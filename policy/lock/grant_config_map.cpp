#include "policy/lock/grant_config_map.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "policy/findings.hpp"
#include "policy/lock/signed_grants.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kLabel = "fluxgate.dev/grant";
constexpr std::string_view kPoliciesLabel = "fluxgate.dev/policies";

bool is_labelled(kube::Json object) { return object["metadata"]["labels"][kLabel].text() == "true"; }

bool is_our_config_map(const kube::Review& review, const CompileOptions& options) {
    return review.resource.resource == "configmaps" && review.resource.group.empty() && review.sub_resource.empty() &&
           review.namespace_name == options.own_namespace;
}

// Labelled, and holds nothing that anybody but us could read.
bool holds_only_notes(kube::Json object) {
    const kube::Json labels = object["metadata"]["labels"];
    if (!is_labelled(object) || !labels[kPoliciesLabel].absent_or_null() || !object["binaryData"].absent_or_null()) return false;
    bool any = false;
    bool others = false;
    object["data"].each_member([&](std::string_view key, kube::Json) {
        const bool note = key == "grant" || key == "revocation";
        (note ? any : others) = true;
    });
    return any && !others;
}

class Judgement {
public:
    Judgement(const kube::Review& review, const PolicySet& set, const Context& context, Findings& findings)
        : review_(review), set_(set), context_(context), findings_(findings), approvers_(approver_keys_of(set)) {}

    void run() {
        keep_revocation();
        if (review_.operation == kube::Operation::remove || !is_labelled(review_.object)) return;
        if (review_.operation == kube::Operation::update && kube::equal(review_.object["data"], review_.old_object["data"])) return;
        if (!holds_only_notes(review_.object)) {
            findings_.add(".data", "other entries, or another label of Fluxgate", "data.grant, data.revocation or both, and nothing else");
            return;
        }
        const std::optional<Revocation> revocation = judge_revocation();
        judge_grant(revocation);
    }

private:
    void keep_revocation() {
        if (!is_labelled(review_.old_object)) return;
        const auto before = read_revocation(review_.old_object["data"]["revocation"].text(), approvers_);
        if (!before || context_.now >= before->expires_at) return;
        const std::string want = "to stay until " + format_moment(before->expires_at) + ", when the grant would have ended";
        if (review_.operation == kube::Operation::remove)
            return findings_.add(".data.revocation", "DELETE of the end of " + before->name, want);
        if (!is_labelled(review_.object))
            return findings_.add(".metadata.labels[\"fluxgate.dev/grant\"]", "taken away from the end of " + before->name, want);
        const kube::Json text = review_.object["data"]["revocation"];
        if (text.text() == review_.old_object["data"]["revocation"].text()) return;
        const auto after = read_revocation(text.text(), approvers_);
        const bool as_good = after && after->digest == before->digest && after->expires_at >= before->expires_at;
        if (!as_good) findings_.add(".data.revocation", "the end of " + before->name + ", changed or taken away", want);
    }

    std::optional<Revocation> judge_revocation() {
        const kube::Json text = review_.object["data"]["revocation"];
        if (text.absent_or_null()) return std::nullopt;
        auto revocation = read_revocation(text.text(), approvers_);
        if (revocation) return std::move(*revocation);
        findings_.add(".data.revocation", revocation.error().message, "a revocation signed by an approver");
        return std::nullopt;
    }

    // A grant that its own ConfigMap ends opens nothing, so nothing else is asked of it.
    void judge_grant(const std::optional<Revocation>& revocation) {
        const kube::Json text = review_.object["data"]["grant"];
        if (text.absent_or_null()) return;
        const auto refuse = [&](std::string have, std::string want) { findings_.add(".data.grant", std::move(have), std::move(want)); };
        const auto grant = read_signed_grant(text.text(), approvers_, set_.options.limits);
        if (!grant) return refuse(grant.error().message, "a grant signed by the approver it names");
        if (revocation && ends(*revocation, *grant)) return;
        if (context_.signed_grants) judge_beside_others(*grant, *context_.signed_grants, refuse);
        if (!is_for_this_cluster(*grant, context_)) refuse("cluster " + grant->cluster, "this cluster");
        if (context_.now >= grant->expires_at) refuse("it ended at " + format_moment(grant->expires_at), "a grant that has not ended");
        if (!any_lock_accepts(*grant)) refuse("no lock accepts it", "a maxDuration and approverKeys of a lock that fit");
    }

    // Copies would crowd out what is offered besides.
    template <class Refuse>
    void judge_beside_others(const Grant& grant, const SignedGrants& known, const Refuse& refuse) const {
        if (known.is_revoked(grant)) refuse("it was ended before its time", "a new grant");
        for (std::size_t i = 0; i < known.grants.size(); ++i) {
            if (known.grants[i].digest == grant.digest && known.config_maps[i] != review_.name)
                return refuse("ConfigMap " + known.config_maps[i] + " offers it already", "one ConfigMap for a grant");
        }
    }

    bool any_lock_accepts(const Grant& grant) const {
        return std::any_of(set_.policies.begin(), set_.policies.end(), [&](const Policy& policy) {
            return std::any_of(policy.rules.begin(), policy.rules.end(), [&](const Rule& rule) {
                const auto* lock = std::get_if<LockRule>(&rule.body);
                return lock && lock->break_glass && accepts(*lock->break_glass, grant);
            });
        });
    }

    const kube::Review& review_;
    const PolicySet& set_;
    const Context& context_;
    Findings& findings_;
    const std::vector<VerifierKey> approvers_;
};

}  // namespace

bool is_judged_by_signature(const kube::Review& review, const CompileOptions& options) {
    if (!is_our_config_map(review, options)) return false;
    if (review.operation == kube::Operation::create) return holds_only_notes(review.object);
    return review.operation == kube::Operation::update && holds_only_notes(review.object) && holds_only_notes(review.old_object) &&
           !kube::equal(review.object["data"], review.old_object["data"]);
}

void judge_grant_config_map(const kube::Review& review, const PolicySet& set, const Context& context, Verdict& verdict) {
    if (!is_our_config_map(review, set.options) || review.operation == kube::Operation::connect) return;
    if (!is_labelled(review.object) && !is_labelled(review.old_object)) return;
    if (!verdict.allowed) return;  // refused already: its writer shall not make us verify signatures
    Findings findings(verdict, "fluxgate", "grants", Action::deny);
    Judgement(review, set, context, findings).run();
    if (findings.count() == 0) return;
    verdict.allowed = false;
    if (verdict.guidance.empty()) verdict.guidance = "`fluxgate grant sign` makes such a ConfigMap, `fluxgate grant end` ends a grant.";
}

}  // namespace fluxgate::policy
