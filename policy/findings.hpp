#pragma once

// Where the rules put what they find. Lives for one rule of one evaluation; allocates only when something is found.

#include <algorithm>
#include <string>
#include <string_view>

#include "kube/pod_template.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

class Findings {
public:
    Findings(Verdict& verdict, std::string_view policy, std::string_view rule, Action action)
        : verdict_(verdict), policy_(policy), rule_(rule), action_(action), first_(verdict.violations.size()) {}

    // About the object or the pod as a whole.
    void add(std::string path, std::string have, std::string want) {
        add({std::string(policy_), std::string(rule_), std::move(path), std::move(have), std::move(want), action_, {}});
    }
    // About one container, which an exception may name. `field` is below it: "resources.limits.memory", "ports[0].hostPort";
    // empty for the container itself.
    void add(const kube::PodTemplate& pod, const kube::Container& container, std::string_view field, std::string have, std::string want) {
        std::string path = pod.path_of(container);
        if (!field.empty()) path.append(".").append(field);
        // Longer than any name in Kubernetes: no exception names it, and a forged review shall not make us copy it.
        const std::string_view name = container.name.size() <= kContainerNameBytesMax ? container.name : std::string_view{};
        add({std::string(policy_), std::string(rule_), std::move(path), std::move(have), std::move(want), action_, std::string(name)});
    }
    // Found, but too many to name.
    void omit(std::size_t count) {
        omitted_ += count;
        verdict_.violations_omitted += count;
    }

    // All that was found, named or not: what decides.
    std::size_t count() const { return verdict_.violations.size() - first_ + omitted_; }

    // f(const Violation&) for each that has a name.
    template <class F>
    void each(F&& f) const {
        const auto& list = verdict_.violations;
        std::for_each(list.begin() + static_cast<std::ptrdiff_t>(first_), list.end(), f);
    }

    // Takes back what `excused(const Violation&)` says; what was too much to name stays.
    template <class F>
    void excuse(F&& excused) {
        auto& list = verdict_.violations;
        list.erase(std::remove_if(list.begin() + static_cast<std::ptrdiff_t>(first_), list.end(), excused), list.end());
    }
    // Takes back everything.
    void withdraw() {
        verdict_.violations.resize(first_);
        verdict_.violations_omitted -= omitted_;
        omitted_ = 0;
    }

    // What is found from now on does not deny, whatever the policy says. Before anything is found.
    void only_warn() {
        if (action_ == Action::deny) action_ = Action::warn;
        only_warn_ = true;
    }
    bool only_warns() const { return only_warn_; }
    bool denies() const { return action_ == Action::deny; }

    // What `other` found into `aside`, which held nothing before.
    void take(Verdict&& aside, const Findings& other) {
        if (other.only_warns()) only_warn();
        for (Violation& violation : aside.violations) add(std::move(violation));
        omit(aside.violations_omitted);
    }

    // The same policy and rule, for another verdict.
    Findings into(Verdict& verdict) const { return Findings(verdict, policy_, rule_, action_); }

private:
    static constexpr std::size_t kContainerNameBytesMax = 253;

    void add(Violation violation) {
        // What only warns or is noted may fill half of the room: whoever is denied must be told why.
        if (verdict_.violations.size() >= (action_ == Action::deny ? kViolationsMax : kViolationsMax / 2)) return omit(1);
        verdict_.violations.push_back(std::move(violation));
    }

    Verdict& verdict_;
    std::string_view policy_;
    std::string_view rule_;
    Action action_;
    bool only_warn_ = false;
    std::size_t first_;  // of this rule, in the verdict's list
    std::size_t omitted_ = 0;
};

}  // namespace fluxgate::policy
