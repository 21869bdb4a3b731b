#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "audit/reconcile.hpp"
#include "audit/stored_records.hpp"
#include "base/duration.hpp"
#include "cli/audit/folder.hpp"
#include "cli/audit/guarded_writes.hpp"
#include "cli/audit/period.hpp"
#include "cli/audit/reconcile_output.hpp"
#include "cli/commands.hpp"
#include "cli/messages.hpp"
#include "cli/policies.hpp"
#include "cli/progress.hpp"
#include "policy/glob.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::string_view kCommand = "audit reconcile";

struct Flags {
    std::vector<std::string> audit;
    std::vector<std::string> api_audit;
    std::vector<std::string> webhooks{"fluxgate.dev", "*.fluxgate.dev"};
    std::vector<std::string> namespaces;
    std::string policies;
    PeriodFlags period;
    std::string clock_difference = "5s";
    std::string format = "table";
    bool allow_empty = false;
};

int refuse(const std::string& message) { return cli::refuse(kCommand, message); }

// All folders one after the other; each is in order, and the whole need not be.
audit::Records records_of(const std::vector<std::string>& folders) {
    return [folders](const audit::UseRecord& use) -> Result<void> {
        for (const std::string& folder : folders) {
            bool enough = false;
            const auto disk = open_audit_folder(folder);
            if (!disk) return tl::unexpected(disk.error());
            auto read = audit::each_record(**disk, {}, [&](const audit::StoredRecord& stored) -> Result<bool> {
                auto more = use(stored);
                enough = more && !*more;
                return more;
            });
            if (!read || enough) return read;
        }
        return {};
    };
}

Result<std::vector<policy::Glob>> globs_of(std::string_view flag, const std::vector<std::string>& patterns) {
    std::vector<policy::Glob> globs;
    for (const std::string& pattern : patterns) {
        auto glob = policy::Glob::compile(pattern);
        if (!glob) return fail(glob.error().code, fmt::format("{}: {}", flag, glob.error().message));
        globs.push_back(*std::move(glob));
    }
    return globs;
}

Result<audit::ReconcileOptions> options_of(const Flags& flags) {
    audit::ReconcileOptions options;
    auto webhooks = globs_of("--webhook", flags.webhooks);
    if (!webhooks) return tl::unexpected(webhooks.error());
    options.is_ours = [globs = *std::move(webhooks)](std::string_view name) { return policy::any_matches(globs, name); };
    auto namespaces = globs_of("--namespaces", flags.namespaces);
    if (!namespaces) return tl::unexpected(namespaces.error());
    if (!namespaces->empty())
        options.namespaces = [globs = *std::move(namespaces)](std::string_view name) { return policy::any_matches(globs, name); };
    const auto period = Period::parse(flags.period, SystemClock().now());
    if (!period) return tl::unexpected(period.error());
    options.from = period->from;
    options.to = period->to;
    const auto difference = parse_duration(flags.clock_difference);
    if (!difference) return fail(difference.error().code, "--clock-difference: " + difference.error().message);
    options.clock_difference = *difference;
    return options;
}

std::uint64_t bytes_of(const std::vector<std::string>& files) {
    std::uint64_t bytes = 0;
    for (const std::string& file : files) {
        std::error_code error;
        const auto size = std::filesystem::file_size(file, error);
        if (!error) bytes += size;
    }
    return bytes;
}

// Says how far it is, now and then, because a file may have gigabytes.
class Reading {
public:
    Reading(audit::Reconciler& reconciler, std::uint64_t total) : reconciler_(reconciler), total_(total), progress_("read", stderr) {}

    Result<audit::ApiAuditFile> read(const std::string& path) {
        if (path == "-") return read(std::cin, "<stdin>");
        std::ifstream file(path, std::ios::binary);
        if (!file || std::filesystem::is_directory(path)) return fail(Errc::io, "this file cannot be read", path);
        return read(file, path);
    }
    void done() { progress_.clear(); }

private:
    Result<audit::ApiAuditFile> read(std::istream& in, const std::string& name) {
        reconciler_.begin_file();
        std::uint64_t here = 0;
        auto file = audit::read_api_audit(in, name, [&](const audit::ApiEvent& event) -> Result<void> {
            reconciler_.add(event);
            if (++events_ % 4'096 == 0 && total_ > 0 && in.good()) {
                const auto position = in.tellg();
                if (position >= 0) here = static_cast<std::uint64_t>(position);
                progress_.show(before_ + here, total_, events_);
            }
            return {};
        });
        before_ += here;
        return file;
    }

    audit::Reconciler& reconciler_;
    std::uint64_t total_;
    std::uint64_t before_ = 0;
    std::uint64_t events_ = 0;
    Progress progress_;
};

