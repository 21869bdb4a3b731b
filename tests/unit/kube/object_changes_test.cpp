#include "kube/object_changes.hpp"

#include <rapidcheck.h>

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

using List = std::vector<std::string>;

// "path: new, was old"
List found(std::string_view before, std::string_view after, std::string_view kind = "Deployment", std::size_t changes_max = 100) {
    const Parsed old_object(before);
    const Parsed new_object(after);
    List list;
    for (const Change& change : find_changes(old_object.json, new_object.json, kind, changes_max).list)
        list.push_back(change.path + ": " + change.have + ", was " + change.want);
    return list;
}

}  // namespace

TEST_CASE("a change is named the way a person reads it") {
    struct Row {
        std::string_view name;
        std::string_view before;
        std::string_view after;
        List found;
    };
    const Row rows[] = {
        {"nothing", R"({"a":{"b":[1]}})", R"({"a":{"b":[1]}})", {}},
        {"members in another order", R"({"a":1,"b":2})", R"({"b":2,"a":1})", {}},
        {"at several depths, in one order and in another",
         R"({"a":{"b":{"c":1,"d":[{"e":1,"f":2}]},"g":1},"h":{"i":{"j":1},"k":1},"l":1})",
         R"({"a":{"b":{"c":2,"d":[{"f":2,"e":3}]},"g":4},"h":{"k":5,"i":{"j":6}},"l":7})",
         {".a.b.c: 2, was 1", ".a.b.d[0].e: 3, was 1", ".a.g: 4, was 1", ".h.i.j: 6, was 1", ".h.k: 5, was 1", ".l: 7, was 1"}},
        {"a value", R"({"spec":{"replicas":2}})", R"({"spec":{"replicas":3}})", {".spec.replicas: 3, was 2"}},
        {"added", R"({})", R"({"spec":{"paused":true}})", {".spec: {paused}, was (absent)"}},
        {"removed",
         R"({"metadata":{"labels":{"a/b":"c"}}})",
         R"({"metadata":{"labels":{}}})",
         {R"(.metadata.labels["a/b"]: (absent), was "c")"}},
        {"another type", R"({"a":1})", R"({"a":"1"})", {R"(.a: "1", was 1)"}},
        {"an object for a text", R"({"a":"x"})", R"({"a":{"k":1}})", {R"(.a: {k}, was "x")"}},
        {"null is not absent", R"({"a":null})", R"({})", {".a: (absent), was null"}},
        {"a list by name",
         R"({"l":[{"name":"a","v":1},{"name":"b","v":1}]})",
         R"({"l":[{"name":"a","v":1},{"name":"b","v":2}]})",
         {R"(.l[name="b"].v: 2, was 1)"}},
        {"a list that moved and changed",
         R"({"l":[{"name":"a","v":1},{"name":"b","v":1}]})",
         R"({"l":[{"name":"b","v":2},{"name":"a","v":1}]})",
         {R"(.l[name="b"].v: 2, was 1)"}},
        {"a list that only moved",
         R"({"l":[{"name":"a"},{"name":"b"}]})",
         R"({"l":[{"name":"b"},{"name":"a"}]})",
         {".l: (the same items in another order), was (in this order)"}},
        {"an item added",
         R"({"l":[{"name":"a"}]})",
         R"({"l":[{"name":"a"},{"name":"evil","image":"x"}]})",
         {R"(.l[name="evil"]: {name, image}, was (absent))"}},
        {"names that are not distinct",
         R"({"l":[{"name":"a","v":1},{"name":"a","v":2}]})",
         R"({"l":[{"name":"a","v":1},{"name":"a","v":3}]})",
         {".l[1].v: 3, was 2"}},
        {"a name twice that was there once",
         R"({"l":[{"name":"a","v":1}]})",
         R"({"l":[{"name":"a","v":1},{"name":"a","v":2}]})",
         {".l[1]: {name, v}, was (absent)"}},
        {"a list by index", R"({"l":[1,2,3]})", R"({"l":[1,4]})", {".l[1]: 4, was 2", ".l[2]: (absent), was 3"}},
        {"what the server writes",
         R"({"metadata":{"managedFields":[],"resourceVersion":"1","generation":1,"uid":"a","creationTimestamp":"x"}})",
         R"({"metadata":{"managedFields":[1],"resourceVersion":"2","generation":2,"uid":"b","creationTimestamp":"y"}})",
         {}},
        {"the same names elsewhere",
         R"({"spec":{"generation":1,"template":{"metadata":{"uid":"a"}}}})",
         R"({"spec":{"generation":2,"template":{"metadata":{"uid":"b"}}}})",
         {".spec.generation: 2, was 1", R"(.spec.template.metadata.uid: "b", was "a")"}},
        {"a control character", R"({"a":"x"})", R"({"a":"\u001b[31m\n"})", {R"(.a: "\u001b[31m\u000a", was "x")"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(found(row.before, row.after) == row.found);
    }
}

TEST_CASE("a value that may be a secret is named, not shown") {
    struct Row {
        std::string_view name;
        std::string_view kind;
        std::string_view before;
        std::string_view after;
        std::string_view path;
    };
    const Row rows[] = {
        {"data of a Secret", "Secret", R"({"data":{"k":"S3CRET1"}})", R"({"data":{"k":"S3CRET2"}})", ".data.k"},
        {"stringData of a Secret", "Secret", R"({"stringData":{"k":"S3CRET1"}})", R"({"stringData":{"k":"S3CRET2"}})", ".stringData.k"},
        {"all data of a Secret", "Secret", R"({})", R"({"data":{"k":"S3CRET2"}})", ".data"},
        {"data of a Secret, of a strange shape", "Secret", R"({"data":{"k":["S3CRET1"]}})", R"({"data":{"k":{"x":"S3CRET2"}}})", ".data.k"},
        {"data of a ConfigMap", "ConfigMap", R"({"data":{"k":"S3CRET1"}})", R"({"data":{"k":"S3CRET2"}})", ".data.k"},
        {"binaryData of a ConfigMap", "ConfigMap", R"({"binaryData":{"k":"S3CRET1"}})", R"({"binaryData":{"k":"S3CRET2"}})",
         ".binaryData.k"},
        {"an environment variable", "Pod", R"({"env":[{"name":"A","value":"S3CRET1"}]})", R"({"env":[{"name":"A","value":"S3CRET2"}]})",
         R"(.env[name="A"].value)"},
        {"an environment variable twice", "Pod", R"({"env":[{"name":"A","value":"S3CRET1"},{"name":"A","value":"x"}]})",
         R"({"env":[{"name":"A","value":"S3CRET2"},{"name":"A","value":"x"}]})", ".env[0].value"},
        {"a header of a probe", "Pod", R"({"httpHeaders":[{"name":"Authorization","value":"S3CRET1"}]})",
         R"({"httpHeaders":[{"name":"Authorization","value":"S3CRET2"}]})", R"(.httpHeaders[name="Authorization"].value)"},
        {"a parameter of a custom resource", "Task", R"({"params":[{"name":"db","value":"S3CRET1"}]})",
         R"({"params":[{"name":"db","value":"S3CRET2"}]})", R"(.params[name="db"].value)"},
        {"a parameter that is an object", "Task", R"({"params":[{"name":"db","value":{"a":"S3CRET1"}}]})",
         R"({"params":[{"name":"db","value":{"a":"S3CRET2"}}]})", R"(.params[name="db"].value.a)"},
        {"a command", "Pod", R"({"command":["x","S3CRET1"]})", R"({"command":["x","S3CRET2"]})", ".command[1]"},
        {"arguments", "Pod", R"({"args":["S3CRET1"]})", R"({"args":["S3CRET2"]})", ".args[0]"},
        {"the object repeated in an annotation", "Pod",
         R"({"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"S3CRET1"}}})",
         R"({"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"S3CRET2"}}})",
         R"(.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"])"},
        {"a password", "X", R"({"spec":{"adminPassword":"S3CRET1"}})", R"({"spec":{"adminPassword":"S3CRET2"}})", ".spec.adminPassword"},
        {"a token", "X", R"({"apiToken":{"x":"S3CRET1"}})", R"({"apiToken":{"x":"S3CRET2"}})", ".apiToken.x"},
        {"an api key", "X", R"({"api_key":"S3CRET1"})", R"({"api_key":"S3CRET2"})", ".api_key"},
        {"a private key", "X", R"({"tls":{"private-key":"S3CRET1"}})", R"({"tls":{"private-key":"S3CRET2"}})", R"(.tls.private-key)"},
        {"a passphrase", "X", R"({"passphrase":"S3CRET1"})", R"({"passphrase":"S3CRET2"})", ".passphrase"},
        {"credentials", "X", R"({"Credentials":["S3CRET1"]})", R"({"Credentials":["S3CRET2"]})", ".Credentials[0]"},
        {"a list below a hidden field that changes its type", "X", R"({"token":["S3CRET1"]})", R"({"token":"S3CRET2"})", ".token"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Parsed before(row.before);
        const Parsed after(row.after);
        const auto changes = find_changes(before.json, after.json, row.kind, 100);
        REQUIRE(changes.list.size() == 1);
        CHECK(changes.list[0].path == row.path);
        for (const std::string& shown : {changes.list[0].have, changes.list[0].want}) CHECK(shown.find("S3CRET") == std::string::npos);
    }
    CHECK(found(R"({"data":{"k":"a"}})", R"({"data":{"k":"b"}})", "Secret") == List{".data.k: (not shown), was (not shown)"});
    CHECK(found(R"({"data":{"k":"a"}})", R"({"data":{}})", "Secret") == List{".data.k: (absent), was (not shown)"});
    // What is no secret is shown: a toleration has a key, no name.
    CHECK(found(R"({"tolerations":[{"key":"k","value":"a"}]})", R"({"tolerations":[{"key":"k","value":"b"}]})") ==
          List{R"(.tolerations[0].value: "b", was "a")"});
    CHECK(found(R"({"containers":[{"name":"token-service","image":"a"}]})", R"({"containers":[{"name":"token-service","image":"b"}]})") ==
          List{R"(.containers[name="token-service"].image: "b", was "a")"});
}

