#include "cli/output/junit.hpp"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "cli/output/formats.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

// A suite is held in memory; a pipe of a million objects is several suites.
constexpr std::size_t kSuiteCasesMax = 10'000;
constexpr std::size_t kSuiteBytesMax = std::size_t{8} << 20;
constexpr std::size_t kNameMax = 300;
constexpr std::size_t kTextMax = 2'000;
constexpr std::size_t kBodyBytesMax = 64'000;

// For text and for attributes in double quotes. XML 1.0 has no way to write most control characters, nor U+FFFE and U+FFFF; line
// ends as references, or a reader would make them spaces in attributes.
std::string xml(std::string_view text) {
    std::string out;
    each_character(text, [&](const Character& character) {
        switch (character.code) {
            case '&': out += "&amp;"; return;
            case '<': out += "&lt;"; return;
            case '>': out += "&gt;"; return;
            case '"': out += "&quot;"; return;
            case '\t':
            case '\n':
            case '\r': out += fmt::format("&#{};", static_cast<unsigned>(character.code)); return;
            default: break;
        }
        const bool forbidden = !character.valid || is_control(character.code) || character.code == 0xfffe || character.code == 0xffff;
        out += forbidden ? kReplacement : character.bytes;
    });
    return without_log_commands(std::move(out), "&#35;");
}

std::string attribute(std::string_view name, std::string_view value) { return fmt::format(" {}=\"{}\"", name, xml(value)); }
std::string attribute(std::string_view name, std::size_t value) { return fmt::format(" {}=\"{}\"", name, value); }

// "apps/web" for "apps/web.yaml": Jenkins takes what is before the last dot for a package.
std::string_view class_of(std::string_view file) {
    for (const std::string_view ending : {".yaml", ".yml", ".json"}) {
        if (file.ends_with(ending)) return file.substr(0, file.size() - ending.size());
    }
    return file;
}

std::string element(std::string_view name, const JunitCase& test_case) {
    return fmt::format("      <{}{}{}>{}</{}>\n", name, attribute("message", visible(test_case.message, kTextMax)),
                       attribute("type", visible(test_case.type, kNameMax)), xml(test_case.body), name);
}

std::string line_of(const Finding& finding) {
    std::string line = visible(to_string(finding.place), kNameMax) + ": " + visible(rule_id(finding), kNameMax);
    if (!finding.path.empty()) line += " " + visible(finding.path, kNameMax);
    return line + ": " + visible(finding.message, kTextMax) + "\n";
}

// As many lines as fit.
std::string body_of(const Judged& judged, const std::vector<Level>& levels) {
    std::string body;
    std::size_t left_out = 0;
    for (const Finding& finding : judged.findings) {
        if (std::find(levels.begin(), levels.end(), finding.level) == levels.end()) continue;
        if (body.size() < kBodyBytesMax) {
            body += line_of(finding);
        } else {
            ++left_out;
        }
    }
    if (left_out > 0) body += fmt::format("{} more\n", left_out);
    return body;
}

const Finding* first(const Judged& judged, Level level) {
    for (const Finding& finding : judged.findings) {
        if (finding.level == level) return &finding;
    }
    return nullptr;
}

JunitCase case_of(const Judged& judged) {
    // Without a line, so that a test keeps its history when lines move.
    const std::string object = to_string(judged.object);
    JunitCase result{.suite = judged.place.file,
                     .name = !object.empty()      ? object
                             : judged.uid.empty() ? "readable"
                                                  : "review " + judged.uid,
                     .place = judged.place};
    const auto end = [&](JunitOutcome outcome, const Finding& finding, std::string body) {
        result.outcome = outcome;
        result.message = outcome == JunitOutcome::skipped ? finding.message : rule_id(finding) + ": " + finding.message;
        result.type = rule_id(finding);
        result.body = std::move(body);
    };
    if (const Finding* error = first(judged, Level::error)) {
        end(JunitOutcome::error, *error, body_of(judged, {Level::error, Level::deny}));
    } else if (const Finding* denied = first(judged, Level::deny)) {
        std::string body = body_of(judged, {Level::deny});
        for (const std::string& guidance : guidance_of(judged)) {
            each_line(guidance, [&](std::string_view line) {
                if (body.size() < 2 * kBodyBytesMax) body += visible(line, kTextMax) + "\n";
            });
        }
        end(JunitOutcome::failure, *denied, std::move(body));
    } else if (const Finding* skipped = first(judged, Level::not_judged)) {
        end(JunitOutcome::skipped, *skipped, {});
    }
    result.output = body_of(judged, {Level::warn, Level::audit});
    return result;
}

class JunitOutput final : public Output {
public:
    JunitOutput(std::ostream& out, std::string_view title) : document_(out, title) {}

    void judged(const Judged& judged) override { document_.add(case_of(judged)); }
    void finish(const Summary&) override { document_.finish(); }

private:
    JunitDocument document_;
};

}  // namespace

JunitDocument::JunitDocument(std::ostream& out, std::string_view title) : out_(out) {
    out_ << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" << attribute("name", title) << ">\n";
}

void JunitDocument::add(const JunitCase& test_case) {
    if (suite_.tests > 0 && test_case.suite != suite_.name) close_suite();
    if (suite_.tests >= kSuiteCasesMax || suite_.cases.size() >= kSuiteBytesMax) close_suite();
    suite_.name = test_case.suite;
    ++suite_.tests;
    std::string inside;
    switch (test_case.outcome) {
        case JunitOutcome::passed: break;
        case JunitOutcome::failure:
            ++suite_.failures;
            inside = element("failure", test_case);
            break;
        case JunitOutcome::error:
            ++suite_.errors;
            inside = element("error", test_case);
            break;
        case JunitOutcome::skipped:
            ++suite_.skipped;
            inside = fmt::format("      <skipped{}/>\n", attribute("message", visible(test_case.message, kTextMax)));
            break;
    }
    if (!test_case.output.empty()) inside += "      <system-out>" + xml(test_case.output) + "</system-out>\n";
    const Place& place = test_case.place;
    suite_.cases += "    <testcase" + attribute("classname", visible(class_of(place.file), kNameMax)) +
                    attribute("name", visible(test_case.name, kNameMax)) + attribute("file", visible(place.file, kNameMax));
    if (place.position.line > 0) suite_.cases += attribute("line", static_cast<std::size_t>(place.position.line));
    suite_.cases += inside.empty() ? " time=\"0\"/>\n" : " time=\"0\">\n" + inside + "    </testcase>\n";
}

void JunitDocument::finish() {
    if (suite_.tests > 0) close_suite();
    out_ << "</testsuites>\n";
}

void JunitDocument::close_suite() {
    out_ << "  <testsuite" << attribute("name", visible(suite_.name, kNameMax)) << attribute("tests", suite_.tests)
         << attribute("failures", suite_.failures) << attribute("errors", suite_.errors) << attribute("skipped", suite_.skipped)
         << " time=\"0\">\n"
         << suite_.cases << "  </testsuite>\n";
    suite_ = {};
}

std::unique_ptr<Output> junit_output(std::ostream& out, const OutputOptions& options) {
    return std::make_unique<JunitOutput>(out, options.title);
}

}  // namespace fluxgate::cli
