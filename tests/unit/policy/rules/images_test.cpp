#include "policy/rules/images.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Request;

namespace {

using List = std::vector<std::string>;

const std::string kDigest = "sha256:" + std::string(64, 'a');

List found(std::string_view rule, const Request& request) { return sample::found("images", rule, request); }

Request pod(const std::string& spec) {
    Request request;
    request.object = R"({"metadata":{"name":"web"},"spec":)" + spec + "}";
    return request;
}
Request container(const std::string& fields) { return pod(R"({"containers":[{"name":"web",)" + fields + "}]}"); }
Request image(const std::string& name) { return container(R"("image":")" + name + "\""); }

// What is found about the one image of a pod; "" if nothing.
std::string about(std::string_view rule, const Request& request) {
    constexpr std::string_view kImage = R"(.spec.containers[name="web"].image)";
    const List list = found(rule, request);
    if (list.empty()) return "";
    CHECK(list.size() == 1);
    CHECK(list[0].starts_with(kImage));
    return list[0].substr(std::min(kImage.size(), list[0].size()));
}

}  // namespace

TEST_CASE("an image comes from a registry of the list") {
    const std::string_view rule = R"({registries: [myacr.azurecr.io, docker.io/library, "*.corp.example.com/team"]})";
    const std::string want = "an image from myacr.azurecr.io, docker.io/library, *.corp.example.com/team";
    struct Row {
        std::string_view name;
        std::string image;
        std::string have;  // "" if all is well
    };
    const Row rows[] = {
        {"of the registry", "myacr.azurecr.io/web:1", ""},
        {"of the registry, in capitals", "MYACR.azurecr.io/web:1", ""},
        {"an official image", "nginx", ""},
        {"an official image, written out", "index.docker.io/library/nginx:1", ""},
        {"below the path of a wildcard", "a.corp.example.com/team/web", ""},
        {"beside the path of a wildcard", "a.corp.example.com/other/web", "\"a.corp.example.com/other/web\""},
        {"a registry that begins alike", "myacr.azurecr.io.evil.com/web", "\"myacr.azurecr.io.evil.com/web\""},
        {"another account of Docker Hub", "evil/nginx", "\"evil/nginx\", which is docker.io/evil/nginx"},
        {"another port", "myacr.azurecr.io:8443/web", "\"myacr.azurecr.io:8443/web\""},
        {"the registry as a path", "evil.com/myacr.azurecr.io/web", "\"evil.com/myacr.azurecr.io/web\""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(about(rule, image(row.image)) == (row.have.empty() ? "" : ": have " + row.have + ", want " + want));
    }
}

TEST_CASE("tags and digests") {
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string image;
        std::string found;
    };
    const std::string untagged = ": have \"web\", want a tag or a digest";
    const Row rows[] = {
        {"requireTag: none", "{requireTag: true}", "web", untagged},
        {"requireTag: a port is no tag", "{requireTag: true}", "registry:5000/web", ": have \"registry:5000/web\", want a tag or a digest"},
        {"requireTag: a tag", "{requireTag: true}", "web:1", ""},
        {"requireTag: latest is a tag", "{requireTag: true}", "web:latest", ""},
        {"requireTag: a digest", "{requireTag: true}", "web@" + kDigest, ""},
        {"denyTags: that tag", "{denyTags: [latest]}", "web:latest", ": have \"web:latest\", want a tag other than latest"},
        {"denyTags: none is latest", "{denyTags: [latest]}", "web", ": have \"web\", whose tag is latest, want a tag other than latest"},
        {"denyTags: another", "{denyTags: [latest]}", "web:latest2", ""},
        {"denyTags: with a digest", "{denyTags: [latest]}", "web:latest@" + kDigest, ""},
        {"denyTags: only a digest", "{denyTags: [latest]}", "web@" + kDigest, ""},
        {"denyTags: a pattern", R"({denyTags: [latest, "*-dev"]})", "web:1-dev",
         ": have \"web:1-dev\", want a tag other than latest, *-dev"},
        {"denyTags: tags know capitals", "{denyTags: [latest]}", "web:Latest", ""},
        {"denyTags: said once with requireTag", "{requireTag: true, denyTags: [latest]}", "web", untagged},
        {"requireDigest: a tag", "{requireDigest: true}", "web:1", ": have \"web:1\", want a digest (@sha256:…)"},
        {"requireDigest: a digest", "{requireDigest: true}", "web@" + kDigest, ""},
        {"requireDigest: both", "{requireDigest: true}", "web:1@" + kDigest, ""},
        {"requireDigest: said once with the others", "{requireDigest: true, requireTag: true, denyTags: [latest]}", "web",
         ": have \"web\", want a digest (@sha256:…)"},
        {"false demands nothing", "{requireTag: false, requireDigest: false, denyTags: [x]}", "web", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(about(row.rule, image(row.image)) == row.found);
    }
}

TEST_CASE("what is no image is a violation, whatever the rule asks for") {
    struct Row {
        std::string_view name;
        std::string fields;
        std::string found;
    };
    const Row rows[] = {
        {"none", R"("command":[])", ": have (absent), want an image"},
        {"null", R"("image":null)", ": have (absent), want an image"},
        {"empty", R"("image":"")", ": have \"\", want the name of an image; this is empty"},
        {"a space", R"("image":" web")", ": have \" web\", want the name of an image; this has a space"},
        {"a variable", R"("image":"${IMAGE}")",
         ": have \"${IMAGE}\", want the name of an image; this has a variable that nothing replaced"},
        {"capitals", R"("image":"Web")", ": have \"Web\", want the name of an image; this has capitals in the name of the repository"},
        {"a short digest", R"("image":"web@sha256:12")",
         ": have \"web@sha256:12\", want the name of an image; this has a digest that is none (sha256: and 64 hexadecimal digits in lower "
         "case)"},
        {"a number", R"("image":7)", ": have 7, want the name of an image; this is none"},
        {"a list", R"("image":["web:1"])", ": have an array, want the name of an image; this is none"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        for (const auto rule : {"{registries: [docker.io]}", "{requireTag: true}", "{denyTags: [x]}", "{pullPolicy: [Always]}"}) {
            INFO(rule);
            CHECK(about(rule, container(row.fields)) == row.found);
        }
    }
    CHECK(about("{requireTag: true}", image(std::string(1000, ' '))).size() < 250);
}

TEST_CASE("an absent pull policy is what Kubernetes makes of it") {
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string fields;
        std::string found;
    };
    const auto becomes = [](std::string_view policy, std::string_view want) {
        return "PullPolicy: have (absent), which becomes " + std::string(policy) + ", want " + std::string(want);
    };
    const Row rows[] = {
        {"listed", "{pullPolicy: [Always]}", R"("image":"web:1","imagePullPolicy":"Always")", ""},
        {"not listed", "{pullPolicy: [Always, IfNotPresent]}", R"("image":"web:1","imagePullPolicy":"Never")",
         "PullPolicy: have \"Never\", want Always, IfNotPresent"},
        {"unknown", "{pullPolicy: [Always]}", R"("image":"web:1","imagePullPolicy":"always")", "PullPolicy: have \"always\", want Always"},
        {"of a wrong type", "{pullPolicy: [Always]}", R"("image":"web:1","imagePullPolicy":1)", "PullPolicy: have 1, want Always"},
        {"absent, a tag", "{pullPolicy: [Always]}", R"("image":"web:1")", becomes("IfNotPresent", "Always")},
        {"absent, a digest", "{pullPolicy: [Always]}", R"("image":"web@)" + kDigest + "\"", becomes("IfNotPresent", "Always")},
        {"absent, latest", "{pullPolicy: [Always]}", R"("image":"web:latest")", ""},
        {"absent, latest with a digest", "{pullPolicy: [Always]}", R"("image":"web:latest@)" + kDigest + "\"", ""},
        {"absent, no tag", "{pullPolicy: [Always]}", R"("image":"web")", ""},
        {"absent, no tag, but that is not wanted", "{pullPolicy: [IfNotPresent]}", R"("image":"web")", becomes("Always", "IfNotPresent")},
        {"null", "{pullPolicy: [IfNotPresent]}", R"("image":"web:1","imagePullPolicy":null)", ""},
        {"empty", "{pullPolicy: [IfNotPresent]}", R"("image":"web:1","imagePullPolicy":"")", ""},
        {"an empty list asks for nothing", "{requireTag: true, pullPolicy: []}", R"("image":"web:1","imagePullPolicy":"Never")", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const List list = found(row.rule, container(row.fields));
        CHECK(list == (row.found.empty() ? List{} : List{R"(.spec.containers[name="web"].image)" + row.found}));
    }
}

