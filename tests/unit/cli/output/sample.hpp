#pragma once

// A small report with one of everything, one whose values are hostile, and what an output makes of a report.

#include <sstream>
#include <string>
#include <vector>

#include "cli/output/report.hpp"

namespace fluxgate::cli::sample {

struct Report {
    std::vector<Judged> judged{};
    Summary summary{};
};

// With names for what g++ 12 takes for uninitialized where aggregates with texts stand in one another.
inline Place at(std::string file, int line, int column) { return {.file = std::move(file), .position = {line, column}}; }

inline ObjectName object(std::string api_version, std::string kind, std::string namespace_name, std::string name) {
    return {.api_version = std::move(api_version),
            .kind = std::move(kind),
            .namespace_name = std::move(namespace_name),
            .name = std::move(name)};
}

inline Finding problem(Level level, Place place, std::string message) {
    return {.level = level, .place = std::move(place), .message = std::move(message)};
}

inline Finding denial(int line, std::string rule, std::string path, std::string have, std::string want) {
    return {.level = Level::deny,
            .place = at("apps/web.yaml", line, 11),
            .policy = "images",
            .rule = std::move(rule),
            .path = std::move(path),
            .have = have,
            .want = want,
            .message = "have " + have + ", want " + want,
            .guidance = "Pin the image by digest.\nAsk #platform for an exception: https://wiki.example.com/images"};
}

inline Report small() {
    Judged web{.place = at("apps/web.yaml", 1, 1),
               .object = object("apps/v1", "Deployment", "production", "web"),
               .allowed = false,
               .message = "Fluxgate denied CREATE deployments.apps production/web by flux"};
    web.findings.push_back(
        denial(17, "no-latest", ".spec.template.spec.containers[name=\"web\"].image", "\"nginx:latest\"", "another tag"));
    web.findings.push_back(
        denial(17, "registries", ".spec.template.spec.containers[name=\"web\"].image", "\"nginx\"", "ghcr.io/example/*"));
    Judged job{.place = at("apps/web.yaml", 40, 1), .object = object("batch/v1", "Job", "production", "import")};
    job.findings.push_back({.level = Level::warn,
                            .place = at("apps/web.yaml", 44, 3),
                            .policy = "availability",
                            .rule = "resources",
                            .path = ".spec.template.spec.containers[name=\"import\"].resources",
                            .have = "nothing",
                            .want = "limits.memory",
                            .message = "have nothing, want limits.memory"});
    job.findings.push_back({.level = Level::audit,
                            .place = at("apps/web.yaml", 44, 3),
                            .policy = "availability",
                            .rule = "owner-label",
                            .path = ".metadata.labels[\"owner\"]",
                            .have = "nothing",
                            .want = "a label",
                            .message = "have nothing, want a label"});
    job.warnings = {"availability/resources: have nothing, want limits.memory"};
    job.exceptions = {"production/import-until-june"};
    const Judged clean{.place = at("base/namespace.yaml", 1, 1), .object = object("v1", "Namespace", "", "production")};
    Judged release{.place = at("base/release.yaml", 1, 1),
                   .object = object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "production", "shop")};
    release.findings.push_back(problem(Level::not_judged, at("base/release.yaml", 1, 1),
                                       "what the chart makes is not rendered yet; give the output of helm template"));
    Judged broken{.place = at("base/broken.yaml", 3, 7), .allowed = false};
    broken.findings.push_back(problem(Level::error, at("base/broken.yaml", 3, 7), "a mapping is not closed"));
    return {.judged = {web, job, clean, release, broken},
            .summary = {.objects = 4,
                        .denied = 1,
                        .warned = 1,
                        .errors = 1,
                        .not_judged = 1,
                        .files = 4,
                        .took = std::chrono::milliseconds(12),
                        .policy_set = "sha256:5d41402abc4b2a76",
                        .policies = 2,
                        .rules = {{.policy = "images",
                                   .rule = "registries",
                                   .type = "images",
                                   .description = "Images come from our registry, pinned.",
                                   .guidance = "Pin the image by digest.",
                                   .compliance = {"PCI-DSS 4.0: 6.3.2"}},
                                  {.policy = "images", .rule = "unused", .type = "resource", .description = "Never found here."}}}};
}

// One value in every text that a manifest, its path or its name decides.
inline Report hostile(const std::string& text) {
    Judged judged{.place = at(text, 1, 1), .object = object(text, text, text, text), .allowed = false, .message = text};
    for (const Level level : {Level::error, Level::deny, Level::warn, Level::audit, Level::not_judged}) {
        const bool of_rule = level != Level::error && level != Level::not_judged;
        judged.findings.push_back({.level = level,
                                   .place = at(text, 2, 3),
                                   .policy = of_rule ? "policy" : "",
                                   .rule = of_rule ? "rule" : "",
                                   .path = of_rule ? text : "",
                                   .have = of_rule ? text : "",
                                   .want = of_rule ? text : "",
                                   .message = text,
                                   .guidance = level == Level::deny ? text : ""});
    }
    judged.warnings = {text};
    judged.exceptions = {text};
    Judged unreadable{.place = at(text, 0, 0), .allowed = false};
    unreadable.findings.push_back(problem(Level::error, at(text, 0, 0), text));
    return {.judged = {judged, unreadable}, .summary = {.objects = 1, .denied = 1, .errors = 2, .files = 1}};
}

inline std::string shown(Format format, const Report& report, const OutputOptions& options = {}) {
    std::ostringstream out;
    const auto output = make_output(format, out, options);
    for (const Judged& judged : report.judged) output->judged(judged);
    output->finish(report.summary);
    return out.str();
}

}  // namespace fluxgate::cli::sample
