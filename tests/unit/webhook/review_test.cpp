#include "webhook/review.hpp"

#include <set>

#include "tests/support/catch.hpp"
#include "tests/unit/webhook/support.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace fluxgate::webhook::testing;

namespace {

Outcome judge(const std::string& body, const policy::PolicySet& set, Evaluate evaluate = policy::evaluate) {
    Reviewer reviewer(Limits{}, {"test-cluster", "replica-0"}, evaluate);
    return reviewer.judge(kube::with_slack(body), set, {.now = kNow});
}

json response_of(const std::string& answer) { return json::parse(answer)["response"]; }

std::set<std::string> rules_of(const Outcome& outcome) {
    std::set<std::string> rules;
    if (!outcome.record) return rules;
    for (const audit::RecordedViolation& violation : outcome.record->violations) rules.insert(violation.rule);
    return rules;
}

}  // namespace

TEST_CASE("every recorded review gets the verdict that the demo's policies mean") {
    struct Row {
        const char* recording;
        bool allowed;
        std::set<std::string> rules = {};
        bool warned = false;
    };
    const std::vector<Row> rows{
        {"apiserver-updates-budget-status", true},
        {"apiserver-updates-quota-status", true},
        {"deployment-controller-scales-replicaset", true},
        {"flux-applies", true},
        {"flux-bad-deployment", false, {"limits", "non-root", "probes"}},
        {"flux-creates", true},
        {"flux-dry-run", true},
        {"flux-prunes", true},
        {"garbage-collector-deletes", true},
        {"hpa-scales", true},
        {"impersonated-flux", false, {"only-git"}},
        {"minted-flux-token", false, {"only-git"}},
        {"namespace-controller-deletes", true},
        {"node-deletes-pod", true},
        {"node-evicts-pod", true},
        {"node-mints-token", true},
        {"node-updates-pod-status", true},
        {"person-bad-pod", false, {"limits", "non-root", "only-git"}},
        {"person-deletes", false, {"only-git"}},
        {"person-deletes-collection", false, {"only-git"}},
        {"person-dry-run", true, {}, true},
        {"person-edits-image", false, {"only-git"}},
        {"person-edits-staging", true},
        {"person-execs", false, {"only-git"}},
        {"person-mints-token", false, {"escape", "only-git"}},
        {"person-scales", false, {"only-git"}},
        {"replicaset-creates-pod", true},
        {"replicaset-deletes-pod", true},
        {"scheduler-binds-pod", true},
        {"update-18k", true},
        {"x509-flux", false, {"only-git"}},
    };
    // Of what passes, these change nothing, or are nobody's business.
    const std::set<std::string> counted_only{"apiserver-updates-budget-status",
                                             "apiserver-updates-quota-status",
                                             "flux-dry-run",
                                             "node-mints-token",
                                             "node-updates-pod-status",
                                             "person-dry-run",
                                             "person-edits-staging"};
    const auto set = demo_policies();
    std::set<std::string> judged;
    for (const Row& row : rows) {
        INFO(row.recording);
        judged.insert(row.recording);
        const std::string body = recording(row.recording);
        REQUIRE_FALSE(body.empty());
        const Outcome outcome = judge(body, *set);
        const json response = response_of(outcome.answer);
        CHECK(outcome.readable);
        CHECK(outcome.http_status == 200);
        CHECK(outcome.error.empty());
        CHECK(outcome.allowed == row.allowed);
        CHECK(response["allowed"] == row.allowed);
        CHECK(response["uid"] == json::parse(body)["request"]["uid"]);
        CHECK(response.contains("warnings") == row.warned);
        CHECK(rules_of(outcome) == row.rules);
        const Promise if_allowed = counted_only.contains(row.recording) ? Promise::none : Promise::beside_the_answer;
        CHECK(outcome.promise == (row.allowed ? if_allowed : Promise::before_the_answer));
    }
    for (const auto& entry : std::filesystem::directory_iterator(source("cli/demo/recordings"))) {
        if (entry.path().extension() != ".json") continue;
        INFO(entry.path().stem());
        CHECK(judged.contains(entry.path().stem().string()));
    }
}

