#pragma once

// The webhook, wired: policies, audit log, certificate, three listeners. `serve` runs it until a signal, `demo` for a moment,
// tests too. The only place where these parts meet.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "cli/audit_trail.hpp"
#include "cli/cluster_snapshots.hpp"
#include "cli/events.hpp"
#include "cli/heartbeat.hpp"
#include "cli/log.hpp"
#include "http/server.hpp"
#include "kube/client/config.hpp"
#include "policy/policy_folder.hpp"
#include "webhook/handler.hpp"

namespace fluxgate::cli {

struct Endpoint {
    std::string address;
    std::uint16_t port = 0;
};
// "0.0.0.0:9443", "[::1]:0". Error invalid_argument.
Result<Endpoint> parse_endpoint(const std::string& text);

struct ServingOptions {
    std::filesystem::path audit_directory;
    std::filesystem::path audit_key{};       // empty: in the audit directory
    std::uint64_t audit_disk_bytes_max = 0;  // of the audit directory; 0: no bound
    Endpoint listen;
    Endpoint health_listen;
    Endpoint metrics_listen;
    http::TlsIdentity identity;
    std::string cluster_name;
    unsigned threads = 1;
    Limits limits;
    // Looked at every second; what is new and good in it takes the place of the set in force. Null: policies stay as they are.
    std::unique_ptr<policy::PolicyFolder> policy_folder;
    // Without it nothing is known of the cluster but what a review says. The clock in it outlives the serving.
    std::optional<kube::client::ClientConfig> cluster_access;
    std::function<void()> on_audit_broken = [] {};  // on the audit log's thread: begin to drain
};

// A resource. Not from a server thread.
class Serving {
public:
    // Errors: invalid_certificate, io (address in use, …), contradictory (the audit directory is taken). An audit directory that
    // cannot be written is no error: the webhook serves degraded, and says so.
    static Result<std::unique_ptr<Serving>> start(ServingOptions options, std::shared_ptr<const policy::PolicySet> policies, Log& log);
    ~Serving();

    std::uint16_t port() const { return admission_->port(); }
    std::uint16_t health_port() const { return health_->port(); }
    std::uint16_t metrics_port() const { return metrics_server_->port(); }
    bool degraded() const { return audit_trail_ == nullptr; }

    // Not ready from now on; answers carry Connection: close.
    void drain();
    // Ends the listeners; how many requests had to be cut off after `patience`. Then nothing is counted any more, and the last records
    // say so: counts of repeated denials, a heartbeat, "stopped" with the reason.
    std::uint64_t stop(std::chrono::milliseconds patience, const std::string& reason = "asked to stop");

private:
    Serving(ServingOptions options, std::shared_ptr<const policy::PolicySet> policies, Log& log);
    Result<void> open_audit_log();
    Result<void> open_trail_and_count_grants();
    audit::Log* audit_log() { return audit_trail_ ? &audit_trail_->log() : nullptr; }
    void set_audit(webhook::AuditState state, const std::string& why = {});
    Result<void> check_certificate();
    void make_snapshots();
    Result<void> start_servers();
    void log_answer(const webhook::Outcome& outcome, bool without_record, std::chrono::nanoseconds duration);
    void log_event(const char* listener, const http::Event& event);
    void keep_up(const std::stop_token& stop);
    void look_at_policies(WallTime now);
    void take(policy::PolicyFolder::Change change);
    void archive_policies();
    void record_start();
    void announce_start();
    void announce_exceptions(WallTime now);
    void announce_intervals(WallTime now);
    void announce_intervals(std::vector<std::string>& known, std::vector<std::string> now, const std::string& event,
                            const char* text_of_begin, const char* text_of_end);
    void announce_end(const std::string& reason, std::uint64_t requests_cut_off);
    void append(audit::Record record);
    void append(std::vector<audit::Record> records);
    void record_event(Event event);

    ServingOptions options_;
    Log& log_;
    SystemClock clock_;
    webhook::Origin origin_;
    SnapshotCell<policy::PolicySet> policies_;
    webhook::Metrics metrics_;
    webhook::Readiness readiness_;
    std::unique_ptr<ClusterSnapshots> snapshots_;  // null without access
    std::unique_ptr<webhook::GrantUses> grant_uses_;
    webhook::RepeatedDenials repeated_denials_;
    std::optional<Event> certificate_;  // to be recorded when there is a log
    // From here the order matters: servers end first, then the log, whose last callbacks still use the handler.
    std::unique_ptr<webhook::AdmissionHandler> handler_;
    std::unique_ptr<AuditTrail> audit_trail_;  // null: it could not be opened
    std::unique_ptr<http::Server> admission_;
    std::unique_ptr<http::Server> health_;
    std::unique_ptr<http::Server> metrics_server_;
    std::optional<WallTime> exceptions_announced_;  // when their ends were logged last
    std::vector<std::string> learning_;             // as the log of records knows it
    std::vector<std::string> audit_modes_;          // likewise
    Heartbeat heartbeat_;                           // of the thread below, and of `stop` when that has ended
    std::jthread upkeep_;
};

}  // namespace fluxgate::cli
