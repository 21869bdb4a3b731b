#pragma once

// A name pattern of a policy file: `*` is any run of characters, everything else is itself. Case-sensitive, whole name.
// Matching is linear in the name for patterns with one `*` and never worse than pattern times name (253 characters each).

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fluxgate::policy {

class Glob {
public:
    // What the matched text can be: the name of an object, or the name of a user or group, which comes from outside Kubernetes.
    enum class Alphabet { names, identities };

    // Error invalid_argument: empty, too long (253, identities 1,024), or a character that no such text has.
    static Result<Glob> compile(std::string_view pattern, Alphabet alphabet = Alphabet::names);

    bool matches(std::string_view name) const;
    const std::string& text() const { return pattern_; }

private:
    explicit Glob(std::string pattern) : pattern_(std::move(pattern)) {}
    std::string pattern_;
};

// Does `wide` match every name that `narrow` matches? And is there a name that both match?
bool covers(const Glob& wide, const Glob& narrow);
bool can_meet(const Glob& left, const Glob& right);

// True if any pattern matches.
bool any_matches(const std::vector<Glob>& patterns, std::string_view name);

}  // namespace fluxgate::policy