TEST_CASE("what is accepted as impersonated is recorded first, with the profile and the proof") {
    const std::string lock =
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  match: {namespaces: [production]}\n"
        "  rules: [{name: r, lock: {writers: [{name: aks-flux, serviceAccounts: [cluster-config/flux-applier]}]}}]\n";
    const auto set = policy::compile({{"p.yaml", lock}}, policy::CompileOptions{}).set;
    REQUIRE(set);
    json review = update_review();
    review["request"]["userInfo"] = {
        {"username", "system:serviceaccount:cluster-config:flux-applier"},
        {"groups", {"system:serviceaccounts", "system:serviceaccounts:cluster-config", "system:authenticated"}}};
    const Outcome outcome = judge(review.dump(), *set);
    CHECK(outcome.allowed);
    CHECK(outcome.promise == Promise::or_refuse);
    CHECK(outcome.write_class == policy::WriteClass::exceptional);
    REQUIRE(outcome.record.has_value());
    CHECK(outcome.record->writer == "aks-flux");
    CHECK(outcome.record->assurance == "impersonated");
    CHECK(outcome.record->decision == "allowed");
    CHECK(outcome.record->violations.empty());
    review["request"]["dryRun"] = true;
    CHECK(judge(review.dump(), *set).promise == Promise::none);
    review["request"]["dryRun"] = false;
    review["request"]["userInfo"]["username"] = "system:serviceaccount:cluster-config:default";
    CHECK_FALSE(judge(review.dump(), *set).allowed);
}

TEST_CASE("each class of write gets its promise, and the refusal that goes with it") {
    struct Row {
        const char* name;
        std::shared_ptr<const policy::PolicySet> set;
        std::string body;
        Promise promise;
        bool allowed;
        policy::WriteClass write_class;
    };
    using policy::WriteClass;
    json dry_run = update_review();
    dry_run["request"]["dryRun"] = true;
    json dry_bad_pod = json::parse(recording("flux-bad-deployment"));
    dry_bad_pod["request"]["dryRun"] = true;
    json dry_token = json::parse(recording("person-mints-token"));
    dry_token["request"]["dryRun"] = true;
    json dry_flux = json::parse(recording("flux-applies"));
    dry_flux["request"]["dryRun"] = true;
    json idle_flux = json::parse(recording("flux-applies"));
    idle_flux["request"]["object"] = idle_flux["request"]["oldObject"];
    json elsewhere = update_review();
    elsewhere["request"]["namespace"] = "staging";
    for (const char* object : {"object", "oldObject"}) elsewhere["request"][object]["metadata"]["namespace"] = "staging";
    const auto deny = demo_policies();
    const auto warn = policies_with_action("Warn");
    const auto audit_only = policies_with_action("Audit");
    const std::vector<Row> rows{
        {"a person is denied: recorded if possible", deny, update_review().dump(), Promise::before_the_answer, false,
         WriteClass::exceptional},
        {"a person is warned: recorded or refused", warn, update_review().dump(), Promise::or_refuse, true, WriteClass::exceptional},
        {"a person is audited: recorded or refused", audit_only, update_review().dump(), Promise::or_refuse, true, WriteClass::exceptional},
        {"Flux changes something: recorded, never held up", deny, recording("flux-applies"), Promise::beside_the_answer, true,
         WriteClass::routine},
        {"Flux tries what it would change: nothing to promise", deny, dry_flux.dump(), Promise::none, true, WriteClass::routine},
        {"Flux writes what is there: counted", deny, idle_flux.dump(), Promise::none, true, WriteClass::routine},
        {"Flux does what is only warned of: recorded, never held up", warn, recording("flux-bad-deployment"), Promise::beside_the_answer,
         true, WriteClass::routine},
        {"Flux is denied by a workload rule", deny, recording("flux-bad-deployment"), Promise::before_the_answer, false,
         WriteClass::routine},
        {"a dry run that a lock would refuse: passes, leaves nothing", deny, dry_run.dump(), Promise::none, true, WriteClass::exceptional},
        {"a dry run that a workload rule refuses: denied, leaves nothing", deny, dry_bad_pod.dump(), Promise::none, false,
         WriteClass::routine},
        {"a dry run that hands out a token: as real", deny, dry_token.dump(), Promise::before_the_answer, false, WriteClass::exceptional},
        {"another namespace: none of our business", deny, elsewhere.dump(), Promise::none, true, WriteClass::unguarded},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Outcome outcome = judge(row.body, *row.set);
        CHECK(outcome.promise == row.promise);
        CHECK(outcome.allowed == row.allowed);
        CHECK(outcome.write_class == row.write_class);
        CHECK(outcome.record.has_value() == (row.promise != Promise::none));
        CHECK(response_of(outcome.answer)["allowed"] == row.allowed);
        if (row.promise == Promise::before_the_answer || row.promise == Promise::or_refuse) {
            const json without = response_of(outcome.without_record);
            CHECK(without["allowed"] == false);
            CHECK(without["uid"] == json::parse(row.body)["request"]["uid"]);
            CHECK_FALSE(without["auditAnnotations"].contains("record-id"));
        }
    }
}

