#include "policy/lock/learning.hpp"

#include <string>

#include "policy/evaluate.hpp"
#include "policy/intervals.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Read;
using sample::Request;

namespace {

const std::string kLearns = sample::rule("lock: {writers: [flux], learnUntil: 2026-12-08T00:00:00Z}");
const WallTime kBefore = *parse_rfc3339("2026-12-07T23:59:59.999999Z");
const WallTime kEnd = *parse_rfc3339("2026-12-08T00:00:00Z");

Verdict judge(const Request& request, WallTime now = kBefore, const std::vector<std::string>& policies = {kLearns}) {
    Context context;
    context.now = now;
    return evaluate(*Read(request), *sample::compiled(policies), context);
}

Request by(const std::string& user) {
    Request request;
    request.user = user;
    return request;
}

}  // namespace

TEST_CASE("while a lock learns, service accounts and system users pass with a warning, and people do not") {
    struct Row {
        const char* name;
        std::string user;
        bool learned;
    };
    const auto without_certificate = [](const std::string& name) {
        return R"({"username":")" + name + R"(","groups":["system:authenticated"]})";
    };
    const Row rows[] = {
        {"an account in its Pod", sample::pod_bound("ci", "deployer"), true},
        {"an account with a token", sample::token("ci", "deployer"), true},
        {"an account by --as, which a person may be", sample::impersonated("ci", "deployer"), false},
        {"an account by certificate",
         R"({"username":"system:serviceaccount:ci:deployer","groups":["system:serviceaccounts","system:serviceaccounts:ci"],)"
         R"("extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=1"]}})",
         false},
        {"an account without its groups", R"({"username":"system:serviceaccount:ci:deployer","uid":"u","groups":[]})", false},
        {"a node", sample::certificate("system:node:aks-1", "system:nodes"), true},
        {"a component of the platform", sample::certificate("system:cloud-controller-manager"), true},
        {"a component by --as", without_certificate("system:cloud-controller-manager"), false},
        {"the nameless", without_certificate("system:anonymous"), false},
        {"an administrator by certificate", sample::certificate("system:admin", "system:masters"), false},
        {"an administrator of another group", sample::certificate("system:admin"), false},
        {"another name in system:masters", sample::certificate("system:kube-anything", "system:masters"), false},
        {"kubernetes-admin", sample::certificate("kubernetes-admin", "system:masters"), false},
        {"a person", sample::kAlice, false},
        {"a name that only begins alike", sample::certificate("systemd"), false},
        {"nobody", "{}", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Verdict verdict = judge(by(row.user));
        CHECK(verdict.allowed == row.learned);
        CHECK(verdict.learned == row.learned);
        CHECK(verdict.violations.empty() == row.learned);
        CHECK(verdict.write_class == WriteClass::exceptional);  // recorded before it is allowed
        REQUIRE(verdict.warnings.size() == (row.learned ? 1 : 0));
        if (row.learned) CHECK(verdict.warnings[0].ends_with(" is in no writer profile: refused from 2026-12-08T00:00:00.000000Z on"));
    }
}

TEST_CASE("learning ends with its time, and a writer is not learned") {
    CHECK(judge(by(sample::pod_bound("ci", "deployer")), kBefore).allowed);
    CHECK_FALSE(judge(by(sample::pod_bound("ci", "deployer")), kEnd).allowed);

    const Verdict flux = judge(by(sample::kFlux));
    CHECK(flux.allowed);
    CHECK_FALSE(flux.learned);
    CHECK(flux.write_class == WriteClass::routine);

    // Where nothing is refused, nothing is learned.
    const Verdict audited =
        judge(by(sample::pod_bound("ci", "deployer")), kBefore,
              {sample::policy(
                  "  validationActions: [Audit]\n  rules: [{name: r, lock: {writers: [flux], learnUntil: 2026-12-08T00:00:00Z}}]\n")});
    CHECK(audited.allowed);
    CHECK_FALSE(audited.learned);
    CHECK(audited.violations.size() == 1);
}

TEST_CASE("what another rule refuses is refused while a lock learns, and is not learned") {
    const std::string policies[] = {
        sample::rule("lock: {writers: [flux]}", "q"),
        sample::rule("serviceAccount: {denyDefault: true, automount: false}", "q"),
    };
    for (const std::string& other : policies) {
        INFO(other);
        Request request = by(sample::pod_bound("ci", "deployer"));
        request.object = R"({"metadata":{"name":"web","namespace":"production"},"spec":{"containers":[{"name":"web"}]}})";
        const Verdict verdict = judge(request, kBefore, {kLearns, other});
        CHECK_FALSE(verdict.allowed);
        CHECK_FALSE(verdict.learned);
    }
}

TEST_CASE("a dry run is judged as what would be learned, and teaches nothing") {
    struct Row {
        const char* operation;
        const char* resource;
        const char* sub_resource;
        bool real;  // a dry run of it does the real thing
    };
    const Row rows[] = {
        {"CREATE", "pods", "", false},
        {"DELETE", "pods", "", false},
        {"UPDATE", "deployments", "scale", false},
        {"CREATE", "serviceaccounts", "token", true},
        {"CREATE", "pods", "eviction", true},
        {"CREATE", "pods", "binding", true},
        {"CONNECT", "pods", "exec", true},
        {"UPDATE", "widgets", "anything", true},
    };
    for (const Row& row : rows) {
        INFO(row.operation << " " << row.resource << "/" << row.sub_resource);
        Request request = by(sample::pod_bound("ci", "deployer"));
        request.resource = row.resource;
        request.sub_resource = row.sub_resource;
        request.dry_run = true;
        request = sample::with_operation(request, row.operation);
        const Verdict verdict = judge(request);
        CHECK(verdict.allowed);
        CHECK(verdict.effective == row.real);
        CHECK(verdict.learned == row.real);
        REQUIRE(verdict.warnings.size() == 1);
        CHECK(verdict.warnings[0].find("would deny") == std::string::npos);

        request.user = sample::kAlice;
        const Verdict person = judge(request);
        CHECK(person.allowed != row.real);
        CHECK(person.effective == row.real);
        if (!row.real) CHECK(person.warnings.at(0).starts_with("Fluxgate would deny: p/r"));
    }
}

TEST_CASE("when locks begin and end to learn is told once, each with its own time") {
    const auto until = [](const char* time, const char* name = "p") {
        return sample::rule(std::string("lock: {writers: [flux], learnUntil: ") + time + "}", name);
    };
    const std::string plain = sample::rule("lock: {writers: [flux]}");
    const std::string eighth = "p/r until 2026-12-08T00:00:00.000000Z";
    const std::string ninth = "p/r until 2026-12-09T00:00:00.000000Z";
    struct Row {
        const char* name;
        std::vector<std::string> before;
        WallTime before_at;
        std::vector<std::string> now;
        WallTime now_at;
        std::vector<std::string> begun;
        std::vector<std::string> ended;
    };
    const WallTime start{};
    const Row rows[] = {
        {"nothing learns", {plain}, start, {plain}, kEnd, {}, {}},
        {"a set that learns comes into force", {plain}, start, {until("2026-12-08T00:00:00Z")}, start, {eighth}, {}},
        {"it goes on", {until("2026-12-08T00:00:00Z")}, start, {until("2026-12-08T00:00:00Z")}, kBefore, {}, {}},
        {"its time passes", {until("2026-12-08T00:00:00Z")}, kBefore, {until("2026-12-08T00:00:00Z")}, kEnd, {}, {eighth}},
        {"a set without it comes into force", {until("2026-12-08T00:00:00Z")}, start, {plain}, start, {}, {eighth}},
        {"it is put off", {until("2026-12-08T00:00:00Z")}, start, {until("2026-12-09T00:00:00Z")}, start, {ninth}, {eighth}},
        {"a set whose time has passed", {plain}, kEnd, {until("2026-12-08T00:00:00Z")}, kEnd, {}, {}},
        {"two of three",
         {until("2026-12-08T00:00:00Z")},
         start,
         {until("2026-12-08T00:00:00Z"), until("2026-12-09T00:00:00Z", "q"), sample::rule("lock: {writers: [flux]}", "s"),
          sample::rule("probes: {all: [readinessProbe]}", "t")},
         start,
         {"q/r until 2026-12-09T00:00:00.000000Z"},
         {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const IntervalChange change = compare_intervals(learning_at(*sample::compiled(row.before), row.before_at),
                                                        learning_at(*sample::compiled(row.now), row.now_at));
        CHECK(change.begun == row.begun);
        CHECK(change.ended == row.ended);
    }
}

TEST_CASE("learnUntil is a time with a zone") {
    for (const char* text : {"tomorrow", "2026-12-08", "2026-12-08T00:00:00", "7d"}) {
        INFO(text);
        CHECK(sample::problems_of_rule("lock", "{writers: [flux], learnUntil: " + std::string(text) + "}").find("learnUntil") !=
              std::string::npos);
    }
}
