#include "policy/lock/field_lock.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "kube/field_set.hpp"
#include "kube/managed_fields.hpp"
#include "kube/path.hpp"

namespace fluxgate::policy {

namespace {

using kube::FieldSet;
using kube::Json;
using kube::ManagedFieldsEntry;
using Kind = kube::PathElement::Kind;
using Mask = Additions::Mask;

// Keys of a custom resource may be megabytes long; longer paths are cut when they are shown.
constexpr std::size_t kPathBytesMax = 1'000;

// --- Flux's entries ---------------------------------------------------------------------------------------------------

// Who applies what is in Git. `flux` (the command line) and `flux-client-side-apply` (a manager for people, whose fields
// Flux keeps) declare nothing.
constexpr std::array<std::string_view, 3> kAppliers{"kustomize-controller", "helm-controller", "flux-operator"};
// Real objects have one or two; a manager has one for each operation and version.
constexpr std::size_t kFluxEntriesMax = 16;

// Appliers, and `gotk-…`, under which Flux's controllers write finalizers and status. Any case: whoever calls himself
// Kustomize-Controller wants to be taken for it.
bool is_flux(std::string_view manager) {
    constexpr std::string_view kStatusWriters = "gotk-";
    return same_without_case(manager.substr(0, kStatusWriters.size()), kStatusWriters) ||
           std::any_of(kAppliers.begin(), kAppliers.end(), [&](std::string_view name) { return same_without_case(manager, name); });
}
bool declares(const ManagedFieldsEntry& entry) {
    return entry.sub_resource.empty() && std::find(kAppliers.begin(), kAppliers.end(), entry.manager) != kAppliers.end();
}

std::vector<ManagedFieldsEntry> of_flux(const std::vector<ManagedFieldsEntry>& entries) {
    std::vector<ManagedFieldsEntry> list;
    std::copy_if(entries.begin(), entries.end(), std::back_inserter(list), [](const auto& entry) { return is_flux(entry.manager); });
    return list;
}

// What Flux's entries declare together of these fields of the object, or why the fields cannot be told apart.
Result<FieldSet> read_declared(const kube::Review& review, const std::vector<ManagedFieldsEntry>& entries,
                               std::span<const std::string_view> changed, const Limits& limits) {
    const auto locked = [](std::string why) { return fail(Errc::invalid_field_set, std::move(why)); };
    const std::string_view version = review.old_object["apiVersion"].text();
    if (std::none_of(entries.begin(), entries.end(), declares)) return locked("no field of it is declared by Flux");
    if (entries.size() > kFluxEntriesMax) return locked("more entries of Flux in managedFields than Flux writes");
    FieldSet declared;
    for (const ManagedFieldsEntry& entry : entries) {
        if (!entry.sub_resource.empty()) continue;
        if (entry.api_version != version)
            return locked(fmt::format("{} declares fields of {}, the object is {}", entry.manager, entry.api_version, version));
        auto fields = FieldSet::read_below(entry.fields, changed, limits);
        if (!fields) return locked(fmt::format("the fields of {} cannot be read: {}", entry.manager, to_string(fields.error())));
        declared = declared.empty() ? *std::move(fields) : FieldSet::unite(declared, *fields);
    }
    return declared;
}

// --- the walk ---------------------------------------------------------------------------------------------------------

enum class Reason { declared, never, addition };

std::string_view text_of(Reason reason) {
    switch (reason) {
        case Reason::declared: return " (declared in Git)";
        case Reason::never: return " (never an addition)";
        case Reason::addition: break;
    }
    return " (no undeclared addition)";
}

// Where metadata has rules of its own.
enum class Place { root, metadata, keys, other };

class Walk {
public:
    Walk(const kube::Review& review, const Additions& additions, std::size_t changes_max, FieldFindings& findings)
        : kind_(review.kind.kind), additions_(additions), changes_max_(changes_max), findings_(findings) {
        // Their fields steer Flux, and the labels of a Namespace decide who guards it: a label or a field that nobody thought of
        // must not pass with a warning.
        guarded_ = is_flux_group(review.resource.group) || (review.resource.group.empty() && review.resource.resource == "namespaces");
        constexpr std::size_t kUsualMembers = 64;
        frames_.reserve(kUsualMembers);
        members_.reserve(kUsualMembers);
        items_.reserve(kUsualMembers);
    }