TEST_CASE("every container is judged, and every image volume") {
    const std::string spec =
        R"({"initContainers":[{"name":"init","image":"a"},{"name":"side","restartPolicy":"Always","image":"b"}],)"
        R"("containers":[{"name":"web","image":"c"},{"image":"d"}],"ephemeralContainers":[{"name":"debug","image":"e"}],)"
        R"("volumes":[{"name":"x","emptyDir":{}},{"name":"data","image":{"reference":"f","pullPolicy":"Never"}},{"image":{}},{"name":"n","image":null}]})";
    const std::string want = ", want a tag or a digest";
    CHECK(found("{requireTag: true}", pod(spec)) ==
          List{R"(.spec.initContainers[name="init"].image: have "a")" + want, R"(.spec.initContainers[name="side"].image: have "b")" + want,
               R"(.spec.containers[name="web"].image: have "c")" + want, R"(.spec.containers[1].image: have "d")" + want,
               R"(.spec.ephemeralContainers[name="debug"].image: have "e")" + want,
               R"(.spec.volumes[name="data"].image.reference: have "f")" + want,
               R"(.spec.volumes[2].image.reference: have (absent), want an image)"});
    CHECK(found("{pullPolicy: [Always]}", pod(R"({"volumes":[{"name":"data","image":{"reference":"f","pullPolicy":"Never"}}]})")) ==
          List{R"(.spec.volumes[name="data"].image.pullPolicy: have "Never", want Always)"});
    CHECK(found("{registries: [a.io]}", pod(R"({"volumes":[{"name":"data","image":{"reference":"a.io/f"}}]})")) == List{});

    Request deployment;
    deployment.group = "apps";
    deployment.resource = "deployments";
    deployment.object = R"({"spec":{"template":{"spec":{"containers":[{"name":"web","image":"c"}]}}}})";
    CHECK(found("{requireTag: true}", deployment) == List{R"(.spec.template.spec.containers[name="web"].image: have "c")" + want});
}