int reconcile(const Flags& flags) {
    auto options = options_of(flags);
    if (!options) return refuse(options.error().message);
    if (std::count(flags.api_audit.begin(), flags.api_audit.end(), "-") > 1) return refuse("--api-audit: standard input is there once");
    std::shared_ptr<const policy::PolicySet> set;
    if (!flags.policies.empty()) {
        policy::PolicyFolder folder(flags.policies, {.limits = Limits{}, .namespace_labels = true});
        set = load_policies(folder, kCommand);
        if (!set) return kCouldNotEvaluate;
    }

    // What is guarded may come from the records, which are read first.
    auto guarded = std::make_shared<GuardedWrites>();
    options->guarded = [guarded](const audit::ApiEvent& event) { return (*guarded)(event); };
    std::unique_ptr<ReconcileOutput> output;
    options->on_finding = [&](const audit::ReconcileFinding& finding) { output->found(finding); };
    auto reconciler = audit::Reconciler::start(records_of(flags.audit), *options);
    if (!reconciler) return refuse(to_string(reconciler.error()));
    ReconcileScope scope;
    if (set) {
        *guarded = GuardedWrites::by(set);
        scope.guarded = fmt::format("what the locks of {} are about ({})", flags.policies, set->digest);
    } else if (!flags.namespaces.empty()) {
        *guarded = GuardedWrites::everywhere();
        scope.guarded = fmt::format("every write in {}", fmt::join(flags.namespaces, ", "));
    } else {
        *guarded = GuardedWrites::in(reconciler->namespaces());
        if (reconciler->namespaces().empty())
            return refuse("nothing says what is guarded: give --policies or --namespaces, because no record names a namespace");
        scope.guarded = fmt::format("every write in the namespaces that records name, for want of --policies: {}",
                                    fmt::join(reconciler->namespaces(), ", "));
    }

    std::ios::sync_with_stdio(false);
    output = make_reconcile_output(flags.format, std::cout);
    Reading reading(*reconciler, bytes_of(flags.api_audit));
    std::uint64_t unreadable = 0;
    for (const std::string& path : flags.api_audit) {
        auto file = reading.read(path);
        if (!file) {
            reading.done();
            return refuse(to_string(file.error()));
        }
        unreadable += file->unreadable;
        scope.files.push_back({path, *std::move(file)});
    }
    reading.done();
    const auto result = reconciler->finish();
    if (!result) return refuse(to_string(result.error()));
    output->finish(*result, scope);
    for (const ReconcileScope::File& file : scope.files) {
        if (file.read.unreadable > 0)
            print_problem(fmt::format("{} ({} in this file)", to_string(*file.read.first_unreadable), file.read.unreadable));
    }
    if (unreadable > 0) return refuse("not everything could be read, so there may be more than this");
    if (result->has_findings()) return kFindings;
    if (result->writes == 0 && !flags.allow_empty)
        return refuse("these files hold no write to what is guarded; --allow-empty if that is as it should be");
    return kClean;
}

}  // namespace

void add_audit_reconcile(CLI::App& audit, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = audit.add_subcommand("reconcile", "compare with the API server's own audit log: what bypassed, what failed open");
    const auto list = [](CLI::Option* option, const char* type) { option->allow_extra_args(false)->take_all()->type_name(type); };
    list(command->add_option("--audit", flags->audit, "the folder of the audit log; again for each replica's")->required(), "DIR");
    list(command
             ->add_option("--api-audit", flags->api_audit,
                          "audit.k8s.io/v1 events as JSON Lines, or AKSAudit rows as JSON or CSV; - is standard input; again for more")
             ->required(),
         "FILE");
    list(command->add_option("--webhook", flags->webhooks, "entries of our registration, * is any text; again for more")
             ->default_str("fluxgate.dev, *.fluxgate.dev"),
         "NAME");
    command->add_option("--policies", flags->policies, "guarded is what the locks in this folder are about")->type_name("DIR");
    list(command->add_option("--namespaces", flags->namespaces, "compare only there, * is any text; again for more"), "NAME");
    add_period(*command, flags->period);
    command->add_option("--clock-difference", flags->clock_difference, "how far the clocks of API server and Fluxgate may be apart")
        ->type_name("DURATION")
        ->capture_default_str();
    command->add_option("-o,--output", flags->format, "how")->check(CLI::IsMember({"table", "json", "csv"}))->capture_default_str();
    command->add_flag("--allow-empty", flags->allow_empty, "exit 0 if there is nothing to compare");
    command->footer(
        "Exits 0 if every guarded write was judged and every record is accounted for; 1 on findings; 2 if something could not be read.\n"
        "How to get the files, and what each finding means: docs/how-to/reconcile-with-the-api-server.md\n\n"
        "  fluxgate audit reconcile --audit audit --api-audit kube-apiserver-audit.log --policies policies\n"
        "  fluxgate audit reconcile --audit audit --api-audit aks.json --from 2026-12-05T00:00:00Z -o csv");
    command->callback([flags, &run] { run = [flags] { return reconcile(*flags); }; });
}

}  // namespace fluxgate::cli
