#include "kube/field_set.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

using Paths = std::vector<std::string>;

FieldSet parsed(std::string_view json) {
    const auto set = FieldSet::parse(json, Limits{});
    INFO(json);
    INFO((set ? std::string() : to_string(set.error())));
    REQUIRE(set.has_value());
    return *set;
}

}  // namespace

TEST_CASE("a field set is the paths it declares") {
    struct Row {
        std::string_view name;
        std::string_view json;
        Paths paths;
    };
    const Row rows[] = {
        {"nothing", "{}", {}},
        {"a dot at the top is ignored, as Kubernetes does", R"({".":{}})", {}},
        {"a leaf", R"({"f:data":{}})", {".data"}},
        {"a leaf written with a dot", R"({"f:data":{".":{}}})", {".data"}},
        {"a path without its parents", R"({"f:spec":{"f:replicas":{}}})", {".spec.replicas"}},
        {"a parent and its child", R"({"f:spec":{".":{},"f:replicas":{}}})", {".spec", ".spec.replicas"}},
        {"a container by name",
         R"({"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{}}}}})",
         {R"(.spec.containers[name="web"])", R"(.spec.containers[name="web"].image)"}},
        {"a port by two keys",
         R"({"f:ports":{"k:{\"protocol\":\"TCP\",\"containerPort\":80}":{}}})",
         {R"(.ports[containerPort=80,protocol="TCP"])"}},
        {"an annotation", R"({"f:metadata":{"f:annotations":{"f:a.b/c":{}}}})", {R"(.metadata.annotations["a.b/c"])"}},
        {"a finalizer", R"({"f:metadata":{"f:finalizers":{"v:\"x\"":{}}}})", {R"(.metadata.finalizers[="x"])"}},
        {"items by position", R"({"f:list":{"i:0":{},"i:12":{}}})", {".list[0]", ".list[12]"}},
        {"values of every type",
         R"({"v:1":{},"v:true":{},"v:null":{},"v:\"1\"":{},"v:-1.5":{}})",
         {R"([="1"])", "[=-1.5]", "[=1]", "[=null]", "[=true]"}},
        {"siblings are sorted", R"({"f:b":{},"f:a":{},"f:c":{}})", {".a", ".b", ".c"}},
        {"a name of nothing", R"({"f:":{}})", {R"([""])"}},
        {"a name that looks like an element", R"({"f:k:{}":{},"f:.":{}})", {R"(["."])", R"(["k:{}"])"}},
        {"quotes in a name", R"({"f:a\"b":{}})", {R"(["a\"b"])"}},
        {"a key without fields", R"({"f:list":{"k:{}":{}}})", {".list[]"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const FieldSet set = parsed(row.json);
        CHECK(set.paths() == row.paths);
        CHECK(set.empty() == row.paths.empty());
        CHECK(parsed(set.to_json()) == set);
    }
}