TEST_CASE("a record says who, what, why and where, and quotes no object") {
    json request = update_review();
    request["request"]["userInfo"]["extra"] = {{"authentication.kubernetes.io/credential-id", {"X509SHA256=ab"}},
                                               {"example.com/other", {"kept out"}}};
    request["request"]["object"]["metadata"]["annotations"] = {{"note", "changed"}};
    request["request"]["object"]["metadata"]["uid"] = "o-1";
    request["request"]["object"]["spec"]["template"]["spec"]["containers"] = json::array(
        {{{"name", "web"}, {"env", json::array({{{"name", "PASSWORD"}, {"value", "hunter2"}}})}, {"args", {"--token=hunter2"}}}});
    const auto set = demo_policies();
    const Outcome outcome = judge(request.dump(), *set);
    REQUIRE(outcome.record);
    const audit::Record& record = *outcome.record;
    CHECK(record.id == kUid);
    CHECK(record.time == kNow);
    CHECK(record.decision == "denied");
    CHECK(record.write_class == "exceptional");
    CHECK(record.operation == "UPDATE");
    CHECK(record.resource == "deployments");
    CHECK(record.kind == "Deployment");
    CHECK(record.namespace_name == "production");
    CHECK(record.name == "web");
    CHECK(record.object_uid == "o-1");
    CHECK(record.username == "alice@example.com");
    CHECK(record.groups == std::vector<std::string>{"devs"});
    CHECK(record.evidence == std::vector<std::pair<std::string, std::string>>{{"credential-id", "X509SHA256=ab"}});
    CHECK(record.policy_set == set->digest);
    CHECK(record.cluster == "test-cluster");
    CHECK(record.replica == "replica-0");
    CHECK(record.compliance == std::vector<std::string>{"PCI-DSS 4.0 6.5.1", "SOC 2 CC8.1"});
    const std::string everything =
        audit::encode(record, Limits{}.record_bytes_max).text(1) + outcome.answer + outcome.without_record + outcome.summary;
    CHECK(everything.find("hunter2") == std::string::npos);
    CHECK(outcome.summary.starts_with("UPDATE deployments.apps production/web by alice@example.com: "));
}

TEST_CASE("values of Secrets and ConfigMaps are neither in answers nor in records nor in the operator's log") {
    for (const char* kind : {"Secret", "ConfigMap"}) {
        for (const char* field : {"data", "stringData", "binaryData"}) {
            INFO(kind << " " << field);
            json request = update_review();
            request["request"]["kind"] = {{"group", ""}, {"version", "v1"}, {"kind", kind}};
            request["request"]["resource"] = {
                {"group", ""}, {"version", "v1"}, {"resource", std::string(kind) == "Secret" ? "secrets" : "configmaps"}};
            for (const char* object : {"object", "oldObject"}) {
                request["request"][object] = {
                    {"kind", kind}, {"metadata", {{"name", "web"}, {"namespace", "production"}}}, {field, {{"user", "old-hunter2"}}}};
            }
            request["request"]["object"][field]["user"] = "new-hunter2";
            request["request"]["object"][field]["added"] = "hunter2";
            request["request"]["object"]["metadata"]["annotations"] = {
                {"kubectl.kubernetes.io/last-applied-configuration", "{\"user\":\"hunter2\"}"}};
            const Outcome outcome = judge(request.dump(), *demo_policies());
            CHECK_FALSE(outcome.allowed);
            REQUIRE(outcome.record);
            const std::string everything = audit::encode(*outcome.record, Limits{}.record_bytes_max).text(1) + outcome.answer +
                                           outcome.without_record + outcome.summary;
            CHECK(everything.find("hunter2") == std::string::npos);
            CHECK(everything.find(field) != std::string::npos);
        }
    }
}

