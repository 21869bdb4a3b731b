#pragma once

// From manifests to the requests that would bring them into a cluster: what `check`, `test`, `policy explain` and `policy diff`
// hand to the evaluator.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "kube/json.hpp"
#include "kube/resource_kinds.hpp"
#include "kube/review_text.hpp"
#include "kube/selector.hpp"
#include "policy/context.hpp"

namespace fluxgate::cli {

struct RequestOptions {
    std::string user;  // userInfo as JSON; policy/identities.hpp
    kube::Operation operation = kube::Operation::create;
    std::string namespace_name = "default";  // of namespaced manifests that name none
    bool dry_run = false;
    std::string uid{};  // of the request; empty: made from the text of the object
};

// What the input itself says about the cluster: labels of its Namespaces, kinds of its CustomResourceDefinitions, its
// PodDisruptionBudgets. Filled in a first pass over the input, read in the second.
class ClusterFacts {
public:
    // `namespace_name`: of namespaced manifests that name none.
    explicit ClusterFacts(std::string namespace_name) : namespace_name_(std::move(namespace_name)) {}

    // Has the text of a document any of these kinds? A quick look, which may say yes to too much.
    static bool may_learn_from(std::string_view document);
    void learn(kube::Json object);
    void set_labels(std::string_view namespace_name, kube::Labels labels);
    std::optional<kube::Labels> labels_of(std::string_view namespace_name) const;
    const kube::ResourceKinds& kinds() const { return kinds_; }
    const policy::DisruptionBudgets& budgets() const { return budgets_; }

private:
    std::string namespace_name_;
    policy::DisruptionBudgets budgets_;
    kube::ResourceKinds kinds_;
    std::map<std::string, kube::Labels, std::less<>> labels_;
};

// The AdmissionReview for `object`, whose text is `text`, ready for a ReviewReader. `old_text` is the object before, for UPDATE
// and DELETE (absent: as `text`).
// Errors: wrong_type (no mapping), missing_field (apiVersion, kind or name) with the path as `where`.
Result<std::string> review_of(kube::Json object, std::string_view text, std::optional<std::string_view> old_text, const ClusterFacts& facts,
                              const RequestOptions& options);

}  // namespace fluxgate::cli
