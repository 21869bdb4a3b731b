#include <iostream>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/files.hpp"
#include "cli/messages.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/text.hpp"
#include "cli/policies.hpp"
#include "cli/testing/policy_tests.hpp"
#include "cli/testing/rule_coverage.hpp"
#include "cli/testing/test_report.hpp"
#include "cli/testing/update_expectations.hpp"

namespace fluxgate::cli {

namespace {

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

int refuse(const std::string& message) { return cli::refuse("test", message); }

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
        for (const Ran& ran : changed) std::cout << log_line(fmt::format("updated  {}: {}", file.path, ran.test_case->name)) << '\n';
        count += changed.size();
    }
    std::cout << counted(count, "expectation") << " updated; review the difference like code\n";
    return kClean;
}

// --- the run ----------------------------------------------------------------------------------------------------------

struct TestRun {
    std::vector<Ran> cases{};
    RuleCoverage coverage{};
    bool broken = false;  // a file, or a set of policies
};

TestRun run_cases(const Flags& flags, const FoundTests& found, const Limits& limits) {
    TestRunner runner({.limits = limits,
                       .policies = flags.policies.empty() ? std::nullopt : std::optional(flags.policies),
                       .exception_horizon = std::chrono::days(flags.exception_horizon_days),
                       .now = SystemClock().now()});
    TestRun run;
    const auto run_test = [&](const TestFile& file, const policy::PolicyTest& test) {
        std::vector<std::string> problems;
        const auto set = runner.set_of(file, test, problems);
        for (const std::string& problem : problems) print_problem(problem);
        if (!set) {
            run.broken = true;
            return print_problem(fmt::format("{}: the policies of test {} do not compile; its cases were not run", file.path, test.name));
        }
        run.coverage.add(*set);
        const auto seen = [&](const kube::Review& sent, const kube::Review& review, const policy::Context& context) {
            run.coverage.judged(sent, review, *set, context);
        };
        for (const policy::PolicyTestCase& test_case : test.cases) {
            if (test_case.name.find(flags.filter) == std::string::npos) continue;
            run.cases.push_back({&file, &test, &test_case, runner.run(file, test, test_case, *set, seen)});
        }
    };
    for (const TestFile& file : found.files) {
        for (const policy::PolicyTest& test : file.tests) run_test(file, test);
    }
    return run;
}

void print_errors(const std::vector<Ran>& cases) {
    for (const Ran& ran : cases) {
        if (!ran.result.error.empty()) print_problem(ran.result.error);
    }
}

void print_reviews(const std::vector<Ran>& cases) {
    print_errors(cases);
    for (const Ran& ran : cases) {
        if (!ran.result.review.empty()) std::cout << safe_json(ran.result.review) << '\n';
    }
}

int report(const Flags& flags, const TestRun& run) {
    const bool with_coverage = flags.coverage || flags.coverage_min > 0;
    const RuleCoverage* coverage = with_coverage ? &run.coverage : nullptr;
    if (flags.output == "text") write_text(run.cases, coverage, Style::of(stdout), std::cout);
    if (flags.output == "json") write_json(run.cases, coverage, std::cout);
    if (flags.output == "junit") write_junit(run.cases, std::cout);
    if (!flags.junit_file.empty()) {
        auto file = NewFile::create(flags.junit_file);
        if (!file) return refuse(to_string(file.error()));
        write_junit(run.cases, file->stream());
        if (const auto written = file->finish(); !written) return refuse(to_string(written.error()));
    }
    const Totals totals = totals_of(run.cases);
    if (totals.errors > 0) return kCouldNotEvaluate;
    if (run.coverage.percent() < flags.coverage_min) {
        refuse(fmt::format("{} % of the rules are exercised; --coverage-min asks for {} %", run.coverage.percent(), flags.coverage_min));
        return kFindings;
    }
    return totals.failed > 0 ? kFindings : kClean;
}

int test(const Flags& flags) {
    const Limits limits;
    if (!flags.junit_file.empty()) {
        const auto policies = flags.policies.empty() ? std::vector<std::string>{} : std::vector{flags.policies};
        if (const auto good = check_outputs({flags.junit_file}, flags.paths, policies); !good)
            return refuse("--junit-file: " + good.error().message);
    }
    const FoundTests found = find_policy_tests(flags.paths, limits);
    for (const std::string& problem : found.problems) print_problem(problem);
    if (found.files.empty() && found.problems.empty())
        return refuse(fmt::format("no PolicyTest found in {}", fmt::join(flags.paths, ", ")));

    const TestRun run = run_cases(flags, found, limits);
    const bool broken = run.broken || !found.problems.empty();
    int exit_code = kClean;
    if (flags.reviews) {
        print_reviews(run.cases);
    } else if (run.cases.empty()) {
        return broken ? kCouldNotEvaluate : refuse(fmt::format("no case has \"{}\" in its name", flags.filter));
    } else if (flags.update) {
        print_errors(run.cases);
        exit_code = update(found.files, run.cases, limits);
    } else {
        exit_code = report(flags, run);
    }
    return broken || totals_of(run.cases).errors > 0 ? kCouldNotEvaluate : exit_code;
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
