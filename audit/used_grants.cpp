#include "audit/used_grants.hpp"

#include "audit/query.hpp"
#include "audit/record.hpp"
#include "audit/record_text.hpp"
#include "audit/stored_records.hpp"

namespace fluxgate::audit {

namespace {

using Counts = std::map<std::string, std::uint64_t, std::less<>>;

// As `encode` writes the key. A quote within a text is escaped, so no text of a stranger looks like it; and what is found is parsed.
constexpr std::string_view kGrants = "\"grants\":";
constexpr unsigned kTooOldMax = 256;

}  // namespace

Result<Counts> count_used_grants(const std::filesystem::path& directory, WallTime since) {
    Counts counts;
    unsigned too_old = 0;
    const auto read = each_record(directory, {.newest_first = true}, [&](const StoredRecord& stored) -> Result<bool> {
        const auto time = time_of(stored.text);
        if (!time) return fail(Errc::missing_field, "the record has no time", stored.where());
        if (stored.text.find(kGrants) != std::string_view::npos) {
            const auto record = parse_record(stored.text);
            if (!record) return fail(record.error().code, record.error().message, stored.where());
            if (record->decision == "allowed" && record->time >= since) {
                for (const RecordedGrant& grant : record->grants) ++counts[grant.digest];
            }
        }
        too_old = *time < since - kDisorderMax ? too_old + 1 : 0;
        return too_old < kTooOldMax;
    });
    if (!read) return tl::unexpected(read.error());
    return counts;
}

}  // namespace fluxgate::audit
