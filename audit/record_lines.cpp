#include "audit/record.hpp"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

namespace fluxgate::audit {

namespace {

constexpr std::string_view kSchema = "fluxgate.dev/record/v1";

using nlohmann::ordered_json;

// Absent rather than empty, so that a line holds what is known.
void put(ordered_json& json, const char* key, const std::string& text) {
    if (!text.empty()) json[key] = text;
}

ordered_json to_json(const RecordedViolation& violation) {
    return ordered_json{{"policy", violation.policy}, {"rule", violation.rule}, {"path", violation.path},
                        {"have", violation.have},     {"want", violation.want}, {"action", violation.action}};
}

ordered_json to_json(const RecordedGrant& grant) {
    return ordered_json{{"name", grant.name},
                        {"digest", grant.digest},
                        {"ticket", grant.ticket},
                        {"approvedBy", grant.approved_by},
                        {"vouchedBy", grant.vouched_by}};
}

std::string dump(const ordered_json& json) { return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

// Of a line: keys, punctuation and numbers.
constexpr std::size_t kFixedBytes = 1'024;
constexpr std::size_t kTextBytesMax = 1'024;

std::size_t raw_bytes(const Record& record) {
    constexpr std::size_t kEach = 16;  // quotes, commas, a key
    std::size_t bytes = 0;
    for (const std::string* text :
         {&record.id,         &record.decision,      &record.write_class,  &record.error,    &record.operation,      &record.group,
          &record.version,    &record.resource,      &record.sub_resource, &record.kind,     &record.namespace_name, &record.name,
          &record.object_uid, &record.field_manager, &record.username,     &record.user_uid, &record.assurance,      &record.writer,
          &record.owner,      &record.policy_set,    &record.cluster,      &record.replica,  &record.command}) {
        bytes += text->size();
    }
    for (const std::string& group : record.groups) bytes += group.size() + kEach;
    for (const auto& [key, value] : record.evidence) bytes += key.size() + value.size() + kEach;
    for (const std::string& detail : record.details) bytes += detail.size() + kEach;
    for (const std::string& exception : record.exceptions) bytes += exception.size() + kEach;
    for (const std::string& criterion : record.compliance) bytes += criterion.size() + kEach;
    for (const RecordedGrant& grant : record.grants) {
        bytes +=
            grant.name.size() + grant.digest.size() + grant.ticket.size() + grant.approved_by.size() + grant.vouched_by.size() + 6 * kEach;
    }
    for (const RecordedViolation& violation : record.violations) {
        bytes += violation.policy.size() + violation.rule.size() + violation.path.size() + violation.have.size() + violation.want.size() +
                 violation.action.size() + 6 * kEach;
    }
    return bytes;
}

// Only of a request that no API server sends: names in Kubernetes have at most 253 bytes.
void truncate(Record& record) {
    record.truncated = true;
    record.groups.clear();
    record.evidence.clear();
    record.compliance.clear();
    record.exceptions.clear();
    if (record.details.size() > 20) record.details.resize(20);
    for (std::string& detail : record.details) detail.resize(std::min(detail.size(), std::size_t{256}));
    // Measured as JSON, in which a character can have six bytes.
    for (std::string* text : {&record.username, &record.user_uid, &record.name, &record.namespace_name, &record.object_uid,
                              &record.field_manager, &record.owner, &record.error, &record.kind, &record.group, &record.version,
                              &record.resource, &record.sub_resource, &record.command}) {
        if (dump(ordered_json(*text)).size() <= kTextBytesMax) continue;
        std::size_t end = std::min(text->size(), kTextBytesMax / 6);
        while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xc0) == 0x80) --end;
        text->resize(end);
        *text += "...";
    }
}

}  // namespace

namespace {

std::string event_to_json(const Record& record, std::uint64_t sequence) {
    ordered_json json{
        {"schema", kSchema}, {"sequence", sequence}, {"id", record.id}, {"time", format_rfc3339(record.time)}, {"event", record.event}};
    if (!record.details.empty()) json["details"] = record.details;
    if (record.truncated) json["truncated"] = true;
    put(json, "policySet", record.policy_set);
    put(json, "cluster", record.cluster);
    put(json, "replica", record.replica);
    return dump(json);
}

}  // namespace

