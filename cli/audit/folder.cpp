#include "cli/audit/folder.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include <CLI/CLI.hpp>

#include "base/duration.hpp"
#include "cli/files.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::size_t kKeyFileBytesMax = 4'096;
constexpr int kDaysMax = 36'500;
constexpr std::size_t kReasonBytesMax = 1'024;

// "7d": durations of policy files end with hours.
std::optional<std::chrono::days> days_in(std::string_view text) {
    int days = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
    if (error != std::errc() || std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end)) != "d")
        return std::nullopt;
    return days > 0 && days <= kDaysMax ? std::optional(std::chrono::days(days)) : std::nullopt;
}

}  // namespace

void add_audit_folder(CLI::App& command, std::string& folder) {
    command.add_option("--audit", folder, "the folder of the audit log, or a copy of it")->required()->type_name("DIR");
}

Result<VerifierKey> verifier_key_of(const std::string& key_or_file) {
    if (auto key = VerifierKey::parse(key_or_file)) return key;
    auto text = read_file(key_or_file, kKeyFileBytesMax);
    if (!text) return fail(text.error().code, "neither a verifier key nor a file with one: " + text.error().message, key_or_file);
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    auto key = VerifierKey::parse(*text);
    if (!key) return fail(key.error().code, key.error().message, key_or_file);
    return key;
}

Result<WallTime> moment_of(const std::string& text, WallTime now) {
    if (const auto days = days_in(text)) return now - *days;
    if (const auto ago = parse_duration(text)) return now - *ago;
    const auto time = parse_rfc3339(text);
    if (time) return time;
    return fail(Errc::invalid_argument, "\"" + text + "\" is no time: give RFC 3339 (2026-12-05T02:10:00Z), or how long ago (24h, 7d)");
}

Result<void> check_reason(const std::string& reason) {
    if (reason.empty()) return fail(Errc::invalid_argument, "--reason must not be empty: it stands in the log");
    if (reason.size() > kReasonBytesMax)
        return fail(Errc::invalid_argument, "--reason must be short, it stands in the log: a ticket says the rest");
    return {};
}

std::string grouped(std::uint64_t count) {
    std::string text = std::to_string(count);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
    return text;
}

Result<std::unique_ptr<audit::Disk>> take_audit_folder(const std::string& folder) {
    std::error_code error;
    // `take` would make it.
    if (!std::filesystem::is_directory(folder, error)) return fail(Errc::io, "there is no folder of an audit log", folder);
    auto disk = audit::make_posix_disk(folder);
    if (auto taken = disk->take(); !taken) {
        if (taken.error().code != Errc::contradictory) return tl::unexpected(taken.error());
        return fail(Errc::contradictory, "a server is writing here; stop it first, since only one process may change an audit log", folder);
    }
    return disk;
}

}  // namespace fluxgate::cli
