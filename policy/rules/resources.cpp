#include "policy/rules/resources.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "policy/rules/fields.hpp"
#include "policy/rules/resource_name.hpp"
#include "policy/rules/rule.hpp"

namespace fluxgate::policy {

namespace {

// A quantity as an object states it: a string, or an integer.
struct Stated {
    kube::Json json;
    kube::Quantity quantity;
};

std::string text_of(kube::Json quantity) { return quantity.is_string() ? std::string(quantity.text()) : quantity.dump(); }

// One container's requests and limits, with what stands in for them.
class ContainerResources {
public:
    ContainerResources(const kube::PodTemplate& pod, const kube::Container& container, Findings& findings)
        : pod_(pod), container_(container), own_(container.json["resources"]), pods_(pod.spec["resources"]), findings_(findings) {}

    void add(std::string_view list, std::string_view resource, std::string have, std::string want) const {
        std::string field = "resources." + std::string(list);
        kube::append_field(field, resource);
        findings_.add(pod_, container_, field, std::move(have), std::move(want));
    }

    std::optional<Stated> limit(std::string_view resource) { return first_of({own_["limits"][resource], pods_["limits"][resource]}); }
    std::optional<Stated> request(std::string_view resource) {
        return first_of({own_["requests"][resource], own_["limits"][resource], pods_["requests"][resource], pods_["limits"][resource]});
    }

    // Each quantity of the container must parse, asked for or not.
    void report_unreadable() {
        for (const std::string_view list : {"requests", "limits"}) {
            own_[list].each_member([&](std::string_view resource, kube::Json value) {
                if (!value.absent_or_null() && !read(value)) add(list, resource, show(value), "a quantity such as 100m or 128Mi");
            });
        }
    }

private:
    static std::string show(kube::Json value) {
        const std::string text = value.is_string() ? kube::quoted(value.text()) : value.dump();
        return text.size() <= 80 ? text : text.substr(0, 77) + "...";
    }

    // The API server stores quantities in their shortest form; nothing is read that is longer than any of them.
    static constexpr std::size_t kQuantityBytesMax = 64;

    static std::optional<Stated> read(kube::Json value) {
        if (value.is_object() || value.is_array() || value.text().size() > kQuantityBytesMax) return std::nullopt;
        const auto text = value.string();
        const auto quantity = text ? kube::Quantity::parse(*text) : kube::Quantity::parse(text_of(value));
        if (!quantity) return std::nullopt;
        return Stated{value, *quantity};
    }

    // What is stated first counts, even if it promises nothing: the API server does not replace a zero.
    static std::optional<Stated> first_of(std::initializer_list<kube::Json> places) {
        for (const kube::Json place : places) {
            if (place.absent_or_null()) continue;
            const auto stated = read(place);
            if (stated && !stated->quantity.is_zero() && !stated->quantity.is_negative()) return stated;
            return std::nullopt;
        }
        return std::nullopt;
    }

