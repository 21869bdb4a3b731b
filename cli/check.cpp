#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include <unistd.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/findings.hpp"
#include "cli/input/inputs.hpp"
#include "cli/manifest_judge.hpp"
#include "cli/output/report.hpp"
#include "cli/policies.hpp"
#include "cli/progress.hpp"
#include "policy/identities.hpp"

namespace fluxgate::cli {

namespace {

using std::chrono::steady_clock;

struct Flags {
    std::vector<std::string> paths;
    std::string policies;
    std::string reviews;
    std::string format = "table";
    std::vector<std::string> output_files;  // FORMAT=PATH
    std::string as = "flux";
    std::vector<std::string> groups;
    std::string operation;
    std::string old;
    std::string time;
    std::string namespace_name = "default";
    std::string fail_on = "deny";
    bool strict = false;
    bool allow_empty = false;
    bool dry_run = false;
    bool without_presence = false;
    bool all = false;
    unsigned exception_horizon_days = 180;
};

int refuse(const std::string& message) {
    std::fprintf(stderr, "fluxgate check: %s\n", message.c_str());
    return kCouldNotEvaluate;
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
        const std::string path = flag.substr(format.size() + 1);
        auto file = std::make_unique<std::ofstream>(path, std::ios::binary | std::ios::trunc);
        if (!*file) return fail(Errc::io, "cannot be written", path);
        outputs_.push_back(make_output(format_named(format), *file, OutputOptions{}));
        files_.emplace_back(path, std::move(file));
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

    void problem(Level level, const Place& place, const std::string& message) {
        Judged judged;
        judged.place = place;
        judged.allowed = level != Level::error;
        Finding finding;
        finding.level = level;
        finding.place = place;
        finding.message = message;
        judged.findings.push_back(std::move(finding));
        add(judged);
    }

    int finish(const Flags& flags, const policy::PolicySet& set, std::size_t files) {
        summary_.files = files;
        summary_.policies = set.policies.size();
        summary_.rules = rules_of(set);
        summary_.took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - started_);
        for (const auto& output : outputs_) output->finish(summary_);
        std::cout.flush();
        if (!std::cout) return refuse("standard output cannot be written");
        for (auto& [path, file] : files_) {
            file->flush();
            if (!*file) return refuse(path + ": cannot be written");
        }
        if (summary_.errors > 0) return kCouldNotEvaluate;
        if (flags.strict && summary_.not_judged > 0) return kCouldNotEvaluate;
        if (summary_.objects == 0 && summary_.not_judged == 0 && !flags.allow_empty)
            return refuse("nothing to judge in the input; --allow-empty if that is as it should be");
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
    std::vector<std::unique_ptr<Output>> outputs_;
    std::vector<std::pair<std::string, std::unique_ptr<std::ofstream>>> files_;
};

// The objects before, by kind, namespace and name.
class OldObjects {
public:
    explicit OldObjects(const Limits& limits) : json_(limits) {}

    void learn(const kube::ManifestObject& manifest) {
        if (auto key = key_of(manifest)) texts_[*key] = manifest.json;
    }
    const std::string* find(const kube::ManifestObject& manifest) {
        const auto key = key_of(manifest);
        const auto found = key ? texts_.find(*key) : texts_.end();
        return found == texts_.end() ? nullptr : &found->second;
    }

private:
    using Key = std::tuple<std::string, std::string, std::string, std::string>;
    std::optional<Key> key_of(const kube::ManifestObject& manifest) {
        const auto object = json_.read(manifest.json);
        if (!object || !object->is_object()) return std::nullopt;
        const kube::Json metadata = (*object)["metadata"];
        const auto text = [](kube::Json value) { return std::string(value.text()); };
        return Key{kube::split_api_version((*object)["apiVersion"].text()).first, text((*object)["kind"]), text(metadata["namespace"]),
                   text(metadata["name"])};
    }

