#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/published_log.hpp"
#include "audit/record.hpp"
#include "audit/record_text.hpp"
#include "audit/stored_records.hpp"
#include "audit/verify.hpp"
#include "certs/authority.hpp"
#include "cli/commands.hpp"
#include "cli/embedded.hpp"
#include "cli/files.hpp"
#include "cli/output/style.hpp"
#include "cli/output/text.hpp"
#include "cli/policies.hpp"
#include "cli/serving.hpp"
#include "http/client.hpp"

namespace fluxgate::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kServerName = "fluxgate.fluxgate-system.svc";

struct Scene {
    std::string_view recording;  // cli/demo/recordings/
    std::string_view what;
    bool allowed;
    std::set<std::string_view> rules;  // of the violations expected, all of them and no other
    bool warned = false;
};

const std::vector<Scene>& scenes() {
    static const std::vector<Scene> list{
        {"flux-creates.json", "Flux creates a Deployment from Git", true, {}},
        {"replicaset-creates-pod.json", "the ReplicaSet controller makes its pod", true, {}},
        {"flux-applies.json", "Flux applies a new image from Git", true, {}},
        {"hpa-scales.json", "the HPA scales it", true, {}},
        {"person-edits-image.json", "a person edits the image", false, {"only-git"}},
        {"person-scales.json", "a person scales it", false, {"only-git"}},
        {"person-bad-pod.json", "a person runs a pod: no limits, as root", false, {"only-git", "limits", "non-root"}},
        {"person-dry-run.json", "a person tries it as a dry run", true, {}, true},
        {"flux-bad-deployment.json", "Flux: no limits, no probes, maybe root", false, {"limits", "probes", "non-root"}},
        {"person-deletes.json", "a person deletes a Deployment", false, {"only-git"}},
        {"person-deletes-collection.json", "a person deletes all of them", false, {"only-git"}},
        {"person-execs.json", "a person opens a shell in a pod", false, {"only-git"}},
        {"impersonated-flux.json", "a person impersonates Flux", false, {"only-git"}},
        {"minted-flux-token.json", "a token of Flux, minted by hand", false, {"only-git"}},
        {"x509-flux.json", "a certificate in Flux's name", false, {"only-git"}},
        {"person-mints-token.json", "a person mints a token of Flux", false, {"escape", "only-git"}},
        {"flux-prunes.json", "Flux removes what Git no longer has", true, {}},
        {"garbage-collector-deletes.json", "Kubernetes clears up behind it", true, {}},
        {"person-edits-staging.json", "a person edits staging", true, {}},
    };
    return list;
}

struct Played {
    bool allowed = false;
    std::string who;
    std::string message;
    std::vector<std::string> warnings;
    std::string record_id;
    std::chrono::nanoseconds took{};
    std::string problem;  // why it is not as expected; empty if it is
};

Played play(const Scene& scene, std::string_view recording, http::Client& client) {
    Played played;
    if (recording.empty()) {
        played.problem = "there is no such recording";
        return played;
    }
    const json review = json::parse(recording);
    played.who = short_username(review["request"]["userInfo"].value("username", ""));
    const auto start = std::chrono::steady_clock::now();
    const auto response = client.exchange("POST", "/validate?timeout=3s", recording);
    played.took = std::chrono::steady_clock::now() - start;
    if (!response || response->status != 200) {
        played.problem = response ? fmt::format("HTTP {}: {}", response->status, response->body) : to_string(response.error());
        return played;
    }
    const json answer = json::parse(response->body)["response"];
    played.allowed = answer.value("allowed", false);
    if (answer.contains("status")) played.message = answer["status"].value("message", "");
    if (answer.contains("warnings")) played.warnings = answer["warnings"].get<std::vector<std::string>>();
    if (answer.contains("auditAnnotations")) played.record_id = answer["auditAnnotations"].value("record-id", "");

    if (answer.value("uid", "") != review["request"].value("uid", ""))
        played.problem = "the answer carries another uid";
    else if (played.allowed != scene.allowed)
        played.problem = scene.allowed ? "expected it to be allowed: " + played.message : "expected it to be denied";
    else if (played.warnings.empty() == scene.warned)
        played.problem = scene.warned ? "expected a warning" : "did not expect a warning";
    else if (!played.allowed && played.record_id.empty())
        played.problem = "the denial was not recorded";
    return played;
}

