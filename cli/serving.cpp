#include "cli/serving.hpp"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "audit/used_grants.hpp"
#include "certs/authority.hpp"

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
    : options_(std::move(options)), log_(log), policies_(std::move(policies)), readiness_(policies_, clock_) {}

// The metrics server asks the admission server for its counters.
Serving::~Serving() {
    policy_watch_ = std::jthread();
    health_.reset();
    metrics_server_.reset();
    admission_.reset();
    audit_log_.reset();
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
    if (auto started = serving->start_servers(); !started) return tl::unexpected(started.error());
    if (serving->snapshots_) serving->snapshots_->begin();
    serving->announce_exceptions(serving->clock_.now());
    serving->announce_learning(serving->clock_.now());
    if (serving->options_.policy_folder) {
        serving->policy_watch_ = std::jthread([raw = serving.get()](const std::stop_token& stop) { raw->watch_policies(stop); });
    }
    return serving;
}

Result<void> Serving::check_certificate() {
    const certs::KeyPair pair{options_.identity.certificate_chain_pem, options_.identity.private_key_pem};
    if (auto checked = certs::check_pair(pair); !checked) return checked;
    const auto info = certs::inspect(pair.certificate_pem);
    if (!info) return tl::unexpected(info.error());
    readiness_.set_certificate(info->not_before, info->not_after);
    metrics_.set_certificate_expiry(info->not_after);
    log_.write(LogLevel::info, "certificate loaded",
               {{"subject", info->subject}, {"key", info->key_type}, {"notAfter", format_rfc3339(info->not_after)}});
    if (info->not_after <= clock_.now())
        log_.write(LogLevel::error, "the certificate has ended; not ready", {{"notAfter", format_rfc3339(info->not_after)}});
    return {};
}

// Uses that cannot be counted would make maxUses a promise that nobody keeps: then nothing is let through that needs a record.
Result<std::unique_ptr<audit::Log>> Serving::open_log_and_count_grants() {
    audit::Log::Options log_options;
    log_options.queue_max = options_.limits.record_queue_max;
    log_options.on_broken = [this](const Error& error) {
        readiness_.set_audit(webhook::AuditState::broken);
        metrics_.set_audit_available(false);
        log_.write(LogLevel::error, "the audit log broke; draining, a restart follows", {{"error", to_string(error)}});
        options_.on_audit_broken();
    };
    audit_disk_ = audit::make_posix_disk(options_.audit_directory);
    if (auto taken = audit_disk_->take(); !taken) return tl::unexpected(taken.error());
    auto opened = audit::Log::open(*audit_disk_, {}, std::move(log_options));
    if (!opened) return opened;
    // No grant lasts longer than a day; the second is for clocks that were set.
    const WallTime now = clock_.now();
    auto uses = audit::count_used_grants(options_.audit_directory, now - 2 * policy::kGrantDurationMax);
    if (!uses) return tl::unexpected(uses.error());
    grant_uses_ = std::make_unique<webhook::GrantUses>(std::move(*uses), now);
    return opened;
}

Result<void> Serving::open_audit_log() {
    auto opened = open_log_and_count_grants();
    if (opened) {
        audit_log_ = std::move(*opened);
        metrics_.set_audit_available(true);
        log_.write(LogLevel::info, "audit log open",
                   {{"directory", options_.audit_directory.string()}, {"nextSequence", std::to_string(audit_log_->next_sequence())}});
        return {};
    }
    if (opened.error().code == Errc::contradictory) return tl::unexpected(opened.error());
    readiness_.set_audit(webhook::AuditState::degraded);
    metrics_.set_audit_available(false);
    log_.write(LogLevel::error, "audit degraded: denials go on unrecorded, exceptional writes are refused",
               {{"error", to_string(opened.error())}});
    return {};
}

Result<void> Serving::start_servers() {
    handler_ = std::make_unique<webhook::AdmissionHandler>(webhook::AdmissionHandler::Parts{
        .policies = policies_,
        .log = audit_log_.get(),
        .metrics = metrics_,
        .clock = clock_,
        .limits = options_.limits,
        .origin = {options_.cluster_name, host_name()},
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

void Serving::watch_policies(const std::stop_token& stop) {
    constexpr std::chrono::seconds kBetweenLooks{1};
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, stop, kBetweenLooks, [] { return false; }) && !stop.stop_requested()) {
        const WallTime now = clock_.now();
        try {
            if (auto change = options_.policy_folder->look(now)) take(std::move(*change));
        } catch (const std::exception& exception) {  // no memory: the set in force stays
            log_.write_limited(LogLevel::error, "the policy folder cannot be looked at", {{"error", exception.what()}});
        }
        announce_exceptions(now);
        if (snapshots_) snapshots_->announce();
        announce_learning(now);
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
        record_event("policy-set-loaded", {"was " + was});
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
    record_event("policy-set-refused", std::move(change.problems));
}

void Serving::record_event(std::string event, std::vector<std::string> details) {
    audit::Record record;
    record.time = clock_.now();
    record.id = fmt::format("{}-{}", event, record.time.time_since_epoch().count());
    record.event = std::move(event);
    record.details = std::move(details);
    record.policy_set = policies_.load()->digest;
    record.cluster = options_.cluster_name;
    record.replica = host_name();
    if (!audit_log_) return metrics_.count_record(false);
    audit_log_->append(std::move(record), [this](const Result<std::uint64_t>& written) { metrics_.count_record(written.has_value()); });
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

// Who is refused is less while a lock learns, so each such interval is a record of its own.
void Serving::announce_learning(WallTime now) {
    std::vector<policy::LearningLock> learning = policy::learning_at(*policies_.load(), now);
    policy::LearningChange change = policy::compare_learning(learning_, learning);
    learning_ = std::move(learning);
    metrics_.set_learning(!learning_.empty());
    const auto tell = [&](const char* event, const char* text, std::vector<std::string>&& locks) {
        if (locks.empty()) return;
        log_.write(LogLevel::warn, text, {{"locks", fmt::format("{}", fmt::join(locks, ", "))}});
        record_event(event, std::move(locks));
    };
    tell("learn-ended", "locks have ended to learn who writes", std::move(change.ended));
    tell("learn-begun", "locks learn who writes: service accounts and system users pass", std::move(change.begun));
}

void Serving::drain() {
    readiness_.set_draining();
    metrics_.set_draining();
    admission_->drain();
}

std::uint64_t Serving::stop(std::chrono::milliseconds patience) {
    const std::uint64_t cut_off = admission_->stop(patience);
    health_->stop(std::chrono::milliseconds(200));
    metrics_server_->stop(std::chrono::milliseconds(200));
    return cut_off;
}

}  // namespace fluxgate::cli
