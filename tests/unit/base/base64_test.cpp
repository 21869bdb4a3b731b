#include "base/base64.hpp"

#include "tests/support/catch.hpp"

using fluxgate::base64;
using fluxgate::from_base64;

// RFC 4648, section 10.
TEST_CASE("bytes are written as Base64") {
    CHECK(base64("") == "");
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("foob") == "Zm9vYg==");
    CHECK(base64("foobar") == "Zm9vYmFy");
    CHECK(base64(std::string_view("\xfb\xff\0", 3)) == "+/8A");
}

TEST_CASE("Base64 is read back in its one spelling") {
    const std::pair<std::string_view, std::string> good[] = {{"", ""},        {"Zg==", "f"},        {"Zm8=", "fo"},
                                                             {"Zm9v", "foo"}, {"Zm9vYg==", "foob"}, {"+/8A", std::string("\xfb\xff\0", 3)}};
    for (const auto& [text, bytes] : good) {
        INFO(text);
        CHECK(from_base64(text) == bytes);
    }
    for (const std::string_view text :
         {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm9v    ", "Zm\nv", "-_8A", "=Zm9", "====", "Z===", "Zm=v"}) {
        INFO(text);
        CHECK_FALSE(from_base64(text).has_value());
    }
}
