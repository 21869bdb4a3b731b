// Flux's own objects, what they substitute from, and Flux's switches on the objects it applies.
// https://fluxcd.io/flux/components/, fluxcd/pkg ssa/utils/meta.go and ssa/manager_apply.go

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "policy/lock/escape_request.hpp"
#include "policy/lock/field_lock.hpp"
#include "policy/policy_set.hpp"

namespace fluxgate::policy {

namespace {

using kube::Json;

constexpr std::string_view kReconcileSwitch = "kustomize.toolkit.fluxcd.io/reconcile";

// What an object may not be created with. Whose it is may be said of copies: those say it by labels and annotations of the original.
bool is_switch(std::string_view key) {
    constexpr std::array<std::string_view, 6> kOwners{"kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace",
                                                      "helm.toolkit.fluxcd.io/name",      "helm.toolkit.fluxcd.io/namespace",
                                                      "meta.helm.sh/release-name",        "meta.helm.sh/release-namespace"};
    return steers_flux(key) && std::find(kOwners.begin(), kOwners.end(), key) == kOwners.end();
}

struct Member {
    std::string_view key;
    Json value;
};

template <class Filter>
std::vector<Member> sorted_members(Json object, Filter&& filter) {
    std::vector<Member> list;
    object.each_member([&](std::string_view key, Json value) {
        if (filter(key)) list.push_back({key, value});
    });
    std::sort(list.begin(), list.end(), [](const Member& left, const Member& right) { return left.key < right.key; });
    return list;
}

// f(key, before, after) for each key that `filter` names and that is not the same in both. Costs n log n.
template <class Filter, class F>
void each_difference(Json before, Json after, Filter&& filter, F&& f) {
    const std::vector<Member> old_list = sorted_members(before, filter);
    const std::vector<Member> new_list = sorted_members(after, filter);
    auto was = old_list.begin();
    auto is = new_list.begin();
    while (was != old_list.end() || is != new_list.end()) {
        if (is == new_list.end() || (was != old_list.end() && was->key < is->key)) {
            f(was->key, was->value, Json());
            ++was;
        } else if (was == old_list.end() || is->key < was->key) {
            f(is->key, Json(), is->value);
            ++is;
        } else {
            if (!equal(was->value, is->value)) f(was->key, was->value, is->value);
            ++was;
            ++is;
        }
    }
}

bool asks_for_reconciliation(std::string_view key) { return key.starts_with("reconcile.fluxcd.io/"); }

// Does everything but these annotations, and what the API server writes, stay as it is?
bool only_annotations_change(Json before, Json after, bool (*may_change)(std::string_view key)) {
    constexpr std::array<std::string_view, 1> kMetadata{"metadata"};
    constexpr std::array<std::string_view, 4> kOfMetadata{"annotations", "managedFields", "resourceVersion", "generation"};
    bool same = kube::equal_but_for(before, after, kMetadata) && kube::equal_but_for(before["metadata"], after["metadata"], kOfMetadata);
    const auto any = [](std::string_view) { return true; };
    each_difference(before["metadata"]["annotations"], after["metadata"]["annotations"], any,
                    [&](std::string_view key, Json, Json) { same = same && may_change(key); });
    return same;
}

// A key with its prefix has at most 317 bytes; a forged one may be longer, and so may a value.
constexpr std::size_t kShownBytesMax = 317;

std::string shown(Json value) { return value.present() ? kube::quoted(value.text().substr(0, kShownBytesMax)) : "(absent)"; }

// The fix that a grant is for would be undone by Flux: within a grant, Flux may be told to leave the object alone, and told to
// look after it again.
bool opened_by_grant(const EscapeRequest& request, std::string_view key, Json before, Json after) {
    const auto off_or_absent = [](Json value) { return !value.present() || same_without_case(value.text(), "disabled"); };
    return request.said.granted && same_without_case(key, kReconcileSwitch) && off_or_absent(before) && off_or_absent(after);
}

void judge_keys(const EscapeRequest& request, std::string_view map, bool (*guarded)(std::string_view), Findings& findings) {
    const Json before = request.review.old_object["metadata"][map];
    const Json after = request.review.object["metadata"][map];
    each_difference(before, after, guarded, [&](std::string_view key, Json was, Json is) {
        if (opened_by_grant(request, key, was, is)) return;
        std::string path = ".metadata";
        kube::append_field(path, map);
        kube::append_field(path, key.substr(0, kShownBytesMax));
        findings.add(path, shown(is), shown(was) + " (steers Flux)");
    });
}

bool has_owner_labels(Json object) {
    const Json labels = object["metadata"]["labels"];
    return labels["kustomize.toolkit.fluxcd.io/name"].present() || labels["helm.toolkit.fluxcd.io/name"].present();
}

// What decides whether the object lives: of objects that Flux looks after.
void judge_life(const EscapeRequest& request, Findings& findings) {
    const Json before = request.review.old_object["metadata"];
    const Json after = request.review.object["metadata"];
    for (const std::string_view field : {"ownerReferences", "finalizers"})
        add_changes(findings, kube::find_changes_below(fmt::format(".metadata.{}", field), false, before[field], after[field],
                                                       request.review.kind.kind, kChangesMax));
}

// Where Flux runs everything counts, whatever is known: a kind of Flux that the API server serves in another version than the one that is
// watched has no objects in the view, and names its Secrets all the same.
bool is_substitute(const EscapeRequest& request) {
    const kube::Review& review = request.review;
    if (any_matches(request.guard().flux_namespaces, review.namespace_name)) return true;
    const ClusterView* const cluster = request.context.cluster;
    if (!cluster || !cluster->substitutes) return false;
    const std::string_view kind = review.resource.resource == "secrets" ? "Secret" : "ConfigMap";
    return cluster->substitutes->contains(fmt::format("{} {}/{}", kind, review.namespace_name, review.object_name()));
}

}  // namespace

void judge_flux_objects(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (finishes_a_delete(review)) return;
    const bool update = request.is_update();
    kube::Changes entries = update ? find_flux_entry_changes(review, FluxEntries::stay, request.set.options.limits) : kube::Changes{};
    if (update && review.sub_resource.empty() && entries.empty() &&
        only_annotations_change(review.old_object, review.object, asks_for_reconciliation))
        return;
    request.refuse(findings, review.sub_resource.empty() ? "Flux, or a change in Git" : "the controller of Flux that it belongs to");
    if (!update) return;
    kube::Changes changes = kube::find_changes(review.old_object, review.object, review.kind.kind, kChangesMax);
    for (kube::Change& change : changes.list) {
        if (change.path == ".spec.suspend") change.want += " (a break-glass grant does not open it)";
    }
    add_changes(findings, std::move(changes));
    add_changes(findings, std::move(entries));
}

void judge_substitutes(const EscapeRequest& request, Findings& findings) {
    if (finishes_a_delete(request.review) || !is_substitute(request)) return;
    request.refuse(findings, "a change in Git: Flux reads it to know what to apply");
}

void judge_switches(const EscapeRequest& request, Findings& findings) {
    const kube::Review& review = request.review;
    if (!request.is_write() || !review.carries_labels()) return;
    for (const std::string_view map : {"labels", "annotations"})
        judge_keys(request, map, request.is_update() ? steers_flux : is_switch, findings);
    // Flux's own objects are guarded as a whole.
    if (is_flux_group(review.resource.group) || request.said.fields_stay) return;
    add_changes(findings, find_flux_entry_changes(review, FluxEntries::may_shrink, request.set.options.limits));
    if (!request.is_update()) return;
    if (has_owner_labels(review.old_object) || is_declared_by_flux(review.old_object)) judge_life(request, findings);
}

}  // namespace fluxgate::policy
