#include "audit/record_files.hpp"

#include <algorithm>
#include <string>

namespace fluxgate::audit {

Result<std::vector<std::filesystem::path>> record_files(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> paths;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with("records-") && name.ends_with(".jsonl")) paths.push_back(entry->path());
    }
    if (error) return fail(Errc::io, "cannot list the audit directory: " + error.message(), directory.string());
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace fluxgate::audit
