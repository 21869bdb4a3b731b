#include "policy/policy_config_map.hpp"

#include <utility>

#include "kube/path.hpp"
#include "policy/findings.hpp"
#include "policy/loader.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kLabel = "fluxgate.dev/policies";

bool is_labelled(kube::Json object) { return object["metadata"]["labels"][kLabel].text() == "true"; }

// Finalizers are taken away by an update. A bad set that came in while we were away must not be stuck in its own deletion.
bool only_ends(const kube::Review& review) {
    const kube::Json before = review.old_object;
    const kube::Json after = review.object;
    return review.operation == kube::Operation::update && !before["metadata"]["deletionTimestamp"].absent_or_null() &&
           kube::equal(before["data"], after["data"]) && kube::equal(before["binaryData"], after["binaryData"]);
}

std::string path_of(std::string_view map, std::string_view file) {
    std::string path(map);
    kube::append_field(path, file);
    return path;
}

}  // namespace

bool is_policy_file_name(std::string_view name) {
    return !name.starts_with("..") && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

void judge_policy_config_map(const kube::Review& review, const CompileOptions& options, const Context& context, Verdict& verdict) {
    if (review.resource.resource != "configmaps" || !review.resource.group.empty() || !review.sub_resource.empty()) return;
    if (review.namespace_name != options.own_namespace) return;
    if (review.operation != kube::Operation::create && review.operation != kube::Operation::update) return;
    // A write that takes the label away is judged as well: what is mounted stays mounted.
    if (!is_labelled(review.object) && !is_labelled(review.old_object)) return;
    if (only_ends(review)) return;
    if (!verdict.allowed) return;  // refused already: its writer shall not make us compile

    Findings findings(verdict, "fluxgate", "policies", Action::deny);
    std::vector<PolicyFile> files;
    review.object["data"].each_member([&](std::string_view name, kube::Json text) {
        if (is_policy_file_name(name)) files.push_back({std::string(name), std::string(text.text())});
    });
    review.object["binaryData"].each_member([&](std::string_view name, kube::Json) {
        if (is_policy_file_name(name)) findings.add(path_of(".binaryData", name), "a policy file", "text, under data");
    });
    CompileOptions candidate = options;
    candidate.now = context.now;
    const CompileResult compiled = compile(files, candidate);
    for (const Problem& problem : compiled.problems) {
        const bool of_a_file = problem.position.line > 0;
        findings.add(of_a_file ? path_of(".data", problem.file) : ".data", to_string(problem), "a set of policies that compiles");
    }
    findings.omit(compiled.problems_omitted);
    if (findings.count() == 0) return;
    verdict.allowed = false;
    if (verdict.guidance.empty()) verdict.guidance = "Correct the policy files in Git; the set in force stays as it is.";
}

}  // namespace fluxgate::policy
