#include "policy/lock/allowances.hpp"

#include <algorithm>

namespace fluxgate::policy {

Allowance Allowance::decode(Mapping& fields) {
    fields.finish();
    return {};
}

DayTwoWork recognise_day_two_work(const kube::Review&, const Context&) { return {}; }

bool is_allowed(const std::vector<Allowance>& allowances, const kube::UserInfo& user, DayTwoAction action) {
    return std::any_of(allowances.begin(), allowances.end(), [&](const Allowance& allowance) {
        return std::find(allowance.actions.begin(), allowance.actions.end(), action) != allowance.actions.end() &&
               std::any_of(allowance.subjects.begin(), allowance.subjects.end(), [&](const Subject& subject) { return subject.is(user); });
    });
}

}  // namespace fluxgate::policy
