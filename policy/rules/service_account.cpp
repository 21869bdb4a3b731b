#include "policy/rules/service_account.hpp"

#include <algorithm>
#include <array>

#include "policy/rules/fields.hpp"
#include "policy/rules/rule.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kAutomount = "automountServiceAccountToken";

}  // namespace

ServiceAccountRule ServiceAccountRule::decode(Mapping& fields) {
    ServiceAccountRule rule;
    const DemandCheck demands(fields);
    rule.deny_default = decode_boolean(fields, "denyDefault").value_or(false);
    rule.deny_automount = !decode_boolean(fields, "automount").value_or(true);
    if (const kube::Node* unset = fields.field("unset")) {
        rule.allow_unset = one_of(*unset, fields.name_of("unset"), {"deny", "allow"}, fields.problems()) == 1;
        if (!rule.deny_automount) fields.problem("unset", "says nothing without automount: false");
    }
    fields.finish();
    demands.require(rule.deny_default || rule.deny_automount,
                    "serviceAccount: demands nothing; give denyDefault: true or automount: false");
    return rule;
}

void ServiceAccountRule::judge(const kube::PodTemplate& pod, Findings& findings) const {
    if (deny_default) {
        const bool by_old_name = is_empty(pod.spec["serviceAccountName"]) && !is_empty(pod.spec["serviceAccount"]);
        const std::string_view field = by_old_name ? "serviceAccount" : "serviceAccountName";
        const kube::Json name = pod.spec[field];
        if (!name.is_string() || name.text().empty() || name.text() == "default")
            findings.add(std::string(pod.spec_path).append(".").append(field), shown(name), "a service account other than default");
    }
    if (deny_automount) {
        const kube::Json automount = pod.spec[kAutomount];
        if (automount.absent_or_null() ? allow_unset : automount.boolean() == false) return;
        findings.add(std::string(pod.spec_path).append(".").append(kAutomount),
                     automount.absent_or_null() ? "(absent), which is true" : shown(automount), "false");
    }
}

bool ServiceAccountRule::same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const {
    constexpr std::array kFields{std::string_view("serviceAccountName"), std::string_view("serviceAccount"), kAutomount};
    return std::all_of(kFields.begin(), kFields.end(),
                       [&](std::string_view field) { return kube::equal(before.spec[field], after.spec[field]); });
}

}  // namespace fluxgate::policy
