#pragma once

// Where the rules put what they find. Lives for one rule of one evaluation; allocates only when something is found.

#include <string>
#include <string_view>

#include "policy/verdict.hpp"

namespace fluxgate::policy {

class Findings {
public:
    Findings(Verdict& verdict, std::string_view policy, std::string_view rule, Action action)
        : verdict_(verdict), policy_(policy), rule_(rule), action_(action) {}

    void add(std::string path, std::string have, std::string want) {
        ++count_;
        // What only warns or is noted may fill half of the room: whoever is denied must be told why.
        if (verdict_.violations.size() >= (action_ == Action::deny ? kViolationsMax : kViolationsMax / 2)) {
            ++verdict_.violations_omitted;
            return;
        }
        verdict_.violations.push_back(
            Violation{std::string(policy_), std::string(rule_), std::move(path), std::move(have), std::move(want), action_});
    }
    // The same policy and rule, for another verdict.
    Findings into(Verdict& verdict) const { return Findings(verdict, policy_, rule_, action_); }
    // Found, but too many to name.
    void omit(std::size_t count) {
        count_ += count;
        verdict_.violations_omitted += count;
    }
    // All that was found, named or not: what decides.
    std::size_t count() const { return count_; }

private:
    Verdict& verdict_;
    std::string_view policy_;
    std::string_view rule_;
    Action action_;
    std::size_t count_ = 0;
};

}  // namespace fluxgate::policy
