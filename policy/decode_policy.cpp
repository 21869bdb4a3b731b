#include "policy/decode_policy.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "policy/decode_match.hpp"

namespace fluxgate::policy {

namespace {

// So that a denial has room for violations; limits.message_bytes_max.
constexpr std::size_t kGuidanceBytesMax = 300;

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

std::string decode_name(Mapping& fields, std::string_view key) {
    std::string name = fields.required_string(key);
    if (!name.empty() && !is_name(name)) fields.problem(key, "expected lower-case letters, digits, '-' and '.', at most 63 characters");
    return name;
}

Actions decode_actions(Mapping& fields) {
    if (!fields.field("validationActions")) return Actions{};
    Actions actions{.deny = false, .warn = false, .audit = false, .deny_later = false};
    fields.each("validationActions", [&](const kube::Node& item, const std::string& what) {
        const auto index = one_of(item, what, {"Deny", "Warn", "Audit"}, fields.problems());
        if (index == 0) actions.deny = true;
        if (index == 1) actions.warn = true;
        if (index == 2) actions.audit = true;
    });
    if (!actions.deny && !actions.warn && !actions.audit) fields.problem("validationActions", "must name Deny, Warn or Audit");
    if (actions.deny && actions.warn) fields.problem("validationActions", "Deny and Warn must not stand together: the denial says it all");
    return actions;
}

// Field of a rule → what it holds.
struct BodyDecoder {
    std::string_view field;
    RuleBody (*decode)(Mapping& fields);
};
template <class Body>
RuleBody decode_as(Mapping& fields) {
    return Body::decode(fields);
}
constexpr std::array kBodies{
    BodyDecoder{"lock", &decode_as<LockRule>},
    BodyDecoder{"resources", &decode_as<ResourcesRule>},
    BodyDecoder{"probes", &decode_as<ProbesRule>},
    BodyDecoder{"podSecurity", &decode_as<PodSecurityRule>},
    BodyDecoder{"images", &decode_as<ImagesRule>},
    BodyDecoder{"requiredMetadata", &decode_as<RequiredMetadataRule>},
    BodyDecoder{"availability", &decode_as<AvailabilityRule>},
    BodyDecoder{"serviceAccount", &decode_as<ServiceAccountRule>},
    BodyDecoder{"services", &decode_as<ServicesRule>},
    BodyDecoder{"ingress", &decode_as<IngressRule>},
    BodyDecoder{"defaults", &decode_as<DefaultsRule>},
};

void decode_rule(const kube::Node& item, const std::string& what, Policy& policy, std::set<std::string>& names, Problems& problems) {
    Mapping fields(item, what, problems);
    Rule rule;
    rule.name = decode_name(fields, "name");
    std::size_t bodies = 0;
    std::vector<std::string_view> known;
    for (const BodyDecoder& decoder : kBodies) {
        known.push_back(decoder.field);
        const kube::Node* node = fields.field(decoder.field);
        if (!node) continue;
        ++bodies;
        Mapping body(*node, fields.name_of(decoder.field), problems);
        rule.body = decoder.decode(body);
    }
    fields.finish();
    if (bodies != 1 && item.kind() == kube::Node::Kind::mapping) {
        problems.add(Errc::invalid_policy, item.position(),
                     fmt::format("{}: expected exactly one of {}; have {}", what, fmt::join(known, ", "), bodies));
    }
    if (!rule.name.empty() && !names.insert(rule.name).second)
        fields.problem("name", "another rule of this policy is named \"" + rule.name + "\"");
    policy.rules.push_back(std::move(rule));
}

bool has_lock(const Policy& policy) {
    return std::any_of(policy.rules.begin(), policy.rules.end(),
                       [](const Rule& rule) { return std::holds_alternative<LockRule>(rule.body); });
}

// They would be a way around the lock: labels and who asks can be chosen, and scale, eviction and connections carry no labels.
void refuse_ways_around_the_lock(const kube::Node& match, Problems& problems) {
    for (const kube::Entry& entry : match.entries()) {
        if (entry.key != "subjects" && entry.key != "excludeSubjects" && entry.key != "objectSelector") continue;
        if (entry.value.items().empty() && entry.value.entries().empty()) continue;
        problems.add(Errc::invalid_policy, entry.key_position,
                     fmt::format("spec.match.{} must not stand in a policy with a lock rule, where it would be a way around the lock; put "
                                 "the other rules into a policy of their own",
                                 entry.key));
    }
}

std::vector<RuleReference> decode_references(Mapping& fields) {
    std::vector<RuleReference> references;
    fields.required("policies", "a list such as [{name: production, rules: [probes]}]");
    fields.each("policies", [&](const kube::Node& item, const std::string& what) {
        Mapping entry(item, what, fields.problems());
        const std::string policy = entry.required_string("name");
        entry.required("rules", "a list of names of rules");
        bool any = false;
        entry.each("rules", [&](const kube::Node& rule, const std::string& which) {
            any = true;
            if (rule.kind() == kube::Node::Kind::string)
                references.push_back({policy, rule.text(), fields.problems().file(), rule.position(), which});
            else
                fields.problems().add(Errc::wrong_type, rule.position(),
                                      fmt::format("{}: expected a string, have {}", which, kube::describe(rule.kind())));
        });
        if (!any && entry.field("rules")) entry.problem("rules", "names nothing");
        entry.finish();
    });
    const kube::Node* list = fields.field("policies");
    if (list && list->kind() == kube::Node::Kind::sequence && list->items().empty()) fields.problem("policies", "names nothing");
    return references;
}

}  // namespace

std::string decode_head(Mapping& document, Problems& problems) {
    std::string name;
    document.string("apiVersion");
    document.string("kind");
    if (const kube::Node* metadata = document.required("metadata", "a mapping with a name")) {
        Mapping fields(*metadata, "metadata", problems);
        name = decode_name(fields, "name");
        fields.field("labels");  // Kustomize adds them; they mean nothing to us
        fields.field("annotations");
        fields.finish();
    }
    return name;
}

std::optional<WallTime> decode_time(Mapping& fields, std::string_view key) {
    const kube::Node* node = fields.field(key);
    const std::string text = fields.string(key);
    if (!node || node->kind() != kube::Node::Kind::string) return std::nullopt;
    const auto time = parse_rfc3339(text);
    if (time) return *time;
    fields.problem(key, time.error().message);
    return std::nullopt;
}

Policy decode_policy(const kube::Node& root, const CompileOptions& options, Problems& problems) {
    Policy policy;
    Mapping document(root, "GuardPolicy", problems);
    policy.name = decode_head(document, problems);
    const kube::Node* spec = document.required("spec", "a mapping with rules");
    document.finish();
    if (!spec) return policy;

    Mapping fields(*spec, "spec", problems);
    policy.description = fields.string("description");
    policy.compliance = fields.strings("compliance");
    policy.guidance = fields.string("guidance");
    if (policy.guidance.size() > kGuidanceBytesMax) {
        fields.problem("guidance", fmt::format("is {} bytes long; at most {} leave room for the violations", policy.guidance.size(),
                                               kGuidanceBytesMax));
    }
    policy.actions = decode_actions(fields);
    fields.each("namespaceActions", [&](const kube::Node& item, const std::string& what) {
        Mapping entry(item, what, problems);
        NamespaceActions chosen;
        entry.required("namespaces", "a list of names or patterns");
        chosen.namespaces = decode_globs(entry, "namespaces");
        refuse_if_empty(entry, item, "namespaces");
        entry.required("validationActions", "a list of Deny, Warn and Audit");
        chosen.actions = decode_actions(entry);
        entry.finish();
        policy.namespace_actions.push_back(std::move(chosen));
    });
    policy.enforce_from = decode_time(fields, "enforceFrom");
    const kube::Node* match = fields.field("match");
    if (match) policy.match = decode_match(*match, options, problems);
    fields.required("rules", "a list of rules");
    std::set<std::string> names;
    fields.each("rules", [&](const kube::Node& item, const std::string& what) { decode_rule(item, what, policy, names, problems); });
    const kube::Node* rules = fields.field("rules");
    if (rules && rules->kind() == kube::Node::Kind::sequence && rules->items().empty())
        fields.problem("rules", "must have at least one rule");
    fields.finish();
    if (match && has_lock(policy)) refuse_ways_around_the_lock(*match, problems);
    return policy;
}

ExceptionFile decode_exception(const kube::Node& root, const CompileOptions& options, Problems& problems) {
    ExceptionFile file;
    Exception& exception = file.exception;
    Mapping document(root, "GuardException", problems);
    exception.name = decode_head(document, problems);
    const kube::Node* spec = document.required("spec", "a mapping with policies, match, reason, ticket and expiresAt");
    document.finish();
    if (!spec) return file;

    Mapping fields(*spec, "spec", problems);
    file.references = decode_references(fields);
    if (const kube::Node* match = fields.required("match", "a mapping with namespaces and names")) {
        Mapping entry(*match, "spec.match", problems);
        entry.required("namespaces", "a list of names or patterns");
        exception.namespaces = decode_globs(entry, "namespaces");
        exception.names = decode_globs(entry, "names");
        refuse_if_empty(entry, *match, "namespaces");
        refuse_if_empty(entry, *match, "names");
        entry.finish();
    }
    exception.containers = decode_globs(fields, "containers");
    refuse_if_empty(fields, *spec, "containers");
    exception.reason = fields.required_string("reason");
    exception.ticket = fields.required_string("ticket");
    fields.required("expiresAt", "a time such as 2027-03-31T00:00:00Z: an exception without an end is a policy nobody keeps");
    if (const auto expires_at = decode_time(fields, "expiresAt")) {
        exception.expires_at = *expires_at;
        if (*expires_at > options.now + options.exception_horizon) {
            fields.problem("expiresAt",
                           fmt::format("is more than {} days ahead (--exception-horizon); at the latest {}",
                                       options.exception_horizon.count(), format_rfc3339(options.now + options.exception_horizon)));
        }
    }
    fields.finish();
    return file;
}

}  // namespace fluxgate::policy