std::string join(const std::set<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::vector<Cell> row_of(std::size_t number, const Scene& scene, const Played& played) {
    const Cell verdict = !played.problem.empty() ? Cell{"UNEXPECTED", Colour::red}
                         : !played.allowed       ? Cell{"denied", Colour::red}
                         : scene.warned          ? Cell{"allowed, warned", Colour::yellow}
                                                 : Cell{"allowed", Colour::green};
    const std::string rules = join(std::set<std::string>(scene.rules.begin(), scene.rules.end()));
    return {{std::to_string(number), Colour::grey},
            {std::string(scene.what)},
            {played.who, Colour::grey},
            verdict,
            {rules},
            {fmt::format("{:.2f} ms", std::chrono::duration<double, std::milli>(played.took).count()), Colour::grey}};
}

// Where the demo keeps its things; stays behind so that people can look.
struct Stage {
    fs::path root;
    fs::path policies;
    fs::path reviews;
    fs::path audit;
    certs::KeyPair authority;
    certs::KeyPair server;
};

Result<Stage> build_stage(const std::string& audit_directory, WallTime now) {
    std::string pattern = (fs::temp_directory_path() / "fluxgate-demo-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) return fail(Errc::io, "cannot make a temporary folder", pattern);
    Stage stage;
    stage.root = pattern;
    stage.policies = stage.root / "policies";
    stage.reviews = stage.root / "reviews";
    stage.audit = audit_directory.empty() ? stage.root / "audit" : fs::path(audit_directory);
    fs::create_directories(stage.policies);
    fs::create_directories(stage.reviews);
    auto authority = certs::make_authority("Fluxgate demo CA", now);
    if (!authority) return tl::unexpected(authority.error());
    auto server = certs::issue_server_certificate(
        *authority, {.common_name = kServerName, .dns_names = {kServerName}, .ip_addresses = {"127.0.0.1"}}, now);
    if (!server) return tl::unexpected(server.error());
    stage.authority = std::move(*authority);
    stage.server = std::move(*server);

    Result<void> written;
    const auto put = [&](const fs::path& path, std::string_view text, unsigned mode) {
        if (written) written = write_file(path, text, mode);
    };
    put(stage.root / "ca.crt", stage.authority.certificate_pem, 0644);
    put(stage.root / "tls.crt", stage.server.certificate_pem, 0644);
    put(stage.root / "tls.key", stage.server.private_key_pem, 0600);
    for (const auto& file : embedded::demo_policies()) put(stage.policies / file.name, file.text, 0644);
    for (const auto& file : embedded::recordings()) put(stage.reviews / file.name, file.text, 0644);
    if (!written) return tl::unexpected(written.error());
    return stage;
}

// The last record of a log; 0 if there is none yet.
std::uint64_t last_sequence_in(const fs::path& audit) {
    std::uint64_t sequence = 0;
    (void)audit::each_record(audit, {.newest_first = true}, [&](const audit::StoredRecord& stored) -> Result<bool> {
        sequence = audit::sequence_of(stored.text).value_or(0);
        return false;
    });
    return sequence;
}

// The log read back from the disk must be whole and hold, behind what was there before, every record an answer spoke of, with exactly the
// rules that the scene expects: a message holds as many violations as fit, the record holds all. Returns what to say, and
// whether the log is good; rules that differ are the scene's problem.
std::pair<bool, std::string> verify(const fs::path& audit, std::uint64_t sequence_before, std::vector<Played>& played) {
    const auto disk = audit::open_for_reading(audit);
    if (!disk) return {false, "audit log: " + to_string(disk.error())};
    const auto found = audit::verify_log(**disk, {});
    if (!found) return {false, "audit log: " + to_string(found.error())};
    for (const audit::Finding& finding : found->findings.kept()) {
        if (finding.level == audit::Finding::Level::error) return {false, "audit log: " + finding.where + ": " + finding.message};
    }
    std::map<std::string, std::set<std::string>> rules_by_id;
    const auto read = audit::each_record(**disk, {}, [&](const audit::StoredRecord& stored) -> Result<bool> {
        const auto record = audit::parse_record(stored.text);
        if (!record) return tl::unexpected(record.error());
        if (record->sequence <= sequence_before || !record->event.empty()) return true;
        std::set<std::string>& rules = rules_by_id[record->id];
        for (const audit::RecordedViolation& violation : record->violations) rules.insert(violation.rule);
        return true;
    });
    if (!read) return {false, "audit log: " + to_string(read.error())};
    std::size_t spoken_of = 0;
    for (std::size_t i = 0; i < played.size(); ++i) {
        if (played[i].record_id.empty()) continue;
        ++spoken_of;
        const auto rules = rules_by_id.find(played[i].record_id);
        if (rules == rules_by_id.end()) return {false, "audit log: record " + played[i].record_id + " was acknowledged and is not there"};
        const std::set<std::string> wanted(scenes()[i].rules.begin(), scenes()[i].rules.end());
        if (played[i].problem.empty() && rules->second != wanted) {
            played[i].problem =
                fmt::format("denied by the rules {}; expected {}: {}", join(rules->second), join(wanted), played[i].message);
        }
    }
    return {true, fmt::format("audit log verified: {} entries under a signed checkpoint, {} not yet; all {} that an answer named are there",
                              found->entries, found->unpublished, spoken_of)};
}

// What to type to run this program again; it is rarely in the PATH.
std::string own_path() {
    std::error_code error;
    const fs::path path = fs::read_symlink("/proc/self/exe", error);
    return error ? "fluxgate" : path.string();
}

int demo(const std::string& audit_directory) {
    const Style style = Style::of(stdout);
    const auto die = [&](const Error& error) {
        std::fprintf(stderr, "fluxgate demo: %s\n", to_string(error).c_str());
        return kCouldNotEvaluate;
    };
    const SystemClock clock;
    auto stage = build_stage(audit_directory, clock.now());
    if (!stage) return die(stage.error());
    auto folder = std::make_unique<policy::PolicyFolder>(stage->policies, policy::CompileOptions{});
    const auto policies = load_policies(*folder, "demo");
    if (!policies) return kCouldNotEvaluate;

    Log log(LogLevel::error, LogFormat::automatic);
    ServingOptions options;
    options.audit_directory = stage->audit;
    options.listen = options.health_listen = options.metrics_listen = Endpoint{"127.0.0.1", 0};
    options.identity = {stage->server.certificate_pem, stage->server.private_key_pem};
    options.cluster_name = "demo";
    options.policy_folder = std::move(folder);
    const std::uint64_t earlier = last_sequence_in(stage->audit);  // of an earlier demo
    auto serving = Serving::start(std::move(options), policies, log);
    if (!serving) return die(serving.error());

    std::printf("%s\n\n", style.paint(Colour::bold, "Fluxgate: if it is not in Git, it does not exist").c_str());
    std::printf("The real webhook listens on https://127.0.0.1:%u (TLS, a fresh CA). Reviews that a real kube-apiserver\n",
                (*serving)->port());
    std::printf("sent, with real Flux and real controllers behind them, are played to it.\n\n");

    http::ClientOptions client_options;
    client_options.port = (*serving)->port();
    client_options.server_name = kServerName;
    client_options.ca_pem = stage->authority.certificate_pem;
    http::Client client(std::move(client_options));

    std::map<std::string_view, std::string_view> recordings;
    for (const auto& file : embedded::recordings()) recordings.emplace(file.name, file.text);
    std::vector<Played> played;
    for (const Scene& scene : scenes()) {
        const auto recording = recordings.find(scene.recording);
        played.push_back(play(scene, recording == recordings.end() ? std::string_view{} : recording->second, client));
    }
    (*serving)->drain();
    (*serving)->stop(std::chrono::seconds(2));
    serving->reset();
    const auto [log_good, log_text] = verify(stage->audit, earlier, played);

    std::vector<std::vector<Cell>> rows;
    for (const Scene& scene : scenes()) rows.push_back(row_of(rows.size() + 1, scene, played[rows.size()]));
    std::printf("%s\n", render_table({"#", "WHAT HAPPENS", "WHO", "VERDICT", "RULES", "TIME"}, rows, style).c_str());

    const auto shown =
        std::find_if(scenes().begin(), scenes().end(), [](const Scene& scene) { return scene.recording == "person-edits-image.json"; });
    std::printf("%s\n%s\n\n", style.paint(Colour::bold, "What the person in line 5 reads in their terminal:").c_str(),
                played[static_cast<std::size_t>(shown - scenes().begin())].message.c_str());

    std::printf("%s\n\n", style.paint(log_good ? Colour::green : Colour::red, log_text).c_str());

    std::size_t unexpected = 0;
    for (std::size_t i = 0; i < played.size(); ++i) {
        if (played[i].problem.empty()) continue;
        ++unexpected;
        std::printf("%s %zu: %s\n", style.paint(Colour::red, "UNEXPECTED").c_str(), i + 1, played[i].problem.c_str());
    }
    const std::string root = stage->root.string();
    std::printf("%s\n", style.paint(Colour::bold, "Where everything lies").c_str());
    std::printf("  %s  the audit log: `fluxgate audit verify --audit` it\n", stage->audit.c_str());
    std::printf("  %s/policies  the policies\n  %s/reviews  the recorded reviews\n  %s/ca.crt, tls.crt, tls.key  certificates\n\n",
                root.c_str(), root.c_str(), root.c_str());
    std::printf("%s\n", style.paint(Colour::bold, "What to try next").c_str());
    std::printf("  ask the audit log, as an auditor would:\n");
    std::printf("    %s audit query --audit %s --verdict denied\n    %s audit report --audit %s --out evidence.html\n", own_path().c_str(),
                stage->audit.c_str(), own_path().c_str(), stage->audit.c_str());
    std::printf("  change a rule in %s/policies, then run the webhook with it:\n", root.c_str());
    std::printf("    cd %s\n    %s serve --policies policies --audit audit2 --tls-cert tls.crt --tls-key tls.key --listen 127.0.0.1:9443\n",
                root.c_str(), own_path().c_str());
    std::printf("  and send it a review from another terminal:\n");
    std::printf("    curl --cacert %s/ca.crt --json @%s/reviews/person-edits-image.json https://127.0.0.1:9443/validate\n", root.c_str(),
                root.c_str());
    std::printf("  the same against a real API server with real Flux: make cluster-test\n\n");

    const bool good = unexpected == 0 && log_good;
    std::printf("%s\n", style
                            .paint(good ? Colour::green : Colour::red,
                                   good ? fmt::format("All {} verdicts as expected.", played.size())
                                        : fmt::format("{} of {} verdicts not as expected.", unexpected, played.size()))
                            .c_str());
    return good ? kClean : kFindings;
}

}  // namespace

void add_demo(CLI::App& app, Run& run) {
    auto audit_directory = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand("demo", "the whole thing on one machine, without a cluster");
    command->add_option("--audit", *audit_directory, "folder for the audit log; default: in the demo's temporary folder");
    command->footer(
        "Starts the real server on loopback and plays recorded reviews through real TLS. Exits 0 only if every verdict is as expected.");
    command->callback([audit_directory, &run] { run = [audit_directory] { return demo(*audit_directory); }; });
}

}  // namespace fluxgate::cli
