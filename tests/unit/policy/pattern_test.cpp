#include "policy/pattern.hpp"

#include "tests/support/catch.hpp"

using namespace fluxgate;
using namespace fluxgate::policy;

TEST_CASE("a pattern matches whole values") {
    struct Row {
        std::string_view pattern;
        std::string_view value;
        bool matches;
    };
    const Row rows[] = {
        {"[a-z-]+", "team-a", true},
        {"^[a-z-]+$", "team-a", true},
        {"[a-z]+", "team-a", false},
        {"[a-z]+", "", false},
        {"[a-z]*", "", true},
        {"a|b", "ab", false},
        {"^a|b$", "a", true},
        {"^a|b$", "ax", false},
        {"a", "a\n", false},
        {"(?s).*", "a\nb", true},
        {".*", "a\nb", false},
        {"(?i)team", "TEAM", true},
        {R"(\d{3})", "123", true},
        {"\xc3\xa4+", "\xc3\xa4\xc3\xa4", true},
        {"a.b", std::string_view("a\0b", 3), true},
    };
    for (const Row& row : rows) {
        INFO(row.pattern << " on " << row.value);
        const auto pattern = Pattern::compile(row.pattern);
        REQUIRE(pattern.has_value());
        CHECK(pattern->matches(row.value) == row.matches);
        const Pattern copy = *pattern;
        CHECK(copy.matches(row.value) == row.matches);
        CHECK(copy.text() == row.pattern);
    }
}

TEST_CASE("a pattern that is none or too large does not compile, and says why") {
    struct Row {
        std::string_view name;
        std::string text;
        std::string_view says;
    };
    const Row rows[] = {
        {"an open parenthesis", "(a", "missing ): (a"},
        {"an open class", "[a", "missing ]: [a"},
        {"nothing to repeat", "*a", "no argument for repetition operator: *"},
        {"a look-ahead", "(?=a)", "invalid perl operator: (?="},
        {"a back reference", R"((a)\1)", "invalid escape sequence: \\1"},
        {"a repetition that is too long", "a{1001}", "invalid repetition size"},
        {"repetitions of repetitions", "((a{100}){100}){100}", "invalid repetition size"},
        {"one that explodes", R"((\pL{500}){2})", "pattern too large"},
        {"invalid UTF-8", "\xff", "invalid UTF-8"},
        {"a long one", std::string(1001, 'a'), "is 1001 bytes long; at most 1000 are allowed"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto pattern = Pattern::compile(row.text);
        REQUIRE_FALSE(pattern.has_value());
        CHECK(pattern.error().code == Errc::invalid_argument);
        INFO(pattern.error().message);
        CHECK(pattern.error().message.find(row.says) != std::string::npos);
    }
    CHECK(Pattern::compile(std::string(1000, 'a')).has_value());
}

TEST_CASE("time and size of matching are bounded") {
    const auto any = Pattern::compile("a*");
    REQUIRE(any.has_value());
    CHECK(any->matches(std::string(256u << 10, 'a')));
    CHECK_FALSE(any->matches(std::string((256u << 10) + 1, 'a')));

    // Exponential for engines that go back.
    const auto evil = Pattern::compile("(a+)+b");
    REQUIRE(evil.has_value());
    CHECK_FALSE(evil->matches(std::string(100'000, 'a')));

    // A large program gets shorter values: 4,000,000 steps over some 1,000 instructions.
    const auto large = Pattern::compile("a*b?a{990}");
    REQUIRE(large.has_value());
    CHECK(large->matches(std::string(3'900, 'a')));
    CHECK_FALSE(large->matches(std::string(4'100, 'a')));
}
