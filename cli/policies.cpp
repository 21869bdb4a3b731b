#include "cli/policies.hpp"

#include <cstdio>

#include "policy/loader.hpp"

namespace fluxgate::cli {

std::shared_ptr<const policy::PolicySet> load_policies(const std::filesystem::path& directory, const policy::CompileOptions& options) {
    const auto files = policy::read_policy_directory(directory, options.limits);
    if (!files) {
        std::fprintf(stderr, "fluxgate: %s\n", to_string(files.error()).c_str());
        return nullptr;
    }
    const auto compiled = policy::compile(*files, options);
    if (compiled.set) return compiled.set;
    for (const policy::Problem& problem : compiled.problems)
        std::fprintf(stderr, "%s\n", ((directory / "").string() + policy::to_string(problem)).c_str());
    if (compiled.problems_omitted > 0) std::fprintf(stderr, "and %zu more\n", compiled.problems_omitted);
    std::fprintf(stderr, "fluxgate: the policies in %s do not compile: %zu problems; nothing was loaded\n", directory.c_str(),
                 compiled.problems.size() + compiled.problems_omitted);
    return nullptr;
}

}  // namespace fluxgate::cli
