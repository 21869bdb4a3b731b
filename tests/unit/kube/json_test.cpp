#include "kube/json.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <set>
#include <vector>

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

// "" when it is read, else the name of the error and where: "duplicate_key /a/0".
std::string problem(std::string_view text, const Limits& limits = {}) {
    JsonReader reader(limits);
    const std::string copy = with_slack(text);
    const auto json = reader.read(copy);
    if (json) return "";
    return std::string(to_string(json.error().code)) + (json.error().where.empty() ? "" : " " + json.error().where);
}

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

std::string object_of(std::size_t keys, const std::string& more = "") {
    std::string text = "{";
    for (std::size_t i = 0; i < keys; ++i) text += (i ? ",\"key-" : "\"key-") + std::to_string(i) + "\":0";
    return text + more + "}";
}

struct Parsed {
    explicit Parsed(std::string_view text) : copy(with_slack(text)), reader(Limits{}) { json = reader.read(copy).value(); }
    std::string copy;
    JsonReader reader;
    Json json;
};

std::string random_json(int depth) {
    const int kind = *rc::gen::inRange(0, depth > 0 ? 8 : 6);
    const auto key = [] { return "\"" + *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c', '.', '/')) + "\""; };
    switch (kind) {
        case 0: return "null";
        case 1: return *rc::gen::arbitrary<bool>() ? "true" : "false";
        case 2: return std::to_string(*rc::gen::arbitrary<std::int64_t>());
        case 3: return *rc::gen::element<std::string>("0", "0.5", "1e3", "18446744073709551615", "-0.0");
        case 4:
        case 5: return key();
        case 6: {
            std::string text = "[";
            const int count = *rc::gen::inRange(0, 4);
            for (int i = 0; i < count; ++i) text += (i ? "," : "") + random_json(depth - 1);
            return text + "]";
        }
        default: {
            std::string text = "{";
            const int count = *rc::gen::inRange(0, 4);
            for (int i = 0; i < count; ++i) text += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":" + random_json(depth - 1);
            return text + "}";
        }
    }
}

// A JSON text whose keys are known: what duplicates there are is found without reading it.
struct Written {
    std::string text;
    bool has_twin = false;
    bool wants_twin = false;  // else large texts without one would be rare
};

// Escaped in one of the ways that JSON allows.
std::string write_key(const std::string& key) {
    std::string text = "\"";
    for (const char c : key) {
        if (*rc::gen::inRange(0, 8) == 0 || c == '\0') {
            std::array<char, 7> escape{};
            std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
            text += escape.data();
        } else {
            text += c;
        }
    }
    return text + "\"";
}

// Chosen so that keys resemble each other, and resemble what stands around them in simdjson's memory.
std::string random_key() {
    switch (*rc::gen::inRange(0, 5)) {
        case 0: return *rc::gen::container<std::string>(rc::gen::element('a', 'b', '\0'));
        case 1: return "k:{port:" + std::to_string(*rc::gen::inRange(8080, 8090)) + ",protocol:TCP}";
        case 2: return std::string(40, 'p') + std::to_string(*rc::gen::inRange(0, 40));
        case 3: return std::to_string(*rc::gen::inRange(0, 200)) + std::string(40, 's');
        default: return std::string(static_cast<std::size_t>(*rc::gen::inRange(0, 12)), 'x');
    }
}

void write_value(Written& out, int depth);

void write_object(Written& out, int depth) {
    const int members = *rc::gen::element(0, 1, 2, 2, 3, 3, 4, 5, 8, 14, 63, 64, 65, 90);
    const bool ascending = *rc::gen::arbitrary<bool>();
    std::vector<std::string> keys;
    for (int i = 0; i < members; ++i) {
        const std::string tail = out.wants_twin && *rc::gen::inRange(0, 4) == 0 ? "" : "#" + std::to_string(i);
        keys.push_back(random_key() + tail);
    }
    if (ascending) std::sort(keys.begin(), keys.end());
    out.has_twin = out.has_twin || std::set<std::string>(keys.begin(), keys.end()).size() < keys.size();
    out.text += '{';
    for (std::size_t i = 0; i < keys.size(); ++i) {
        out.text += (i == 0 ? "" : ",") + write_key(keys[i]) + ":";
        write_value(out, members > 20 ? 0 : depth - 1);
    }
    out.text += '}';
}

void write_value(Written& out, int depth) {
    switch (*rc::gen::inRange(0, depth > 0 ? 9 : 5)) {
        case 0: out.text += *rc::gen::element<std::string>("null", "true", "false", "{}", "[]"); return;
        case 1: out.text += write_key(random_key()); return;
        // In memory these look like the beginning of an object, or of a number.
        case 2:
            out.text += *rc::gen::element<std::string>("8863084075255070722", "7205759412683046912", "7277816997830721538", "8");
            return;
        case 3: out.text += *rc::gen::element<std::string>("0.25", "2.6e284", "1.6e175", "4.9e213", "1e258"); return;
        case 4: out.text += std::to_string(*rc::gen::arbitrary<std::int64_t>()); return;
        case 5:
        case 6: {
            out.text += '[';
            const int items = *rc::gen::inRange(0, 6);
            for (int i = 0; i < items; ++i) {
                if (i > 0) out.text += ',';
                write_value(out, depth - 1);
            }
            out.text += ']';
            return;
        }
        default: write_object(out, depth); return;
    }
}

}  // namespace

