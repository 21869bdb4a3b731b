#include "policy/rules/services.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "kube/path.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

const std::vector<std::string_view> kTypes{"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"};

bool listed_in(const std::vector<std::string>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

std::string allowed_types(const std::vector<std::string>& denied) {
    std::vector<std::string> allowed;
    for (const std::string_view type : kTypes) {
        if (!listed_in(denied, type)) allowed.emplace_back(type);
    }
    return listed(allowed);
}

std::string allowed_addresses(const std::vector<ServicesRule::Range>& ranges) {
    if (ranges.empty()) return "no external address";
    std::vector<std::string> texts;
    for (const ServicesRule::Range& range : ranges) texts.push_back(range.text);
    return "an address of " + listed(texts);
}

std::optional<std::vector<ServicesRule::Range>> decode_ranges(Mapping& fields) {
    if (!fields.field("externalIPs")) return std::nullopt;
    std::vector<ServicesRule::Range> ranges;
    fields.each("externalIPs", [&](const kube::Node& item, const std::string& what) {
        if (item.kind() != kube::Node::Kind::string) {
            fields.problems().add(Errc::wrong_type, item.position(),
                                  fmt::format("{}: expected a string, have {}", what, kube::describe(item.kind())));
            return;
        }
        const auto range = kube::IpRange::parse(item.text());
        if (range)
            ranges.push_back({item.text(), *range});
        else
            fields.problems().add(Errc::invalid_policy, item.position(),
                                  fmt::format("{}: {} {}", what, shown(item.text()), range.error().message));
    });
    return ranges;
}

}  // namespace

ServicesRule ServicesRule::decode(Mapping& fields) {
    ServicesRule rule;
    const DemandCheck demands(fields);
    rule.deny_types = decode_names(fields, "denyTypes", kTypes);
    refuse_empty_list(fields, "denyTypes", "denies nothing; leave it out");
    if (std::all_of(kTypes.begin(), kTypes.end(), [&](std::string_view type) { return listed_in(rule.deny_types, type); }))
        fields.problem("denyTypes", "denies every Service");
    rule.external_ips = decode_ranges(fields);
    fields.finish();
    demands.require(!rule.deny_types.empty() || rule.external_ips, "services: demands nothing; give denyTypes or externalIPs");
    return rule;
}

void ServicesRule::judge(const kube::Review&, kube::Json object, Findings& findings) const {
    const kube::Json spec = object["spec"];
    const kube::Json type = spec["type"];
    const bool absent = is_empty(type);
    if (listed_in(deny_types, absent ? "ClusterIP" : type.text()))
        findings.add(".spec.type", absent ? "(absent), which is ClusterIP" : shown(type), allowed_types(deny_types));
    if (!external_ips) return;
    const kube::Json addresses = spec["externalIPs"];
    if (!addresses.absent_or_null() && !addresses.is_array()) findings.add(".spec.externalIPs", shown(addresses), "a list of addresses");
    std::size_t index = 0;
    addresses.each_item([&](kube::Json item) {
        const std::size_t at = index++;
        const auto address = kube::IpAddress::parse(item.text());
        const auto contains = [&](const Range& allowed) { return allowed.range.contains(*address); };
        if (address && std::any_of(external_ips->begin(), external_ips->end(), contains)) return;
        std::string path = ".spec.externalIPs";
        kube::append_index(path, at);
        findings.add(std::move(path), shown(item), allowed_addresses(*external_ips));
    });
}

bool ServicesRule::same_inputs(const kube::Review&, kube::Json before, kube::Json after) const {
    return kube::equal(before["spec"]["type"], after["spec"]["type"]) &&
           kube::equal(before["spec"]["externalIPs"], after["spec"]["externalIPs"]);
}

}  // namespace fluxgate::policy