    // The members of the object that are not the same before and after. What is the same needs no more than this one look, so
    // only of the others is it worth while to read what Git declares.
    std::vector<std::string_view> find_changed(Json before, Json after) {
        pair_members(before, after, 0);
        std::erase_if(members_, [](const Member& member) { return equal(member.before, member.after); });
        std::vector<std::string_view> keys;
        for (const Member& member : members_) keys.push_back(member.key);
        return keys;
    }

    // After `find_changed` of the same two.
    void run(Json before, Json after, const FieldSet& declared) {
        each_member(before, after, 0, declared.root(), additions_.all(), false, Place::root);
    }

private:
    using Node = std::optional<FieldSet::Node>;

    // Where we are, so that a path is written only for what is found.
    struct Frame {
        std::string_view field{};
        std::optional<kube::PathElement> element{};
        std::size_t index = 0;
        enum class Kind { field, element, named, index } kind = Kind::field;
        Json before{};  // the parents
        Json after{};
    };
    struct Member {
        std::string_view key;
        Json before;
        Json after;
    };
    struct Item {
        Json before;
        Json after;
        Node node{};
    };

    // `node`: what is declared here and below, if anything. `mask`: the allowed paths that lead here. `open`: one of them ended
    // here or above.
    void compare(Json before, Json after, const Node& node, Mask mask, bool open, Place place) {
        open = open || additions_.any_ends(mask, frames_.size());
        if (node && node->is_leaf()) return require_equal(before, after, Reason::declared);
        const auto empty_or = [](Json value, bool is_kind) { return is_kind || !value.present(); };
        const bool objects = empty_or(before, before.is_object()) && empty_or(after, after.is_object());
        if (place != Place::other) {
            if (!objects || (node && before.present() != after.present()))
                return require_equal(before, after, node ? Reason::declared : Reason::never);
            return members(before, after, node, mask, open, place);
        }
        if (node) {
            if (before.is_object() && after.is_object()) return members(before, after, node, mask, open, place);
            if (before.is_array() && after.is_array()) return declared_items(before, after, *node, mask, open);
            return require_equal(before, after, Reason::declared);
        }
        if (open) return;
        // A map or list that comes or goes is no more than what is in it, if there is something in it.
        const bool same_kind = before.present() == after.present() || (before.present() ? before : after).size() > 0;
        if (mask == 0 || !same_kind) return require_equal(before, after, Reason::addition);
        if (objects) return members(before, after, node, mask, open, place);
        if (empty_or(before, before.is_array()) && empty_or(after, after.is_array())) return items(before, after, mask);
        require_equal(before, after, Reason::addition);
    }

    // --- objects ---

    enum class Treatment { usual, server, never };

    Treatment treatment(Place place, std::string_view key) const {
        constexpr std::array<std::string_view, 6> kServer{"managedFields", "resourceVersion",   "generation",
                                                          "uid",           "creationTimestamp", "selfLink"};
        switch (place) {
            case Place::root: return key == "apiVersion" || key == "kind" ? Treatment::never : Treatment::usual;
            case Place::metadata:
                if (std::find(kServer.begin(), kServer.end(), key) != kServer.end()) return Treatment::server;
                return key == "labels" || key == "annotations" ? Treatment::usual : Treatment::never;
            case Place::keys: return steers_flux(key) ? Treatment::never : Treatment::usual;
            case Place::other: break;
        }
        return Treatment::usual;
    }

    static Place place_of(Place parent, std::string_view key) {
        if (parent == Place::root && key == "metadata") return Place::metadata;
        return parent == Place::metadata ? Place::keys : Place::other;
    }

    // Of Flux's own objects and Namespaces nothing but annotations can be allowed.
    Mask allowed(Mask mask, Place place, std::string_view key) const {
        if (guarded_ && ((place == Place::root && key != "metadata") || (place == Place::metadata && key != "annotations"))) return 0;
        return additions_.into(mask, frames_.size(), key);
    }

