#include "webhook/readiness.hpp"

#include <fmt/format.h>

namespace fluxgate::webhook {

Readiness::Report Readiness::report() const {
    Report report{true, {}};
    const auto check = [&](bool good, std::string_view name, const std::string& detail) {
        report.ready = report.ready && good;
        report.text += fmt::format("[{}]{} {}\n", good ? '+' : '-', name, detail);
    };
    const auto set = policies_.load();
    check(set != nullptr, "policies",
          set ? fmt::format("ok: {} policies, {} rules, {}", set->policies.size(), set->rule_count(), set->digest) : "failed: no set");
    {
        const std::lock_guard lock(mutex_);
        if (set && !policy_trouble_.empty()) check(true, "policy-folder", "last good set kept: " + policy_trouble_);
        const std::string why = audit_trouble_.empty() ? "" : ": " + audit_trouble_;
        switch (audit_) {
            case AuditState::recording: check(true, "audit", "ok"); break;
            case AuditState::degraded:
                check(true, "audit", "degraded: records cannot be written; exceptional writes are refused" + why);
                break;
            case AuditState::broken: check(false, "audit", "failed: the log broke, a restart follows"); break;
        }
        if (!checkpoint_trouble_.empty()) check(true, "audit-checkpoint", "not published: " + checkpoint_trouble_);
    }

    if (!why_not_fresh_) {
        check(true, "snapshots", "none: no access to an API server");
    } else {
        const auto trouble = why_not_fresh_();
        const std::string absent = absent_kinds_();
        const std::string good = absent.empty() ? "ok" : "ok: not served by the API server: " + absent;
        check(!trouble, "snapshots", trouble ? "failed: " + *trouble : good);
    }

    const WallTime not_before{WallTime::duration{not_before_.load()}};
    const WallTime not_after{WallTime::duration{not_after_.load()}};
    const WallTime now = clock_.now();
    if (now < not_before)
        check(false, "certificate", "failed: valid only from " + format_rfc3339(not_before));
    else if (now >= not_after)
        check(false, "certificate", "failed: ended " + format_rfc3339(not_after));
    else
        check(true, "certificate", "ok: until " + format_rfc3339(not_after));

    check(!draining_, "shutdown", draining_ ? "failed: draining" : "ok: not draining");
    report.text += report.ready ? "readyz check passed\n" : "readyz check failed\n";
    return report;
}

}  // namespace fluxgate::webhook
