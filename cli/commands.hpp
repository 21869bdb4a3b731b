#pragma once

// One function a subcommand: adds its flags and help to the command line, and runs it. Exit codes everywhere:
// 0 clean, 1 findings, 2 could not evaluate.

#include <functional>

namespace CLI {
class App;
}

namespace fluxgate::cli {

inline constexpr int kClean = 0;
inline constexpr int kFindings = 1;
inline constexpr int kCouldNotEvaluate = 2;

// What main runs after parsing; set by the callback of the subcommand that was named.
using Run = std::function<int()>;

void add_serve(CLI::App& app, Run& run);
void add_demo(CLI::App& app, Run& run);
void add_check(CLI::App& app, Run& run);
void add_test(CLI::App& app, Run& run);
void add_policy(CLI::App& app, Run& run);
void add_grant(CLI::App& app, Run& run);
void add_audit(CLI::App& app, Run& run);
void add_completion(CLI::App& app, Run& run);

// Below `fluxgate policy`.
void add_policy_lint(CLI::App& policy, Run& run);
void add_policy_schema(CLI::App& policy, Run& run);
void add_policy_explain(CLI::App& policy, Run& run);
void add_policy_diff(CLI::App& policy, Run& run);

// Below `fluxgate grant`.
void add_grant_keygen(CLI::App& grant, Run& run);
void add_grant_new(CLI::App& grant, Run& run);
void add_grant_sign(CLI::App& grant, Run& run);
void add_grant_status(CLI::App& grant, Run& run);
void add_grant_end(CLI::App& grant, Run& run);

// Below `fluxgate audit`.
void add_audit_verify(CLI::App& audit, Run& run);
void add_audit_query(CLI::App& audit, Run& run);
void add_audit_tail(CLI::App& audit, Run& run);
void add_audit_prove(CLI::App& audit, Run& run);
void add_audit_report(CLI::App& audit, Run& run);
void add_audit_export(CLI::App& audit, Run& run);
void add_audit_rotate_key(CLI::App& audit, Run& run);
void add_audit_epoch(CLI::App& audit, Run& run);
void add_audit_prune(CLI::App& audit, Run& run);
void add_audit_reconcile(CLI::App& audit, Run& run);

}  // namespace fluxgate::cli
