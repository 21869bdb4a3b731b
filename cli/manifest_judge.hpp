#pragma once

// Judges the values of an input one by one: manifests as the requests that would bring them into a cluster, recorded AdmissionReviews
// as they are. What `check` and `policy diff` show of each.
//
// A resource for one thread; the policy set and the facts must outlive it.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/manifest_reviews.hpp"
#include "cli/output/report.hpp"
#include "kube/admission_review.hpp"
#include "kube/manifest_object.hpp"
#include "policy/context.hpp"
#include "policy/policy_set.hpp"
#include "policy/verdict.hpp"

namespace fluxgate::cli {

struct JudgeOptions {
    RequestOptions request;
    WallTime now{};
    bool presence = true;  // also ask for what must be there besides the object: PodDisruptionBudgets
    // Told of each review, as it is judged, before the Judged is returned: for whoever wants to know why. May be empty.
    std::function<void(const kube::Review&, const policy::Context&, const policy::Verdict&)> observe{};
};

// A Pod goes to /mutate before it is judged: the review, with slack, as it comes back.
std::string with_defaults(const std::string& review_text, kube::ReviewReader& reader, const policy::PolicySet& set,
                          const policy::Context& context);

class ManifestJudge {
public:
    ManifestJudge(const policy::PolicySet& set, const ClusterFacts& facts, JudgeOptions options);

    // Nothing for what is no part of a cluster and hides nothing: Fluxgate's own policy files. `old_text` as in review_of.
    std::optional<Judged> judge(const kube::ManifestObject& manifest, const std::string& file,
                                std::optional<std::string_view> old_text = std::nullopt);

    // One AdmissionReview, with slack. Labels of Namespaces it writes are known for those that follow.
    Judged judge_recorded(std::string_view text, Place place, const kube::ManifestObject* manifest = nullptr);

private:
    Judged judge_object(const kube::ManifestObject& manifest, kube::Json object, Place place, std::optional<std::string_view> old_text);
    policy::Verdict evaluate(const kube::Review& review, std::optional<kube::Labels> labels, bool presence) const;

    const policy::PolicySet& set_;
    const ClusterFacts& facts_;
    JudgeOptions options_;
    kube::JsonReader json_;
    kube::ReviewReader reviews_;
    ClusterFacts recorded_;  // from recorded reviews
};

}  // namespace fluxgate::cli
