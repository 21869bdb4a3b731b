#include "cli/serving.hpp"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "audit/blobs.hpp"
#include "audit/used_grants.hpp"
#include "certs/authority.hpp"
#include "policy/audit_mode.hpp"
#include "policy/intervals.hpp"
#include "policy/lock/learning.hpp"

namespace fluxgate::cli {

namespace {

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

// Connections are file descriptors; the soft limit is often 1,024.
void raise_file_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

constexpr const char* kDegraded = "audit degraded: denials go on unrecorded, exceptional writes are refused";

std::string milliseconds(std::chrono::nanoseconds duration) {
    return fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(duration).count());
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    const auto bad = [&] {
        return fail(Errc::invalid_argument, "\"" + text + "\" is no address; expected ADDRESS:PORT such as 0.0.0.0:9443 or [::]:9443");
    };
    if (colon == std::string::npos) return bad();
    Endpoint endpoint{text.substr(0, colon), 0};
    if (endpoint.address.size() > 2 && endpoint.address.front() == '[' && endpoint.address.back() == ']') {
        endpoint.address = endpoint.address.substr(1, endpoint.address.size() - 2);
    }
    const char* begin = text.data() + colon + 1;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(begin, end, endpoint.port);
    if (endpoint.address.empty() || error != std::errc() || stopped != end) return bad();
    return endpoint;
}

Serving::Serving(ServingOptions options, std::shared_ptr<const policy::PolicySet> policies, Log& log)
    : options_(std::move(options)),
      log_(log),
      origin_{options_.cluster_name, host_name()},
      policies_(std::move(policies)),
      readiness_(policies_, clock_),
      heartbeat_(clock_.now(), clock_.steady()) {}

// The metrics server asks the admission server for its counters.
Serving::~Serving() {
    upkeep_ = std::jthread();
    health_.reset();
    metrics_server_.reset();
    admission_.reset();
    audit_trail_.reset();
}

void Serving::make_snapshots() {
    if (!options_.cluster_access) return;
    snapshots_ = std::make_unique<ClusterSnapshots>(std::move(*options_.cluster_access), policies_, options_.limits, clock_, log_);
    readiness_.set_snapshots([this] { return snapshots_->why_not_fresh(); }, [this] { return snapshots_->absent_kinds(); });
}

Result<std::unique_ptr<Serving>> Serving::start(ServingOptions options, std::shared_ptr<const policy::PolicySet> policies, Log& log) {
    raise_file_limit();
    std::unique_ptr<Serving> serving(new Serving(std::move(options), std::move(policies), log));
    serving->metrics_.set_policy_set(*serving->policies_.load());
    if (auto checked = serving->check_certificate(); !checked) return tl::unexpected(checked.error());
    if (auto opened = serving->open_audit_log(); !opened) return tl::unexpected(opened.error());
    serving->make_snapshots();
    // What can fail at once does so before anything waits for others: plugins, the API server.
    if (auto started = serving->start_servers(); !started) {
        serving->record_event(stopped_event(to_string(started.error()), 0));
        return tl::unexpected(started.error());
    }
    if (serving->snapshots_) serving->snapshots_->begin();
    serving->announce_start();
    serving->upkeep_ = std::jthread([raw = serving.get()](const std::stop_token& stop) { raw->keep_up(stop); });
    return serving;
}

Result<void> Serving::check_certificate() {
    const certs::KeyPair pair{options_.identity.certificate_chain_pem, options_.identity.private_key_pem};
    if (auto checked = certs::check_pair(pair); !checked) return checked;
    const auto info = certs::inspect(pair.certificate_pem);
    if (!info) return tl::unexpected(info.error());
    readiness_.set_certificate(info->not_before, info->not_after);
    metrics_.set_certificate_expiry(info->not_after);
    certificate_ = certificate_event(*info);
    log_.write(LogLevel::info, "certificate loaded",
               {{"subject", info->subject}, {"key", info->key_type}, {"notAfter", format_rfc3339(info->not_after)}});
    if (info->not_after <= clock_.now())
        log_.write(LogLevel::error, "the certificate has ended; not ready", {{"notAfter", format_rfc3339(info->not_after)}});
    return {};
}

// Uses that cannot be counted would make maxUses a promise that nobody keeps: then nothing is let through that needs a record.
Result<void> Serving::open_trail_and_count_grants() {
    AuditTrail::Options trail;
    trail.directory = options_.audit_directory;
    trail.key_file = options_.audit_key;
    trail.cluster = options_.cluster_name;
    trail.replica = origin_.replica;
    trail.queue_max = options_.limits.record_queue_max;
    trail.disk_bytes_max = options_.audit_disk_bytes_max;
    trail.on_broken = [this](const Error& error) {
        set_audit(webhook::AuditState::broken);
        log_.write(LogLevel::error, "the audit log broke; draining, a restart follows", {{"error", to_string(error)}});
        options_.on_audit_broken();
    };
    trail.on_room = [this](bool room, const std::string& why) {
        set_audit(room ? webhook::AuditState::recording : webhook::AuditState::degraded, why);
        if (room)
            log_.write(LogLevel::info, "the audit log has room again");
        else
            log_.write(LogLevel::error, kDegraded, {{"error", why}});
    };
    trail.on_checkpoint = [this](const audit::Checkpoint& checkpoint) { metrics_.set_checkpoint(checkpoint.size, clock_.now()); };
    trail.on_unpublished = [this](const Error& error) {
        readiness_.set_checkpoint_trouble(to_string(error));
        metrics_.set_publishing(false);
        log_.write(LogLevel::error, "records are taken, but no checkpoint is signed over them", {{"error", to_string(error)}});
    };
    trail.on_rotation = [this](const audit::KeyRotation& rotation) { record_event(rotation_event(rotation)); };
    auto opened = AuditTrail::open(std::move(trail));
    if (!opened) return tl::unexpected(opened.error());
    // No grant lasts longer than a day; the second is for clocks that were set.
    const WallTime now = clock_.now();
    auto uses = audit::count_used_grants(options_.audit_directory, now - 2 * policy::kGrantDurationMax);
    // Whatever is wrong with the records, it is no reason not to start.
    if (!uses) return fail(Errc::audit_unavailable, "uses of grants cannot be counted: " + uses.error().message, uses.error().where);
    grant_uses_ = std::make_unique<webhook::GrantUses>(std::move(*uses), now);
    audit_trail_ = std::move(*opened);
    return {};
}

Result<void> Serving::open_audit_log() {
    const auto opened = open_trail_and_count_grants();
    if (opened) {
        set_audit(webhook::AuditState::recording);
        log_.write(
            LogLevel::info, "audit log open",
            {{"directory", options_.audit_directory.string()}, {"nextSequence", std::to_string(audit_trail_->log().next_sequence())}});
        record_start();
        return {};
    }
    if (opened.error().code == Errc::contradictory) return opened;
    set_audit(webhook::AuditState::degraded, to_string(opened.error()));
    log_.write(LogLevel::error, kDegraded, {{"error", to_string(opened.error())}});
    return {};
}

void Serving::set_audit(webhook::AuditState state, const std::string& why) {
    readiness_.set_audit(state, why);
    metrics_.set_audit_available(state == webhook::AuditState::recording);
}

Result<void> Serving::start_servers() {
    handler_ = std::make_unique<webhook::AdmissionHandler>(webhook::AdmissionHandler::Parts{
        .policies = policies_,
        .log = audit_log(),
        .metrics = metrics_,
        .clock = clock_,
        .limits = options_.limits,
        .origin = origin_,
        .on_answer = [this](const webhook::Outcome& outcome, bool without_record,
                            std::chrono::nanoseconds duration) { log_answer(outcome, without_record, duration); },
        .on_misdirected =
            [this](const http::Request& request, int status) {
                log_.write_limited(LogLevel::warn, "no review: reviews are sent with POST to /validate or /mutate",
                                   {{"method", std::string(request.method.substr(0, 16))},
                                    {"path", std::string(request.path.substr(0, 128))},
                                    {"status", std::to_string(status)}});
            },
        .cluster = snapshots_ ? &snapshots_->view() : nullptr,
        .signed_grants = snapshots_ ? &snapshots_->signed_grants() : nullptr,
        .grant_uses = grant_uses_.get(),
        .repeated_denials = &repeated_denials_,
    });
    const auto start = [&](const char* name, const Endpoint& endpoint, bool tls, unsigned threads, http::Handler handler) {
        http::ServerOptions options;
        options.address = endpoint.address;
        options.port = endpoint.port;
        options.tls = tls;
        options.threads = threads;
        options.limits = options_.limits;
        options.on_event = [this, name](const http::Event& event) { log_event(name, event); };
        return http::Server::start(std::move(options), tls ? options_.identity : http::TlsIdentity{}, std::move(handler));
    };
    // The admission listener first: once /readyz answers, reviews are served.
    auto admission = start("admission", options_.listen, true, options_.threads,
                           [this](const http::Request& request, http::Reply reply) { (*handler_)(request, std::move(reply)); });
    if (!admission) return tl::unexpected(admission.error());
    admission_ = std::move(*admission);
    auto metrics = start("metrics", options_.metrics_listen, false, 1, webhook::make_metrics_handler([this] {
                             if (snapshots_) snapshots_->measure(metrics_);
                             return metrics_.expose(admission_->counters());
                         }));
    if (!metrics) return tl::unexpected(metrics.error());
    metrics_server_ = std::move(*metrics);
    auto health = start("health", options_.health_listen, false, 1, webhook::make_health_handler(readiness_));
    if (!health) return tl::unexpected(health.error());
    health_ = std::move(*health);
    return {};
}

void Serving::log_answer(const webhook::Outcome& outcome, bool without_record, std::chrono::nanoseconds duration) {
    if (without_record) {
        log_.write_limited(LogLevel::error, "answered without a record", {{"review", outcome.summary}, {"ms", milliseconds(duration)}});
    } else if (!outcome.error.empty()) {
        log_.write_limited(LogLevel::warn, "refused what could not be judged",
                           {{"error", outcome.error}, {"detail", outcome.summary}, {"ms", milliseconds(duration)}});
    } else if (!outcome.summary.empty()) {
        log_.write_limited(LogLevel::info, outcome.allowed ? "let through and recorded" : "denied",
                           {{"review", outcome.summary}, {"ms", milliseconds(duration)}});
    }
}

void Serving::log_event(const char* listener, const http::Event& event) {
    metrics_.count_http_event(event.kind);
    const LogLevel level = event.kind == http::Event::Kind::handler_failed ? LogLevel::error : LogLevel::warn;
    log_.write_limited(level, http::to_string(event.kind),
                       {{"listener", listener},
                        {"peer", std::string(event.peer)},
                        {"status", std::to_string(event.status)},
                        {"detail", std::string(event.detail)}});
}

// Every second: what is new, what is over, what is due.
void Serving::keep_up(const std::stop_token& stop) {
    constexpr std::chrono::seconds kBetweenLooks{1};
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, stop, kBetweenLooks, [] { return false; }) && !stop.stop_requested()) {
        const WallTime now = clock_.now();
        look_at_policies(now);
        announce_exceptions(now);
        if (snapshots_) snapshots_->announce();
        announce_intervals(now);
        append(repeated_denials_.flush(now));
        if (auto beat = heartbeat_.beat(now, clock_.steady(), metrics_.totals())) record_event(std::move(*beat));
    }
}

