#include "kube/manifest_object.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace fluxgate::kube {

namespace {

struct Outcome {
    std::vector<std::string> objects;
    std::string problem;  // LINE:COLUMN CODE message
};

Outcome read(std::string_view text, int line = 1, const Limits& limits = {}) {
    Outcome outcome;
    ManifestReader reader(limits);
    const auto problem = reader.read(text, line, [&](ManifestObject&& object) { outcome.objects.push_back(object.json); });
    if (problem) {
        outcome.problem = std::to_string(problem->position.line) + ":" + std::to_string(problem->position.column) + " " +
                          std::string(to_string(problem->code)) + " " + problem->message;
    }
    return outcome;
}

std::string json_of(std::string_view text) {
    const Outcome outcome = read(text);
    return outcome.problem.empty() && outcome.objects.size() == 1 ? outcome.objects.front()
                                                                  : std::to_string(outcome.objects.size()) + " objects; " + outcome.problem;
}

std::string located(std::string_view yaml, std::string_view path) {
    std::string found;
    ManifestReader reader(Limits{});
    JsonReader json(Limits{});
    const auto problem = reader.read(yaml, 1, [&](ManifestObject&& object) {
        const auto read = json.read(object.json);
        REQUIRE(read);
        const Position position = object.locate(*read, path);
        found = std::to_string(position.line) + ":" + std::to_string(position.column);
    });
    CHECK(!problem);
    return found;
}

}  // namespace

TEST_CASE("plain scalars mean what go-yaml makes of them") {
    struct Row {
        std::string yaml;
        std::string json;
    };
    for (const Row& row : std::vector<Row>{
             {"true", "true"},
             {"tRue", R"("tRue")"},
             {"~", "null"},
             {"Null", "null"},
             {"nil", R"("nil")"},
             {"", "null"},
             {"12", "12"},
             {"+12", "12"},
             {"-0", "0"},
             {"0777", "511"},
             {"0o17", "15"},
             {"0x1F", "31"},
             {"-0x10", "-16"},
             {"0b101", "5"},
             {"1_000", "1000"},
             {"08", "8"},
             {"1.50", "1.5"},
             {".5", "0.5"},
             {"5.", "5"},
             {"1e3", "1000"},
             {"1e400", R"("1e400")"},
             {"18446744073709551615", "18446744073709551615"},
             {"18446744073709551616", "1.8446744073709552e+19"},
             {"-9223372036854775808", "-9223372036854775808"},
             {"1e-400", "0"},
             {"+18446744073709551615", "1.8446744073709552e+19"},
             {"-9223372036854775809", "-9.223372036854776e+18"},
             {"0b-11", "-3"},
             {"-0b-11", R"("-0b-11")"},
             {".5_0", "0.5"},
             {"._5", R"("._5")"},
             {".5_", R"(".5_")"},
             {"!!float 12", "12"},
             {"!!merge <<", R"("<<")"},
             {"1:30", R"("1:30")"},
             {"2026-11-21", R"("2026-11-21")"},
             {"1.2.3", R"("1.2.3")"},
             {"100m", R"("100m")"},
             {"-", R"(["null"])"},
             {"\"yes\"", R"("yes")"},
             {"'12'", R"("12")"},
             {"!!str 12", R"("12")"},
             {"!!int \"12\"", "12"},
             {"! 12", R"("12")"},
             {"!secret abc", R"("abc")"},
             {"|\n  one\n  two\n", R"("one\u000atwo\u000a")"},
             {"\"tab\\t quote\\\" \\u263a\"", "\"tab\\u0009 quote\\\" \xe2\x98\xba\""},
         }) {
        INFO(row.yaml);
        const std::string expected = row.json == R"(["null"])" ? "[null]" : row.json;
        CHECK(json_of("a: " + row.yaml) == (row.yaml == "-" ? json_of("a: -") : "{\"a\":" + expected + "}"));
    }
}

