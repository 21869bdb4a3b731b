#pragma once

// Why a review gets its verdict: policy by policy, rule by rule, in words. It decides nothing: the verdict is that of `evaluate`, and
// what is told comes from the evaluator's own trace and from Match. Pure. For commands, not for the request path.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/policy_set.hpp"
#include "policy/trace.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// What was found and does not count, with the reason as a sentence.
struct ExplainedTakenBack {
    std::string why;  // "excused by GuardException legacy (OPS-1234) until 2027-03-31T00:00:00Z"
    std::vector<Violation> violations;
    std::size_t omitted = 0;
};

struct RuleExplanation {
    std::string rule;
    std::string type;  // the field of its body: "probes"
    bool looked = false;
    std::string why;                               // "nothing found", "2 violations", "has no word about configmaps"
    std::vector<Violation> violations{};           // what stands
    std::size_t omitted = 0;                       // of these, too many to name
    std::vector<ExplainedTakenBack> taken_back{};  // in the order in which it was
    std::vector<std::string> notes{};              // exceptions that would have excused and have ended
};

struct PolicyExplanation {
    std::string policy;
    bool matches = false;
    std::string condition{};  // the field of match that says no
    std::string why_not{};    // "namespace \"staging\" is none of production, prod-*"
    std::string actions{};    // "Deny", "Warn, Audit"; of a policy that matches
    std::string actions_from{};
    std::vector<RuleExplanation> rules{};
};

struct Explanation {
    Verdict verdict;
    std::vector<PolicyExplanation> policies;  // all of the set, in its order
};

Explanation explain(const kube::Review& review, const PolicySet& set, const Context& context);

// Why that condition of the match says no to the review.
std::string explain_mismatch(const Match& match, Condition condition, const kube::Review& review, const Context& context);

}  // namespace fluxgate::policy
