#include "cli/audit/guarded_writes.hpp"

#include <algorithm>
#include <variant>

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/lock/lock.hpp"
#include "policy/lock/questions.hpp"

namespace fluxgate::cli {

namespace {

using kube::Operation;

bool is_noise(const audit::ApiEvent& event) {
    if (event.resource == "events") return event.group.empty() || event.group == "events.k8s.io";
    return event.resource == "leases" && event.group == "coordination.k8s.io";
}

// An apply creates what is not there, and its event does not say which it was.
std::vector<Operation> operations_of(const audit::ApiEvent& event) {
    if (audit::is_connection(event)) return {Operation::connect};
    if (event.verb == "create") return {Operation::create};
    if (event.verb == "update" || event.verb == "patch") return {Operation::update, Operation::create};
    return {Operation::remove};
}

bool has_lock(const policy::Policy& policy) {
    return std::any_of(policy.rules.begin(), policy.rules.end(),
                       [](const policy::Rule& rule) { return std::holds_alternative<policy::LockRule>(rule.body); });
}

}  // namespace

GuardedWrites GuardedWrites::by(std::shared_ptr<const policy::PolicySet> set) {
    GuardedWrites writes;
    writes.set_ = std::move(set);
    return writes;
}

GuardedWrites GuardedWrites::in(std::vector<std::string> namespaces) {
    GuardedWrites writes;
    std::sort(namespaces.begin(), namespaces.end());
    writes.namespaces_ = std::move(namespaces);
    return writes;
}

audit::Guarded GuardedWrites::operator()(const audit::ApiEvent& event) const {
    if (is_noise(event) || event.namespace_name.empty()) return audit::Guarded::no;
    kube::Review review;
    review.resource.group = event.group;
    review.resource.version = event.version;
    review.resource.resource = event.resource;
    review.sub_resource = event.sub_resource;
    review.namespace_name = event.namespace_name;
    review.name = event.name;
    review.dry_run = event.dry_run;
    for (const Operation operation : operations_of(event)) {
        review.operation = operation;
        if (!includes(review) || policy::only_asks(review)) continue;
        return event.dry_run && policy::dry_run_stores_nothing(review) ? audit::Guarded::stores_nothing : audit::Guarded::yes;
    }
    return audit::Guarded::no;
}

bool GuardedWrites::includes(const kube::Review& review) const {
    if (namespaces_) return std::binary_search(namespaces_->begin(), namespaces_->end(), review.namespace_name);
    if (!set_) return true;
    return std::any_of(set_->policies.begin(), set_->policies.end(),
                       [&](const policy::Policy& policy) { return has_lock(policy) && policy.match.matches(review, policy::Context{}); });
}

}  // namespace fluxgate::cli
