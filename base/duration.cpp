#include "base/duration.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace fluxgate {

namespace {

constexpr std::array<std::pair<char, std::int64_t>, 3> kUnits{{{'h', 3'600}, {'m', 60}, {'s', 1}}};
constexpr std::int64_t kSecondsMax = 366 * 24 * 3'600;

}  // namespace

Result<std::chrono::seconds> parse_duration(std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::invalid_argument,
                    fmt::format("\"{}\" is no duration; expected one such as 4h, 90m or 1h30m, of at most a year", text.substr(0, 40)));
    };
    std::int64_t seconds = 0;
    std::string_view rest = text;
    for (const auto& [letter, unit] : kUnits) {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
        const auto digits = static_cast<std::size_t>(end - rest.data());
        if (error != std::errc() || digits == rest.size() || rest[digits] != letter) continue;
        if (rest.front() == '-' || number > kSecondsMax / unit) return bad();
        seconds += number * unit;
        rest.remove_prefix(digits + 1);
    }
    if (!rest.empty() || seconds == 0 || seconds > kSecondsMax) return bad();
    return std::chrono::seconds(seconds);
}

std::string format_duration(std::chrono::seconds duration) {
    std::string text;
    std::int64_t rest = duration.count();
    for (const auto& [letter, unit] : kUnits) {
        if (rest >= unit) text += fmt::format("{}{}", rest / unit, letter);
        rest %= unit;
    }
    return text.empty() ? "0s" : text;
}

}  // namespace fluxgate
