#include "policy/loader.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "base/digest.hpp"
#include "kube/manifest.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kApiVersion = "fluxgate.dev/v1alpha1";
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

// An empty list of conditions would match everything, though it reads as if it matched nothing.
void refuse_if_empty(Mapping& fields, const kube::Node& node, std::string_view key) {
    const kube::Node* list = node.find(key);
    if (!list || (list->kind() != kube::Node::Kind::null && (list->kind() != kube::Node::Kind::sequence || !list->items().empty()))) return;
    fields.problem(key, "is an empty list, which would be no condition; leave it out to match any");
}

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
    return can_match(pattern.substr(0, slash)) && (slash == std::string_view::npos || can_match(pattern.substr(slash + 1)));
}

std::vector<ResourceRule> decode_resource_rules(Mapping& fields, std::string_view key) {
    std::vector<ResourceRule> rules;
    fields.each(key, [&](const kube::Node& item, const std::string& what) {
        Mapping entry(item, what, fields.problems());
        const auto required_list = [&](std::string_view name, bool (*good)(std::string_view), std::string_view expected) {
            entry.required(name, "a list of strings");
            entry.each(name, [&](const kube::Node& one, const std::string& which) {
                if (one.kind() != kube::Node::Kind::string || good(one.text())) return;
                fields.problems().add(Errc::invalid_policy, one.position(),
                                      fmt::format("{}: \"{}\" can match nothing; expected {}", which, one.text(), expected));
            });
            std::vector<std::string> list = entry.strings(name);
            const kube::Node* node = entry.field(name);
            if (node && node->kind() == kube::Node::Kind::sequence && node->items().empty()) entry.problem(name, "names nothing");
            return list;
        };
        ResourceRule rule;
        rule.api_groups = required_list("apiGroups", can_match_group, "a group such as apps, \"\" for the core group, or \"*\"");
        rule.api_versions = entry.strings("apiVersions");
        rule.resources =
            required_list("resources", can_match_resource, "a plural in lower case such as pods, pods/exec, \"*/scale\", \"*\" or \"*/*\"");
        rule.operations = decode_operations(entry);
        entry.not_implemented("resourceNames");
        entry.not_implemented("scope");
        entry.finish();
        rules.push_back(std::move(rule));
    });
    return rules;
}

Match decode_match(const kube::Node& node, Problems& problems) {
    Mapping fields(node, "spec.match", problems);
    Match match;
    match.namespaces = decode_globs(fields, "namespaces");
    match.exclude_namespaces = decode_globs(fields, "excludeNamespaces");
    match.names = decode_globs(fields, "names");
    match.resource_rules = decode_resource_rules(fields, "resourceRules");
    match.exclude_resource_rules = decode_resource_rules(fields, "excludeResourceRules");
    for (const std::string_view key : {"namespaces", "names", "resourceRules"}) refuse_if_empty(fields, node, key);
    for (const std::string_view key : {"namespaceSelector", "objectSelector", "subjects", "excludeSubjects"}) fields.not_implemented(key);
    fields.finish();
    return match;
}

