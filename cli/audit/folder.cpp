#include "cli/audit/folder.hpp"

#include <filesystem>

#include <CLI/CLI.hpp>

#include "audit/layout.hpp"
#include "audit/published_log.hpp"
#include "cli/files.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::size_t kKeyFileBytesMax = 4'096;
constexpr std::size_t kReasonBytesMax = 1'024;

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

Result<std::unique_ptr<audit::Disk>> open_audit_folder(const std::string& folder) {
    auto disk = audit::open_for_reading(folder);
    if (!disk) return disk;
    for (const std::string_view part : {audit::kWalDirectory, audit::kCheckpointPath, audit::kEpochDirectory}) {
        const auto there = (*disk)->exists(std::string(part));
        if (!there) return tl::unexpected(there.error());
        if (*there) return disk;
    }
    return fail(Errc::io, "this folder holds no audit log: there is neither `wal` nor `checkpoint` in it", folder);
}

Result<void> check_reason(const std::string& reason) {
    if (reason.empty()) return fail(Errc::invalid_argument, "--reason must not be empty: it stands in the log");
    if (reason.size() > kReasonBytesMax)
        return fail(Errc::invalid_argument, "--reason must be short, it stands in the log: a ticket says the rest");
    return {};
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
