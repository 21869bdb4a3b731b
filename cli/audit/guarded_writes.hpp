#pragma once

// Which writes of the API server's audit log Fluxgate guards: what `audit reconcile` compares.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/api_audit.hpp"
#include "audit/reconcile.hpp"
#include "kube/admission_review.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::cli {

// By a policy set: what a rule `lock` is about, whatever the actions of its policy. Labels of namespaces are not known here, so a
// namespaceSelector holds everywhere. Where there is no set: every write in some namespaces, or in any.
// Never: Events and Leases, which no registration should send (they are most of all writes); what only asks (reviews of access); and what
// is in no namespace, for which no registration may fail closed. Namespaces themselves are in theirs.
// A value; one thread.
class GuardedWrites {
public:
    static GuardedWrites by(std::shared_ptr<const policy::PolicySet> set);
    static GuardedWrites in(std::vector<std::string> namespaces);
    static GuardedWrites everywhere() { return {}; }

    audit::Guarded operator()(const audit::ApiEvent& event) const;

private:
    bool includes(const kube::Review& review) const;

    std::shared_ptr<const policy::PolicySet> set_;
    std::optional<std::vector<std::string>> namespaces_;  // sorted
};

}  // namespace fluxgate::cli
