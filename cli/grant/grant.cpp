#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace fluxgate::cli {

void add_grant(CLI::App& app, Run& run) {
    CLI::App* grant = app.add_subcommand("grant", "break the glass: keygen, new, sign, status, end");
    grant->require_subcommand(1);
    grant->footer(
        "A grant opens locks for some people, some objects and a while, with a ticket. It comes with Git: commit what `new` writes\n"
        "into the policy folder. When Git is down: `new`, `sign` by an approver, and `kubectl apply`.\n"
        "The page for 3 a.m.: docs/how-to/break-the-glass.md");
    add_grant_keygen(*grant, run);
    add_grant_new(*grant, run);
    add_grant_sign(*grant, run);
    add_grant_status(*grant, run);
    add_grant_end(*grant, run);
}

}  // namespace fluxgate::cli
