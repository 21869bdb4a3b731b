#include "kube/quantity.hpp"

#include <string>

#include <rapidcheck.h>

#include "tests/support/catch.hpp"

using fluxgate::Errc;
using fluxgate::kube::Quantity;

namespace {

Quantity quantity(std::string_view text) {
    const auto parsed = Quantity::parse(text);
    INFO(text);
    REQUIRE(parsed.has_value());
    return *parsed;
}

}  // namespace

TEST_CASE("quantities that Kubernetes accepts have its value") {
    struct Row {
        std::string_view name;
        std::string_view text;
        std::string_view same_as;
    };
    const Row rows[] = {
        {"a whole number", "3", "3000m"},
        {"leading zeros", "003", "3"},
        {"a plus sign", "+3", "3"},
        {"minus zero", "-0", "0"},
        {"no digit before the point", ".5", "500m"},
        {"no digit after the point", "1.", "1"},
        {"a point before a suffix", "1.Gi", "1Gi"},
        {"nano", "1n", "0.000000001"},
        {"micro", "1u", "1000n"},
        {"milli", "1m", "1000u"},
        {"kilo", "1k", "1000"},
        {"mega", "1M", "1000k"},
        {"giga", "1G", "1000M"},
        {"tera", "1T", "1000G"},
        {"peta", "1P", "1000T"},
        {"exa", "12E", "12000P"},
        {"kibi", "1Ki", "1024"},
        {"mebi", "1Mi", "1024Ki"},
        {"gibi", "1.5Gi", "1536Mi"},
        {"tebi", "1Ti", "1024Gi"},
        {"pebi", "1Pi", "1024Ti"},
        {"exbi", "7Ei", "7168Pi"},
        {"an exponent", "1e3", "1k"},
        {"an exponent with capital E", "12E0", "12"},
        {"a negative exponent", "1E-3", "1m"},
        {"a signed exponent with a fraction", "1.3E+6", "1300k"},
        {"a fraction of a nano rounds up", "0.5e-9", "1n"},
        {"a fraction of a nano rounds away from zero", "-0.5e-9", "-1n"},
        {"the last of many digits still rounds up", "1.0000000000000000000000000001", "1000000001n"},
        {"a fraction of a binary value rounds up", "0.00000000000000000000000001Ki", "1n"},
        {"the largest binary value", "9007199254740991.9990234375Ki", "9223372036854775807"},
        {"binary values stop at 2^63-1", "9Ei", "9223372036854775807"},
        {"binary values stop at -(2^63-1)", "-9Ei", "-9223372036854775807"},
        {"binary values stop with very many digits", "99999999999999999999999999999999999999999999Ki", "9223372036854775807"},
        {"decimal values do not stop there", "9223372036854775808", "9.223372036854775808E"},
        {"thirty digits", "100000000000000000000000000000", "1e29"},
        {"an exponent of zero", "0e99", "0"},
        {"a huge negative exponent", "1e-2000000000", "1n"},
        {"an exponent is cut to 32 bits", "1e4294967299", "1e3"},
        {"a sign alone", "-", "0"},
        {"a point alone", ".", "0"},
        {"a suffix alone", "Ti", "0"},
        {"an exponent alone", "e3", "0"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(quantity(row.text) == quantity(row.same_as));
    }
}

TEST_CASE("quantities that Kubernetes refuses are errors") {
    struct Row {
        std::string_view name;
        std::string_view text;
    };
    const Row rows[] = {
        {"nothing", ""},
        {"a capital kilo", "1K"},
        {"a small mebi", "1mi"},
        {"a small gibi", "1gi"},
        {"bytes", "1Gb"},
        {"a word", "lots"},
        {"a blank before", " 1"},
        {"a blank after", "1 "},
        {"a blank between", "1 Gi"},
        {"two signs", "+-1"},
        {"two points", "1.2.3"},
        {"a comma", "1,5"},
        {"an underscore", "1_000"},
        {"hexadecimal", "0x10"},
        {"infinity", "inf"},
        {"an exponent without digits", "1e+"},
        {"a small e", "1e"},
        {"two signs in the exponent", "1e+-5"},
        {"an exponent beyond 64 bits", "1e9223372036854775808"},
        {"an exponent and a suffix", "1e3k"},
        {"a suffix and a number", "1m+3"},
        {"two suffixes", "1mm"},
        {"a NUL", std::string_view("1\0", 2)},
        {"a suffix alone that Kubernetes parses exactly", "Pi"},
        {"an exponent alone below nano", "e-10"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const auto parsed = Quantity::parse(row.text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == Errc::invalid_quantity);
        CHECK_FALSE(parsed.error().message.empty());
    }
}

TEST_CASE("quantities compare exactly") {
    const std::string_view ascending[] = {
        "-9Ei",  "-1",           "-1n",   "0",   "1n",    "999n", "1u",  "1m",  "9007199254740992n",   "9007199254740993n",
        "0.1e9", "0.100000001G", "1000M", "1Gi", "1.1Gi", "1E",   "1Ei", "8Ei", "9223372036854775808", "1e28",
    };
    for (std::size_t left = 0; left < std::size(ascending); ++left) {
        for (std::size_t right = 0; right < std::size(ascending); ++right) {
            INFO(ascending[left] << " and " << ascending[right]);
            CHECK((quantity(ascending[left]) <=> quantity(ascending[right])) == (left <=> right));
        }
    }
    CHECK(quantity("0").is_zero());
    CHECK_FALSE(quantity("1n").is_zero());
    CHECK(quantity("-1n").is_negative());
    CHECK_FALSE(quantity("0").is_negative());
}

TEST_CASE("a ratio is compared without rounding and without overflow") {
    struct Row {
        std::string_view name;
        std::string_view limit;
        std::string_view request;
        std::string_view ratio;
        bool exceeds;
    };
    const Row rows[] = {
        {"below", "1Gi", "1Gi", "2", false},
        {"equal", "2Gi", "1Gi", "2", false},
        {"one nano above", "2000000001n", "1", "2", true},
        {"a fractional ratio", "1500m", "1", "1.5", false},
        {"a fractional ratio exceeded", "1501m", "1", "1.5", true},
        {"no request", "1", "0", "10", true},
        {"neither", "0", "0", "10", false},
        {"a ratio of zero", "1n", "1", "0", true},
        {"large values, equal", "1e19", "1e10", "1e9", false},
        {"large values, one nano above", "10000000000000000000.000000001", "1e10", "1e9", true},
        {"a product beyond 128 bits", "1e29", "1e28", "1e28", false},
        {"a negative limit", "-1", "1", "1", false},
        {"a negative request", "1", "-1", "1", true},
        {"both negative, above", "-1", "-2", "1", true},
        {"both negative, below", "-3", "-2", "1", false},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(ratio_exceeds(quantity(row.limit), quantity(row.request), quantity(row.ratio)) == row.exceeds);
    }
}

TEST_CASE("a quantity in another unit is the same quantity") {
    CHECK(rc::check("milli, unit and nano agree", [](std::int64_t milli) {
        const std::string text = std::to_string(milli);
        RC_ASSERT(*Quantity::parse(text + "m") == *Quantity::parse(text + "e-3"));
        RC_ASSERT(*Quantity::parse(text + "m") == *Quantity::parse(text + "000000n"));
    }));
    CHECK(rc::check("order follows the integers", [](std::int64_t left, std::int64_t right) {
        RC_ASSERT((*Quantity::parse(std::to_string(left)) <=> *Quantity::parse(std::to_string(right))) == (left <=> right));
    }));
}