TEST_CASE("what is no field set is an error with its place") {
    struct Row {
        std::string_view name;
        std::string_view json;
        Errc code;
        std::string_view where;
    };
    const Row rows[] = {
        {"nothing at all", "", Errc::invalid_json, ""},
        {"broken JSON", R"({"f:a":)", Errc::invalid_json, ""},
        {"invalid UTF-8", "{\"f:\xff\":{}}", Errc::invalid_utf8, ""},
        {"something behind it", "{} {}", Errc::trailing_data, ""},
        {"a list", "[]", Errc::invalid_field_set, ""},
        {"null", "null", Errc::invalid_field_set, ""},
        {"an unknown element", R"({"f:a":{"x:b":{}}})", Errc::invalid_field_set, "/f:a/x:b"},
        {"a name without its kind", R"({"spec":{}})", Errc::invalid_field_set, "/spec"},
        {"an empty name", R"({"":{}})", Errc::invalid_field_set, "/"},
        {"one character", R"({"f":{}})", Errc::invalid_field_set, "/f"},
        {"a string as a leaf", R"({"f:a":"x"})", Errc::invalid_field_set, "/f:a"},
        {"null as a leaf", R"({"f:a":null})", Errc::invalid_field_set, "/f:a"},
        {"a list as a leaf", R"({"f:a":{"f:b":[]}})", Errc::invalid_field_set, "/f:a/f:b"},
        {"a dot with content", R"({"f:a":{".":{"f:b":{}}}})", Errc::invalid_field_set, "/f:a/."},
        {"a dot that is no object", R"({"f:a":{".":1}})", Errc::invalid_field_set, "/f:a/."},
        {"a field twice", R"({"f:a":{},"f:a":{}})", Errc::invalid_field_set, "/f:a"},
        {"a field twice in other spelling", R"({"f:a":{},"f:\u0061":{}})", Errc::invalid_field_set, "/f:a"},
        {"a key twice in other order", R"({"k:{\"a\":1,\"b\":2}":{},"k:{\"b\":2,\"a\":1}":{}})", Errc::invalid_field_set,
         R"(/k:{"b":2,"a":1})"},
        {"a value twice in other spelling", R"({"v:1000":{},"v:1e3":{}})", Errc::invalid_field_set, "/v:1e3"},
        {"an index twice", R"({"i:7":{},"i:07":{}})", Errc::invalid_field_set, "/i:07"},
        {"a key that is no object", R"({"k:\"name\"":{}})", Errc::invalid_field_set, R"(/k:"name")"},
        {"a key that is broken off", R"({"k:{\"name\":":{}})", Errc::invalid_field_set, R"(/k:{"name":)"},
        {"a key with something behind it", R"({"k:{} x":{}})", Errc::invalid_field_set, "/k:{} x"},
        {"a key with a list", R"({"k:{\"a\":[1]}":{}})", Errc::invalid_field_set, R"(/k:{"a":[1]})"},
        {"a key with a name twice", R"({"k:{\"a\":1,\"a\":1}":{}})", Errc::invalid_field_set, R"(/k:{"a":1,"a":1})"},
        {"a trailing comma in a key", R"({"k:{\"a\":1,}":{}})", Errc::invalid_field_set, R"(/k:{"a":1,})"},
        {"half of a surrogate pair in a key", R"({"v:\"\\ud83d\"":{}})", Errc::invalid_field_set, R"(/v:"\ud83d")"},
        {"a line feed in a string of a key", R"({"v:\"\n\"":{}})", Errc::invalid_field_set, "/v:\"\n\""},
        {"a value that is missing", R"({"v:":{}})", Errc::invalid_field_set, "/v:"},
        {"a value that is an object", R"({"v:{}":{}})", Errc::invalid_field_set, "/v:{}"},
        {"a number with a leading zero", R"({"v:01":{}})", Errc::invalid_field_set, "/v:01"},
        {"a number without digits", R"({"v:-":{}})", Errc::invalid_field_set, "/v:-"},
        {"a number beyond double", R"({"v:1e999":{}})", Errc::invalid_field_set, "/v:1e999"},
        {"a negative index", R"({"i:-1":{}})", Errc::invalid_field_set, "/i:-1"},
        {"an index without digits", R"({"i:":{}})", Errc::invalid_field_set, "/i:"},
        {"an index beyond all lists", R"({"i:1234567890123456789":{}})", Errc::invalid_field_set, "/i:1234567890123456789"},
        {"a slash and a tilde in the place", R"({"f:a/b":{"f:c~d":1}})", Errc::invalid_field_set, "/f:a~1b/f:c~0d"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto set = FieldSet::parse(row.json, Limits{});
        REQUIRE_FALSE(set.has_value());
        CHECK(to_string(set.error().code) == to_string(row.code));
        CHECK(set.error().where == row.where);
        CHECK_FALSE(set.error().message.empty());
    }
}

