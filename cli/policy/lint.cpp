#include "policy/lint.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/input/inputs.hpp"
#include "cli/messages.hpp"
#include "cli/output/formats.hpp"
#include "cli/output/report.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/text.hpp"
#include "cli/policies.hpp"
#include "cli/policy/policy_source.hpp"
#include "kube/pod_template.hpp"
#include "kube/resource_kinds.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;
using policy::Severity;

struct Flags {
    std::string folder;
    std::vector<std::string> manifests;
    std::string format = "text";
    std::string fail_on = "warning";
    std::string time;
    std::string namespace_name = "default";
    unsigned exception_horizon_days = 180;
};

// What is shown: a lint, or a problem for which the set does not compile.
struct Line {
    std::string id;
    Severity severity = Severity::error;
    Place place{};
    std::string subject{};
    std::string message{};
    std::string fix{};
};

constexpr std::string_view kDoesNotCompile = "does-not-compile";

std::vector<Line> lines_of(const std::vector<policy::Lint>& lints) {
    std::vector<Line> lines;
    for (const policy::Lint& lint : lints) {
        lines.push_back({.id = std::string(lint.kind().name),
                         .severity = lint.kind().severity,
                         .place = {lint.file, lint.position},
                         .subject = lint.subject,
                         .message = lint.message,
                         .fix = lint.fix});
    }
    return lines;
}

// Why the set does not compile.
std::vector<Line> lines_of(const PolicySource& source) {
    std::vector<Line> lines;
    const auto add = [&](Place place, std::string message) {
        Line line;
        line.id = kDoesNotCompile;
        line.place = std::move(place);
        line.message = std::move(message);
        lines.push_back(std::move(line));
    };
    for (const policy::Problem& problem : source.problems) add({problem.file, problem.position}, problem.message);
    if (source.problems_omitted > 0) add({}, fmt::format("and {} more problems", source.problems_omitted));
    return lines;
}

struct Counts {
    std::size_t errors = 0;
    std::size_t warnings = 0;
    std::size_t notes = 0;
};

Counts count(const std::vector<Line>& lines) {
    Counts counts;
    for (const Line& line : lines)
        ++(line.severity == Severity::error ? counts.errors : line.severity == Severity::warning ? counts.warnings : counts.notes);
    return counts;
}

std::string summary_of(const std::vector<Line>& lines, const PolicySource& source) {
    const Counts counts = count(lines);
    const std::string sum =
        fmt::format("{}, {}, {}", counted(counts.errors, "error"), counted(counts.warnings, "warning"), counted(counts.notes, "note"));
    if (!source.set) return fmt::format("The policies do not compile: {}", sum);
    const std::size_t policies = source.set->policies.size();
    return fmt::format("{} {} and {} in {}: {}", policies, policies == 1 ? "policy" : "policies",
                       counted(source.set->exceptions.size(), "exception"), counted(source.files, "file"),
                       lines.empty() ? "nothing to say" : sum);
}

// --- what patterns are tried on ---------------------------------------------------------------------------------------

struct Tree {
    policy::ManifestNames names{};
    std::vector<std::string> errors{};
};

class TreeReader {
public:
    explicit TreeReader(const Flags& flags) : flags_(flags), json_(limits_) {}

