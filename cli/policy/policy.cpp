#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace fluxgate::cli {

void add_policy(CLI::App& app, Run& run) {
    CLI::App* policy = app.add_subcommand("policy", "work on policy files: lint, schema, explain, diff");
    policy->require_subcommand(1);
    add_policy_lint(*policy, run);
    add_policy_schema(*policy, run);
    add_policy_explain(*policy, run);
    add_policy_diff(*policy, run);
}

}  // namespace fluxgate::cli
