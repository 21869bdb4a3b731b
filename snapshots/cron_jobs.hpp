#pragma once

// What is kept of the CronJobs of locked namespaces: uid and job template, so that a Job started by hand can be compared with what
// Git says (the allowance run-cronjob). Elsewhere nobody asks, so nothing is kept.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kube/json.hpp"
#include "policy/cluster_view.hpp"
#include "policy/policy_set.hpp"
#include "snapshots/table.hpp"

namespace fluxgate::snapshots {

// The namespaces that a lock of a set may match, by name alone: labels change, and what is kept needlessly does no harm.
class LockedNamespaces {
public:
    LockedNamespaces() = default;  // none
    explicit LockedNamespaces(const policy::PolicySet& set);

    bool contains(std::string_view namespace_name) const;
    friend bool operator==(const LockedNamespaces& left, const LockedNamespaces& right);

private:
    struct Patterns {
        std::vector<policy::Glob> namespaces;  // empty: all
        std::vector<policy::Glob> excluded;
    };
    std::vector<Patterns> locks_;
};

struct CronJobFacts {
    policy::CronJobTemplate job_template;

    std::size_t bytes() const { return sizeof(CronJobFacts) + job_template.uid.size() + job_template.spec.size(); }
    friend bool operator==(const CronJobFacts&, const CronJobFacts&) = default;
};
CronJobFacts read_cron_job(kube::Json object);

std::shared_ptr<const policy::ClusterView::CronJobs> templates_by_key(const Table<CronJobFacts>& cron_jobs);

}  // namespace fluxgate::snapshots