    const kube::PodTemplate& pod_;
    const kube::Container& container_;
    kube::Json own_;
    kube::Json pods_;
    Findings& findings_;
};

std::string shown(const std::optional<Stated>& stated) { return stated ? "\"" + text_of(stated->json) + "\"" : "(absent)"; }

std::vector<std::string> decode_resources(Mapping& fields, std::string_view key) {
    fields.each(key, [&](const kube::Node& item, const std::string& what) {
        if (item.kind() == kube::Node::Kind::string) check_resource_name(item.text(), what, item.position(), fields.problems());
    });
    return fields.strings(key);
}

std::vector<ResourcesRule::Bound> decode_bounds(Mapping& fields, std::string_view key) {
    std::vector<ResourcesRule::Bound> bounds;
    const kube::Node* map = fields.field(key);
    if (!map) return bounds;
    if (map->kind() != kube::Node::Kind::mapping) {
        fields.problem(key, "expected a mapping from resource names to quantities");
        return bounds;
    }
    for (const kube::Entry& entry : map->entries()) {
        check_resource_name(entry.key, fields.name_of(key) + "." + entry.key, entry.key_position, fields.problems());
        auto quantity = kube::Quantity::parse(entry.value.text());
        if (!quantity || quantity->is_zero() || quantity->is_negative()) {
            fields.problems().add(Errc::invalid_quantity, entry.value.position(),
                                  fields.name_of(key) + "." + entry.key + ": expected a quantity above zero such as \"100m\" or \"4Gi\"");
            continue;
        }
        bounds.push_back({entry.key, entry.value.text(), *quantity});
    }
    return bounds;
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

ResourcesRule ResourcesRule::decode(Mapping& fields) {
    ResourcesRule rule;
    const DemandCheck demands(fields);
    rule.requests = decode_resources(fields, "requests");
    rule.limits = decode_resources(fields, "limits");
    rule.min = decode_bounds(fields, "min");
    rule.max = decode_bounds(fields, "max");
    rule.ratio = decode_bounds(fields, "maxLimitRequestRatio");
    if (fields.field("containerTypes")) {
        rule.containers = rule.init_containers = rule.sidecars = false;
        fields.each("containerTypes", [&](const kube::Node& item, const std::string& what) {
            const auto type = one_of(item, what, {"containers", "initContainers", "sidecars"}, fields.problems());
            if (type == 0) rule.containers = true;
            if (type == 1) rule.init_containers = true;
            if (type == 2) rule.sidecars = true;
        });
        if (!rule.containers && !rule.init_containers && !rule.sidecars)
            fields.problem("containerTypes", "names no container type, so the rule would judge nothing");
    }
    fields.finish();
    demands.require(!rule.requests.empty() || !rule.limits.empty() || !rule.min.empty() || !rule.max.empty() || !rule.ratio.empty(),
                    "resources: demands nothing; give requests, limits, min, max or maxLimitRequestRatio");
    return rule;
}

void ResourcesRule::judge(const kube::PodTemplate& pod, Findings& findings) const {
    pod.each_container([&](const kube::Container& container) {
        switch (container.type) {
            case kube::ContainerType::container:
                if (!containers) return;
                break;
            case kube::ContainerType::init_container:
                if (!init_containers) return;
                break;
            case kube::ContainerType::sidecar:
                if (!sidecars) return;
                break;
            case kube::ContainerType::ephemeral: return;
        }
        ContainerResources resources(pod, container, findings);
        resources.report_unreadable();
        for (const std::string& resource : requests) {
            if (!resources.request(resource)) resources.add("requests", resource, "(absent)", "a " + resource + " request");
        }
        for (const std::string& resource : limits) {
            if (!resources.limit(resource)) resources.add("limits", resource, "(absent)", "a " + resource + " limit");
        }
        for (const Bound& bound : min) {
            const auto request = resources.request(bound.resource);
            if (!request && contains(requests, bound.resource)) continue;  // said already
            if (!request || request->quantity < bound.quantity)
                resources.add("requests", bound.resource, shown(request), "at least \"" + bound.text + "\"");
        }
        for (const Bound& bound : max) {
            const auto limit = resources.limit(bound.resource);
            const auto request = resources.request(bound.resource);
            if (request && request->quantity > bound.quantity && (!limit || limit->quantity <= bound.quantity)) {
                resources.add("requests", bound.resource, shown(request), "at most \"" + bound.text + "\"");
            }
            if (!limit && contains(limits, bound.resource)) continue;  // said already
            if (!limit || limit->quantity > bound.quantity)
                resources.add("limits", bound.resource, shown(limit), "at most \"" + bound.text + "\"");
        }
        for (const Bound& bound : ratio) {
            const auto limit = resources.limit(bound.resource);
            const auto request = resources.request(bound.resource);
            if (limit && request && !kube::ratio_exceeds(limit->quantity, request->quantity, bound.quantity)) continue;
            if ((!limit && contains(limits, bound.resource)) || (!request && contains(requests, bound.resource))) continue;  // said already
            const std::string want = "at most " + bound.text + " times the request";
            resources.add("limits", bound.resource, shown(limit),
                          request ? want + " (" + shown(request) + ")" : want + ", which is absent");
        }
    });
}

bool ResourcesRule::same_inputs(const kube::PodTemplate& before, const kube::PodTemplate& after) const {
    return kube::equal(before.spec["resources"], after.spec["resources"]) &&
           same_containers(before, after, [](kube::Json was, kube::Json is) { return kube::equal(was["resources"], is["resources"]); });
}

}  // namespace fluxgate::policy
