#pragma once

// Which rules the cases of PolicyTests exercise: a rule that no case makes speak is a rule that nobody has seen work.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/context.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::cli {

enum class Exercise : std::uint8_t {
    never,         // no case is a request that the rule is asked about
    only_passing,  // asked about, and found nothing in any case
    found,         // found something in some case (denied, warned of, noted, excused), or filled something in
};

struct RuleExercise {
    std::string policy;
    std::string rule;
    Exercise exercise = Exercise::never;
};

// Rules of several sets are one if policy and rule have the same names.
class RuleCoverage {
public:
    void add(const policy::PolicySet& set);
    // `sent`: a Pod before its defaults were filled in; else the same as `review`.
    void judged(const kube::Review& sent, const kube::Review& review, const policy::PolicySet& set, const policy::Context& context);

    std::vector<RuleExercise> rules() const;  // in the order in which they were added
    std::size_t exercised() const;
    unsigned percent() const;  // rounded down; 100 without rules

private:
    // What makes a rule speak that a verdict keeps silent about: no exceptions, and each rule of defaults by itself.
    struct Bare {
        policy::PolicySet set;
        std::vector<policy::PolicySet> defaults;
    };
    void raise(const std::string& policy, const std::string& rule, Exercise exercise);

    std::vector<RuleExercise> rules_;
    std::map<std::pair<std::string, std::string>, std::size_t> places_;
    std::map<const policy::PolicySet*, Bare> bare_;
};

}  // namespace fluxgate::cli
