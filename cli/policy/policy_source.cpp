#include "cli/policy/policy_source.hpp"

#include <cstdio>
#include <filesystem>

#include "policy/loader.hpp"

namespace fluxgate::cli {

Result<PolicySource> read_policy_source(const std::string& folder, std::chrono::days exception_horizon, WallTime now) {
    const policy::CompileOptions options{.limits = Limits{}, .namespace_labels = true, .exception_horizon = exception_horizon, .now = now};
    auto files = policy::read_policy_directory(folder, options.limits);
    if (!files) return tl::unexpected(files.error());
    auto compiled = policy::compile(*files, options);
    const std::string prefix = (std::filesystem::path(folder) / "").string();
    PolicySource source{.set = std::move(compiled.set),
                        .problems = std::move(compiled.problems),
                        .problems_omitted = compiled.problems_omitted,
                        .files = files->size()};
    for (policy::Problem& problem : source.problems) problem.file = prefix + problem.file;
    for (policy::PolicyFile& file : *files) file.name = prefix + file.name;
    if (source.set) source.documents = policy::read_policy_documents(*files, options.limits);
    return source;
}

std::optional<PolicySource> require_policy_source(const std::string& folder, std::chrono::days exception_horizon, const char* command) {
    auto source = read_policy_source(folder, exception_horizon, SystemClock().now());
    if (!source) {
        std::fprintf(stderr, "fluxgate %s: %s\n", command, to_string(source.error()).c_str());
        return std::nullopt;
    }
    if (source->set) return std::move(*source);
    for (const policy::Problem& problem : source->problems) std::fprintf(stderr, "%s\n", to_string(problem).c_str());
    if (source->problems_omitted > 0) std::fprintf(stderr, "and %zu more\n", source->problems_omitted);
    std::fprintf(stderr, "fluxgate %s: the policies in %s do not compile: %zu problems\n", command, folder.c_str(),
                 source->problems.size() + source->problems_omitted);
    return std::nullopt;
}

}  // namespace fluxgate::cli
