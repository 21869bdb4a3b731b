#include "policy/lock/writers_text.hpp"

#include <array>

#include <fmt/format.h>

#include "kube/path.hpp"

namespace fluxgate::policy {

namespace {

// In quotes, which every YAML reader takes for the same text: "*" and "" would mean something else without.
std::string list_of(const std::vector<std::string>& texts) {
    std::vector<std::string> quoted;
    for (const std::string& text : texts) quoted.push_back(kube::quoted(text));
    return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string list_of(Operations operations) {
    constexpr std::array kOperations{kube::Operation::create, kube::Operation::update, kube::Operation::remove, kube::Operation::connect};
    std::vector<std::string> names;
    for (const kube::Operation operation : kOperations) {
        if (operations.has(operation)) names.emplace_back(kube::to_string(operation));
    }
    if (names.size() == kOperations.size()) return "[\"*\"]";
    return fmt::format("[{}]", fmt::join(names, ", "));
}

std::string permission_line(const Permission& permission) {
    const ResourceRule& rule = permission.rule;
    std::string line = fmt::format("    - {{apiGroups: {}, resources: {}, operations: {}", list_of(rule.api_groups),
                                   list_of(rule.resources), list_of(rule.operations));
    if (!rule.api_versions.empty()) line += ", apiVersions: " + list_of(rule.api_versions);
    if (permission.owned) line += ", owned: true";
    if (permission.bound_to_pod) line += ", boundToPod: true";
    return line + "}\n";
}

// "serviceAccount: {…}", "user: …", "groups: […]": one line each, of which the first begins the item.
std::vector<std::string> who_lines(const WriterIdentity& identity) {
    constexpr std::string_view kPrefix = "system:serviceaccount:";
    std::vector<std::string> lines;
    const std::string_view user = identity.user;
    const std::size_t colon = user.starts_with(kPrefix) ? user.find(':', kPrefix.size()) : std::string_view::npos;
    if (colon != std::string_view::npos)
        lines.push_back(fmt::format("serviceAccount: {{namespace: {}, name: {}}}", user.substr(kPrefix.size(), colon - kPrefix.size()),
                                    user.substr(colon + 1)));
    else if (!user.empty())
        lines.push_back("user: " + kube::quoted(user));
    if (!identity.user_prefix.empty()) lines.push_back("user: " + kube::quoted(identity.user_prefix + "*"));
    if (!identity.groups.empty()) lines.push_back("groups: " + list_of(identity.groups));
    return lines;
}

}  // namespace

std::string to_yaml(const WriterProfile& profile) {
    std::string text =
        fmt::format("apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata:\n  name: {}\nspec:\n  identities:\n", profile.name);
    for (const WriterIdentity& identity : profile.identities) {
        std::string_view lead = "  - ";
        for (const std::string& line : who_lines(identity)) {
            text += fmt::format("{}{}\n", lead, line);
            lead = "    ";
        }
        text += fmt::format("{}assurance: {}\n    may:\n", lead, to_string(identity.assurance));
        for (const Permission& permission : identity.may) text += permission_line(permission);
    }
    return text;
}

}  // namespace fluxgate::policy