TEST_CASE("words that kubectl and Flux read in two ways are refused as values; keys are those that Flux makes") {
    for (const std::string word : {"yes", "On", "y", "off", "NO", "N"}) {
        INFO(word);
        CHECK(read("a: " + word + "\n").problem.find("1:4 invalid_yaml " + word + " is ") == 0);
        CHECK(json_of(word + ": a\n") == "{\"" + word + "\":\"a\"}");
        CHECK(json_of("a: '" + word + "'\n") == "{\"a\":\"" + word + "\"}");
    }
    CHECK(json_of("a: !!bool yes\n") == R"({"a":true})");
}

TEST_CASE("no spelling of a merge key hides what it merges") {
    CHECK(json_of("a: &a {k: 1}\nb: {!!merge <<: *a}\n") == R"({"a":{"k":1},"b":{"k":1}})");
    CHECK(json_of("a: &a {k: 1}\nb: {! <<: *a}\n") == R"({"a":{"k":1},"b":{"k":1}})");
    const std::string by_alias = read("x:\n  y: &m <<\na: &a {k: 1}\nb: {*m : *a}\n").problem;
    INFO(by_alias);
    CHECK(by_alias.find("4:5 invalid_yaml an alias of << as a key") == 0);
    CHECK(read("a: &a {k: 1}\nb: {<<: *a, <<: *a}\n").problem.find("duplicate_key") != std::string::npos);
}

