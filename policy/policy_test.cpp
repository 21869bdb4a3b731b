#include "policy/policy_test.hpp"

#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "policy/decode_policy.hpp"
#include "policy/identities.hpp"
#include "policy/rules/fields.hpp"

namespace fluxgate::policy {

namespace {

constexpr std::string_view kActions[] = {"Deny", "Warn", "Audit"};  // in the order of Action
static_assert(static_cast<int>(Action::deny) == 0 && static_cast<int>(Action::audit) == 2, "decode_violation counts on this order");

ExpectedViolation decode_violation(const kube::Node& item, const std::string& what, Problems& problems) {
    Mapping fields(item, what, problems);
    ExpectedViolation violation;
    violation.policy = fields.string("policy");
    violation.rule = fields.required_string("rule");
    violation.path = fields.string("path");
    if (const kube::Node* action = fields.field("action")) {
        const auto index = one_of(*action, fields.name_of("action"), {std::begin(kActions), std::end(kActions)}, problems);
        if (index) violation.action = static_cast<Action>(*index);
    }
    fields.finish();
    return violation;
}

Expectation decode_expectation(const kube::Node& node, const std::string& what, Problems& problems) {
    Mapping fields(node, what, problems);
    Expectation expect;
    fields.required("allowed", "true or false");
    expect.allowed = decode_boolean(fields, "allowed").value_or(false);
    if (fields.field("violations")) {
        expect.violations.emplace();
        fields.each("violations", [&](const kube::Node& item, const std::string& which) {
            expect.violations->push_back(decode_violation(item, which, problems));
        });
    }
    if (fields.field("warnings")) expect.warnings = decode_texts(fields, "warnings");
    expect.message = fields.string("message");
    if (expect.allowed && !expect.message.empty()) fields.problem("message", "is the text of a denial; an allowed request has none");
    fields.finish();
    return expect;
}

// extra: key → list of strings, as in userInfo.
nlohmann::ordered_json decode_extra(Mapping& user) {
    nlohmann::ordered_json extra = nlohmann::ordered_json::object();
    const kube::Node* node = user.field("extra");
    if (!node) return extra;
    Mapping keys(*node, user.name_of("extra"), user.problems());
    for (const kube::Entry& entry : node->entries()) extra[entry.key] = keys.strings(entry.key);
    return extra;
}

// With `uid` or `extra` the caller is exactly who is written there; without both, somebody who has proved who he is.
std::string decode_user(const kube::Node& node, const std::string& what, Problems& problems) {
    Mapping fields(node, what, problems);
    const std::size_t before = problems.count();
    const std::string name = fields.required_string("username");
    const std::vector<std::string> groups = decode_texts(fields, "groups");
    const bool as_written = fields.field("uid") || fields.field("extra");
    const std::string uid = fields.string("uid");
    auto extra = decode_extra(fields);
    fields.finish();
    if (problems.count() > before) return {};
    if (as_written) return nlohmann::ordered_json{{"username", name}, {"uid", uid}, {"groups", groups}, {"extra", std::move(extra)}}.dump();
    auto user = user_info(name, groups);
    if (!user) fields.problem("username", user.error().message);
    return user ? std::move(*user) : std::string();
}

std::string decode_identity(Mapping& fields, const std::string& what) {
    const kube::Node* user = fields.field("user");
    const kube::Node* as = fields.field("as");
    if (user && as) fields.problem("as", "must not stand beside user: who asks is one or the other");
    if (user) return decode_user(*user, what + ".user", fields.problems());
    const std::string name = as ? fields.required_string("as") : "flux";
    if (name.empty()) return {};
    auto known = user_info(name, {});
    if (!known) fields.problem("as", known.error().message);
    return known ? std::move(*known) : std::string();
}

TestObject decode_object(Mapping& fields, std::string_view key) {
    const kube::Node* node = fields.field(key);
    if (!node) return {};
    if (node->kind() == kube::Node::Kind::mapping) return {{}, kube::to_json(*node), node->position()};
    if (node->kind() == kube::Node::Kind::string && !node->text().empty()) return {node->text(), {}, node->position()};
    fields.problems().add(Errc::wrong_type, node->position(),
                          fmt::format("{}: expected an object, or the name of a file that holds one; have {}", fields.name_of(key),
                                      kube::describe(node->kind())));
    return {};
}

// CONNECT and subresources have bodies of their own, which nobody writes by hand.
kube::Operation decode_operation(Mapping& fields) {
    const kube::Node* node = fields.field("operation");
    if (!node) return kube::Operation::create;
    if (node->text() == "CONNECT") {
        fields.problem("operation", "give a CONNECT as a recorded review (review: file.json)");
        return kube::Operation::create;
    }
    const auto index = one_of(*node, fields.name_of("operation"), {"CREATE", "UPDATE", "DELETE"}, fields.problems());
    return static_cast<kube::Operation>(index.value_or(0));
}
static_assert(static_cast<int>(kube::Operation::update) == 1 && static_cast<int>(kube::Operation::remove) == 2,
              "decode_operation counts on this order");

std::optional<kube::Labels> decode_labels(Mapping& fields, std::string_view key) {
    const kube::Node* node = fields.field(key);
    if (!node) return std::nullopt;
    Mapping entries(*node, fields.name_of(key), fields.problems());
    kube::Labels labels;
    for (const kube::Entry& entry : node->entries()) labels.emplace_back(entry.key, entries.string(entry.key));
    return labels;
}

void expect_fitting_objects(Mapping& fields, const PolicyTestCase& test) {
    switch (test.operation) {
        case kube::Operation::create:
            if (!test.object.given()) fields.required("object", "what is created: an object, or the name of a file that holds one");
            if (test.old_object.given()) fields.problem("oldObject", "there is none before a CREATE");
            return;
        case kube::Operation::update:
            if (!test.object.given()) fields.required("object", "the object after the update");
            // Without it nothing would change, and most rules have nothing to say about that.
            if (!test.old_object.given()) fields.required("oldObject", "the object before the update");
            return;
        case kube::Operation::remove:
            if (!test.old_object.given() && !test.object.given()) fields.required("oldObject", "the object that is deleted");
            if (test.old_object.given() && test.object.given())
                fields.problem("object", "a DELETE has one object; leave out object or oldObject");
            return;
        case kube::Operation::connect: return;
    }
}

PolicyTestCase decode_case(const kube::Node& item, const std::string& what, std::set<std::string>& names, Problems& problems) {
    Mapping fields(item, what, problems);
    PolicyTestCase test;
    test.position = item.position();
    test.name = fields.required_string("name");
    if (!test.name.empty() && !names.insert(test.name).second)
        fields.problem("name", fmt::format("another case of this test is named \"{}\"", test.name));
    test.operation = decode_operation(fields);
    test.user = decode_identity(fields, what);
    const std::size_t before = problems.count();
    test.object = decode_object(fields, "object");
    test.old_object = decode_object(fields, "oldObject");
    const bool broken_objects = problems.count() > before;
    test.dry_run = decode_boolean(fields, "dryRun").value_or(false);
    if (fields.field("review")) {
        test.review = {fields.required_string("review"), {}, fields.position_of("review")};
        for (const std::string_view key : {"operation", "user", "as", "object", "oldObject", "dryRun"}) {
            if (fields.field(key)) fields.problem(key, "must not stand beside review, which says it");
        }
    } else if (!broken_objects && item.kind() == kube::Node::Kind::mapping) {
        expect_fitting_objects(fields, test);
    }
    test.namespace_labels = decode_labels(fields, "namespaceLabels");
    test.time = decode_time(fields, "time");
    if (const kube::Node* expect = fields.required("expect", "a mapping with allowed")) {
        test.expect = decode_expectation(*expect, what + ".expect", problems);
        test.place.mapping = expect->position();
    }
    test.place.the_case = item.position();
    for (const kube::Entry& entry : item.entries()) {
        if (entry.key == "expect") test.place.key = entry.key_position;
    }
    fields.finish();
    return test;
}

}  // namespace

PolicyTest decode_policy_test(const kube::Node& root, Problems& problems) {
    PolicyTest test;
    test.position = root.position();
    Mapping document(root, "PolicyTest", problems);
    test.name = decode_head(document, problems);
    const kube::Node* spec = document.required("spec", "a mapping with policies and cases");
    document.finish();
    if (!spec) return test;

    Mapping fields(*spec, "spec", problems);
    const auto required_list = [&](std::string_view key, std::string_view expected) {
        fields.required(key, expected);
        refuse_empty_list(fields, key, "tests nothing");
    };
    required_list("policies", "a list of files or folders of policies, relative to this file");
    fields.each("policies", [&](const kube::Node& item, const std::string& what) {
        if (item.kind() == kube::Node::Kind::string && !item.text().empty())
            test.policies.push_back({item.text(), item.position()});
        else
            problems.add(Errc::wrong_type, item.position(),
                         fmt::format("{}: expected a file or a folder, have {}", what,
                                     item.kind() == kube::Node::Kind::string ? "an empty text" : kube::describe(item.kind())));
    });
    required_list("cases", "a list of cases");
    std::set<std::string> names;
    fields.each("cases",
                [&](const kube::Node& item, const std::string& what) { test.cases.push_back(decode_case(item, what, names, problems)); });
    fields.finish();
    return test;
}

}  // namespace fluxgate::policy
