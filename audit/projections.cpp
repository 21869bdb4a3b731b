#include "audit/projections.hpp"

#include <nlohmann/json.hpp>

#include "audit/record_reading.hpp"

namespace fluxgate::audit {

namespace {

using nlohmann::ordered_json;

constexpr std::string_view kOcsfVersion = "1.6.0";
constexpr std::string_view kAsimVersion = "0.1";

bool is_request(const Record& record) { return record.event.empty() || is_repeat(record); }
bool is_service_account(const Record& record) { return record.username.starts_with("system:serviceaccount:"); }

void put(ordered_json& json, const char* key, const std::string& text) {
    if (!text.empty()) json[key] = text;
}

std::string line_of(const ordered_json& json) { return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

std::int64_t milliseconds_of(WallTime time) { return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count(); }

// What a request did besides what the schemas have words for.
ordered_json ours(const StoredRecord& stored, const Record& record) {
    ordered_json json;
    if (stored.index) json["logIndex"] = *stored.index;
    json["sequence"] = record.sequence;
    put(json, "event", record.event);
    put(json, "class", record.write_class);
    put(json, "error", record.error);
    put(json, "assurance", record.assurance);
    put(json, "writer", record.writer);
    put(json, "owner", record.owner);
    put(json, "ownerSource", record.owner_source);
    put(json, "driftCase", record.drift_case);
    put(json, "allowance", record.allowance);
    put(json, "policySet", record.policy_set);
    put(json, "cluster", record.cluster);
    if (record.dry_run) json["dryRun"] = true;
    if (record.learned) json["learned"] = true;
    for (const RecordedViolation& violation : record.violations) {
        json["violations"].push_back(
            {{"policy", violation.policy}, {"rule", violation.rule}, {"path", violation.path}, {"action", violation.action}});
    }
    for (const RecordedGrant& grant : record.grants) {
        json["grants"].push_back(
            {{"name", grant.name}, {"ticket", grant.ticket}, {"approvedBy", grant.approved_by}, {"vouchedBy", grant.vouched_by}});
    }
    if (!record.compliance.empty()) json["compliance"] = record.compliance;
    for (const auto& [name, value] : record.facts) json["facts"][name] = value;
    for (const auto& [name, value] : record.counters) json["counters"][name] = value;
    if (!record.details.empty()) json["details"] = record.details;
    return json;
}

// --- OCSF -------------------------------------------------------------------------------------------------------------------
struct Named {
    int id;
    const char* name;
};

Named ocsf_activity(const Record& record) {
    if (record.operation == "CREATE") return {1, "Create"};
    if (record.operation == "UPDATE") return {3, "Update"};
    if (record.operation == "DELETE") return {4, "Delete"};
    if (record.operation == "CONNECT") return {99, "Connect"};
    return {0, "Unknown"};
}

Named ocsf_lifecycle(const Record& record) {
    if (record.event == "started") return {3, "Start"};
    if (record.event == "stopped") return {4, "Stop"};
    return {99, record.event.c_str()};
}

// A write past Git matters whether it was stopped or not; what opens a way around the lock matters more.
Named ocsf_severity(const Record& record) {
    if (record.event == "gap" || is_escape(record)) return {4, "High"};
    if (record.event == "policy-set-refused" || is_denial(record) || record.write_class == "exceptional") return {3, "Medium"};
    return {1, "Informational"};
}

ordered_json ocsf_base(Named category_class, Named activity, const StoredRecord& stored, const Record& record) {
    const Named severity = ocsf_severity(record);
    ordered_json json{{"activity_id", activity.id},
                      {"activity_name", activity.name},
                      {"category_uid", 6},
                      {"category_name", "Application Activity"},
                      {"class_uid", category_class.id},
                      {"class_name", category_class.name},
                      {"type_uid", category_class.id * 100 + activity.id},
                      {"time", milliseconds_of(record.time)},
                      {"severity_id", severity.id},
                      {"severity", severity.name}};
    json["metadata"] = {{"version", kOcsfVersion},
                        {"product", {{"name", "Fluxgate"}, {"vendor_name", "Fluxgate"}}},
                        {"uid", record.id},
                        {"original_time", format_rfc3339(record.time)},
                        {"log_name", record.cluster.empty() ? "fluxgate" : "fluxgate/" + record.cluster},
                        {"log_provider", record.replica.empty() ? "fluxgate" : record.replica}};
    json["unmapped"] = {{"fluxgate", ours(stored, record)}};
    return json;
}

ordered_json ocsf_request(const StoredRecord& stored, const Record& record) {
    ordered_json json = ocsf_base({6003, "API Activity"}, ocsf_activity(record), stored, record);
    const bool denied = is_denial(record);
    json["metadata"]["profiles"] = {"security_control"};
    json["status_id"] = denied ? 2 : 1;
    json["status"] = denied ? "Failure" : "Success";
    json["action_id"] = denied ? 2 : 1;
    json["action"] = denied ? "Denied" : "Allowed";
    json["disposition_id"] = denied ? 2 : 1;
    json["disposition"] = denied ? "Blocked" : "Allowed";
    if (is_repeat(record)) {
        json["count"] = requests_of(record);
        for (const auto& [key, fact] : {std::pair{"start_time", "firstTime"}, std::pair{"end_time", "lastTime"}}) {
            if (const auto time = parse_rfc3339(fact_of(record, fact))) json[key] = milliseconds_of(*time);
        }
    }
    ordered_json user{{"name", record.username.empty() ? "unknown" : record.username}};
    put(user, "uid", record.user_uid);
    user["type_id"] = is_service_account(record) ? 4 : record.username.starts_with("system:") ? 3 : record.username.empty() ? 0 : 1;
    for (const std::string& group : record.groups) user["groups"].push_back({{"name", group}});
    json["actor"] = {{"user", std::move(user)}};
    put(json["actor"], "app_name", record.field_manager);

    ordered_json api{{"operation", record.operation.empty() ? "unknown" : record.operation}, {"service", {{"name", "kube-apiserver"}}}};
    put(api, "version", record.version);
    if (!record.group.empty()) api["group"] = {{"name", record.group}};
    api["request"] = {{"uid", record.event.empty() ? record.id : fact_of(record, "first")}};
    json["api"] = std::move(api);
    json["src_endpoint"] = {{"svc_name", "kube-apiserver"}};

    ordered_json resource{{"name", object_of(record).empty() ? "unknown" : object_of(record)}};
    put(resource, "type", resource_of(record));
    put(resource, "namespace", record.namespace_name);
    put(resource, "uid", record.object_uid);
    json["resources"].push_back(std::move(resource));
    if (!record.violations.empty()) {
        const RecordedViolation& first = record.violations.front();
        json["policy"] = {{"name", first.policy + "/" + first.rule}};
        put(json["policy"], "version", record.policy_set);
    }
    return json;
}

ordered_json ocsf_event(const StoredRecord& stored, const Record& record) {
    ordered_json json = ocsf_base({6002, "Application Lifecycle"}, ocsf_lifecycle(record), stored, record);
    json["app"] = {{"name", "Fluxgate"}, {"vendor_name", "Fluxgate"}};
    if (const std::string version = fact_of(record, "version"); !version.empty()) json["app"]["version"] = version;
    json["message"] = record.event;
    return json;
}

// --- ASIM -------------------------------------------------------------------------------------------------------------------
std::string asim_event_type(const Record& record) {
    if (record.event == "started") return "Start";
    if (record.event == "stopped") return "Stop";
    if (record.event == "policy-set-loaded" || record.event == "certificate-loaded" || record.event == "signing-key-changed") return "Set";
    if (record.event == "retention-applied") return "Clear";
    if (record.operation == "CREATE") return "Create";
    if (record.operation == "UPDATE") return "Set";
    if (record.operation == "DELETE") return "Delete";
    if (record.operation == "CONNECT") return "Execute";
    return "Other";
}

std::string asim_object_type(const Record& record) {
    if (is_request(record)) return "Cloud Resource";
    return record.event.starts_with("policy-set-") || record.event.starts_with("learn-") || record.event.starts_with("audit-mode-")
               ? "Policy Rule"
               : "Configuration Atom";
}

ordered_json asim(const StoredRecord& stored, const Record& record) {
    const bool request = is_request(record);
    const bool denied = is_denial(record);
    const bool failed = denied || record.event == "policy-set-refused";
    const auto time_of = [&](std::string_view fact) {
        const std::string text = fact_of(record, fact);
        return is_repeat(record) && !text.empty() ? text : format_rfc3339(record.time);
    };
    ordered_json json{{"TimeGenerated", format_rfc3339(record.time)},
                      {"EventCount", requests_of(record)},
                      {"EventStartTime", time_of("firstTime")},
                      {"EventEndTime", time_of("lastTime")},
                      {"EventType", asim_event_type(record)},
                      {"EventResult", failed ? "Failure" : "Success"},
                      {"EventSeverity", ocsf_severity(record).name},
                      {"EventOriginalUid", record.id},
                      {"EventOriginalType", request ? record.operation : record.event},
                      {"EventProduct", "Fluxgate"},
                      {"EventVendor", "Fluxgate"},
                      {"EventSchema", "AuditEvent"},
                      {"EventSchemaVersion", kAsimVersion},
                      {"Dvc", record.replica.empty() ? "fluxgate" : record.replica},
                      {"Operation", request ? (record.operation.empty() ? "unknown" : record.operation) : record.event},
                      {"Object", request ? (object_of(record).empty() ? "unknown" : object_of(record)) : "fluxgate"},
                      {"ObjectType", asim_object_type(record)}};
    if (failed && request) json["EventResultDetails"] = record.error.empty() ? "policy" : record.error;
    if (request) {
        json["DvcAction"] = denied ? "Deny" : "Allow";
        json["ActorUsername"] = record.username.empty() ? "unknown" : record.username;
        json["ActorUsernameType"] = record.username.find('@') != std::string::npos && !is_service_account(record) ? "UPN" : "Simple";
        json["ActorUserType"] = is_service_account(record) ? "Application" : record.username.starts_with("system:") ? "System" : "Regular";
        put(json, "ActorUserId", record.user_uid);
        json["TargetAppName"] = "kube-apiserver";
        if (!record.changes.empty()) {
            put(json, "OldValue", record.changes.front().want);
            put(json, "NewValue", record.changes.front().have);
        }
        if (!record.violations.empty()) json["RuleName"] = record.violations.front().policy + "/" + record.violations.front().rule;
    }
    json["AdditionalFields"] = ours(stored, record);
    return json;
}

}  // namespace

std::optional<Projection> projection_of(std::string_view name) {
    if (name == "cloudevents") return Projection::cloudevents;
    if (name == "ocsf") return Projection::ocsf;
    if (name == "asim") return Projection::asim;
    return std::nullopt;
}

std::string project(Projection projection, const StoredRecord& stored, const Record& record) {
    switch (projection) {
        case Projection::cloudevents: return std::string(stored.text);
        case Projection::ocsf: return line_of(is_request(record) ? ocsf_request(stored, record) : ocsf_event(stored, record));
        case Projection::asim: return line_of(asim(stored, record));
    }
    return {};
}

}  // namespace fluxgate::audit
