#include "policy/compare.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "kube/path.hpp"

namespace fluxgate::policy {

namespace {

using nlohmann::json;

// What means the same becomes the same: nulls are absent, and so is what is written though it is the default.
void drop_nulls(json& value) {
    if (!value.is_structured()) return;
    if (value.is_object()) {
        for (auto entry = value.begin(); entry != value.end();) entry = entry->is_null() ? value.erase(entry) : std::next(entry);
    }
    for (json& child : value) drop_nulls(child);
}

json normalised(const kube::Node& root) {
    json value = json::parse(kube::to_json(root));
    drop_nulls(value);
    json& metadata = value["metadata"];
    metadata.erase("labels");
    metadata.erase("annotations");
    json& spec = value["spec"];
    if (spec.contains("validationActions") && spec["validationActions"] == json::array({"Deny"})) spec.erase("validationActions");
    for (const char* list : {"namespaceActions", "compliance"}) {
        if (spec.contains(list) && spec[list].empty()) spec.erase(list);
    }
    if (spec.contains("match")) {
        json& match = spec["match"];
        for (const char* list : {"excludeNamespaces", "excludeResourceRules", "subjects", "excludeSubjects"}) {
            if (match.contains(list) && match[list].empty()) match.erase(list);
        }
        if (match.empty()) spec.erase("match");
    }
    return value;
}

std::string text_of(const json& object, const std::string& key) {
    return object.contains(key) ? object[key].dump(-1, ' ', false, json::error_handler_t::replace) : std::string();
}

// Objects are compared member by member; a list is one value, because its order can mean something.
void compare_fields(const json& before, const json& after, const std::string& path, std::vector<FieldChange>& changes) {
    std::map<std::string, bool> keys;
    for (const json* side : {&before, &after}) {
        for (const auto& entry : side->items()) keys.emplace(entry.key(), true);
    }
    for (const auto& [key, unused] : keys) {
        static_cast<void>(unused);
        std::string below = path;
        kube::append_field(below, key);
        const bool both = before.contains(key) && after.contains(key);
        if (both && before[key] == after[key]) continue;
        if (both && before[key].is_object() && after[key].is_object())
            compare_fields(before[key], after[key], below, changes);
        else
            changes.push_back({below, text_of(before, key), text_of(after, key)});
    }
}

// A rule of a policy, with its place.
struct RuleValue {
    json value;
    kube::Position position;
};

struct PolicyValue {
    const PolicyDocument* document;
    json head;  // all but the rules
    std::vector<std::pair<std::string, RuleValue>> rules;

    const RuleValue* rule(const std::string& name) const {
        const auto found = std::find_if(rules.begin(), rules.end(), [&](const auto& entry) { return entry.first == name; });
        return found == rules.end() ? nullptr : &found->second;
    }
};

std::string name_of(const kube::Node& root) {
    const kube::Node* name = find_in(root, {"metadata", "name"});
    return name ? name->text() : std::string();
}

PolicyValue value_of(const PolicyDocument& document) {
    PolicyValue value{&document, normalised(document.root), {}};
    const json rules = value.head["spec"].contains("rules") ? value.head["spec"]["rules"] : json::array();
    value.head["spec"].erase("rules");
    for (std::size_t i = 0; i < rules.size(); ++i) {
        if (!rules[i].is_object() || !rules[i].contains("name") || !rules[i]["name"].is_string()) continue;
        value.rules.emplace_back(rules[i]["name"].get<std::string>(),
                                 RuleValue{rules[i], position_of(document.root, {"spec", "rules", i, "name"})});
    }
    return value;
}

using ByName = std::map<std::string, const PolicyDocument*>;

ByName by_name(const std::vector<PolicyDocument>& documents) {
    ByName map;
    for (const PolicyDocument& document : documents) map.emplace(name_of(document.root), &document);
    return map;
}

SetChange change_of(Change change, std::string_view kind, const PolicyDocument& document) {
    return {change, std::string(kind), name_of(document.root), document.file, position_of(document.root, {"metadata", "name"}), {}};
}

class SetComparison {
public:
    std::vector<SetChange> run(const PolicyDocuments& before, const PolicyDocuments& after) {
        compare_kind("GuardPolicy", before.policies, after.policies,
                     [&](const PolicyDocument& was, const PolicyDocument& is) { compare_policies(was, is); });
        compare_whole("GuardException", before.exceptions, after.exceptions);
        compare_whole("WriterProfile", before.writers, after.writers);
        compare_whole("BreakGlass", before.grants, after.grants);
        return std::move(list_);
    }

private:
    template <class F>
    void compare_kind(std::string_view kind, const std::vector<PolicyDocument>& before, const std::vector<PolicyDocument>& after, F&& f) {
        const ByName old_ones = by_name(before);
        const ByName new_ones = by_name(after);
        for (const PolicyDocument& document : after) {
            const auto was = old_ones.find(name_of(document.root));
            if (was == old_ones.end())
                list_.push_back(change_of(Change::added, kind, document));
            else
                f(*was->second, document);
        }
        for (const PolicyDocument& document : before) {
            if (!new_ones.contains(name_of(document.root))) list_.push_back(change_of(Change::removed, kind, document));
        }
    }