    void members(Json before, Json after, const Node& node, Mask mask, bool open, Place place) {
        const std::size_t first = members_.size();
        pair_members(before, after, first);
        each_member(before, after, first, node, mask, open, place);
    }

    // Of the members from `first` on, which it takes away.
    void each_member(Json before, Json after, std::size_t first, const Node& node, Mask mask, bool open, Place place) {
        const std::size_t last = members_.size();
        // Fields only: an object has no items. What Git declares in no readable way is declared as a whole.
        if (node && !has_only_fields(*node)) {
            members_.resize(first);
            return require_equal(before, after, Reason::declared);
        }
        std::optional<FieldSet::Node::Iterator> child;
        if (node) child = node->begin();
        for (std::size_t at = first; at < last; ++at) {
            const Member member = members_[at];
            Node member_node;
            if (node) {
                while (*child != node->end() && (**child).element().text < member.key) ++*child;
                if (*child != node->end() && (**child).element().text == member.key) member_node = **child;
            }
            const Treatment treated = treatment(place, member.key);
            if (treated == Treatment::server) continue;
            const Mask member_mask = allowed(mask, place, member.key);
            frames_.push_back({.field = member.key, .before = before, .after = after});
            if (treated == Treatment::never)
                require_equal(member.before, member.after, Reason::never);
            else
                compare(member.before, member.after, member_node, member_mask, open, place_of(place, member.key));
            frames_.pop_back();
        }
        members_.resize(first);
    }

    static bool has_only_fields(const FieldSet::Node& node) {
        for (const FieldSet::Node child : node) {
            if (child.element().kind != Kind::field) return false;
        }
        return true;
    }

    // Appends the members of both, sorted by key. The API server writes both in one order, so mostly they go together.
    void pair_members(Json before, Json after, std::size_t first) {
        const auto less = [](const Member& left, const Member& right) { return left.key < right.key; };
        before.each_member([&](std::string_view key, Json value) { members_.push_back({key, value, {}}); });
        const std::size_t last = members_.size();
        std::size_t at = first;
        after.each_member([&](std::string_view key, Json value) {
            if (at < last && members_[at].key == key)
                members_[at].after = value;
            else
                members_.push_back({key, {}, value});
            if (at < last) ++at;
        });
        const auto begin = members_.begin() + static_cast<std::ptrdiff_t>(first);
        if (!std::is_sorted(begin, members_.end(), less)) std::sort(begin, members_.end(), less);
        if (members_.size() == last) return;
        // No key is twice in one object, so at most two of a key stand together.
        std::size_t kept = first;
        for (std::size_t read = first; read < members_.size(); ++read) {
            Member member = members_[read];
            if (read + 1 < members_.size() && members_[read + 1].key == member.key) {
                const Member& other = members_[++read];
                if (!member.before.present()) member.before = other.before;
                if (!member.after.present()) member.after = other.after;
            }
            members_[kept++] = member;
        }
        members_.resize(kept);
    }

    // --- lists ---

    // Of a list that Git does not declare: items by position.
    void items(Json before, Json after, Mask mask) {
        if (additions_.any_ends_with_any_item(mask, frames_.size())) return;
        if (before.size() != after.size()) return require_equal(before, after, Reason::addition);
        const std::size_t first = items_.size();
        each_pair(before, after, [&](Json was, Json is) {
            items_.push_back({was, is});
            return true;
        });
        each_stored_item(first, before, after, mask, false);
    }

    // Of a list whose items Git declares: the same items in the same order, each with the same key.
    void declared_items(Json before, Json after, const FieldSet::Node& node, Mask mask, bool open) {
        const std::size_t first = items_.size();
        if (before.size() != after.size() || !find_items(before, after, node)) {
            items_.resize(first);
            return require_equal(before, after, Reason::declared);
        }
        each_stored_item(first, before, after, mask, open);
    }

