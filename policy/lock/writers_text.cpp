#include "policy/lock/writers_text.hpp"

#include <algorithm>
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

// Without quotes where no YAML reader takes it for anything but a text.
std::string plain(std::string_view text) {
    constexpr std::array<std::string_view, 9> kWords{"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
    const bool letters = std::all_of(text.begin(), text.end(),
                                     [](char c) { return (c >= 'a' && c <= 'z') || c == '-' || c == '.' || (c >= '0' && c <= '9'); });
    const bool is_plain = letters && !text.empty() && text.front() >= 'a' && std::find(kWords.begin(), kWords.end(), text) == kWords.end();
    return is_plain ? std::string(text) : kube::quoted(text);
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
    if (!permission.namespaces.empty()) {
        std::vector<std::string> namespaces;
        for (const Glob& glob : permission.namespaces) namespaces.push_back(glob.text());
        line += ", namespaces: " + list_of(namespaces);
    }
    if (permission.owned) line += ", owned: true";
    if (permission.bound_to_pod) line += ", boundToPod: true";
    return line + "}\n";
}

// "serviceAccount: {…}", "user: …", "groups: […]": one line each, of which the first begins the item.
std::vector<std::string> who_lines(const WriterIdentity& identity) {
    std::vector<std::string> lines;
    if (identity.who) {
        const auto& [kind, name, namespace_name] = *identity.who;
        lines.push_back(namespace_name
                            ? fmt::format("serviceAccount: {{namespace: {}, name: {}}}", plain(namespace_name->text()), plain(name.text()))
                            : "user: " + kube::quoted(name.text()));
    }
    if (!identity.groups.empty()) lines.push_back("groups: " + list_of(identity.groups));
    return lines;
}

}  // namespace

std::string to_yaml(const WriterProfile& profile) {
    std::string text = fmt::format("apiVersion: fluxgate.dev/v1alpha1\nkind: WriterProfile\nmetadata:\n  name: {}\nspec:\n  identities:\n",
                                   plain(profile.name));
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
