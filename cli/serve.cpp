#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <stop_token>
#include <thread>

#include <unistd.h>
#include <CLI/CLI.hpp>

#include "cli/cluster_access.hpp"
#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/messages.hpp"
#include "cli/policies.hpp"
#include "cli/serving.hpp"

namespace fluxgate::cli {

namespace {

struct ServeFlags {
    std::string policies;
    std::string audit;
    std::string audit_key;
    std::uint64_t audit_disk_bytes_max = 4ull << 30;
    std::string tls_cert;
    std::string tls_key;
    std::string listen = "0.0.0.0:9443";
    std::string health_listen = "0.0.0.0:9440";
    std::string metrics_listen = "0.0.0.0:8080";
    std::string cluster_name;
    ClusterAccessFlags cluster_access;
    std::string own_namespace = policy::CompileOptions{}.own_namespace;
    unsigned exception_horizon_days = 180;
    unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    double drain_seconds = 10;
    double grace_seconds = 25;
    std::string log_level = "info";
    std::string log_format = "auto";
};

std::chrono::milliseconds to_milliseconds(double seconds) { return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)); }

// Signals are waited for, not handled: all threads block them from the start.
class Signals {
public:
    Signals() {
        sigemptyset(&set_);
        sigaddset(&set_, SIGTERM);
        sigaddset(&set_, SIGINT);
        pthread_sigmask(SIG_BLOCK, &set_, nullptr);
        std::signal(SIGPIPE, SIG_IGN);
    }
    int wait() const {
        int signal = 0;
        sigwait(&set_, &signal);
        return signal;
    }
    // 0 when the time passed without a signal.
    int wait_for(std::chrono::milliseconds time) const {
        const auto end = std::chrono::steady_clock::now() + time;
        for (;;) {
            const auto left = std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(end - std::chrono::steady_clock::now()));
            const timespec limit{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
            const int signal = sigtimedwait(&set_, nullptr, &limit);
            // Being stopped and continued interrupts the waiting (signal(7)); that is no reason to hurry.
            if (signal < 0 && errno == EINTR) continue;
            return std::max(signal, 0);
        }
    }

private:
    sigset_t set_{};
};

// Ends the process at the end of the grace period when it cannot end by itself: a disk that hangs, for example, holds the thread of the
// audit log in its sync. What was acknowledged is durable, so nothing is lost that an answer spoke of.
class LastResort {
public:
    LastResort(std::chrono::steady_clock::time_point when, Log& log)
        : thread_([this, when, &log](const std::stop_token& stop) { wait(stop, when, log); }) {}

private:
    void wait(const std::stop_token& stop, std::chrono::steady_clock::time_point when, Log& log) {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        if (wake_.wait_until(lock, stop, when, [&] { return stop.stop_requested(); })) return;
        log.write(LogLevel::error, "not ended by the end of the grace period; giving up");
        std::this_thread::sleep_for(std::chrono::milliseconds(200));  // the log's own thread writes that line
        ::_exit(kCouldNotEvaluate);
    }

    std::condition_variable_any wake_;
    std::jthread thread_;  // the last member: ends before what it uses
};

int report(const Error& error) { return refuse("serve", to_string(error)); }

Result<ServingOptions> make_options(const ServeFlags& flags, const Clock& clock) {
    ServingOptions options;
    for (const auto& [text, endpoint] : {std::pair{&flags.listen, &options.listen}, std::pair{&flags.health_listen, &options.health_listen},
                                         std::pair{&flags.metrics_listen, &options.metrics_listen}}) {
        const auto parsed = parse_endpoint(*text);
        if (!parsed) return tl::unexpected(parsed.error());
        *endpoint = *parsed;
    }
    auto certificate = read_file(flags.tls_cert);
    if (!certificate) return tl::unexpected(certificate.error());
    auto key = read_file(flags.tls_key);
    if (!key) return tl::unexpected(key.error());
    options.identity = {std::move(*certificate), std::move(*key)};
    options.audit_directory = flags.audit;
    options.audit_key = flags.audit_key;
    options.audit_disk_bytes_max = flags.audit_disk_bytes_max;
    options.cluster_name = flags.cluster_name;
    options.threads = flags.threads;
    auto access = find_cluster_access(flags.cluster_access, kube::client::PodEnvironment::of_this_process(), clock);
    if (!access) return tl::unexpected(access.error());
    options.cluster_access = std::move(*access);
    policy::CompileOptions compile{.limits = options.limits,
                                   .namespace_labels = options.cluster_access.has_value(),
                                   .exception_horizon = std::chrono::days(flags.exception_horizon_days),
                                   .own_namespace = flags.own_namespace};
    options.policy_folder = std::make_unique<policy::PolicyFolder>(flags.policies, std::move(compile));
    return options;
}

