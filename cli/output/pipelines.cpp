// Lines that a pipeline reads from a log: GitHub's workflow commands
// (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands) and Azure Pipelines' logging commands
// (https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands). Both tell the parts of a command apart by
// characters that a value may hold, each with its own escapes, and other ones for properties than for the message. A message that
// was not escaped could give commands of its own, as to set a variable.

#include <initializer_list>
#include <ostream>
#include <utility>

#include "cli/output/formats.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

constexpr std::size_t kFileMax = 4'096;  // PATH_MAX: an annotation finds its file by the whole name
constexpr std::size_t kNameMax = 300;
constexpr std::size_t kTextMax = 2'000;

using Escapes = std::initializer_list<std::pair<char, std::string_view>>;

std::string escaped(std::string_view text, const Escapes& escapes) {
    std::string out;
    for (const char c : text) {
        std::string_view escape(&c, 1);
        for (const auto& [from, to] : escapes) {
            if (from == c) escape = to;
        }
        out += escape;
    }
    return out;
}

// Of control characters, only line feeds may stay: those that we put between parts.
std::string visible_lines(const std::vector<std::string>& lines) {
    std::string out;
    for (const std::string& line : lines) {
        if (!out.empty()) out += '\n';
        if (out.size() > 2 * kTextMax) return out + "…";
        out += visible(line, kTextMax);
    }
    return out;
}

std::string title_of(const Judged& judged, const Finding& finding) {
    const std::string object = to_string(judged.object);
    return visible(object.empty() ? rule_id(finding) : rule_id(finding) + ": " + object, kNameMax);
}

std::vector<std::string> message_of(const Finding& finding) {
    std::vector<std::string> lines{(finding.path.empty() ? "" : finding.path + ": ") + finding.message};
    each_line(finding.guidance, [&](std::string_view line) { lines.emplace_back(line); });
    return lines;
}

std::string github_data(std::string_view text) { return escaped(text, {{'%', "%25"}, {'\r', "%0D"}, {'\n', "%0A"}}); }
std::string github_property(std::string_view text) {
    return escaped(text, {{'%', "%25"}, {'\r', "%0D"}, {'\n', "%0A"}, {':', "%3A"}, {',', "%2C"}});
}

class GithubOutput final : public Output {
public:
    explicit GithubOutput(std::ostream& out) : out_(out) {}

    void judged(const Judged& judged) override {
        for (const Finding& finding : judged.findings) {
            std::string line =
                "::" + std::string(command(finding.level)) + " file=" + github_property(visible(finding.place.file, kFileMax));
            const auto number = [&](std::string_view name, int value) {
                if (value > 0) line.append(",").append(name).append("=").append(std::to_string(value));
            };
            number("line", finding.place.position.line);
            number("col", finding.place.position.column);
            line += ",title=" + github_property(title_of(judged, finding));
            out_ << line << "::" << github_data(visible_lines(message_of(finding))) << '\n';
        }
    }
    void finish(const Summary& summary) override { out_ << summary_sentence(summary) << '\n'; }

private:
    static std::string_view command(Level level) {
        switch (level) {
            case Level::error:
            case Level::deny: return "error";
            case Level::warn:
            case Level::not_judged: return "warning";
            case Level::audit: return "notice";
        }
        return "error";
    }

    std::ostream& out_;
};

std::string azure_data(std::string_view text) { return escaped(text, {{'%', "%AZP25"}, {'\r', "%0D"}, {'\n', "%0A"}}); }
std::string azure_property(std::string_view text) {
    return escaped(text, {{'%', "%AZP25"}, {'\r', "%0D"}, {'\n', "%0A"}, {']', "%5D"}, {';', "%3B"}});
}

class AzureDevopsOutput final : public Output {
public:
    explicit AzureDevopsOutput(std::ostream& out) : out_(out) {}

    void judged(const Judged& judged) override {
        for (const Finding& finding : judged.findings) {
            const std::string message = to_string(judged.object).empty() ? "" : visible(to_string(judged.object), kNameMax) + ": ";
            if (finding.level == Level::audit) {  // there are errors and warnings only
                out_ << "audit: " << visible(to_string(finding.place), kNameMax) << ": " << visible(rule_id(finding), kNameMax) << ": "
                     << message << visible(finding.message, kTextMax) << '\n';
                continue;
            }
            std::string line = "##vso[task.logissue type=";
            line += finding.level == Level::warn || finding.level == Level::not_judged ? "warning;" : "error;";
            const auto property = [&](std::string_view name, const std::string& value) {
                line.append(name).append("=").append(azure_property(value)).append(";");
            };
            property("sourcepath", visible(finding.place.file, kFileMax));
            if (finding.place.position.line > 0) property("linenumber", std::to_string(finding.place.position.line));
            if (finding.place.position.column > 0) property("columnnumber", std::to_string(finding.place.position.column));
            property("code", visible(rule_id(finding), kNameMax));
            out_ << line << ']' << azure_data(message + visible_lines(message_of(finding))) << '\n';
        }
    }
    // No task.complete: the exit code fails the step already, and --fail-on decides about it.
    void finish(const Summary& summary) override { out_ << summary_sentence(summary) << '\n'; }

private:
    std::ostream& out_;
};

}  // namespace

std::unique_ptr<Output> github_output(std::ostream& out) { return std::make_unique<GithubOutput>(out); }
std::unique_ptr<Output> azuredevops_output(std::ostream& out) { return std::make_unique<AzureDevopsOutput>(out); }

}  // namespace fluxgate::cli
