#include "kube/admission_review.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

// A good review, in which a test replaces one part by another.
const std::string kGood =
    R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"b855796f-90eb",)"
    R"("kind":{"group":"apps","version":"v1","kind":"Deployment"},"resource":{"group":"apps","version":"v1","resource":"deployments"},)"
    R"("name":"web","namespace":"production","operation":"UPDATE",)"
    R"("userInfo":{"username":"alice","uid":"u","groups":["devs"],"extra":{"k":["v","w"]}},)"
    R"("object":{"kind":"Deployment","metadata":{"name":"web","namespace":"production"}},)"
    R"("oldObject":{"kind":"Deployment","metadata":{"name":"web","namespace":"production"}},)"
    R"("dryRun":false,"options":{"fieldManager":"kubectl"}}})";

std::string with(std::string_view part, std::string_view other) {
    std::string text = kGood;
    const std::size_t at = text.find(part);
    REQUIRE(at != std::string::npos);
    return text.replace(at, part.size(), other);
}

// "wrong_type /request/name b855796f-90eb": code, where, and whom we could answer.
std::string problem(const std::string& text) {
    ReviewReader reader{Limits{}};
    const std::string body = with_slack(text);
    const auto review = reader.read(body);
    if (review) return "";
    std::string said(to_string(review.error().error.code));
    for (const std::string& more : {review.error().error.where, review.error().uid}) {
        if (!more.empty()) said += " " + more;
    }
    CHECK_FALSE(review.error().error.message.empty());
    return said;
}

const std::string kUid = " b855796f-90eb";

}  // namespace