int serve(const ServeFlags& flags) {
    const Signals signals;
    const LogLevel level = flags.log_level == "debug"   ? LogLevel::debug
                           : flags.log_level == "warn"  ? LogLevel::warn
                           : flags.log_level == "error" ? LogLevel::error
                                                        : LogLevel::info;
    const LogFormat format = flags.log_format == "json"   ? LogFormat::json
                             : flags.log_format == "text" ? LogFormat::text
                                                          : LogFormat::automatic;
    const SystemClock clock;
    auto options = make_options(flags, clock);
    if (!options) return report(options.error());
    const auto policies = load_policies(*options->policy_folder, "serve");
    if (!policies) return kCouldNotEvaluate;

    Log log(level, format);
    if (const auto why = why_pod_without_access(flags.cluster_access, kube::client::PodEnvironment::of_this_process())) {
        log.write(LogLevel::warn, "nothing is known of the cluster: this Pod has no access to the API server", {{"why", *why}});
    }
    std::atomic<bool> audit_broke{false};
    options->on_audit_broken = [&audit_broke] {
        audit_broke = true;
        ::kill(::getpid(), SIGTERM);
    };
    auto serving = Serving::start(std::move(*options), policies, log);
    if (!serving) {
        log.flush();
        return report(serving.error());
    }
    log.write(LogLevel::info, "serving",
              {{"version", FLUXGATE_VERSION},
               {"port", std::to_string((*serving)->port())},
               {"healthPort", std::to_string((*serving)->health_port())},
               {"metricsPort", std::to_string((*serving)->metrics_port())},
               {"threads", std::to_string(flags.threads)},
               {"policies", std::to_string(policies->policies.size())},
               {"rules", std::to_string(policies->rule_count())},
               {"policySet", policies->digest}});

    const int signal = signals.wait();
    const auto grace = to_milliseconds(flags.grace_seconds);
    const auto drain = std::min(to_milliseconds(flags.drain_seconds), grace);
    const LastResort last_resort(std::chrono::steady_clock::now() + grace + std::chrono::seconds(1), log);
    // Endpoints take a while to forget this replica: it serves on, asking callers to come back elsewhere.
    const std::string signal_name = signal == SIGINT ? "SIGINT" : "SIGTERM";
    log.write(LogLevel::info, "draining", {{"signal", signal_name}, {"reason", audit_broke ? "the audit log broke" : "asked to stop"}});
    (*serving)->drain();
    if (signals.wait_for(drain) != 0) log.write(LogLevel::warn, "asked again: not waiting for the drain time");
    const auto cut_off = (*serving)->stop(grace - drain, audit_broke ? "the audit log broke" : signal_name);
    serving->reset();
    log.write(cut_off == 0 ? LogLevel::info : LogLevel::error, "stopped", {{"requestsCutOff", std::to_string(cut_off)}});
    return audit_broke ? kCouldNotEvaluate : kClean;
}