TEST_CASE("a part of a field set is what stands beneath the fields named, and the rest stays unread") {
    struct Row {
        std::string_view name;
        std::string_view json;
        std::vector<std::string_view> wanted;
        std::optional<Paths> paths;  // nothing: an error
    };
    const Row rows[] = {
        {"one of two", R"({"f:data":{"f:a":{}},"f:spec":{"f:b":{}}})", {"spec"}, Paths{".spec.b"}},
        {"both", R"({"f:data":{},"f:spec":{}})", {"spec", "data"}, Paths{".data", ".spec"}},
        {"none", R"({"f:data":{},"f:spec":{}})", {}, Paths{}},
        {"one that is not there", R"({"f:data":{}})", {"spec"}, Paths{}},
        {"only at the top", R"({"f:spec":{"f:data":{}}})", {"spec"}, Paths{".spec.data"}},
        {"what is unreadable elsewhere is no matter", R"({"f:data":{"z:a":{}},"f:spec":{}})", {"spec"}, Paths{".spec"}},
        {"what is unreadable there is an error", R"({"f:data":{"z:a":{}},"f:spec":{}})", {"data"}, std::nullopt},
        {"an element that is no field is never passed over", R"({"z:data":{}})", {"spec"}, std::nullopt},
        {"nor is an item", R"({"i:0":{},"f:data":{}})", {"spec"}, Paths{"[0]"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        JsonReader reader(Limits{});
        const std::string text = with_slack(row.json);
        const auto json = reader.read(text);
        REQUIRE(json.has_value());
        const auto part = FieldSet::read_below(*json, row.wanted, Limits{});
        REQUIRE(part.has_value() == row.paths.has_value());
        if (row.paths) CHECK(part->paths() == *row.paths);
    }
}

TEST_CASE("field sets are equal by content") {
    struct Row {
        std::string_view name;
        std::string_view left;
        std::string_view right;
        bool equal;
    };
    const Row rows[] = {
        {"another order", R"({"f:a":{"f:x":{},"f:y":{}},"f:b":{}})", R"({"f:b":{},"f:a":{"f:y":{},"f:x":{}}})", true},
        {"another order of key fields", R"({"k:{\"a\":1,\"b\":\"x\"}":{}})", R"({"k:{\"b\":\"x\",\"a\":1}":{}})", true},
        {"blanks in a key", R"({"k:{ \"a\" : 1 }":{}})", R"({"k:{\"a\":1}":{}})", true},
        {"another escape", R"({"v:\"\\u0041\\/\"":{}})", R"({"v:\"A/\"":{}})", true},
        {"another spelling of a number", R"({"v:1.50":{},"v:-0":{}})", R"({"v:15e-1":{},"v:0":{}})", true},
        {"a leaf with and without its dot", R"({"f:a":{".":{}}})", R"({"f:a":{}})", true},
        {"a number and a string", R"({"v:1":{}})", R"({"v:\"1\"":{}})", false},
        {"integers beyond double", R"({"v:9007199254740993":{}})", R"({"v:9007199254740992":{}})", false},
        {"a parent declared or not", R"({"f:a":{".":{},"f:b":{}}})", R"({"f:a":{"f:b":{}}})", false},
        {"a child more", R"({"f:a":{},"f:b":{}})", R"({"f:a":{}})", false},
        {"the same names in another place", R"({"f:a":{"f:b":{},"f:c":{}}})", R"({"f:a":{"f:b":{"f:c":{}}}})", false},
        {"another kind of element", R"({"f:0":{}})", R"({"i:0":{}})", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK((parsed(row.left) == parsed(row.right)) == row.equal);
        CHECK((parsed(row.right) == parsed(row.left)) == row.equal);
    }
}

TEST_CASE("a field set can be walked") {
    const FieldSet set = parsed(R"({"f:spec":{".":{},"f:list":{"i:1":{},"v:2":{},"k:{\"n\":3}":{"f:x":{}}}},"f:a":{}})");
    std::string seen;
    const auto walk = [&](auto self, FieldSet::Node node) -> void {
        for (const FieldSet::Node child : node) {
            append_element(seen, child.element());
            seen += child.declared() ? "!" : "";
            seen += child.is_leaf() ? ";" : "{";
            self(self, child);
            if (!child.is_leaf()) seen += "}";
        }
    };
    walk(walk, set.root());
    CHECK(seen == ".a!;.spec!{.list{[n=3]{.x!;}[=2]!;[1]!;}}");
    CHECK_FALSE(set.root().declared());
    CHECK(FieldSet().root().is_leaf());
}

TEST_CASE("two sets unite to what either declares") {
    const std::tuple<const char*, const char*, const char*> rows[] = {
        {R"({})", R"({"f:a":{}})", R"({"f:a":{}})"},
        {R"({"f:a":{},"f:c":{}})", R"({"f:b":{"f:x":{}}})", R"({"f:a":{},"f:b":{"f:x":{}},"f:c":{}})"},
        {R"({"f:a":{"f:x":{}}})", R"({"f:a":{"f:y":{"f:z":{}}}})", R"({"f:a":{"f:x":{},"f:y":{"f:z":{}}}})"},
        {R"({"f:a":{".":{},"f:x":{}}})", R"({"f:a":{"f:x":{}}})", R"({"f:a":{".":{},"f:x":{}}})"},
        // A leaf is all of it.
        {R"({"f:a":{}})", R"({"f:a":{"f:x":{}},"f:b":{}})", R"({"f:a":{},"f:b":{}})"},
        {R"({"k:{\"n\":1}":{"f:x":{}},"v:2":{}})", R"({"k:{\"n\":1}":{"f:y":{}},"i:0":{}})",
         R"({"k:{\"n\":1}":{"f:x":{},"f:y":{}},"v:2":{},"i:0":{}})"},
    };
    for (const auto& [left, right, both] : rows) {
        INFO(left << " and " << right);
        CHECK(FieldSet::unite(parsed(left), parsed(right)) == parsed(both));
        CHECK(FieldSet::unite(parsed(right), parsed(left)) == parsed(both));
    }
}

