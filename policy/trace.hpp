#pragma once

// The way to a verdict: what the evaluator notes while it judges, for whoever asks why (explain.hpp). Nobody asks on the request
// path, where nothing of this is made.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "policy/policy_set.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::policy {

// Why a rule found what it found, or did not look.
enum class Look : std::uint8_t {
    judged,          // it looked at the object
    other_resource,  // it has no word about such a resource
    other_request,   // nor about such an operation or subresource
    no_pods,         // the object has no pod template
    fills,           // `defaults`: fills in and finds nothing
    writer,          // the lock: by a writer
    ends_delete,     // the lock: deletes what is being deleted already
    undeclared,      // the lock: changes nothing that Git declares, and only what may be added
    dry_run,         // the lock: would refuse the real thing
    allowance,       // the lock: day-2 work that it allows the caller
    grant,           // the lock: a break-glass grant opens it
    by_signature,    // the lock: a signed grant is offered, which its signature decides about and not its writer
    learning,        // the lock: still learns who writes, and this is no person
};

// What was found and does not count.
struct TakenBack {
    enum class Reason : std::uint8_t {
        defaults,   // the pods will be filled in
        old,        // it was there before this write
        exception,  // a GuardException excuses it
    };
    Reason reason = Reason::defaults;
    std::size_t exception = 0;  // of the set
    std::vector<Violation> violations{};
    std::size_t omitted = 0;  // too many to name
};

struct RuleTrace {
    Look look = Look::judged;
    std::string_view writer{};  // the profile
    std::vector<TakenBack> taken_back{};
    std::vector<Violation> violations{};  // what stands
    std::size_t omitted = 0;
};

// A policy that matched, with its rules in their order.
struct PolicyTrace {
    std::size_t policy = 0;  // of the set
    Actions actions{};
    std::vector<RuleTrace> rules{};
};

struct Trace {
    std::vector<PolicyTrace> policies{};
};

}  // namespace fluxgate::policy
