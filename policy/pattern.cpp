#include "policy/pattern.hpp"

#include <algorithm>
#include <utility>

#include <re2/re2.h>

namespace fluxgate::policy {

Result<Pattern> Pattern::compile(std::string_view text) {
    if (text.size() > kPatternBytesMax)
        return fail(Errc::invalid_argument,
                    "is " + std::to_string(text.size()) + " bytes long; at most " + std::to_string(kPatternBytesMax) + " are allowed");
    re2::RE2::Options options;
    options.set_max_mem(static_cast<std::int64_t>(kPatternMemoryMax));
    options.set_log_errors(false);
    auto program = std::make_shared<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!program->ok()) return fail(Errc::invalid_argument, "is no regular expression that can be used: " + program->error());
    return Pattern(std::move(program));
}

bool Pattern::matches(std::string_view value) const {
    const auto instructions = static_cast<std::size_t>(std::max(program_->ProgramSize(), 1));
    if (value.size() > std::min(kMatchedBytesMax, kMatchStepsMax / instructions)) return false;
    return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *program_);
}

const std::string& Pattern::text() const { return program_->pattern(); }

}  // namespace fluxgate::policy
