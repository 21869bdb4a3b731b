#include "audit/reconcile.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/digest.hpp"

namespace fluxgate::audit {

namespace {

constexpr std::size_t kNamesMax = 100;
// Beyond that nobody waits to see whether a record comes: the log is another one.
constexpr std::size_t kPerhapsMissingMax = 100'000;
// The longest a request may take at an API server, connections apart.
constexpr std::chrono::minutes kRequestMax{1};
// Empties a namespace that ends: one deletecollection for each kind there is, again and again. An empty collection, or an object that is
// being deleted already, is not shown to any webhook.
constexpr std::string_view kNamespaceController = "system:serviceaccount:kube-system:namespace-controller";

bool is_write(std::string_view verb) {
    constexpr std::array<std::string_view, 5> kWrites{"create", "update", "patch", "delete", "deletecollection"};
    return std::find(kWrites.begin(), kWrites.end(), verb) != kWrites.end();
}

// The outcome is known. A connection counts from its beginning, because the end may be hours away.
bool is_decided(const ApiEvent& event) {
    return event.stage == "ResponseComplete" || event.stage == "Panic" || (is_connection(event) && event.stage == "ResponseStarted");
}

bool is_done(const ApiEvent& event) { return event.code < 400; }

std::string resource_name(const std::string& resource, const std::string& group, const std::string& sub_resource) {
    return resource + (group.empty() ? "" : "." + group) + (sub_resource.empty() ? "" : "/" + sub_resource);
}

// What requests have in common that the API server makes of one: see "asks again". A deletecollection is one request for many names.
std::string request_of(const Record& record) {
    return fmt::format("{}\n{}\n{}\n{}\n{}", record.username, record.operation,
                       resource_name(record.resource, record.group, record.sub_resource), record.namespace_name,
                       record.operation == "DELETE" ? "" : record.name);
}

Result<Record> parse(const StoredRecord& stored) {
    auto record = parse_record(stored.text);
    if (!record) return fail(record.error().code, record.error().message, stored.where());
    return record;
}

// Events of Fluxgate itself are about no request of the API server; of a denial that was repeated the first one has a record.
bool is_of_a_request(const Record& record) { return record.event.empty(); }

ReconcileFinding finding_about(FindingKind kind, const Record& record, const StoredRecord& stored) {
    return {.kind = kind,
            .time = record.time,
            .user = record.username,
            .verb = record.operation,
            .resource = resource_name(record.resource, record.group, record.sub_resource),
            .namespace_name = record.namespace_name,
            .name = record.name,
            .record_id = record.id,
            .where = stored.where()};
}

ReconcileFinding finding_about(FindingKind kind, const ApiEvent& event, const std::string& record_id, std::string remark) {
    return {.kind = kind,
            .time = event.time,
            .user = event.user,
            .impersonated_user = event.impersonated_user,
            .verb = event.verb,
            .resource = resource_name(event.resource, event.group, event.sub_resource),
            .namespace_name = event.namespace_name,
            .name = event.name,
            .code = event.code,
            .audit_id = event.audit_id,
            .record_id = record_id,
            .where = event.where,
            .remark = std::move(remark)};
}

}  // namespace

std::string_view to_string(FindingKind kind) {
    switch (kind) {
        case FindingKind::bypassed: return "bypassed";
        case FindingKind::failed_open: return "failed-open";
        case FindingKind::contradicted: return "contradicted";
        case FindingKind::missing: return "missing";
        case FindingKind::unrecorded: return "unrecorded";
        case FindingKind::unknown: return "unknown";
        case FindingKind::duplicate: return "duplicate";
        case FindingKind::unproven: return "unproven";
    }
    return "";
}

std::string_view meaning_of(FindingKind kind) {
    switch (kind) {
        case FindingKind::bypassed: return "done, and Fluxgate was not asked";
        case FindingKind::failed_open: return "done, because Fluxgate did not answer and its registration says Ignore";
        case FindingKind::contradicted: return "denied by the record of Fluxgate, and done all the same";
        case FindingKind::missing: return "the API server was told of a record that the audit log does not hold";
        case FindingKind::unrecorded: return "denied, and its record could not be written";
        case FindingKind::unknown: return "a record of a request that the API server has no event of";
        case FindingKind::duplicate: return "more than one record has this id";
        case FindingKind::unproven: return "cannot be decided";
    }
    return "";
}

bool Reconciliation::has_findings() const {
    return std::any_of(findings.begin(), findings.end(), [](const auto& entry) {
        return entry.second > 0 && entry.first != FindingKind::unproven && entry.first != FindingKind::duplicate;
    });
}

std::uint64_t Reconciliation::count(FindingKind kind) const {
    const auto found = findings.find(kind);
    return found == findings.end() ? 0 : found->second;
}

// --- ids ------------------------------------------------------------------------------------------------------------------------------

Reconciler::Id Reconciler::id_of(std::string_view text) {
    const std::string hex = sha256_hex(text);
    Id id;
    std::from_chars(hex.data(), hex.data() + 16, id.high, 16);
    std::from_chars(hex.data() + 16, hex.data() + 32, id.low, 16);
    return id;
}

bool Reconciler::IdSet::insert(Id id) {
    if (4 * (size_ + 1) > 3 * slots_.size()) {
        const std::vector<Id> before = std::exchange(slots_, std::vector<Id>(std::max<std::size_t>(1'024, 2 * slots_.size())));
        size_ = 0;
        for (const Id& one : before) {
            if (one != Id{}) insert(one);
        }
    }
    for (std::size_t slot = static_cast<std::size_t>(id.low);; ++slot) {
        Id& there = slots_[slot % slots_.size()];
        if (there == id) return false;
        if (there != Id{}) continue;
        there = id;
        ++size_;
        return true;
    }
}

bool Reconciler::IdSet::contains(Id id) const {
    if (slots_.empty()) return false;
    for (std::size_t slot = static_cast<std::size_t>(id.low);; ++slot) {
        const Id& there = slots_[slot % slots_.size()];
        if (there == id || there == Id{}) return there == id;
    }
}

// --- annotations ----------------------------------------------------------------------------------------------------------------------

struct Reconciler::Ours {
    std::string webhook{};    // the entry that was asked; empty: none
    std::string review_id{};  // of what it was asked, which is the id of the record if there is one
    std::string record_id{};  // the answer waited for it; of a denial that was repeated, the first one's
    bool record_missing = false;
    bool failed_open = false;
    bool mutation_failed_open = false;
    std::vector<std::string> others_failed_open{};
};

Reconciler::Ours Reconciler::ours_of(const ApiEvent& event, const ReconcileOptions& options) {
    Ours ours;
    for (const auto& [key, value] : event.annotations) {
        const bool validating = key.starts_with("failed-open.validating.webhook.admission.k8s.io/");
        if (validating || key.starts_with("failed-open.mutation.webhook.admission.k8s.io/")) {
            if (!options.is_ours(value))
                ours.others_failed_open.push_back(value);
            else
                (validating ? ours.failed_open : ours.mutation_failed_open) = true;
            continue;
        }
        const std::size_t slash = key.rfind('/');
        if (slash == std::string::npos || !options.is_ours(std::string_view(key).substr(0, slash))) continue;
        const std::string_view name = std::string_view(key).substr(slash + 1);
        ours.webhook = key.substr(0, slash);
        if (name == "review-id") ours.review_id = value;
        if (name == "record-id") ours.record_id = value;
        if (name == "record-missing") ours.record_missing = true;
    }
    return ours;
}

// --- the comparison -------------------------------------------------------------------------------------------------------------------

Result<Reconciler> Reconciler::start(Records records, ReconcileOptions options) {
    Reconciler reconciler(std::move(records), std::move(options));
    if (auto read = reconciler.read_records(); !read) return tl::unexpected(read.error());
    return reconciler;
}

Result<void> Reconciler::read_records() {
    std::set<std::string> namespaces;
    auto done = records_([&](const StoredRecord& stored) -> Result<bool> {
        const auto record = parse(stored);
        if (!record) return tl::unexpected(record.error());
        if (!is_of_a_request(*record)) return true;
        ++result_.records;
        known_.push_back({id_of(record->id), record->decision == "denied", false});
        newest_ = std::max(newest_.value_or(record->time), record->time);
        if (!record->namespace_name.empty()) namespaces.insert(record->namespace_name);
        return true;
    });
    if (!done) return done;
    namespaces_.assign(namespaces.begin(), namespaces.end());
    std::sort(known_.begin(), known_.end(), [](const Known& left, const Known& right) { return left.id < right.id; });
    const auto same = [](const Known& left, const Known& right) { return left.id == right.id; };
    for (auto at = std::adjacent_find(known_.begin(), known_.end(), same); at != known_.end();
         at = std::adjacent_find(at + 1, known_.end(), same)) {
        // One of them may be the lie.
        at->denied = (at + 1)->denied = at->denied || (at + 1)->denied;
        if (twice_.empty() || twice_.back() != at->id) twice_.push_back(at->id);
    }
    known_.erase(std::unique(known_.begin(), known_.end(), same), known_.end());
    return {};
}

Reconciler::Known* Reconciler::find(Id id) {
    const auto at = std::lower_bound(known_.begin(), known_.end(), id, [](const Known& one, const Id& wanted) { return one.id < wanted; });
    return at == known_.end() || at->id != id ? nullptr : &*at;
}

void Reconciler::begin_file() { new_file_ = true; }

bool Reconciler::in_interval(WallTime time) const {
    return (!options_.from || time >= *options_.from) && (!options_.to || time < *options_.to);
}

void Reconciler::add(const ApiEvent& event) {
    ++result_.events;
    // What is written is written when its stage is reached: the end of a watch of an hour says nothing about its beginning.
    const WallTime written = event.stage_time.value_or(event.time);
    if (std::exchange(new_file_, false)) result_.covered.push_back({written, written});
    Span& span = result_.covered.back();
    span = {std::min(span.begin, written), std::max(span.end, written)};

    if ((!is_write(event.verb) && !is_connection(event)) || !is_decided(event)) return;
    if (options_.namespaces && !options_.namespaces(event.namespace_name)) return;
    const Ours ours = ours_of(event, options_);
    Guarded guarded = options_.guarded(event);
    // The API server meant to ask us, so it is ours to guard, whoever says what is.
    if (guarded == Guarded::no && ours.failed_open) guarded = event.dry_run ? Guarded::stores_nothing : Guarded::yes;
    if (guarded == Guarded::no && ours.webhook.empty()) return;
    const std::string identity =
        fmt::format("{}\n{}\n{}\n{}\n{}", event.audit_id, event.time.time_since_epoch().count(), event.verb, event.request_uri, event.user);
    if (!events_.insert(id_of(identity))) {
        ++result_.repeated;
        return;
    }
    const Known* record = nullptr;
    for (const std::string& id : {ours.review_id, ours.record_id}) {
        if (id.empty()) continue;
        Known* const known = find(id_of(id));
        if (known)
            known->seen = true;
        else if (may_come_later(event))
            later_.insert(id_of(id));
        record = known ? known : record;
    }
    const bool missing = !ours.record_id.empty() && !find(id_of(ours.record_id));
    if (!in_interval(event.time)) return;

    if (missing && may_come_later(event) && perhaps_missing_.size() < kPerhapsMissingMax)
        perhaps_missing_.push_back(finding_about(FindingKind::missing, event, ours.record_id, {}));
    else if (missing)
        tell(finding_about(FindingKind::missing, event, ours.record_id, {}));
    if (guarded == Guarded::no) return;
    ++result_.writes;
    if (!ours.webhook.empty()) ++result_.webhooks[ours.webhook];
    if (ours.mutation_failed_open) ++result_.mutations_failed_open;
    for (const std::string& other : ours.others_failed_open) {
        if (result_.other_failed_open.size() < kNamesMax || result_.other_failed_open.contains(other)) ++result_.other_failed_open[other];
    }
    if (guarded == Guarded::stores_nothing)
        ++result_.dry_runs;
    else
        judge(event, ours, record);
}

void Reconciler::judge(const ApiEvent& event, const Ours& ours, const Known* record) {
    const bool asked = !ours.webhook.empty();
    const bool done = is_done(event);
    const bool denied_by_us =
        asked && !done &&
        ((record && record->denied) || ours.record_missing ||
         event.message.find(fmt::format("admission webhook \"{}\" denied the request", ours.webhook)) != std::string::npos);
    if (denied_by_us) {
        ++result_.denied;
        if (ours.record_missing) tell(FindingKind::unrecorded, event, ours);
    } else if (ours.failed_open && done) {
        // Whatever was judged before: the API server may have asked again, and what it then did was not.
        tell(FindingKind::failed_open, event, ours);
    } else if (asked && done && record && record->denied) {
        tell(FindingKind::contradicted, event, ours);
    } else if (asked) {
        ++result_.judged;
    } else if (!done) {
        ++result_.refused_elsewhere;
    } else if (event.verb.starts_with("delete") && event.effective_user() == kNamespaceController) {
        tell(FindingKind::unproven, event, ours, "the namespace was ending; what is empty or being deleted is not shown to webhooks");
    } else {
        tell(FindingKind::bypassed, event, ours,
             event.verb.starts_with("delete")
                 ? "unless there was nothing to delete: what is empty or being deleted is not shown to webhooks"
                 : "");
    }
}

void Reconciler::tell(ReconcileFinding finding) {
    ++result_.findings[finding.kind];
    if (options_.on_finding) options_.on_finding(finding);
}

void Reconciler::tell(FindingKind kind, const ApiEvent& event, const Ours& ours, std::string remark) {
    tell(finding_about(kind, event, ours.record_id, std::move(remark)));
}

bool Reconciler::may_come_later(const ApiEvent& event) const {
    return !newest_ || event.stage_time.value_or(event.time) + options_.clock_difference >= *newest_;
}

// --- what is in the log alone ---------------------------------------------------------------------------------------------------------

// Files that follow each other closely, as rotated ones do, are one.
void Reconciler::join_spans() {
    std::vector<Span>& spans = result_.covered;
    std::sort(spans.begin(), spans.end(), [](const Span& left, const Span& right) { return left.begin < right.begin; });
    std::vector<Span> joined;
    for (const Span& span : spans) {
        if (!joined.empty() && span.begin <= joined.back().end + options_.clock_difference)
            joined.back().end = std::max(joined.back().end, span.end);
        else
            joined.push_back(span);
    }
    spans = std::move(joined);
}

bool Reconciler::covers(WallTime time) const {
    return std::any_of(result_.covered.begin(), result_.covered.end(), [&](const Span& span) {
        return time >= span.begin + options_.clock_difference && time <= span.end - options_.clock_difference;
    });
}

Result<Reconciliation> Reconciler::finish() {
    join_spans();
    if (auto looked = look_at_records_alone(); !looked) return tl::unexpected(looked.error());
    return std::move(result_);
}

Result<void> Reconciler::each_request(const std::function<void(const Record&, const StoredRecord&)>& use) const {
    return records_([&](const StoredRecord& stored) -> Result<bool> {
        const auto record = parse(stored);
        if (!record) return tl::unexpected(record.error());
        if (is_of_a_request(*record) && (!options_.namespaces || options_.namespaces(record->namespace_name))) use(*record, stored);
        return true;
    });
}

bool Reconciler::lacks_an_event(const Record& record) {
    if (!in_interval(record.time) || !covers(record.time)) return false;
    const Id id = id_of(record.id);
    const Known* const known = find(id);
    return known ? !known->seen : !later_.contains(id);
}

Result<void> Reconciler::look_at_records_alone() {
    IdSet came;                // records that were not there at the start
    std::vector<Id> suspects;  // the requests of records without an event
    auto looked = each_request([&](const Record& record, const StoredRecord& stored) {
        if (!find(id_of(record.id))) came.insert(id_of(record.id));
        if (!in_interval(record.time)) return;
        if (std::binary_search(twice_.begin(), twice_.end(), id_of(record.id))) tell(finding_about(FindingKind::duplicate, record, stored));
        if (covers(record.time)) ++result_.records_compared;
        if (lacks_an_event(record)) suspects.push_back(id_of(request_of(record)));
    });
    if (!looked) return looked;
    for (ReconcileFinding& finding : perhaps_missing_) {
        if (!came.contains(id_of(finding.record_id))) tell(std::move(finding));
    }
    if (suspects.empty()) return {};
    std::sort(suspects.begin(), suspects.end());

    // The same requests, where the API server knows one of their records.
    using Request = std::pair<Id, WallTime>;
    std::vector<Request> seen;
    looked = each_request([&](const Record& record, const StoredRecord&) {
        const Known* const known = find(id_of(record.id));
        const Id request = id_of(request_of(record));
        if (known && known->seen && std::binary_search(suspects.begin(), suspects.end(), request)) seen.emplace_back(request, record.time);
    });
    if (!looked) return looked;
    std::sort(seen.begin(), seen.end());

    return each_request([&](const Record& record, const StoredRecord& stored) {
        if (!lacks_an_event(record)) return;
        const Id request = id_of(request_of(record));
        const auto at = std::lower_bound(seen.begin(), seen.end(), Request{request, record.time - kRequestMax});
        if (at != seen.end() && at->first == request && at->second <= record.time + kRequestMax) {
            ++result_.asked_again;
            return;
        }
        const bool connection = record.operation == "CONNECT";
        ReconcileFinding finding = finding_about(connection ? FindingKind::unproven : FindingKind::unknown, record, stored);
        if (connection)
            finding.remark = "a connection that is still open, or that began with the verb get, may be missing in the API server's files";
        tell(std::move(finding));
    });
}

}  // namespace fluxgate::audit
