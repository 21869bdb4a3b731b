#include "policy/lock/grants.hpp"

#include "policy/evaluate.hpp"
#include "policy/policy_test.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/lock/grant_sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::at;
using sample::grant;
using sample::GrantLines;
using sample::Read;
using sample::Request;

namespace {

const WallTime kWithin = at("2026-12-05T03:00:00Z");

Verdict judge(const Request& request, const std::vector<std::string>& files, Context context) {
    return evaluate(*Read(request), *sample::compiled(files), context);
}
Context within(std::string_view cluster = "prod-1") { return {.now = kWithin, .cluster_name = cluster}; }

std::string problems_of_grant(const std::string& text) {
    std::string problems;
    for (const std::string& problem : sample::problems_of({{"lock.yaml", sample::kLock}, {"g.yaml", text}}))
        problems += (problems.empty() ? "" : "|") + problem;
    return problems;
}

}  // namespace

TEST_CASE("a grant from Git lets its subject write what it names, with a warning and a record") {
    const Verdict verdict = judge(sample::update(), {sample::kLock, grant()}, within());
    CHECK(verdict.allowed);
    CHECK(verdict.write_class == WriteClass::exceptional);
    REQUIRE(verdict.grants.size() == 1);
    const UsedGrant& used = verdict.grants.front();
    CHECK(used.name == "inc-4711");
    CHECK(used.ticket == "INC-4711");
    CHECK(used.approved_by == "PeterNeumann");
    CHECK(used.vouched_by == "git");
    CHECK(used.digest.starts_with("sha256:"));
    CHECK(
        verdict.warnings ==
        std::vector<std::string>{"break-glass inc-4711 (INC-4711) until 2026-12-05T04:10:00Z: recorded; Flux will put back what Git says"});
}

