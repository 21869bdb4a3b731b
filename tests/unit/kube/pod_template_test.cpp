#include "kube/pod_template.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

struct Parsed {
    explicit Parsed(std::string_view text) : copy(with_slack(text)), reader(Limits{}) { json = reader.read(copy).value(); }
    std::string copy;
    JsonReader reader;
    Json json;
};

}  // namespace

TEST_CASE("containers come in the order of Kubernetes' own checks, each with its type and path") {
    const Parsed pod(
        R"({"spec":{"containers":[{"name":"web"},{}],"initContainers":[{"name":"init"},{"name":"side","restartPolicy":"Always"}],
                        "ephemeralContainers":[{"name":"debug"}]}})");
    const auto found = find_pod_template({"", "v1", "pods"}, pod.json);
    REQUIRE(found.has_value());
    std::vector<std::pair<std::string, ContainerType>> list;
    found->each_container([&](const Container& container) { list.emplace_back(found->path_of(container), container.type); });
    const std::vector<std::pair<std::string, ContainerType>> wanted{
        {R"(.spec.initContainers[name="init"])", ContainerType::init_container},
        {R"(.spec.initContainers[name="side"])", ContainerType::sidecar},
        {R"(.spec.containers[name="web"])", ContainerType::container},
        {".spec.containers[1]", ContainerType::container},
        {R"(.spec.ephemeralContainers[name="debug"])", ContainerType::ephemeral}};
    CHECK(list == wanted);
    CHECK(found->check_shape().has_value());
}

TEST_CASE("a name that no API server stores is not repeated in paths") {
    const Parsed pod(R"({"spec":{"containers":[{"name":")" + std::string(253, 'a') + R"("},{"name":")" + std::string(254, 'b') +
                     R"("}]}})");
    const auto found = find_pod_template({"", "v1", "pods"}, pod.json);
    std::vector<std::string> paths;
    found->each_container([&](const Container& container) { paths.push_back(found->path_of(container)); });
    CHECK(paths == std::vector<std::string>{R"(.spec.containers[name=")" + std::string(253, 'a') + "\"]", ".spec.containers[1]"});
}

TEST_CASE("a template is found by group and resource, whatever the object says about itself") {
    const Parsed object(R"({"kind":"ConfigMap","spec":{"template":{"spec":{"containers":[]}}}})");
    CHECK(find_pod_template({"apps", "v1", "deployments"}, object.json).has_value());
    CHECK(find_pod_template({"apps", "v2", "deployments"}, object.json).has_value());
    CHECK_FALSE(find_pod_template({"", "v1", "deployments"}, object.json).has_value());
    CHECK_FALSE(find_pod_template({"apps", "v1", "Deployments"}, object.json).has_value());
    CHECK_FALSE(find_pod_template({"", "v1", "configmaps"}, object.json).has_value());
    CHECK(find_pod_template({"apps", "v1", "deployments"}, Json()).value().spec.absent_or_null());
}

TEST_CASE("a shape that cannot be judged is an error with its path") {
    struct Row {
        std::string_view name;
        std::string_view pod;
        std::string_view where;
    };
    const Row rows[] = {
        {"nothing", R"({})", ""},
        {"null", R"({"spec":null})", ""},
        {"empty lists", R"({"spec":{"containers":[],"initContainers":null}})", ""},
        {"a spec that is a list", R"({"spec":[]})", ".spec"},
        {"containers that are an object", R"({"spec":{"containers":{}}})", ".spec.containers"},
        {"a container that is a text", R"({"spec":{"containers":[{},"x"]}})", ".spec.containers"},
        {"an init container that is null", R"({"spec":{"initContainers":[null]}})", ".spec.initContainers"},
        {"ephemeral containers that are a number", R"({"spec":{"ephemeralContainers":1}})", ".spec.ephemeralContainers"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Parsed pod(row.pod);
        const auto shape = find_pod_template({"", "v1", "pods"}, pod.json)->check_shape();
        CHECK(shape.has_value() == row.where.empty());
        if (!shape) {
            CHECK(shape.error().code == Errc::wrong_type);
            CHECK(shape.error().where == row.where);
        }
    }
}

TEST_CASE("only a reference with controller: true is a controller") {
    struct Row {
        std::string_view metadata;
        bool any;
        bool job;
    };
    const Row rows[] = {
        {R"({})", false, false},
        {R"({"ownerReferences":null})", false, false},
        {R"({"ownerReferences":{"controller":true,"kind":"Job"}})", false, false},
        {R"({"ownerReferences":["Job"]})", false, false},
        {R"({"ownerReferences":[{"kind":"Job"}]})", false, false},
        {R"({"ownerReferences":[{"kind":"Job","controller":"true"}]})", false, false},
        {R"({"ownerReferences":[{"kind":"Job","controller":false},{"kind":"ReplicaSet","controller":true}]})", true, false},
        {R"({"ownerReferences":[{"kind":"Job","controller":true}]})", true, false},
        {R"({"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","controller":true}]})", true, true},
        {R"({"ownerReferences":[{"apiVersion":"batch.example.com/v1","kind":"Job","controller":true}]})", true, false},
    };
    for (const Row& row : rows) {
        INFO(row.metadata);
        const Parsed metadata(row.metadata);
        CHECK(has_controller_owner(metadata.json) == row.any);
        CHECK(has_controller_owner(metadata.json, "batch", "Job") == row.job);
    }
}
