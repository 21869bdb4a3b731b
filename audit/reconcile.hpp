#pragma once

// Compares two logs of the same writes: what the API server says it did, and what Fluxgate says it was asked. Neither can say alone
// what it was not told.
//
// The link. Each answer of Fluxgate carries audit annotations, which the API server writes into its event as `<webhook>/<key>`:
// `review-id` on every answer, `record-id` where the answer waited for its record, `record-missing` where that failed. A write without
// any was not judged. `failed-open.validating.webhook.admission.k8s.io/…` is the API server's own word that it went on without us.
// (An event's auditID and the uid of the AdmissionReview have nothing to do with each other.)
//
// What the API server cannot show: it asks again when an object changed under its hands, and for each object of a deletecollection, but
// keeps the first annotation of a name only. So a record without an event is no finding if a record of the same request has one.
//
// Whoever sends a request may choose its auditID, so that alone does not say that an event was read before.
//
// Memory: 24 bytes for each record of Fluxgate, 16 to 64 for each event of a write that is guarded or was judged, and 40 for each record
// without an event. Everything else is streamed: events once, records twice, and twice more if one has no event. One thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/api_audit.hpp"
#include "audit/record.hpp"
#include "audit/stored_records.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

namespace fluxgate::audit {

enum class FindingKind : std::uint8_t {
    bypassed,      // done, and no Fluxgate was asked
    failed_open,   // done, because Fluxgate did not answer and the registration says Ignore
    contradicted,  // denied by Fluxgate's record, and done
    missing,       // the API server was told of a record that the log does not hold
    unrecorded,    // denied, and the answer itself said that its record could not be written
    unknown,       // a record of a request that the API server has no event of
    duplicate,     // two records with one id
    unproven,      // done without Fluxgate, in a way that may have met nothing; no reason for exit code 1
};
std::string_view to_string(FindingKind kind);   // "bypassed", "failed-open", …
std::string_view meaning_of(FindingKind kind);  // a sentence for people

struct ReconcileFinding {
    FindingKind kind = FindingKind::bypassed;
    WallTime time{};
    std::string user{};
    std::string impersonated_user{};
    std::string verb{};      // as the API server says; of a record the operation: "UPDATE"
    std::string resource{};  // "deployments.apps/scale"
    std::string namespace_name{};
    std::string name{};
    int code = 0;  // 0: a record
    std::string audit_id{};
    std::string record_id{};
    std::string where{};  // of the event or record: "api-audit.log:17", "index 4"
    std::string remark{};

    friend bool operator==(const ReconcileFinding&, const ReconcileFinding&) = default;
};

// What the API server did with a request that Fluxgate guards, or should.
enum class Guarded : std::uint8_t {
    no,              // nobody promised anything
    yes,             // a write of what is guarded
    stores_nothing,  // a dry run of one
};

struct ReconcileOptions {
    std::function<Guarded(const ApiEvent&)> guarded;        // of writes and connections; asked for nothing else
    std::function<bool(std::string_view webhook)> is_ours;  // the name of an entry: "lock.fluxgate.dev"
    std::optional<WallTime> from{};                         // of the request, by the API server's clock
    std::optional<WallTime> to{};                           // not included
    std::function<bool(std::string_view)> namespaces{};     // only writes and records there; absent: all
    // The clocks of API server and Fluxgate may differ by this much. A record so close to where the API server's files begin or end may
    // belong to an event outside of them, so it is not asked for.
    std::chrono::microseconds clock_difference = std::chrono::seconds(5);
    std::function<void(const ReconcileFinding&)> on_finding;
};

struct Span {
    WallTime begin{};
    WallTime end{};

    friend bool operator==(const Span&, const Span&) = default;
};

// Each guarded write is counted once: judged + denied + refused_by_others + … add up to `writes`.
struct Reconciliation {
    std::uint64_t events = 0;                 // read, of every kind
    std::uint64_t repeated = 0;               // events that were read before: files that overlap
    std::uint64_t writes = 0;                 // guarded, in the interval
    std::uint64_t judged = 0;                 // Fluxgate let them pass, and they were done or failed later
    std::uint64_t denied = 0;                 // by Fluxgate
    std::uint64_t refused_elsewhere = 0;      // by authorization, validation or another webhook, and Fluxgate was not asked
    std::uint64_t dry_runs = 0;               // stored nothing, judged or not
    std::uint64_t records = 0;                // of requests, in the log
    std::uint64_t records_compared = 0;       // that lie within what the API server's files cover
    std::uint64_t asked_again = 0;            // see above
    std::uint64_t mutations_failed_open = 0;  // writes that our /mutate did not fill in; judged all the same
    std::map<FindingKind, std::uint64_t> findings{};
    std::vector<Span> covered{};                               // by the API server's files, in order
    std::map<std::string, std::uint64_t> webhooks{};           // of ours: how many writes each was asked about
    std::map<std::string, std::uint64_t> other_failed_open{};  // entries of others that failed open; at most kNamesMax

    // Any that is not `unproven`.
    bool has_findings() const;
    std::uint64_t count(FindingKind kind) const;
};

// A resource.
class Reconciler {
public:
    // Reads all records once; `records` is asked again at the end, when more may have come. Errors: those of `records`; of a record that
    // cannot be read, with its place.
    static Result<Reconciler> start(Records records, ReconcileOptions options);

    // The next file of the API server begins.
    void begin_file();
    void add(const ApiEvent& event);
    // Once. Finds what is in the log alone.
    Result<Reconciliation> finish();

    // The namespaces that records are about, for who has nothing better to say what is guarded.
    const std::vector<std::string>& namespaces() const { return namespaces_; }

private:
    // 16 bytes of the SHA-256 of a text.
    struct Id {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        friend auto operator<=>(const Id&, const Id&) = default;
    };
    // Open addressing: a node for each id would take three times as much.
    class IdSet {
    public:
        bool insert(Id id);  // false: it was there
        bool contains(Id id) const;

    private:
        std::vector<Id> slots_;  // all zeros: free
        std::size_t size_ = 0;
    };
    struct Known {
        Id id;
        bool denied = false;
        bool seen = false;  // by the API server
    };
    struct Ours;  // what annotations say about us

    Reconciler(Records records, ReconcileOptions options) : records_(std::move(records)), options_(std::move(options)) {}
    static Id id_of(std::string_view text);
    static Ours ours_of(const ApiEvent& event, const ReconcileOptions& options);
    Result<void> read_records();
    Known* find(Id id);
    bool may_come_later(const ApiEvent& event) const;
    void judge(const ApiEvent& event, const Ours& ours, const Known* record);
    void tell(ReconcileFinding finding);
    void tell(FindingKind kind, const ApiEvent& event, const Ours& ours, std::string remark = {});
    bool in_interval(WallTime time) const;
    bool covers(WallTime time) const;
    void join_spans();
    Result<void> look_at_records_alone();
    // The records of requests in the namespaces that are compared.
    Result<void> each_request(const std::function<void(const Record&, const StoredRecord&)>& use) const;
    bool lacks_an_event(const Record& record);

    Records records_;
    ReconcileOptions options_;
    Reconciliation result_;
    std::vector<Known> known_;  // sorted by id
    std::vector<Id> twice_;     // sorted
    std::vector<std::string> namespaces_;
    IdSet events_;
    // A server may be writing. What events say of records that were not there at the start, and may be at the end:
    std::optional<WallTime> newest_{};  // of the records at the start
    IdSet later_;
    std::vector<ReconcileFinding> perhaps_missing_;
    bool new_file_ = true;
};

}  // namespace fluxgate::audit
