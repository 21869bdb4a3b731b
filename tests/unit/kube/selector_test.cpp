#include "kube/selector.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::kube;

namespace {

using Operator = Requirement::Operator;

// The same labels as a list and as JSON: both ways to ask must agree.
bool selects(const LabelSelector& selector, const std::string& labels_json, const Labels& labels) {
    JsonReader reader{Limits{}};
    const std::string text = with_slack(R"({"labels":)" + labels_json + "}");
    const auto json = reader.read(text);
    REQUIRE(json.has_value());
    const bool by_json = selector.matches((*json)["labels"]);
    CHECK(by_json == selector.matches(labels));
    return by_json;
}

}  // namespace

TEST_CASE("a selector holds when every requirement does") {
    struct Row {
        std::string_view name;
        LabelSelector selector;
        bool of_none;
        bool of_shop;  // team=shop, tier=""
    };
    const Row rows[] = {
        {"nothing asked", {}, true, true},
        {"In", {{{"team", Operator::in, {"pay", "shop"}}}}, false, true},
        {"In, another value", {{{"team", Operator::in, {"pay"}}}}, false, false},
        {"In, only a prefix", {{{"team", Operator::in, {"sho"}}}}, false, false},
        {"In, another case", {{{"team", Operator::in, {"Shop"}}}}, false, false},
        {"In, the empty value", {{{"tier", Operator::in, {""}}}}, false, true},
        {"NotIn", {{{"team", Operator::not_in, {"pay"}}}}, true, true},
        {"NotIn, its value", {{{"team", Operator::not_in, {"shop"}}}}, true, false},
        {"Exists", {{{"team", Operator::exists, {}}}}, false, true},
        {"Exists, an empty value", {{{"tier", Operator::exists, {}}}}, false, true},
        {"DoesNotExist", {{{"zone", Operator::does_not_exist, {}}}}, true, true},
        {"DoesNotExist, but it does", {{{"team", Operator::does_not_exist, {}}}}, true, false},
        {"two of two", {{{"team", Operator::exists, {}}, {"tier", Operator::in, {""}}}}, false, true},
        {"one of two", {{{"team", Operator::exists, {}}, {"zone", Operator::exists, {}}}}, false, false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(selects(row.selector, "{}", {}) == row.of_none);
        CHECK(selects(row.selector, "null", {}) == row.of_none);
        CHECK(selects(row.selector, R"({"team":"shop","tier":""})", {{"team", "shop"}, {"tier", ""}}) == row.of_shop);
    }
}

TEST_CASE("keys and values of labels have the shape that Kubernetes stores") {
    for (const std::string_view key : {"team", "a", "app.kubernetes.io/name", "A_b.C-d", "x.y/z"}) {
        INFO(key);
        CHECK(is_label_key(key));
    }
    const std::string long_name(64, 'a');
    for (const std::string_view key : {std::string_view(""), std::string_view("/name"), std::string_view("a/"), std::string_view("a/b/c"),
                                       std::string_view("-a"), std::string_view("a-"), std::string_view("A.io/b"), std::string_view("a b"),
                                       std::string_view("a..b/c"), std::string_view(long_name)}) {
        INFO(key);
        CHECK_FALSE(is_label_key(key));
    }
    for (const std::string_view value : {"", "a", "1.2.3", "A_b"}) CHECK(is_label_value(value));
    for (const std::string_view value : {"-", "a/b", "a ", ".a"}) CHECK_FALSE(is_label_value(value));
}