TEST_CASE("images are judged where they can change") {
    struct Row {
        std::string_view sub_resource;
        bool judged;
    };
    for (const Row& row :
         {Row{"", true}, Row{"ephemeralcontainers", true}, Row{"resize", false}, Row{"status", false}, Row{"binding", false}}) {
        INFO(row.sub_resource);
        Request request =
            pod(R"({"containers":[{"name":"web","image":"web:1"}],"ephemeralContainers":[{"name":"debug","image":"busybox"}]})");
        request.operation = "UPDATE";
        request.sub_resource = row.sub_resource;
        request.old_object = R"({"metadata":{"name":"web"},"spec":{"containers":[{"name":"web","image":"web:1"}]}})";
        CHECK(found("{requireTag: true}", request).empty() != row.judged);
    }
}

TEST_CASE("an update is blamed only for images it touches") {
    const std::string before = R"({"containers":[{"name":"web","image":"web"}],"volumes":[{"name":"data","image":{"reference":"data"}}]})";
    struct Row {
        std::string_view name;
        std::string after;
        bool judged;
    };
    const Row rows[] = {
        {"the same", before, false},
        {"another field of the pod",
         R"({"activeDeadlineSeconds":3,"containers":[{"name":"web","image":"web","tty":true}],"volumes":[{"name":"data","image":{"reference":"data"}}]})",
         false},
        {"another image", R"({"containers":[{"name":"web","image":"web2"}],"volumes":[{"name":"data","image":{"reference":"data"}}]})",
         true},
        {"another pull policy",
         R"({"containers":[{"name":"web","image":"web","imagePullPolicy":"Never"}],"volumes":[{"name":"data","image":{"reference":"data"}}]})",
         true},
        {"another container",
         R"({"containers":[{"name":"web","image":"web"},{"name":"b","image":"b"}],"volumes":[{"name":"data","image":{"reference":"data"}}]})",
         true},
        {"another image volume",
         R"({"containers":[{"name":"web","image":"web"}],"volumes":[{"name":"data","image":{"reference":"data2"}}]})", true},
        {"a volume less", R"({"containers":[{"name":"web","image":"web"}]})", true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request = pod(row.after);
        request.operation = "UPDATE";
        request.old_object = R"({"metadata":{"name":"web"},"spec":)" + before + "}";
        CHECK(found("{requireTag: true}", request).empty() != row.judged);
    }
}

TEST_CASE("what the rule images must not hold is a problem with its place") {
    struct Row {
        std::string rule;
        std::string problem;
    };
    const Row rows[] = {
        {"{}", "p.yaml:6:23: images: demands nothing; give registries, requireTag, denyTags, requireDigest or pullPolicy"},
        {"{requireTag: false, pullPolicy: []}",
         "p.yaml:6:23: images: demands nothing; give registries, requireTag, denyTags, requireDigest or pullPolicy"},
        {"{registries: []}",
         "p.yaml:6:36: spec.rules[0].images.registries: is an empty list, which reads as if no image were allowed; leave it out to allow "
         "any registry"},
        {"{registries: [nginx]}",
         "p.yaml:6:37: spec.rules[0].images.registries[0]: \"nginx\" does not begin with a registry such as myacr.azurecr.io; images of "
         "Docker Hub "
         "are below docker.io"},
        {"{registries: [a.io/x:1, 7]}",
         "p.yaml:6:37: spec.rules[0].images.registries[0]: \"a.io/x:1\" must be a registry with or without a path, "
         "without tag and digest|p.yaml:6:47: spec.rules[0].images.registries[1]: expected a string, have an integer"},
        {"{registries: a.io}", "p.yaml:6:36: spec.rules[0].images.registries: expected a list, have a string"},
        {"{requireTag: \"true\"}", "p.yaml:6:36: spec.rules[0].images.requireTag: expected true or false, have a string"},
        {"{denyTags: []}", "p.yaml:6:34: spec.rules[0].images.denyTags: is an empty list, which denies nothing; leave it out"},
        {"{denyTags: [\"\"]}", "p.yaml:6:35: spec.rules[0].images.denyTags[0]: a pattern must not be empty; use \"*\" for any name"},
        {"{pullPolicy: [Allways]}",
         "p.yaml:6:37: spec.rules[0].images.pullPolicy[0]: have \"Allways\", expected one of: Always, IfNotPresent, Never (did you mean "
         "\"Always\"?)"},
        {"{requireTags: true}",
         "p.yaml:6:24: spec.rules[0].images.requireTags: unknown field (did you mean \"requireTag\"?); expected one of: registries, "
         "requireTag, "
         "denyTags, requireDigest, pullPolicy"},
    };
    for (const Row& row : rows) {
        INFO(row.rule);
        CHECK(sample::problems_of_rule("images", row.rule) == row.problem);
    }
}
