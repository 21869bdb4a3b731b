#pragma once

// "Run this CronJob now": is a new Job the one that `kubectl create job NAME --from=cronjob/NAME` makes? Then it runs what Git
// says, and leaves nothing behind that its CronJob would not.
//
// Compared is what an API server stores, so apart from what it fills in itself: kubernetes pkg/apis/batch/v1/defaults.go (defaults
// of a Job, its labels) and pkg/registry/batch/job/strategy.go (the selector and the labels that it selects by). Off the usual
// path: copies and allocates.

#include <string>

#include "kube/admission_review.hpp"
#include "policy/cluster_view.hpp"

namespace fluxgate::policy {

// CREATE of a Job with a CronJob as its controller.
bool is_meant_as_cron_job_run(const kube::Review& review);

// Of such a Job: why it is no run of that CronJob, and what to do; empty if it is one. `cluster` may be null, then nobody can tell.
std::string why_no_cron_job_run(const kube::Review& review, const ClusterView* cluster);

}  // namespace fluxgate::policy
