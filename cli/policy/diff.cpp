#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/judging.hpp"
#include "cli/messages.hpp"
#include "cli/output/formats.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/style.hpp"
#include "cli/output/text.hpp"
#include "cli/policies.hpp"
#include "cli/policy/policy_source.hpp"
#include "policy/compare.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;
using policy::Outcome;

struct Flags {
    JudgingFlags judging;
    std::string old_folder;
    std::string new_folder;
    std::string format = "text";
    unsigned exception_horizon_days = 180;
};

constexpr std::size_t kTextMax = 400;

int refuse(const std::string& message) { return cli::refuse("policy diff", message); }

// A violation with its place in the manifests.
struct PlacedViolation {
    policy::Violation violation;
    Place place;
};

struct ObjectChange {
    Place place;
    ObjectName object;
    Outcome outcome = Outcome::same;
    bool allowed = true;  // by the new set
    std::vector<PlacedViolation> gained{};
    std::vector<PlacedViolation> lost{};
    std::vector<std::string> warnings_gained{};
    std::vector<std::string> warnings_lost{};
};

struct Report {
    std::vector<policy::SetChange> policies{};
    std::vector<ObjectChange> objects{};
    std::vector<Finding> problems{};  // what could not be judged
    std::size_t judged = 0;
    bool with_objects = false;
    bool errors = false;

    std::size_t count(Outcome outcome) const {
        return static_cast<std::size_t>(
            std::count_if(objects.begin(), objects.end(), [&](const ObjectChange& change) { return change.outcome == outcome; }));
    }
};

std::vector<PlacedViolation> placed(const std::vector<policy::Violation>& violations, const Judged& judged) {
    std::vector<PlacedViolation> list;
    for (const policy::Violation& violation : violations) {
        const auto found = std::find_if(judged.findings.begin(), judged.findings.end(), [&](const Finding& finding) {
            return finding.policy == violation.policy && finding.rule == violation.rule && finding.path == violation.path;
        });
        list.push_back({violation, found == judged.findings.end() ? judged.place : found->place});
    }
    return list;
}

std::vector<std::string> without(const std::vector<std::string>& list, const std::vector<std::string>& others) {
    std::vector<std::string> rest;
    for (const std::string& text : list) {
        if (std::find(others.begin(), others.end(), text) == others.end()) rest.push_back(text);
    }
    return rest;
}

ObjectChange change_of(const Judged& before, const Judged& after, const policy::VerdictChange& change) {
    return {.place = after.place,
            .object = after.object,
            .outcome = change.outcome,
            .allowed = after.allowed,
            .gained = placed(change.gained, after),
            .lost = placed(change.lost, before),
            .warnings_gained = without(after.warnings, before.warnings),
            .warnings_lost = without(before.warnings, after.warnings)};
}

Result<void> judge_objects(const Flags& flags, const PolicySource& before, const PolicySource& after, Report& report) {
    std::vector<std::optional<policy::Verdict>> verdicts(2);
    JudgingEvents events;
    events.observe = [&](std::size_t set, const kube::Review&, const policy::Context&, const policy::Verdict& verdict) {
        verdicts[set] = verdict;
    };
    events.judged = [&](std::vector<Judged>&& judged) {
        for (const Finding& finding : judged[1].findings) {
            if (finding.level != Level::error && finding.level != Level::not_judged) continue;
            report.errors = report.errors || finding.level == Level::error;
            report.problems.push_back(finding);
        }
        const auto old_one = std::exchange(verdicts[0], std::nullopt);
        const auto new_one = std::exchange(verdicts[1], std::nullopt);
        if (!old_one || !new_one) return;
        ++report.judged;
        const policy::VerdictChange change = policy::compare(*old_one, *new_one);
        if (change.outcome != Outcome::same) report.objects.push_back(change_of(judged[0], judged[1], change));
    };
    const auto read = judge_input(flags.judging, {before.set.get(), after.set.get()}, events);
    if (!read) return tl::unexpected(read.error());
    return {};
}

// --- words that several formats share ---------------------------------------------------------------------------------

std::string phrase(const ObjectChange& change) {
    switch (change.outcome) {
        case Outcome::denied: return "becomes denied";
        case Outcome::allowed: return "becomes allowed";
        case Outcome::findings: return change.allowed ? "stays allowed" : "stays denied";
        case Outcome::same: break;
    }
    return "stays as it is";
}

std::string summary_of(const Report& report) {
    const std::size_t changes = report.policies.size();
    if (!report.with_objects) return changes == 0 ? "nothing changes" : fmt::format("{} {}", changes, changes == 1 ? "change" : "changes");
    return fmt::format("objects judged: {}; become denied: {}, become allowed: {}, have other findings: {}, stay as they are: {}",
                       report.judged, report.count(Outcome::denied), report.count(Outcome::allowed), report.count(Outcome::findings),
                       report.judged - report.objects.size());
}

std::string text_of(const PlacedViolation& placed) {
    return std::string(to_string(placed.violation.action)) + " " + visible(to_string(placed.violation), kTextMax);
}

