#include "policy/rules/defaults.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

std::string pointer_of(const kube::Container& container) {
    const bool ordinary = container.type == kube::ContainerType::container;
    return fmt::format("/spec/{}/{}", ordinary ? "containers" : "initContainers", container.index);
}

bool asks_for_root(const kube::PodTemplate& pod) {
    const auto is_root = [](kube::Json context) { return context["runAsUser"].integer() == 0; };
    bool found = is_root(pod.spec["securityContext"]);
    pod.each_container([&](const kube::Container& container) { found = found || is_root(container.json["securityContext"]); });
    return found;
}

// The API server refuses a container that may not gain privileges and has them.
bool has_privileges(kube::Json context) {
    bool found = context["privileged"].is_true();
    context["capabilities"]["add"].each_item([&](kube::Json capability) { found = found || capability.text() == "CAP_SYS_ADMIN"; });
    return found;
}

void fill_security(const kube::PodTemplate& pod, Patch& patch) {
    const bool windows = pod.spec["os"]["name"].text() == "windows";
    if (!asks_for_root(pod)) patch.fill("/spec", pod.spec, {"securityContext", "runAsNonRoot"}, true);
    if (windows) return;
    patch.fill("/spec", pod.spec, {"securityContext", "seccompProfile"}, {{"type", "RuntimeDefault"}});
    pod.each_container([&](const kube::Container& container) {
        if (container.type == kube::ContainerType::ephemeral) return;
        const kube::Json context = container.json["securityContext"];
        const std::string pointer = pointer_of(container);
        if (!has_privileges(context)) patch.fill(pointer, container.json, {"securityContext", "allowPrivilegeEscalation"}, false);
        patch.fill(pointer, container.json, {"securityContext", "capabilities", "drop"}, nlohmann::json::array({"ALL"}));
    });
}

// What the API server's ServiceAccount plugin mounts (kubernetes plugin/pkg/admission/serviceaccount).
bool is_token_volume(kube::Json volume) {
    if (!volume["name"].text().starts_with("kube-api-access-")) return false;
    bool found = false;
    volume["projected"]["sources"].each_item([&](kube::Json source) { found = found || !source["serviceAccountToken"].absent_or_null(); });
    return found;
}

void remove_items(const std::string& pointer, kube::Json list, Patch& patch, const std::function<bool(kube::Json)>& chosen) {
    std::vector<std::size_t> found;
    std::size_t index = 0;
    list.each_item([&](kube::Json item) {
        if (chosen(item)) found.push_back(index);
        ++index;
    });
    for (auto at = found.rbegin(); at != found.rend(); ++at) patch.remove_item(pointer, *at);
}

void remove_token_volumes(const kube::PodTemplate& pod, Patch& patch) {
    std::vector<std::string_view> names;
    pod.spec["volumes"].each_item([&](kube::Json volume) {
        if (is_token_volume(volume)) names.push_back(volume["name"].text());
    });
    if (names.empty()) return;
    std::sort(names.begin(), names.end());
    pod.each_container([&](const kube::Container& container) {
        if (container.type == kube::ContainerType::ephemeral) return;
        remove_items(pointer_of(container) + "/volumeMounts", container.json["volumeMounts"], patch,
                     [&](kube::Json mount) { return std::binary_search(names.begin(), names.end(), mount["name"].text()); });
    });
    remove_items("/spec/volumes", pod.spec["volumes"], patch, is_token_volume);
}

// What is stated, readable or not.
bool states(kube::Json resources, std::string_view list, std::string_view resource) { return !resources[list][resource].absent_or_null(); }

std::optional<kube::Quantity> read(kube::Json value) {
    constexpr std::size_t kQuantityBytesMax = 64;
    if (value.absent_or_null() || value.is_object() || value.is_array() || value.text().size() > kQuantityBytesMax) return std::nullopt;
    const auto quantity = kube::Quantity::parse(value.is_string() ? std::string(value.text()) : value.dump());
    return quantity ? std::optional(*quantity) : std::nullopt;
}

