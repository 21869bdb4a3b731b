#include "policy/lock/allowances.hpp"

#include <algorithm>
#include <initializer_list>
#include <span>

#include <fmt/format.h>

#include "kube/pod_template.hpp"
#include "policy/decode_match.hpp"
#include "policy/lock/assurance.hpp"
#include "policy/lock/cron_job_run.hpp"
#include "policy/lock/field_lock.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

using kube::Json;
using kube::Operation;

// A lock asks them one by one, of a request that is refused otherwise.
constexpr std::size_t kAllowancesMax = 100;
constexpr std::size_t kSubjectsMax = 100;

constexpr std::string_view kRestartedAt = "kubectl.kubernetes.io/restartedAt";
constexpr std::size_t kRestartedAtBytesMax = 64;  // RFC 3339 needs 35

std::vector<DayTwoAction> decode_actions(Mapping& fields) {
    std::vector<DayTwoAction> actions;
    fields.each("actions", [&](const kube::Node& item, const std::string& what) {
        const auto index = one_of(item, what, {kDayTwoActions.begin(), kDayTwoActions.end()}, fields.problems());
        if (!index) return;
        const auto action = static_cast<DayTwoAction>(*index);
        if (std::find(actions.begin(), actions.end(), action) == actions.end())
            actions.push_back(action);
        else
            fields.problems().add(Errc::invalid_policy, item.position(), fmt::format("{}: names {} again", what, to_string(action)));
    });
    return actions;
}

// --- what changes -----------------------------------------------------------------------------------------------------

bool same_members(Json before, Json after, std::initializer_list<std::string_view> except) {
    return kube::equal_but_for(before, after, std::span(except.begin(), except.size()));
}

// Metadata but for what the API server writes itself.
bool same_metadata(const kube::Review& review) {
    return same_members(review.old_object["metadata"], review.object["metadata"], {"managedFields", "resourceVersion", "generation"});
}

bool changes_only_restarted_at(const kube::Review& review) {
    const Json before = review.old_object;
    const Json after = review.object;
    const Json template_before = before["spec"]["template"];
    const Json template_after = after["spec"]["template"];
    const Json annotations_before = template_before["metadata"]["annotations"];
    const Json annotations_after = template_after["metadata"]["annotations"];
    const std::string_view at = annotations_after[kRestartedAt].text();
    return !at.empty() && at.size() <= kRestartedAtBytesMax && annotations_before[kRestartedAt].text() != at &&
           same_members(before, after, {"metadata", "spec"}) && same_metadata(review) &&
           same_members(before["spec"], after["spec"], {"template"}) && same_members(template_before, template_after, {"metadata"}) &&
           same_members(template_before["metadata"], template_after["metadata"], {"annotations"}) &&
           same_members(annotations_before, annotations_after, {kRestartedAt});
}

bool adds_only_ephemeral_containers(const kube::Review& review) {
    const Json before = review.old_object["spec"]["ephemeralContainers"];
    const Json after = review.object["spec"]["ephemeralContainers"];
    if (!after.is_array() || after.size() <= before.size()) return false;
    std::vector<Json> there;
    before.each_item([&](Json container) { there.push_back(container); });
    std::size_t at = 0;
    bool same = true;
    after.each_item([&](Json container) {
        same = same && (at >= there.size() || equal(there[at], container));
        ++at;
    });
    return same && same_members(review.old_object, review.object, {"metadata", "spec"}) && same_metadata(review) &&
           same_members(review.old_object["spec"], review.object["spec"], {"ephemeralContainers"});
}

bool leaves_flux_entries(const kube::Review& review) { return find_flux_entry_changes(review, FluxEntries::stay, Limits{}).empty(); }

// --- one word each ----------------------------------------------------------------------------------------------------

// Flux makes the fields of these its own and so takes them back: its client drops what has this prefix, and this name.
bool flux_takes_back(std::string_view field_manager) {
    return field_manager.empty() || field_manager.starts_with("kubectl") || field_manager == "before-first-apply";
}

DayTwoWork restart(const kube::Review& review, std::string_view kind) {
    if (!review.sub_resource.empty() || !changes_only_restarted_at(review)) return {};
    DayTwoWork work{DayTwoAction::restart, {}};
    if (flux_takes_back(review.field_manager))
        work.obstacle = fmt::format(
            "Restart with: kubectl rollout restart {}/{} -n {} --field-manager=flux-client-side-apply (what kubectl writes under its own "
            "name Flux takes back, and restarts once more).",
            kind, review.object_name(), review.namespace_name);
    else if (!leaves_flux_entries(review))
        work.obstacle =
            "A restart must take neither a field nor the name of Flux: restartedAt is declared in Git, or managedFields differ.";
    return work;
}

DayTwoWork delete_pod(const kube::Review& review) {
    DayTwoWork work{DayTwoAction::delete_pod, {}};
    if (!kube::has_controller_owner(review.old_object["metadata"]))
        work.obstacle = "delete-pod is for Pods that a controller makes again; nothing would bring this one back.";
    return work;
}