    kube::JsonReader json_;
    std::map<Key, std::string> texts_;
};

kube::Operation operation_named(std::string_view name) {
    if (name == "UPDATE") return kube::Operation::update;
    if (name == "DELETE") return kube::Operation::remove;
    return kube::Operation::create;
}

// Manifests: once to learn what they say about the cluster, once to judge.
int check_manifests(const Flags& flags, const policy::PolicySet& set, JudgeOptions options, Reports& reports) {
    const Limits& limits = set.options.limits;
    Inputs inputs(flags.paths, limits);
    const auto ignore = [](Level, const Place&, const std::string&) {};

    ClusterFacts facts(flags.namespace_name);
    kube::JsonReader json(limits);
    inputs.read({.object =
                     [&](const std::string&, kube::ManifestObject&& manifest) {
                         if (const auto object = json.read(manifest.json)) facts.learn(*object);
                     },
                 .problem = ignore,
                 .wanted = &ClusterFacts::may_learn_from});

    OldObjects old_objects(limits);
    std::optional<Error> old_problem;
    if (!flags.old.empty()) {
        Inputs old({flags.old}, limits);
        old.read({.object = [&](const std::string&, kube::ManifestObject&& manifest) { old_objects.learn(manifest); },
                  .problem =
                      [&](Level level, const Place& place, const std::string& message) {
                          if (level == Level::error && !old_problem) old_problem = Error{Errc::invalid_argument, message, place.file};
                      }});
        if (old_problem) return refuse("--old: " + old_problem->where + ": " + old_problem->message);
    }

    // With --old, what is not there is new.
    JudgeOptions of_new = options;
    if (!flags.old.empty()) of_new.request.operation = kube::Operation::create;
    if (!flags.old.empty() && flags.operation.empty()) options.request.operation = kube::Operation::update;
    ManifestJudge judge(set, facts, options);
    ManifestJudge judge_new(set, facts, of_new);

    Progress progress("checked", stderr);
    inputs.read({.object =
                     [&](const std::string& file, kube::ManifestObject&& manifest) {
                         const std::string* old = flags.old.empty() ? nullptr : old_objects.find(manifest);
                         auto judged = old || flags.old.empty()
                                           ? judge.judge(manifest, file, old ? std::optional<std::string_view>(*old) : std::nullopt)
                                           : judge_new.judge(manifest, file);
                         if (judged) reports.add(*judged);
                     },
                 .problem = [&](Level level, const Place& place, const std::string& message) { reports.problem(level, place, message); },
                 .progress = [&](std::uint64_t bytes, std::uint64_t total) { progress.show(bytes, total, reports.summary().objects); }});
    progress.clear();
    return reports.finish(flags, set, inputs.files());
}

// Recorded reviews, a line each.
int check_reviews(const Flags& flags, const policy::PolicySet& set, const JudgeOptions& options, Reports& reports) {
    std::ifstream file;
    if (flags.reviews != "-") {
        file.open(flags.reviews, std::ios::binary);
        if (!file) return refuse("cannot read " + flags.reviews);
    }
    std::istream& stream = flags.reviews == "-" ? std::cin : file;
    const std::string shown = flags.reviews == "-" ? "<stdin>" : flags.reviews;
    const ClusterFacts none(flags.namespace_name);
    ManifestJudge judge(set, none, options);
    int number = 0;
    for (std::string line; std::getline(stream, line);) {
        ++number;
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        line.reserve(line.size() + kube::kJsonSlack);
        reports.add(judge.judge_recorded(line, {shown, {number, 1}}));
    }
    return reports.finish(flags, set, 1);
}

int check(const Flags& flags) {
    if (flags.paths.empty() == flags.reviews.empty()) {
        return refuse(flags.paths.empty() ? "nothing to check: name files, folders or - (standard input), or --reviews FILE"
                                          : "give manifests or --reviews, not both");
    }
    const auto user = policy::user_info(flags.as, flags.groups);
    if (!user) return refuse("--as: " + user.error().message);
    JudgeOptions options;
    options.request = {
        .user = *user, .operation = operation_named(flags.operation), .namespace_name = flags.namespace_name, .dry_run = flags.dry_run};
    options.now = SystemClock().now();
    options.presence = !flags.without_presence;
    if (!flags.time.empty()) {
        const auto time = parse_rfc3339(flags.time);
        if (!time) return refuse("--time: " + time.error().message);
        options.now = *time;
    }

    policy::PolicyFolder folder(
        flags.policies,
        {.limits = Limits{}, .namespace_labels = true, .exception_horizon = std::chrono::days(flags.exception_horizon_days)});
    const auto set = load_policies(folder);
    if (!set) return kCouldNotEvaluate;

    std::ios::sync_with_stdio(false);
    Reports reports(flags, set->digest);
    for (const std::string& output : flags.output_files) {
        if (const auto added = reports.add_file(output); !added) return refuse(to_string(added.error()));
    }
    return flags.reviews.empty() ? check_manifests(flags, *set, options, reports) : check_reviews(flags, *set, options, reports);
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
    command->add_option("PATH", flags->paths, "manifests: files, folders, or - for standard input (YAML, JSON, Lists, AdmissionReviews)");
    command->add_option("--policies", flags->policies, "folder of policy files (*.yaml, *.yml, *.json)")->required();
    command->add_option("--reviews", flags->reviews, "recorded AdmissionReviews as JSON Lines instead of manifests; - is standard input");
    command->add_option("-o,--output", flags->format, "output format")->capture_default_str()->check(CLI::IsMember(format_names()));
    command->add_option("--output-file", flags->output_files, "FORMAT=PATH: also write that format to a file; may be given again")
        ->check(CLI::Validator(check_output_file, ""))
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_option("--as", flags->as, "who writes: flux, flux/helm-controller, system:serviceaccount:NAMESPACE:NAME, or a user's name")
        ->capture_default_str();
    command->add_option("--as-group", flags->groups, "a group of that user; may be given again")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_option("--operation", flags->operation, "what is done with the manifests (default CREATE; with --old UPDATE)")
        ->check(CLI::IsMember({"CREATE", "UPDATE", "DELETE"}));
    command->add_option("--old", flags->old, "the manifests before: what is there too is judged as an update");
    command->add_option("-n,--namespace", flags->namespace_name, "of manifests that name none")->capture_default_str();
    command->add_option("--time", flags->time, "judge as at this time, such as 2027-01-31T12:00:00Z: exceptions end, enforceFrom begins");
    command->add_option("--fail-on", flags->fail_on, "the least finding that makes the exit code 1")
        ->capture_default_str()
        ->check(CLI::IsMember({"deny", "warn", "audit", "none"}));
    command->add_flag("--strict", flags->strict, "exit 2 if anything could not be judged (overlays, charts, templates)");
    command->add_flag("--allow-empty", flags->allow_empty, "exit 0 if there is nothing to judge");
    command->add_flag("--dry-run", flags->dry_run, "judge as `kubectl apply --dry-run=server` would be");
    command->add_flag("--without-presence", flags->without_presence,
                      "do not ask for PodDisruptionBudgets: the input is a part of what is deployed");
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
