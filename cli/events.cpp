#include "cli/events.hpp"

#include <fmt/format.h>

namespace fluxgate::cli {

Event started_event(const std::string& version, const std::string& listen, std::uint64_t last_sequence) {
    return {.name = "started", .facts = {{"version", version}, {"listen", listen}}, .counters = {{"sequence", last_sequence}}};
}

Event stopped_event(const std::string& reason, std::uint64_t requests_cut_off) {
    return {.name = "stopped", .facts = {{"reason", reason}}, .counters = {{"requestsCutOff", requests_cut_off}}};
}

Event certificate_event(const certs::CertificateInfo& certificate) {
    return {.name = "certificate-loaded",
            .facts = {{"subject", certificate.subject},
                      {"fingerprint", certificate.fingerprint},
                      {"notAfter", format_rfc3339(certificate.not_after)}}};
}

Event cut_event(const audit::Wal::Recovered& recovered) {
    return {.name = "gap",
            .facts = {{"reason", fmt::format("a crash left {} bytes of records that were never acknowledged; they are kept in {}",
                                             recovered.cut_bytes, recovered.cut.value_or(""))},
                      {"from", std::to_string(recovered.next_sequence)}}};
}

Event epoch_event(const audit::EndedEpoch& ended) {
    Event event{.name = "epoch-begun", .facts = {{"reason", ended.reason}}};
    if (!ended.checkpoint.empty()) event.facts.emplace_back("checkpoint", ended.checkpoint);
    return event;
}

Event rotation_event(const audit::KeyRotation& rotation) {
    return {.name = "signing-key-changed", .facts = {{"from", rotation.from.text()}, {"to", rotation.to.text()}, {"note", rotation.note}}};
}

audit::Record to_record(Event event, WallTime now, const std::string& policy_set, const webhook::Origin& origin) {
    audit::Record record;
    record.id = fmt::format("{}-{}", event.name, now.time_since_epoch().count());
    record.time = now;
    record.event = std::move(event.name);
    record.details = std::move(event.details);
    record.facts = std::move(event.facts);
    record.counters = std::move(event.counters);
    record.policy_set = policy_set;
    record.cluster = origin.cluster;
    record.replica = origin.replica;
    return record;
}

}  // namespace fluxgate::cli
