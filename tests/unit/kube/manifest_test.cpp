#include "kube/manifest.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

ReadResult read(std::string_view text) { return read_manifests(text, Limits{}); }

// The documents as JSON, one a line.
std::string json(const ReadResult& result) {
    std::string text;
    for (const Document& document : result.documents) text += (text.empty() ? "" : "\n") + to_json(document.root);
    return text;
}

// "line:column code" of every problem.
std::vector<std::string> places(const ReadResult& result) {
    std::vector<std::string> list;
    for (const ReadProblem& problem : result.problems) {
        list.push_back(std::to_string(problem.position.line) + ":" + std::to_string(problem.position.column) + " " +
                       std::string(to_string(problem.code)));
    }
    return list;
}

std::string repeat(std::string_view text, std::size_t times) {
    std::string all;
    all.reserve(text.size() * times);
    while (times-- > 0) all += text;
    return all;
}

using Kind = Node::Kind;
using Places = std::vector<std::string>;

}  // namespace

TEST_CASE("a file is read as the documents it holds") {
    struct Row {
        std::string_view name;
        std::string_view text;
        std::string_view json;
    };
    const Row rows[] = {
        {"nothing", "", ""},
        {"blank lines", "\n  \n\r\n", ""},
        {"a comment", "# nothing here\n", ""},
        {"a mapping", "a: 1\nb: [x, z]\n", R"({"a":1,"b":["x","z"]})"},
        {"entries keep their order", "z: 1\na: 2\nm: 3\n", R"({"z":1,"a":2,"m":3})"},
        {"a list in a mapping without indentation", "a:\n- 1\n- 2\n", R"({"a":[1,2]})"},
        {"a mapping in a list", "- a: 1\n  b: 2\n- c: 3\n", R"([{"a":1,"b":2},{"c":3}])"},
        {"an absent value", "a:\nb: 1\n", R"({"a":null,"b":1})"},
        {"an absent item", "-\n- 1\n", "[null,1]"},
        {"a byte order mark",
         "\xef\xbb\xbf"
         "a: 1",
         R"({"a":1})"},
        {"Windows line ends", "a: 1\r\nb:\r\n  - x\r\n", R"({"a":1,"b":["x"]})"},
        {"no last line feed", "a: b", R"({"a":"b"})"},
        {"several documents", "a: 1\n---\nb: 2\n---\n- 3\n", "{\"a\":1}\n{\"b\":2}\n[3]"},
        {"empty documents are skipped", "---\n---\n# c\n--- # d\na: 1\n---\n...\n---\nnull\n---\n", R"({"a":1})"},
        {"a document after an end mark", "a: 1\n...\n---\nb: 2\n", "{\"a\":1}\n{\"b\":2}"},
        {"a value in the line of the mark", "--- {a: 1}\n--- text\n", "{\"a\":1}\n\"text\""},
        {"three dashes inside a line", "a: x --- y\nb: ---z\n", R"({"a":"x --- y","b":"---z"})"},
        {"JSON", R"({"a": [1, -2.5, true, null], "b": {"c": {}}, "d": "x\/y\u00e9\n"})",
         R"({"a":[1,-2.5,true,null],"b":{"c":{}},"d":"x/yé\n"})"},
        {"JSON indented with tabs", "{\n\t\"a\": [\n\t\t1\n\t]\n}\n", R"({"a":[1]})"},
        {"JSON without blanks", R"({"a":{"b":1},"c":[[]]})", R"({"a":{"b":1},"c":[[]]})"},
        {"JSON surrogate pairs", R"({"a": "\ud83d\ude00", "b": ["\uD83D\uDE00x"]})", "{\"a\":\"😀\",\"b\":[\"😀x\"]}"},
        {"a literal block", "a: |\n  x\n   y\n\n  z\nb: 1\n", R"({"a":"x\n y\n\nz\n","b":1})"},
        {"a stripped block", "a: |-\n  x\n", R"({"a":"x"})"},
        {"a block in the last line, without its line feed", "a: |\n  x", R"({"a":"x\n"})"},
        {"a folded block", "a: >\n  x\n  y\n\n  z\n", R"({"a":"x y\nz\n"})"},
        {"a block with brackets, quotes and tabs", "a: |\n  [[ { \" ' \t\n  \tx: y\nb: 1\n", R"({"a":"[[ { \" ' \t\n\tx: y\n","b":1})"},
        {"a block that looks like documents", "a: |\n  ---\n  %x\n", R"({"a":"---\n%x\n"})"},
        {"a block with an indentation indicator", "a: |2\n    x\n", R"({"a":"  x\n"})"},
        {"a block in a list in a mapping", "- a: |\n    x [\n  b: 1\n", R"([{"a":"x [\n","b":1}])"},
        {"a plain text over lines", "a: x\n  y [z\n  \"w\nb: 1\n", R"({"a":"x y [z \"w","b":1})"},
        {"a plain text over lines in brackets", "a: [x\n  \"y, z]\n", R"({"a":["x \"y","z"]})"},
        {"a quoted text over lines", "a: \"x\n  y\"\nb: 'x\n\n  y'\n", R"({"a":"x y","b":"x\ny"})"},
        {"escapes", R"(a: "\x41\u00e9\U0001F600\t\\\"\e")", R"({"a":"Aé😀\t\\\"\u001b"})"},
        {"a single quote in single quotes", "a: 'it''s'", R"({"a":"it's"})"},
        {"a hash inside a word", "a: b#c # d\n", R"({"a":"b#c"})"},
        {"a colon inside a word", "a: http://x:80/y\n", R"({"a":"http://x:80/y"})"},
        {"a tab in a comment, in quotes and at the end of a line", "a: 1\t\n# \tx\nb: \"\t\"\t# y\n", R"({"a":1,"b":"\t"})"},
        {"an integer key is the text it is written as", "8080: web\n-1: x\n", R"({"8080":"web","-1":"x"})"},
        {"a quoted merge key is a key", "\"<<\": 1\n", R"({"<<":1})"},
        {"quoted words are text", "a: 'yes'\nb: \"0777\"\n'on': 'null'\n", R"({"a":"yes","b":"0777","on":"null"})"},
        {"an explicit key", "? a\n: 1\n", R"({"a":1})"},
        {"an empty key in quotes", "\"\": 1\n", R"({"":1})"},
        {"text beyond ASCII", "é: [ü, 漢]\n", R"({"é":["ü","漢"]})"},
        {"control characters are escaped in JSON", R"(a: "\x01\r\x7f\u0080\u0085\u00a0\ufeffx")",
         "{\"a\":\"\\u0001\\u000d\\u007f\\u0080\\u0085\xc2\xa0\\ufeffx\"}"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const ReadResult result = read(row.text);
        CHECK(json(result) == row.json);
        CHECK(places(result) == Places{});
    }
}

TEST_CASE("plain scalars follow the core schema of YAML 1.2") {
    struct Row {
        std::string_view text;
        Kind kind;
        std::string_view json;
    };
    const Row rows[] = {
        {"null", Kind::null, "null"},
        {"Null", Kind::null, "null"},
        {"NULL", Kind::null, "null"},
        {"~", Kind::null, "null"},
        {"nULL", Kind::string, "\"nULL\""},
        {"true", Kind::boolean, "true"},
        {"True", Kind::boolean, "true"},
        {"TRUE", Kind::boolean, "true"},
        {"false", Kind::boolean, "false"},
        {"False", Kind::boolean, "false"},
        {"FALSE", Kind::boolean, "false"},
        {"tRUE", Kind::string, "\"tRUE\""},
        {"0", Kind::integer, "0"},
        {"-0", Kind::integer, "0"},
        {"+12", Kind::integer, "12"},
        {"-12", Kind::integer, "-12"},
        {"9223372036854775807", Kind::integer, "9223372036854775807"},
        {"-9223372036854775808", Kind::integer, "-9223372036854775808"},
        {"0x1F", Kind::integer, "31"},
        {"0o17", Kind::integer, "15"},
        {"0xZ", Kind::string, "\"0xZ\""},
        {"0o8", Kind::string, "\"0o8\""},
        {"0b12", Kind::string, "\"0b12\""},
        {"1.5", Kind::number, "1.5"},
        {".5", Kind::number, "0.5"},
        {"1.", Kind::number, "1.0"},
        {"-.5e3", Kind::number, "-0.5e3"},
        {"+1.5", Kind::number, "1.5"},
        {"1.e3", Kind::number, "1.0e3"},
        {"1e3", Kind::number, "1e3"},
        {"1E+3", Kind::number, "1E+3"},
        {"0.0", Kind::number, "0.0"},
        {"1e", Kind::string, "\"1e\""},
        {"1.2.3", Kind::string, "\"1.2.3\""},
        {".", Kind::string, "\".\""},
        {"-", Kind::sequence, "[null]"},
        {"-x", Kind::string, "\"-x\""},
        {"500m", Kind::string, "\"500m\""},
        {"1Gi", Kind::string, "\"1Gi\""},
        {"v1.34", Kind::string, "\"v1.34\""},
        {"2026-12-05", Kind::string, "\"2026-12-05\""},
        {"2026-12-05T02:10:00Z", Kind::string, "\"2026-12-05T02:10:00Z\""},
        {"02:30", Kind::string, "\"02:30\""},
        {"80:8080", Kind::string, "\"80:8080\""},
        {"10.0.0.1", Kind::string, "\"10.0.0.1\""},
        {"_1", Kind::string, "\"_1\""},
        {"yesterday", Kind::string, "\"yesterday\""},
        {"nan", Kind::string, "\"nan\""},
        {"'12'", Kind::string, "\"12\""},
        {"\"true\"", Kind::string, "\"true\""},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const ReadResult result = read("a:\n  " + std::string(row.text) + "\n");
        CHECK(places(result) == Places{});
        REQUIRE(result.documents.size() == 1);
        const Node& value = *result.documents[0].root.find("a");
        CHECK(value.kind() == row.kind);
        CHECK(to_json(value) == row.json);
    }
}

TEST_CASE("what readers of YAML disagree about is a problem") {
    struct Row {
        std::string_view name;
        std::string text;
        Places problems;
    };
    const std::string deep = repeat("[", 65) + repeat("]", 65);
    const Row rows[] = {
        {"a duplicate key", "a: 1\nb: 2\na: 3\n", {"3:1 duplicate_key"}},
        {"a duplicate key in JSON", R"({"a": 1, "a": 1})", {"1:10 duplicate_key"}},
        {"a duplicate key in other quotes", "a: 1\n\"a\": 1\n", {"2:1 duplicate_key"}},
        {"a duplicate integer key", "1: 1\n\"1\": 1\n", {"2:1 duplicate_key"}},
        {"the same key in another mapping is none", "a: {x: 1}\nb: {x: 1}\n", {}},
        {"an anchor", "a: &x 1\n", {"1:4 invalid_yaml"}},
        {"an anchor and its alias", "a: &x 1\nb: *x\n", {"1:4 invalid_yaml", "2:4 invalid_yaml"}},
        {"an anchor on a mapping", "a: &x\n  b: 1\n", {"1:4 invalid_yaml"}},
        {"an alias as a key", "a: &x k\n*x : 1\n", {"1:4 invalid_yaml", "2:1 invalid_yaml"}},
        {"an unknown alias", "a: *x\n", {"1:4 invalid_yaml"}},
        {"a star at the start", "a: *\n", {"1:5 invalid_yaml"}},
        {"a tag", "a: !!str 1\n", {"1:4 invalid_yaml"}},
        {"a local tag", "a: !x\n  b: 1\n", {"1:4 invalid_yaml"}},
        {"a verbatim tag", "a: !<tag:x> [1]\n", {"1:4 invalid_yaml"}},
        {"the non-specific tag", "a: ! 1\n", {"1:4 invalid_yaml"}},
        {"a tag without a value", "a: !!null\n", {"1:4 invalid_yaml"}},
        {"a tag on a key", "!!str a: 1\n", {"1:1 invalid_yaml"}},
        {"a merge key", "a: 1\n<<: {b: 1}\n", {"2:1 invalid_yaml"}},
        {"a directive", "%YAML 1.1\n---\na: 1\n", {"1:1 invalid_yaml"}},
        {"a directive at the end, which yaml-cpp skips", "a: 1\n%x\n", {"2:1 invalid_yaml"}},
        {"yes", "a: yes\n", {"1:4 invalid_yaml"}},
        {"words of YAML 1.1 in any case",
         "[Yes, NO, oN, Off, y, N]\n",
         {"1:2 invalid_yaml", "1:7 invalid_yaml", "1:11 invalid_yaml", "1:15 invalid_yaml", "1:20 invalid_yaml", "1:23 invalid_yaml"}},
        {"such a word as a key", "on: 1\n", {"1:1 invalid_yaml"}},
        {"a boolean key", "true: 1\n", {"1:1 invalid_yaml"}},
        {"a null key", "~: 1\n", {"1:1 invalid_yaml"}},
        {"an absent key", ": 1\n", {"1:1 invalid_yaml"}},
        {"a number as a key", "1.0: x\n", {"1:1 invalid_yaml"}},
        {"an integer key in another spelling", "0x10: x\n", {"1:1 invalid_yaml"}},
        {"a list as a key", "? [a]\n: 1\n", {"1:3 invalid_yaml"}},
        {"a mapping as a key", "{{a: yes}: 1}\n", {"1:2 invalid_yaml"}},
        {"an octal number of YAML 1.1", "mode: 0777\n", {"1:7 invalid_yaml"}},
        {"a leading zero", "[08, -01, 01.5]\n", {"1:2 invalid_yaml", "1:6 invalid_yaml", "1:11 invalid_yaml"}},
        {"underscores", "[1_000, 0x1_F, 1_0.5]\n", {"1:2 invalid_yaml", "1:9 invalid_yaml", "1:16 invalid_yaml"}},
        {"a binary number", "a: 0b101\n", {"1:4 invalid_yaml"}},
        {"bases with a sign or in capitals", "[-0x1F, 0X1F, 0O7]\n", {"1:2 invalid_yaml", "1:9 invalid_yaml", "1:15 invalid_yaml"}},
        {"base 60",
         "[1:30, -12:30:45, 1:30.5, 02:30.5]\n",
         {"1:2 invalid_yaml", "1:8 invalid_yaml", "1:19 invalid_yaml", "1:27 invalid_yaml"}},
        {"what JSON cannot hold", "[.inf, -.Inf, .NAN]\n", {"1:2 invalid_yaml", "1:8 invalid_yaml", "1:15 invalid_yaml"}},
        {"numbers beyond 64 bits",
         "[9223372036854775808, -9223372036854775809, 1e400]\n",
         {"1:2 invalid_yaml", "1:23 invalid_yaml", "1:45 invalid_yaml"}},
        {"a hexadecimal number beyond 64 bits", "a: 0xFFFFFFFFFFFFFFFFF\n", {"1:4 invalid_yaml"}},
        {"an empty item", "a: [1,,2]\n", {"1:7 invalid_yaml"}},
        {"an item that is only a comma", "[,]\n", {"1:2 invalid_yaml"}},
        {"a trailing comma is none", "[1,]\n", {}},
        {"a second value in the document", "[1]\n[2]\n", {"2:1 invalid_yaml"}},
        {"a second text in the document", "\"a\" \"b\"\n", {"1:5 invalid_yaml"}},
        {"a mapping in a list", "- a\nb: 1\n", {"2:1 invalid_yaml"}},
        {"more than one indentation", "a:\n    b: 1\n  c: 2\n", {"3:3 invalid_yaml"}},
        {"a key without its colon at the end, which yaml-cpp takes", "a:\n  b: 1\nc\n", {"3:1 invalid_yaml"}},
        {"in braces it is a key without a value", "{a, b}\n", {}},
        {"an explicit key without a value is one too", "? a\n", {}},
        {"a tag and nothing else", "!\n", {"1:1 invalid_yaml"}},
        {"text after the end of a document", "a: 1\n... b\n", {"2:5 invalid_yaml"}},
        {"a document without its mark after the end of another", "a: 1\n...\nb: 2\n", {"3:1 invalid_yaml"}},
        {"a folded block that keeps its line feeds, of which yaml-cpp loses one", "a: >+\n  x\n\n", {"1:4 invalid_yaml"}},
        {"a value below its key, not indented", "a:\nb\n", {"2:1 invalid_yaml"}},
        {"brackets below their key, not indented", "a:\n  b:\n  {}\n", {"3:3 invalid_yaml"}},
        {"a list below its key may be", "a:\n- 1\n", {}},
        {"the value of an explicit key", "? a\n: b\n", {}},
        {"a comment there is none", "a: 1\n... # b\n", {}},
        {"a block at the top without indentation, which yaml-cpp loses", "|\n%x\n", {"2:1 invalid_yaml"}},
        {"an empty line before the closing quote, which yaml-cpp loses",
         "a: 'x\n\n  '\nb: \"\n\n\"\n",
         {"3:3 invalid_yaml", "6:1 invalid_yaml"}},
        {"a colon before a comma", "{a:, b: 1}\n", {"1:3 invalid_yaml"}},
        {"a colon before a bracket", "{a:[1]}\n", {"1:3 invalid_yaml", "1:4 invalid_yaml"}},
        {"a colon before text", "[:x]\n", {"1:2 invalid_yaml"}},
        {"two colons", "{\"a\"::x}\n", {"1:6 invalid_yaml"}},
        {"a tab in an empty line", "a: 1\n\t\nb: 2\n", {"2:1 invalid_yaml"}},
        {"a tab before a comment", "a: 1\n\t# x\n", {"2:1 invalid_yaml"}},
        {"a tab as indentation", "a:\n\tb: yes\n", {"2:1 invalid_yaml", "2:5 invalid_yaml"}},
        {"a tab after the colon", "a:\t1\n", {"1:3 invalid_yaml"}},
        {"a tab after the dash", "-\t1\n", {"1:2 invalid_yaml"}},
        {"a tab in plain text", "a: x\ty\n", {"1:5 invalid_yaml"}},
        {"an invalid byte", "a: x\xffy\nb: 1\n", {"1:5 invalid_utf8"}},
        {"an overlong sequence", "a: \xc0\x80\n", {"1:4 invalid_utf8"}},
        {"an encoded surrogate", "a: \xed\xa0\x80\n", {"1:4 invalid_utf8"}},
        {"a sequence that is cut off", "a: \xe6\xbc", {"1:4 invalid_utf8"}},
        {"one problem of a kind a line", "a: \xff\xff\nb: \xff\n", {"1:4 invalid_utf8", "2:4 invalid_utf8"}},
        {"UTF-16",
         std::string("\xff\xfe"
                     "a\0:\0",
                     6),
         {"1:1 invalid_utf8", "1:4 invalid_yaml"}},
        {"NUL", std::string("a: x\0y\n", 7), {"1:5 invalid_yaml"}},
        {"an escaped NUL", R"(a: "\0")", {"1:4 invalid_yaml"}},
        {"an end-of-file character, where yaml-cpp would stop", "a: 1\n\x04\nb: yes\n", {"2:1 invalid_yaml", "3:2 invalid_yaml"}},
        {"a control character", "a: \"\x1b\"\n", {"1:5 invalid_yaml"}},
        {"a control character beyond ASCII", "a: \"\xc2\x80\"\n", {"1:5 invalid_yaml"}},
        {"delete", "a: \"\x7f\"\n", {"1:5 invalid_yaml"}},
        {"a byte order mark inside", "a: \"\xef\xbb\xbf\"\n", {"1:5 invalid_yaml"}},
        {"an old Mac line end", "a: 1\rb: 2\n", {"1:5 invalid_yaml", "1:7 invalid_yaml"}},
        {"an escape that yaml-cpp gets wrong", R"(a: "\N")", {"1:4 invalid_utf8"}},
        {"half of a surrogate pair",
         R"(a: ["\ud83d", "\ude00", "\ud83d\u0041"])",
         {"1:6 invalid_utf8", "1:16 invalid_utf8", "1:26 invalid_utf8"}},
        {"too deep in brackets", deep, {"1:65 too_deep"}},
        {"too deep in lists", repeat("- ", 65) + "a\n", {"1:129 too_deep"}},
        {"a question mark inside brackets, which yaml-cpp refuses", "[https://x?y]\n", {"1:11 invalid_yaml"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(places(read(row.text)) == row.problems);
    }
}

TEST_CASE("broken syntax ends its document, and reading goes on with the next") {
    struct Row {
        std::string_view name;
        std::string_view text;
        std::string_view place;
    };
    const Row rows[] = {
        {"a colon in plain text", "a: b: c\n", "1:5 invalid_yaml"},
        {"a double quote that stays open", "a: 1\nb: \"x\n\n", "2:4 invalid_yaml"},
        {"a single quote that stays open", "a: 1\nb: 'x", "2:4 invalid_yaml"},
        {"a bracket that stays open", "a: [1, {b: 2}\n", "1:4 invalid_yaml"},
        {"a brace that stays open", "a: {b: [1]\nc: 2\n", "1:4 invalid_yaml"},
        {"a bracket that closes nothing", "a: 1]\nb: ]\n", "2:4 invalid_yaml"},
        {"the wrong bracket", "[1}\n", "1:3 invalid_yaml"},
        {"a missing comma", "[a: 1 b: 2]\n", "1:8 invalid_yaml"},
        {"text after quotes", "a: \"x\" y\n", "1:8 invalid_yaml"},
        {"a list in a mapping", "a: 1\n- b\n", "2:1 invalid_yaml"},
        {"an unknown escape", "a: \"\\q\"\n", "1:7 invalid_yaml"},
        {"a percent sign", "a: %x\n", "1:4 invalid_yaml"},
        {"text after a block indicator", "a: | x\n", "1:6 invalid_yaml"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const ReadResult alone = read(row.text);
        CHECK(places(alone) == Places{std::string(row.place)});
        const ReadResult result = read(std::string(row.text) + "\n---\nlast: document\n");
        CHECK(places(result) == Places{std::string(row.place)});
        REQUIRE(result.documents.size() == 1);
        CHECK(to_json(result.documents[0].root) == R"({"last":"document"})");
        CHECK(result.documents[0].index == 1);
    }
}

TEST_CASE("all problems of a file come in one run, in its order") {
    const ReadResult result = read(
        "a: yes\n"
        "a: 0777\n"
        "b: [1,,2]\n"
        "---\n"
        "c: 'open\n"
        "---\n"
        "d: !x {e: &y 1, on: 2}\n");
    CHECK(places(result) == Places{"1:4 invalid_yaml", "2:1 duplicate_key", "2:4 invalid_yaml", "3:7 invalid_yaml", "5:4 invalid_yaml",
                                   "7:4 invalid_yaml", "7:11 invalid_yaml", "7:17 invalid_yaml"});
    CHECK(json(result) == "{\"a\":true,\"b\":[1,null,2]}\n{\"d\":{\"e\":1}}");
}

TEST_CASE("positions count characters, and lead to keys and values") {
    const ReadResult result = read(
        "# c\n"
        "---\n"
        "é: {ü: 1, \"\\ud83d\\ude00\": 漢}\n"
        "list:\n"
        "- a\n"
        "-   b: |\n"
        "      text\n"
        "nothing:\n"
        "last: null\n");
    REQUIRE(places(result) == Places{});
    const Node& root = result.documents.at(0).root;
    CHECK(root.position() == Position{3, 1});
    CHECK(root.entries()[0].key_position == Position{3, 1});
    const Node& inner = root.entries()[0].value;
    CHECK(inner.position() == Position{3, 4});
    CHECK(inner.entries()[0].value.position() == Position{3, 8});
    CHECK(inner.entries()[1].key_position == Position{3, 11});
    CHECK(inner.entries()[1].value.position() == Position{3, 27});
    const Node& list = *root.find("list");
    CHECK(list.position() == Position{5, 1});
    CHECK(list.items()[0].position() == Position{5, 3});
    CHECK(list.items()[1].position() == Position{6, 5});
    CHECK(list.items()[1].find("b")->position() == Position{6, 8});
    CHECK(root.find("nothing")->position() == Position{8, 1});
    CHECK(root.find("last")->position() == Position{9, 7});
}

TEST_CASE("a node answers only for its own kind") {
    const ReadResult result = read("{s: text, i: -7, f: 2.5, b: true, l: [1], m: {x: 1}, z: null}");
    const Node& root = result.documents.at(0).root;
    CHECK(root.find("s")->text() == "text");
    CHECK(root.find("i")->as_integer() == -7);
    CHECK(root.find("i")->as_number() == -7.0);
    CHECK(root.find("i")->text() == "-7");
    CHECK(root.find("f")->as_number() == 2.5);
    CHECK(root.find("f")->as_integer() == 0);
    CHECK(root.find("b")->as_bool());
    CHECK(root.find("b")->as_integer() == 0);
    CHECK_FALSE(root.find("i")->as_bool());
    CHECK(root.find("l")->items().size() == 1);
    CHECK(root.find("m")->entries().size() == 1);
    CHECK(root.find("z")->text().empty());
    CHECK(root.find("absent") == nullptr);
    CHECK(root.find("s")->find("x") == nullptr);
    CHECK(describe(root.kind()) == "a mapping");
}

TEST_CASE("every bound of the limits is kept") {
    Limits limits;
    limits.policy_file_bytes_max = 100;
    limits.policy_documents_max = 3;
    limits.yaml_depth_max = 4;
    limits.yaml_nodes_max = 11;
    limits.policy_errors_max = 2;
    struct Row {
        std::string_view name;
        std::string text;
        std::vector<Errc> codes;
    };
    const Row rows[] = {
        {"bytes, just", "#" + std::string(99, 'x'), {}},
        {"bytes", "#" + std::string(100, 'x'), {Errc::too_large}},
        {"documents, just", "a\n---\nb\n---\nc\n", {}},
        {"documents", "a\n---\nb\n---\nc\n---\nd\n", {Errc::too_large}},
        {"unreadable documents count", "]\n---\n]\n---\nc\n---\nd\n", {Errc::invalid_yaml, Errc::invalid_yaml}},
        {"depth in brackets, just", "[[[[1]]]]", {}},
        {"depth in brackets", "[[[[[1]]]]]", {Errc::too_deep}},
        {"depth in mappings, just", "a:\n b:\n  c:\n   d: 1\n", {}},
        {"depth in mappings", "a:\n b:\n  c:\n   d:\n    e: 1\n", {Errc::too_deep}},
        {"depth of both", "- - - [[1]]\n", {Errc::too_deep}},
        {"keys are nodes", "{a: 1, b: 2, c: 3, d: 4, e: 5, f: 6}", {Errc::too_many_nodes}},
        {"nodes, just", "[1,2,3,4,5,6,7,8,9,0]", {}},
        {"nodes", "[1,2,3,4,5,6,7,8,9,0,1]", {Errc::too_many_nodes}},
        {"nodes in brackets are seen before they are read", "[[],[],[],[],[],[],[]", {Errc::too_many_nodes}},
        {"nodes over documents", "[1,2,3]\n---\n[4,5,6,7,8,9,0]\n", {Errc::too_many_nodes}},
        {"problems", "[y, y, y, y]", {Errc::invalid_yaml, Errc::invalid_yaml}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        std::vector<Errc> codes;
        for (const ReadProblem& problem : read_manifests(row.text, limits).problems) codes.push_back(problem.code);
        CHECK(codes == row.codes);
    }
}

TEST_CASE("hostile files of the largest size cost seconds at most") {
    const std::size_t size = Limits{}.policy_file_bytes_max;
    struct Row {
        std::string_view name;
        std::string unit;
        std::string before = {};
    };
    const Row rows[] = {
        {"open brackets", "["},
        {"open braces", "{"},
        {"open mappings in brackets", "{a: "},
        {"open brackets, one a line", "[\n"},
        {"lists in lists", "- "},
        {"keys in keys", "? "},
        {"values in values", ": "},
        {"items", "1,", "["},
        {"items that are problems", "y,", "["},
        {"empty items", ",", "["},
        {"quotes", "\""},
        {"one long text", "a"},
        {"duplicate keys", "a: 1\n"},
        {"documents", "---\na\n"},
        {"broken documents", "---\n]\n"},
        {"comments", "#\n"},
        {"line feeds", "\n"},
        {"blanks", " "},
        {"tabs", "\t"},
        {"invalid bytes", "\xff"},
        {"characters of three bytes in one line", "漢"},
        {"items of three bytes in one line", "漢,", "["},
        {"surrogate pairs", "\\ud83d\\ude00", "\""},
        {"halves of surrogate pairs", "\\ud83d", "\""},
        {"escapes", "\\n", "\""},
        {"folded lines", " x\n\n", "a: >\n"},
        {"anchors", "&a x,", "["},
        {"aliases", "*a,", "[&a x,"},
        {"tags", "!a "},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string text = row.before + repeat(row.unit, (size - row.before.size()) / row.unit.size());
        const auto start = std::chrono::steady_clock::now();
        const ReadResult result = read(text);
        // A quadratic step would take minutes; the sanitizers cost a factor of ten.
        CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
        CHECK(result.problems.size() <= Limits{}.policy_errors_max);
    }
}

TEST_CASE("what was written as JSON is read as the same JSON") {
    const auto value = [](auto self, int depth) -> rc::Gen<std::string> {
        const auto text = rc::gen::map(rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '\x7f')), [](std::string raw) {
            std::string out;
            for (const char c : raw) {
                if (c == '"' || c == '\\') out.push_back('\\');
                out.push_back(c);
            }
            return '"' + out + '"';
        });
        const auto scalar =
            rc::gen::oneOf(text, rc::gen::map(rc::gen::arbitrary<std::int64_t>(), [](std::int64_t n) { return std::to_string(n); }),
                           rc::gen::element<std::string>("true", "false", "null", "0.5", "-1e3", "\"\\u0001\""));
        if (depth == 0) return scalar;
        const auto children = rc::gen::resize(4, rc::gen::container<std::vector<std::string>>(self(self, depth - 1)));
        const auto list = rc::gen::map(children, [](const std::vector<std::string>& items) {
            std::string out = "[";
            for (const std::string& item : items) out.append(out.size() > 1 ? "," : "").append(item);
            out += ']';
            return out;
        });
        const auto object = rc::gen::map(children, [](const std::vector<std::string>& items) {
            std::string out = "{";
            for (std::size_t i = 0; i < items.size(); ++i)
                out.append(i > 0 ? ",\"k" : "\"k").append(std::to_string(i)).append("\":").append(items[i]);
            out += '}';
            return out;
        });
        return rc::gen::oneOf(scalar, list, object);
    };
    CHECK(rc::check("to_json(read(json)) is json", [&] {
        const std::string written = *value(value, 4);
        const ReadResult result = read(written);
        RC_ASSERT(result.problems.empty());
        if (written != "null") RC_ASSERT(json(result) == written);
    }));
    CHECK(rc::check("any bytes are read or refused", [](const std::string& bytes) {
        const ReadResult result = read(bytes);
        for (const ReadProblem& problem : result.problems) RC_ASSERT(problem.position.line >= 1 && problem.position.column >= 1);
    }));
}