    void each_stored_item(std::size_t first, Json before, Json after, Mask mask, bool open) {
        const std::size_t last = items_.size();
        for (std::size_t at = first; at < last; ++at) {
            const Item item = items_[at];
            const Mask item_mask = additions_.into(mask, frames_.size(), item.before, item.after);
            Frame frame{.index = at - first, .kind = Frame::Kind::index, .before = before, .after = after};
            const auto name = item.before["name"].string();
            if (item.node) {
                frame.kind = Frame::Kind::element;
                frame.element = item.node->element();
            } else if (name && item.after["name"].string() == name) {
                frame.kind = Frame::Kind::named;
                frame.field = *name;
            }
            frames_.push_back(frame);
            compare(item.before, item.after, item.node, item_mask, open, Place::other);
            frames_.pop_back();
        }
        items_.resize(first);
    }

    // Appends the pairs of items with what is declared of them. False if the list can only be judged as a whole: items without
    // keys (sets, positions), another key at some place, a declared item that is not there.
    bool find_items(Json before, Json after, const FieldSet::Node& node) {
        constexpr std::size_t kKeyNamesMax = 8;  // real keys have one to three
        std::vector<FieldSet::Node> declared;
        for (const FieldSet::Node child : node) {
            if (child.element().kind != Kind::key) return false;
            declared.push_back(child);
        }
        const std::vector<std::string> names = kube::key_names(declared.front().element());
        if (names.empty() || names.size() > kKeyNamesMax) return false;
        std::vector<bool> found(declared.size());
        std::size_t found_count = 0;
        std::string key;
        const bool paired = each_pair(before, after, [&](Json was, Json is) {
            const auto same = [&](const std::string& name) { return equal(was[name], is[name]); };
            if (!kube::spell_key(names, was, key) || !std::all_of(names.begin(), names.end(), same)) return false;
            const auto child =
                std::lower_bound(declared.begin(), declared.end(), std::string_view(key),
                                 [](const FieldSet::Node& left, std::string_view text) { return left.element().text < text; });
            Item item{was, is};
            if (child != declared.end() && child->element().text == key) {
                item.node = *child;
                const auto position = static_cast<std::size_t>(child - declared.begin());
                if (!found[position]) ++found_count;
                found[position] = true;
            }
            items_.push_back(item);
            return true;
        });
        return paired && found_count == declared.size();
    }

    // --- what is found ---

    void require_equal(Json before, Json after, Reason reason) {
        if (equal(before, after)) return;
        kube::Changes& list = reason == Reason::addition && !guarded_ ? findings_.additions : findings_.refused;
        if (list.list.size() >= changes_max_) {
            ++list.omitted;
            return;
        }
        std::string path;
        bool hidden = false;
        for (const Frame& frame : frames_) {
            // What cannot be looked through for words that speak of a secret is not shown.
            hidden = hidden || path.size() > kPathBytesMax || frame.field.size() > kPathBytesMax;
            if (path.size() > kPathBytesMax) break;
            append(path, frame);
            if (frame.kind == Frame::Kind::field) hidden = hidden || kube::hides_value(kind_, path, frame.field, frame.before, frame.after);
        }
        kube::Changes found = kube::find_changes_below(path, hidden, before, after, kind_, changes_max_ - list.list.size());
        if (found.list.empty()) found.list.push_back({path, "another value", "the value as it is"});
        for (kube::Change& change : found.list) {
            change.want += text_of(reason);
            list.list.push_back(std::move(change));
        }
        list.omitted += found.omitted;
    }

    static void append(std::string& path, const Frame& frame) {
        switch (frame.kind) {
            case Frame::Kind::field: kube::append_field(path, frame.field.substr(0, kPathBytesMax)); break;
            case Frame::Kind::element:
                if (frame.element->text.size() > kPathBytesMax) return kube::append_index(path, frame.index);
                kube::append_element(path, *frame.element);
                break;
            case Frame::Kind::named: kube::append_key(path, "name", frame.field.substr(0, kPathBytesMax)); break;
            case Frame::Kind::index: kube::append_index(path, frame.index); break;
        }
    }