TEST_CASE("a body that is no review is refused by name and place, and answered if its uid can be read") {
    const std::string object = R"("object":{"kind":"Deployment","metadata":{"name":"web","namespace":"production"}})";
    const std::string old_object = R"("oldObject":{"kind":"Deployment","metadata":{"name":"web","namespace":"production"}})";
    std::string deep;
    for (int i = 0; i < 300; ++i) deep += "[";
    for (int i = 0; i < 300; ++i) deep += "]";
    std::string many = "[0";
    for (int i = 0; i < 1'000'000; ++i) many += ",0";
    many += "]";
    struct Row {
        std::string name;
        std::string text;
        std::string problem;
    };
    const Row rows[] = {
        {"a good one", kGood, ""},
        {"nothing", "", "invalid_json"},
        {"not JSON", "<html>", "invalid_json"},
        {"cut off", kGood.substr(0, kGood.size() - 1), "invalid_json"},
        {"a list", "[]", "wrong_type"},
        {"a text", "\"AdmissionReview\"", "wrong_type"},
        {"null", "null", "wrong_type"},
        {"not UTF-8",
         with("alice",
              "al\xff"
              "ce"),
         "invalid_utf8"},
        {"something behind it", kGood + "{}", "trailing_data"},
        {"300 levels deep", with(R"({"kind":"Deployment","metadata")", R"({"x":)" + deep + R"(,"kind":"Deployment","metadata")"),
         "too_deep"},
        {"too many values", with(R"({"kind":"Deployment","metadata")", R"({"x":)" + many + R"(,"kind":"Deployment","metadata")"),
         "too_many_nodes" + kUid},
        {"a key twice", with(R"("dryRun":false)", R"("dryRun":false,"dryRun":true)"), "duplicate_key /request/dryRun" + kUid},
        {"a key twice, once escaped", with(R"("dryRun":false)", R"("dryRun":false,"\u0064ryRun":true)"),
         "duplicate_key /request/dryRun" + kUid},
        {"a key twice in the object", with(R"({"kind":"Deployment","metadata")", R"({"a/b":0,"a/b":1,"kind":"Deployment","metadata")"),
         "duplicate_key /request/object/a~1b" + kUid},
        {"the request twice", with(R"("apiVersion":)", R"("request":{"uid":"other"},"apiVersion":)"), "duplicate_key /request other"},
        {"another version", with("admission.k8s.io/v1", "admission.k8s.io/v1beta1"), "unsupported_version /apiVersion" + kUid},
        {"another kind", with(R"("AdmissionReview")", R"("AdmissionResponse")"), "unsupported_version /apiVersion" + kUid},
        {"no version", with(R"("apiVersion":"admission.k8s.io/v1",)", ""), "missing_field /apiVersion" + kUid},
        {"a version that is a number", with(R"("admission.k8s.io/v1")", "1"), "wrong_type /apiVersion" + kUid},
        {"no kind", with(R"("kind":"AdmissionReview",)", ""), "missing_field /kind" + kUid},
        {"no request", R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u"}})", "missing_field /request"},
        {"a request that is null", R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null})",
         "missing_field /request"},
        {"a request that is a list", R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":[]})",
         "wrong_type /request"},
        {"no uid", with(R"("uid":"b855796f-90eb",)", ""), "missing_field /request/uid"},
        {"an empty uid", with("b855796f-90eb", ""), "wrong_type /request/uid"},
        {"a uid with a quote", with("b855796f-90eb", R"(a\"b)"), "wrong_type /request/uid"},
        {"a uid with a line end", with("b855796f-90eb", R"(a\nb)"), "wrong_type /request/uid"},
        {"a long uid", with("b855796f-90eb", std::string(129, 'a')), "wrong_type /request/uid"},
        {"a uid that is a number", with(R"("b855796f-90eb")", "7"), "wrong_type /request/uid"},
        {"no kind of the object", with(R"("kind":{"group":"apps","version":"v1","kind":"Deployment"},)", ""),
         "missing_field /request/kind" + kUid},
        {"an empty kind", with(R"("version":"v1","kind":"Deployment")", R"("version":"v1","kind":"")"),
         "missing_field /request/kind/kind" + kUid},
        {"a kind without version", with(R"("version":"v1","kind":"Deployment")", R"("kind":"Deployment")"),
         "missing_field /request/kind/version" + kUid},
        {"no resource", with(R"("resource":{"group":"apps","version":"v1","resource":"deployments"},)", ""),
         "missing_field /request/resource" + kUid},
        {"a resource that is a text", with(R"({"group":"apps","version":"v1","resource":"deployments"})", R"("deployments")"),
         "wrong_type /request/resource" + kUid},
        {"an empty resource", with(R"("resource":"deployments")", R"("resource":"")"), "missing_field /request/resource/resource" + kUid},
        {"a group that is a number", with(R"("resource":{"group":"apps")", R"("resource":{"group":1)"),
         "wrong_type /request/resource/group" + kUid},
        {"no operation", with(R"("operation":"UPDATE",)", ""), "missing_field /request/operation" + kUid},
        {"another operation", with("UPDATE", "PATCH"), "wrong_type /request/operation" + kUid},
        {"an operation in small letters", with("UPDATE", "update"), "wrong_type /request/operation" + kUid},
        {"a name that is a number",
         with(R"("name":"web","namespace":"production","operation")", R"("name":1,"namespace":"production","operation")"),
         "wrong_type /request/name" + kUid},
        {"a namespace that is a list", with(R"("namespace":"production","operation")", R"("namespace":[],"operation")"),
         "wrong_type /request/namespace" + kUid},
        {"a subresource that is an object", with(R"("operation")", R"("subResource":{},"operation")"),
         "wrong_type /request/subResource" + kUid},
        {"a dry run that is a text", with(R"("dryRun":false)", R"("dryRun":"false")"), "wrong_type /request/dryRun" + kUid},
        {"no user", with(R"("userInfo":{"username":"alice","uid":"u","groups":["devs"],"extra":{"k":["v","w"]}},)", ""),
         "missing_field /request/userInfo" + kUid},
        {"a user that is a text", with(R"({"username":"alice","uid":"u","groups":["devs"],"extra":{"k":["v","w"]}})", R"("alice")"),
         "wrong_type /request/userInfo" + kUid},
        {"a username that is a number", with(R"("alice")", "1"), "wrong_type /request/userInfo/username" + kUid},
        {"groups that are a text", with(R"(["devs"])", R"("devs")"), "wrong_type /request/userInfo/groups" + kUid},
        {"a group that is a number", with(R"(["devs"])", R"(["devs",1])"), "wrong_type /request/userInfo/groups" + kUid},
        {"extra that is a list", with(R"({"k":["v","w"]})", "[]"), "wrong_type /request/userInfo/extra" + kUid},
        {"options that are a list", with(R"({"fieldManager":"kubectl"})", "[]"), "wrong_type /request/options" + kUid},
        {"a field manager that is a number", with(R"("kubectl")", "1"), "wrong_type /request/options/fieldManager" + kUid},
        {"UPDATE without object", with(object, R"("object":null)"), "contradictory /request/object" + kUid},
        {"UPDATE without old object", with(old_object, R"("oldObject":null)"), "contradictory /request/oldObject" + kUid},
        {"CREATE with an old object", with("UPDATE", "CREATE"), "contradictory /request/oldObject" + kUid},
        {"DELETE with an object", with("UPDATE", "DELETE"), "contradictory /request/object" + kUid},
        {"CONNECT with an old object", with("UPDATE", "CONNECT"), "contradictory /request/oldObject" + kUid},
        {"an object that is a list", with(object, R"("object":[])"), "wrong_type /request/object" + kUid},
        {"an old object that is a text", with(old_object, R"("oldObject":"x")"), "wrong_type /request/oldObject" + kUid},
        {"metadata that are a list",
         with(R"("object":{"kind":"Deployment","metadata":{"name":"web","namespace":"production"}})",
              R"("object":{"kind":"Deployment","metadata":[]})"),
         "wrong_type /request/object" + kUid},
        {"an object of another name", with(object, R"("object":{"metadata":{"name":"api"}})"), "contradictory /request/object" + kUid},
        {"an old object of another name", with(old_object, R"("oldObject":{"metadata":{"name":"api"}})"),
         "contradictory /request/oldObject" + kUid},
        {"an object of another namespace", with(object, R"("object":{"metadata":{"namespace":"staging"}})"),
         "contradictory /request/object" + kUid},
        {"an old object of another namespace", with(old_object, R"("oldObject":{"metadata":{"namespace":"staging"}})"),
         "contradictory /request/oldObject" + kUid},
        {"an object of another kind", with(object, R"("object":{"kind":"Pod"})"), "contradictory /request/object" + kUid},
        {"an object without a name", with(object, R"("object":{"metadata":{"generateName":"web-"}})"), ""},
        {"an object without metadata", with(object, R"("object":{})"), ""},
        {"a field nobody knows yet", with(R"("dryRun":false)", R"("dryRun":false,"requestIndex":[1])"), ""},
        {"no optional field at all", with(R"("username":"alice","uid":"u","groups":["devs"],"extra":{"k":["v","w"]})", ""), ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(problem(row.text) == row.problem);
    }
}

