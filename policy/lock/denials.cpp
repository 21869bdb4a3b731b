#include "policy/lock/denials.hpp"

#include <utility>

namespace fluxgate::policy {

void add_changes(Findings& findings, kube::Changes&& changes) {
    for (kube::Change& change : changes.list) findings.add(std::move(change.path), std::move(change.have), std::move(change.want));
    findings.omit(changes.omitted);
}

std::string name_of_caller(const kube::UserInfo& user) {
    return user.username.empty() ? "a caller without a name" : std::string(user.username);
}

}  // namespace fluxgate::policy
