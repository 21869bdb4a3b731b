#include "policy/rules/ingress.hpp"

#include <chrono>

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;
using sample::Request;

namespace {

using List = std::vector<std::string>;

List found(std::string_view rule, const Request& request) { return sample::found("ingress", rule, request); }

std::string object(std::string_view spec, std::string_view annotations = "{}") {
    return R"({"metadata":{"name":"web","annotations":)" + std::string(annotations) + R"(},"spec":)" + std::string(spec) + "}";
}

Request ingress(std::string_view spec, std::string_view annotations = "{}") {
    Request request;
    request.group = "networking.k8s.io";
    request.resource = "ingresses";
    request.kind = "Ingress";
    request.object = object(spec, annotations);
    return request;
}

}  // namespace

TEST_CASE("an Ingress claims only hosts of the list") {
    const std::string rule = R"({hosts: ["*.shop.example.com", example.com]})";
    const std::string want = ", want a host of *.shop.example.com, example.com";
    struct Row {
        std::string_view name;
        std::string host;
        bool allowed;
    };
    const Row rows[] = {
        {"one label", "web.shop.example.com", true},
        {"two labels", "web.eu.shop.example.com", true},
        {"the suffix itself", "shop.example.com", false},
        {"a name that ends alike", "evilshop.example.com", false},
        {"a name that begins alike", "web.shop.example.com.evil.com", false},
        {"the whole name", "example.com", true},
        {"below a whole name", "www.example.com", false},
        {"the same wildcard", "*.shop.example.com", true},
        {"a narrower wildcard", "*.eu.shop.example.com", true},
        {"a wider wildcard", "*.example.com", false},
        {"any", "*", false},
        {"a star within", "web.*.shop.example.com", false},
        {"an empty label", ".shop.example.com", false},
        {"an empty label within", "web..shop.example.com", false},
        {"capitals, which no API server stores", "Web.shop.example.com", false},
        {"a port", "web.shop.example.com:80", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(rule, ingress(R"({"rules":[{"host":")" + row.host + R"("}]})")) ==
              (row.allowed ? List{} : List{".spec.rules[0].host: have \"" + row.host + "\"" + want}));
        CHECK(found(rule, ingress(R"({"rules":[{"host":"example.com"}],"tls":[{},{"hosts":["example.com",")" + row.host + R"("]}]})")) ==
              (row.allowed ? List{} : List{".spec.tls[1].hosts[1]: have \"" + row.host + "\"" + want}));
    }
}

