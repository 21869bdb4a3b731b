#include "policy/decode_match.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "kube/path.hpp"

namespace fluxgate::policy {

namespace {

Operations decode_operations(Mapping& fields) {
    Operations operations;
    fields.required("operations", "a list such as [CREATE, UPDATE] or [\"*\"]");
    fields.each("operations", [&](const kube::Node& item, const std::string& what) {
        const auto index = one_of(item, what, {"CREATE", "UPDATE", "DELETE", "CONNECT", "*"}, fields.problems());
        if (!index) return;
        if (*index == 4)
            operations = Operations::all();
        else
            operations = operations.with(static_cast<kube::Operation>(*index));
    });
    const kube::Node* list = fields.field("operations");
    if (list && list->kind() == kube::Node::Kind::sequence && list->items().empty()) fields.problem("operations", "names nothing");
    return operations;
}

static_assert(static_cast<int>(kube::Operation::create) == 0 && static_cast<int>(kube::Operation::connect) == 3,
              "decode_operations counts on this order");

// A pattern that no request can match would make a policy that does nothing and looks as if it did.
bool can_match(std::string_view pattern) {
    return pattern == "*" || (!pattern.empty() && std::all_of(pattern.begin(), pattern.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
           }));
}
bool can_match_group(std::string_view pattern) { return pattern.empty() || can_match(pattern); }
bool can_match_resource(std::string_view pattern) {
    const std::size_t slash = pattern.find('/');
    return pattern.find('.') == std::string_view::npos && can_match(pattern.substr(0, slash)) &&
           (slash == std::string_view::npos || can_match(pattern.substr(slash + 1)));
}

kube::Requirement decode_requirement(const kube::Node& item, const std::string& what, Problems& problems) {
    Mapping fields(item, what, problems);
    kube::Requirement requirement;
    requirement.key = fields.required_string("key");
    if (!requirement.key.empty() && !kube::is_label_key(requirement.key)) fields.problem("key", "is no label key");
    if (const kube::Node* op = fields.required("operator", "In, NotIn, Exists or DoesNotExist")) {
        const auto index = one_of(*op, fields.name_of("operator"), {"In", "NotIn", "Exists", "DoesNotExist"}, problems);
        requirement.op = static_cast<kube::Requirement::Operator>(index.value_or(2));
    }
    requirement.values = fields.strings("values");
    for (const std::string& value : requirement.values) {
        if (!kube::is_label_value(value)) fields.problem("values", "\"" + value + "\" is no label value");
    }
    const bool takes_values = requirement.op == kube::Requirement::Operator::in || requirement.op == kube::Requirement::Operator::not_in;
    if (takes_values && requirement.values.empty() && fields.field("operator")) fields.problem("values", "must name at least one value");
    if (!takes_values && !requirement.values.empty()) fields.problem("values", "must be left out with Exists and DoesNotExist");
    fields.finish();
    return requirement;
}

static_assert(static_cast<int>(kube::Requirement::Operator::in) == 0 && static_cast<int>(kube::Requirement::Operator::does_not_exist) == 3,
              "decode_requirement counts on this order");

std::optional<kube::LabelSelector> decode_selector(Mapping& parent, std::string_view key) {
    const kube::Node* node = parent.field(key);
    if (!node) return std::nullopt;
    Mapping fields(*node, parent.name_of(key), parent.problems());
    kube::LabelSelector selector;
    if (const kube::Node* labels = fields.field("matchLabels")) {
        const Mapping is_a_mapping(*labels, fields.name_of("matchLabels"), parent.problems());
        for (const kube::Entry& entry : labels->entries()) {
            const auto refuse = [&](Errc code, kube::Position position, std::string_view message) {
                parent.problems().add(code, position, fmt::format("{}.{}: {}", fields.name_of("matchLabels"), entry.key, message));
            };
            const std::string& value = entry.value.text();
            if (!kube::is_label_key(entry.key)) refuse(Errc::invalid_policy, entry.key_position, "is no label key");
            if (entry.value.kind() != kube::Node::Kind::string)
                refuse(Errc::wrong_type, entry.value.position(),
                       fmt::format("expected a string, have {}", kube::describe(entry.value.kind())));
            else if (!kube::is_label_value(value))
                refuse(Errc::invalid_policy, entry.value.position(), "\"" + value + "\" is no label value");
            selector.requirements.push_back({entry.key, kube::Requirement::Operator::in, {value}});
        }
    }
    fields.each("matchExpressions", [&](const kube::Node& item, const std::string& what) {
        selector.requirements.push_back(decode_requirement(item, what, parent.problems()));
    });
    fields.finish();
    if (selector.requirements.empty()) parent.problem(key, "selects everything; leave it out to match any");
    return selector;
}

// Names of users and groups come from outside Kubernetes and may hold anything that can be typed.
std::optional<Glob> decode_subject_name(Mapping& fields, std::string_view key) {
    const std::string text = fields.required_string(key);
    if (text.empty()) return std::nullopt;
    auto glob = Glob::compile(text, Glob::Alphabet::identities);
    if (!glob) {
        fields.problem(key, glob.error().message);
        return std::nullopt;
    }
    return std::move(*glob);
}

std::vector<Subject> decode_subjects(Mapping& parent, std::string_view key) {
    std::vector<Subject> subjects;
    parent.each(key, [&](const kube::Node& item, const std::string& what) {
        Mapping fields(item, what, parent.problems());
        std::optional<std::size_t> kind;
        if (const kube::Node* node = fields.required("kind", "User, Group or ServiceAccount")) {
            kind = one_of(*node, fields.name_of("kind"), {"User", "Group", "ServiceAccount"}, parent.problems());
        }
        auto name = decode_subject_name(fields, "name");
        std::optional<Glob> namespace_name;
        if (kind == 2)
            namespace_name = decode_subject_name(fields, "namespace");
        else if (fields.field("namespace"))
            fields.problem("namespace", "only a ServiceAccount is in a namespace");
        fields.finish();
        if (!kind || !name || (kind == 2 && !namespace_name)) return;
        subjects.push_back(Subject{static_cast<Subject::Kind>(*kind), std::move(*name), std::move(namespace_name)});
    });
    return subjects;
}

static_assert(static_cast<int>(Subject::Kind::user) == 0 && static_cast<int>(Subject::Kind::service_account) == 2,
              "decode_subjects counts on this order");

}  // namespace

