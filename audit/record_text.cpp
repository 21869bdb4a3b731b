#include "audit/record_text.hpp"

#include <algorithm>
#include <charconv>

namespace fluxgate::audit {

namespace {

// "schema" is always there and "sequence" is the key that follows it.
constexpr std::string_view kSequence = "\"schema\":\"fluxgate.dev/record/v2\",\"sequence\":";
// The envelope's own key: the last of that name, because "type" alone follows it.
constexpr std::string_view kTime = ",\"time\":\"";
// What may stand behind the time: `","type":"dev.fluxgate.event.signing-key-changed"}`, and the time itself.
constexpr std::size_t kTailBytes = 256;

}  // namespace

std::optional<std::uint64_t> sequence_of(std::string_view text) {
    const std::size_t found = text.rfind(kSequence);
    if (found == std::string_view::npos) return std::nullopt;
    const std::string_view digits = text.substr(found + kSequence.size());
    std::uint64_t sequence = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), sequence);
    if (error != std::errc() || end == digits.data()) return std::nullopt;
    return sequence;
}

std::optional<std::string_view> time_text_of(std::string_view text) {
    const std::string_view tail = text.substr(text.size() - std::min(text.size(), kTailBytes));
    const std::size_t found = tail.rfind(kTime);
    if (found == std::string_view::npos) return std::nullopt;
    const std::string_view rest = tail.substr(found + kTime.size());
    return rest.substr(0, rest.find('"'));
}

std::optional<WallTime> time_of(std::string_view text) {
    const auto time = parse_rfc3339(time_text_of(text).value_or(""));
    return time ? std::optional(*time) : std::nullopt;
}

}  // namespace fluxgate::audit
