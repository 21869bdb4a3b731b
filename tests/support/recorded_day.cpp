#include "tests/support/recorded_day.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <random>

#include <fmt/format.h>

#include "base/digest.hpp"
#include "base/limits.hpp"

namespace fluxgate::testing {

namespace {

using audit::Record;
using namespace std::chrono_literals;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr std::array<const char*, 2> kReplicas{"fluxgate-0", "fluxgate-1"};

class Day {
public:
    explicit Day(const DayOptions& options) : options_(options), random_(options.seed) {}

    std::vector<Record> records() {
        lives();
        policies();
        flux();
        people_and_pipelines();
        loops();
        impersonation();
        break_glass();
        day_two_work();
        workload_rules();
        oddities();
        std::stable_sort(records_.begin(), records_.end(), [](const Record& left, const Record& right) { return left.time < right.time; });
        std::array<std::uint64_t, 2> sequences{};
        for (Record& record : records_) record.sequence = ++sequences[record.replica == kReplicas[0] ? 0 : 1];
        count();
        return std::move(records_);
    }

private:
    WallTime at(int hour, int minute, int second = 0) const {
        return options_.begin + std::chrono::hours(hour) + std::chrono::minutes(minute) + seconds(second);
    }
    std::uint64_t below(std::uint64_t end) { return random_() % end; }
    template <std::size_t N>
    const char* one_of(const std::array<const char*, N>& list) {
        return list[below(N)];
    }
    // Uniformly over the day, or most of it between 07:00 and 19:00.
    WallTime any_time() { return options_.begin + seconds(30) + microseconds(below(86'340'000'000)); }
    WallTime working_time() { return below(10) == 0 ? any_time() : at(7, 0) + microseconds(below(12 * 3'600'000'000ULL)); }

    std::string uid() {
        return fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", below(1ULL << 32), below(1 << 16), below(1 << 12), below(1 << 12),
                           below(1ULL << 48));
    }
    std::string set_at(WallTime time) const { return "sha256:" + sha256_hex(kPolicySets[time < at(9, 0, 12) ? 0 : 1]); }
    // The one that was there, at times when only one was.
    const char* replica_at(WallTime time) {
        if (time >= at(13, 20, 30) && time < at(13, 27, 10)) return kReplicas[0];
        if (time >= at(13, 21, 50) && time < at(13, 25, 30)) return kReplicas[1];
        return one_of(kReplicas);
    }
    bool nobody_at(WallTime time) const { return time >= at(13, 21, 50) && time < at(13, 25, 30); }

    Record base(WallTime time) {
        Record record;
        record.id = uid();
        record.time = time;
        record.policy_set = set_at(time);
        record.cluster = "prod-we-1";
        record.replica = replica_at(time);
        return record;
    }
    Record& event(WallTime time, std::string name, const char* replica) {
        Record record = base(time);
        record.id = fmt::format("{}-{}", name, time.time_since_epoch().count());
        record.event = std::move(name);
        record.replica = replica;
        return keep(std::move(record));
    }
    Record& write(WallTime time, std::string user, std::string decision, std::string write_class) {
        Record record = base(time);
        record.username = std::move(user);
        record.groups = {"system:authenticated"};
        record.assurance = record.username.starts_with("system:serviceaccount:") ? "pod-bound" : "certificate";
        record.decision = std::move(decision);
        record.write_class = std::move(write_class);
        record.operation = "UPDATE";
        object(record, "deployments", "Deployment", "apps", "production", "web");
        return keep(std::move(record));
    }
    // What nobody was there to judge leaves no record.
    Record& keep(Record&& record) {
        if (nobody_at(record.time)) {
            nowhere_ = std::move(record);
            return nowhere_;
        }
        records_.push_back(std::move(record));
        return records_.back();
    }
    static void object(Record& record, std::string resource, std::string kind, std::string group, std::string space, std::string name) {
        record.resource = std::move(resource);
        record.kind = std::move(kind);
        record.group = std::move(group);
        record.version = "v1";
        record.namespace_name = std::move(space);
        record.name = std::move(name);
    }
    static void violate(Record& record, std::string policy, std::string rule, std::string path, std::string action = "Deny") {
        record.violations.push_back({std::move(policy), std::move(rule), std::move(path), "9", "3", std::move(action)});
        record.compliance = {"PCI-DSS 4.0 6.5.1", "SOC 2 CC8.1"};
    }

    void lives() {
        for (std::size_t i = 0; i < 2; ++i) {
            Record& started = event(at(0, 0, 5 + static_cast<int>(i) * 2), "started", kReplicas[i]);
            started.facts = {{"version", "0.1.0"}};
            WallTime since = started.time;
            for (WallTime time = started.time + 60s; time < at(24, 0); time += 60s) {
                const bool crashed = i == 1 && time >= at(13, 20, 30) && time < at(13, 27, 10);
                const bool rolled = i == 0 && time >= at(13, 21, 50) && time < at(13, 25, 30);
                if (crashed || rolled) continue;
                if (i == 1 && since < at(13, 20, 30) && time >= at(13, 27, 10)) since = at(13, 27, 10);
                if (i == 0 && since < at(13, 21, 50) && time >= at(13, 25, 30)) since = at(13, 25, 30);
                // A node that had no processor time for the heartbeat of fluxgate-0.
                if (i == 0 && time >= at(4, 0) && time < at(4, 6)) continue;
                if (i == 0 && since < at(4, 0) && time >= at(4, 6)) since = time - 60s;
                const std::uint64_t busy = time >= at(7, 0) && time < at(19, 0) ? 220 : 60;
                const std::uint64_t routine = busy + below(40);
                event(time, "heartbeat", kReplicas[i]).facts = {{"since", format_rfc3339(since)}};
                if (nobody_at(time)) continue;
                records_.back().counters = {
                    {"routineAllowed", routine}, {"unguardedAllowed", 7}, {"dryRun", 3}, {"unrecorded", 0}, {"uptimeSeconds", 60}};
                since = time;
            }
        }
        // A rollout of one while the other had lost its node.
        event(at(13, 21, 49), "stopped", kReplicas[0]).facts = {{"reason", "SIGTERM"}};
        event(at(13, 25, 30), "started", kReplicas[0]).facts = {{"version", "0.1.0"}};
        event(at(13, 27, 10), "started", kReplicas[1]).facts = {{"version", "0.1.0"}};
        Record& gap = event(at(13, 27, 12), "gap", kReplicas[1]);
        gap.facts = {{"reason", "the node of fluxgate-1 was lost"},
                     {"from", format_rfc3339(at(13, 20, 30))},
                     {"to", format_rfc3339(at(13, 27, 10))}};
        gap.counters = {{"records", 3}};
        event(at(3, 0), "retention-applied", kReplicas[0]).facts = {{"reason", "13 months are kept"}};
        event(at(5, 30), "certificate-loaded", kReplicas[0]).facts = {{"subject", "CN=fluxgate.fluxgate-system.svc"},
                                                                      {"notAfter", "2027-02-18T05:30:00Z"}};
    }

    // What heartbeats count is what the records say.
    void count() {
        struct Counts {
            std::uint64_t recorded = 0, exceptional_denied = 0, unguarded_denied = 0, exceptional_allowed = 0, repeated = 0;
        };
        std::map<std::string, Counts> all;
        for (Record& record : records_) {
            Counts& counts = all[record.replica];
            if (record.event == "started") counts = {};  // what a process counted goes with it
            ++counts.recorded;
            if (record.event == "denial-repeated") counts.repeated += record.counters.front().second;
            if (record.decision == "denied") ++(record.write_class == "unguarded" ? counts.unguarded_denied : counts.exceptional_denied);
            if (record.decision == "allowed" && record.write_class == "exceptional") ++counts.exceptional_allowed;
            if (record.event != "heartbeat") continue;
            const std::uint64_t routine = record.counters.front().second;
            for (const auto& [name, value] :
                 {std::pair{"exceptionalDenied", counts.exceptional_denied + counts.repeated},
                  std::pair{"unguardedDenied", counts.unguarded_denied}, std::pair{"exceptionalAllowed", counts.exceptional_allowed},
                  std::pair{"repeated", counts.repeated}, std::pair{"recorded", counts.recorded},
                  std::pair{"seen", routine + 7 + counts.exceptional_denied + counts.repeated + counts.unguarded_denied +
                                        counts.exceptional_allowed}})
                record.counters.emplace_back(name, value);
            counts = {};
        }
    }

    void policies() {
        for (std::size_t i = 0; i < 2; ++i) {
            const seconds later{static_cast<int>(i)};
            event(at(9, 0, 12) + later, "policy-set-loaded", kReplicas[i]).details = {"was " + set_at(options_.begin)};
            event(at(9, 0, 12) + later, "learn-begun", kReplicas[i]).details = {"staging/only-git until " + format_rfc3339(at(17, 0))};
            event(at(9, 0, 12) + later, "audit-mode-begun", kReplicas[i]).details = {"prod-legacy: limits/requests Warn, Audit"};
            event(at(17, 0) + later, "learn-ended", kReplicas[i]).details = {"staging/only-git until " + format_rfc3339(at(17, 0))};
            event(at(11, 30, 2) + later, "policy-set-refused", kReplicas[i]).details = {
                "/policies/production.yaml:13:20: spec.rules[0].probes.all[0]: have \"readynessProbe\", expected one of: livenessProbe, "
                "readinessProbe, startupProbe"};
        }
        // They begin again in a replica that starts.
        for (const auto& [time, replica] : {std::pair{at(13, 25, 31), kReplicas[0]}, std::pair{at(13, 27, 11), kReplicas[1]}}) {
            event(time, "learn-begun", replica).details = {"staging/only-git until " + format_rfc3339(at(17, 0))};
            event(time, "audit-mode-begun", replica).details = {"prod-legacy: limits/requests Warn, Audit"};
        }
    }

    void flux() {
        constexpr std::array apps{"web", "cart", "checkout", "search", "mail", "ledger", "report", "gateway", "stock", "prices"};
        std::array<std::string, 40> revisions{};
        for (std::size_t i = 0; i < revisions.size(); ++i)
            revisions[i] = sha256_hex(fmt::format("commit {} {}", options_.seed, i)).substr(0, 12);
        for (std::size_t i = 0; i < options_.changes; ++i) {
            const WallTime time = working_time();
            Record& record = write(time, "system:serviceaccount:flux-system:kustomize-controller", "allowed", "routine");
            record.writer = "flux";
            record.field_manager = "kustomize-controller";
            object(record, "deployments", "Deployment", "apps", below(4) == 0 ? "payments" : "production", one_of(apps));
            record.owner = "Kustomization flux-system/apps";
            const auto minute = static_cast<std::size_t>((time - options_.begin) / std::chrono::minutes(36));
            record.owner_source = fmt::format("https://git.example.com/shop, ./apps at main@sha1:{}", revisions[minute % revisions.size()]);
            record.changes = {{".spec.template.spec.containers[name=\"app\"].image", "shop/app:1.9.2", "shop/app:1.9.1"}};
        }
    }

    void people_and_pipelines() {
        constexpr std::array people{"alice@example.com", "bob@example.com", "carol@example.com", "dave@example.com", "erin@example.com"};
        constexpr std::array tools{"kubectl-edit", "kubectl-client-side-apply", "kubectl", "helm", "k9s", "Lens"};
        for (std::size_t i = 0; i < options_.denials; ++i) {
            const bool by_pipeline = below(3) == 0;
            const std::string user = by_pipeline ? "system:serviceaccount:ci:deployer" : one_of(people);
            Record& record = write(working_time(), user, "denied", "exceptional");
            record.field_manager = by_pipeline ? "helm" : one_of(tools);
            record.owner = "Kustomization flux-system/apps";
            switch (below(5)) {
                case 0: object(record, "configmaps", "ConfigMap", "", "production", "web-config"); break;
                case 1: object(record, "secrets", "Secret", "", "payments", "ledger-db"); break;
                case 2: object(record, "services", "Service", "", "production", "gateway"); break;
                default: break;
            }
            if (below(12) == 0) record.operation = "DELETE";
            violate(record, "production", "only-git", ".spec.replicas");
            if (below(40) == 0) violate(record, "fluxgate", "escape", ".metadata.annotations[\"kustomize.toolkit.fluxcd.io/reconcile\"]");
        }
    }

    void loops() {
        for (int i = 0; i < 30; ++i) {
            const WallTime time = at(10, i);
            const std::string first = write(time, "system:serviceaccount:ci:autoscaler", "denied", "exceptional").id;
            violate(records_.back(), "production", "only-git", ".spec.replicas");
            Record& record = event(time + 59s, "denial-repeated", replica_at(time));
            record.operation = "UPDATE";
            object(record, "deployments", "Deployment", "apps", "production", "web");
            record.username = "system:serviceaccount:ci:autoscaler";
            record.facts = {{"first", first}, {"firstTime", format_rfc3339(time)}, {"lastTime", format_rfc3339(time + 58s)}};
            record.counters = {{"count", 20 + below(39)}};
            violate(record, "production", "only-git", ".spec.replicas");
        }
    }

    void impersonation() {
        for (int i = 0; i < 40; ++i) {
            Record& record =
                write(at(10, 0) + seconds(below(900)), "system:serviceaccount:flux-system:kustomize-controller", "denied", "exceptional");
            record.assurance = "none";
            record.field_manager = "kustomize-controller";
            violate(record, "production", "only-git", ".");
        }
        for (int i = 0; i < 25; ++i) {
            Record& record = write(working_time(), "system:serviceaccount:team-a:flux-applier", "allowed", "exceptional");
            record.assurance = "impersonated";
            record.writer = "flux-multitenant";
        }
    }

    void break_glass() {
        for (int i = 0; i < 14; ++i) {
            Record& record =
                write(at(2, 12) + seconds(static_cast<std::int64_t>(below(6'600))), "alice@example.com", "allowed", "exceptional");
            record.field_manager = "kubectl";
            record.sub_resource = below(2) == 0 ? "scale" : "";
            record.grants = {{"inc-4711", "sha256:" + sha256_hex("inc-4711"), "INC-4711", "bob@example.com", "bob@example.com"}};
        }
        for (int i = 0; i < 3; ++i) {
            Record& record = write(at(15, 3 + i), "carol@example.com", "allowed", "exceptional");
            object(record, "configmaps", "ConfigMap", "", "payments", "limits");
            record.grants = {{"inc-4720", "sha256:" + sha256_hex("inc-4720"), "INC-4720", "dave@example.com", "git"}};
        }
    }

    void day_two_work() {
        for (int i = 0; i < 20; ++i) {
            Record& record = write(working_time(), "erin@example.com", "allowed", "exceptional");
            record.allowance = "restart";
            record.field_manager = "flux-client-side-apply";
        }
        for (int i = 0; i < 60; ++i) {
            Record& record = write(at(9, 5) + seconds(static_cast<std::int64_t>(below(28'000))),
                                   "system:serviceaccount:monitoring:operator", "allowed", "exceptional");
            record.namespace_name = "staging";
            record.learned = true;
            violate(record, "staging", "only-git", ".metadata.annotations");
        }
        Record& exec = write(at(14, 40), "dave@example.com", "denied", "exceptional");
        exec.operation = "CONNECT";
        object(exec, "pods", "PodExecOptions", "", "payments", "ledger-6f7c9d8b5-x2x4z");
        exec.sub_resource = "exec";
        exec.command = "sh -c \"env | grep DATABASE\"";
        violate(exec, "production", "only-git", ".");
    }

    void workload_rules() {
        for (int i = 0; i < 150; ++i) {
            Record& record = write(working_time(), "frank@example.com", "denied", "unguarded");
            record.namespace_name = "team-b";
            violate(record, "baseline", below(2) == 0 ? "probes" : "limits", ".spec.template.spec.containers[name=\"app\"]");
        }
        for (int i = 0; i < 90; ++i) {
            Record& record = write(working_time(), "grace@example.com", "allowed", "unguarded");
            record.namespace_name = "prod-legacy";
            violate(record, "limits", "requests", ".spec.template.spec.containers[name=\"app\"].resources", "Warn");
        }
        for (int i = 0; i < 12; ++i) {
            Record& record = write(working_time(), "grace@example.com", "allowed", "unguarded");
            record.namespace_name = "team-b";
            record.name = "legacy-report";
            record.exceptions = {"legacy-report"};
        }
    }

    void oddities() {
        // Names are what a client sends.
        for (const char* name :
             {"<script>document.title='owned'</script>", "\"onmouseover=\"alert(1)",
              "mallory\xe2\x80\xae"
              "moc.elpmaxe@ecila",
              "</style></title><img src=x onerror=alert(1)>", "\xf0\x9f\xa6\x84@example.com", "``${7*7}``{{7*7}}", "=HYPERLINK(\"x\")"}) {
            for (int i = 0; i < 60; ++i) {
                Record& record = write(working_time(), name, "denied", "exceptional");
                record.name = name;
                record.field_manager = name;
                violate(record, "production", "only-git", ".");
            }
        }
        for (int i = 0; i < 2; ++i) {
            Record& record = write(at(12, 10 + i), "alice@example.com", "denied", "exceptional");
            record.error = "too_deep";
        }
    }

    const DayOptions& options_;
    std::mt19937_64 random_;
    std::vector<Record> records_{};
    Record nowhere_{};
};

}  // namespace

std::vector<Record> recorded_day(const DayOptions& options) { return Day(options).records(); }

std::vector<std::string> texts_of(const std::vector<Record>& records) {
    std::vector<std::string> texts;
    texts.reserve(records.size());
    for (const Record& record : records) texts.push_back(audit::encode(record, Limits{}.record_bytes_max).text(record.sequence));
    return texts;
}

}  // namespace fluxgate::testing