void Serving::look_at_policies(WallTime now) {
    if (!options_.policy_folder) return;
    try {
        if (auto change = options_.policy_folder->look(now)) take(std::move(*change));
    } catch (const std::exception& exception) {  // no memory: the set in force stays
        log_.write_limited(LogLevel::error, "the policy folder cannot be looked at", {{"error", exception.what()}});
    }
}

// A set that compiles takes over for the reviews that come from now on; one that does not changes nothing.
void Serving::take(policy::PolicyFolder::Change change) {
    constexpr std::size_t kProblemsShown = 20;
    metrics_.count_policy_reload(change.set != nullptr);
    const std::string was = policies_.load()->digest;
    if (change.set) {
        policies_.store(change.set);
        if (snapshots_) snapshots_->policies_changed();
        readiness_.set_policy_trouble({});
        metrics_.set_policy_set(*change.set);
        exceptions_announced_.reset();
        log_.write(LogLevel::info, "policies loaded",
                   {{"policies", std::to_string(change.set->policies.size())},
                    {"rules", std::to_string(change.set->rule_count())},
                    {"policySet", change.set->digest},
                    {"was", was}});
        archive_policies();
        record_event({.name = "policy-set-loaded", .details = {"was " + was}});
        return;
    }
    const std::size_t count = change.problems.size() + change.problems_omitted;
    readiness_.set_policy_trouble(fmt::format("{}{}", change.problems.front(), count > 1 ? fmt::format(" (+{} more)", count - 1) : ""));
    for (std::size_t i = 0; i < std::min(count, kProblemsShown) && i < change.problems.size(); ++i) {
        log_.write(LogLevel::error, "policy file refused", {{"problem", change.problems[i]}});
    }
    log_.write(LogLevel::error, "the policy folder does not compile; the last good set stays in force",
               {{"problems", std::to_string(count)}, {"policySet", was}});
    change.problems.resize(std::min(change.problems.size(), kProblemsShown));
    record_event({.name = "policy-set-refused", .details = std::move(change.problems)});
}

