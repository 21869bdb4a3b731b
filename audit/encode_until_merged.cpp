#include <fmt/format.h>

#include "audit/record.hpp"

namespace fluxgate::audit {

std::string EncodedRecord::text(std::uint64_t sequence) const { return fmt::format("{}{}{}", before, sequence, after); }

EncodedRecord encode(const Record& record, std::size_t bytes_max) {
    Record fitting = record;
    fit(fitting, bytes_max);
    const std::string text = to_json(fitting, 0);
    const std::string key = "\"sequence\":";
    const std::size_t at = text.find(key) + key.size();
    return {.before = text.substr(0, at), .after = text.substr(at + 1), .blob = {}};
}

}  // namespace fluxgate::audit
