#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace fluxgate::cli {

void add_audit(CLI::App& app, Run& run) {
    CLI::App* audit =
        app.add_subcommand("audit", "the audit log: verify, query, tail, prove, report, reconcile, export, rotate-key, epoch, prune");
    audit->require_subcommand(1);
    audit->footer(
        "Each takes the folder that `serve --audit` names, or a copy of it. Reading needs no lock and changes nothing, also while a server "
        "writes.\n"
        "For auditors: docs/how-to/check-the-audit-log.md");
    add_audit_verify(*audit, run);
    add_audit_query(*audit, run);
    add_audit_tail(*audit, run);
    add_audit_prove(*audit, run);
    add_audit_report(*audit, run);
    add_audit_export(*audit, run);
    add_audit_reconcile(*audit, run);
    add_audit_rotate_key(*audit, run);
    add_audit_epoch(*audit, run);
    add_audit_prune(*audit, run);
}

}  // namespace fluxgate::cli
