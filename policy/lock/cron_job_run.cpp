#include "policy/lock/cron_job_run.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace fluxgate::policy {

namespace {

using Value = nlohmann::json;

constexpr std::array<std::string_view, 4> kGeneratedLabels{"controller-uid", "job-name", "batch.kubernetes.io/controller-uid",
                                                           "batch.kubernetes.io/job-name"};
// What a Job may have in its metadata besides labels, annotations and its one owner.
constexpr std::array<std::string_view, 11> kMetadata{
    "name",          "generateName", "namespace",       "uid",   "resourceVersion", "creationTimestamp", "generation",
    "managedFields", "annotations",  "ownerReferences", "labels"};

// The one owner, if it is a CronJob that is the controller; absent otherwise.
kube::Json cron_job_owner(kube::Json metadata) {
    kube::Json found;
    std::size_t count = 0;
    metadata["ownerReferences"].each_item([&](kube::Json owner) {
        ++count;
        if (owner["controller"].is_true() && owner["kind"].text() == "CronJob" && owner["apiVersion"].text() == "batch/v1") found = owner;
    });
    return count == 1 ? found : kube::Json{};
}

Value parse(const std::string& text) {
    Value value = Value::parse(text, nullptr, false);
    return value.is_object() ? value : Value::object();
}

Value take(Value& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) return {};
    Value value = std::move(*found);
    object.erase(found);
    return value;
}

// A member that is a mapping, such as labels; what is absent or no mapping is empty.
Value keys_of(const Value& object, const char* field) {
    const auto found = object.find(field);
    return found != object.end() && found->is_object() ? *found : Value::object();
}

void drop_generated_labels(Value& labels) {
    for (const std::string_view label : kGeneratedLabels) labels.erase(std::string(label));
}

// The pod template's metadata without what an API server writes into it, and without what is empty.
void trim_template(Value& spec) {
    if (!spec["template"].is_object()) return;  // absent and null are the same
    Value& metadata = spec["template"]["metadata"];
    if (metadata.is_null()) metadata = Value::object();
    if (!metadata.is_object()) return;
    if (const auto created = metadata.find("creationTimestamp"); created != metadata.end() && created->is_null()) metadata.erase(created);
    Value labels = keys_of(metadata, "labels");
    drop_generated_labels(labels);
    metadata["labels"] = std::move(labels);
    metadata["annotations"] = keys_of(metadata, "annotations");
}

// Into `wanted` goes what the API server fills in where Git is silent; older ones do not know every field.
void fill_in_defaults(Value& wanted, const Value& job) {
    const auto fill = [&](const char* key, const Value& value) {
        if (!wanted.contains(key) && job.contains(key)) wanted[key] = value;
    };
    if (!wanted.contains("parallelism")) fill("completions", 1);
    fill("parallelism", 1);
    fill("backoffLimit", wanted.contains("backoffLimitPerIndex") ? std::numeric_limits<std::int32_t>::max() : 6);
    fill("completionMode", "NonIndexed");
    fill("suspend", false);
    fill("manualSelector", false);
    fill("podReplacementPolicy", wanted.contains("podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
}

bool same_spec(Value wanted, Value job) {
    fill_in_defaults(wanted, job);
    const auto by_hand = job.find("manualSelector");
    if (by_hand == job.end() || *by_hand != true) job.erase("selector");
    trim_template(wanted);
    trim_template(job);
    return wanted == job;
}

// A Job without labels gets those of its pods.
bool same_labels(const Value& wanted, const Value& wanted_spec, Value labels) {
    drop_generated_labels(labels);
    Value of_template = keys_of(wanted, "labels");
    if (of_template.empty()) of_template = keys_of(keys_of(keys_of(wanted_spec, "template"), "metadata"), "labels");
    drop_generated_labels(of_template);
    return labels == of_template;
}

bool same_annotations(const Value& wanted, const Value& annotations) {
    Value expected{{"cronjob.kubernetes.io/instantiate", "manual"}};
    expected.update(keys_of(wanted, "annotations"));
    return annotations == expected;
}

// The part of a Job that is not as the template says, "" if there is none.
std::string_view difference(const kube::Review& review, const std::string& job_template) {
    Value wanted = parse(job_template);
    Value job = parse(review.object.dump());
    const Value wanted_metadata = keys_of(wanted, "metadata");
    const Value metadata = keys_of(job, "metadata");
    const Value wanted_spec = take(wanted, "spec");
    const Value spec = take(job, "spec");
    if (!wanted_spec.is_object() || !spec.is_object()) return "spec";
    for (const auto& [key, value] : metadata.items()) {
        if (std::find(kMetadata.begin(), kMetadata.end(), key) == kMetadata.end() && !value.empty()) return "metadata";
    }
    if (!same_labels(wanted_metadata, wanted_spec, keys_of(metadata, "labels"))) return "labels";
    if (!same_annotations(wanted_metadata, keys_of(metadata, "annotations"))) return "annotations";
    return same_spec(wanted_spec, spec) ? "" : "spec";
}

}  // namespace

bool is_meant_as_cron_job_run(const kube::Review& review) {
    return review.operation == kube::Operation::create && review.sub_resource.empty() &&
           cron_job_owner(review.object["metadata"]).present();
}

std::string why_no_cron_job_run(const kube::Review& review, const ClusterView* cluster) {
    if (!cluster || !cluster->cron_jobs) return "run-cronjob compares the Job with its CronJob, so `serve` needs access to the API server.";
    const kube::Json owner = cron_job_owner(review.object["metadata"]);
    const std::string name = fmt::format("{}/{}", review.namespace_name, owner["name"].text());
    const auto found = cluster->cron_jobs->find(name);
    if (found == cluster->cron_jobs->end() || found->second.uid.empty() || found->second.uid != owner["uid"].text())
        return fmt::format("run-cronjob: no CronJob {} with this uid is known.", name);
    const std::string_view part = difference(review, found->second.spec);
    if (part.empty()) return {};
    return fmt::format("run-cronjob: {} of the Job differ from the CronJob; run: kubectl create job NAME --from=cronjob/{} -n {}.", part,
                       owner["name"].text(), review.namespace_name);
}

}  // namespace fluxgate::policy
