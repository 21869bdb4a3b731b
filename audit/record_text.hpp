#pragma once

// Two fields of a record's canonical text without parsing it, for who passes over millions: found by the place that the order of the keys
// gives them. Names and values of strangers cannot imitate them, because a quote inside a JSON string is escaped. Pure.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.hpp"

namespace fluxgate::audit {

// `data.sequence`; nothing if the text is no record of the schema fluxgate.dev/record/v2.
std::optional<std::uint64_t> sequence_of(std::string_view text);

// `time`; nothing if the text is no record. As text all have the form of base/clock.hpp's format_rfc3339, so they compare as times do.
std::optional<std::string_view> time_text_of(std::string_view text);
std::optional<WallTime> time_of(std::string_view text);

}  // namespace fluxgate::audit