TEST_CASE("a subresource may be of another name and kind than the object it belongs to") {
    std::string text = with(R"("operation":"UPDATE")", R"("operation":"CREATE","subResource":"eviction")");
    text.replace(text.find(R"("kind":{"group":"apps","version":"v1","kind":"Deployment"})"),
                 std::string(R"("kind":{"group":"apps","version":"v1","kind":"Deployment"})").size(),
                 R"("kind":{"group":"policy","version":"v1","kind":"Eviction"})");
    const std::string old_object = R"("oldObject":{"kind":"Deployment","metadata":{"name":"web","namespace":"production"}})";
    text.replace(text.find(old_object), old_object.size(), R"("oldObject":null)");
    const std::string object = R"({"kind":"Deployment","metadata":{"name":"web","namespace":"production"}})";
    text.replace(text.find(object), object.size(), R"({"kind":"Eviction","metadata":{"name":"other","namespace":"production"}})");
    CHECK(problem(text) == "");
}

TEST_CASE("a review gives what the request says") {
    ReviewReader reader{Limits{}};
    const std::string body = with_slack(kGood);
    const auto review = reader.read(body);
    REQUIRE(review.has_value());
    CHECK(review->uid == "b855796f-90eb");
    CHECK(review->kind.kind == "Deployment");
    CHECK(review->resource.group == "apps");
    CHECK(review->resource_name() == "deployments.apps");
    CHECK(review->object_name() == "web");
    CHECK(review->namespace_name == "production");
    CHECK(review->operation == Operation::update);
    CHECK_FALSE(review->dry_run);
    CHECK(review->field_manager == "kubectl");
    CHECK(review->user.username == "alice");
    CHECK(review->user.in_group("devs"));
    CHECK_FALSE(review->user.in_group("dev"));
    CHECK(review->user.extra_value("k") == "v");
    CHECK(review->user.extra_value("x").empty());
    CHECK(to_string(Operation::remove) == "DELETE");
}

TEST_CASE("the name of an object is found where the operation leaves it") {
    struct Row {
        std::string_view name;
        std::string_view request_name;
        std::string_view object;
        std::string_view old_object;
        std::string_view operation;
        std::string_view found;
    };
    const Row rows[] = {
        {"the request names it", "web", "{}", "null", "CREATE", "web"},
        {"the object names it", "", R"({"metadata":{"name":"web"}})", "null", "CREATE", "web"},
        {"it will be generated", "", R"({"metadata":{"generateName":"web-"}})", "null", "CREATE", "web-*"},
        {"a collection is deleted", "", "null", R"({"metadata":{"name":"web"}})", "DELETE", "web"},
        {"nobody names it", "", "{}", "null", "CREATE", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string body = with_slack(
            R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"version":"v1","kind":"X"},"resource":{"version":"v1","resource":"x"},)"
            R"("name":")" +
            std::string(row.request_name) + R"(","operation":")" + std::string(row.operation) + R"(","userInfo":{},"object":)" +
            std::string(row.object) + R"(,"oldObject":)" + std::string(row.old_object) + "}}");
        ReviewReader reader{Limits{}};
        const auto review = reader.read(body);
        REQUIRE(review.has_value());
        CHECK(review->object_name() == row.found);
    }
}

TEST_CASE("every recorded review is read") {
    std::size_t count = 0;
    ReviewReader reader{Limits{}};
    for (const auto& entry : std::filesystem::directory_iterator(std::string(FLUXGATE_SOURCE_DIR) + "/cli/demo/recordings")) {
        if (entry.path().extension() != ".json") continue;
        INFO(entry.path().filename().string());
        std::ifstream stream(entry.path(), std::ios::binary);
        const std::string body = with_slack(std::string(std::istreambuf_iterator<char>(stream), {}));
        const auto review = reader.read(body);
        if (!review) FAIL(to_string(review.error().error));
        CHECK_FALSE(review->user.username.empty());
        CHECK_FALSE(review->object_name().empty());
        ++count;
    }
    CHECK(count >= 27);
}