TEST_CASE("lists are opened however they are written") {
    const std::vector<std::string> service{R"({"apiVersion":"v1","kind":"Service"})"};
    const std::string item = "{apiVersion: v1, kind: Service}";
    CHECK(read("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  metadata: {name: inner}\n  items: [" + item + "]\n")
              .objects == service);
    CHECK(read("apiVersion: v1\nkind: List\n<<: {items: [" + item + "]}\n").objects == service);
    CHECK(read("apiVersion: v1\nkind: ConfigMap\nitems: [" + item + "]\n").objects == service);
    CHECK(read("apiVersion: v1\nkind: ServiceList\nitems: [{spec: {type: NodePort}}, {}]\n").objects ==
          std::vector<std::string>{R"({"apiVersion":"v1","kind":"Service","spec":{"type":"NodePort"}})",
                                   R"({"apiVersion":"v1","kind":"Service"})"});
    CHECK(read("apiVersion: v1\nkind: List\nitems: []\nitems: [" + item + "]\n").problem.find("4:1 duplicate_key") == 0);
    CHECK(read("items: [1, 2]\n").objects == std::vector<std::string>{R"({"items":[1,2]})"});

    std::string lists = "a0: &a0 {apiVersion: v1, kind: List, items: []}\n";
    for (int i = 1; i < 12; ++i) {
        const std::string one = "*a" + std::to_string(i - 1);
        lists += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {apiVersion: v1, kind: List, items: [" + one;
        for (int j = 1; j < 10; ++j) lists += "," + one;
        lists += "]}\n";
    }
    lists += "apiVersion: v1\nkind: List\nitems: [*a11]\n";
    CHECK(read(lists).problem.find("too_many_nodes") != std::string::npos);
    CHECK(located("apiVersion: v1\nkind: ServiceList\nitems:\n- spec:\n    type: NodePort\n", ".spec.type") == "5:5");
}

TEST_CASE("keys become text as in go-yaml") {
    CHECK(json_of("8080: web\ntrue: x\n'<<': why\n0x10: z\n") == R"({"8080":"web","true":"x","<<":"why","16":"z"})");
}

TEST_CASE("keys that are numbers with a fraction or exponent are written as a short float") {
    CHECK(json_of("1.50: a\n1e5: b\n1e6: c\n16777217.5: d\n0.00001: e\n.inf: f\n-1e39: g\n.nan: h\n") ==
          R"({"1.5":"a","100000":"b","1e+06":"c","1.6777218e+07":"d","1e-05":"e",".inf":"f","-.inf":"g",".nan":"h"})");
    CHECK(json_of("!!float 12: a\n") == R"({"12":"a"})");
}

TEST_CASE("aliases and merge keys are expanded; what stands in the mapping wins, then the first of a list") {
    CHECK(json_of("a: &x {k: 1}\nb: *x\n") == R"({"a":{"k":1},"b":{"k":1}})");
    CHECK(json_of("base: &b {cpu: 1, memory: 2}\nmine: {<<: *b, cpu: 5}\n") ==
          R"({"base":{"cpu":1,"memory":2},"mine":{"cpu":5,"memory":2}})");
    CHECK(json_of("p: &p {a: 1}\nq: &q {a: 2, b: 2}\nr:\n  <<: [*p, *q]\n  c: 3\n") ==
          R"({"p":{"a":1},"q":{"a":2,"b":2},"r":{"c":3,"a":1,"b":2}})");
    CHECK(json_of("p: &p {a: 1}\nq: &q {<<: *p, b: 2}\nr: {<<: *q}\n") == R"({"p":{"a":1},"q":{"b":2,"a":1},"r":{"b":2,"a":1}})");
}

TEST_CASE("documents, empty documents and Lists come as objects") {
    CHECK(read("---\na: 1\n---\n---\n# nothing\n---\n~\n--- {b: 2}\n...\n").objects ==
          std::vector<std::string>{R"({"a":1})", R"({"b":2})"});
    CHECK(read("apiVersion: v1\nkind: List\nitems:\n- {a: 1}\n- {b: 2}\n").objects == std::vector<std::string>{R"({"a":1})", R"({"b":2})"});
    CHECK(read(R"({"kind":"PodList","apiVersion":"v1","items":[{"a":1}]})").objects ==
          std::vector<std::string>{R"({"apiVersion":"v1","kind":"Pod","a":1})"});
    CHECK(read("apiVersion: v1\nkind: List\nitems: []\n").objects.empty());
    CHECK(read("kind: List\nitems: [{a: 1}]\nitems: [{b: 1}]\n").problem.find("3:1 duplicate_key") == 0);
    CHECK(json_of("kind: AllowList\nspec: {}\n") == R"({"kind":"AllowList","spec":{}})");
}

TEST_CASE("JSON may write characters as pairs of escapes, YAML may not") {
    CHECK(json_of(R"({"a":"\ud83d\ude00 \\ud83d"})") == "{\"a\":\"\xf0\x9f\x98\x80 \\\\ud83d\"}");
    CHECK(json_of(R"({"a":"\ud83d\ud83d\ude00\ude00"})") == "{\"a\":\"\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd\"}");
    CHECK(read("a: \"\\ud83d\\ude00\"\n").problem.find("invalid_yaml") != std::string::npos);
}

TEST_CASE("what is JSON is read as JSON, and as YAML if it is none") {
    struct Row {
        std::string what;
        std::string text;
        std::string json;
    };
    const std::string long_key(2'000, 'k');
    for (const Row& row : std::vector<Row>{
             {"a long key", "{\"" + long_key + "\":1}", "{\"" + long_key + "\":1}"},
             {"a colon in the next line", "{\"a\"\n:\n1}", R"({"a":1})"},
             {"a tab before it", "\t{\"a\":1}", R"({"a":1})"},
             {"characters that are control characters to YAML", "{\"a\":\"\x7f\xc2\x80\"}", "{\"a\":\"\\u007f\xc2\x80\"}"},
             {"every escape", R"({"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\u0000"})",
              "{\"a\":\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009A\xc3\xa9\xe2\x82\xac\\u0000\"}"},
             {"every kind of value", R"( {"a":[null,true,false,-0,1.5e3,[],{}]} )", R"({"a":[null,true,false,0,1500,[],{}]})"},
             {"a comma too many", R"({"a":[1,2,],})", R"({"a":[1,2]})"},
             {"a comment", "{\"a\":1} # one", R"({"a":1})"},
             {"a number that is none in JSON", R"({"a":012})", R"({"a":10})"},
             {"a number without a digit behind the point", R"({"a":1.})", R"({"a":1})"},
             {"unquoted text", R"({"a":word})", R"({"a":"word"})"},
             {"a line break in a string", "{\"a\":\"x\ny\"}", R"({"a":"x y"})"},
             {"an escape that JSON does not know", R"({"a":"\x41"})", R"({"a":"A"})"},
         }) {
        INFO(row.what);
        CHECK(json_of(row.text) == row.json);
    }
    CHECK(located("{\n \"a\": [\n\t{\"b\": \"\xe2\x82\xac\", \"c\": 1}\n ]\n}", ".a[0].c") == "3:13");
    CHECK(read("{\"a\":1}{\"b\":1}").problem.find("invalid_yaml") != std::string::npos);
    CHECK(read("{\"a\":\"\xff\"}").problem.find("invalid_utf8") != std::string::npos);
    CHECK(read("{\"a\":1,\n\"a\":2}").problem.find("2:1 duplicate_key") == 0);
    CHECK(read("{\"a\":" + std::string(300, '[') + std::string(300, ']') + "}").problem.find("1:261 too_deep") == 0);
}

TEST_CASE("what cannot be read says where and why") {
    struct Row {
        std::string what;
        std::string yaml;
        std::string problem;
    };
    for (const Row& row : std::vector<Row>{
             {"a bracket that is never closed", "a: 1\nb: [x\nc: 2\n",
              "3:2 invalid_yaml while parsing a flow sequence that starts in line 2: "},
             {"a tab", "a:\n\tb: 1\n", "2:1 invalid_yaml while scanning"},
             {"a key twice", "a: 1\nb: 2\na: 3\n", "3:1 duplicate_key the key \"a\" stands twice; the first is in line 1"},
             {"a key twice among many",
              "{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, k: 1, l: 1, m: 1, o: 1, p: 1, q: 1, r: 1, c: 2}",
              "1:104 duplicate_key the key \"c\" stands twice"},
             {"a mapping as a key", "{a: 1}: b\n", "1:1 invalid_yaml a key must be a string"},
             {"no key", "? ~\n: b\n", "1:3 invalid_yaml"},
             {"infinity", "a: .inf\n", "1:4 invalid_yaml .inf is no number in JSON"},
             {"binary", "a: !!binary aGk=\n", "1:4 invalid_yaml the tag !!binary"},
             {"an alias without anchor", "a: *b\n", "1:4 invalid_yaml the alias *b has no anchor before it"},
             {"an alias inside of itself", "a: &a\n  b: *a\n", "2:6 invalid_yaml the alias *a stands inside"},
             {"a merge of a scalar", "a: &a 1\nb: {<<: *a}\n", "2:9 invalid_yaml << merges mappings only"},
             {"a merge of a list that stands elsewhere", "a: &a [{b: 1}]\nb: {<<: *a}\n", "2:9 invalid_yaml << merges mappings only"},
             {"two merges", "a: &a {b: 1}\nb: {<<: *a, <<: *a}\n", "2:13 duplicate_key the key << stands twice"},
             {"a tag that is not true", "a: !!int x\n", "1:4 invalid_yaml \"x\" is no integer, as the tag says"},
             {"a null with text", "a: !!null x\n", "1:4 invalid_yaml \"x\" is no null"},
             {"a boolean of one digit", "a: !!bool 1\n", "1:4 invalid_yaml \"1\" is no boolean"},
             {"a float that is too long", "a: !!float 18446744073709551615\n", "is no floating-point number"},
             {"a key of 64 bits without sign", "18446744073709551615: a\n", "1:1 invalid_yaml 18446744073709551615 is no key"},
             {"bytes that are no UTF-8", "a: \xff\n", "invalid_utf8"},
             {"control characters", std::string("a: \x01\n"), "invalid_yaml"},
             {"an anchor of another document", "a: &x 1\n---\nb: *x\n", "3:4 invalid_yaml the alias *x has no anchor"},
         }) {
        INFO(row.what);
        const std::string problem = read(row.yaml).problem;
        INFO(problem);
        CHECK(problem.find(row.problem) != std::string::npos);
    }
}

TEST_CASE("lines count from where the document stands in its file") {
    CHECK(read("a: 1\na: 2\n", 41).problem.find("42:1 duplicate_key") == 0);
}

TEST_CASE("what would grow without end is refused") {
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 9; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j) bomb += (j > 0 ? "," : "") + before;
        bomb += "]\n";
    }
    CHECK(read(bomb).problem.find("too_many_nodes") != std::string::npos);

    std::string merges = "a0: &a0 {k: 1}\n";
    for (int i = 1; i < 40; ++i) {
        merges += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {<<: [*a" + std::to_string(i - 1) + ", *a" +
                  std::to_string(i - 1) + "]}\n";
    }
    CHECK(read(merges).problem.find("too_") != std::string::npos);

    CHECK(read(std::string(300, '[') + std::string(300, ']')).problem.find("1:257 too_deep") == 0);
    Limits small;
    small.manifest_nodes_max = 5;
    CHECK(read("[1,2,3,4,5,6]", 1, small).problem.find("too_many_nodes") != std::string::npos);
    small.manifest_bytes_max = 4;
    CHECK(read("a: 12", 1, small).problem.find("too_large") != std::string::npos);
    // A little text may ask for much in every item of a List.
    Limits whole;
    whole.manifest_nodes_max = 1'000;
    std::string list = "kind: List\nx: &x [1,2,3,4,5,6,7,8,9]\nitems:\n";
    for (int i = 0; i < 200; ++i) list += "- *x\n";
    CHECK(read(list, 1, whole).problem.find("too_many_nodes") != std::string::npos);
    Limits bytes;
    bytes.body_bytes_max = 10'000;
    const std::string repeated = "a: &a " + std::string(5'000, 'x') + "\nb: [*a,*a,*a,*a]\n";
    CHECK(read(repeated, 1, bytes).problem.find("too_large") != std::string::npos);
}

TEST_CASE("a violation finds its line, or that of the nearest parent that is there") {
    const std::string yaml =
        "# a comment\n"                                               // 1
        "apiVersion: apps/v1\n"                                       // 2
        "metadata:\n"                                                 // 3
        "  labels: {app: web, \"a.b/c\": x}\n"                        // 4
        "spec:\n"                                                     // 5
        "  template:\n"                                               // 6
        "    spec:\n"                                                 // 7
        "      containers:\n"                                         // 8
        "      - name: web\n"                                         // 9
        "        image: nginx\n"                                      // 10
        "      - image: other\n"                                      // 11
        "        name: \"odd \\\"name\\\"\"\n"                        // 12
        "        ports: [{containerPort: 1}, {containerPort: 2}]\n";  // 13
    struct Row {
        std::string path;
        std::string place;
    };
    for (const Row& row : std::vector<Row>{
             {".", "2:1"},
             {".metadata", "3:1"},
             {R"(.metadata.labels["a.b/c"])", "4:22"},
             {".metadata.labels.team", "4:3"},
             {".spec.replicas", "5:1"},
             {R"(.spec.template.spec.containers[name="web"].image)", "10:9"},
             {R"(.spec.template.spec.containers[name="web"].resources.limits.memory)", "9:9"},
             {R"(.spec.template.spec.containers[name="odd \"name\""].ports[1].containerPort)", "13:38"},
             {R"(.spec.template.spec.containers[name="none"].image)", "8:7"},
             {".spec.template.spec.containers[1].image", "11:9"},
             {".spec.template.spec.containersX", "7:5"},
             {".nothing", "2:1"},
         }) {
        INFO(row.path);
        CHECK(located(yaml, row.path) == row.place);
    }
    CHECK(located("a: &x {deep: 1}\nb: *x\n", ".b.deep") == "1:8");
    CHECK(located("{\n  \"a\": [\n    {\"b\": 1}\n  ]\n}", ".a[0].b") == "3:6");
}

}  // namespace fluxgate::kube