// Under the digest that each record names, so that any verdict can be judged again. Before the event that names it.
void Serving::archive_policies() {
    if (!options_.policy_folder || !audit_trail_) return;
    const std::string archive = options_.policy_folder->take_archive();
    if (archive.empty()) return;
    if (const auto stored = audit::store_blob(audit_trail_->disk(), archive); !stored)
        log_.write(LogLevel::error, "the policy set cannot be archived", {{"error", to_string(stored.error())}});
}

void Serving::append(audit::Record record) {
    if (!audit_trail_) return metrics_.count_record(false);
    audit_trail_->log().append(std::move(record),
                               [this](const Result<std::uint64_t>& written) { metrics_.count_record(written.has_value()); });
}

void Serving::append(std::vector<audit::Record> records) {
    for (audit::Record& record : records) append(std::move(record));
}

void Serving::record_event(Event event) { append(to_record(std::move(event), clock_.now(), policies_.load()->digest, origin_)); }

// Before any review can be answered: an epoch begins with its first record, and a run with its start.
void Serving::record_start() {
    archive_policies();
    const audit::Wal::Recovered& recovered = audit_trail_->log().recovered();
    if (const auto& ended = audit_trail_->ended_epoch()) record_event(epoch_event(*ended));
    record_event(
        started_event(FLUXGATE_VERSION, fmt::format("{}:{}", options_.listen.address, options_.listen.port), recovered.next_sequence - 1));
    if (recovered.cut) record_event(cut_event(recovered));
}