void fill_resources(const DefaultsRule& rule, const kube::PodTemplate& pod, Patch& patch) {
    const kube::Json of_pod = pod.spec["resources"];
    pod.each_container([&](const kube::Container& container) {
        if (container.type == kube::ContainerType::ephemeral) return;
        const kube::Json own = container.json["resources"];
        const std::string pointer = pointer_of(container);
        // What an earlier rule filled is its business: a limit of ours might be below its request.
        const auto left_to_others = [&](const std::string& resource) {
            return states(of_pod, "requests", resource) || states(of_pod, "limits", resource) ||
                   patch.has_filled(with_step(pointer + "/resources/requests", resource)) ||
                   patch.has_filled(with_step(pointer + "/resources/limits", resource));
        };
        std::vector<const DefaultsRule::Amount*> limits;
        for (const DefaultsRule::Amount& amount : rule.limits) {
            if (!left_to_others(amount.resource)) limits.push_back(&amount);
        }
        for (const DefaultsRule::Amount& amount : rule.requests) {
            const bool stated = states(own, "requests", amount.resource) || states(own, "limits", amount.resource);
            if (!stated && !left_to_others(amount.resource))
                patch.fill(pointer, container.json, {"resources", "requests", amount.resource}, amount.text);
        }
        for (const DefaultsRule::Amount* limit : limits) {
            const DefaultsRule::Amount& amount = *limit;
            if (states(own, "limits", amount.resource)) continue;
            if (states(own, "requests", amount.resource)) {
                const auto request = read(own["requests"][amount.resource]);
                if (!request || *request > amount.quantity) continue;
            }
            patch.fill(pointer, container.json, {"resources", "limits", amount.resource}, amount.text);
        }
    });
}

std::vector<DefaultsRule::Amount> decode_amounts(Mapping& fields, std::string_view key) {
    std::vector<DefaultsRule::Amount> amounts;
    const kube::Node* map = fields.field(key);
    if (!map) return amounts;
    if (map->kind() != kube::Node::Kind::mapping) {
        fields.problem(key, "expected a mapping from resource names to quantities");
        return amounts;
    }
    for (const kube::Entry& entry : map->entries()) {
        // Others must have equal requests and limits, or come in pages: a default of one makes pods that nobody can create.
        if (entry.key != "cpu" && entry.key != "memory" && entry.key != "ephemeral-storage") {
            fields.problems().add(Errc::invalid_policy, entry.key_position,
                                  fmt::format("{}.{}: expected cpu, memory or ephemeral-storage{}", fields.name_of(key), entry.key,
                                              did_you_mean(entry.key, {"cpu", "memory", "ephemeral-storage"})));
            continue;
        }
        const auto quantity = kube::Quantity::parse(entry.value.text());
        if (quantity && !quantity->is_zero() && !quantity->is_negative())
            amounts.push_back({entry.key, entry.value.text(), *quantity});
        else
            fields.problems().add(Errc::invalid_quantity, entry.value.position(),
                                  fields.name_of(key) + "." + entry.key + ": expected a quantity above zero such as \"100m\" or \"256Mi\"");
    }
    return amounts;
}

}  // namespace

DefaultsRule DefaultsRule::decode(Mapping& fields) {
    DefaultsRule rule;
    const DemandCheck demands(fields);
    if (const kube::Node* level = fields.field("podSecurity")) {
        rule.pod_security = one_of(*level, fields.name_of("podSecurity"), {"restricted"}, fields.problems()).has_value();
    }
    if (const kube::Node* automount = fields.field("automountServiceAccountToken")) {
        if (automount->kind() == kube::Node::Kind::boolean)
            rule.automount_service_account_token = automount->as_bool();
        else
            fields.problem("automountServiceAccountToken", "expected true or false");
    }
    if (const kube::Node* resources = fields.field("resources")) {
        Mapping entry(*resources, fields.name_of("resources"), fields.problems());
        rule.requests = decode_amounts(entry, "requests");
        rule.limits = decode_amounts(entry, "limits");
        entry.finish();
        for (const Amount& request : rule.requests) {
            for (const Amount& limit : rule.limits) {
                if (request.resource == limit.resource && request.quantity > limit.quantity)
                    entry.problem("requests", fmt::format("{} {} is above the limit {}: every pod filled with both would be refused",
                                                          request.resource, request.text, limit.text));
            }
        }
    }
    fields.finish();
    demands.require(rule.pod_security || rule.automount_service_account_token || !rule.requests.empty() || !rule.limits.empty(),
                    "defaults: fills nothing; give podSecurity, automountServiceAccountToken or resources");
    return rule;
}

void DefaultsRule::fill(const kube::PodTemplate& pod, Patch& patch) const {
    if (pod_security) fill_security(pod, patch);
    if (automount_service_account_token &&
        patch.fill("/spec", pod.spec, {"automountServiceAccountToken"}, *automount_service_account_token) &&
        !*automount_service_account_token) {
        remove_token_volumes(pod, patch);
    }
    fill_resources(*this, pod, patch);
}

}  // namespace fluxgate::policy