TEST_CASE("an Ingress that claims every host") {
    const std::string every = ": have (absent), which is every host, want a host of example.com";
    const std::string no_rules = ".spec.rules: have (no rules), which is every host, want a host of example.com";
    struct Row {
        std::string_view name;
        std::string_view spec;
        List found;
    };
    const Row rows[] = {
        {"a rule without a host", R"({"rules":[{"host":"example.com"},{"http":{}}]})", {".spec.rules[1].host" + every}},
        {"a host of null", R"({"rules":[{"host":null}]})", {".spec.rules[0].host" + every}},
        {"an empty host", R"({"rules":[{"host":""}]})", {".spec.rules[0].host" + every}},
        {"a host that is a number", R"({"rules":[{"host":7}]})", {".spec.rules[0].host: have 7, want a host of example.com"}},
        {"only a default backend", R"({"defaultBackend":{"service":{"name":"web"}}})", {no_rules}},
        {"an empty list of rules", R"({"rules":[]})", {no_rules}},
        {"nothing", "{}", {no_rules}},
        {"a default backend beside rules", R"({"defaultBackend":{},"rules":[{"host":"example.com"}]})", {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found("{hosts: [example.com]}", ingress(row.spec)) == row.found);
    }
    Request old = ingress(R"({"backend":{}})");
    old.group = "extensions";
    old.version = "v1beta1";
    CHECK(found("{hosts: [example.com]}", old) == List{no_rules});
    old.group = "example.com";
    CHECK(found("{hosts: [example.com]}", old) == List{});
}

TEST_CASE("every host of an Ingress has TLS") {
    const std::string want = ", want an entry of spec.tls that covers it";
    struct Row {
        std::string_view name;
        std::string_view spec;
        List found;
    };
    const Row rows[] = {
        {"none", R"({"rules":[{"host":"a.b.c"}]})", {".spec.tls: have (absent), want TLS for every host"}},
        {"an empty list", R"({"rules":[{"host":"a.b.c"}],"tls":[]})", {".spec.tls: have (an empty list), want TLS for every host"}},
        {"null", R"({"rules":[{"host":"a.b.c"}],"tls":null})", {".spec.tls: have (absent), want TLS for every host"}},
        {"the host", R"({"rules":[{"host":"a.b.c"}],"tls":[{"hosts":["x.y.z"]},{"hosts":["a.b.c"]}]})", {}},
        {"another host", R"({"rules":[{"host":"a.b.c"}],"tls":[{"hosts":["x.b.c"]}]})", {".spec.rules[0].host: have \"a.b.c\"" + want}},
        {"a wildcard", R"({"rules":[{"host":"a.b.c"}],"tls":[{"hosts":["*.b.c"]}]})", {}},
        {"a wildcard stands for one label",
         R"({"rules":[{"host":"a.a.b.c"}],"tls":[{"hosts":["*.b.c"]}]})",
         {".spec.rules[0].host: have \"a.a.b.c\"" + want}},
        {"a wildcard does not stand for none",
         R"({"rules":[{"host":"b.c"}],"tls":[{"hosts":["*.b.c"]}]})",
         {".spec.rules[0].host: have \"b.c\"" + want}},
        {"a wildcard host with its wildcard", R"({"rules":[{"host":"*.b.c"}],"tls":[{"hosts":["*.b.c"]}]})", {}},
        {"a wildcard host with one host",
         R"({"rules":[{"host":"*.b.c"}],"tls":[{"hosts":["a.b.c"]}]})",
         {".spec.rules[0].host: have \"*.b.c\"" + want}},
        {"an entry without hosts", R"({"rules":[{"host":"a.b.c"},{}],"tls":[{"secretName":"web"}]})", {}},
        {"an entry with an empty list", R"({"rules":[{"host":"a.b.c"}],"tls":[{"hosts":[]}]})", {}},
        {"an entry that is none", R"({"rules":[{"host":"a.b.c"}],"tls":[null]})", {".spec.rules[0].host: have \"a.b.c\"" + want}},
        {"the second host",
         R"({"rules":[{"host":"a.b.c"},{"host":"b.b.c"}],"tls":[{"hosts":["a.b.c"]}]})",
         {".spec.rules[1].host: have \"b.b.c\"" + want}},
        {"every host",
         R"({"rules":[{}],"tls":[{"hosts":["a.b.c",""]}]})",
         {".spec.rules[0].host: have (absent), which is every host" + want}},
        {"only a default backend", R"({"defaultBackend":{},"tls":[{"hosts":["a.b.c"]}]})", {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found("{requireTLS: true}", ingress(row.spec)) == row.found);
    }
}

TEST_CASE("an Ingress made to cost time is judged like any other, and soon") {
    const auto hosts = [](std::size_t count, const std::string& prefix, const std::string& before, const std::string& after) {
        std::string list;
        for (std::size_t i = 0; i < count; ++i) {
            list += std::string(i ? "," : "") + before + "\"" + prefix + std::to_string(i) + ".example.com\"" + after;
        }
        return list;
    };
    const std::string tls = hosts(60'000, "a", "", "") + R"(,"*.wild.example.com")";
    const Request request = ingress(R"({"rules":[)" + hosts(30'000, "a", R"({"host":)", "}") +
                                    R"(,{"host":"x.wild.example.com"},{"host":"b.example.com"}],"tls":[{"hosts":[)" + tls + "]}]}");
    const auto before = std::chrono::steady_clock::now();
    CHECK(found("{requireTLS: true}", request) ==
          List{R"(.spec.rules[30001].host: have "b.example.com", want an entry of spec.tls that covers it)"});
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(20));  // 15 s one by one on a quiet machine, and then sanitizers
}

TEST_CASE("an annotation of the class that a write of the status brings is judged") {
    Request request = ingress("{}", R"({"kubernetes.io/ingress.class":"other"})");
    request.operation = "UPDATE";
    request.sub_resource = "status";
    request.old_object = object("{}", R"({"kubernetes.io/ingress.class":"nginx"})");
    CHECK(found("{classes: [nginx]}", request).size() == 1);
    request.old_object = request.object;
    CHECK(found("{classes: [nginx]}", request).empty());
}

TEST_CASE("an Ingress is of a class of the list") {
    struct Row {
        std::string_view name;
        std::string_view spec;
        std::string_view annotations;
        List found;
    };
    const std::string field = ".spec.ingressClassName: have ";
    const std::string annotation = R"(.metadata.annotations["kubernetes.io/ingress.class"]: have )";
    const std::string want = ", want nginx, azure/application-gateway";
    const Row rows[] = {
        {"by the field", R"({"ingressClassName":"nginx"})", "{}", {}},
        {"by the annotation", "{}", R"({"kubernetes.io/ingress.class":"azure/application-gateway"})", {}},
        {"by neither", "{}", "{}", {field + "(absent)" + want}},
        {"null and empty", R"({"ingressClassName":null})", R"({"kubernetes.io/ingress.class":""})", {field + "(absent)" + want}},
        {"another", R"({"ingressClassName":"traefik"})", "{}", {field + "\"traefik\"" + want}},
        {"another by the annotation", "{}", R"({"kubernetes.io/ingress.class":"traefik"})", {annotation + "\"traefik\"" + want}},
        {"both count",
         R"({"ingressClassName":"nginx"})",
         R"({"kubernetes.io/ingress.class":"traefik"})",
         {annotation + "\"traefik\"" + want}},
        {"both count, the other way round",
         R"({"ingressClassName":"traefik"})",
         R"({"kubernetes.io/ingress.class":"nginx"})",
         {field + "\"traefik\"" + want}},
        {"capitals", R"({"ingressClassName":"NGINX"})", "{}", {field + "\"NGINX\"" + want}},
        {"a number", R"({"ingressClassName":7})", "{}", {field + "7" + want}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found("{classes: [nginx, azure/application-gateway]}", ingress(row.spec, row.annotations)) == row.found);
    }
}

TEST_CASE("an update is blamed only for what it touches of an Ingress") {
    const std::string before =
        R"({"ingressClassName":"x","rules":[{"host":"a.b.c","http":{}}],"tls":[{"secretName":"s","hosts":["b.b.c"]}]})";
    struct Row {
        std::string_view name;
        std::string after;
        std::string_view annotations;
        bool judged;
    };
    const Row rows[] = {
        {"nothing", before, "{}", false},
        {"a path",
         R"({"ingressClassName":"x","rules":[{"host":"a.b.c","http":{"paths":[]}}],"tls":[{"secretName":"s","hosts":["b.b.c"]}]})", "{}",
         false},
        {"another annotation", before, R"({"a":"b"})", false},
        {"the class by annotation", before, R"({"kubernetes.io/ingress.class":"x"})", true},
        {"the class", R"({"rules":[{"host":"a.b.c","http":{}}],"tls":[{"secretName":"s","hosts":["b.b.c"]}]})", "{}", true},
        {"a host", R"({"ingressClassName":"x","rules":[{"host":"c.b.c","http":{}}],"tls":[{"secretName":"s","hosts":["b.b.c"]}]})", "{}",
         true},
        {"a rule more", R"({"ingressClassName":"x","rules":[{"host":"a.b.c"},{}],"tls":[{"secretName":"s","hosts":["b.b.c"]}]})", "{}",
         true},
        {"a host of TLS", R"({"ingressClassName":"x","rules":[{"host":"a.b.c"}],"tls":[{"secretName":"s","hosts":["c.b.c"]}]})", "{}",
         true},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Request request = ingress(row.after, row.annotations);
        request.operation = "UPDATE";
        request.old_object = object(before);
        CHECK(found("{hosts: [example.com], requireTLS: true, classes: [nginx]}", request).empty() != row.judged);
    }
}

TEST_CASE("what the rule ingress must not hold is a problem with its place") {
    struct Row {
        std::string rule;
        std::string problem;
    };
    const std::string at = "spec.rules[0].ingress.";
    const auto no_host = [&](std::string_view host) {
        return "p.yaml:6:33: " + at + "hosts[0]: \"" + std::string(host) +
               "\" is no host; expected one such as shop.example.com or \"*.shop.example.com\", in lower case and without port";
    };
    const Row rows[] = {
        {"{}", "p.yaml:6:24: ingress: demands nothing; give hosts, requireTLS: true or classes"},
        {"{requireTLS: false}", "p.yaml:6:24: ingress: demands nothing; give hosts, requireTLS: true or classes"},
        {"{hosts: []}",
         "p.yaml:6:32: " + at + "hosts: is an empty list, which reads as if no host were allowed; leave it out to allow any"},
        {"{hosts: [\"*\"]}", no_host("*")},
        {"{hosts: [\"\"]}", no_host("")},
        {"{hosts: [\"*.\"]}", no_host("*.")},
        {"{hosts: [\"a.*.c\"]}", no_host("a.*.c")},
        {"{hosts: [Example.com]}", no_host("Example.com")},
        {"{hosts: [\"example.com:443\"]}", no_host("example.com:443")},
        {"{hosts: [7]}", "p.yaml:6:33: " + at + "hosts[0]: expected a string, have an integer"},
        {"{requireTLS: 1}", "p.yaml:6:37: " + at + "requireTLS: expected true or false, have an integer"},
        {"{classes: []}",
         "p.yaml:6:34: " + at + "classes: is an empty list, which reads as if no class were allowed; leave it out to allow any"},
        {"{classes: [\"\"]}", "p.yaml:6:35: " + at + "classes[0]: must not be empty"},
        {"{requireTls: true}",
         "p.yaml:6:25: " + at + "requireTls: unknown field (did you mean \"requireTLS\"?); expected one of: hosts, requireTLS, classes"},
    };
    for (const Row& row : rows) {
        INFO(row.rule);
        CHECK(sample::problems_of_rule("ingress", row.rule) == row.problem);
    }
}
