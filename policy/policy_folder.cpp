#include "policy/policy_folder.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/stat.h>

#include "policy/policy_config_map.hpp"

namespace fluxgate::policy {

namespace {

// Changes whenever a file of the folder does: content cannot change without one of these.
std::string fingerprint(const std::filesystem::path& directory) {
    std::vector<std::string> lines;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!is_policy_file_name(name)) continue;
        struct stat info {};
        if (::stat(entry->path().c_str(), &info) != 0) {
            lines.push_back(name + " unreadable");
            continue;
        }
        lines.push_back(fmt::format("{} {} {} {} {}.{} {}.{}", name, info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                                    info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec));
    }
    if (error) return "unreadable: " + error.message();
    std::sort(lines.begin(), lines.end());
    return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace

std::optional<PolicyFolder::Change> PolicyFolder::look(WallTime now) {
    constexpr std::chrono::seconds kBetweenRetries{30};
    const std::string before = fingerprint(directory_);
    // What failed is tried again: the disk may be back, or an exception have come within the horizon.
    const bool retry = !good_ && seen_ && now >= tried_ + kBetweenRetries;
    if (seen_ == before && !retry) return std::nullopt;
    tried_ = now;
    const auto files = read_policy_directory(directory_, options_.limits);
    if (fingerprint(directory_) != before) return std::nullopt;
    if (!files) return remember(before, {nullptr, {to_string(files.error())}, 0, false});
    CompileOptions options = options_;
    options.now = now;
    CompileResult compiled = compile(*files, options);
    Change change{std::move(compiled.set), {}, compiled.problems_omitted, true};
    for (const Problem& problem : compiled.problems) change.problems.push_back((directory_ / "").string() + to_string(problem));
    if (change.set && change.set->digest != digest_) archive_ = archive_of(*files);
    return remember(before, std::move(change));
}

std::optional<PolicyFolder::Change> PolicyFolder::remember(const std::string& seen, Change change) {
    const bool same_trouble = !change.set && seen_ == seen && change.problems == problems_;
    seen_ = seen;
    problems_ = change.problems;
    if (same_trouble) return std::nullopt;
    const bool same = change.set && good_ && change.set->digest == digest_;
    good_ = change.set != nullptr;
    if (change.set) digest_ = change.set->digest;
    if (same) return std::nullopt;
    return change;
}

}  // namespace fluxgate::policy