    Tree read() {
        Inputs inputs(flags_.manifests, limits_);
        // Kinds first: a CustomResourceDefinition may stand behind its objects.
        const auto each = [&](auto&& f, auto&& problem) {
            inputs.read({.object =
                             [&](const std::string&, kube::ManifestObject&& manifest) {
                                 if (const auto object = json_.read(manifest.json)) f(*object);
                             },
                         .problem = problem});
        };
        each([&](kube::Json object) { kinds_.learn(object); }, [](Level, const Place&, const std::string&) {});
        each([&](kube::Json object) { learn(object); },
             [&](Level level, const Place& place, const std::string& message) {
                 if (level == Level::error) tree_.errors.push_back(to_string(place) + ": " + message);
             });
        return std::move(tree_);
    }

private:
    void learn(kube::Json object) {
        const auto [group, version] = kube::split_api_version(object["apiVersion"].text());
        const std::string_view kind = object["kind"].text();
        const std::string_view name = object["metadata"]["name"].text();
        if (kind.empty() || name.empty() || group == "fluxgate.dev") return;
        const kube::ResourceKind resource = kinds_.find(group, kind);
        tree_.names.objects.emplace(name);
        const std::string_view namespace_name = object["metadata"]["namespace"].text();
        if (group.empty() && kind == "Namespace")
            tree_.names.namespaces.emplace(name);
        else if (!namespace_name.empty())
            tree_.names.namespaces.emplace(namespace_name);
        else if (resource.namespaced && !resource.guessed)
            tree_.names.namespaces.insert(flags_.namespace_name);
        const auto pod = kube::find_pod_template({group, version, resource.resource}, object);
        if (pod) pod->each_container([&](const kube::Container& container) { tree_.names.containers.emplace(container.name); });
    }

    const Flags& flags_;
    const Limits limits_{};
    kube::JsonReader json_;
    kube::ResourceKinds kinds_;
    Tree tree_;
};

// --- outputs ----------------------------------------------------------------------------------------------------------

Colour colour_of(Severity severity) {
    return severity == Severity::error ? Colour::red : severity == Severity::warning ? Colour::yellow : Colour::grey;
}

void write_text(const std::vector<Line>& lines, const PolicySource& source) {
    const Style style = Style::of(stdout);
    for (const Line& line : lines) {
        const std::string subject = line.subject.empty() ? "" : line.subject + ": ";
        std::cout << log_line(to_string(line.place)) << ": " << style.paint(colour_of(line.severity), to_string(line.severity)) << ": "
                  << visible(subject + line.message) << style.paint(Colour::grey, " [" + line.id + "]") << '\n';
        if (!line.fix.empty()) std::cout << "    " << style.paint(Colour::grey, visible(line.fix)) << '\n';
    }
    const Counts counts = count(lines);
    const Colour colour = counts.errors > 0 ? Colour::red : counts.warnings > 0 ? Colour::yellow : Colour::green;
    std::cout << style.paint(colour, summary_of(lines, source)) << '\n';
}

void write_json(const std::vector<Line>& lines) {
    ordered_json list = ordered_json::array();
    for (const Line& line : lines) {
        list.push_back({{"id", line.id},
                        {"severity", to_string(line.severity)},
                        {"file", line.place.file},
                        {"line", line.place.position.line},
                        {"column", line.place.position.column},
                        {"subject", line.subject},
                        {"message", line.message},
                        {"fix", line.fix}});
    }
    const Counts counts = count(lines);
    const ordered_json all{{"lints", std::move(list)},
                           {"summary", {{"errors", counts.errors}, {"warnings", counts.warnings}, {"notes", counts.notes}}}};
    std::cout << dump(all, 2) << '\n';
}

// For the formats that `check` has too: a lint is a finding of the policy "lint".
Finding finding_of(const Line& line) {
    Finding finding;
    finding.level = line.severity == Severity::error ? Level::deny : line.severity == Severity::warning ? Level::warn : Level::audit;
    finding.place = line.place;
    finding.policy = "lint";
    finding.rule = line.id;
    finding.message = (line.subject.empty() ? "" : line.subject + ": ") + line.message;
    finding.guidance = line.fix;
    return finding;
}

