#pragma once

// Reads what the API server itself wrote down: events of audit.k8s.io/v1, in the forms in which people get them.
//  - JSON Lines, as kube-apiserver writes its --audit-log-path;
//  - rows of the Log Analytics tables AKSAudit and AKSAuditAdmin, as a JSON array or as CSV with a header; of the older AzureDiagnostics
//    too, where the event is the text of properties.log or log_s. What the tables call AuditId and RequestReceivedTime is auditID and
//    requestReceivedTimestamp there; columns of the type `dynamic` hold JSON, or its text.
// One pass; holds one event at a time, of at most kApiEventBytesMax bytes. One thread.
// https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
// https://learn.microsoft.com/azure/azure-monitor/reference/tables/aksauditadmin

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

// With level RequestResponse an event holds an object twice, each of at most 3 MiB before escaping.
inline constexpr std::size_t kApiEventBytesMax = 64u << 20;

// What this program asks about an event. A value.
struct ApiEvent {
    std::string audit_id{};
    std::string stage{};  // RequestReceived, ResponseStarted, ResponseComplete, Panic
    std::string verb{};   // get, list, watch, create, update, patch, delete, deletecollection
    std::string request_uri{};
    std::string user{};
    std::string impersonated_user{};  // who the request was judged as, if not `user`
    std::string user_agent{};
    std::vector<std::string> source_ips{};
    std::string group{};
    std::string version{};
    std::string resource{};
    std::string sub_resource{};
    std::string namespace_name{};
    std::string name{};
    int code = 0;           // of the response; 0 before there is one
    std::string message{};  // of a refusal
    bool dry_run = false;
    WallTime time{};                                                 // when the request came
    std::optional<WallTime> stage_time{};                            // when the stage was reached
    std::vector<std::pair<std::string, std::string>> annotations{};  // "lock.fluxgate.dev/record-id"
    std::string where{};                                             // "api-audit.log:17"; of an array or a table: the number of the row

    // Who the API server let it be.
    const std::string& effective_user() const { return impersonated_user.empty() ? user : impersonated_user; }
};

// What reading a file came to.
struct ApiAuditFile {
    std::uint64_t events = 0;
    std::uint64_t unreadable = 0;  // lines or rows that are no event; what is cut off at the end does not count
    std::optional<Error> first_unreadable{};
    bool cut_at_the_end = false;  // the last line is not whole: the API server was writing, or somebody copied a part
};

// exec, attach, port-forward and proxy, which come with any verb: a WebSocket begins as a get.
bool is_connection(const ApiEvent& event);

using UseApiEvent = std::function<Result<void>(const ApiEvent&)>;

// f(event) for each event, of every stage and verb, in the order of the file; `name` is for `where`. An empty input is an empty file.
// Errors: io; those of `use` as they come; invalid_argument: CSV without the columns of an audit event.
Result<ApiAuditFile> read_api_audit(std::istream& in, const std::string& name, const UseApiEvent& use);

// One event: a JSON object of any of the forms above. Errors: invalid_json, missing_field, wrong_type.
Result<ApiEvent> parse_api_event(std::string_view json);

// RFC 3339, and what the Azure portal writes into CSV: "11/21/2026, 9:27:38.774 AM" (UTC). Error invalid_argument.
Result<WallTime> parse_export_time(std::string_view text);

}  // namespace fluxgate::audit
