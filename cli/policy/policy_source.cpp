#include "cli/policy/policy_source.hpp"

#include <filesystem>

#include "cli/messages.hpp"
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
        refuse(command, to_string(source.error()));
        return std::nullopt;
    }
    if (source->set) return std::move(*source);
    std::vector<std::string> problems;
    for (const policy::Problem& problem : source->problems) problems.push_back(to_string(problem));
    refuse_policies(command, folder, problems, source->problems_omitted);
    return std::nullopt;
}

}  // namespace fluxgate::cli