    void compare_whole(std::string_view kind, const std::vector<PolicyDocument>& before, const std::vector<PolicyDocument>& after) {
        compare_kind(kind, before, after, [&](const PolicyDocument& was, const PolicyDocument& is) {
            add_if_changed(change_of(Change::changed, kind, is), normalised(was.root), normalised(is.root), "");
        });
    }

    void compare_policies(const PolicyDocument& before, const PolicyDocument& after) {
        const PolicyValue was = value_of(before);
        const PolicyValue is = value_of(after);
        const SetChange whole = change_of(Change::changed, "GuardPolicy", after);
        add_if_changed(whole, was.head, is.head, "");
        for (const auto& [name, rule] : is.rules) {
            SetChange change{Change::added, "rule", whole.name + "/" + name, after.file, rule.position, {}};
            const RuleValue* old_one = was.rule(name);
            if (!old_one) {
                list_.push_back(std::move(change));
                continue;
            }
            change.change = Change::changed;
            add_if_changed(std::move(change), old_one->value, rule.value, "");
        }
        for (const auto& [name, rule] : was.rules) {
            if (!is.rule(name)) list_.push_back({Change::removed, "rule", whole.name + "/" + name, before.file, rule.position, {}});
        }
    }

    void add_if_changed(SetChange change, const json& before, const json& after, const std::string& path) {
        compare_fields(before, after, path, change.fields);
        if (!change.fields.empty()) list_.push_back(std::move(change));
    }

    std::vector<SetChange> list_;
};

std::vector<Violation> without(const std::vector<Violation>& list, const std::vector<Violation>& others) {
    std::vector<Violation> rest;
    for (const Violation& violation : list) {
        if (std::find(others.begin(), others.end(), violation) == others.end()) rest.push_back(violation);
    }
    return rest;
}

}  // namespace

std::string_view to_string(Change change) {
    switch (change) {
        case Change::added: return "added";
        case Change::removed: return "removed";
        case Change::changed: return "changed";
    }
    return "?";
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::same: return "same";
        case Outcome::denied: return "denied";
        case Outcome::allowed: return "allowed";
        case Outcome::findings: return "findings";
    }
    return "?";
}

std::vector<SetChange> compare(const PolicyDocuments& before, const PolicyDocuments& after) { return SetComparison().run(before, after); }

VerdictChange compare(const Verdict& before, const Verdict& after) {
    VerdictChange change;
    change.gained = without(after.violations, before.violations);
    change.lost = without(before.violations, after.violations);
    if (before.allowed != after.allowed)
        change.outcome = after.allowed ? Outcome::allowed : Outcome::denied;
    else if (!change.gained.empty() || !change.lost.empty() || before.warnings != after.warnings ||
             before.violations_omitted != after.violations_omitted)
        change.outcome = Outcome::findings;
    return change;
}

}  // namespace fluxgate::policy
