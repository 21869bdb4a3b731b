#pragma once

// How `audit reconcile` shows what it found: a table for people, JSON and CSV for programs.

#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/api_audit.hpp"
#include "audit/reconcile.hpp"

namespace fluxgate::cli {

// What the findings are about.
struct ReconcileScope {
    std::string guarded{};  // "what the locks of policies/ are about (sha256:…)"
    struct File {
        std::string name{};
        audit::ApiAuditFile read{};
    };
    std::vector<File> files{};
};

// A resource. Findings come one by one and are not kept, but for the table's.
class ReconcileOutput {
public:
    virtual ~ReconcileOutput() = default;
    virtual void found(const audit::ReconcileFinding& finding) = 0;
    virtual void finish(const audit::Reconciliation& result, const ReconcileScope& scope) = 0;
};

// "table", "json" or "csv". CSV has the findings only; the summary is on standard error then.
std::unique_ptr<ReconcileOutput> make_reconcile_output(std::string_view format, std::ostream& out);

// "1,000 writes: 950 judged (12 of them denied), 40 bypassed, 10 failed open"
std::string summary_of(const audit::Reconciliation& result);

}  // namespace fluxgate::cli
