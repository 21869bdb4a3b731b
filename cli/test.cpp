#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/output/report.hpp"
#include "cli/policies.hpp"
#include "cli/testing/policy_tests.hpp"
#include "cli/testing/rule_coverage.hpp"
#include "cli/testing/update_expectations.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

struct Flags {
    std::vector<std::string> paths{"."};
    std::string policies;
    std::string output = "text";
    std::string junit_file;
    std::string filter;
    bool update = false;
    bool coverage = false;
    bool reviews = false;
    unsigned coverage_min = 0;
    unsigned exception_horizon_days = 180;
};

// A case with what became of it.
struct Ran {
    const TestFile* file;
    const policy::PolicyTest* test;
    const policy::PolicyTestCase* test_case;
    CaseResult result;
};

struct Totals {
    std::size_t cases = 0;
    std::size_t failed = 0;
    std::size_t errors = 0;
};

Totals totals_of(const std::vector<Ran>& cases) {
    Totals totals{.cases = cases.size()};
    for (const Ran& ran : cases) {
        if (!ran.result.error.empty())
            ++totals.errors;
        else if (!ran.result.passed())
            ++totals.failed;
    }
    return totals;
}

int refuse(const std::string& message) {
    std::fprintf(stderr, "fluxgate test: %s\n", message.c_str());
    return kCouldNotEvaluate;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string counted(std::size_t count, std::string_view noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

// --- text -------------------------------------------------------------------------------------------------------------

std::string shown(const policy::DiffLine& line, Style style) {
    switch (line.side) {
        case policy::DiffLine::Side::both: return "      " + line.text + "\n";
        case policy::DiffLine::Side::expected: return style.paint(Colour::red, "    - " + line.text) + "\n";
        case policy::DiffLine::Side::actual: return style.paint(Colour::green, "    + " + line.text) + "\n";
    }
    return {};
}

std::string shown(const Ran& ran, Style style) {
    if (ran.result.passed()) return {};
    if (!ran.result.error.empty()) {
        return fmt::format("  {}: {}\n    {}\n", style.paint(Colour::yellow, "could not run"), ran.test_case->name, ran.result.error);
    }
    const kube::Position position = ran.test_case->place.key;
    std::string text =
        fmt::format("  {}:{}:{}: {}\n", ran.file->path, position.line, position.column, style.paint(Colour::bold, ran.test_case->name));
    for (const policy::DiffLine& line : ran.result.differences) text += shown(line, style);
    return text;
}

std::string shown(const RuleCoverage& coverage, Style style) {
    std::string text = fmt::format("{} of {} rules exercised ({} %)\n", coverage.exercised(), coverage.rules().size(), coverage.percent());
    for (const RuleExercise& rule : coverage.rules()) {
        if (rule.exercise == Exercise::found) continue;
        const std::string_view how = rule.exercise == Exercise::never ? "is never exercised" : "finds nothing in any case";
        text += style.paint(Colour::yellow, fmt::format("  rule {} of policy {} {}", rule.rule, rule.policy, how)) + "\n";
    }
    return text;
}

std::string summary(const std::vector<Ran>& cases, std::size_t files) {
    const Totals totals = totals_of(cases);
    std::string text = fmt::format("{} in {}: {} passed", counted(totals.cases, "case"), counted(files, "file"),
                                   totals.cases - totals.failed - totals.errors);
    if (totals.failed > 0) text += fmt::format(", {} failed", totals.failed);
    if (totals.errors > 0) text += fmt::format(", {} could not run", totals.errors);
    return text + "\n";
}

void write_text(const std::vector<Ran>& cases, const RuleCoverage* coverage, std::size_t files) {
    const Style style = Style::of(stdout);
    for (std::size_t first = 0; first < cases.size();) {
        std::size_t end = first;
        while (end < cases.size() && cases[end].test == cases[first].test) ++end;
        const std::vector<Ran> of_test(cases.begin() + static_cast<std::ptrdiff_t>(first),
                                       cases.begin() + static_cast<std::ptrdiff_t>(end));
        const Totals totals = totals_of(of_test);
        const bool well = totals.failed + totals.errors == 0;
        print(fmt::format("{}  {}  {}  {}\n", style.paint(well ? Colour::green : Colour::red, well ? "ok  " : "FAIL"),
                          of_test.front().test->name, counted(totals.cases, "case"),
                          style.paint(Colour::grey, of_test.front().file->path)));
        for (const Ran& ran : of_test) print(shown(ran, style));
        first = end;
    }
    if (coverage) print(shown(*coverage, style));
    print(summary(cases, files));
}

// --- JSON -------------------------------------------------------------------------------------------------------------

std::string_view name_of(Exercise exercise) {
    switch (exercise) {
        case Exercise::never: return "never";
        case Exercise::only_passing: return "only-passing";
        case Exercise::found: return "found";
    }
    return "never";
}

ordered_json to_json(const Ran& ran) {
    const CaseResult& result = ran.result;
    ordered_json json{{"file", ran.file->path},
                      {"line", ran.test_case->position.line},
                      {"test", ran.test->name},
                      {"case", ran.test_case->name},
                      {"result", !result.error.empty() ? "error"
                                 : result.passed()     ? "passed"
                                                       : "failed"}};
    if (!result.error.empty()) {
        json["error"] = result.error;
        return json;
    }
    json["allowed"] = result.verdict.allowed;
    json["message"] = result.message;
    json["violations"] = ordered_json::array();
    for (const policy::Violation& violation : result.verdict.violations) {
        json["violations"].push_back({{"policy", violation.policy},
                                      {"rule", violation.rule},
                                      {"path", violation.path},
                                      {"action", policy::name_of(violation.action)},
                                      {"message", "have " + violation.have + ", want " + violation.want}});
    }
    json["warnings"] = result.verdict.warnings;
    json["differences"] = ordered_json::array();
    for (const policy::DiffLine& line : result.differences) {
        if (line.side == policy::DiffLine::Side::both) continue;
        json["differences"].push_back((line.side == policy::DiffLine::Side::expected ? "- " : "+ ") + line.text);
    }
    return json;
}

void write_json(const std::vector<Ran>& cases, const RuleCoverage* coverage) {
    const Totals totals = totals_of(cases);
    ordered_json json{{"cases", ordered_json::array()},
                      {"summary",
                       {{"cases", totals.cases},
                        {"passed", totals.cases - totals.failed - totals.errors},
                        {"failed", totals.failed},
                        {"errors", totals.errors}}}};
    for (const Ran& ran : cases) json["cases"].push_back(to_json(ran));
    if (coverage) {
        ordered_json rules = ordered_json::array();
        for (const RuleExercise& rule : coverage->rules())
            rules.push_back({{"policy", rule.policy}, {"rule", rule.rule}, {"exercised", name_of(rule.exercise)}});
        json["coverage"] = {{"percent", coverage->percent()}, {"exercised", coverage->exercised()}, {"rules", std::move(rules)}};
    }
    print(json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

// --- JUnit ------------------------------------------------------------------------------------------------------------

Judged judged_from(const Ran& ran) {
    Judged judged;
    judged.place = {ran.file->path, ran.test_case->position};
    judged.object.kind = ran.test->name + ":";
    judged.object.name = ran.test_case->name;
    judged.allowed = ran.result.passed();
    const auto add = [&](Level level, std::string message) {
        Finding finding;
        finding.level = level;
        finding.place = {ran.file->path, ran.test_case->place.key};
        if (level == Level::deny) {
            finding.policy = ran.test->name;
            finding.rule = "expect";
        }
        finding.message = std::move(message);
        judged.findings.push_back(std::move(finding));
    };
    if (!ran.result.error.empty()) add(Level::error, ran.result.error);
    for (const policy::DiffLine& line : ran.result.differences) {
        if (line.side != policy::DiffLine::Side::both)
            add(Level::deny, (line.side == policy::DiffLine::Side::expected ? "- " : "+ ") + line.text);
    }
    return judged;
}

void write_junit(const std::vector<Ran>& cases, std::ostream& out) {
    const auto output = make_output(Format::junit, out, {.title = "fluxgate test"});
    for (const Ran& ran : cases) output->judged(judged_from(ran));
    const Totals totals = totals_of(cases);
    Summary of_all;
    of_all.objects = totals.cases;
    of_all.denied = totals.failed;
    of_all.errors = totals.errors;
    output->finish(of_all);
    out.flush();
}

// --- updating ---------------------------------------------------------------------------------------------------------

int update(const std::vector<TestFile>& files, const std::vector<Ran>& cases, const Limits& limits) {
    std::size_t count = 0;
    for (const TestFile& file : files) {
        std::vector<Ran> changed;
        for (const Ran& ran : cases) {
            if (ran.file == &file && !ran.result.differences.empty()) changed.push_back(ran);
        }
        if (changed.empty()) continue;
        std::vector<ExpectationUpdate> updates;
        for (const Ran& ran : changed) {
            const CaseResult& result = ran.result;
            updates.push_back({ran.test_case->place, policy::expectation_of(result.verdict, result.message, ran.test_case->expect)});
        }
        const auto text = update_expectations(file.text, std::move(updates), limits);
        if (!text) return refuse(file.path + ": its expectations cannot be rewritten safely; the file stays as it is: edit it by hand");
        const auto written = replace_file(file.path, *text);
        if (!written) return refuse(to_string(written.error()));
        for (const Ran& ran : changed) print(fmt::format("updated  {}: {}\n", file.path, ran.test_case->name));
        count += changed.size();
    }
    print(fmt::format("{} updated; review the difference like code\n", counted(count, "expectation")));
    return kClean;
}

// --- the run ----------------------------------------------------------------------------------------------------------

int test(const Flags& flags) {
    const Limits limits;
    const FoundTests found = find_policy_tests(flags.paths, limits);
    for (const std::string& problem : found.problems) std::fprintf(stderr, "%s\n", problem.c_str());
    if (found.files.empty() && found.problems.empty())
        return refuse(fmt::format("no PolicyTest found in {}", fmt::join(flags.paths, ", ")));

    TestRunner runner({.limits = limits,
                       .policies = flags.policies.empty() ? std::nullopt : std::optional(flags.policies),
                       .exception_horizon = std::chrono::days(flags.exception_horizon_days),
                       .now = SystemClock().now()});
    std::vector<Ran> cases;
    std::set<const TestFile*> files;
    RuleCoverage rules;
    bool broken = !found.problems.empty();
    for (const TestFile& file : found.files) {
        for (const policy::PolicyTest& one : file.tests) {
            std::vector<std::string> problems;
            const auto set = runner.set_of(file, one, problems);
            for (const std::string& problem : problems) std::fprintf(stderr, "%s\n", problem.c_str());
            if (!set) {
                broken = true;
                std::fprintf(stderr, "%s: the policies of test %s do not compile; its cases were not run\n", file.path.c_str(),
                             one.name.c_str());
                continue;
            }
            rules.add(*set);
            for (const policy::PolicyTestCase& test_case : one.cases) {
                if (test_case.name.find(flags.filter) == std::string::npos) continue;
                files.insert(&file);
                cases.push_back({&file, &one, &test_case,
                                 runner.run(file, one, test_case, *set,
                                            [&](const kube::Review& sent, const kube::Review& review, const policy::Context& context) {
                                                rules.judged(sent, review, *set, context);
                                            })});
            }
        }
    }
    const Totals totals = totals_of(cases);
    if (flags.reviews) {
        for (const Ran& ran : cases) {
            if (!ran.result.error.empty()) std::fprintf(stderr, "%s\n", ran.result.error.c_str());
            if (!ran.result.review.empty()) print(ran.result.review + "\n");
        }
        return broken || totals.errors > 0 ? kCouldNotEvaluate : kClean;
    }
    if (cases.empty() && !broken) return refuse(fmt::format("no case has \"{}\" in its name", flags.filter));
    if (flags.update) {
        for (const Ran& ran : cases) {
            if (!ran.result.error.empty()) std::fprintf(stderr, "%s\n", ran.result.error.c_str());
        }
        const int updated = update(found.files, cases, limits);
        return broken || totals.errors > 0 ? kCouldNotEvaluate : updated;
    }

    if (cases.empty()) return kCouldNotEvaluate;

    const bool with_coverage = flags.coverage || flags.coverage_min > 0;
    const RuleCoverage* coverage = with_coverage ? &rules : nullptr;
    if (flags.output == "text") write_text(cases, coverage, files.size());
    if (flags.output == "json") write_json(cases, coverage);
    if (flags.output == "junit") write_junit(cases, std::cout);
    if (!flags.junit_file.empty()) {
        std::ofstream file(flags.junit_file, std::ios::binary | std::ios::trunc);
        write_junit(cases, file);
        if (!file) return refuse(flags.junit_file + ": cannot be written");
    }
    if (broken || totals.errors > 0) return kCouldNotEvaluate;
    if (rules.percent() < flags.coverage_min) {
        std::fprintf(stderr, "fluxgate test: %u %% of the rules are exercised; --coverage-min asks for %u %%\n", rules.percent(),
                     flags.coverage_min);
        return kFindings;
    }
    return totals.failed > 0 ? kFindings : kClean;
}

}  // namespace

void add_test(CLI::App& app, Run& run) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = app.add_subcommand("test", "run policy unit tests (PolicyTest files) with the webhook's own evaluator");
    command->add_option("PATH", flags->paths, "files, or folders to look through for PolicyTests")->capture_default_str();
    command->add_option("--policies", flags->policies, "a folder or file of policies that takes the place of what the tests name");
    command->add_option("--filter", flags->filter, "run only cases with this text in their name");
    command->add_option("-o,--output", flags->output, "output format")
        ->capture_default_str()
        ->check(CLI::IsMember({"text", "json", "junit"}));
    command->add_option("--junit-file", flags->junit_file, "also write JUnit XML to this file");
    command->add_flag("--coverage", flags->coverage, "also tell which rules no case exercises");
    command->add_option("--coverage-min", flags->coverage_min, "fail if fewer of a hundred rules are exercised; implies --coverage")
        ->check(CLI::Range(0u, 100u));
    CLI::Option* update = command->add_flag("--update", flags->update, "write what was found into the expectations of failing cases");
    command->add_flag("--reviews", flags->reviews, "print the AdmissionReview of each case, a line each, instead of results")
        ->excludes(update);
    command->add_option("--exception-horizon", flags->exception_horizon_days, "GuardExceptions end at most this far ahead")
        ->transform(CLI::Validator(check_days, "DAYS"))
        ->default_str("180d");
    command->footer(
        "A PolicyTest names policies, and requests with what is meant to become of them:\n\n"
        "  apiVersion: fluxgate.dev/v1alpha1\n"
        "  kind: PolicyTest\n"
        "  metadata: {name: workloads}\n"
        "  spec:\n"
        "    policies: [../workloads.yaml]\n"
        "    cases:\n"
        "    - name: a Deployment without limits is refused\n"
        "      object: deployment.yaml\n"
        "      expect: {allowed: false, violations: [{rule: limits}]}\n\n"
        "  fluxgate test policies --coverage       all tests below policies/, and what they leave out\n"
        "  fluxgate test policies --update         accept the verdicts; then review the difference like code\n"
        "  fluxgate test policies --reviews | fluxgate check --policies policies --reviews -\n\n"
        "Exits 0 if all cases pass, 1 if one fails or too few rules are exercised, 2 if a file or policy is broken, a case cannot run,\n"
        "or no test is found.");
    command->callback([flags, &run] { run = [flags] { return test(*flags); }; });
}

}  // namespace fluxgate::cli
