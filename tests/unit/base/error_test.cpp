#include "base/error.hpp"

#include <set>

#include "tests/support/catch.hpp"

using namespace fluxgate;

TEST_CASE("an error prints its place, its sentence and its code") {
    struct Row {
        std::string_view name;
        Error error;
        std::string_view text;
    };
    const Row rows[] = {
        {"with a place", {Errc::wrong_type, "expected a string", "/spec/name"}, "/spec/name: expected a string (wrong_type)"},
        {"without a place", {Errc::io, "cannot open the file", ""}, "cannot open the file (io)"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(to_string(row.error) == row.text);
    }
}

TEST_CASE("every error code has a name of its own") {
    std::set<std::string_view> names;
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        const std::string_view name = to_string(static_cast<Errc>(code));
        INFO(name);
        CHECK(names.insert(name).second);
        CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos);
    }
}

TEST_CASE("fail makes a result that holds the error") {
    const Result<int> result = fail(Errc::too_large, "the body has 17 MiB, at most 16 are read", "/");
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error() == Error{Errc::too_large, "the body has 17 MiB, at most 16 are read", "/"});
    CHECK_FALSE(result.error() == Error{Errc::too_large, "the body has 17 MiB, at most 16 are read", ""});
}