std::string to_json(const Record& record, std::uint64_t sequence) {
    if (!record.event.empty()) return event_to_json(record, sequence);
    ordered_json request{{"operation", record.operation}};
    put(request, "group", record.group);
    put(request, "version", record.version);
    put(request, "resource", record.resource);
    put(request, "subResource", record.sub_resource);
    put(request, "kind", record.kind);
    put(request, "namespace", record.namespace_name);
    put(request, "name", record.name);
    put(request, "objectUid", record.object_uid);
    if (record.dry_run) request["dryRun"] = true;
    put(request, "fieldManager", record.field_manager);
    put(request, "command", record.command);

    ordered_json user{{"username", record.username}};
    put(user, "uid", record.user_uid);
    if (!record.groups.empty()) user["groups"] = record.groups;
    for (const auto& [key, value] : record.evidence) user["evidence"][key] = value;
    put(user, "assurance", record.assurance);
    put(user, "writer", record.writer);

    ordered_json json{{"schema", kSchema},           {"sequence", sequence},       {"id", record.id}, {"time", format_rfc3339(record.time)},
                      {"decision", record.decision}, {"class", record.write_class}};
    put(json, "error", record.error);
    json["request"] = std::move(request);
    json["user"] = std::move(user);
    put(json, "owner", record.owner);
    if (!record.violations.empty()) {
        ordered_json& list = json["violations"] = ordered_json::array();
        for (const RecordedViolation& violation : record.violations) list.push_back(to_json(violation));
    }
    if (record.violations_omitted > 0) json["violationsOmitted"] = record.violations_omitted;
    if (record.truncated) json["truncated"] = true;
    if (!record.compliance.empty()) json["compliance"] = record.compliance;
    if (!record.exceptions.empty()) json["exceptions"] = record.exceptions;
    for (const RecordedGrant& grant : record.grants) json["grants"].push_back(to_json(grant));
    put(json, "allowance", record.allowance);
    if (record.learned) json["learned"] = true;
    put(json, "policySet", record.policy_set);
    put(json, "cluster", record.cluster);
    put(json, "replica", record.replica);
    // Texts come out of reviews, which are UTF-8; `replace` is for the odd cut in between.
    return dump(json);
}

void fit(Record& record, std::size_t bytes_max) {
    // JSON makes six bytes of a control character and three of a byte that is no UTF-8.
    if (6 * raw_bytes(record) + kFixedBytes <= bytes_max) return;
    constexpr std::uint64_t kLongestSequence = std::numeric_limits<std::uint64_t>::max();
    std::vector<RecordedViolation> violations;
    violations.swap(record.violations);
    if (to_json(record, kLongestSequence).size() + kFixedBytes > bytes_max) truncate(record);

    std::size_t bytes = to_json(record, kLongestSequence).size() + kFixedBytes;
    for (RecordedViolation& violation : violations) {
        bytes += dump(to_json(violation)).size() + 1;
        if (bytes > bytes_max) break;
        record.violations.push_back(std::move(violation));
    }
    record.violations_omitted += violations.size() - record.violations.size();
}

Result<RecordLine> parse_line(std::string_view line) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) return fail(Errc::invalid_json, "the line is no JSON object");
    const auto schema = json.find("schema");
    if (schema == json.end() || *schema != kSchema)
        return fail(Errc::unsupported_version, "the line is no record of the schema " + std::string(kSchema));
    const auto sequence = json.find("sequence");
    const auto id = json.find("id");
    const auto decision = json.find("decision");
    const auto event = json.find("event");
    if (sequence == json.end() || !sequence->is_number_unsigned()) return fail(Errc::missing_field, "the record has no sequence");
    if (id != json.end() && id->is_string() && event != json.end() && event->is_string())
        return RecordLine{sequence->get<std::uint64_t>(), id->get<std::string>(), {}, {}};
    if (id == json.end() || !id->is_string() || decision == json.end() || !decision->is_string())
        return fail(Errc::missing_field, "the record has no id or decision");
    RecordLine record{sequence->get<std::uint64_t>(), id->get<std::string>(), decision->get<std::string>(), {}};
    const auto violations = json.find("violations");
    if (violations == json.end()) return record;
    for (const auto& violation : *violations) {
        const auto rule = violation.is_object() ? violation.find("rule") : violation.end();
        if (!violation.is_object() || rule == violation.end() || !rule->is_string())
            return fail(Errc::missing_field, "a violation of the record names no rule");
        if (std::find(record.rules.begin(), record.rules.end(), *rule) == record.rules.end()) record.rules.push_back(*rule);
    }
    return record;
}

Result<UsedGrants> parse_used_grants(std::string_view line) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) return fail(Errc::invalid_json, "the line is no JSON object");
    const auto text_of = [](const nlohmann::json& object, const char* key) {
        const auto found = object.is_object() ? object.find(key) : object.end();
        return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto time = parse_rfc3339(text_of(json, "time"));
    if (!time) return fail(Errc::missing_field, "the record has no time");
    UsedGrants used{.time = *time};
    const auto grants = json.find("grants");
    if (grants == json.end() || text_of(json, "decision") != "allowed") return used;
    for (const auto& grant : *grants) {
        used.digests.push_back(text_of(grant, "digest"));
        if (used.digests.back().empty()) return fail(Errc::missing_field, "a grant of the record has no digest");
    }
    return used;
}

}  // namespace fluxgate::audit
