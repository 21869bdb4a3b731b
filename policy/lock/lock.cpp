#include "policy/lock/lock.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "kube/object_changes.hpp"
#include "policy/lock/assurance.hpp"
#include "policy/lock/field_lock.hpp"

namespace fluxgate::policy {

namespace {

// A denial names this many changed fields; an object that is replaced as a whole is described well enough by them.
constexpr std::size_t kChangesMax = 200;

std::string names_of(const std::vector<const WriterProfile*>& writers) {
    std::vector<std::string_view> names;
    for (const WriterProfile* profile : writers) names.push_back(profile->name);
    return fmt::format("{}", fmt::join(names, " or "));
}

// Why somebody who looks like a writer is none.
std::string explain(const std::vector<const WriterProfile*>& writers, const kube::Review& review, Assurance assurance) {
    for (const WriterProfile* profile : writers) {
        for (const WriterIdentity& identity : profile->identities) {
            if (!identity.is(review.user)) continue;
            if (!satisfies(assurance, identity.assurance)) {
                return fmt::format("proof \"{}\", {} needs \"{}\"", to_string(assurance), profile->name, to_string(identity.assurance));
            }
            return fmt::format("{} may not {} {}", profile->name, kube::to_string(review.operation), review.resource_name());
        }
    }
    return "no writer";
}

bool is_empty(const kube::Changes& changes) { return changes.list.empty() && changes.omitted == 0; }

}  // namespace

LockRule LockRule::decode(Mapping& fields) {
    LockRule rule;
    fields.required("writers", "a list of writer profiles such as [flux, kubernetes]");
    fields.each("writers", [&](const kube::Node& item, const std::string& what) {
        const std::string& name = item.text();
        if (item.kind() != kube::Node::Kind::string || is_planned_writer(name)) {
            fields.problems().add(Errc::not_implemented, item.position(),
                                  fmt::format("{}: {} is not implemented in this version of Fluxgate; implemented: flux, kubernetes", what,
                                              name.empty() ? "a writer with accounts of its own" : "the writer profile " + name));
            return;
        }
        const WriterProfile* profile = find_built_in_writers(name);
        if (profile)
            rule.writers.push_back(profile);
        else {
            fields.problems().add(Errc::invalid_policy, item.position(),
                                  fmt::format("{}: no writer profile is named \"{}\"{}; expected one of: flux, kubernetes", what, name,
                                              did_you_mean(name, {"flux", "kubernetes"})));
        }
    });
    const kube::Node* writers = fields.field("writers");
    if (writers && writers->kind() == kube::Node::Kind::sequence && writers->items().empty()) {
        fields.problem("writers", "must name at least one profile: a lock without writers stops every change");
    }
    const kube::Node* scope = fields.field("scope");
    const bool by_fields = scope && one_of(*scope, fields.name_of("scope"), {"object", "fields"}, fields.problems()) == 1;
    if (by_fields) rule.fields.emplace();
    if (const kube::Node* additions = fields.field("additions")) {
        Mapping mapping(*additions, fields.name_of("additions"), fields.problems());
        Additions decoded = Additions::decode(mapping);
        if (!by_fields) fields.problem("additions", "additions need scope: fields; with scope: object every change is refused");
        rule.fields = std::move(decoded);
    }
    for (const std::string_view key : {"learnUntil", "allowances", "breakGlass"}) fields.not_implemented(key);
    fields.finish();
    return rule;
}

const WriterProfile* LockRule::find_writer(const kube::Review& review, Assurance assurance) const {
    for (const WriterProfile* profile : writers) {
        for (const WriterIdentity& identity : profile->identities) {
            if (!identity.is(review.user) || !satisfies(assurance, identity.assurance)) continue;
            const bool covered = std::any_of(identity.may.begin(), identity.may.end(),
                                             [&](const Permission& permission) { return permission.covers(review); });
            if (covered) return profile;
        }
    }
    return nullptr;
}

void LockRule::refuse(const kube::Review& review, Assurance assurance, const Limits& limits, Findings& findings) const {
    const auto list = [&](kube::Changes&& changes) {
        for (kube::Change& change : changes.list) findings.add(std::move(change.path), std::move(change.have), std::move(change.want));
        findings.omit(changes.omitted);
    };
    FieldFindings found;
    std::string_view why_whole;
    if (fields) {
        found = judge_fields(review, *fields, limits, kChangesMax);
        why_whole = found.locked_whole;
        const bool additions_pass = fields->warn || is_empty(found.additions);
        if (why_whole.empty() && is_empty(found.refused) && additions_pass) {
            if (!is_empty(found.additions)) findings.only_warn();
            return list(std::move(found.additions));
        }
    }
    const std::string who = review.user.username.empty() ? "a caller without a name" : std::string(review.user.username);
    const std::string locked = why_whole.empty() ? "" : fmt::format("; locked as a whole: {}", why_whole);
    findings.add(".", fmt::format("{} by {} ({}{})", kube::to_string(review.operation), who, explain(writers, review, assurance), locked),
                 "a writer: " + names_of(writers));
    if (review.operation != kube::Operation::update) return;
    if (!fields || !why_whole.empty()) return list(kube::find_changes(review.old_object, review.object, review.kind.kind, kChangesMax));
    list(std::move(found.refused));
    if (!fields->warn) list(std::move(found.additions));
}

bool finishes_a_delete(const kube::Review& review) {
    return review.operation == kube::Operation::remove && review.sub_resource.empty() &&
           review.old_object["metadata"]["deletionTimestamp"].is_string();
}

bool dry_run_stores_nothing(const kube::Review& review) {
    if (review.operation == kube::Operation::connect) return false;
    constexpr std::array<std::string_view, 5> kStored{"", "status", "scale", "ephemeralcontainers", "resize"};
    return std::find(kStored.begin(), kStored.end(), review.sub_resource) != kStored.end();
}

}  // namespace fluxgate::policy