void Serving::announce_start() {
    if (certificate_) record_event(std::move(*certificate_));
    announce_exceptions(clock_.now());
    announce_intervals(clock_.now());
    if (audit_trail_) audit_trail_->publish();
}

void Serving::announce_end(const std::string& reason, std::uint64_t requests_cut_off) {
    append(repeated_denials_.flush_all(clock_.now()));
    record_event(heartbeat_.last_beat(clock_.now(), clock_.steady(), metrics_.totals()));
    record_event(stopped_event(reason, requests_cut_off));
}

// The metric always, the log once a day and for every new set.
void Serving::announce_exceptions(WallTime now) {
    const auto set = policies_.load();
    metrics_.set_exceptions(policy::count_exceptions(*set, now, policy::kExpiryNotice));
    if (exceptions_announced_ && now < *exceptions_announced_ + std::chrono::days(1) && now >= *exceptions_announced_) return;
    exceptions_announced_ = now;
    for (const policy::Exception& exception : set->exceptions) {
        const bool over = now >= exception.expires_at;
        if (!over && !policy::expires_soon(exception, now, policy::kExpiryNotice)) continue;
        log_.write(LogLevel::warn, over ? "an exception has ended and has no effect; remove it" : "an exception ends soon",
                   {{"exception", exception.name}, {"ticket", exception.ticket}, {"expiresAt", format_rfc3339(exception.expires_at)}});
    }
}

// Who is refused is less while a lock learns or a policy looks on, so each such interval is a record of its own.
void Serving::announce_intervals(WallTime now) {
    const auto set = policies_.load();
    announce_intervals(learning_, policy::learning_at(*set, now), "learn", "locks learn who writes: service accounts and system users pass",
                       "locks have ended to learn who writes");
    announce_intervals(audit_modes_, policy::audit_modes_at(*set, now), "audit-mode", "policies look on and refuse nothing",
                       "policies no longer look on only");
    metrics_.set_learning(!learning_.empty());
}

void Serving::announce_intervals(std::vector<std::string>& known, std::vector<std::string> now, const std::string& event,
                                 const char* text_of_begin, const char* text_of_end) {
    policy::IntervalChange change = policy::compare_intervals(known, now);
    known = std::move(now);
    const auto tell = [&](const char* step, const char* text, std::vector<std::string>&& intervals) {
        if (intervals.empty()) return;
        log_.write(LogLevel::warn, text, {{"what", fmt::format("{}", fmt::join(intervals, "; "))}});
        Event record{.name = event + step, .details = std::move(intervals)};
        record_event(std::move(record));
    };
    tell("-ended", text_of_end, std::move(change.ended));
    tell("-begun", text_of_begin, std::move(change.begun));
}

void Serving::drain() {
    readiness_.set_draining();
    metrics_.set_draining();
    admission_->drain();
}

std::uint64_t Serving::stop(std::chrono::milliseconds patience, const std::string& reason) {
    const std::uint64_t cut_off = admission_->stop(patience);
    health_->stop(std::chrono::milliseconds(200));
    metrics_server_->stop(std::chrono::milliseconds(200));
    upkeep_ = std::jthread();
    announce_end(reason, cut_off);
    return cut_off;
}

}  // namespace fluxgate::cli
