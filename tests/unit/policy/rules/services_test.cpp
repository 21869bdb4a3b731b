#include "policy/rules/services.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Request;

namespace {

using List = std::vector<std::string>;

List found(std::string_view rule, const Request& request) { return sample::found("services", rule, request); }

std::string object(std::string_view spec) { return R"({"metadata":{"name":"web"},"spec":)" + std::string(spec) + "}"; }

Request service(std::string_view spec) {
    Request request;
    request.resource = "services";
    request.kind = "Service";
    request.object = object(spec);
    return request;
}

}  // namespace

TEST_CASE("a Service is of a type that the policy allows") {
    const std::string_view outside = "{denyTypes: [NodePort, LoadBalancer]}";
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string_view spec;
        std::string_view found;
    };
    const Row rows[] = {
        {"NodePort", outside, R"({"type":"NodePort"})", "\"NodePort\", want ClusterIP, ExternalName"},
        {"LoadBalancer", outside, R"({"type":"LoadBalancer"})", "\"LoadBalancer\", want ClusterIP, ExternalName"},
        {"ClusterIP", outside, R"({"type":"ClusterIP"})", ""},
        {"ExternalName", outside, R"({"type":"ExternalName"})", ""},
        {"absent", outside, "{}", ""},
        {"ExternalName is denied", "{denyTypes: [ExternalName]}", R"({"type":"ExternalName"})",
         "\"ExternalName\", want ClusterIP, NodePort, LoadBalancer"},
        {"absent is ClusterIP", "{denyTypes: [ClusterIP]}", "{}",
         "(absent), which is ClusterIP, want NodePort, LoadBalancer, ExternalName"},
        {"null is ClusterIP", "{denyTypes: [ClusterIP]}", R"({"type":null})",
         "(absent), which is ClusterIP, want NodePort, LoadBalancer, ExternalName"},
        {"external addresses are not judged", outside, R"({"externalIPs":["1.2.3.4"]})", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.rule, service(row.spec)) == (row.found.empty() ? List{} : List{".spec.type: have " + std::string(row.found)}));
    }
    Request other = service(R"({"type":"NodePort"})");
    other.group = "serving.knative.dev";
    CHECK(found(outside, other) == List{});
    Request status = service(R"({"type":"NodePort"})");
    status.sub_resource = "status";
    status.operation = "UPDATE";
    status.old_object = status.object;
    CHECK(found(outside, status) == List{});
}

TEST_CASE("a Service claims only external addresses of the list") {
    const std::string_view some = R"({externalIPs: [203.0.113.7, 10.1.0.0/16, "2001:db8::/32"]})";
    const std::string want = ", want an address of 203.0.113.7, 10.1.0.0/16, 2001:db8::/32";
    struct Row {
        std::string_view name;
        std::string_view rule;
        std::string_view spec;
        List found;
    };
    const std::string first = ".spec.externalIPs[0]: have ";
    const Row rows[] = {
        {"none", some, "{}", {}},
        {"null", some, R"({"externalIPs":null})", {}},
        {"an empty list", some, R"({"externalIPs":[]})", {}},
        {"of the list", some, R"({"externalIPs":["203.0.113.7","10.1.255.1","2001:DB8:1::1"]})", {}},
        {"beside the list", some, R"({"externalIPs":["203.0.113.8"]})", {first + "\"203.0.113.8\"" + want}},
        {"the second", some, R"({"externalIPs":["10.1.0.1","10.2.0.1"]})", {".spec.externalIPs[1]: have \"10.2.0.1\"" + want}},
        {"IPv4 in the form of IPv6", some, R"({"externalIPs":["::ffff:10.1.0.1"]})", {}},
        {"IPv4 in the form of IPv6, beside the list",
         some,
         R"({"externalIPs":["::ffff:10.2.0.1"]})",
         {first + "\"::ffff:10.2.0.1\"" + want}},
        {"no address", some, R"({"externalIPs":["10.1.0"]})", {first + "\"10.1.0\"" + want}},
        {"leading zeros", some, R"({"externalIPs":["10.1.0.01"]})", {first + "\"10.1.0.01\"" + want}},
        {"a range", some, R"({"externalIPs":["10.1.0.0/16"]})", {first + "\"10.1.0.0/16\"" + want}},
        {"a number", some, R"({"externalIPs":[7]})", {first + "7" + want}},
        {"no list", some, R"({"externalIPs":"10.1.0.1"})", {".spec.externalIPs: have \"10.1.0.1\", want a list of addresses"}},
        {"none is allowed", "{externalIPs: []}", R"({"externalIPs":["10.1.0.1"]})", {first + "\"10.1.0.1\", want no external address"}},
        {"none is allowed, none is claimed", "{externalIPs: []}", R"({"type":"NodePort"})", {}},
        {"IPv6 is not meant by 0.0.0.0/0",
         "{externalIPs: [0.0.0.0/0]}",
         R"({"externalIPs":["1.2.3.4","::1"]})",
         {".spec.externalIPs[1]: have \"::1\", want an address of 0.0.0.0/0"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.rule, service(row.spec)) == row.found);
    }
    CHECK(found("{denyTypes: [NodePort], externalIPs: []}", service(R"({"type":"NodePort","externalIPs":["1.2.3.4"]})")).size() == 2);
}

