#include "audit/verify.hpp"

#include <fstream>

#include <fmt/format.h>

#include "audit/record_files.hpp"

namespace fluxgate::audit {

namespace {

Result<void> read_file(const std::filesystem::path& path, const UseLine& use, std::vector<std::string>& torn_tails) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return fail(Errc::io, "cannot read the file", path.string());
    std::string line;
    for (std::uint64_t number = 1; std::getline(stream, line); ++number) {
        if (stream.eof()) {
            torn_tails.push_back(path.filename().string());
            return {};
        }
        if (auto used = use(line, fmt::format("{}:{}", path.filename().string(), number)); !used) return used;
    }
    // A read that fails looks like the end of the file.
    if (stream.bad()) return fail(Errc::io, "cannot read the file to its end", path.string());
    return {};
}

Result<void> verify_line(std::string_view line, const std::string& where, VerifiedLog& log) {
    auto record = parse_line(line);
    if (!record) return fail(record.error().code, record.error().message, where);
    if (log.records > 0 && record->sequence != log.last_sequence + 1) {
        return fail(Errc::contradictory,
                    fmt::format("sequence {} follows {}: records are missing or repeated", record->sequence, log.last_sequence), where);
    }
    if (log.records++ == 0) log.first_sequence = record->sequence;
    log.last_sequence = record->sequence;
    ++(record->decision == "denied" ? log.denied : log.allowed);
    log.lines.push_back(std::move(*record));
    return {};
}

}  // namespace

Result<std::vector<std::string>> each_record_line(const std::filesystem::path& directory, const UseLine& use) {
    const auto paths = record_files(directory);
    if (!paths) return tl::unexpected(paths.error());
    std::vector<std::string> torn_tails;
    for (const auto& path : *paths) {
        if (auto read = read_file(path, use, torn_tails); !read) return tl::unexpected(read.error());
    }
    return torn_tails;
}

Result<VerifiedLog> verify_log(const std::filesystem::path& directory) {
    VerifiedLog log;
    auto torn_tails =
        each_record_line(directory, [&](std::string_view line, const std::string& where) { return verify_line(line, where, log); });
    if (!torn_tails) return tl::unexpected(torn_tails.error());
    log.torn_tails = *std::move(torn_tails);
    return log;
}

}  // namespace fluxgate::audit