TEST_CASE("a new overlap of two sets is a value that both declare and one did not before") {
    struct Row {
        std::string_view name;
        std::string_view before;
        std::string_view left;
        std::string_view right;
        std::string_view path;  // "" for none
    };
    const Row rows[] = {
        {"nothing", "{}", R"({"f:a":{}})", R"({"f:b":{}})", ""},
        {"a leaf", "{}", R"({"f:a":{},"f:b":{}})", R"({"f:b":{},"f:c":{}})", ".b"},
        {"the first of several", "{}", R"({"f:a":{},"f:b":{}})", R"({"f:a":{},"f:b":{}})", ".a"},
        {"one that was there", R"({"f:a":{}})", R"({"f:a":{}})", R"({"f:a":{}})", ""},
        {"one beside one that was there", R"({"f:a":{}})", R"({"f:a":{},"f:b":{}})", R"({"f:a":{},"f:b":{}})", ".b"},
        {"a leaf over what is beneath it", "{}", R"({"f:a":{}})", R"({"f:a":{"f:b":{}}})", ".a"},
        {"a leaf where only something beneath it was", R"({"f:a":{"f:b":{}}})", R"({"f:a":{}})", R"({"f:a":{"f:b":{}}})", ".a"},
        {"beneath what is declared as a whole", "{}", R"({"f:a":{"f:b":{}}})", R"({"f:a":{}})", ".a"},
        {"more beneath what is declared as a whole", R"({"f:a":{"f:b":{}}})", R"({"f:a":{"f:b":{},"f:c":{}}})", R"({"f:a":{}})", ""},
        {"no value, only the way to others", "{}", R"({"f:a":{".":{},"f:b":{}}})", R"({"f:a":{".":{},"f:c":{}}})", ""},
        {"an item, but not its key", "{}", R"({"f:a":{"k:{\"name\":\"x\"}":{".":{},"f:name":{}}}})",
         R"({"f:a":{"k:{\"name\":\"x\"}":{".":{},"f:name":{},"f:b":{}}}})", ""},
        {"a field of an item", "{}", R"({"f:a":{"k:{\"name\":\"x\"}":{"f:name":{},"f:b":{}}}})",
         R"({"f:a":{"k:{\"name\":\"x\"}":{"f:name":{},"f:b":{}}}})", R"(.a[name="x"].b)"},
        {"a field of another item was there", R"({"f:a":{"k:{\"name\":\"w\"}":{"f:b":{}}}})",
         R"({"f:a":{"k:{\"name\":\"w\"}":{"f:b":{}},"k:{\"name\":\"x\"}":{"f:b":{}}}})",
         R"({"f:a":{"k:{\"name\":\"w\"}":{"f:b":{}},"k:{\"name\":\"x\"}":{"f:b":{}}}})", R"(.a[name="x"].b)"},
        {"a field named as a key, elsewhere", "{}", R"({"f:name":{}})", R"({"f:name":{}})", ".name"},
        {"items of a set", "{}", R"({"f:a":{"v:1":{},"v:2":{}}})", R"({"f:a":{"v:2":{},"v:3":{}}})", ".a[=2]"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(FieldSet::first_new_overlap(parsed(row.before), parsed(row.left), parsed(row.right)).value_or("") == row.path);
    }
}

