#include "kube/client/stream_splitter.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace fluxgate::kube::client;

namespace {

struct Pieces {
    std::vector<std::string> whole;
    std::vector<std::string> too_large;
    PieceHandlers handlers() {
        return {.piece = [this](std::string_view text) { whole.emplace_back(text); },
                .too_large = [this](std::string_view text) { too_large.emplace_back(text); }};
    }
};

template <class Feed>
void feed_in_steps(std::string_view text, std::size_t step, Feed feed) {
    for (; !text.empty(); text.remove_prefix(std::min(step, text.size()))) feed(text.substr(0, step));
}

}  // namespace

TEST_CASE("a list comes apart into its items, wherever the bytes are cut") {
    struct Row {
        std::string name;
        std::string text;
        std::vector<std::string> items;
        std::string envelope;
    };
    const std::vector<Row> rows{
        {"no items", R"({"metadata":{"resourceVersion":"7"},"items":[]})", {}, R"({"metadata":{"resourceVersion":"7"},"items":[]})"},
        {"null instead of items", R"({"items":null,"metadata":{}})", {}, R"({"items":null,"metadata":{}})"},
        {"two items", R"({"items":[{"a":1},{"b":[{}]}],"metadata":{}})", {R"({"a":1})", R"({"b":[{}]})"}, R"({"items":[],"metadata":{}})"},
        {"space between", "{ \"items\" : [ {} ,\n\t{} ] }", {"{}", "{}"}, "{ \"items\" : [] }"},
        {"brackets, quotes and escapes in texts",
         R"({"items":[{"a":"}]\"{\\"},{"b":"ü]"}]})",
         {R"({"a":"}]\"{\\"})", R"({"b":"ü]"})"},
         R"({"items":[]})"},
        {"another list before", R"({"x":[{"items":[{}]}],"items":[{"y":0}]})", {R"({"y":0})"}, R"({"x":[{"items":[{}]}],"items":[]})"},
        {"the word items as a value", R"({"kind":"items","x":[{}],"items":[{}]})", {"{}"}, R"({"kind":"items","x":[{}],"items":[]})"},
        {"items deeper down", R"({"metadata":{"items":[{}]}})", {}, R"({"metadata":{"items":[{}]}})"},
        {"a longer key", R"({"items2":[{}]})", {}, R"({"items2":[{}]})"},
    };
    for (const Row& row : rows) {
        for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, row.text.size()}) {
            INFO(row.name << ", " << step << " bytes at a time");
            Pieces pieces;
            ListSplitter splitter(1'000, pieces.handlers());
            feed_in_steps(row.text, step, [&](std::string_view bytes) { CHECK(splitter.feed(bytes)); });
            CHECK(pieces.whole == row.items);
            CHECK(splitter.envelope() == row.envelope);
        }
    }
}

TEST_CASE("what is no list is noticed while it arrives") {
    for (const std::string text : {R"({"items":[1]})", R"({"items":["a"]})", R"({"items":[[{}]]})", R"({"items":[null]})"}) {
        INFO(text);
        Pieces pieces;
        CHECK_FALSE(ListSplitter(100, pieces.handlers()).feed(text));
        CHECK(pieces.whole.empty());
    }
    Pieces pieces;
    ListSplitter splitter(100, pieces.handlers());
    CHECK_FALSE(splitter.feed("{\"metadata\":\"" + std::string(70'000, 'x')));
}

TEST_CASE("an item above the bound is passed over, and its neighbours are not") {
    const std::string large = R"({"metadata":{"name":"big"},"data":")" + std::string(200, 'x') + "\"}";
    Pieces pieces;
    ListSplitter splitter(100, pieces.handlers());
    REQUIRE(splitter.feed(R"({"items":[{"a":1},)" + large + R"(,{"b":2}]})"));
    CHECK(pieces.whole == std::vector<std::string>{R"({"a":1})", R"({"b":2})"});
    CHECK(pieces.too_large == std::vector<std::string>{large.substr(0, 100)});
    CHECK(name_in_beginning(pieces.too_large.at(0), 1) == "big");

    Pieces exact;
    REQUIRE(ListSplitter(large.size(), exact.handlers()).feed("{\"items\":[" + large + "]}"));
    CHECK(exact.whole.size() == 1);
    Pieces one_less;
    REQUIRE(ListSplitter(large.size() - 1, one_less.handlers()).feed("{\"items\":[" + large + "]}"));
    CHECK(one_less.too_large.size() == 1);
}

TEST_CASE("a watch comes apart into its lines, wherever the bytes are cut") {
    const std::string text = "{\"ü\":1}\n\n{\"b\":2}\n{\"long\":\"xxxxxxxxxxxxxxxxxxxx\"}\n{\"c\":3}\nrest";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        INFO(step << " bytes at a time");
        Pieces pieces;
        LineSplitter splitter(10, pieces.handlers());
        feed_in_steps(text, step, [&](std::string_view bytes) { splitter.feed(bytes); });
        CHECK(pieces.whole == std::vector<std::string>{"{\"ü\":1}", "{\"b\":2}", "{\"c\":3}"});
        CHECK(pieces.too_large == std::vector<std::string>{"{\"long\":\"x"});
        CHECK(splitter.holds_bytes());
        splitter.feed("\n");
        CHECK_FALSE(splitter.holds_bytes());
    }
}

TEST_CASE("a text that breaks off still says which object it was") {
    struct Row {
        std::string name;
        std::string text;
        std::size_t depth;
        std::string found;
    };
    const std::vector<Row> rows{
        {"a namespaced object", R"({"metadata":{"name":"web","namespace":"shop","labels":{"name":"no"}},"da)", 1, "shop/web"},
        {"the namespace first", R"({"kind":"X","metadata":{"namespace":"shop","name":"web")", 1, "shop/web"},
        {"within an event", R"({"type":"ADDED","object":{"metadata":{"name":"web"},"spec":{"metadata":{"name":"no"}})", 2, "web"},
        {"a value that is called name", R"({"metadata":{"generateName":"name","uid":"u","na)", 1, "an object"},
        {"cut in the name", R"({"metadata":{"name":"we)", 1, "an object"},
        {"a quote in a text before", R"({"a":"\"}","metadata":{"name":"web"}})", 1, "web"},
        {"nothing", "", 1, "an object"},
        {"brackets that close what never opened", "}}]]", 1, "an object"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(name_in_beginning(row.text, row.depth) == row.found);
    }
}
