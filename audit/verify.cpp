#include "audit/verify.hpp"

#include <fstream>

#include <fmt/format.h>

#include "audit/record_files.hpp"

namespace fluxgate::audit {

namespace {

Result<void> verify_file(const std::filesystem::path& path, VerifiedLog& log) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return fail(Errc::io, "cannot read the file", path.string());
    std::string line;
    for (std::uint64_t number = 1; std::getline(stream, line); ++number) {
        if (stream.eof()) {
            log.torn_tails.push_back(path.filename().string());
            return {};
        }
        const std::string where = fmt::format("{}:{}", path.filename().string(), number);
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
    }
    // A read that fails looks like the end of the file.
    if (stream.bad()) return fail(Errc::io, "cannot read the file to its end", path.string());
    return {};
}

}  // namespace

Result<VerifiedLog> verify_log(const std::filesystem::path& directory) {
    const auto paths = record_files(directory);
    if (!paths) return tl::unexpected(paths.error());
    VerifiedLog log;
    for (const auto& path : *paths) {
        if (auto verified = verify_file(path, log); !verified) return tl::unexpected(verified.error());
    }
    return log;
}

}  // namespace fluxgate::audit
