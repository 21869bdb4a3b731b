#include "snapshots/cron_jobs.hpp"

#include <algorithm>
#include <variant>

namespace fluxgate::snapshots {

namespace {

bool same_texts(const std::vector<policy::Glob>& left, const std::vector<policy::Glob>& right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](const policy::Glob& one, const policy::Glob& other) { return one.text() == other.text(); });
}

}  // namespace

LockedNamespaces::LockedNamespaces(const policy::PolicySet& set) {
    for (const policy::Policy& policy : set.policies) {
        const bool locks = std::any_of(policy.rules.begin(), policy.rules.end(),
                                       [](const policy::Rule& rule) { return std::holds_alternative<policy::LockRule>(rule.body); });
        if (locks) locks_.push_back({policy.match.namespaces, policy.match.exclude_namespaces});
    }
}

bool LockedNamespaces::contains(std::string_view namespace_name) const {
    return std::any_of(locks_.begin(), locks_.end(), [&](const Patterns& lock) {
        return (lock.namespaces.empty() || any_matches(lock.namespaces, namespace_name)) && !any_matches(lock.excluded, namespace_name);
    });
}

bool operator==(const LockedNamespaces& left, const LockedNamespaces& right) {
    return std::equal(left.locks_.begin(), left.locks_.end(), right.locks_.begin(), right.locks_.end(),
                      [](const auto& one, const auto& other) {
                          return same_texts(one.namespaces, other.namespaces) && same_texts(one.excluded, other.excluded);
                      });
}

CronJobFacts read_cron_job(kube::Json object) {
    return {{std::string(object["metadata"]["uid"].text()), object["spec"]["jobTemplate"].dump()}};
}

std::shared_ptr<const policy::ClusterView::CronJobs> templates_by_key(const Table<CronJobFacts>& cron_jobs) {
    policy::ClusterView::CronJobs templates;
    cron_jobs.each(
        [&](const std::string& key, const CronJobFacts& facts) { templates.emplace_hint(templates.end(), key, facts.job_template); });
    return std::make_shared<const policy::ClusterView::CronJobs>(std::move(templates));
}

}  // namespace fluxgate::snapshots
