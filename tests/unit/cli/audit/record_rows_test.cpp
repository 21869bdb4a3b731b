#include "cli/audit/record_rows.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::cli;

namespace {

audit::Record denial() {
    audit::Record record;
    record.time = parse_rfc3339("2026-11-21T09:27:38.774793Z").value();
    record.decision = "denied";
    record.operation = "UPDATE";
    record.group = "apps";
    record.resource = "deployments";
    record.namespace_name = "production";
    record.name = "web";
    record.username = "alice@example.com";
    record.replica = "fluxgate-0";
    record.violations.resize(2, {"production", "only-git", "", "", "", "Deny"});
    return record;
}

audit::Record event(const char* name) {
    audit::Record record;
    record.time = denial().time;
    record.event = name;
    record.replica = "fluxgate-0";
    return record;
}

template <class F>
audit::Record with(audit::Record record, F&& change) {
    change(record);
    return record;
}

// Single spaces, without index and time.
std::string row_of(const audit::Record& record) {
    const std::string row = table_row({.index = 17}, record, Style(false)).substr(8 + 2 + 20 + 2);
    std::string out;
    for (const char c : row) {
        if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
    }
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

}  // namespace

TEST_CASE("a line of the table says who did what, and why") {
    struct Row {
        const char* name;
        audit::Record record;
        std::string line;
    };
    using audit::Record;
    const std::vector<Row> rows{
        {"a denial, each rule once", denial(), "denied alice@example.com UPDATE production/deployments.apps/web production/only-git"},
        {"a service account by its short name",
         with(denial(), [](Record& r) { r.username = "system:serviceaccount:flux-system:kustomize-controller"; }),
         "denied flux-system:kustomize-controller UPDATE production/deployments.apps/web production/only-git"},
        {"an account's name without its proof",
         with(denial(),
              [](Record& r) {
                  r.username = "system:serviceaccount:flux-system:kustomize-controller";
                  r.assurance = "none";
              }),
         "denied flux-system:kustomize-controller UPDATE production/deployments.apps/web production/only-git, proof none"},
        {"a person's proof is of no interest", with(denial(), [](Record& r) { r.assurance = "certificate"; }),
         "denied alice@example.com UPDATE production/deployments.apps/web production/only-git"},
        {"a user who took the short name of one", with(denial(), [](Record& r) { r.username = "flux-system:kustomize-controller"; }),
         "denied \"flux-system:kustomize-controller\" UPDATE production/deployments.apps/web production/only-git"},
        {"a subresource behind its object", with(denial(), [](Record& r) { r.sub_resource = "scale"; }),
         "denied alice@example.com UPDATE production/deployments.apps/web scale production/only-git"},
        {"an object in no namespace", with(denial(), [](Record& r) { r.namespace_name = ""; }),
         "denied alice@example.com UPDATE deployments.apps/web production/only-git"},
        {"a request of which only the uid is known",
         with(denial(),
              [](Record& r) {
                  r.group = r.resource = r.namespace_name = r.name = r.username = "";
                  r.operation = "unknown";
                  r.violations = {};
                  r.error = "no JSON";
              }),
         "denied fluxgate-0 unknown error: no JSON"},
        {"a writer's change",
         with(denial(),
              [](Record& r) {
                  r.decision = "allowed";
                  r.violations = {};
                  r.writer = "flux";
                  r.assurance = "impersonated";
              }),
         "allowed alice@example.com UPDATE production/deployments.apps/web writer flux, proof impersonated"},
        {"what opened the lock",
         with(denial(),
              [](Record& r) {
                  r.decision = "allowed";
                  r.violations = {};
                  r.grants = {{"inc-4711", "", "INC-4711", "bob", "git"}};
                  r.exceptions = {"legacy"};
                  r.allowance = "restart";
                  r.learned = true;
              }),
         "allowed alice@example.com UPDATE production/deployments.apps/web grant inc-4711, exception legacy, allowance restart, the lock "
         "learns"},
        {"a heartbeat in a quiet minute",
         with(event("heartbeat"),
              [](Record& r) {
                  r.facts = {{"since", "2026-11-21T09:26:38.774793Z"}};
                  r.counters = {
                      {"errors", 0},        {"exceptionalDenied", 1}, {"recorded", 2},        {"repeated", 0},   {"routineAllowed", 1'233},
                      {"routineDenied", 2}, {"seen", 1'234},          {"unguardedDenied", 3}, {"unrecorded", 0}, {"uptimeSeconds", 60}};
              }),
         "event fluxgate-0 heartbeat 1,234 seen, 6 denied, 2 recorded"},
        {"a heartbeat of a bad minute",
         with(event("heartbeat"),
              [](Record& r) {
                  r.counters = {{"errors", 4}, {"repeated", 1'500}, {"seen", 9}, {"unrecorded", 5}};
              }),
         "event fluxgate-0 heartbeat 9 seen, 0 denied, 0 recorded, 1,500 repeated, 4 errors, 5 unrecorded"},
        {"repeats, with whose they are",
         with(denial(),
              [](Record& r) {
                  r.event = "denial-repeated";
                  r.decision = "";
                  r.facts = {{"first", "b855796f"}};
                  r.counters = {{"count", 1'290}};
              }),
         "event alice@example.com denial-repeated UPDATE production/deployments.apps/web 1,290 times, production/only-git"},
        {"any other event, all of it",
         with(event("stopped"),
              [](Record& r) {
                  r.details = {"a detail"};
                  r.facts = {{"reason", "SIGTERM"}};
                  r.counters = {{"requestsCutOff", 0}};
              }),
         "event fluxgate-0 stopped a detail, reason SIGTERM, requestsCutOff 0"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(row_of(row.record) == row.line);
    }
}

TEST_CASE("a line of the table is one line, in columns, however long a name is") {
    const std::string line = table_row({.index = 17}, denial(), Style(false));
    CHECK(line.starts_with(
        "      17  2026-11-21T09:27:38Z  denied   alice@example.com                       UPDATE production/deployments.apps/web"));
    CHECK(table_row({}, denial(), Style(false)).starts_with("       -  2026-11-21"));
    audit::Record hostile = denial();
    hostile.username = hostile.name = hostile.violations.front().rule = "a\nb\x1b[2J" + std::string(5'000, 'x');
    const std::string cut = table_row({.index = 17}, hostile, Style(false));
    CHECK(cut.size() < 600);
    CHECK(cut.find_first_of("\n\x1b") == std::string::npos);
    CHECK_THAT(cut, Catch::Contains("a\\nb\\x1b[2J"));
}

TEST_CASE("colour is for those who can see it") {
    CHECK_THAT(table_row({}, denial(), Style(true)), Catch::Contains("\x1b[31mdenied"));
    CHECK(table_row({}, denial(), Style(false)).find('\x1b') == std::string::npos);
}