TEST_CASE("values are short and cut between characters, and changes beyond the limit are counted") {
    std::string umlauts;
    for (int i = 0; i < 100; ++i) umlauts += "ü";
    const Parsed before(R"({"a":"x"})");
    const Parsed after(R"({"a":")" + umlauts + R"("})");
    const auto changes = find_changes(before.json, after.json, "X", 10);
    REQUIRE(changes.list.size() == 1);
    CHECK(changes.list[0].have.size() <= 80);
    CHECK(changes.list[0].have.ends_with("ü..."));

    std::string many_before = "[0";
    std::string many_after = "[1";
    for (int i = 0; i < 99; ++i) {
        many_before += ",0";
        many_after += ",1";
    }
    const Parsed zeros(many_before + "]");
    const Parsed ones(many_after + "]");
    const auto cut = find_changes(zeros.json, ones.json, "X", 10);
    CHECK(cut.list.size() == 10);
    CHECK(cut.omitted == 90);
}

TEST_CASE("hostile objects cost little more than their length") {
    // One long key above very many leaves: a path for each would be 300 GB.
    std::string leaves_before = "{\"x\":0";
    std::string leaves_after = "{\"x\":1";
    for (int i = 0; i < 200'000; ++i) {
        leaves_before += ",\"k" + std::to_string(i) + "\":0";
        leaves_after += ",\"k" + std::to_string(i) + "\":1";
    }
    const std::string long_key(1'500'000, 'k');
    const Parsed before("{\"" + long_key + "\":" + leaves_before + "}}");
    const Parsed after("{\"" + long_key + "\":" + leaves_after + "}}");
    const auto changes = find_changes(before.json, after.json, "X", 200);
    CHECK(changes.list.size() == 200);
    CHECK(changes.omitted == 200'001 - 200);
    std::size_t bytes = 0;
    for (const Change& change : changes.list) bytes += change.path.size();
    CHECK(bytes < 1'000'000);

    // Deep and long.
    std::string deep_before;
    std::string deep_after;
    for (int i = 0; i < 200; ++i) {
        deep_before += "{\"value\":0,\"" + std::string(10'000, 'd') + "\":";
        deep_after += "{\"value\":1,\"" + std::string(10'000, 'd') + "\":";
    }
    const Parsed deep_old(deep_before + "0" + std::string(200, '}'));
    const Parsed deep_new(deep_after + "1" + std::string(200, '}'));
    CHECK(find_changes(deep_old.json, deep_new.json, "X", 1'000).list.size() == 201);
}

namespace {

// Numbers the leaves of a random object, so that one of them can be changed.
std::string random_object(int depth, int& leaves, int changed) {
    const int kind = depth > 0 ? *rc::gen::inRange(0, 4) : 0;
    if (kind == 0) {
        const bool is_changed = leaves++ == changed;
        return is_changed ? "\"changed\"" : "\"same\"";
    }
    const int count = 1 + leaves % 3;
    if (kind == 1) {
        std::string text = "{";
        for (int i = 0; i < count; ++i)
            text += (i ? ",\"m" : "\"m") + std::to_string(i) + "\":" + random_object(depth - 1, leaves, changed);
        return text + "}";
    }
    std::string text = "[";
    for (int i = 0; i < count; ++i) {
        text += i ? "," : "";
        text += kind == 2 ? random_object(depth - 1, leaves, changed)
                          : R"({"name":"n)" + std::to_string(i) + R"(","f":)" + random_object(depth - 1, leaves, changed) + "}";
    }
    return text + "]";
}

// The same random choices twice: the text and its copy with another leaf.
std::string with_changed_leaf(const std::string& text, std::size_t leaf) {
    std::string copy = text;
    std::size_t at = 0;
    for (std::size_t i = 0; i <= leaf; ++i) at = copy.find("\"same\"", i ? at + 1 : 0);
    return copy.replace(at, 6, "\"S3CRET\"");
}

}  // namespace

TEST_CASE("one changed leaf is found, once, whatever the object looks like") {
    CHECK(rc::check("find_changes", [] {
        int leaves = 0;
        const std::string text = "{\"spec\":" + random_object(5, leaves, -1) + "}";
        const auto leaf = static_cast<std::size_t>(*rc::gen::inRange(0, leaves));
        const Parsed before(text);
        const Parsed after(with_changed_leaf(text, leaf));
        RC_ASSERT(find_changes(before.json, before.json, "X", 100).list.empty());
        const auto changes = find_changes(before.json, after.json, "X", 100);
        RC_ASSERT(changes.list.size() == 1u);
        RC_ASSERT(changes.list[0].have == "\"S3CRET\"");
        RC_ASSERT(changes.list[0].want == "\"same\"");
    }));
}

TEST_CASE("no value below a hidden field is ever shown") {
    CHECK(rc::check("find_changes of a Secret", [] {
        int leaves = 0;
        const std::string text = random_object(4, leaves, -1);
        const auto leaf = static_cast<std::size_t>(*rc::gen::inRange(0, leaves));
        const std::string field = *rc::gen::element<std::string>("data", "stringData", "binaryData", "password", "args", "env");
        const bool is_env = field == "env";
        const auto wrap = [&](const std::string& value) {
            return is_env ? R"({"env":[{"name":"A","value":)" + value + "}]}" : "{\"" + field + "\":{\"k\":" + value + "}}";
        };
        const Parsed before(wrap(text));
        const Parsed after(wrap(with_changed_leaf(text, leaf)));
        const auto changes = find_changes(before.json, after.json, "Secret", 100);
        RC_ASSERT(changes.list.size() == 1u);
        RC_ASSERT(changes.list[0].have.find("S3CRET") == std::string::npos);
        const Parsed gone(wrap("0"));
        for (const Change& change : find_changes(gone.json, after.json, "Secret", 100).list) {
            RC_ASSERT(change.have.find("S3CRET") == std::string::npos);
            RC_ASSERT(change.have.find("same") == std::string::npos);
        }
    }));
}
