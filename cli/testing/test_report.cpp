#include "cli/testing/test_report.hpp"

#include <algorithm>
#include <ostream>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/output/formats.hpp"
#include "cli/output/junit.hpp"
#include "cli/output/result_json.hpp"
#include "cli/output/text.hpp"
#include "policy/expectation.hpp"

namespace fluxgate::cli {

namespace {

using nlohmann::ordered_json;

// --- text -------------------------------------------------------------------------------------------------------------

// "- allowed: true", "+ allowed: false", "  warnings:"
std::string shown(const policy::DiffLine& line) {
    const std::string_view sign = line.side == policy::DiffLine::Side::expected ? "- "
                                  : line.side == policy::DiffLine::Side::actual ? "+ "
                                                                                : "  ";
    return std::string(sign) + line.text;
}

Colour colour_of(policy::DiffLine::Side side) {
    switch (side) {
        case policy::DiffLine::Side::both: break;
        case policy::DiffLine::Side::expected: return Colour::red;
        case policy::DiffLine::Side::actual: return Colour::green;
    }
    return Colour::none;
}

std::string shown(const Ran& ran, Style style) {
    if (ran.result.passed()) return {};
    if (!ran.result.error.empty()) {
        return fmt::format("  {}: {}\n    {}\n", style.paint(Colour::yellow, "could not run"), visible(ran.test_case->name),
                           log_line(ran.result.error));
    }
    const Place place{ran.file->path, ran.test_case->place.key};
    std::string text = fmt::format("  {}: {}\n", log_line(to_string(place)), style.paint(Colour::bold, visible(ran.test_case->name)));
    for (const policy::DiffLine& line : ran.result.differences)
        text += style.paint(colour_of(line.side), "    " + visible(shown(line))) + "\n";
    return text;
}

std::string shown(const RuleCoverage& coverage, Style style) {
    std::string text = fmt::format("{} of {} rules exercised ({} %)\n", coverage.exercised(), coverage.rules().size(), coverage.percent());
    for (const RuleExercise& rule : coverage.rules()) {
        if (rule.exercise == Exercise::found) continue;
        const std::string_view how = rule.exercise == Exercise::never ? "is never exercised" : "finds nothing in any case";
        text += style.paint(Colour::yellow, fmt::format("  rule {} of policy {} {}", visible(rule.rule), visible(rule.policy), how)) + "\n";
    }
    return text;
}

std::string summary(const std::vector<Ran>& cases) {
    std::set<const TestFile*> files;
    for (const Ran& ran : cases) files.insert(ran.file);
    const Totals totals = totals_of(cases);
    std::string text = fmt::format("{} in {}: {} passed", counted(totals.cases, "case"), counted(files.size(), "file"),
                                   totals.cases - totals.failed - totals.errors);
    if (totals.failed > 0) text += fmt::format(", {} failed", totals.failed);
    if (totals.errors > 0) text += fmt::format(", {} could not run", totals.errors);
    return text + "\n";
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
        if (line.side != policy::DiffLine::Side::both) json["differences"].push_back(shown(line));
    }
    return json;
}

// --- JUnit ------------------------------------------------------------------------------------------------------------

JunitCase junit_case(const Ran& ran) {
    JunitCase result{
        .suite = ran.file->path + ": " + ran.test->name, .name = ran.test_case->name, .place = {ran.file->path, ran.test_case->position}};
    if (!ran.result.error.empty()) {
        result.outcome = JunitOutcome::error;
        result.message = "could not run";
        result.type = "could-not-run";
        result.body = visible(ran.result.error) + "\n";
    } else if (!ran.result.passed()) {
        result.outcome = JunitOutcome::failure;
        result.message = "not as expected";
        result.type = "not-as-expected";
        const Place expected{ran.file->path, ran.test_case->place.key};
        result.body = visible(to_string(expected)) + ": what is expected (-), and what was found (+)\n";
        for (const policy::DiffLine& line : ran.result.differences) result.body += visible(shown(line)) + "\n";
    }
    return result;
}

}  // namespace

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

void write_text(const std::vector<Ran>& cases, const RuleCoverage* coverage, Style style, std::ostream& out) {
    for (std::size_t first = 0; first < cases.size();) {
        std::size_t end = first;
        while (end < cases.size() && cases[end].test == cases[first].test) ++end;
        const std::vector<Ran> of_test(cases.begin() + static_cast<std::ptrdiff_t>(first),
                                       cases.begin() + static_cast<std::ptrdiff_t>(end));
        const Totals totals = totals_of(of_test);
        const bool well = totals.failed + totals.errors == 0;
        out << fmt::format("{}  {}  {}  {}\n", style.paint(well ? Colour::green : Colour::red, well ? "ok  " : "FAIL"),
                           visible(of_test.front().test->name), counted(totals.cases, "case"),
                           style.paint(Colour::grey, visible(of_test.front().file->path)));
        for (const Ran& ran : of_test) out << shown(ran, style);
        first = end;
    }
    if (coverage) out << shown(*coverage, style);
    out << summary(cases);
}

void write_json(const std::vector<Ran>& cases, const RuleCoverage* coverage, std::ostream& out) {
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
    out << dump(json, 2) << '\n';
}

void write_junit(const std::vector<Ran>& cases, std::ostream& out) {
    JunitDocument document(out, "fluxgate test");
    for (const Ran& ran : cases) document.add(junit_case(ran));
    document.finish();
    out.flush();
}

}  // namespace fluxgate::cli
