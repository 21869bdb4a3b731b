#include "base/base64.hpp"

#include "tests/support/catch.hpp"

using fluxgate::base64;

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
