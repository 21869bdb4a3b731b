#pragma once

// Who may write into a locked namespace, and what: writer profiles as data, built in (built_in_writers.hpp) or from WriterProfile
// files (policy/decode_writers.hpp). Values; immutable once a set is compiled, the same for all threads.

#include <optional>
#include <string>
#include <vector>

#include "kube/admission_review.hpp"
#include "policy/match.hpp"
#include "policy/resource_rule.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// What an identity may write.
struct Permission {
    ResourceRule rule;
    std::vector<Glob> namespaces{};  // empty: any; "*" alone matches an object that is in none
    bool owned = false;              // a controller ownerReference on the object is required, as it is or as it was
    bool bound_to_pod = false;       // of a TokenRequest: the token must end with a Pod

    bool covers(const kube::Review& review) const;
};

// Somebody by name, by groups, or by both.
struct WriterIdentity {
    std::optional<Subject> who{};                // an account or a user; a star in its name stands for at least one character
    std::vector<std::string> groups{};           // whole names, all of them required
    Assurance assurance = Assurance::pod_bound;  // least proof accepted
    std::vector<Permission> may{};
    // All it may write are values that a controller sets right again at once: a write with the weakest proof is routine. Built-in
    // identities only.
    bool set_right_again = false;

    bool is(const kube::UserInfo& user) const;
};

// "system:serviceaccount:flux-system:kustomize-controller", "system:kube-scheduler"; "" for groups alone.
std::string username_of(const WriterIdentity& identity);

struct WriterProfile {
    // For which accounts of its own a lock must name it, and where these may write.
    enum class Accounts : std::uint8_t { none, in_their_namespace, anywhere };

    std::string name;
    std::vector<WriterIdentity> identities{};
    Accounts accounts = Accounts::none;
};

// "cluster-config/flux-applier"
struct WriterAccount {
    std::string namespace_name;
    std::string name;

    friend bool operator==(const WriterAccount&, const WriterAccount&) = default;
};

}  // namespace fluxgate::policy