Actions decode_actions(Mapping& fields) {
    if (!fields.field("validationActions")) return Actions{};
    Actions actions{false, false, false};
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

// The rule bodies by their field name; what the schema has and this version does not is in kPlannedBodies.
constexpr std::array<std::string_view, 4> kBodies{"lock", "resources", "probes", "podSecurity"};
constexpr std::array<std::string_view, 7> kPlannedBodies{"images",   "requiredMetadata", "availability", "serviceAccount",
                                                         "services", "ingress",          "defaults"};

void decode_rule(const kube::Node& item, const std::string& what, Policy& policy, Problems& problems) {
    Mapping fields(item, what, problems);
    Rule rule;
    rule.name = decode_name(fields, "name");
    std::size_t bodies = 0;
    for (const std::string_view key : kBodies) {
        const kube::Node* node = fields.field(key);
        if (!node) continue;
        ++bodies;
        Mapping body(*node, fields.name_of(key), problems);
        if (key == "lock") rule.body = LockRule::decode(body);
        if (key == "resources") rule.body = ResourcesRule::decode(body);
        if (key == "probes") rule.body = ProbesRule::decode(body);
        if (key == "podSecurity") rule.body = PodSecurityRule::decode(body);
    }
    for (const std::string_view key : kPlannedBodies) {
        if (!item.find(key)) continue;
        ++bodies;
        fields.not_implemented(key);
    }
    fields.finish();
    if (bodies != 1 && item.kind() == kube::Node::Kind::mapping) {
        problems.add(Errc::invalid_policy, item.position(),
                     fmt::format("{}: expected exactly one of {}; have {}", what, fmt::join(kBodies, ", "), bodies));
    }
    for (const Rule& other : policy.rules) {
        if (!rule.name.empty() && other.name == rule.name)
            fields.problem("name", "another rule of this policy is named \"" + rule.name + "\"");
    }
    policy.rules.push_back(std::move(rule));
}

Policy decode_policy(const kube::Node& root, Problems& problems) {
    Policy policy;
    Mapping document(root, "GuardPolicy", problems);
    document.string("apiVersion");
    document.string("kind");
    if (const kube::Node* metadata = document.required("metadata", "a mapping with a name")) {
        Mapping fields(*metadata, "metadata", problems);
        policy.name = decode_name(fields, "name");
        fields.field("labels");  // Kustomize adds them; they mean nothing to us
        fields.field("annotations");
        fields.finish();
    }
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
    if (const kube::Node* match = fields.field("match")) policy.match = decode_match(*match, problems);
    for (const std::string_view key : {"namespaceActions", "enforceFrom"}) fields.not_implemented(key);
    fields.required("rules", "a list of rules");
    fields.each("rules", [&](const kube::Node& item, const std::string& what) { decode_rule(item, what, policy, problems); });
    const kube::Node* rules = fields.field("rules");
    if (rules && rules->kind() == kube::Node::Kind::sequence && rules->items().empty())
        fields.problem("rules", "must have at least one rule");
    fields.finish();
    return policy;
}

class Compiler {
public:
    explicit Compiler(const Limits& limits) : limits_(limits), problems_(limits.policy_errors_max) {}

    void add(const PolicyFile& file) {
        problems_.in_file(file.name);
        const kube::ReadResult read = kube::read_manifests(file.text, limits_);
        for (const kube::ReadProblem& problem : read.problems) problems_.add(problem.code, problem.position, problem.message);
        for (const kube::Document& document : read.documents) add_document(document.root);
    }

    CompileResult finish(std::string digest) {
        if (set_.policies.empty() && problems_.empty()) {
            problems_.in_file("(policies)");
            problems_.add(Errc::invalid_policy, {},
                          "no GuardPolicy found: this set would protect nothing; put at least one into the folder");
        }
        CompileResult result{nullptr, problems_.list(), problems_.omitted()};
        if (!problems_.empty()) return result;
        set_.digest = std::move(digest);
        result.set = std::make_shared<const PolicySet>(std::move(set_));
        return result;
    }

private:
    void add_document(const kube::Node& root) {
        Problems& problems = problems_;
        if (root.kind() != kube::Node::Kind::mapping) {
            problems.add(Errc::wrong_type, root.position(), fmt::format("expected a GuardPolicy, have {}", kube::describe(root.kind())));
            return;
        }
        const kube::Node* api_version = root.find("apiVersion");
        const kube::Node* kind = root.find("kind");
        if (!api_version || api_version->text() != kApiVersion) {
            problems.add(Errc::unsupported_version, api_version ? api_version->position() : root.position(),
                         fmt::format("apiVersion: expected {}", kApiVersion));
        }
        if (!kind) {
            problems.add(Errc::missing_field, root.position(), "kind is missing: expected GuardPolicy");
            return;
        }
        const auto index = one_of(*kind, "kind", {"GuardPolicy", "WriterProfile", "GuardException", "BreakGlass", "PolicyTest"}, problems);
        if (!index) return;
        if (*index != 0) {
            problems.add(Errc::not_implemented, kind->position(),
                         fmt::format("kind {} is not implemented in this version of Fluxgate; implemented: GuardPolicy", kind->text()));
            return;
        }
        Policy policy = decode_policy(root, problems);
        const auto [first, is_new] = places_.emplace(policy.name, problems.file());
        if (!is_new && !policy.name.empty()) {
            problems.add(Errc::invalid_policy, root.position(),
                         fmt::format("metadata.name: a policy named \"{}\" is already in {}", policy.name, first->second));
        }
        set_.policies.push_back(std::move(policy));
    }

    const Limits& limits_;
    Problems problems_;
    PolicySet set_;
    std::map<std::string, std::string> places_;  // policy name → file
};

std::string digest_of(const std::vector<PolicyFile>& files) {
    std::string all;
    for (const PolicyFile& file : files) all += fmt::format("{}\n{}\n{}", file.name, file.text.size(), file.text);
    return "sha256:" + sha256_hex(all);
}

}  // namespace

Result<std::vector<PolicyFile>> read_policy_directory(const std::filesystem::path& directory, const Limits& limits) {
    std::error_code error;
    std::vector<std::filesystem::path> paths;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        const std::string extension = entry->path().extension().string();
        if (name.starts_with("..") || (extension != ".yaml" && extension != ".yml" && extension != ".json")) continue;
        std::error_code type_error;
        if (entry->is_directory(type_error)) continue;
        paths.push_back(entry->path());
    }
    if (error) return fail(Errc::io, fmt::format("cannot read the policy directory: {}", error.message()), directory.string());
    if (paths.size() > limits.policy_files_max) {
        return fail(Errc::too_large, fmt::format("{} policy files; at most {} are read", paths.size(), limits.policy_files_max),
                    directory.string());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<PolicyFile> files;
    for (const auto& path : paths) {
        std::ifstream stream(path, std::ios::binary);
        // One byte more than allowed is enough for the reader to refuse the file.
        std::string text(limits.policy_file_bytes_max + 1, '\0');
        stream.read(text.data(), static_cast<std::streamsize>(text.size()));
        if (!stream.is_open() || stream.bad()) return fail(Errc::io, "cannot read the policy file", path.string());
        text.resize(static_cast<std::size_t>(stream.gcount()));
        files.push_back({path.filename().string(), std::move(text)});
    }
    return files;
}

CompileResult compile(const std::vector<PolicyFile>& files, const Limits& limits) {
    Compiler compiler(limits);
    for (const PolicyFile& file : files) compiler.add(file);
    return compiler.finish(digest_of(files));
}

}  // namespace fluxgate::policy