TEST_CASE("a grant opens nothing but what it says, and the denial says what is missing") {
    struct Row {
        std::string_view name;
        GrantLines lines{};
        Request request = sample::update();
        Context context = within();
        std::string_view why_not{};
    };
    Request by_bob = sample::update();
    by_bob.user = sample::certificate("bob@example.com");
    Request by_alice_capital = sample::update();
    by_alice_capital.user = sample::certificate("Alice@example.com");
    Request by_sre = sample::update();
    by_sre.user = sample::certificate("carol@example.com", "sre");
    Request by_approver = sample::update();
    by_approver.user = sample::certificate("oidc:peterneumann", "sre");
    Request scale = sample::update();
    scale.sub_resource = "scale";
    scale.kind = "Scale";
    scale.object = scale.old_object = R"({"metadata":{"name":"web","namespace":"production"}})";
    Request status = sample::update();
    status.sub_resource = "status";
    Request other_name = sample::update();
    other_name.name = "api";
    other_name.object = other_name.old_object = R"({"metadata":{"name":"api","namespace":"production"}})";
    Request elsewhere = sample::update();
    elsewhere.namespace_name = "payments";
    elsewhere.object = elsewhere.old_object = R"({"metadata":{"name":"web","namespace":"payments"}})";
    Request removal = sample::update();
    removal.old_object = "null";
    removal = sample::with_operation(removal, "DELETE");
    const GrantLines for_sre{{"subjects", "[{kind: Group, name: sre}]"}};
    const ClusterView view{.cluster_uid = "0f1e"};
    Context by_uid{.now = kWithin};
    by_uid.cluster = &view;
    const auto now = [](std::string_view time) {
        Context context = within();
        context.now = at(time);
        return context;
    };
    const Row rows[] = {
        {.name = "its subject", .why_not = "allowed"},
        {.name = "somebody else", .request = by_bob},
        {.name = "another spelling of the name", .request = by_alice_capital},
        {.name = "a member of its group", .lines = for_sre, .request = by_sre, .why_not = "allowed"},
        {.name = "no member of its group", .lines = for_sre},
        {.name = "its approver in its group",
         .lines = for_sre,
         .request = by_approver,
         .why_not = "Break-glass inc-4711 cannot be used by who approved it."},
        {.name = "a subresource that it names", .request = scale, .why_not = "allowed"},
        {.name = "a subresource that it does not name",
         .request = status,
         .why_not = "Break-glass inc-4711 does not cover UPDATE deployments.apps/status web."},
        {.name = "another operation", .request = removal, .why_not = "Break-glass inc-4711 does not cover DELETE deployments.apps web."},
        {.name = "another object", .request = other_name, .why_not = "Break-glass inc-4711 does not cover UPDATE deployments.apps api."},
        {.name = "another namespace", .request = elsewhere, .why_not = "Break-glass inc-4711 does not cover UPDATE deployments.apps web."},
        {.name = "another kind", .request = Request{}, .why_not = "Break-glass inc-4711 does not cover CREATE pods web."},
        {.name = "another cluster", .context = within("prod-2"), .why_not = "Break-glass inc-4711 is for another cluster: prod-1."},
        {.name = "a cluster without a name", .context = within(""), .why_not = "Break-glass inc-4711 is for another cluster: prod-1."},
        {.name = "a cluster by its UID", .lines = {{"cluster", "0f1e"}}, .context = by_uid, .why_not = "allowed"},
        {.name = "any cluster", .lines = {{"cluster", ""}}, .context = within("prod-2"), .why_not = "allowed"},
        {.name = "a microsecond before it begins",
         .context = now("2026-12-05T02:09:59.999999Z"),
         .why_not = "Break-glass inc-4711 begins at 2026-12-05T02:10:00Z."},
        {.name = "the moment it begins", .context = now("2026-12-05T02:10:00Z"), .why_not = "allowed"},
        {.name = "a microsecond before it ends", .context = now("2026-12-05T04:09:59.999999Z"), .why_not = "allowed"},
        {.name = "the moment it ends",
         .context = now("2026-12-05T04:10:00Z"),
         .why_not = "Break-glass inc-4711 ended at 2026-12-05T04:10:00Z."},
        {.name = "as long as the lock accepts", .lines = {{"expiresAt", "2026-12-05T06:10:00Z"}}, .why_not = "allowed"},
        {.name = "longer than the lock accepts",
         .lines = {{"expiresAt", "2026-12-05T06:10:01Z"}},
         .why_not = "Break-glass inc-4711 lasts longer than the 4h that this lock accepts."},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Verdict verdict = judge(row.request, {sample::kLock, grant(row.lines)}, row.context);
        CHECK(verdict.allowed == (row.why_not == "allowed"));
        CHECK(verdict.grants.empty() != verdict.allowed);
        if (!verdict.allowed) CHECK(verdict.guidance == row.why_not);
    }
}

TEST_CASE("of several grants the first that opens counts, else the nearest explains") {
    const std::string ended = grant({{"expiresAt", "2026-12-05T02:30:00Z"}}, "a-ended");
    const std::string elsewhere =
        grant({{"match",
                "{namespaces: [payments], resourceRules: [{apiGroups: [apps], resources: [deployments], operations: "
                "[UPDATE]}]}"}},
              "b-elsewhere");
    const Verdict denied = judge(sample::update(), {sample::kLock, elsewhere, ended}, within());
    CHECK(denied.guidance == "Break-glass a-ended ended at 2026-12-05T02:30:00Z.");
    const Verdict allowed = judge(sample::update(), {sample::kLock, elsewhere, ended, grant(), grant({}, "inc-4712")}, within());
    REQUIRE(allowed.grants.size() == 1);
    CHECK(allowed.grants.front().name == "inc-4711");
}