TEST_CASE("an update is blamed only for what it touches of a Service") {
    struct Row {
        std::string_view name;
        std::string_view before;
        std::string_view after;
        bool judged;
    };
    const Row rows[] = {
        {"nothing", R"({"type":"NodePort"})", R"({"type":"NodePort"})", false},
        {"a port", R"({"type":"NodePort","externalIPs":["1.2.3.4"]})", R"({"type":"NodePort","externalIPs":["1.2.3.4"],"ports":[]})",
         false},
        {"the type", R"({"type":"ClusterIP"})", R"({"type":"NodePort"})", true},
        {"an address", R"({"externalIPs":["1.2.3.4"]})", R"({"externalIPs":["1.2.3.5"]})", true},
        {"one address more", R"({"externalIPs":["1.2.3.4"]})", R"({"externalIPs":["1.2.3.4","1.2.3.5"]})", true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request = service(row.after);
        request.operation = "UPDATE";
        request.old_object = object(row.before);
        CHECK(found("{denyTypes: [NodePort], externalIPs: []}", request).empty() != row.judged);
    }
}

TEST_CASE("what the rule services must not hold is a problem with its place") {
    struct Row {
        std::string rule;
        std::string problem;
    };
    const std::string at = "spec.rules[0].services.";
    const Row rows[] = {
        {"{}", "p.yaml:6:25: services: demands nothing; give denyTypes or externalIPs"},
        {"{externalIPs: null}", "p.yaml:6:25: services: demands nothing; give denyTypes or externalIPs"},
        {"{denyTypes: []}", "p.yaml:6:37: " + at + "denyTypes: is an empty list, which denies nothing; leave it out"},
        {"{denyTypes: [Nodeport]}", "p.yaml:6:38: " + at +
                                        "denyTypes[0]: have \"Nodeport\", expected one of: ClusterIP, NodePort, LoadBalancer, ExternalName "
                                        "(did you mean \"NodePort\"?)"},
        {"{denyTypes: [ClusterIP, NodePort, LoadBalancer, ExternalName]}", "p.yaml:6:37: " + at + "denyTypes: denies every Service"},
        {"{externalIPs: [ten]}", "p.yaml:6:40: " + at + "externalIPs[0]: \"ten\" is neither an IP address nor a range such as 10.0.0.0/8"},
        {"{externalIPs: [10.0.0.1/8]}",
         "p.yaml:6:40: " + at + "externalIPs[0]: \"10.0.0.1/8\" has bits behind its prefix; write the first address of the range"},
        {"{externalIPs: [10]}", "p.yaml:6:40: " + at + "externalIPs[0]: expected a string, have an integer"},
        {"{externalIPs: 10.0.0.1}", "p.yaml:6:39: " + at + "externalIPs: expected a list, have a string"},
        {"{denyType: [NodePort]}",
         "p.yaml:6:26: " + at + "denyType: unknown field (did you mean \"denyTypes\"?); expected one of: denyTypes, externalIPs"},
    };
    for (const Row& row : rows) {
        INFO(row.rule);
        CHECK(sample::problems_of_rule("services", row.rule) == row.problem);
    }
}
