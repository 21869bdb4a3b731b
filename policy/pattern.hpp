#pragma once

// A regular expression of a policy file, matched against whole values. RE2 decides in time linear in the value, whatever the
// expression (https://github.com/google/re2/wiki/Syntax); this is the only place that knows the library.
//
// Bounds: the text has at most kPatternBytesMax bytes, a program and what it remembers while matching kPatternMemoryMax. Values of
// more than kMatchedBytesMax bytes, or of more than kMatchStepsMax by the length of the program, match nothing: at worst a step is
// 30 ns, and whoever writes an annotation must not hold up a review. Labels have 63 bytes, and any program takes 900.
// Kubernetes stores at most 256 KiB of annotations an object.
//
// A value: copies share one compiled program, immutable to its users, so any number of threads may share it. `matches` makes
// no copies; RE2 builds its automaton as it meets values, within the memory above.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace re2 {
class RE2;
}

namespace fluxgate::policy {

inline constexpr std::size_t kPatternBytesMax = 1'000;
inline constexpr std::size_t kPatternMemoryMax = 256u << 10;
inline constexpr std::size_t kMatchedBytesMax = 256u << 10;
inline constexpr std::size_t kMatchStepsMax = 4'000'000;

class Pattern {
public:
    // Error invalid_argument with RE2's reason: no regular expression, or one that needs too much memory.
    static Result<Pattern> compile(std::string_view text);

    // The whole value, as if the pattern stood between ^ and $ (which it may also hold).
    bool matches(std::string_view value) const;
    const std::string& text() const;

private:
    explicit Pattern(std::shared_ptr<const re2::RE2> program) : program_(std::move(program)) {}
    std::shared_ptr<const re2::RE2> program_;
};

}  // namespace fluxgate::policy