TEST_CASE("a grant opens each lock by that lock's own terms") {
    const auto lock = [](std::string_view name, std::string_view terms) {
        return sample::policy("  rules: [{name: r, lock: {writers: [flux]" + std::string(terms) + "}}]\n", name);
    };
    struct Row {
        std::string_view name;
        std::string_view other_lock;
        bool allowed;
    };
    const Row rows[] = {
        {"both accept it", ", breakGlass: {maxDuration: 2h}", true},
        {"one accepts shorter ones only", ", breakGlass: {maxDuration: 1h59m}", false},
        {"one accepts none", "", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Verdict verdict =
            judge(sample::update(), {lock("one", ", breakGlass: {maxDuration: 4h}"), lock("two", row.other_lock), grant()}, within());
        CHECK(verdict.allowed == row.allowed);
        CHECK(verdict.grants.size() == (row.allowed ? 1 : 0));
    }
}

TEST_CASE("a service account uses a grant only if it proves that it is one") {
    const std::string for_fixer = grant({{"subjects", "[{kind: ServiceAccount, namespace: ops, name: fixer}]"}});
    Request request = sample::update();
    request.user = sample::pod_bound("ops", "fixer");
    CHECK(judge(request, {sample::kLock, for_fixer}, within()).allowed);
    request.user = sample::impersonated("ops", "fixer");
    CHECK_FALSE(judge(request, {sample::kLock, for_fixer}, within()).allowed);
}

TEST_CASE("a grant is recorded only if it was needed") {
    Request by_flux = sample::update();
    by_flux.user = sample::kFlux;
    const std::string for_flux = grant({{"subjects", "[{kind: ServiceAccount, namespace: flux-system, name: kustomize-controller}]"}});
    const Verdict routine = judge(by_flux, {sample::kLock, for_flux}, within());
    CHECK(routine.allowed);
    CHECK(routine.grants.empty());
    CHECK(routine.write_class == WriteClass::routine);
    Request dry_run = sample::update();
    dry_run.dry_run = true;
    CHECK_FALSE(judge(dry_run, {sample::kLock, grant()}, within()).effective);
    CHECK(judge(dry_run, {sample::kLock, grant()}, within()).warnings.empty());
    const std::string audits =
        sample::policy("  validationActions: [Audit]\n  rules: [{name: r, lock: {writers: [flux], breakGlass: {maxDuration: 4h}}}]\n");
    const Verdict audited = judge(sample::update(), {audits, grant()}, within());
    CHECK(audited.allowed);
    CHECK(audited.grants.empty());
    CHECK_FALSE(audited.violations.empty());
}

TEST_CASE("a grant with a number of uses ends when they are used up") {
    const auto set = sample::compiled({sample::kLock, grant({{"maxUses", "2"}})});
    struct Row {
        std::string_view name;
        std::uint64_t uses;
        bool allowed;
    };
    for (const Row& row :
         {Row{"never used", 0, true}, Row{"used once", 1, true}, Row{"used up", 2, false}, Row{"used too often", 3, false}}) {
        INFO(row.name);
        const GrantCounts counts{{set->grants.front().digest, row.uses}, {"sha256:other", 9}};
        Context context = within();
        context.grant_uses = &counts;
        const Verdict verdict = evaluate(*Read(sample::update()), *set, context);
        CHECK(verdict.allowed == row.allowed);
        if (!row.allowed) CHECK(verdict.guidance == "Break-glass inc-4711 has been used 2 times, as often as it may.");
        if (row.allowed) CHECK(verdict.grants.front().max_uses == 2);
    }
}

TEST_CASE("the digest of a grant from Git is of what it says, not of its file") {
    const auto digest = [](const std::string& text) { return sample::compiled({sample::kLock, text})->grants.front().digest; };
    CHECK(digest(grant()) == digest("# a comment\n" + grant()));
    CHECK(digest(grant()) != digest(grant({{"ticket", "INC-4712"}})));
    CHECK(sample::compiled({sample::kLock, grant()})->grants.front().meaning == digest(grant()));
}

TEST_CASE("a grant that is wrong keeps the set from loading, with line and reason") {
    struct Row {
        std::string_view name;
        GrantLines lines;
        std::string_view says;  // empty: it loads
    };
    const auto match = [](std::string_view fields) { return "{" + std::string(fields) + "}"; };
    const std::string rules = "resourceRules: [{apiGroups: [apps], resources: [deployments], operations: [UPDATE]}]";
    const Row rows[] = {
        {"as it should be", {}, ""},
        {"ended long ago", {{"notBefore", "2020-01-01T00:00:00Z"}, {"expiresAt", "2020-01-01T01:00:00Z"}}, ""},
        {"no subjects", {{"subjects", ""}}, "spec.subjects is missing"},
        {"nobody", {{"subjects", "[]"}}, "names nobody"},
        {"a pattern of users", {{"subjects", "[{kind: User, name: \"*@example.com\"}]"}}, "is a pattern"},
        {"a pattern of namespaces", {{"subjects", "[{kind: ServiceAccount, namespace: \"*\", name: a}]"}}, "is a pattern"},
        {"everybody", {{"subjects", "[{kind: Group, name: \"system:authenticated\"}]"}}, "means everybody"},
        {"no match", {{"match", ""}}, "spec.match is missing"},
        {"no namespaces", {{"match", match(rules)}}, "spec.match.namespaces is missing"},
        {"an empty list of namespaces", {{"match", match("namespaces: [], " + rules)}}, "namespaces: names nothing"},
        {"an empty list of names", {{"match", match("namespaces: [a], names: [], " + rules)}}, "names: names nothing"},
        {"no resource rules", {{"match", match("namespaces: [a]")}}, "spec.match.resourceRules is missing"},
        {"an empty list of resource rules", {{"match", match("namespaces: [a], resourceRules: []")}}, "resourceRules: names nothing"},
        {"a selector",
         {{"match", match("namespaces: [a], objectSelector: {matchLabels: {a: b}}, " + rules)}},
         "objectSelector: unknown field"},
        {"no ticket", {{"ticket", ""}}, "spec.ticket is missing"},
        {"a ticket of two lines", {{"ticket", "\"a\\nb\""}}, "must be one line"},
        {"a ticket that is a number", {{"ticket", "4711"}}, "expected a string"},
        {"no reason", {{"reason", ""}}, "spec.reason is missing"},
        {"nobody who asked", {{"requestedBy", ""}}, "spec.requestedBy is missing"},
        {"nobody who approved", {{"approvedBy", ""}}, "spec.approvedBy is missing"},
        {"approved by who asked", {{"requestedBy", "carol"}, {"approvedBy", "carol"}}, "asked for it and cannot approve it"},
        {"approved by who asked, in capitals", {{"requestedBy", "carol"}, {"approvedBy", "CAROL"}}, "asked for it and cannot approve it"},
        {"approved by who asked, as the identity provider says it",
         {{"requestedBy", "carol"}, {"approvedBy", "\"oidc:carol\""}},
         "asked for it and cannot approve it"},
        {"approved by a namesake", {{"requestedBy", "carol"}, {"approvedBy", "ann-carol"}}, ""},
        {"approved by a subject", {{"requestedBy", "carol"}, {"approvedBy", "Alice@Example.com"}}, "is one of the subjects"},
        {"no begin", {{"notBefore", ""}}, "spec.notBefore is missing"},
        {"no end", {{"expiresAt", ""}}, "spec.expiresAt is missing"},
        {"an end that is no time", {{"expiresAt", "tomorrow"}}, "g.yaml:"},
        {"an end at its begin", {{"expiresAt", "2026-12-05T02:10:00Z"}}, "must be after notBefore"},
        {"an end before its begin", {{"expiresAt", "2026-12-05T01:10:00Z"}}, "must be after notBefore"},
        {"no use at all", {{"maxUses", "0"}}, "1 or more"},
        {"less than none", {{"maxUses", "-1"}}, "1 or more"},
        {"half a use", {{"maxUses", "1.5"}}, "1 or more"},
        {"an unknown field", {{"approver", "carol"}}, "spec.approver: unknown field"},
        {"a cluster without a name", {{"cluster", "\"\""}}, "spec.cluster: must not be empty"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string problems = problems_of_grant(grant(row.lines));
        INFO(problems);
        CHECK(problems.empty() == row.says.empty());
        CHECK(problems.find(row.says) != std::string::npos);
    }
    CHECK(sample::problems_of({{"a.yaml", sample::kLock}, {"b.yaml", grant()}, {"c.yaml", grant()}})
              .front()
              .find("another grant named \"inc-4711\" is in b.yaml") != std::string::npos);
}

TEST_CASE("the terms of a lock are read strictly") {
    struct Row {
        std::string_view name;
        std::string terms;
        std::string_view says;
    };
    const std::string key = "\"" + sample::kApprover + "\"";
    const Row rows[] = {
        {"a length", "{maxDuration: 4h}", ""},
        {"hours and minutes", "{maxDuration: 1h30m}", ""},
        {"a day", "{maxDuration: 24h}", ""},
        {"with a key", "{maxDuration: 90m, approverKeys: [" + key + "]}", ""},
        {"with no key", "{maxDuration: 90m, approverKeys: []}", ""},
        {"nothing", "{}", "breakGlass.maxDuration is missing"},
        {"no length", "{approverKeys: [" + key + "]}", "breakGlass.maxDuration is missing"},
        {"an empty length", "{maxDuration: \"\"}", "must not be empty"},
        {"more than a day", "{maxDuration: 24h1m}", "at most 24h"},
        {"no unit", "{maxDuration: \"4\"}", "is no duration"},
        {"a number", "{maxDuration: 4}", "expected a string"},
        {"a key twice", "{maxDuration: 4h, approverKeys: [" + key + ", " + key + "]}", "[1] names the key of PeterNeumann again"},
        {"no key at all", "{maxDuration: 4h, approverKeys: [bob]}", "[0] is no key"},
        {"a private key", "{maxDuration: 4h, approverKeys: [\"" + sample::approver().text() + "\"]}", "[0] is a private key"},
        {"an unknown field", "{maxDuration: 4h, approvers: []}", "unknown field"},
        {"a list", "[4h]", "expected a mapping"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::string problems;
        for (const std::string& problem : sample::problems_of({{"p.yaml", sample::lock_with(row.terms)}})) problems += problem;
        INFO(problems);
        CHECK(problems.empty() == row.says.empty());
        CHECK(problems.find(row.says) != std::string::npos);
        CHECK(problems.find("YEKFALV") == std::string::npos);  // a private key is not shown
    }
}

TEST_CASE("the warning of a use fits into what Kubernetes shows") {
    Grant used{.name = "inc-4711", .ticket = "INC-4711", .expires_at = at("2026-12-05T04:10:00Z")};
    struct Row {
        std::size_t name_bytes;
        std::size_t ticket_bytes;
        bool with_ticket;
        std::string_view ends;
    };
    for (const Row& row : {Row{8, 8, true, "put back what Git says"}, Row{20, 20, true, "Z: recorded"}, Row{63, 8, false, "Z: recorded"},
                           Row{63, 253, false, "Z: recorded"}}) {
        used.name = std::string(row.name_bytes, 'n');
        used.ticket = std::string(row.ticket_bytes, 't');
        const std::string text = describe_use(used, 120);
        INFO(text);
        CHECK(text.size() <= 120);
        CHECK(text.ends_with(row.ends));
        CHECK(text.find(used.name + (row.with_ticket ? " (" + used.ticket + ") until" : " until")) != std::string::npos);
    }
}

TEST_CASE("names that mean one person") {
    struct Row {
        std::string_view left;
        std::string_view right;
        bool same;
    };
    const Row rows[] = {
        {"bob@example.com", "bob@example.com", true},
        {"bob@example.com", "Bob@Example.COM", true},
        {"bob@example.com", " bob@example.com", true},
        {"oidc:bob@example.com", "bob@example.com", true},
        {"bob@example.com", "https://idp#bob@example.com", true},
        {"bob@example.com", "rob@example.com", false},
        {"bob@example.com", "jim-bob@example.com", false},
        {"bob@example.com", "", false},
        {"", "bob@example.com", false},
    };
    for (const Row& row : rows) {
        INFO(row.left << " " << row.right);
        CHECK(same_person(row.left, row.right) == row.same);
    }
}
