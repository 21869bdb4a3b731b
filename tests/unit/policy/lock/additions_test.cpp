#include "policy/lock/additions.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/policy/sample.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

namespace {

std::string problems_of_lock(std::string_view fields) {
    return sample::problems_of_rule("lock", "{writers: [flux], " + std::string(fields) + "}");
}

}  // namespace

TEST_CASE("a path of additions that is none, or names what is never an addition, is refused where it stands") {
    std::string too_long;
    for (int i = 0; i < 65; ++i) too_long += ".a";
    const std::pair<std::string_view, std::string_view> rows[] = {
        {".spec.replicas", ""},
        {R"(.spec["a.b/c"][*][name="x*"].y)", ""},
        {".metadata.labels", ""},
        {".metadata.annotations", ""},
        {R"(.metadata.labels["*"])", ""},
        {R"(.metadata.labels["*.example.com/team"])", ""},
        {R"(.metadata.annotations["reconcile.fluxcd.io/requestedAt"])", ""},
        {R"(.metadata["annotations"].note)", ""},
        {R"(.spec["a\"b\\c"])", ""},
        {R"(.metadata.labels["example.com/fluxcd-*"])", ""},
        {".", "everything"},
        {"", "everything"},
        {"spec", "a dot at character 1"},
        {".spec.", "a field name"},
        {".spec..x", "a field name"},
        {".spec.*", "a field name"},
        {".spec.a*", ". or [ at character 8"},
        {".spec[*", "a name in quotes"},
        {".spec[0]", "= and a value in quotes"},
        {".spec[name=x]", "a name in quotes"},
        {R"(.spec["x)", "a name in quotes"},
        {R"(.spec["x")", "]"},
        {R"(.spec[""])", "1 to 1,024"},
        {".spec x", ". or ["},
        {".spec.a{", ". or [ at character 8"},
        {R"(.spec["x\)", "a name in quotes"},
        {too_long, "at most 64 steps"},
        {".apiVersion", "apiVersion is never an addition"},
        {".kind", "kind is never an addition"},
        {R"(.["*"])", "a field name"},
        {".metadata", "only labels and annotations"},
        {".metadata.ownerReferences", "only labels and annotations"},
        {".metadata.finalizers", "only labels and annotations"},
        {".metadata.managedFields[*]", "only labels and annotations"},
        {R"(.metadata["*"])", "only labels and annotations"},
        {R"(.metadata["label*"])", "only labels and annotations"},
        {".metadata.labels[*]", "one key of labels"},
        {".metadata.labels.a.b", "one key of labels"},
        {R"(.metadata.labels["kustomize.toolkit.fluxcd.io/reconcile"])", "steers Flux"},
        {R"(.metadata.annotations["Kustomize.toolkit.fluxcd.io/*"])", "steers Flux"},
        {R"(.metadata.annotations["*.fluxcd.io/ssa"])", "steers Flux"},
        {R"(.metadata.annotations["kustomize.toolkit.fluxcd*"])", "steers Flux"},
        {R"(.metadata.annotations["helm.toolkit.fluxcd.io/name"])", "steers Flux"},
        {R"(.metadata.annotations["meta.helm.sh/release-name"])", "steers Flux"},
    };
    for (const auto& [path, problem] : rows) {
        INFO(path);
        const auto compiled = AllowedPath::compile(path);
        CHECK(compiled.has_value() == problem.empty());
        if (!compiled) CHECK(compiled.error().message.find(problem) != std::string::npos);
    }
}

TEST_CASE("scope and additions of a lock are checked at load") {
    const std::string lines = problems_of_lock("scope: fields, additions: {allow: [.spec.replicas, .kind]}");
    CHECK(lines.starts_with("p.yaml:6:"));
    CHECK(lines.find("r.additions") == std::string::npos);
    CHECK(lines.find("spec.rules[0].lock.additions.allow[1]: kind is never an addition") != std::string::npos);
    CHECK(problems_of_lock("scope: fields") == "");
    CHECK(problems_of_lock("scope: fields, additions: {action: Warn}") == "");
    CHECK(problems_of_lock("scope: object, additions: {action: Warn}").find("additions need scope: fields") != std::string::npos);
    CHECK(problems_of_lock("additions: {}").find("additions need scope: fields") != std::string::npos);
    CHECK(problems_of_lock("scope: fields, additions: {action: Audit}").find("expected one of: Deny, Warn") != std::string::npos);
    CHECK(problems_of_lock("scope: fields, additions: {alow: []}").find("did you mean \"allow\"?") != std::string::npos);
    CHECK(problems_of_lock("scope: fields, additions: {allow: [1]}").find("allow[0]: expected a field path in quotes, have") !=
          std::string::npos);
    CHECK(problems_of_lock("scope: fields, additions: {allow: .spec}").find("expected a list") != std::string::npos);
    std::string many;
    for (int i = 0; i < 65; ++i) many += ".spec.f" + std::to_string(i) + ", ";
    CHECK(problems_of_lock("scope: fields, additions: {allow: [" + many + "]}").find("allow[64]: at most 64 paths") != std::string::npos);
}

TEST_CASE("keys that steer Flux are known in any case") {
    const std::pair<std::string_view, bool> rows[] = {
        {"kustomize.toolkit.fluxcd.io/reconcile", true},
        {"HELM.toolkit.FLUXCD.io/driftDetection", true},
        {"fluxcd.io/x", true},
        {"resourceset.fluxcd.controlplane.io/name", true},
        {"meta.helm.sh/release-name", true},
        {"notfluxcd.io/x", false},
        {"reconcile.fluxcd.io/requestedAt", false},
        {"app.kubernetes.io/managed-by", false},
        {"fluxcd.io.example.com/x", false},
        {"team", false},
        {"te\u00e4m", true},
    };
    for (const auto& [key, steers] : rows) {
        INFO(key);
        CHECK(steers_flux(key) == steers);
    }
}

TEST_CASE("a step of a path leads to the members and items that it names") {
    const auto leads = [](std::string_view path, std::string_view before, std::string_view after) {
        const std::string old_text = kube::with_slack(before);
        const std::string new_text = kube::with_slack(after);
        kube::JsonReader old_reader{Limits{}};
        kube::JsonReader new_reader{Limits{}};
        return AllowedPath::compile(path)->leads_to(1, old_reader.read(old_text).value(), new_reader.read(new_text).value());
    };
    struct Row {
        std::string_view name;
        std::string_view path;
        std::string_view before;
        std::string_view after;
        bool leads;
    };
    const Row rows[] = {
        {"any item", ".list[*]", R"({"name":"a"})", R"({"name":"b"})", true},
        {"the item of the name", R"(.list[name="a"])", R"({"name":"a"})", R"({"name":"a","x":1})", true},
        {"an item of another name", R"(.list[name="a"])", R"({"name":"b"})", R"({"name":"b"})", false},
        {"an item that gets another name", R"(.list[name="*"])", R"({"name":"a"})", R"({"name":"b"})", false},
        {"an item that gets its name", R"(.list[name="a"])", "{}", R"({"name":"a"})", false},
        {"an item that loses its name", R"(.list[name="a"])", R"({"name":"a"})", "{}", false},
        {"items without names", R"(.list[name="*"])", "{}", "{}", false},
        {"a field", ".list.a", R"({"":"a"})", R"({"":"a"})", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(leads(row.path, row.before, row.after) == row.leads);
    }
    CHECK(AllowedPath::compile(".list.a")->leads_to(1, "a"));
    CHECK_FALSE(AllowedPath::compile(".list.a")->leads_to(1, "b"));
    CHECK_FALSE(AllowedPath::compile(R"(.list[name="a"])")->leads_to(1, "a"));
}
