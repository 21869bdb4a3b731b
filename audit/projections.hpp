#pragma once

// Records in the words of other systems, for a SIEM. Made from a record, never hashed: the proof is of the record as it is stored, and a
// projection names it by id and log index. Pure.
//
// - cloudevents: the stored text itself, which is a CloudEvents 1.0 event (https://github.com/cloudevents/spec).
// - ocsf: OCSF 1.6.0 (https://schema.ocsf.io): API Activity (6003) with the profile security_control for requests, Application Lifecycle
//   (6002) for what happened to Fluxgate itself. Client addresses are not in an admission review, so src_endpoint names the API server.
// - asim: the columns of Microsoft Sentinel's ASIM AuditEvent, schema 0.1.

#include <optional>
#include <string>
#include <string_view>

#include "audit/record.hpp"
#include "audit/stored_records.hpp"

namespace fluxgate::audit {

enum class Projection { cloudevents, ocsf, asim };

// "ocsf"
std::optional<Projection> projection_of(std::string_view name);

// One JSON document without a line feed. `record` is what `stored.text` says.
std::string project(Projection projection, const StoredRecord& stored, const Record& record);

}  // namespace fluxgate::audit