std::string value_of(const std::string& json) { return json.empty() ? "(absent)" : visible(json, kTextMax); }

// --- text -------------------------------------------------------------------------------------------------------------

void write_text(const Report& report) {
    const Style style = Style::of(stdout);
    const auto colour_of = [](Outcome outcome) {
        return outcome == Outcome::denied ? Colour::red : outcome == Outcome::allowed ? Colour::green : Colour::yellow;
    };
    if (!report.with_objects) {
        for (const policy::SetChange& change : report.policies) {
            std::cout << style.paint(Colour::bold, to_string(change.change)) << "  " << visible(change.kind + " " + change.name) << "  "
                      << style.paint(Colour::grey, visible(to_string(Place{change.file, change.position}))) << '\n';
            for (const policy::FieldChange& field : change.fields)
                std::cout << "    " << visible(field.path) << ": " << value_of(field.before) << " -> " << value_of(field.after) << '\n';
        }
    }
    for (const Finding& problem : report.problems)
        std::cout << to_string(problem.level) << "  " << visible(to_string(problem.place)) << ": " << visible(problem.message, kTextMax)
                  << '\n';
    for (const ObjectChange& change : report.objects) {
        std::cout << style.paint(colour_of(change.outcome), phrase(change)) << "  "
                  << style.paint(Colour::bold, visible(to_string(change.object))) << "  "
                  << style.paint(Colour::grey, visible(to_string(change.place))) << '\n';
        const auto list = [&](char sign, Colour colour, const std::vector<PlacedViolation>& violations) {
            for (const PlacedViolation& violation : violations) {
                std::cout << "  " << style.paint(colour, std::string(1, sign) + " " + text_of(violation)) << "  "
                          << style.paint(Colour::grey, visible(to_string(violation.place))) << '\n';
            }
        };
        list('+', Colour::red, change.gained);
        list('-', Colour::green, change.lost);
        // Warnings repeat the violations that warn; where none changes, they are all that is new.
        if (!change.gained.empty() || !change.lost.empty()) continue;
        for (const std::string& warning : change.warnings_gained) std::cout << "  + warning: " << visible(warning, kTextMax) << '\n';
        for (const std::string& warning : change.warnings_lost) std::cout << "  - warning: " << visible(warning, kTextMax) << '\n';
    }
    std::cout << summary_of(report) << '\n';
}

// --- json -------------------------------------------------------------------------------------------------------------

ordered_json place_json(const Place& place) {
    return {{"file", place.file}, {"line", place.position.line}, {"column", place.position.column}};
}

ordered_json violations_json(const std::vector<PlacedViolation>& violations) {
    ordered_json list = ordered_json::array();
    for (const auto& [violation, place] : violations) {
        list.push_back({{"policy", violation.policy},
                        {"rule", violation.rule},
                        {"path", violation.path},
                        {"have", violation.have},
                        {"want", violation.want},
                        {"action", to_string(violation.action)},
                        {"place", place_json(place)}});
    }
    return list;
}

void write_json(const Report& report) {
    ordered_json policies = ordered_json::array();
    for (const policy::SetChange& change : report.policies) {
        ordered_json fields = ordered_json::array();
        // The values are JSON already.
        const auto value = [](const std::string& text) { return text.empty() ? ordered_json() : ordered_json::parse(text); };
        for (const policy::FieldChange& field : change.fields)
            fields.push_back({{"path", field.path}, {"before", value(field.before)}, {"after", value(field.after)}});
        policies.push_back({{"change", to_string(change.change)},
                            {"kind", change.kind},
                            {"name", change.name},
                            {"place", place_json({change.file, change.position})},
                            {"fields", std::move(fields)}});
    }
    ordered_json all{{"policies", std::move(policies)}};
    if (report.with_objects) {
        all["objects"] = ordered_json::array();
        for (const ObjectChange& change : report.objects) {
            all["objects"].push_back({{"apiVersion", change.object.api_version},
                                      {"kind", change.object.kind},
                                      {"namespace", change.object.namespace_name},
                                      {"name", change.object.name},
                                      {"place", place_json(change.place)},
                                      {"outcome", to_string(change.outcome)},
                                      {"allowed", change.allowed},
                                      {"gained", violations_json(change.gained)},
                                      {"lost", violations_json(change.lost)},
                                      {"warningsGained", change.warnings_gained},
                                      {"warningsLost", change.warnings_lost}});
        }
        all["problems"] = ordered_json::array();
        for (const Finding& problem : report.problems) {
            all["problems"].push_back(
                {{"level", to_string(problem.level)}, {"place", place_json(problem.place)}, {"message", problem.message}});
        }
        all["summary"] = {{"judged", report.judged},
                          {"denied", report.count(Outcome::denied)},
                          {"allowed", report.count(Outcome::allowed)},
                          {"findings", report.count(Outcome::findings)}};
    }
    std::cout << dump(all, 2) << '\n';
}

// --- markdown ---------------------------------------------------------------------------------------------------------

