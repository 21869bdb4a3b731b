#include "base/id.hpp"

#include <type_traits>

#include "tests/support/catch.hpp"

using namespace fluxgate;

namespace {

struct LowerTag {
    static constexpr std::string_view name = "lower-case word";
    static bool accepts(std::string_view text) { return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string_view::npos; }
};
using Lower = Id<LowerTag>;

struct OtherTag : LowerTag {};

}  // namespace

TEST_CASE("an id is made only from text that its tag accepts") {
    CHECK(Lower::parse("web")->text() == "web");
    for (const std::string_view text : {"", "Web", "web 1"}) {
        INFO(text);
        const auto id = Lower::parse(text);
        REQUIRE_FALSE(id.has_value());
        CHECK(id.error().code == Errc::invalid_argument);
        CHECK(id.error().message.find("lower-case word") != std::string::npos);
    }
}

TEST_CASE("the error about a long text does not repeat all of it") {
    CHECK(Lower::parse(std::string(10'000, 'A')).error().message.size() < 200);
}

TEST_CASE("ids compare by text, and only with their own kind") {
    CHECK(*Lower::parse("a") == *Lower::parse("a"));
    CHECK(*Lower::parse("a") < *Lower::parse("b"));
    STATIC_REQUIRE_FALSE(std::is_same_v<Lower, Id<OtherTag>>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<std::string, Lower>);
    STATIC_REQUIRE_FALSE(std::is_default_constructible_v<Lower>);
}