// "10", "10s", "1500ms"
std::string check_seconds(std::string& text) {
    std::string_view number = text;
    double factor = 1;
    if (number.ends_with("ms")) {
        factor = 0.001;
        number.remove_suffix(2);
    } else if (number.ends_with("s")) {
        number.remove_suffix(1);
    }
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
    if (error != std::errc() || end != number.data() + number.size())
        return "\"" + text + "\" is no time; expected one such as 10s or 500ms";
    value *= factor;
    if (!(value >= 0 && value <= 3600)) return "\"" + text + "\" is out of range; expected 0s to 3600s";
    text = std::to_string(value);
    return {};
}

}  // namespace

void add_serve(CLI::App& app, Run& run) {
    auto flags = std::make_shared<ServeFlags>();
    CLI::App* command = app.add_subcommand("serve", "run the admission webhook");
    command->add_option("--policies", flags->policies, "folder of policy files (*.yaml, *.yml, *.json); watched for changes")->required();
    command->add_option("--audit", flags->audit, "folder of the audit log; made if missing, one process each")->required();
    command
        ->add_option("--audit-key", flags->audit_key,
                     "file of the key that signs checkpoints of the log, made if missing; keep it where readers of the log cannot; "
                     "default: log.key in the --audit folder")
        ->type_name("FILE");
    command
        ->add_option("--audit-disk-max", flags->audit_disk_bytes_max,
                     "what the --audit folder may hold; then the log is degraded; 0: no bound")
        ->transform(CLI::AsSizeValue(false))
        ->default_str("4GiB")
        ->type_name("SIZE");
    command->add_option("--tls-cert", flags->tls_cert, "certificate chain, PEM, leaf first")->required();
    command->add_option("--tls-key", flags->tls_key, "private key, PEM")->required();
    command->add_option("--listen", flags->listen, "address of POST /validate and POST /mutate, TLS")->capture_default_str();
    command->add_option("--health-listen", flags->health_listen, "address of /livez and /readyz")->capture_default_str();
    command->add_option("--metrics-listen", flags->metrics_listen, "address of /metrics")->capture_default_str();
    command->add_option(
        "--kubeconfig", flags->cluster_access.kubeconfig,
        "how to reach the API server whose namespaces, Flux objects, CronJobs and grants are watched; default: the account of the "
        "Pod, if we run in one");
    command->add_option("--context", flags->cluster_access.context, "of the kubeconfig; default: its current-context")
        ->needs("--kubeconfig");
    command
        ->add_flag("--no-cluster-access", flags->cluster_access.none,
                   "watch nothing, also in a Pod: denials name no repository, namespaceSelector and signed grants are not available")
        ->excludes("--kubeconfig");
    command->add_option("--cluster-name", flags->cluster_name, "written into every record, and what grants must name");
    command->add_option("--namespace", flags->own_namespace, "our own namespace, where ConfigMaps of policies are judged")
        ->capture_default_str();
    command->add_option("--exception-horizon", flags->exception_horizon_days, "GuardExceptions end at most this far ahead")
        ->transform(CLI::Validator(check_days, "DAYS"))
        ->default_str("180d");
    command->add_option("--threads", flags->threads, "event loops, one per core")->capture_default_str()->check(CLI::Range(1u, 256u));
    command->add_option("--drain-time", flags->drain_seconds, "after SIGTERM: how long to go on serving with Connection: close")
        ->transform(CLI::Validator(check_seconds, "TIME"))
        ->default_str("10s");
    command
        ->add_option("--grace-period", flags->grace_seconds,
                     "after SIGTERM: when the process has ended, at the latest; below terminationGracePeriodSeconds")
        ->transform(CLI::Validator(check_seconds, "TIME"))
        ->default_str("25s");
    command->add_option("--log-level", flags->log_level, "least level to log")
        ->capture_default_str()
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    command->add_option("--log-format", flags->log_format, "auto is json off a terminal")
        ->capture_default_str()
        ->check(CLI::IsMember({"auto", "json", "text"}));
    command->footer("Stops on SIGTERM or SIGINT; a second signal cuts the drain time short. Exits 2, and says why, when it cannot start.");
    command->callback([flags, &run] { run = [flags] { return serve(*flags); }; });
}

}  // namespace fluxgate::cli