TEST_CASE("what cannot be read is never allowed, and answered to whom it came from if that is known") {
    json two_keys = update_review();
    const std::string twice = "{\"kind\":\"AdmissionReview\"," + two_keys.dump().substr(1);
    json without_user = update_review();
    without_user["request"].erase("userInfo");
    json bad_uid = update_review();
    bad_uid["request"]["uid"] = "a\"b";
    json long_uid = update_review();
    long_uid["request"]["uid"] = std::string(129, 'x');
    json other_version = update_review();
    other_version["apiVersion"] = "admission.k8s.io/v1beta1";
    json other_name = update_review();
    other_name["request"]["object"]["metadata"]["name"] = "another";
    struct Row {
        const char* name;
        std::string body;
        bool answered;  // with an AdmissionReview, because the uid is known
        const char* error;
    };
    const std::vector<Row> rows{
        {"nothing", "", false, "invalid_json"},
        {"no JSON", "hello", false, "invalid_json"},
        {"an array", "[]", false, "wrong_type"},
        {"no UTF-8", "{\"a\":\"\xff\"}", false, "invalid_utf8"},
        {"cut in half", update_review().dump().substr(0, 300), false, "invalid_json"},
        {"too deep", std::string(300, '[') + std::string(300, ']'), false, "too_deep"},
        {"no request", R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"})", false, "missing_field"},
        {"a uid that would break out of our answer", bad_uid.dump(), false, "wrong_type"},
        {"an endless uid", long_uid.dump(), false, "wrong_type"},
        {"a key twice", twice, true, "duplicate_key"},
        {"no user", without_user.dump(), true, "missing_field"},
        {"another version", other_version.dump(), true, "unsupported_version"},
        {"another name inside", other_name.dump(), true, "contradictory"},
    };
    const auto set = demo_policies();
    for (const Row& row : rows) {
        INFO(row.name);
        const Outcome outcome = judge(row.body, *set);
        CHECK_FALSE(outcome.readable);
        CHECK_FALSE(outcome.allowed);
        CHECK(outcome.error == row.error);
        CHECK_FALSE(outcome.summary.empty());
        CHECK(outcome.without_record == outcome.answer);
        if (row.answered) {
            CHECK(outcome.http_status == 200);
            CHECK(outcome.promise == Promise::before_the_answer);
            CHECK(response_of(outcome.answer)["uid"] == kUid);
            CHECK(response_of(outcome.answer)["allowed"] == false);
            CHECK(response_of(outcome.answer)["status"]["code"] == 400);
            REQUIRE(outcome.record);
            CHECK(outcome.record->id == kUid);
            CHECK(outcome.record->decision == "denied");
            CHECK_FALSE(outcome.record->error.empty());
        } else {
            CHECK(outcome.http_status == 400);
            CHECK(outcome.promise == Promise::none);
            CHECK_FALSE(outcome.record);
            CHECK(json::parse(outcome.answer)["code"] == row.error);
        }
    }
}

TEST_CASE("our own mistake is a typed denial, recorded, whatever was thrown") {
    struct Row {
        const char* name;
        Evaluate evaluate;
    };
    const std::vector<Row> rows{
        {"an exception",
         [](const kube::Review&, const policy::PolicySet&, const policy::Context&) -> policy::Verdict {
             throw std::runtime_error("a mistake");
         }},
        {"no memory",
         [](const kube::Review&, const policy::PolicySet&, const policy::Context&) -> policy::Verdict { throw std::bad_alloc(); }},
        {"something that is no exception",
         [](const kube::Review&, const policy::PolicySet&, const policy::Context&) -> policy::Verdict { throw 1; }},
        {"an error that claims to be allowed",
         [](const kube::Review&, const policy::PolicySet&, const policy::Context&) {
             policy::Verdict verdict = policy::Verdict::undecided({Errc::internal, "a mistake", ""});
             verdict.allowed = true;
             return verdict;
         }},
    };
    const auto set = demo_policies();
    for (const Row& row : rows) {
        INFO(row.name);
        const Outcome outcome = judge(recording("flux-applies"), *set, row.evaluate);
        CHECK_FALSE(outcome.allowed);
        CHECK(outcome.error == "internal");
        CHECK(outcome.http_status == 200);
        CHECK(outcome.promise == Promise::before_the_answer);
        REQUIRE(outcome.record);
        CHECK(outcome.record->decision == "denied");
        CHECK(outcome.record->error.find("internal") != std::string::npos);
        for (const std::string& answer : {outcome.answer, outcome.without_record}) {
            CHECK(response_of(answer)["allowed"] == false);
            CHECK(response_of(answer)["auditAnnotations"]["error"] == "internal");
        }
        CHECK(outcome.summary.find("UPDATE deployments.apps") == 0);
    }
}

