#include "audit/used_grants.hpp"

#include <fstream>

#include <fmt/format.h>

#include "audit/record.hpp"
#include "audit/record_files.hpp"

namespace fluxgate::audit {

namespace {

using Counts = std::map<std::string, std::uint64_t, std::less<>>;

// As `to_json` writes the key. A quote within a text is escaped, so no text of a stranger looks like it; and what is found is parsed.
constexpr std::string_view kGrants = "\"grants\":";

Error at(const Error& error, const std::filesystem::path& path, std::uint64_t line) {
    return {error.code, error.message, fmt::format("{}:{}", path.filename().string(), line)};
}

// False: this file and all before it are too old.
Result<bool> count_in(const std::filesystem::path& path, WallTime since, Counts& counts) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return fail(Errc::io, "cannot read the file", path.string());
    std::string line;
    std::string last;
    std::uint64_t number = 0;
    while (std::getline(stream, line) && !stream.eof()) {
        ++number;
        if (line.find(kGrants) != std::string::npos) {
            const auto used = parse_used_grants(line);
            if (!used) return tl::unexpected(at(used.error(), path, number));
            if (used->time >= since) {
                for (const std::string& digest : used->digests) ++counts[digest];
            }
        }
        last.swap(line);
    }
    if (stream.bad()) return fail(Errc::io, "cannot read the file to its end", path.string());
    if (number == 0) return true;
    const auto end = parse_used_grants(last);
    if (!end) return tl::unexpected(at(end.error(), path, number));
    return end->time >= since;
}

}  // namespace

Result<Counts> count_used_grants(const std::filesystem::path& directory, WallTime since) {
    const auto paths = record_files(directory);
    if (!paths) return tl::unexpected(paths.error());
    Counts counts;
    for (auto path = paths->rbegin(); path != paths->rend(); ++path) {
        const auto goes_on = count_in(*path, since, counts);
        if (!goes_on) return tl::unexpected(goes_on.error());
        if (!*goes_on) break;
    }
    return counts;
}

}  // namespace fluxgate::audit