TEST_CASE("an element selects the list item it means") {
    struct Row {
        std::string_view name;
        std::string_view element;
        std::string_view item;
        bool selected;
    };
    const Row rows[] = {
        {"the name", R"(k:{\"name\":\"web\"})", R"({"name":"web","image":"x"})", true},
        {"another name", R"(k:{\"name\":\"web\"})", R"({"name":"app"})", false},
        {"no name", R"(k:{\"name\":\"web\"})", "{}", false},
        {"an escaped name", R"(k:{\"name\":\"a\\u0062\"})", R"({"name":"\u0061b"})", true},
        {"two keys", R"(k:{\"containerPort\":80,\"protocol\":\"TCP\"})", R"({"protocol":"TCP","containerPort":80})", true},
        {"one of two keys", R"(k:{\"containerPort\":80,\"protocol\":\"TCP\"})", R"({"protocol":"UDP","containerPort":80})", false},
        {"a number is not its text", R"(k:{\"port\":80})", R"({"port":"80"})", false},
        {"a number in another spelling", R"(k:{\"port\":80})", R"({"port":8e1})", true},
        {"a number near by", R"(k:{\"port\":80})", R"({"port":80.5})", false},
        {"a boolean", R"(k:{\"on\":true})", R"({"on":true})", true},
        {"the other boolean", R"(k:{\"on\":true})", R"({"on":false})", false},
        {"null", R"(k:{\"a\":null})", R"({"a":null})", true},
        {"null is not absent", R"(k:{\"a\":null})", "{}", false},
        {"a string is no object", R"(k:{\"name\":\"web\"})", R"("web")", false},
        {"a set item", R"(v:\"x\")", R"("x")", true},
        {"another set item", R"(v:\"x\")", R"("y")", false},
        {"a number in a set", "v:1", "1.0", true},
        {"a field selects nothing", "f:a", R"({"a":1})", false},
        {"an index selects nothing", "i:0", R"("x")", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const FieldSet set = parsed("{\"" + std::string(row.element) + "\":{}}");
        JsonReader reader{Limits{}};
        const std::string text = with_slack(row.item);
        const auto item = reader.read(text);
        REQUIRE(item.has_value());
        CHECK(selects((*set.root().begin()).element(), *item) == row.selected);
    }
}

TEST_CASE("depth, size and the number of paths are bounded") {
    const auto nested = [](std::size_t levels) {
        std::string json;
        for (std::size_t level = 0; level < levels; ++level) json += "{\"f:a\":";
        json += "{}";
        json.append(levels, '}');
        return json;
    };
    Limits limits;
    limits.field_set_depth_max = 5;
    CHECK(FieldSet::parse(nested(5), limits).has_value());
    const auto deep = FieldSet::parse(nested(6), limits);
    REQUIRE_FALSE(deep.has_value());
    CHECK(deep.error().code == Errc::invalid_field_set);
    CHECK(deep.error().where == "/f:a/f:a/f:a/f:a/f:a");
    CHECK(FieldSet::parse(nested(300), Limits{}).error().code == Errc::too_deep);

    limits.json_nodes_max = 3;
    CHECK(FieldSet::parse(R"({"f:a":{},"f:b":{}})", limits).has_value());
    CHECK(FieldSet::parse(R"({"f:a":{},"f:b":{},"f:c":{}})", limits).error().code == Errc::too_many_nodes);

    CHECK(parsed(R"({"f:a":{".":{},"f:b":{}},"f:c":{}})").paths(2) == Paths{".a", ".a.b"});
}

TEST_CASE("a copy of a field set stands alone") {
    FieldSet copy;
    {
        const FieldSet set = parsed(R"({"f:a-name-that-is-longer-than-a-small-string":{}})");
        copy = set;
    }
    CHECK(copy.paths() == Paths{".a-name-that-is-longer-than-a-small-string"});
}

namespace {

// A tree with distinct elements, written as JSON with its members in the order or against it.
struct Tree {
    std::map<std::string, Tree> children;
    bool dot = false;
};

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
    return out;
}

std::string write(const Tree& tree, bool reversed) {
    std::vector<std::string> members;
    if (tree.dot) members.push_back("\".\":{}");
    for (const auto& [key, child] : tree.children) members.push_back(json_string(key) + ":" + write(child, reversed));
    if (reversed) std::reverse(members.begin(), members.end());
    std::string out = "{";
    for (const std::string& member : members) out.append(out.size() > 1 ? "," : "").append(member);
    out += '}';
    return out;
}

Tree any_tree(int depth) {
    Tree tree;
    tree.dot = *rc::gen::arbitrary<bool>();
    const int children = depth == 0 ? 0 : *rc::gen::inRange(0, 4);
    for (int i = 0; i < children; ++i) {
        const std::string name = *rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '\x7f'));
        const std::string number = std::to_string(*rc::gen::inRange(-1000, 1000));
        const std::string key = *rc::gen::element<std::string>("f:" + name, "v:" + json_string(name), "v:" + number,
                                                               "i:" + std::to_string(name.size()), "k:{\"name\":" + json_string(name) + "}",
                                                               "k:{\"a\":" + number + ",\"b\":" + json_string(name) + "}");
        tree.children[key] = any_tree(depth - 1);
    }
    return tree;
}

}  // namespace

TEST_CASE("field sets survive being written, and any order of their members") {
    CHECK(rc::check("parse(to_json(x)) is x, also from reversed members", [] {
        const Tree tree = any_tree(4);
        const auto set = FieldSet::parse(write(tree, false), Limits{});
        RC_ASSERT(set.has_value());
        const auto reversed = FieldSet::parse(write(tree, true), Limits{});
        RC_ASSERT(reversed.has_value());
        RC_ASSERT(*reversed == *set);
        RC_ASSERT(reversed->to_json() == set->to_json());
        const auto again = FieldSet::parse(set->to_json(), Limits{});
        RC_ASSERT(again.has_value());
        RC_ASSERT(*again == *set);
        RC_ASSERT(again->paths() == set->paths());
    }));
}