// What a manifest says is shown as code, which no Markdown and no mention can get out of.
std::string code(std::string_view text) {
    std::string safe = visible(text, kTextMax);
    std::replace(safe.begin(), safe.end(), '`', '\'');
    std::string cell;
    for (const char c : without_log_commands(safe, "#")) cell += c == '|' ? std::string("\\|") : std::string(1, c);
    return "`" + cell + "`";
}

// GitHub takes comments of 65,536 characters.
constexpr std::size_t kRowsMax = 100;

void write_markdown(const Report& report) {
    std::cout << "### Fluxgate: what this change of the policies does\n\n" << summary_of(report) << "\n";
    std::size_t rows = 0;
    if (!report.policies.empty()) {
        std::cout << "\n| policies | field | before | after |\n|---|---|---|---|\n";
        for (const policy::SetChange& change : report.policies) {
            const std::string name = fmt::format("{} {} {}", to_string(change.change), change.kind, code(change.name));
            if (change.fields.empty() && rows++ < kRowsMax) std::cout << "| " << name << " | | | |\n";
            for (const policy::FieldChange& field : change.fields) {
                if (rows++ >= kRowsMax) continue;
                std::cout << "| " << name << " | " << code(field.path) << " | " << code(field.before.empty() ? "(absent)" : field.before)
                          << " | " << code(field.after.empty() ? "(absent)" : field.after) << " |\n";
            }
        }
    }
    if (!report.objects.empty()) {
        std::cout << "\n| object | | violation | place |\n|---|---|---|---|\n";
        const auto row = [&](const ObjectChange& change, const std::string& what, const Place& place) {
            if (rows++ >= kRowsMax) return;
            std::cout << "| " << code(to_string(change.object)) << " | " << phrase(change) << " | " << what << " | "
                      << code(to_string(place)) << " |\n";
        };
        for (const ObjectChange& change : report.objects) {
            for (const PlacedViolation& violation : change.gained) row(change, "+ " + code(text_of(violation)), violation.place);
            for (const PlacedViolation& violation : change.lost) row(change, "- " + code(text_of(violation)), violation.place);
            if (change.gained.empty() && change.lost.empty()) row(change, "other warnings", change.place);
        }
    }
    if (rows > kRowsMax) std::cout << "\n… and " << rows - kRowsMax << " more rows.\n";
    for (const Finding& problem : report.problems)
        std::cout << "\n" << to_string(problem.level) << ": " << code(to_string(problem.place) + ": " + problem.message) << "\n";
}

// --- the command ------------------------------------------------------------------------------------------------------

int diff(const Flags& flags) {
    std::ios::sync_with_stdio(false);
    const std::chrono::days horizon(flags.exception_horizon_days);
    const auto before = require_policy_source(flags.old_folder, horizon, "policy diff");
    const auto after = require_policy_source(flags.new_folder, horizon, "policy diff");
    if (!before || !after) return kCouldNotEvaluate;

    Report report;
    report.policies = policy::compare(before->documents, after->documents);
    report.with_objects = !flags.judging.paths.empty() || !flags.judging.reviews.empty();
    if (report.with_objects) {
        if (const auto judged = judge_objects(flags, *before, *after, report); !judged) return refuse(judged.error().message);
    }
    if (flags.format == "json")
        write_json(report);
    else if (flags.format == "markdown")
        write_markdown(report);
    else
        write_text(report);
    if (report.errors) return kCouldNotEvaluate;
    if (report.with_objects && report.judged == 0 && report.problems.empty()) return refuse("nothing to judge in the input");
    const bool changes = report.with_objects ? !report.objects.empty() : !report.policies.empty();
    return changes ? kFindings : kClean;
}

}  // namespace

void add_policy_diff(CLI::App& policy, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = policy.add_subcommand("diff", "show what a change of policies does to manifests, or what changed in them");
    command->add_option("OLD", flags->old_folder, "folder of the policies as they are")->required();
    command->add_option("NEW", flags->new_folder, "folder of the policies as they would be")->required();
    add_judging_flags(*command, flags->judging, "MANIFEST");
    command->add_option("-o,--output", flags->format, "output format")
        ->capture_default_str()
        ->check(CLI::IsMember({"text", "json", "markdown"}));
    command->add_option("--exception-horizon", flags->exception_horizon_days, "GuardExceptions end at most this far ahead")
        ->transform(CLI::Validator(check_days, "DAYS"))
        ->default_str("180d");
    command->footer(
        "With manifests or --reviews: judges each by both sets, and lists what becomes denied or allowed and which violations come and\n"
        "go. Without: which policies, rules and exceptions were added, removed or changed, by their meaning.\n"
        "Examples:\n"
        "  git worktree add /tmp/main main && kustomize build apps/production | fluxgate policy diff /tmp/main/policies policies -\n"
        "  fluxgate policy diff old/ new/ --reviews recorded.jsonl -o markdown\n"
        "  fluxgate policy diff old/ new/\n"
        "Exits 0 if nothing changes, 1 if something does, 2 if a set does not compile or something could not be read.");
    command->callback([flags, &run] { run = [flags] { return diff(*flags); }; });
}

}  // namespace fluxgate::cli
