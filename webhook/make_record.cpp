#include "webhook/make_record.hpp"

#include <algorithm>
#include <utility>

#include "kube/object_changes.hpp"
#include "kube/path.hpp"
#include "kube/pod_template.hpp"
#include "policy/owner.hpp"

namespace fluxgate::webhook {

namespace {

// A write that touches more is a new object in all but name; how many more is in the record.
constexpr std::size_t kChangesMax = 100;
constexpr std::size_t kImagesMax = 20;
// Of what a caller brings along. The API server's own authenticators send a handful.
constexpr std::size_t kExtrasMax = 32;
constexpr std::size_t kExtraBytesMax = 1'024;

// What `kubectl exec` runs, as one would type it; cut, so that a script does not fill the log.
std::string command_of(const kube::Review& review) {
    constexpr std::size_t kCommandBytesMax = 1'024;
    std::string command;
    if (review.operation != kube::Operation::connect) return command;
    review.object["command"].each_item([&](kube::Json item) {
        if (command.size() > kCommandBytesMax) return;
        const std::string_view word = item.text().substr(0, kCommandBytesMax);
        const bool plain = !word.empty() && word.find_first_of(" \t\r\n\"'\\") == std::string_view::npos;
        if (!command.empty()) command += ' ';
        command += plain ? std::string(word) : kube::quoted(word);
    });
    if (command.size() > kCommandBytesMax) command.replace(kCommandBytesMax, std::string::npos, "...");
    return command;
}

void add_request(audit::Record& record, const kube::Review& review) {
    record.operation = kube::to_string(review.operation);
    record.group = review.resource.group;
    record.version = review.resource.version;
    record.resource = review.resource.resource;
    record.sub_resource = review.sub_resource;
    record.kind = review.kind.kind;
    record.namespace_name = review.namespace_name;
    record.name = review.object_name();
    record.object_uid = review.newest()["metadata"]["uid"].text();
    record.dry_run = review.dry_run;
    record.field_manager = review.field_manager;
    record.command = command_of(review);
}

void add_user(audit::Record& record, const kube::UserInfo& user) {
    record.username = user.username;
    record.user_uid = user.uid;
    user.groups.each_item([&](kube::Json group) { record.groups.emplace_back(group.text()); });
    constexpr std::string_view kEvidence = "authentication.kubernetes.io/";
    user.extra.each_member([&](std::string_view key, kube::Json) {
        const std::string_view value = user.extra_value(key);
        if (key.starts_with(kEvidence))
            record.evidence.emplace_back(key.substr(kEvidence.size()), value);
        else if (record.extra.size() < kExtrasMax)
            record.extra.emplace_back(key.substr(0, kExtraBytesMax), value.substr(0, kExtraBytesMax));
    });
}

// Of an object that comes or goes: what runs in it, and how often. The rest is in Git, or was recorded when it came.
kube::Changes changes_of_a_whole(const kube::Review& review) {
    kube::Changes changes;
    const auto add = [&](std::string path, kube::Json before, kube::Json after) {
        kube::Changes found = kube::find_changes_below(std::move(path), false, before, after, review.kind.kind, kImagesMax);
        std::move(found.list.begin(), found.list.end(), std::back_inserter(changes.list));
    };
    const auto add_value = [&](std::string path, kube::Json value) {
        if (!value.present()) return;
        const bool comes = review.operation == kube::Operation::create;
        add(std::move(path), comes ? kube::Json() : value, comes ? value : kube::Json());
    };
    const kube::Json object = review.newest();
    add_value(".spec.replicas", object["spec"]["replicas"]);
    const auto pods = kube::find_pod_template(review.resource, object);
    if (!pods) return changes;
    pods->each_container([&](const kube::Container& container) {
        if (changes.list.size() >= kImagesMax) {
            ++changes.omitted;
            return;
        }
        add_value(pods->path_of(container) + ".image", container.json["image"]);
    });
    return changes;
}

kube::Changes changes_of(const kube::Review& review) {
    switch (review.operation) {
        case kube::Operation::update: return kube::find_changes(review.old_object, review.object, review.kind.kind, kChangesMax);
        case kube::Operation::create:
        case kube::Operation::remove: return review.sub_resource.empty() ? changes_of_a_whole(review) : kube::Changes{};
        case kube::Operation::connect: break;
    }
    return {};
}

void add_changes(audit::Record& record, const kube::Review& review) {
    kube::Changes changes = changes_of(review);
    for (kube::Change& change : changes.list)
        record.changes.push_back({std::move(change.path), std::move(change.have), std::move(change.want)});
    record.changes_omitted = changes.omitted;
}

void add_verdict(audit::Record& record, const policy::Verdict& verdict) {
    record.decision = verdict.allowed ? "allowed" : "denied";
    record.write_class = to_string(verdict.write_class);
    if (verdict.error) record.error = to_string(*verdict.error);
    record.assurance = to_string(verdict.assurance);
    record.writer = verdict.writer;
    for (const policy::Violation& violation : verdict.violations) {
        record.violations.push_back(
            {violation.policy, violation.rule, violation.path, violation.have, violation.want, std::string(to_string(violation.action))});
    }
    record.violations_omitted = verdict.violations_omitted;
    record.compliance = verdict.compliance;
    record.exceptions = verdict.exceptions;
    for (const policy::UsedGrant& grant : verdict.grants)
        record.grants.push_back({grant.name, grant.digest, grant.ticket, grant.approved_by, grant.vouched_by});
    record.allowance = verdict.allowance;
    record.learned = verdict.learned;
}

audit::Record begin_record(std::string_view id, WallTime now, const policy::PolicySet& set, const Origin& origin) {
    audit::Record record;
    record.id = id;
    record.time = now;
    record.policy_set = set.digest;
    record.cluster = origin.cluster;
    record.replica = origin.replica;
    return record;
}

}  // namespace

audit::Record make_record(const kube::Review& review, const policy::Verdict& verdict, const policy::PolicySet& set,
                          const policy::Context& context, const Origin& origin) {
    audit::Record record = begin_record(review.uid, context.now, set, origin);
    add_request(record, review);
    add_user(record, review.user);
    add_verdict(record, verdict);
    record.owner = verdict.owner.empty() ? policy::describe_owner(review) : verdict.owner;
    record.owner_source = verdict.owner_source.empty() ? policy::describe_source(record.owner, context.cluster) : verdict.owner_source;
    add_changes(record, review);
    return record;
}

audit::Record make_record(const kube::UnreadableReview& unreadable, const policy::PolicySet& set, WallTime now, const Origin& origin) {
    audit::Record record = begin_record(unreadable.uid, now, set, origin);
    record.decision = "denied";
    record.write_class = to_string(policy::WriteClass::unguarded);
    record.error = to_string(unreadable.error);
    record.operation = "unknown";
    return record;
}

}  // namespace fluxgate::webhook