TEST_CASE("one reviewer judges one review after the other, whatever came before") {
    const auto set = demo_policies();
    Reviewer reviewer(Limits{}, {});
    for (const char* name : {"person-edits-image", "flux-applies", "update-18k", "person-execs"}) {
        INFO(name);
        const std::string body = kube::with_slack(recording(name));
        const Outcome first = reviewer.judge(body, *set, {.now = kNow});
        CHECK(reviewer.judge(kube::with_slack("{"), *set, {.now = kNow}).http_status == 400);
        CHECK(reviewer.judge(body, *set, {.now = kNow}).answer == first.answer);
    }
}

TEST_CASE("/mutate answers with the patch of the defaults, in Base64, and never denies what it can read") {
    const auto set = compile(
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: d}\nspec:\n  rules: [{name: r, defaults: "
        "{automountServiceAccountToken: false}}]\n");
    Reviewer reviewer(Limits{}, {});
    json review = update_review();
    review["request"]["kind"] = {{"group", ""}, {"version", "v1"}, {"kind", "Pod"}};
    review["request"]["resource"] = {{"group", ""}, {"version", "v1"}, {"resource", "pods"}};
    review["request"]["operation"] = "CREATE";
    review["request"]["object"] = {{"kind", "Pod"}, {"metadata", {{"name", "web"}}}, {"spec", {{"containers", json::array()}}}};
    review["request"]["oldObject"] = nullptr;
    const auto mutate = [&](const json& body) { return reviewer.mutate(kube::with_slack(body.dump()), *set, {.now = kNow}); };

    const Outcome filled = mutate(review);
    CHECK(filled.allowed);
    CHECK(filled.patched);
    CHECK(filled.promise == Promise::none);
    const json response = json::parse(filled.answer)["response"];
    CHECK(response["uid"] == kUid);
    CHECK(response["allowed"] == true);
    CHECK(response["patchType"] == "JSONPatch");
    // [{"op":"add","path":"/spec/automountServiceAccountToken","value":false}]
    CHECK(response["patch"] == "W3sib3AiOiJhZGQiLCJwYXRoIjoiL3NwZWMvYXV0b21vdW50U2VydmljZUFjY291bnRUb2tlbiIsInZhbHVlIjpmYWxzZX1d");

    review["request"]["object"]["spec"]["automountServiceAccountToken"] = true;
    const Outcome unchanged = mutate(review);
    CHECK(unchanged.allowed);
    CHECK_FALSE(unchanged.patched);
    CHECK_FALSE(json::parse(unchanged.answer)["response"].contains("patch"));

    review["request"].erase("operation");
    const Outcome unreadable = mutate(review);
    CHECK_FALSE(unreadable.allowed);
    CHECK(json::parse(unreadable.answer)["response"]["status"]["code"] == 400);
    CHECK(unreadable.promise == Promise::before_the_answer);
    CHECK(reviewer.mutate(kube::with_slack("{"), *set, {.now = kNow}).http_status == 400);
}

TEST_CASE("a writer's write that passes by an exception is recorded with its name, and not held up") {
    const auto set = compile(
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  rules:\n"
        "  - {name: only-git, lock: {writers: [flux]}}\n  - {name: probes, probes: {all: [startupProbe]}}\n---\n"
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardException\nmetadata: {name: legacy}\nspec:\n"
        "  policies: [{name: p, rules: [probes]}]\n  match: {namespaces: [production]}\n  reason: r\n  ticket: t\n"
        "  expiresAt: 1970-02-01T00:00:00Z\n");
    json review = json::parse(recording("flux-applies"));
    review["request"]["operation"] = "CREATE";
    review["request"]["oldObject"] = nullptr;
    Reviewer reviewer(Limits{}, {});
    const Outcome excused = reviewer.judge(kube::with_slack(review.dump()), *set, {.now = WallTime{}});
    CHECK(excused.allowed);
    CHECK(excused.promise == Promise::beside_the_answer);
    REQUIRE(excused.record.has_value());
    CHECK(excused.record->exceptions == std::vector<std::string>{"legacy"});
    CHECK(excused.record->write_class == "routine");
    const Outcome expired = reviewer.judge(kube::with_slack(review.dump()), *set, {.now = kNow});
    CHECK_FALSE(expired.allowed);
}

TEST_CASE("the command of an exec is recorded, refused or allowed, as one would type it") {
    struct Row {
        const char* name;
        json command;
        std::string recorded;
    };
    const std::string script(3'000, 'x');
    const Row rows[] = {
        {"words", {"ls", "-l", "/tmp"}, "ls -l /tmp"},
        {"words with spaces", {"sh", "-c", "cat /etc/passwd"}, R"(sh -c "cat /etc/passwd")"},
        {"quotes and lines", {"echo", "a\"b", "c\nd", ""}, R"(echo "a\"b" "c\u000ad" "")"},
        {"a script", {"sh", script}, "sh " + script.substr(0, 1'021) + "..."},
        {"many words", json(std::vector<std::string>(5'000, "x")), ""},
        {"no command", nullptr, ""},
        {"what is no list", "ls", ""},
    };
    const auto locked = compile(
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  rules:\n"
        "  - {name: r, lock: {writers: [flux], allowances: [{subjects: [{kind: Group, name: sre}], actions: [exec]}]}}\n");
    for (const Row& row : rows) {
        INFO(row.name);
        for (const bool allowed : {false, true}) {
            json review = json::parse(recording("person-execs"));
            review["request"]["object"]["command"] = row.command;
            if (allowed) review["request"]["userInfo"]["groups"] = {"sre"};
            const Outcome outcome = judge(review.dump(), *locked);
            CHECK(outcome.allowed == allowed);
            CHECK(outcome.promise == (allowed ? Promise::or_refuse : Promise::before_the_answer));
            REQUIRE(outcome.record);
            CHECK(outcome.record->allowance == (allowed ? "exec" : ""));
            CHECK(outcome.record->command.size() <= 1'024 + 3);
            if (row.name != std::string("many words")) CHECK(outcome.record->command == row.recorded);
            if (!row.recorded.empty())
                CHECK(json::parse(audit::encode(*outcome.record, Limits{}.record_bytes_max).text(1))["data"]["request"]["command"] ==
                      row.recorded);
        }
    }
}

TEST_CASE("a dry run says in 120 characters what would be denied, and day-2 work that is allowed says nothing") {
    const Outcome dry = judge(recording("person-dry-run"), *demo_policies());
    const json response = response_of(dry.answer);
    REQUIRE(response["warnings"].size() >= 1);
    const std::string first = response["warnings"][0];
    INFO(first);
    CHECK(first.starts_with("Fluxgate would deny: production/only-git"));
    CHECK(first.size() <= 120);
    CHECK_FALSE(dry.record);
}

TEST_CASE("what is learned is recorded before it is allowed, with a warning") {
    const auto learns = compile(
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  rules:\n"
        "  - {name: r, lock: {writers: [flux], learnUntil: 2100-01-01T00:00:00Z}}\n");
    const Outcome outcome = judge(recording("hpa-scales"), *learns);
    CHECK(outcome.allowed);
    CHECK(outcome.learned);
    CHECK(outcome.promise == Promise::or_refuse);
    REQUIRE(outcome.record);
    CHECK(json::parse(audit::encode(*outcome.record, Limits{}.record_bytes_max).text(1))["data"]["learned"] == true);
    CHECK(response_of(outcome.answer)["warnings"].size() == 1);
    CHECK_FALSE(judge(recording("hpa-scales"), *demo_policies()).learned);
    // Learning opens no escape: this one changes what Flux's entry in managedFields declares.
    const auto strangers = compile(
        "apiVersion: fluxgate.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n  rules:\n"
        "  - {name: r, lock: {writers: [aks], learnUntil: 2100-01-01T00:00:00Z}}\n");
    CHECK_FALSE(judge(recording("flux-applies"), *strangers).allowed);
}
