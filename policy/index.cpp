#include "policy/index.hpp"

#include <algorithm>
#include <optional>

#include "policy/policy_set.hpp"
#include "policy/rules/rule.hpp"

namespace fluxgate::policy {

namespace {

// Resource and group with a separator that neither has: looked up with a name of bounded size, so that a lookup needs no memory.
constexpr std::size_t kKeyBytesMax = 384;
using KeyBuffer = std::array<char, kKeyBytesMax>;

std::string_view write_key(std::string_view group, std::string_view resource, KeyBuffer& buffer) {
    if (group.size() + resource.size() + 1 > kKeyBytesMax) return {};
    char* end = std::copy(resource.begin(), resource.end(), buffer.data());
    *end++ = '\0';
    end = std::copy(group.begin(), group.end(), end);
    return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

struct Name {
    std::string group;
    std::string resource;
};

bool has_wildcard(std::string_view text) { return text == "*"; }

std::string_view without_sub_resource(std::string_view pattern) { return pattern.substr(0, pattern.find('/')); }

std::vector<Name> known_resources() {
    std::vector<Name> names;
    for (const auto& [group, resource] : kKnownResources) names.push_back({std::string(group), std::string(resource)});
    return names;
}

// Every resource that rules or policies name; about any other they all think alike. Nothing if that is more than an index is
// worth: groups times resources times policies, which a small file can make huge.
std::optional<std::vector<Name>> named_resources(const std::vector<Policy>& policies) {
    constexpr std::size_t kWorkMax = 20'000'000;
    std::vector<Name> names = known_resources();
    std::size_t pairs = names.size();
    for (const Policy& policy : policies) {
        for (const ResourceRule& rule : policy.match.resource_rules) pairs += rule.api_groups.size() * rule.resources.size();
        if (pairs * policies.size() > kWorkMax) return std::nullopt;
    }
    for (const Policy& policy : policies) {
        for (const ResourceRule& rule : policy.match.resource_rules) {
            for (const std::string& pattern : rule.resources) {
                if (has_wildcard(without_sub_resource(pattern))) continue;
                for (const std::string& group : rule.api_groups) {
                    if (!has_wildcard(group)) names.push_back({group, std::string(without_sub_resource(pattern))});
                }
            }
        }
    }
    return names;
}

bool listed(const std::vector<std::string>& list, std::string_view value) {
    return std::any_of(list.begin(), list.end(), [&](const std::string& item) { return has_wildcard(item) || item == value; });
}

bool rules_may_match(const Policy& policy, std::string_view group, std::string_view resource) {
    const auto& rules = policy.match.resource_rules;
    return rules.empty() || std::any_of(rules.begin(), rules.end(), [&](const ResourceRule& rule) {
               return listed(rule.api_groups, group) &&
                      std::any_of(rule.resources.begin(), rule.resources.end(), [&](const std::string& pattern) {
                          return has_wildcard(without_sub_resource(pattern)) || without_sub_resource(pattern) == resource;
                      });
           });
}

bool may_match(const Policy& policy, std::string_view group, std::string_view resource) {
    return rules_may_match(policy, group, resource) &&
           std::any_of(policy.rules.begin(), policy.rules.end(), [&](const Rule& rule) { return understands(rule.body, group, resource); });
}

// About a resource that nobody names: by wildcards only. A name is asked for that no API has.
bool may_match_others(const Policy& policy) {
    const auto& rules = policy.match.resource_rules;
    // A rule that names a resource for every group ("*") can match one whose group nobody names.
    const bool wide =
        rules.empty() || std::any_of(rules.begin(), rules.end(), [](const ResourceRule& rule) {
            return listed(rule.api_groups, "*") || std::any_of(rule.resources.begin(), rule.resources.end(),
                                                               [](const auto& p) { return has_wildcard(without_sub_resource(p)); });
        });
    return wide && std::any_of(policy.rules.begin(), policy.rules.end(), [](const Rule& rule) { return understands(rule.body, "?", "?"); });
}

}  // namespace

Index::Index(const std::vector<Policy>& policies) : words_((policies.size() + 63) / 64), other_resources_(words_), any_namespace_(words_) {
    KeyBuffer buffer;
    const auto named = named_resources(policies);
    for (const Name& name : named ? *named : known_resources()) {
        const std::string_view key = write_key(name.group, name.resource, buffer);
        if (key.empty()) continue;
        const auto [entry, is_new] = by_resource_.try_emplace(std::string(key), Bits(words_));
        if (!is_new) continue;
        for (std::size_t i = 0; i < policies.size(); ++i) {
            if (may_match(policies[i], name.group, name.resource)) set(entry->second, i);
        }
    }
    for (std::size_t i = 0; i < policies.size(); ++i) {
        if (!named || may_match_others(policies[i])) set(other_resources_, i);
        if (policies[i].match.namespaces.empty()) set(any_namespace_, i);
        for (const Glob& glob : policies[i].match.namespaces) {
            const std::string& text = glob.text();
            const std::size_t star = text.find('*');
            if (star == std::string::npos)
                set(by_namespace_.try_emplace(text, Bits(words_)).first->second, i);
            else if (star + 1 == text.size() && star > 0 && star <= kNameBytesMax)
                set(by_prefix_.try_emplace(text.substr(0, star), Bits(words_)).first->second, i);
            else
                set(any_namespace_, i);
        }
    }
    for (const auto& [prefix, bits] : by_prefix_) prefix_lengths_.push_back(prefix.size());
    std::sort(prefix_lengths_.begin(), prefix_lengths_.end());
    prefix_lengths_.erase(std::unique(prefix_lengths_.begin(), prefix_lengths_.end()), prefix_lengths_.end());
}

void Index::set(Bits& bits, std::size_t policy) const { bits[policy / 64] |= std::uint64_t{1} << (policy % 64); }

const std::uint64_t* Index::of_resource(std::string_view group, std::string_view resource) const {
    KeyBuffer buffer;
    const auto found = by_resource_.find(write_key(group, resource, buffer));
    return found == by_resource_.end() ? other_resources_.data() : found->second.data();
}

void Index::find_namespaces(std::string_view name, Namespaces& found) const {
    found.bits[found.count++] = any_namespace_.data();
    if (const auto exact = by_namespace_.find(name); exact != by_namespace_.end()) found.bits[found.count++] = exact->second.data();
    for (const std::size_t length : prefix_lengths_) {
        if (length > name.size()) break;
        if (const auto prefix = by_prefix_.find(name.substr(0, length)); prefix != by_prefix_.end()) {
            found.bits[found.count++] = prefix->second.data();
        }
    }
}

}  // namespace fluxgate::policy
