#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace fluxgate::cli {

void add_policy_lint(CLI::App& policy, Run& run) {
    static_cast<void>(policy);
    static_cast<void>(run);
}

}  // namespace fluxgate::cli