ResourceRule decode_resource_rule(Mapping& fields) {
    const auto required_list = [&](std::string_view name, bool (*good)(std::string_view), std::string_view expected) {
        fields.required(name, "a list of strings");
        fields.each(name, [&](const kube::Node& one, const std::string& which) {
            if (one.kind() != kube::Node::Kind::string || good(one.text())) return;
            fields.problems().add(Errc::invalid_policy, one.position(),
                                  fmt::format("{}: \"{}\" can match nothing; expected {}", which, one.text(), expected));
        });
        std::vector<std::string> list = fields.strings(name);
        const kube::Node* node = fields.field(name);
        if (node && node->kind() == kube::Node::Kind::sequence && node->items().empty()) fields.problem(name, "names nothing");
        return list;
    };
    ResourceRule rule;
    rule.api_groups = required_list("apiGroups", can_match_group, "a group such as apps, \"\" for the core group, or \"*\"");
    rule.api_versions = fields.strings("apiVersions");
    rule.resources =
        required_list("resources", can_match_resource, "a plural in lower case such as pods, pods/exec, \"*/scale\", \"*\" or \"*/*\"");
    rule.operations = decode_operations(fields);
    return rule;
}

std::vector<ResourceRule> decode_resource_rules(Mapping& fields, std::string_view key) {
    std::vector<ResourceRule> rules;
    fields.each(key, [&](const kube::Node& item, const std::string& what) {
        Mapping entry(item, what, fields.problems());
        ResourceRule rule = decode_resource_rule(entry);
        entry.not_implemented("resourceNames");
        entry.not_implemented("scope");
        entry.finish();
        rules.push_back(std::move(rule));
    });
    return rules;
}

std::vector<Subject> decode_named_subjects(Mapping& fields, std::string_view key) {
    constexpr std::array<std::string_view, 4> kEverybody{"system:authenticated", "system:unauthenticated", "system:anonymous",
                                                         "system:serviceaccounts"};
    fields.required(key, "a list such as [{kind: User, name: alice@example.com}]");
    std::vector<Subject> subjects = decode_subjects(fields, key);
    for (const Subject& subject : subjects) {
        const std::string& name = subject.name.text();
        const bool pattern = name.find('*') != std::string::npos ||
                             (subject.namespace_name && subject.namespace_name->text().find('*') != std::string::npos);
        if (pattern)
            fields.problem(
                key, fmt::format("{} is a pattern; whole names only, because a pattern grows with every new account", kube::quoted(name)));
        else if (std::find(kEverybody.begin(), kEverybody.end(), name) != kEverybody.end())
            fields.problem(key, fmt::format("{} means everybody; name people, or a group of them", name));
    }
    const kube::Node* list = fields.field(key);
    if (list && list->kind() == kube::Node::Kind::sequence && list->items().empty()) fields.problem(key, "names nobody");
    return subjects;
}

std::vector<Glob> decode_globs(Mapping& fields, std::string_view key) {
    std::vector<Glob> globs;
    fields.each(key, [&](const kube::Node& item, const std::string& what) {
        if (item.kind() != kube::Node::Kind::string) {
            fields.problems().add(Errc::wrong_type, item.position(),
                                  fmt::format("{}: expected a string, have {}", what, kube::describe(item.kind())));
            return;
        }
        auto glob = Glob::compile(item.text());
        if (glob)
            globs.push_back(std::move(*glob));
        else
            fields.problems().add(Errc::invalid_policy, item.position(), what + ": " + glob.error().message);
    });
    return globs;
}

void refuse_if_empty(Mapping& fields, const kube::Node& node, std::string_view key) {
    const kube::Node* list = node.find(key);
    if (!list || (list->kind() != kube::Node::Kind::null && (list->kind() != kube::Node::Kind::sequence || !list->items().empty()))) return;
    fields.problem(key, "is an empty list, which would be no condition; leave it out to match any");
}

Match decode_match(const kube::Node& node, const CompileOptions& options, Problems& problems) {
    Mapping fields(node, "spec.match", problems);
    Match match;
    match.namespaces = decode_globs(fields, "namespaces");
    match.exclude_namespaces = decode_globs(fields, "excludeNamespaces");
    match.namespace_selector = decode_selector(fields, "namespaceSelector");
    if (match.namespace_selector && !options.namespace_labels) {
        problems.add(Errc::not_implemented, fields.position_of("namespaceSelector"),
                     fields.name_of("namespaceSelector") +
                         ": `serve` does not know the labels of namespaces in this version of Fluxgate; use match.namespaces");
    }
    match.object_selector = decode_selector(fields, "objectSelector");
    match.names = decode_globs(fields, "names");
    match.resource_rules = decode_resource_rules(fields, "resourceRules");
    match.exclude_resource_rules = decode_resource_rules(fields, "excludeResourceRules");
    match.subjects = decode_subjects(fields, "subjects");
    match.exclude_subjects = decode_subjects(fields, "excludeSubjects");
    for (const std::string_view key : {"namespaces", "names", "resourceRules"}) refuse_if_empty(fields, node, key);
    fields.finish();
    return match;
}

}  // namespace fluxgate::policy