TEST_CASE("what is not one JSON value is refused by name and place") {
    struct Row {
        std::string_view name;
        std::string text;
        std::string problem;
    };
    std::string many_keys = object_of(200, ",\"key-7\":1");
    std::string colliding = "{\"a\":0";  // same size, same first, middle and last byte
    for (int i = 0; i < 300; ++i) colliding += ",\"x" + std::to_string(1000 + i) + "x" + std::to_string(1000 + i) + "x\":0";
    const Row rows[] = {
        {"nothing", "", "invalid_json"},
        {"blanks", " \n ", "invalid_json"},
        {"a word", "yes", "invalid_json"},
        {"a comma too many", "[1,]", "invalid_json"},
        {"a quote too few", R"({"a)", "invalid_json"},
        {"a key without a value", R"({"a"})", "invalid_json"},
        {"a comment", "/* */ {}", "invalid_json"},
        {"single quotes", "{'a':1}", "invalid_json"},
        {"NaN", "[NaN]", "invalid_json"},
        {"a number beyond 64 bits", "[18446744073709551616]", "invalid_json"},
        {"a control character in a text", "[\"a\nb\"]", "invalid_json"},
        {"half a surrogate", R"(["\ud800"])", "invalid_json"},
        {"a NUL behind it", std::string("{}\0", 3), "trailing_data"},
        {"another value behind it", "{} {}", "trailing_data"},
        {"a bracket behind it", R"({"a":[1]}])", "trailing_data"},
        {"bytes that are not UTF-8", "[\"\xff\"]", "invalid_utf8"},
        {"overlong UTF-8", "[\"\xc0\xaf\"]", "invalid_utf8"},
        {"UTF-8 of a surrogate", "[\"\xed\xa0\x80\"]", "invalid_utf8"},
        {"300 levels", nested(300), "too_deep"},
        {"a hundred thousand levels", nested(100'000), "too_deep"},
        {"a hundred thousand levels that never end", std::string(100'000, '['), "invalid_json"},
        {"a key twice", R"({"a":1,"a":2})", "duplicate_key /a"},
        {"a key twice, once escaped", R"({"a":1,"\u0061":2})", "duplicate_key /a"},
        {"an empty key twice", R"({"":1,"":2})", "duplicate_key /"},
        {"a key twice, deep", R"({"x":[0,{"y/z":{"~":1,"b":2,"~":3}}]})", "duplicate_key /x/1/y~1z/~0"},
        {"a key twice around a large value", R"({"a":)" + object_of(300) + R"(,"a":0})", "duplicate_key /a"},
        {"a key twice in a large object", many_keys, "duplicate_key /key-7"},
        {"a key twice at the end of a large object", object_of(200, ",\"key-199\":1"), "duplicate_key /key-199"},
        {"an escaped key twice in a large object", object_of(200, R"(,"\u006bey-150":1)"), "duplicate_key /key-150"},
        {"a key twice among many that look alike", colliding + ",\"x1299x1299x\":1}", "duplicate_key /x1299x1299x"},
        {"many keys that look alike", colliding + "}", ""},
        {"a key twice in an object in a large object", object_of(100, R"(,"z":{"a":1,"a":1})"), "duplicate_key /z/a"},
        {"the same key in two objects", R"([{"a":1},{"a":1}])", ""},
        {"a key in its own value", R"({"a":{"a":{"a":1}}})", ""},
        {"a text", R"("text")", ""},
        {"blanks behind it", "{} \r\n\t", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(problem(row.text) == row.problem);
    }
}

TEST_CASE("each of sixty-five keys is found when it comes again") {
    for (std::size_t keys = 1; keys <= 70; ++keys) {
        for (const std::size_t twin : {std::size_t{0}, keys / 2, keys - 1}) {
            INFO(keys << " keys, " << twin << " twice");
            CHECK(problem(object_of(keys, ",\"key-" + std::to_string(twin) + "\":1")) == "duplicate_key /key-" + std::to_string(twin));
        }
    }
}

TEST_CASE("a key is twice in some object if and only if the text is refused for it") {
    std::size_t refused = 0;
    std::size_t read = 0;
    CHECK(rc::check("duplicate_key", [&] {
        Written written;
        written.wants_twin = *rc::gen::arbitrary<bool>();
        write_object(written, 4);
        const std::string found = problem(written.text);
        RC_ASSERT((found.substr(0, found.find(' ')) == "duplicate_key") == written.has_twin);
        RC_ASSERT(found.empty() == !written.has_twin);
        ++(written.has_twin ? refused : read);
    }));
    CHECK(refused > 5);
    CHECK(read > 5);
}

TEST_CASE("of several keys that are twice, the one in the object that begins first is named") {
    CHECK(problem(R"({"x":{"b":1,"b":2},"a":1,"a":2})") == "duplicate_key /a");
    CHECK(problem(R"([{"c":1,"d":[1]},{"c":1,"d":2,"d":{"e":1,"e":1},"c":3},{"f":0,"f":0}])") == "duplicate_key /1/d");
}

TEST_CASE("numbers that look like the beginning of an object in memory are numbers") {
    // 0x7b in front, and at least two members; the numbers before them look like the mark of a number.
    CHECK(problem("[8863084075255070722,8863084075255070722]").empty());
    CHECK(problem(R"([7205759412683046912,{"a":1,"b":2}])").empty());
    CHECK(problem(R"([7205759412683046912,{"a":1,"a":2}])") == "duplicate_key /1/a");
    CHECK(problem(R"([8863084075255070722,7277816997830721538,{"a":1,"b":[{"c":1,"c":2}]}])") == "duplicate_key /2/b/0/c");
}

TEST_CASE("the bounds are exact") {
    Limits limits;
    CHECK(problem(nested(limits.json_depth_max)).empty());
    CHECK(problem(nested(limits.json_depth_max + 1)) == "too_deep");
    limits.json_nodes_max = 4;
    CHECK(problem("[1,2,3]", limits).empty());
    CHECK(problem("[1,2,3,4]", limits) == "too_many_nodes");
    CHECK(problem(R"({"a":[],"b":{}})", limits).empty());
    CHECK(problem(R"({"a":[1],"b":{"c":1}})", limits) == "too_many_nodes");
    limits.body_bytes_max = 1'000;
    CHECK(problem("\"" + std::string(900, 'a') + "\"", limits).empty());
    CHECK(problem("\"" + std::string(1'100, 'a') + "\"", limits) == "too_large");
}

TEST_CASE("hostile texts of 16 MiB are refused or read in little time") {
    std::string brackets = "[";
    while (brackets.size() < (16u << 20) - 10) brackets += "[],";
    brackets += "0]";
    CHECK(problem(brackets) == "too_many_nodes");

    // Keys that the filter takes for one another.
    std::string keys = "{\"a\":0";
    for (int i = 0; i < 900'000; ++i) keys += ",\"x" + std::to_string(1'000'000 + i) + "x\":0";
    CHECK(problem(keys + "}").empty());

    std::string small_objects = "[0";
    for (int object = 0; object < 10'000; ++object) {
        small_objects += ",{\"a\":0";
        for (int i = 0; i < 64; ++i) small_objects += ",\"x" + std::to_string(10 + i) + "xx\":0";
        small_objects += "}";
    }
    CHECK(problem(small_objects + "]").empty());
}

TEST_CASE("a reader is used again after anything") {
    JsonReader reader{Limits{}};
    const std::string large = with_slack("[\"" + std::string(3u << 20, 'a') + "\"]");
    const std::string deep = with_slack(nested(300));
    const std::string good = with_slack(R"({"a":[1,"b"]})");
    const std::string twice = with_slack(R"({"request":{"uid":"u1"},"a":1,"a":2})");
    for (int round = 0; round < 3; ++round) {
        REQUIRE(reader.read(large).has_value());
        CHECK_FALSE(reader.read(deep).has_value());
        CHECK_FALSE(reader.refused_document().present());
        CHECK_FALSE(reader.read(twice).has_value());
        CHECK(reader.refused_document()["request"]["uid"].text() == "u1");
        const auto json = reader.read(good);
        REQUIRE(json.has_value());
        CHECK((*json)["a"].size() == 2);
        CHECK_FALSE(reader.refused_document().present());
    }
}

TEST_CASE("looking up what is not there gives nothing, not a crash") {
    const Parsed parsed(R"({"a":{"b":[1,"t",null,true]},"n":null,"e":""})");
    const Json json = parsed.json;
    CHECK_FALSE(json["x"]["y"]["z"].present());
    CHECK_FALSE(json["a"]["b"]["c"].present());
    CHECK(json["n"].present());
    CHECK(json["n"].absent_or_null());
    CHECK(json["x"].absent_or_null());
    CHECK(json["e"].string() == "");
    CHECK(json["a"].text().empty());
    CHECK_FALSE(json["a"].string().has_value());
    CHECK_FALSE(json["e"].integer().has_value());
    CHECK_FALSE(json["e"].is_true());
    CHECK(json["x"].type_name() == "nothing");
    CHECK(json["x"].size() == 0);
    CHECK(json["x"].dump().empty());
    CHECK(json["a"]["b"].dump() == R"([1,"t",null,true])");
    CHECK_FALSE(Json()["a"].present());
}

TEST_CASE("values are equal by content, whatever the order of their members") {
    struct Row {
        std::string_view left;
        std::string_view right;
        bool equal;
    };
    const Row rows[] = {
        {R"({"a":1,"b":2})", R"({"b":2,"a":1})", true},
        {R"({"a":1})", R"({"a":1,"b":2})", false},
        {R"({"a":1,"b":2})", R"({"a":1})", false},
        {R"({"a":1,"b":2})", R"({"a":1,"c":2})", false},
        {R"({"a":1,"b":2})", R"({"b":1,"a":2})", false},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,1]", false},
        {"1", "1.0", false},
        {"1", "\"1\"", false},
        {"null", "false", false},
        {"\"\\u0061\"", "\"a\"", true},
        {"{}", "[]", false},
        {"18446744073709551615", "18446744073709551615", true},
        {"-1", "18446744073709551615", false},
        {R"({"a":{"x":[{"y":1}]}})", R"({"a":{"x":[{"y":2}]}})", false},
    };
    for (const Row& row : rows) {
        INFO(row.left << " and " << row.right);
        const Parsed left(row.left);
        const Parsed right(row.right);
        CHECK(equal(left.json, right.json) == row.equal);
        CHECK(equal(right.json, left.json) == row.equal);
        CHECK(equal(left.json, left.json));
        CHECK_FALSE(equal(left.json, Json()));
    }
    CHECK(equal(Json(), Json()));
}

TEST_CASE("any JSON is equal to itself and to its own text") {
    CHECK(rc::check("equal(x, x)", [] {
        const std::string text = random_json(4);
        const Parsed one(text);
        const Parsed two(text);
        RC_ASSERT(equal(one.json, two.json));
        const Parsed dumped(one.json.dump());
        RC_ASSERT(equal(one.json, dumped.json));
    }));
}

TEST_CASE("comparing objects in opposite order is not quadratic") {
    std::string forward = "{\"z\":0";
    std::string backward = "{";
    for (int i = 0; i < 200'000; ++i) forward += ",\"k" + std::to_string(i) + "\":0";
    for (int i = 200'000; i-- > 0;) backward += "\"k" + std::to_string(i) + "\":0,";
    const Parsed left(forward + "}");
    const Parsed right(backward + "\"z\":0}");
    CHECK(equal(left.json, right.json));
}
