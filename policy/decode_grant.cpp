#include "policy/decode_grant.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/digest.hpp"
#include "kube/path.hpp"
#include "policy/decode_match.hpp"
#include "policy/decode_policy.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

// What a ticket, a name or a reason may have, so that a record has room for all of them.
constexpr std::size_t kLineBytesMax = 253;
constexpr std::size_t kReasonBytesMax = 1'000;
constexpr std::size_t kSubjectsMax = 100;
constexpr std::size_t kPatternsMax = 1'000;

// One line: it stands in warnings and logs.
std::string required_line(Mapping& fields, std::string_view key, std::size_t bytes_max) {
    std::string text = fields.required_string(key);
    const bool one_line = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
    if (!one_line) fields.problem(key, "must be one line without control characters");
    if (text.size() > bytes_max) fields.problem(key, fmt::format("is {} bytes long; at most {} are read", text.size(), bytes_max));
    return text;
}

Match decode_grant_match(const kube::Node& node, Problems& problems) {
    Mapping fields(node, "spec.match", problems);
    Match match;
    fields.required("namespaces", "a list of names or patterns");
    match.namespaces = decode_globs(fields, "namespaces");
    match.names = decode_globs(fields, "names");
    fields.required("resourceRules", "a list such as [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]");
    match.resource_rules = decode_resource_rules(fields, "resourceRules");
    for (const std::string_view key : {"namespaces", "names", "resourceRules"}) {
        const kube::Node* list = fields.field(key);
        if (list && list->kind() == kube::Node::Kind::sequence && list->items().empty()) fields.problem(key, "names nothing");
        if (list && list->items().size() > kPatternsMax)
            fields.problem(key, fmt::format("has {} items; at most {} are read", list->items().size(), kPatternsMax));
    }
    fields.finish();
    return match;
}

// Four eyes: whoever approves neither asks nor profits. Names of people differ in more than capitals.
void refuse_own_approval(Mapping& fields, const Grant& grant) {
    if (grant.approved_by.empty()) return;
    if (same_person(grant.approved_by, grant.requested_by))
        fields.problem("approvedBy", fmt::format("{} asked for it and cannot approve it; somebody else must", grant.approved_by));
    for (const Subject& subject : grant.subjects) {
        if (subject.kind != Subject::Kind::group && same_person(grant.approved_by, subject.name.text()))
            fields.problem("approvedBy",
                           fmt::format("{} is one of the subjects and cannot approve it; somebody else must", grant.approved_by));
    }
}

void decode_times(Mapping& fields, Grant& grant) {
    fields.required("notBefore", "the time from which it holds, such as 2026-12-05T02:10:00Z");
    fields.required("expiresAt", "the time at which it ends, such as 2026-12-05T04:10:00Z");
    const auto not_before = decode_time(fields, "notBefore");
    const auto expires_at = decode_time(fields, "expiresAt");
    if (!not_before || !expires_at) return;
    grant.not_before = *not_before;
    grant.expires_at = *expires_at;
    if (*expires_at <= *not_before) fields.problem("expiresAt", "must be after notBefore");
}

void decode_max_uses(Mapping& fields, Grant& grant) {
    const kube::Node* uses = fields.field("maxUses");
    if (!uses) return;
    if (uses->kind() != kube::Node::Kind::integer || uses->as_integer() < 1)
        fields.problem("maxUses", "expected a whole number of 1 or more; leave it out for any number of uses");
    else
        grant.max_uses = static_cast<std::uint64_t>(uses->as_integer());
}

}  // namespace

Grant decode_grant(const kube::Node& root, Problems& problems) {
    Grant grant;
    grant.digest = grant.meaning = "sha256:" + sha256_hex(kube::to_json(root));
    Mapping document(root, "BreakGlass", problems);
    grant.name = decode_head(document, problems);
    const kube::Node* spec = document.required("spec", "a mapping with subjects, match, ticket, reason and times");
    document.finish();
    if (!spec) return grant;

    Mapping fields(*spec, "spec", problems);
    fields.required("subjects", "a list such as [{kind: User, name: alice@example.com}]");
    refuse_empty_list(fields, "subjects", "names nobody");
    if (!refuse_longer_list(fields, "subjects", kSubjectsMax)) grant.subjects = decode_whole_subjects(fields, "subjects");
    if (const kube::Node* match = fields.required("match", "a mapping with namespaces and resourceRules"))
        grant.match = decode_grant_match(*match, problems);
    grant.ticket = required_line(fields, "ticket", kLineBytesMax);
    grant.reason = required_line(fields, "reason", kReasonBytesMax);
    grant.requested_by = required_line(fields, "requestedBy", kLineBytesMax);
    grant.approved_by = required_line(fields, "approvedBy", kLineBytesMax);
    refuse_own_approval(fields, grant);
    if (fields.field("cluster")) grant.cluster = required_line(fields, "cluster", kLineBytesMax);
    decode_times(fields, grant);
    decode_max_uses(fields, grant);
    fields.finish();
    return grant;
}

std::optional<Grant> read_grant(std::string_view text, const Limits& limits, Problems& problems) {
    const std::size_t before = problems.count();
    const kube::ReadResult read = kube::read_manifests(text, limits);
    for (const kube::ReadProblem& problem : read.problems) problems.add(problem.code, problem.position, problem.message);
    if (problems.count() > before) return std::nullopt;
    if (read.documents.size() != 1) {
        problems.add(Errc::invalid_policy, {}, fmt::format("expected one BreakGlass, have {} documents", read.documents.size()));
        return std::nullopt;
    }
    const kube::Node& root = read.documents.front().root;
    const auto is = [&](std::string_view key, std::string_view wanted) {
        const kube::Node* node = root.find(key);
        if (node && node->text() == wanted) return;
        problems.add(Errc::invalid_policy, node ? node->position() : root.position(), fmt::format("{}: expected {}", key, wanted));
    };
    is("apiVersion", kApiVersion);
    is("kind", "BreakGlass");
    if (problems.count() > before) return std::nullopt;
    Grant grant = decode_grant(root, problems);
    if (problems.count() > before) return std::nullopt;
    return grant;
}

}  // namespace fluxgate::policy
