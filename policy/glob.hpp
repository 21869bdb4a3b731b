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
    // Error invalid_argument: empty, longer than 253, or a character that no Kubernetes name has.
    static Result<Glob> compile(std::string_view pattern);

    bool matches(std::string_view name) const;
    const std::string& text() const { return pattern_; }

private:
    explicit Glob(std::string pattern) : pattern_(std::move(pattern)) {}
    std::string pattern_;
};

// True if any pattern matches.
bool any_matches(const std::vector<Glob>& patterns, std::string_view name);

}  // namespace fluxgate::policy
