#include "policy/glob.hpp"

#include <chrono>

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using fluxgate::Errc;
using fluxgate::policy::Glob;

TEST_CASE("a pattern matches whole names, with * for any run of characters") {
    struct Row {
        std::string_view name;
        std::string_view pattern;
        std::string_view text;
        bool matches;
    };
    const Row rows[] = {
        {"the name itself", "production", "production", true},
        {"a longer name", "production", "production-2", false},
        {"a shorter name", "production", "prod", false},
        {"another case", "production", "Production", false},
        {"a prefix", "prod-*", "prod-eu", true},
        {"a prefix and nothing", "prod-*", "prod-", true},
        {"a prefix that is not there", "prod-*", "prod", false},
        {"a suffix", "*-prod", "eu-prod", true},
        {"a suffix that comes twice", "*-prod", "eu-prod-prod", true},
        {"a middle", "eu-*-prod", "eu-west-1-prod", true},
        {"a middle that overlaps", "aba*aba", "ababa", false},
        {"two stars", "*-eu-*", "shop-eu-1", true},
        {"two stars that need a second try", "*ab*ba", "aabcabba", true},
        {"any", "*", "production", true},
        {"any, of an object without a name", "*", "", true},
        {"several stars in a row", "a***b", "ab", true},
        {"a dot is a dot", "a.b", "axb", false},
        {"an empty name", "production", "", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto glob = Glob::compile(row.pattern);
        REQUIRE(glob.has_value());
        CHECK(glob->matches(row.text) == row.matches);
    }
}

TEST_CASE("a pattern that could match no name is refused") {
    struct Row {
        std::string_view name;
        std::string pattern;
    };
    const Row rows[] = {
        {"nothing", ""},          {"a blank", "prod eu"},     {"a question mark, which another tool would read", "prod-?"},
        {"a class", "prod-[ab]"}, {"a choice", "{dev,prod}"}, {"a slash", "apps/web"},
        {"not ASCII", "pröd"},    {"a line end", "prod\n"},   {"254 characters", std::string(254, 'a')},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto glob = Glob::compile(row.pattern);
        REQUIRE_FALSE(glob.has_value());
        CHECK(glob.error().code == Errc::invalid_argument);
        CHECK_FALSE(glob.error().message.empty());
    }
    CHECK(Glob::compile(std::string(253, 'a')).has_value());
    CHECK(Glob::compile("system:kube-scheduler").has_value());
}

TEST_CASE("a pattern agrees with its plain definition") {
    struct Plain {
        static bool matches(std::string_view pattern, std::string_view name) {
            if (pattern.empty()) return name.empty();
            if (pattern.front() != '*')
                return !name.empty() && name.front() == pattern.front() && matches(pattern.substr(1), name.substr(1));
            return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
        }
    };
    const auto letters = rc::gen::container<std::string>(rc::gen::element('a', 'b'));
    const auto patterns = rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', 'b', '*')));
    CHECK(rc::check("glob", [&] {
        const std::string pattern = (*patterns).substr(0, 10);
        const std::string name = (*letters).substr(0, 12);
        RC_ASSERT(Glob::compile(pattern)->matches(name) == Plain::matches(pattern, name));
    }));
}

TEST_CASE("a hostile name costs at most pattern times name") {
    std::string pattern;
    while (pattern.size() < 250) pattern += "*ab";
    const auto glob = Glob::compile(pattern + "c");
    REQUIRE(glob.has_value());
    std::string name;
    while (name.size() < 253) name += "ab";
    CHECK_FALSE(glob->matches(name));  // an exponential matcher would not come back
}
