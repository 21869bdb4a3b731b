#include "webhook/effective_change.hpp"

#include <functional>

#include "tests/support/catch.hpp"
#include "tests/unit/webhook/support.hpp"

using namespace fluxgate;
using namespace fluxgate::webhook;
using namespace fluxgate::webhook::testing;

namespace {

json review_with_managers() {
    json review = update_review();
    const json entry{{"manager", "kustomize-controller"},
                     {"operation", "Apply"},
                     {"time", "2026-12-05T02:10:00Z"},
                     {"fieldsV1", {{"f:spec", {{"f:replicas", json::object()}}}}}};
    json other = entry;
    other["manager"] = "kube-controller-manager";
    for (const char* object : {"object", "oldObject"}) {
        json& metadata = review["request"][object]["metadata"];
        metadata["managedFields"] = {entry, other};
        metadata["resourceVersion"] = "1";
        metadata["generation"] = 1;
        metadata["labels"] = {{"app", "web"}};
        review["request"][object]["status"] = {{"replicas", 2}};
    }
    return review;
}

}  // namespace

TEST_CASE("an update is worth a record if something else changes than status and upkeep") {
    struct Row {
        const char* name;
        std::function<void(json& object, json& request)> edit;
        bool changes;
    };
    const std::vector<Row> rows{
        {"nothing", [](json&, json&) {}, false},
        {"the resource version", [](json& object, json&) { object["metadata"]["resourceVersion"] = "2"; }, false},
        {"the generation", [](json& object, json&) { object["metadata"]["generation"] = 2; }, false},
        {"the time of a manager", [](json& object, json&) { object["metadata"]["managedFields"][0]["time"] = "2026-12-05T03:00:00Z"; },
         false},
        {"times, by which the managers are sorted",
         [](json& object, json&) {
             json& managers = object["metadata"]["managedFields"];
             std::swap(managers[0], managers[1]);
             managers[1]["time"] = "2026-12-05T03:00:00Z";
         },
         false},
        {"the status", [](json& object, json&) { object["status"]["replicas"] = 1; }, false},
        {"a status that comes", [](json& object, json& request) { request["oldObject"].erase("status"), object["status"]["x"] = 1; },
         false},
        {"the order of members only",
         [](json& object, json&) {
             object["metadata"].erase("labels");
             object["metadata"]["labels"] = {{"app", "web"}};
         },
         false},
        {"a field", [](json& object, json&) { object["spec"]["replicas"] = 3; }, true},
        {"a field that goes", [](json& object, json&) { object["spec"].erase("replicas"); }, true},
        {"a member that comes",
         [](json& object, json&) {
             object["data"] = {{"a", "b"}};
         },
         true},
        {"a member that goes",
         [](json&, json& request) {
             request["oldObject"]["data"] = {{"a", "b"}};
         },
         true},
        {"a label", [](json& object, json&) { object["metadata"]["labels"]["app"] = "shop"; }, true},
        {"an annotation",
         [](json& object, json&) {
             object["metadata"]["annotations"] = {{"a", "b"}};
         },
         true},
        {"who manages a field", [](json& object, json&) { object["metadata"]["managedFields"][0]["manager"] = "helm-controller"; }, true},
        {"which fields somebody manages",
         [](json& object, json&) { object["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:paused"] = json::object(); }, true},
        {"a manager that goes", [](json& object, json&) { object["metadata"]["managedFields"].erase(0); }, true},
        {"all managers", [](json& object, json&) { object["metadata"].erase("managedFields"); }, true},
        {"a field, at the status", [](json& object, json& request) { object["spec"]["replicas"] = 3, request["subResource"] = "status"; },
         false},
        {"a field, of an Endpoints",
         [](json& object, json& request) {
             object["spec"]["replicas"] = 3;
             request["resource"] = {{"group", ""}, {"version", "v1"}, {"resource", "endpoints"}};
         },
         false},
        {"a field, of something that is called endpoints elsewhere",
         [](json& object, json& request) {
             object["spec"]["replicas"] = 3;
             request["resource"] = {{"group", "example.com"}, {"version", "v1"}, {"resource", "endpoints"}};
         },
         true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        json review = review_with_managers();
        row.edit(review["request"]["object"], review["request"]);
        CHECK(changes_something(*ReadReview(review)) == row.changes);
    }
}

TEST_CASE("what comes, goes or is called is worth a record, but for tokens") {
    struct Row {
        const char* name;
        const char* operation;
        const char* sub_resource;
        bool changes;
    };
    const std::vector<Row> rows{
        {"an object that comes", "CREATE", "", true},
        {"an object that goes", "DELETE", "", true},
        {"a pod that is bound", "CREATE", "binding", true},
        {"a pod that is evicted", "CREATE", "eviction", true},
        {"a token", "CREATE", "token", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        json review = update_review();
        review["request"]["operation"] = row.operation;
        review["request"]["subResource"] = row.sub_resource;
        review["request"][std::string(row.operation) == "DELETE" ? "object" : "oldObject"] = nullptr;
        CHECK(changes_something(*ReadReview(review)) == row.changes);
    }
}
