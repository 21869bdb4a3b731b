#pragma once

// What happens to Fluxgate itself, as the audit log remembers it: docs/reference/records.md, "Events". Values.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "audit/integrator.hpp"
#include "audit/record.hpp"
#include "audit/signing_key.hpp"
#include "audit/wal.hpp"
#include "base/clock.hpp"
#include "certs/authority.hpp"
#include "webhook/make_record.hpp"

namespace fluxgate::cli {

struct Event {
    std::string name;
    std::vector<std::string> details{};
    std::vector<std::pair<std::string, std::string>> facts{};
    std::vector<std::pair<std::string, std::uint64_t>> counters{};
};

// `last_sequence`: of the last record before this start, 0 if there was none.
Event started_event(const std::string& version, const std::string& listen, std::uint64_t last_sequence);
Event stopped_event(const std::string& reason, std::uint64_t requests_cut_off);
Event certificate_event(const certs::CertificateInfo& certificate);
// What a crash left of records that were never acknowledged. For a log that opened after `recovered.cut` was set.
Event cut_event(const audit::Wal::Recovered& recovered);

// The first of a log that follows one which could not go on.
Event epoch_event(const audit::EndedEpoch& ended);
Event rotation_event(const audit::KeyRotation& rotation);

audit::Record to_record(Event event, WallTime now, const std::string& policy_set, const webhook::Origin& origin);

}  // namespace fluxgate::cli
