#include "cli/audit/period.hpp"

#include <charconv>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/duration.hpp"

namespace fluxgate::cli {

namespace {

constexpr int kDaysMax = 36'500;

// "7d": durations of policy files end with hours.
std::optional<std::chrono::days> days_in(std::string_view text) {
    int days = 0;
    const char* const text_end = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), text_end, days);
    if (error != std::errc() || std::string_view(end, static_cast<std::size_t>(text_end - end)) != "d") return std::nullopt;
    return days > 0 && days <= kDaysMax ? std::optional(std::chrono::days(days)) : std::nullopt;
}

Result<std::optional<WallTime>> bound_of(std::string_view flag, const std::string& text, WallTime now) {
    if (text.empty()) return std::nullopt;
    const auto moment = moment_of(text, now);
    if (!moment) return fail(moment.error().code, fmt::format("{}: {}", flag, moment.error().message));
    return *moment;
}

}  // namespace

Result<WallTime> moment_of(const std::string& text, WallTime now) {
    if (const auto days = days_in(text)) return now - *days;
    if (const auto ago = parse_duration(text)) return now - *ago;
    if (const auto day = parse_rfc3339(text + "T00:00:00Z")) return day;
    if (const auto time = parse_rfc3339(text)) return time;
    return fail(Errc::invalid_argument,
                "\"" + text + "\" is no time: give a day (2026-12-05), RFC 3339 (2026-12-05T02:10:00Z), or how long ago (24h, 7d)");
}

void add_period(CLI::App& command, PeriodFlags& flags) {
    command.add_option("--from", flags.from, "not before: a day (2026-12-05, in UTC), RFC 3339, or how long ago (24h, 7d)")
        ->type_name("TIME");
    command.add_option("--to", flags.to, "before: a day, RFC 3339, or how long ago")->type_name("TIME");
}

Result<Period> Period::parse(const PeriodFlags& flags, WallTime now) {
    const auto from = bound_of("--from", flags.from, now);
    if (!from) return tl::unexpected(from.error());
    const auto to = bound_of("--to", flags.to, now);
    if (!to) return tl::unexpected(to.error());
    if (*from && *to && **from >= **to) return fail(Errc::invalid_argument, "--from must be before --to");
    return Period{*from, *to};
}

}  // namespace fluxgate::cli