void write_report(Format format, const std::vector<Line>& lines, const PolicySource& source) {
    const auto output = make_output(format, std::cout, OutputOptions{});
    for (const Line& line : lines) {
        Judged judged;
        judged.place = line.place;
        judged.findings.push_back(finding_of(line));
        output->judged(judged);
    }
    if (format == Format::github) {  // its summary speaks of objects
        std::cout << summary_of(lines, source) << '\n';
        return;
    }
    Summary summary;
    summary.files = source.files;
    if (source.set) summary.policy_set = source.set->digest;
    for (const policy::LintKind& kind : policy::kLintKinds)
        summary.rules.push_back(
            {.policy = "lint", .rule = std::string(kind.name), .type = "lint", .description = std::string(kind.meaning)});
    output->finish(summary);
}

bool fails(const Flags& flags, const std::vector<Line>& lines) {
    if (flags.fail_on == "none") return false;
    const Severity least = flags.fail_on == "error" ? Severity::error : flags.fail_on == "warning" ? Severity::warning : Severity::note;
    return std::any_of(lines.begin(), lines.end(), [&](const Line& line) { return line.severity >= least; });
}

int refuse(const std::string& message) { return cli::refuse("policy lint", message); }

int lint(const Flags& flags) {
    WallTime now = SystemClock().now();
    if (!flags.time.empty()) {
        const auto time = parse_rfc3339(flags.time);
        if (!time) return refuse("--time: " + time.error().message);
        now = *time;
    }
    const auto source = read_policy_source(flags.folder, std::chrono::days(flags.exception_horizon_days), now);
    if (!source) return refuse(to_string(source.error()));
    std::optional<Tree> tree;
    if (!flags.manifests.empty() && source->set) {
        tree = TreeReader(flags).read();
        for (const std::string& error : tree->errors) print_problem(error);
    }
    const std::vector<Line> lines =
        source->set ? lines_of(policy::lint(*source->set, source->documents, now, tree ? &tree->names : nullptr)) : lines_of(*source);
    if (flags.format == "text")
        write_text(lines, *source);
    else if (flags.format == "json")
        write_json(lines);
    else
        write_report(format_named(flags.format), lines, *source);
    if (!source->set) return kCouldNotEvaluate;
    // A pattern may match in what could not be read.
    if (tree && !tree->errors.empty()) return refuse("not all manifests could be read");
    return fails(flags, lines) ? kFindings : kClean;
}

}  // namespace

void add_policy_lint(CLI::App& policy, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = policy.add_subcommand("lint", "find what is odd in policies that compile, and what does not compile");
    command->add_option("DIR", flags->folder, "folder of policy files (*.yaml, *.yml, *.json)")->required();
    command->add_option("MANIFEST", flags->manifests, "manifests (files, folders, -): patterns that match nothing in them are named");
    command->add_option("-o,--output", flags->format, "output format")
        ->capture_default_str()
        ->check(CLI::IsMember({"text", "json", "sarif", "github"}));
    command->add_option("--fail-on", flags->fail_on, "the least severity that makes the exit code 1")
        ->capture_default_str()
        ->check(CLI::IsMember({"error", "warning", "note", "none"}));
    command->add_option("--time", flags->time, "lint as at this time, such as 2027-01-31T12:00:00Z: exceptions end, enforceFrom passes");
    command->add_option("-n,--namespace", flags->namespace_name, "of manifests that name none")->capture_default_str();
    command->add_option("--exception-horizon", flags->exception_horizon_days, "GuardExceptions end at most this far ahead")
        ->transform(CLI::Validator(check_days, "DAYS"))
        ->default_str("180d");
    command->footer(
        "Says only what is certain: lines without effect, locks that refuse what nobody means to refuse, dates that come near.\n"
        "Examples:\n"
        "  fluxgate policy lint policies/\n"
        "  kustomize build apps/production | fluxgate policy lint policies/ -\n"
        "  fluxgate policy lint policies/ --fail-on error -o sarif > lint.sarif\n"
        "Exits 0 if there is nothing but notes, 1 on warnings and errors (--fail-on), 2 if the policies do not compile or something\n"
        "could not be read.");
    command->callback([flags, &run] { run = [flags] { return lint(*flags); }; });
}

}  // namespace fluxgate::cli