    std::string_view kind_;
    const Additions& additions_;
    std::size_t changes_max_;
    FieldFindings& findings_;
    bool guarded_ = false;
    // One stack for all levels each.
    std::vector<Frame> frames_;
    std::vector<Member> members_;
    std::vector<Item> items_;
};

// --- Flux's entries, before and after ---------------------------------------------------------------------------------

std::string name_of(const ManagedFieldsEntry& entry) {
    return fmt::format("the entry of {} ({}{}{})", entry.manager, entry.operation, entry.sub_resource.empty() ? "" : ", ",
                       entry.sub_resource);
}

// What all others than Flux own; nothing if that cannot be read, or if they are more than any object has.
std::optional<FieldSet> owned_by_others(const std::vector<ManagedFieldsEntry>& entries, const Limits& limits) {
    constexpr std::size_t kEntriesMax = 100;
    FieldSet all;
    if (entries.size() > kEntriesMax) return std::nullopt;
    for (const ManagedFieldsEntry& entry : entries) {
        if (is_flux(entry.manager)) continue;
        auto fields = FieldSet::read(entry.fields, limits);
        if (!fields) return std::nullopt;
        all = FieldSet::unite(all, *fields);
    }
    return all;
}

// An entry of Flux that has lost fields, and nothing else: such as are gone from the object, or have another owner, because he gave them
// a value. Who only strips the entry would leave the object open to everybody.
bool is_shrunk(const ManagedFieldsEntry& before, const ManagedFieldsEntry& after, const std::vector<ManagedFieldsEntry>& requested,
               Json object, const Limits& limits) {
    if (before.manager != after.manager || before.operation != after.operation || before.api_version != after.api_version ||
        before.sub_resource != after.sub_resource || !equal(before.whole["time"], after.whole["time"]))
        return false;
    const auto declared = FieldSet::read(before.fields, limits);
    const auto left = FieldSet::read(after.fields, limits);
    const auto others = owned_by_others(requested, limits);
    return declared && left && others && FieldSet::unite(*declared, *left) == *declared &&
           FieldSet::keeps_owners(*declared, *left, *others, object);
}

// Any difference in Flux's entries, even one that changes no value: whoever takes a field out of the declared set could
// change it with the next request.
void judge_ownership(const kube::Review& review, const std::vector<ManagedFieldsEntry>& flux,
                     const Result<std::vector<ManagedFieldsEntry>>& requested, FluxEntries entries, const Limits& limits,
                     kube::Changes& refused) {
    const auto refuse = [&](std::string have, std::string want) {
        refused.list.push_back({".metadata.managedFields", std::move(have), std::move(want)});
    };
    if (is_flux(review.field_manager))
        refused.list.push_back(
            {".", fmt::format("field manager {}", kube::quoted(review.field_manager)), "a field manager that is not Flux's"});
    if (!requested) return refuse(fmt::format("what cannot be read: {}", to_string(requested.error())), "the entries of Flux as they are");
    const std::vector<ManagedFieldsEntry> now = of_flux(*requested);
    for (std::size_t i = 0; i < std::max(flux.size(), now.size()); ++i) {
        if (i >= now.size()) return refuse(fmt::format("{} removed", name_of(flux[i])), "the entries of Flux as they are");
        if (i >= flux.size()) return refuse(fmt::format("{} added", name_of(now[i])), "the entries of Flux as they are");
        if (!equal(flux[i].whole, now[i].whole) &&
            !(entries == FluxEntries::may_shrink && is_shrunk(flux[i], now[i], *requested, review.object, limits)))
            return refuse(fmt::format("{} changed", name_of(flux[i])), "the entries of Flux as they are");
    }
}

// A write changes the entry of its own manager, and may take fields from a few others.
constexpr std::size_t kChangedEntriesMax = 16;

// The names of the fields at the top.
std::vector<std::string_view> top_fields(Json fields) {
    std::vector<std::string_view> names;
    fields.each_member([&](std::string_view key, Json) {
        if (key.starts_with("f:")) names.push_back(key.substr(2));
    });
    return names;
}

// What Flux's entries declare of these fields of the object.
Result<FieldSet> read_declared_below(const std::vector<ManagedFieldsEntry>& entries, std::span<const std::string_view> names,
                                     const Limits& limits) {
    FieldSet declared;
    for (const ManagedFieldsEntry& entry : entries) {
        if (!declares(entry)) continue;
        auto fields = FieldSet::read_below(entry.fields, names, limits);
        if (!fields) return fields;
        declared = FieldSet::unite(declared, *fields);
    }
    return declared;
}

// Who names a declared field in an entry of his own, with the value that it has, becomes its second owner: by applying it server-side,
// or by an entry that he writes himself. Nothing changes now, but when Git drops the field it stays.
void judge_second_owners(const std::vector<ManagedFieldsEntry>& before, const std::vector<ManagedFieldsEntry>& requested,
                         const Limits& limits, kube::Changes& refused) {
    const auto refuse = [&](std::string path, std::string have) {
        refused.list.push_back({std::move(path), std::move(have), "Git as its only owner"});
    };
    const auto too_many = [&] { return refuse(".metadata.managedFields", "more entries changed than one write changes"); };
    constexpr std::size_t kEntriesMax = 1'000;  // each is looked up among those before
    if (requested.size() > kEntriesMax || before.size() > kEntriesMax) return too_many();
    std::size_t changed = 0;
    for (const ManagedFieldsEntry& entry : requested) {
        if (is_flux(entry.manager)) continue;
        const auto was = std::find_if(before.begin(), before.end(), [&](const ManagedFieldsEntry& old) {
            return old.manager == entry.manager && old.operation == entry.operation && old.sub_resource == entry.sub_resource;
        });
        if (was != before.end() && equal(was->fields, entry.fields)) continue;
        if (++changed > kChangedEntriesMax) return too_many();
        const auto fields = FieldSet::read(entry.fields, limits);
        const auto old_fields = was == before.end() ? Result<FieldSet>(FieldSet()) : FieldSet::read(was->fields, limits);
        const auto declared = read_declared_below(before, top_fields(entry.fields), limits);
        if (!fields || !old_fields || !declared) return refuse(".metadata.managedFields", name_of(entry) + " that cannot be read");
        if (auto path = FieldSet::first_new_overlap(*old_fields, *fields, *declared)) {
            const bool shown = path->size() <= kPathBytesMax;
            return refuse(shown ? *std::move(path) : ".metadata.managedFields",
                          fmt::format("{} as a second owner", kube::quoted(entry.manager.substr(0, kPathBytesMax))));
        }
    }
}

}  // namespace

FieldFindings judge_fields(const kube::Review& review, const Additions& additions, const Limits& limits, std::size_t changes_max) {
    FieldFindings findings;
    if (review.operation != kube::Operation::update || !review.sub_resource.empty() || !review.object.is_object() ||
        !review.old_object.is_object()) {
        findings.locked_whole = "only an UPDATE of the object itself can leave declared fields alone";
        return findings;
    }
    const auto entries = kube::read_managed_fields(review.old_object);
    if (!entries) {
        findings.locked_whole = "managedFields cannot be read: " + to_string(entries.error());
        return findings;
    }
    const std::vector<ManagedFieldsEntry> flux = of_flux(*entries);
    Walk walk(review, additions, changes_max, findings);
    const auto declared = read_declared(review, flux, walk.find_changed(review.old_object, review.object), limits);
    if (!declared) {
        findings.locked_whole = declared.error().message;
        return findings;
    }
    const auto requested = kube::read_managed_fields(review.object);
    judge_ownership(review, flux, requested, FluxEntries::stay, limits, findings.refused);
    if (findings.refused.empty()) judge_second_owners(*entries, *requested, limits, findings.refused);
    walk.run(review.old_object, review.object, *declared);
    return findings;
}

kube::Changes find_flux_entry_changes(const kube::Review& review, FluxEntries entries, const Limits& limits) {
    kube::Changes changes;
    if (const auto before = kube::read_managed_fields(review.old_object))
        judge_ownership(review, of_flux(*before), kube::read_managed_fields(review.object), entries, limits, changes);
    else
        changes.list.push_back(
            {".metadata.managedFields", "what cannot be read: " + to_string(before.error()), "the entries of Flux as they are"});
    return changes;
}

bool is_declared_by_flux(kube::Json object) {
    const auto entries = kube::read_managed_fields(object);
    return !entries || std::any_of(entries->begin(), entries->end(), declares);
}

}  // namespace fluxgate::policy
