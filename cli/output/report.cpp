#include "cli/output/report.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "cli/output/formats.hpp"
#include "cli/output/text.hpp"

namespace fluxgate::cli {

namespace {

std::string duration(std::chrono::milliseconds took) {
    if (took < std::chrono::seconds(1)) return fmt::format("{} ms", took.count());
    return fmt::format("{}.{} s", took.count() / 1000, took.count() % 1000 / 100);
}

}  // namespace

std::string_view to_string(Level level) {
    switch (level) {
        case Level::error: return "error";
        case Level::deny: return "deny";
        case Level::warn: return "warn";
        case Level::audit: return "audit";
        case Level::not_judged: return "not-judged";
    }
    return "error";
}

std::string to_string(const ObjectName& object) {
    std::string text = object.kind;
    const auto append = [&](std::string_view separator, const std::string& part) {
        if (part.empty()) return;
        if (!text.empty()) text += separator;
        text += part;
    };
    append(" ", object.namespace_name);
    append(object.namespace_name.empty() ? " " : "/", object.name);
    return text;
}

const std::vector<std::string>& format_names() {
    static const std::vector<std::string> kNames{"table", "json", "jsonl", "yaml", "junit", "sarif", "github", "azuredevops", "markdown"};
    return kNames;
}

Format format_named(std::string_view name) {
    const auto found = std::find(format_names().begin(), format_names().end(), name);
    return found == format_names().end() ? Format::table : static_cast<Format>(found - format_names().begin());
}

std::unique_ptr<Output> make_output(Format format, std::ostream& out, const OutputOptions& options) {
    switch (format) {
        case Format::table: return table_output(out, options);
        case Format::json: return json_output(out);
        case Format::jsonl: return jsonl_output(out);
        case Format::yaml: return yaml_output(out);
        case Format::junit: return junit_output(out, options);
        case Format::sarif: return sarif_output(out, options);
        case Format::github: return github_output(out);
        case Format::azuredevops: return azuredevops_output(out);
        case Format::markdown: return markdown_output(out);
    }
    return table_output(out, options);
}

std::string rule_id(const Finding& finding) {
    return finding.policy.empty() ? std::string(to_string(finding.level)) : finding.policy + "/" + finding.rule;
}

std::string to_string(const Place& place) {
    if (place.position.line == 0) return place.file;
    if (place.position.column == 0) return fmt::format("{}:{}", place.file, place.position.line);
    return fmt::format("{}:{}:{}", place.file, place.position.line, place.position.column);
}

std::string summary_sentence(const Summary& summary) {
    std::string text = fmt::format("{} in {}: ", counted(summary.objects, "object"), counted(summary.files, "file"));
    if (summary.denied + summary.warned + summary.errors + summary.not_judged == 0) {
        text += summary.objects == 0 ? "nothing to judge" : "nothing to report";
    } else {
        text += fmt::format("{} denied, {} warned, {}, {} not judged", summary.denied, summary.warned, counted(summary.errors, "error"),
                            summary.not_judged);
    }
    return text + fmt::format(" ({})", duration(summary.took));
}

bool has(const Judged& judged, Level level) {
    return std::any_of(judged.findings.begin(), judged.findings.end(), [&](const Finding& finding) { return finding.level == level; });
}

bool only_warned(const Judged& judged) {
    return !judged.findings.empty() && !has(judged, Level::deny) && !has(judged, Level::error) && !has(judged, Level::not_judged);
}

std::vector<std::string> guidance_of(const Judged& judged) {
    std::vector<std::string> texts;
    for (const Finding& finding : judged.findings) {
        if (finding.level != Level::deny || finding.guidance.empty()) continue;
        if (std::find(texts.begin(), texts.end(), finding.guidance) == texts.end()) texts.push_back(finding.guidance);
    }
    return texts;
}

}  // namespace fluxgate::cli