DayTwoWork debug(const kube::Review& review) {
    DayTwoWork work{DayTwoAction::debug, {}};
    if (!adds_only_ephemeral_containers(review) || !leaves_flux_entries(review))
        work.obstacle = "debug may add ephemeral containers, and change nothing else.";
    return work;
}

std::optional<DayTwoAction> connection(std::string_view sub_resource) {
    constexpr std::array kConnections{DayTwoAction::exec, DayTwoAction::attach, DayTwoAction::proxy};
    if (sub_resource == "portforward") return DayTwoAction::port_forward;
    const auto* found =
        std::find_if(kConnections.begin(), kConnections.end(), [&](auto action) { return to_string(action) == sub_resource; });
    return found == kConnections.end() ? std::nullopt : std::optional(*found);
}

// "deployment" for what can be restarted, else "".
std::string_view restartable(const kube::GroupVersionResource& resource) {
    if (resource.group != "apps") return {};
    for (const std::string_view plural : {"deployments", "statefulsets", "daemonsets"}) {
        if (resource.resource == plural) return plural.substr(0, plural.size() - 1);
    }
    return {};
}

DayTwoWork of_pods(const kube::Review& review) {
    const std::string_view sub_resource = review.sub_resource;
    switch (review.operation) {
        case Operation::connect: return {connection(sub_resource), {}};
        case Operation::remove: return sub_resource.empty() ? delete_pod(review) : DayTwoWork{};
        case Operation::create: return sub_resource == "eviction" ? DayTwoWork{DayTwoAction::evict, {}} : DayTwoWork{};
        case Operation::update: return sub_resource == "ephemeralcontainers" ? debug(review) : DayTwoWork{};
    }
    return {};
}

DayTwoWork run_cronjob(const kube::Review& review, const Context& context) {
    if (!is_meant_as_cron_job_run(review)) return {};
    return {DayTwoAction::run_cronjob, why_no_cron_job_run(review, context.cluster)};
}

bool is_for(const Allowance& allowance, const kube::UserInfo& user) {
    return std::any_of(allowance.subjects.begin(), allowance.subjects.end(), [&](const Subject& subject) { return subject.is(user); });
}

}  // namespace

Allowance Allowance::decode(Mapping& fields) {
    Allowance allowance;
    fields.required("subjects", "a list such as [{kind: Group, name: sre}]");
    refuse_empty_list(fields, "subjects", "is nobody");
    if (!refuse_longer_list(fields, "subjects", kSubjectsMax)) allowance.subjects = decode_whole_subjects(fields, "subjects");
    fields.required("actions", "a list such as [restart, delete-pod]");
    refuse_empty_list(fields, "actions", "allows nothing");
    if (!refuse_longer_list(fields, "actions", kDayTwoActions.size())) allowance.actions = decode_actions(fields);
    fields.finish();
    return allowance;
}

std::vector<Allowance> decode_allowances(Mapping& fields) {
    std::vector<Allowance> allowances;
    if (refuse_longer_list(fields, "allowances", kAllowancesMax)) return allowances;
    fields.each("allowances", [&](const kube::Node& item, const std::string& what) {
        Mapping allowance(item, what, fields.problems());
        allowances.push_back(Allowance::decode(allowance));
    });
    return allowances;
}

DayTwoWork recognise_day_two_work(const kube::Review& review, const Context& context) {
    if (review.resource.group.empty() && review.resource.resource == "pods") return of_pods(review);
    if (review.resource.group == "batch" && review.resource.resource == "jobs") return run_cronjob(review, context);
    const std::string_view kind = restartable(review.resource);
    return review.operation == Operation::update && !kind.empty() ? restart(review, kind) : DayTwoWork{};
}

bool is_allowed(const std::vector<Allowance>& allowances, const kube::UserInfo& user, DayTwoAction action) {
    return proves_account(user) && std::any_of(allowances.begin(), allowances.end(), [&](const Allowance& allowance) {
               return std::find(allowance.actions.begin(), allowance.actions.end(), action) != allowance.actions.end() &&
                      is_for(allowance, user);
           });
}

std::optional<DayTwoAction> find_allowance(const std::vector<Allowance>& allowances, const kube::Review& review, const Context& context,
                                           std::string& why_not) {
    // Asked first, because a look at the request can cost as much as the object is long.
    const auto is_for_caller = [&](const Allowance& allowance) { return is_for(allowance, review.user); };
    if (std::none_of(allowances.begin(), allowances.end(), is_for_caller)) return std::nullopt;
    DayTwoWork work = recognise_day_two_work(review, context);
    if (!work.action || !is_allowed(allowances, review.user, *work.action)) return std::nullopt;
    if (work.obstacle.empty()) return work.action;
    why_not = std::move(work.obstacle);
    return std::nullopt;
}

}  // namespace fluxgate::policy
