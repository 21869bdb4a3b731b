#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/findings.hpp"
#include "cli/judging.hpp"
#include "cli/messages.hpp"
#include "cli/output/report.hpp"
#include "cli/policies.hpp"
#include "cli/progress.hpp"

namespace fluxgate::cli {

namespace {

using std::chrono::steady_clock;

struct Flags {
    JudgingFlags judging;
    std::string policies;
    std::string format = "table";
    std::vector<std::string> output_files;  // FORMAT=PATH
    std::string fail_on = "deny";
    bool strict = false;
    bool allow_empty = false;
    bool all = false;
    unsigned exception_horizon_days = 180;
};

int refuse(const std::string& message) { return cli::refuse("check", message); }

std::string path_of(const std::string& output_file) { return output_file.substr(output_file.find('=') + 1); }

// No output may take the place of what it is about.
Result<void> check_outputs(const Flags& flags) {
    std::vector<std::string> outputs;
    for (const std::string& output : flags.output_files) outputs.push_back(path_of(output));
    std::vector<std::string> inputs = flags.judging.paths;
    for (const std::string& other : {flags.judging.reviews, flags.judging.old}) {
        if (!other.empty()) inputs.push_back(other);
    }
    return cli::check_outputs(outputs, inputs, {flags.policies});
}

// Everything that is told goes to standard output and to the files of --output-file.
class Reports {
public:
    Reports(const Flags& flags, std::string digest) : started_(steady_clock::now()) {
        summary_.policy_set = std::move(digest);
        const OutputOptions options{.style = Style::of(stdout), .show_allowed = flags.all};
        outputs_.push_back(make_output(format_named(flags.format), std::cout, options));
    }

    // FORMAT=PATH.
    Result<void> add_file(const std::string& flag) {
        const std::string format = flag.substr(0, flag.find('='));
        const std::string path = path_of(flag);
        auto file = NewFile::create(path);
        if (!file) return tl::unexpected(file.error());
        files_.push_back(std::make_unique<NewFile>(std::move(*file)));
        outputs_.push_back(make_output(format_named(format), files_.back()->stream(), OutputOptions{}));
        return {};
    }

    void add(const Judged& judged) {
        bool error = false;
        bool object = judged.recorded || !judged.object.kind.empty();
        Level worst = Level::not_judged;
        for (const Finding& finding : judged.findings) {
            error = error || finding.level == Level::error;
            if (finding.level == Level::not_judged) ++summary_.not_judged;
            worst = std::min(worst, finding.level);
        }
        if (error) ++summary_.errors;
        if (object && !error) ++summary_.objects;
        if (worst == Level::deny) ++summary_.denied;
        if (worst == Level::warn || worst == Level::audit) ++summary_.warned;
        if (worst < worst_) worst_ = worst;
        for (const auto& output : outputs_) output->judged(judged);
    }

    int finish(const Flags& flags, const policy::PolicySet& set, std::size_t files) {
        summary_.files = files;
        summary_.policies = set.policies.size();
        summary_.rules = rules_of(set);
        summary_.took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - started_);
        for (const auto& output : outputs_) output->finish(summary_);
        std::cout.flush();
        if (!std::cout) return refuse("standard output cannot be written");
        for (const auto& file : files_) {
            if (const auto written = file->finish(); !written) return refuse(to_string(written.error()));
        }
        if (summary_.errors > 0) return kCouldNotEvaluate;
        if (flags.strict && summary_.not_judged > 0) return kCouldNotEvaluate;
        if (summary_.objects == 0 && !flags.allow_empty)
            return refuse("nothing was judged in the input; --allow-empty if that is as it should be");
        return fails(flags.fail_on) ? kFindings : kClean;
    }

    const Summary& summary() const { return summary_; }

private:
    bool fails(std::string_view on) const {
        if (on == "none") return false;
        const Level least = on == "deny" ? Level::deny : on == "warn" ? Level::warn : Level::audit;
        return worst_ <= least;
    }

    steady_clock::time_point started_;
    Summary summary_;
    Level worst_ = Level::not_judged;
    std::vector<std::unique_ptr<NewFile>> files_;  // before the outputs, which write to them
    std::vector<std::unique_ptr<Output>> outputs_;
};

int check(const Flags& flags) {
    policy::PolicyFolder folder(
        flags.policies,
        {.limits = Limits{}, .namespace_labels = true, .exception_horizon = std::chrono::days(flags.exception_horizon_days)});
    const auto set = load_policies(folder, "check");
    if (!set) return kCouldNotEvaluate;

    if (const auto good = check_outputs(flags); !good) return refuse("--output-file: " + good.error().message);
    std::ios::sync_with_stdio(false);
    Reports reports(flags, set->digest);
    for (const std::string& output : flags.output_files) {
        if (const auto added = reports.add_file(output); !added) return refuse(to_string(added.error()));
    }
    Progress progress("checked", stderr);
    JudgingEvents events{.judged = [&](std::vector<Judged>&& judged) { reports.add(judged.front()); }};
    events.progress = [&](std::uint64_t bytes, std::uint64_t total) { progress.show(bytes, total, reports.summary().objects); };
    const auto files = judge_input(flags.judging, {set.get()}, events);
    progress.clear();
    if (!files) return refuse(files.error().message);
    return reports.finish(flags, *set, *files);
}

std::string check_output_file(std::string& text) {
    const std::size_t equals = text.find('=');
    const auto& names = format_names();
    const bool known = equals != std::string::npos && std::find(names.begin(), names.end(), text.substr(0, equals)) != names.end();
    if (known && equals + 1 < text.size()) return {};
    return "\"" + text + "\": expected FORMAT=PATH with one of " + fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

void add_check(CLI::App& app, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = app.add_subcommand("check", "judge manifests or recorded reviews with the webhook's own evaluator");
    add_judging_flags(*command, flags->judging);
    command->add_option("--policies", flags->policies, "folder of policy files (*.yaml, *.yml, *.json)")->required();
    command->add_option("-o,--output", flags->format, "output format")->capture_default_str()->check(CLI::IsMember(format_names()));
    command->add_option("--output-file", flags->output_files, "FORMAT=PATH: also write that format to a file; may be given again")
        ->check(CLI::Validator(check_output_file, ""))
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_option("--fail-on", flags->fail_on, "the least finding that makes the exit code 1")
        ->capture_default_str()
        ->check(CLI::IsMember({"deny", "warn", "audit", "none"}));
    command->add_flag("--strict", flags->strict, "exit 2 if anything could not be judged (overlays, charts, templates)");
    command->add_flag("--allow-empty", flags->allow_empty, "exit 0 if there is nothing to judge");
    command->add_flag("--all", flags->all, "list what has no findings too");
    command->add_option("--exception-horizon", flags->exception_horizon_days, "GuardExceptions end at most this far ahead")
        ->transform(CLI::Validator(check_days, "DAYS"))
        ->default_str("180d");
    command->footer(
        "Examples:\n"
        "  kustomize build apps/production | fluxgate check --policies policies -\n"
        "  fluxgate check --policies policies manifests/ -o github --output-file sarif=fluxgate.sarif\n"
        "  fluxgate check --policies policies --reviews recorded.jsonl -o jsonl\n"
        "Exits 0 if all is allowed, 1 on findings (--fail-on), 2 if something could not be read or judged.");
    command->callback([flags, &run] { run = [flags] { return check(*flags); }; });
}

}  // namespace fluxgate::cli
